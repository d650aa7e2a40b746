#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lihandover/http/connection.hpp"
#include "lihandover/http/failure.hpp"
#include "lihandover/http/url.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::http {

/// A server behind a Unix socket instead of a URL.
struct UnixPath {
    std::string path;
};

/// How a name becomes numeric addresses (`192.0.2.1`, `2001:db8::1`), best first: none when the name has none, nullopt
/// when the name service cannot tell. May block for as long as it likes: it is called on a thread of its own, which is
/// left behind when it takes too long.
using NameLookup = std::function<std::optional<std::vector<std::string>>(const std::string& name)>;

struct ConnectorOptions {
    std::chrono::milliseconds resolve_timeout{5'000};
    std::chrono::milliseconds connect_timeout{5'000};     ///< of each address, and again of what a proxy does
    std::chrono::milliseconds handshake_timeout{10'000};  ///< of each address
    /// An address that has not come to an end after so long is joined by the next one (RFC 8305 5).
    std::chrono::milliseconds attempt_delay{250};
    /// A connection older than this ends after the exchange at hand, so that a busy one follows its name to other
    /// addresses. Up to a tenth is taken off at random, so that those made together do not end together. 0: it may live
    /// for ever.
    std::chrono::milliseconds lifetime{0};
    /// The proxy through which all connections go.
    std::optional<Proxy> proxy;
    /// Numeric address of ours that connections come from; addresses of another family are not tried. Empty: the
    /// system's choice.
    std::string local_address;
    /// The name to ask for (SNI) and to find in the server's certificate. Empty: the URL's host.
    std::string server_name;
    /// Name and value of fields for every request. `Accept-Encoding: identity` goes with them.
    std::vector<std::pair<std::string, std::string>> fields;
    /// The system's (getaddrinfo) when empty.
    NameLookup lookup;
    /// Once several lookups of a name hang, another one begins after so long: the name service may be back.
    std::chrono::milliseconds lookup_again{60'000};
    /// Of the connections made.
    ConnectionOptions exchange;
};

/// Makes connections to one server, which may have several URLs. Looks their names up apart from all others' names,
/// tries the addresses as RFC 8305 has it, proxy and TLS handshake included, and tries an address that failed after
/// those that did not. Another URL is tried when the one before it is out, for about a minute before the first again.
///
/// Lives on the one thread that runs `executor`'s io_context (the executor must be an io_context's own); every member
/// is called there. Several connect() may run at once. Destruction ends running ones as cancelled.
class Connector {
  public:
    /// `https` needs a context; `http` ignores it. std::invalid_argument when `local_address` is not one, or
    /// std::logic_error without URLs or a context, or with fields that HTTP does not allow.
    Connector(const boost::asio::any_io_executor& executor, std::span<const Url> urls,
              std::shared_ptr<const tls::ClientContext> context, ConnectorOptions options = {});
    Connector(const boost::asio::any_io_executor& executor, const Url& url,
              std::shared_ptr<const tls::ClientContext> context, ConnectorOptions options = {});
    /// In the clear, to a Unix socket.
    Connector(const boost::asio::any_io_executor& executor, const UnixPath& path, ConnectorOptions options = {});
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;
    ~Connector();

    /// A fresh connection. Asio cancellation surfaces as boost::system::system_error(operation_aborted).
    [[nodiscard]] boost::asio::awaitable<ClientResult<Connection>> connect();
    /// Ends every running connect() as cancelled.
    void cancel();
    /// What `connection` leads to is out, although it could be connected to: its address is tried last for a while, and
    /// its URL too once that is true of all its addresses.
    void avoid(const Connection& connection);
    /// The server sent what nobody asked for lately: such bytes can reach us when the next request is on its way, so
    /// each connection carries one exchange.
    [[nodiscard]] bool expects_strays() const;

  private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace lihandover::http
