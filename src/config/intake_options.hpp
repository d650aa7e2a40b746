#pragma once

#include "lihandover/config/configuration.hpp"
#include "lihandover/config/schema.hpp"

namespace lihandover::config {

/// The options of the doors for events and of what they take (`intake`).
[[nodiscard]] Schema<Intake> intake_schema();

/// Files of a TLS server, and which of its clients are allowed.
///   reloadable  whether other paths and clients come into force by a reload
[[nodiscard]] Schema<ServerTls> server_tls_schema(bool reloadable);

}  // namespace lihandover::config
