#pragma once

#include <map>
#include <string>

#include "lihandover/config/configuration.hpp"
#include "lihandover/config/schema.hpp"

namespace lihandover::config {

// How we connect to an LEA, and what goes with every request: the options of a destination that concern only HTTP and
// TLS.

/// Adds them to a destination's options.
[[nodiscard]] Schema<Destination> with_connection_options(Schema<Destination> schema);

/// Checks `url` and `urls` together, and options that need one another.
void check_connection_options(Reader& reader, const YamlNode& node, Destination& destination);

/// Name and value of HTTP fields.
[[nodiscard]] Type<std::map<std::string, std::string>> header_fields_type();
/// A numeric IPv4 or IPv6 address.
[[nodiscard]] Type<std::string> ip_address_type();
/// A host name as in a certificate.
[[nodiscard]] Type<std::string> host_name_type();
/// `http://[user:password@]host:port`
[[nodiscard]] Type<std::string> proxy_url_type();

}  // namespace lihandover::config
