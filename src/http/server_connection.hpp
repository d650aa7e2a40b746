#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "lihandover/http/peer.hpp"
#include "lihandover/tls/context.hpp"
#include "transport.hpp"

namespace lihandover::http {

class ServerConnection;

/// What the connections of one listener share.
struct ListenerState {
    /// For connections accepted from now on; null: in the clear.
    std::shared_ptr<const tls::ServerContext> tls;
    std::chrono::milliseconds handshake_timeout{10'000};
    std::chrono::milliseconds linger{2'000};  ///< for the peer to read our last bytes and close
    /// Asked once a peer has proved who it is; false: there is no place for it. Empty: there always is.
    std::function<bool(const ServerConnection&)> let_in;
    std::uint64_t handshake_failed = 0;
    bool stopping = false;
};

/// A connection that a listener has accepted, up to where both ends know each other. What is said on it then is the
/// matter of those that derive from it.
class ServerConnection {
  public:
    ServerConnection(const Executor& executor, ListenerState& listener) : transport_(executor), listener_(listener) {}
    ServerConnection(const ServerConnection&) = delete;
    ServerConnection& operator=(const ServerConnection&) = delete;
    virtual ~ServerConnection() = default;

    Transport& transport() { return transport_; }
    void set_peer(Peer peer) { peer_ = std::move(peer); }
    void set_tls(std::shared_ptr<const tls::ServerContext> context) { tls_ = std::move(context); }

    /// Serves until the connection ends; `self` keeps it alive meanwhile.
    static boost::asio::awaitable<void> run(std::shared_ptr<ServerConnection> self);

    /// The listener stops: what is idle ends, what works is left to end.
    virtual void end() = 0;
    /// Ends the connection at once, and cancels what its handler waits for.
    void cut();
    boost::asio::cancellation_slot slot() { return cancel_.slot(); }

    /// Whether its peer has proved who it is, or need not.
    [[nodiscard]] bool is_known() const { return !tls_ || peer_.certificate; }
    /// Since when it waits for its peer; nullopt while it does not.
    [[nodiscard]] std::optional<Transport::Clock::time_point> stalled_since() const {
        return transport_.waiting_since();
    }
    /// Whether `context` would accept the peer too. A peer that has not proved its identity yet is checked when it has.
    [[nodiscard]] bool is_acceptable_to(const tls::ServerContext& context) const;

  protected:
    virtual boost::asio::awaitable<void> serve() = 0;
    /// Lets the peer read our last bytes: closing over bytes that it sent and we have not read would reset the
    /// connection.
    boost::asio::awaitable<void> linger();
    [[nodiscard]] const Peer& known_peer() const { return peer_; }

  private:
    boost::asio::awaitable<bool> secure();

    Transport transport_;
    ListenerState& listener_;
    std::shared_ptr<const tls::ServerContext> tls_;
    Peer peer_;
    boost::asio::cancellation_signal cancel_;
};

}  // namespace lihandover::http
