#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/config/configuration.hpp"
#include "lihandover/config/schema.hpp"
#include "lihandover/model/item.hpp"

namespace lihandover::config {

// What the declarations of options share: kinds of values, and sections that occur in several places.

inline constexpr std::uint64_t kib = std::uint64_t{1} << 10U;
inline constexpr std::uint64_t mib = std::uint64_t{1} << 20U;
inline constexpr std::uint64_t gib = std::uint64_t{1} << 30U;
inline constexpr std::uint64_t tib = std::uint64_t{1} << 40U;
inline constexpr std::size_t max_socket_path = 107;  // sockaddr_un

/// A name of 1 to 64 letters, digits and `punctuation`; `allowed` says so.
[[nodiscard]] Type<std::string> name_type(const std::string& allowed, std::string_view punctuation, bool capitals);
/// Two capital letters, or XX.
[[nodiscard]] Type<std::string> country_code_type();
/// `V1.14.1`
[[nodiscard]] Type<std::string> etsi_version_type();
/// SHA-256 of a certificate, or of its public key after `spki:`.
[[nodiscard]] Type<std::string> fingerprint_type();
/// An https URL with `{object_identifier}` once.
[[nodiscard]] Type<std::string> url_template_type();
/// `unix:/path`, `address:port` or `[v6]:port`
[[nodiscard]] Type<ListenAddress> listen_type();
/// Permissions of a file, in octal.
[[nodiscard]] Type<std::uint32_t> mode_type();
/// The name of a group of the system.
[[nodiscard]] Type<std::string> group_type();

/// Of what may be negotiated in TLS.
[[nodiscard]] Type<std::vector<std::string>> tls_groups_type();
[[nodiscard]] Type<std::vector<std::string>> tls_suites_type();
/// Both, as options of a `tls` section.
template <typename Tls>
[[nodiscard]] Schema<Tls> with_tls_choice(Schema<Tls> schema, bool reloadable) {
    return std::move(schema)
        .option({.name = "groups",
                 .help = "Groups for key exchange, the first the best. Absent: the usual ones of OpenSSL.",
                 .example = "[x25519, secp384r1]",
                 .reloadable = reloadable},
                static_cast<std::vector<std::string> Tls::*>(&Tls::groups), tls_groups_type())
        .option({.name = "suites",
                 .help = "Suites, the first the best, of those that RFC 9325 does not advise against. A version of "
                         "TLS without a suite is not spoken. Absent: all with authenticated encryption.",
                 .example = "[TLS_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]",
                 .reloadable = reloadable},
                static_cast<std::vector<std::string> Tls::*>(&Tls::suites), tls_suites_type());
}

/// A pre-shared key.
[[nodiscard]] Schema<PreSharedKey> psk_schema();

/// The same facts, for an option that is required.
[[nodiscard]] Facts required(Facts facts);

/// An endpoint of messages; `longest` limits the unique identifier.
[[nodiscard]] Schema<model::Endpoint> endpoint_schema(Facts country, Facts identifier, std::size_t longest);

}  // namespace lihandover::config
