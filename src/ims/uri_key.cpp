#include "uri_key.hpp"

#include <algorithm>
#include <array>

#include "lihandover/base/utf8.hpp"
#include "lihandover/model/identifier.hpp"
#include "parties.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

/// The scheme and the rest of a SIP or SIPS URI; an empty scheme for any other.
struct SipUri {
    bool sip = false;
    std::string_view rest;  ///< after the colon
};

SipUri split(std::string_view uri) {
    uri = trimmed(uri);
    const bool sip = type_of(uri) == model::IdentifierType::sip_uri;
    return {sip, sip ? uri.substr(uri.find(':') + 1) : uri};
}

/// `sip:user@host` of a SIP URI; any other as it is. `parameters`, where there is one, gets what follows.
std::string without_parameters(std::string_view uri, std::string_view* parameters = nullptr) {
    auto [sip, rest] = split(uri);
    if (!sip) {
        return std::string(rest);
    }
    const std::size_t at = rest.find('@');
    const std::size_t end = std::min(rest.find_first_of(";?", at == std::string_view::npos ? 0 : at), rest.size());
    if (parameters != nullptr) {
        *parameters = rest.substr(end);
    }
    rest = rest.substr(0, end);
    for (const std::string_view port : {":5060", ":5061"}) {
        if (rest.ends_with(port)) {
            rest.remove_suffix(port.size());
            break;
        }
    }
    std::string plain("sip:");
    plain += rest;
    return plain;
}

/// Parameters that say how to reach a conference, and not which one it is.
constexpr std::array<std::string_view, 12> ways{"transport", "lr",   "ob",         "maddr", "ttl",   "method",
                                                "user",      "comp", "sigcomp-id", "gr",    "alias", "rport"};

/// Those that may tell two conferences apart.
void append_telling(std::string_view parameters, std::string& out) {
    parameters = parameters.substr(0, parameters.find('?'));
    while (!parameters.empty()) {
        parameters.remove_prefix(1);
        const std::string_view one = parameters.substr(0, parameters.find(';'));
        parameters.remove_prefix(one.size());
        const std::string_view name = one.substr(0, one.find('='));
        const auto is_it = [name](std::string_view way) { return same_name(name, way); };
        if (!one.empty() && std::ranges::none_of(ways, is_it)) {
            out.append(";").append(one);
        }
    }
}

}  // namespace

std::string user_key(std::string_view uri) {
    const std::string plain = without_parameters(uri);
    model::IdentifierScratch scratch;
    const model::IdentifierKeys keys = model::keys_of(type_of(plain), plain, {}, scratch);
    const model::IdentifierKey* chosen = keys.begin();
    for (const model::IdentifierKey& key : keys) {
        if (key.identity_class == model::IdentityClass::number) {
            chosen = &key;
        }
    }
    std::string text(1, static_cast<char>(chosen->identity_class));
    text += chosen->bytes;
    return text;
}

std::string plain_uri(std::string_view uri) {
    std::string_view parameters;
    std::string plain = without_parameters(uri, &parameters);
    append_telling(parameters, plain);
    const std::string text = model::normalised(type_of(plain), plain);
    return base::is_encoded(text) ? text : base::with_replacements(text);
}

std::string_view user_of(std::string_view uri) {
    const auto [sip, rest] = split(uri);
    const std::size_t at = rest.find('@');
    return sip && at != std::string_view::npos ? rest.substr(0, at) : std::string_view();
}

}  // namespace lihandover::ims
