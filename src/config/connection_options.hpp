#pragma once

#include <map>
#include <string>

#include "lihandover/config/configuration.hpp"
#include "lihandover/config/schema.hpp"

namespace lihandover::config {

// How we connect to an LEA, and what goes with every request: the options of a destination that concern HTTP and TLS
// alone.

/// Adds them to a destination's options.
[[nodiscard]] Schema<Destination> with_connection_options(Schema<Destination> schema);

/// Looks at `url` and `urls` together, and at what needs the other.
void check_connection_options(Reader& reader, const YamlNode& node, Destination& destination);

/// Name and value of HTTP fields.
[[nodiscard]] Type<std::map<std::string, std::string>> header_fields_type();
/// A numeric IPv4 or IPv6 address.
[[nodiscard]] Type<std::string> ip_address_type();
/// A host name as a certificate has it.
[[nodiscard]] Type<std::string> host_name_type();
/// `http://[user:password@]host:port`
[[nodiscard]] Type<std::string> proxy_url_type();

}  // namespace lihandover::config
