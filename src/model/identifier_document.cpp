// How documents write identifiers. A stored item is written again at each attempt, also by later versions of the
// program, and has to give the same bytes each time (promise 3): so the result of normalised() for a value never
// changes. How identifiers compare may change, and is in identifier.cpp.
#include <algorithm>

#include "ascii.hpp"
#include "lihandover/model/identifier.hpp"
#include "phone_number.hpp"
#include "unicode.hpp"
#include "uri.hpp"

namespace lihandover::model {

namespace {

std::string username_text(std::string_view value) {
    std::string out;
    return !is_nfc_already(value) && append_nfc(out, value) ? out : std::string(value);
}

std::string email_text(std::string_view value) {
    const std::size_t at = value.rfind('@');
    if (at == std::string_view::npos) {
        return std::string(value);
    }
    const std::string_view domain = value.substr(at + 1);
    std::string out(value, 0, at + 1);
    if (is_ascii(domain) || !append_lower_nfc(out, domain)) {
        append_lower(out, domain);
    }
    return out;
}

std::string im_text(std::string_view uri) {
    constexpr std::string_view scheme = "im:";
    const std::size_t headers = std::min(uri.find('?'), uri.size());
    const std::string_view address = uri.substr(scheme.size(), headers - scheme.size());
    // An escape in what follows the last '@' may be another one: then that is no domain.
    const bool escapes = address.find('%', std::min(address.rfind('@'), address.size())) != std::string_view::npos;
    return std::string(scheme).append(escapes ? std::string(address) : email_text(address)).append(uri.substr(headers));
}

/// A number or a URI of any kind, by its form.
std::string address_text(IdentifierType type, std::string_view value) {
    const bool number_type = type == IdentifierType::msisdn || type == IdentifierType::e164;
    std::string out;
    if ((number_type || type == IdentifierType::tel_uri) && append_digits(out, value, false, {})) {
        return out;
    }
    if (type == IdentifierType::im_uri && starts_with_scheme(value, "im:")) {
        return im_text(value);
    }
    if (const std::optional<Tel> tel = write_tel(value, out)) {
        const bool number = tel->global && !tel->has_parameters;
        const bool plain = number && number_type;
        return plain ? std::string(tel->bytes.substr(1)) : "tel:" + std::string(tel->bytes);
    }
    bool has_optional = false;
    const auto sip = number_type ? std::nullopt : write_sip(value, SipForm::document, out, has_optional);
    return std::string(sip.value_or(value));
}

}  // namespace

std::string normalised(IdentifierType type, std::string_view value) {
    switch (type) {
        case IdentifierType::user_id:
            return std::string(value);
        case IdentifierType::username:
            return username_text(value);
        case IdentifierType::email:
            return email_text(value);
        case IdentifierType::msisdn:
        case IdentifierType::e164:
        case IdentifierType::sip_uri:
        case IdentifierType::tel_uri:
        case IdentifierType::im_uri:
            break;
    }
    return address_text(type, value);
}

}  // namespace lihandover::model
