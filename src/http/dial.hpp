#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "addresses.hpp"
#include "lihandover/http/failure.hpp"
#include "lihandover/http/url.hpp"
#include "lihandover/tls/context.hpp"
#include "transport.hpp"

namespace lihandover::http {

/// What all attempts to reach one server share.
struct Route {
    bool tcp = true;                                    ///< else a Unix socket
    std::shared_ptr<const tls::ClientContext> context;  ///< null: in the clear
    std::string server_name;                            ///< with TLS: to ask for, and to find in the certificate
    std::string port;
    std::optional<Proxy> proxy;
    std::string endpoint;  ///< host and port, for the proxy
    std::optional<boost::asio::ip::address> local_address;
    std::chrono::milliseconds connect_timeout{};
    std::chrono::milliseconds handshake_timeout{};
};

[[nodiscard]] Failure failure(Phase phase, FailureKind kind, std::string message);

/// Connects completely to the server at one address, or through the proxy at it: the TCP connection, the proxy's
/// tunnel, and TLS over it. nullopt: `transport` is ready for exchanges. Transport::close() ends it as cancelled.
[[nodiscard]] boost::asio::awaitable<std::optional<Failure>> dial(std::shared_ptr<Transport> transport,
                                                                  std::shared_ptr<const Route> route, Endpoint address);

}  // namespace lihandover::http
