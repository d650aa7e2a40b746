#include "choice.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/tls_names.hpp"

namespace lihandover::tls {
namespace {

template <std::size_t Size>
bool is_one_of(const std::array<std::string_view, Size>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

/// The hash of a pre-shared key in TLS 1.3 is SHA-256 unless both ends say otherwise (RFC 8446 4.2.11), and a suite
/// with another one does not go with it.
bool goes_with_shared_key(std::string_view tls13_suite) {
    return tls13_suite.ends_with("_SHA256");
}

/// By their names at IANA.
struct Suites {
    std::vector<std::string> tls13;
    std::vector<std::string> tls12;         ///< with a certificate
    std::vector<std::string> tls12_shared;  ///< with a pre-shared key
};

model::Result<Suites> sorted(const std::vector<std::string>& names) {
    Suites suites;
    if (names.empty()) {
        suites.tls13.assign(model::tls13_suites.begin(), model::tls13_suites.end());
        suites.tls12.assign(model::tls12_suites.begin(), model::tls12_suites.end());
        suites.tls12_shared.assign(model::tls12_psk_suites.begin(), model::tls12_psk_suites.end());
    }
    for (const std::string& name : names) {
        if (is_one_of(model::tls13_suites, name)) {
            suites.tls13.push_back(name);
        } else if (is_one_of(model::tls12_suites, name)) {
            suites.tls12.push_back(name);
        } else if (is_one_of(model::tls12_psk_suites, name) || is_one_of(model::tls12_psk_cbc_suites, name)) {
            suites.tls12_shared.push_back(name);
        } else {
            return model::Error{"a suite is none that may be chosen"};
        }
    }
    return suites;
}

/// Takes out what the keys have no use for.
model::Status fit(Suites& suites, Keys keys) {
    const auto& tls13 = suites.tls13;
    const bool none_goes = std::ranges::none_of(tls13, goes_with_shared_key);
    // A peer that speaks 1.3 takes that, whatever there is for 1.2.
    if (keys.shared && none_goes && (!tls13.empty() || suites.tls12_shared.empty())) {
        return model::Error{
            "none of the suites goes with a pre-shared key; one of TLS 1.3 with SHA-256, or of PSK is "
            "needed"};
    }
    if (keys.certificate && tls13.empty() && suites.tls12.empty()) {
        return model::Error{"none of the suites goes with a certificate"};
    }
    if (!keys.certificate) {
        suites.tls12.clear();
        std::erase_if(suites.tls13, [](const std::string& suite) { return !goes_with_shared_key(suite); });
    }
    if (keys.shared) {
        std::ranges::stable_partition(suites.tls13, goes_with_shared_key);
    } else {
        suites.tls12_shared.clear();
    }
    return {};
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "" : ":") + name;
    }
    return text;
}

std::string openssl_names(const std::vector<std::string>& names) {
    std::vector<std::string> others;
    others.reserve(names.size());
    for (const std::string& name : names) {
        others.emplace_back(OPENSSL_cipher_name(name.c_str()));
    }
    return joined(others);
}

model::Status apply_groups(SSL_CTX* context, const std::vector<std::string>& groups, bool needs_curve) {
    if (groups.empty()) {
        return {};
    }
    bool curve = false;
    for (const std::string& group : groups) {
        curve = curve || is_one_of(model::tls_curves, group);
        if (!is_one_of(model::tls_curves, group) && !is_one_of(model::tls_finite_fields, group)) {
            return model::Error{"a group is none that may be chosen"};
        }
    }
    if (needs_curve && !curve) {
        return model::Error{"the suites of TLS 1.2 need a group that is an elliptic curve"};
    }
    if (SSL_CTX_set1_groups_list(context, joined(groups).c_str()) != 1) {
        return model::Error{"the groups cannot be used: " + explain_failure(nullptr).sentence};
    }
    return {};
}

}  // namespace

model::Status apply_choice(SSL_CTX* context, const Choice& choice, Keys keys) {
    auto suites = sorted(choice.suites);
    if (!suites) {
        return suites.error();
    }
    if (auto status = fit(*suites, keys); !status) {
        return status;
    }
    // A pre-shared key comes first where the peer knows one too.
    std::vector<std::string> tls12 = suites->tls12_shared;
    tls12.insert(tls12.end(), suites->tls12.begin(), suites->tls12.end());
    if (!choice.groups.empty()) {
        // OpenSSL does not ask the groups when it chooses a finite field for TLS 1.2.
        std::erase_if(tls12, [](const std::string& suite) { return suite.starts_with("TLS_DHE_"); });
    }
    if (tls12.empty() && suites->tls13.empty()) {
        return model::Error{"none of the suites goes with the groups"};
    }
    const bool only13 = tls12.empty();
    const bool only12 = suites->tls13.empty();
    if (SSL_CTX_set_min_proto_version(context, only13 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context, only12 ? TLS1_2_VERSION : TLS1_3_VERSION) != 1 ||
        (!only13 && SSL_CTX_set_cipher_list(context, openssl_names(tls12).c_str()) != 1) ||
        (!only12 && SSL_CTX_set_ciphersuites(context, joined(suites->tls13).c_str()) != 1)) {
        return model::Error{"TLS cannot be set up: " + explain_failure(nullptr).sentence};
    }
    if (keys.shared || !choice.suites.empty() || !choice.groups.empty()) {
        // Our order counts, not the client's: it may begin with suites that do not go with the key it offers.
        SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    }
    const bool needs_curve =
        std::ranges::any_of(tls12, [](const std::string& suite) { return suite.starts_with("TLS_ECDHE_"); });
    return apply_groups(context, choice.groups, needs_curve);
}

}  // namespace lihandover::tls
