#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "accept_socket.hpp"
#include "server_connection.hpp"

namespace lihandover::http {

/// Accepts connections and has them served, bounds their number, and stops them gently. On one thread.
class Listener : public std::enable_shared_from_this<Listener> {
  public:
    using Clock = Transport::Clock;
    /// A connection without a socket yet.
    using Make = std::function<std::shared_ptr<ServerConnection>()>;

    Listener(const Executor& executor, AcceptSocket socket, std::shared_ptr<ListenerState> state,
             std::size_t max_connections, Make make);

    void start();
    /// Closes everything at once.
    void shut_down();
    static boost::asio::awaitable<void> stop(std::shared_ptr<Listener> self, std::chrono::milliseconds grace);
    /// Connections whose peer the context would not let in are cut.
    void set_tls(std::shared_ptr<const tls::ServerContext> context);
    void set_max_connections(std::size_t most) { max_connections_ = most; }

    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }
    [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
    [[nodiscard]] std::uint64_t evicted() const { return evicted_total_; }

  private:
    using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;
    using Acceptor = boost::asio::posix::basic_stream_descriptor<Executor>;
    struct Unregister;

    void close_socket();
    void cut_all();
    void wait();
    void pause(Clock::duration duration);
    void accept_some();
    [[nodiscard]] bool someone_waits() const;
    [[nodiscard]] bool make_place();
    [[nodiscard]] bool let_in(const ServerConnection& newcomer);
    [[nodiscard]] std::size_t most_candidates() const;
    [[nodiscard]] std::size_t count(bool known) const;
    [[nodiscard]] std::shared_ptr<ServerConnection> stalled_longest(bool known,
                                                                    const ServerConnection* except = nullptr) const;
    bool evict(const std::shared_ptr<ServerConnection>& chosen);
    void admit(int descriptor, std::string address);
    void closed_one();
    void forget(const std::shared_ptr<ServerConnection>& connection);

    Executor executor_;
    AcceptSocket socket_;
    std::string address_ = socket_.address();
    std::uint16_t port_ = socket_.port();
    Acceptor acceptor_;
    Timer retry_;
    std::shared_ptr<ListenerState> state_;
    std::size_t max_connections_;
    Make make_;
    std::unordered_set<std::shared_ptr<ServerConnection>> connections_;
    // Closed already, but their coroutines have not ended.
    std::unordered_set<const ServerConnection*> evicted_;
    std::size_t open_ = 0;
    std::uint64_t accepted_ = 0;
    std::uint64_t evicted_total_ = 0;
    std::unordered_set<Timer*> stoppers_;
};

}  // namespace lihandover::http
