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

/// What all attempts to reach one server have in common.
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

/// Goes all the way to the server behind one address, which is the proxy's where there is one: the connection, the
/// proxy's, and TLS over it. nullopt: `transport` is ready
/// for exchanges. Transport::close() ends it as cancelled.
[[nodiscard]] boost::asio::awaitable<std::optional<Failure>> dial(std::shared_ptr<Transport> transport,
                                                                  std::shared_ptr<const Route> route, Endpoint address);

}  // namespace lihandover::http
