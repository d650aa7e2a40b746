#include "console/access.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <stdexcept>

#include "lihandover/base/hex.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::admin {

namespace {

/// The host of `host:port`, `[v6]:port` or `host`, without brackets; empty where it is none of these.
std::string host_of(std::string_view authority) {
    const bool bracketed = authority.starts_with('[');
    const auto end = bracketed ? authority.find(']') : authority.find(':');
    std::string_view host = authority.substr(0, end);
    std::string_view rest = end == std::string_view::npos ? std::string_view() : authority.substr(end);
    if (bracketed) {
        if (rest.empty()) {
            return {};
        }
        host.remove_prefix(1);
        rest.remove_prefix(1);
    }
    const bool port = rest.empty() || (rest.starts_with(':') && rest.size() > 1 && rest.size() <= 6 &&
                                       rest.find_first_not_of("0123456789", 1) == std::string_view::npos);
    const bool name = std::ranges::all_of(host, [bracketed](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               (bracketed && c == ':');
    });
    return port && name && host.size() <= 255 ? std::string(host) : std::string();
}

}  // namespace

std::optional<Person> person_of(const http::Peer& peer, const config::Console& console, model::Instant now) {
    if (!peer.certificate || peer.certificate->subject.empty() || now > peer.certificate->not_after) {
        return std::nullopt;
    }
    const tls::PeerIdentity& identity = *peer.certificate;
    const auto found = console.people.find(identity.subject);
    const auto& clients = console.tls.clients;
    const bool allowed = clients.empty() || std::ranges::find(clients, identity.certificate_sha256) != clients.end() ||
                         std::ranges::find(clients, "spki:" + identity.spki_sha256) != clients.end();
    if (found == console.people.end() || !allowed) {
        return std::nullopt;
    }
    Person person{identity.subject, identity.certificate_sha256};
    for (const config::Role role : found->second) {
        (role == config::Role::review ? person.review : person.operate) = true;
    }
    return person;
}

FormTokens::FormTokens() {
    model::random_bytes(key_.data(), key_.size());
}

FormTokens::~FormTokens() {
    OPENSSL_cleanse(key_.data(), key_.size());
}

std::string FormTokens::token_for(const Person& person) const {
    const std::string said = person.certificate_sha256 + "\n" + person.subject;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             reinterpret_cast<const unsigned char*>(said.data()),  // NOLINT(*-reinterpret-cast): bytes for OpenSSL
             said.size(), digest.data(), &size) == nullptr) {
        throw std::runtime_error("HMAC-SHA256 does not work");
    }
    return base::to_hex(std::span{digest.data(), size});
}

bool FormTokens::is_for(const Person& person, std::string_view token) const {
    const std::string expected = token_for(person);
    return token.size() == expected.size() && CRYPTO_memcmp(token.data(), expected.data(), expected.size()) == 0;
}

std::optional<Refused> refusal_of_origin(const http::Exchange& exchange,
                                         const std::function<bool(const std::string&)>& names_us) {
    const auto host = exchange.header("Host");
    if (!host || !names_us(host_of(*host))) {
        return Refused{421, "our certificate does not name this host"};
    }
    const bool reading = exchange.method() == "GET";
    const auto origin = exchange.header("Origin");
    if (origin && *origin != "https://" + std::string(*host)) {
        return Refused{403, "the request comes from another page"};
    }
    const auto site = exchange.header("Sec-Fetch-Site");
    if (!reading && !origin) {
        return Refused{403, "a form is sent with its origin, which this one lacks"};
    }
    if (site && *site != "same-origin" && *site != "none") {
        // A link from elsewhere may lead here, and nothing else may.
        const auto mode = exchange.header("Sec-Fetch-Mode");
        const auto kind = exchange.header("Sec-Fetch-Dest");
        if (!reading || mode != "navigate" || kind != "document") {
            return Refused{403, "the request comes from another page"};
        }
    }
    return std::nullopt;
}

}  // namespace lihandover::admin
