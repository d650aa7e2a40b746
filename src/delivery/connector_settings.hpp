#pragma once

#include <chrono>
#include <vector>

#include "lihandover/delivery/delivery.hpp"
#include "lihandover/http/connector.hpp"
#include "lihandover/http/url.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::delivery {

/// How connections to a destination are made, from its options.
struct ConnectorSettings {
    std::vector<http::Url> urls;  ///< at least one; messages go to the first that is not down
    http::ConnectorOptions options;
};

/// Kept-alive connections end before the usual 60 or 75 seconds of servers, so that a message rarely meets a connection
/// that is just being closed.
inline constexpr std::chrono::seconds idle_close(50);

/// Errors: a URL or a proxy that the http room refuses, or no TLS files for an https URL.
[[nodiscard]] model::Result<ConnectorSettings> connector_settings(const Destination& destination);

/// Whether connections made for `before` also serve `after`: the same server, the same route to it, and TLS files with
/// the same contents.
[[nodiscard]] bool same_connections(const Destination& before, const Destination& after);

/// Content-Type of messages.
[[nodiscard]] std::string_view content_type(const config::Destination& options);

}  // namespace lihandover::delivery
