#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <thread>
#include <utility>

namespace lihandover::delivery::test {

/// Something in front of an LEA that passes bytes on and does not read them, on a thread of its own.
class Relay {
  public:
    explicit Relay(std::uint16_t to);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    ~Relay();

    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// Connections beyond so many at a time are closed as they come.
    void take_at_most(std::size_t connections) { most_ = connections; }
    /// What comes on connections made from now on waits until let_go().
    void hold() { holding_ = true; }
    void let_go();
    /// Ends the connections that stand.
    void close_all();

    [[nodiscard]] std::size_t accepted() const { return accepted_; }
    [[nodiscard]] std::size_t closed_at_once() const { return closed_at_once_; }
    [[nodiscard]] std::size_t open() const { return open_; }

  private:
    using Socket = boost::asio::ip::tcp::socket;
    struct Pair {
        explicit Pair(Socket from, boost::asio::io_context& io) : client(std::move(from)), server(io) {}
        Socket client;
        Socket server;
    };

    boost::asio::awaitable<void> accept();
    boost::asio::awaitable<void> serve(std::shared_ptr<Pair> pair);
    static boost::asio::awaitable<void> pass(std::shared_ptr<Pair> pair, Socket& from, Socket& to);

    boost::asio::io_context io_{1};
    boost::asio::ip::tcp::acceptor acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
    boost::asio::ip::tcp::endpoint to_;
    boost::asio::steady_timer released_{io_, boost::asio::steady_timer::time_point::max()};
    std::set<std::shared_ptr<Pair>> pairs_;  ///< of the thread
    std::uint16_t port_ = acceptor_.local_endpoint().port();
    std::atomic<std::size_t> most_{std::numeric_limits<std::size_t>::max()};
    std::atomic<bool> holding_{false};
    std::atomic<std::size_t> accepted_{0};
    std::atomic<std::size_t> closed_at_once_{0};
    std::atomic<std::size_t> open_{0};
    std::thread thread_;
};

}  // namespace lihandover::delivery::test
