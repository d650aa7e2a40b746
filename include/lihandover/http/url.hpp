#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lihandover/model/result.hpp"

namespace lihandover::http {

/// An absolute http or https URL, parsed.
struct Url {
    /// `http` or `https`, lower case.
    std::string scheme;
    /// Host name (lower case) or IP address, IPv6 without brackets.
    std::string host;
    /// As given, else 80 or 443.
    std::uint16_t port = 0;
    /// Path and query in origin form, at least `/`.
    std::string target;

    /// For the Host field: brackets around IPv6, and the port only if it is not the scheme's default.
    [[nodiscard]] std::string authority() const;
    /// host:port, brackets around IPv6; always with the port.
    [[nodiscard]] std::string endpoint() const;
    [[nodiscard]] bool secure() const { return scheme == "https"; }

    friend bool operator==(const Url&, const Url&) = default;
};

/// A proxy that tunnels to a server by CONNECT (RFC 9110 9.3.6).
struct Proxy {
    /// Host name (lower case) or IP address, IPv6 without brackets.
    std::string host;
    std::uint16_t port = 0;
    /// Value of Proxy-Authorization, which is a secret; empty: none is sent.
    std::string authorization;
};

/// Refuses anything but http and https, user information, fragments, a missing host, port 0, and texts longer than 8192
/// bytes. The error says what is wrong and does not repeat the URL.
[[nodiscard]] model::Result<Url> parse_url(std::string_view text);

/// `http://proxy:3128`, with `user:password@` before the host if it wants credentials (RFC 7617). The error says what
/// is wrong and does not repeat the URL.
[[nodiscard]] model::Result<Proxy> parse_proxy(std::string_view text);

}  // namespace lihandover::http
