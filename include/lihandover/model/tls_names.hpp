#pragma once

#include <array>
#include <string_view>

namespace lihandover::model {

// The groups and suites of TLS that may be chosen, by their names at IANA. RFC 9325 leaves more: these have forward
// secrecy and at least 128 bits of security, and OpenSSL has them. There is nothing to choose that it forbids.

/// For key exchange. TLS 1.2 has no use for those of finite fields.
inline constexpr std::array<std::string_view, 5> tls_curves = {"x25519", "secp256r1", "secp384r1", "secp521r1", "x448"};
inline constexpr std::array<std::string_view, 3> tls_finite_fields = {"ffdhe2048", "ffdhe3072", "ffdhe4096"};

/// The mandatory one comes first: it is the cheapest by a sixth for large objects.
inline constexpr std::array<std::string_view, 3> tls13_suites = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                                                 "TLS_CHACHA20_POLY1305_SHA256"};
/// With a certificate.
inline constexpr std::array<std::string_view, 6> tls12_suites = {
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",       "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",       "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"};
/// With a pre-shared key. OpenSSL has no GCM with elliptic curves for these.
inline constexpr std::array<std::string_view, 4> tls12_psk_suites = {
    "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", "TLS_DHE_PSK_WITH_AES_256_GCM_SHA384",
    "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256", "TLS_DHE_PSK_WITH_CHACHA20_POLY1305_SHA256"};
/// The same of RFC 5489, which have no authenticated encryption: used only where they are asked for.
inline constexpr std::array<std::string_view, 2> tls12_psk_cbc_suites = {"TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384",
                                                                         "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256"};

}  // namespace lihandover::model
