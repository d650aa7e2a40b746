#include "relay.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace lihandover::delivery::test {

namespace asio = boost::asio;

Relay::Relay(std::uint16_t to) : to_(asio::ip::address_v4::loopback(), to) {
    asio::co_spawn(io_, accept(), asio::detached);
    thread_ = std::thread([this] { io_.run(); });
}

Relay::~Relay() {
    io_.stop();
    thread_.join();
}

void Relay::let_go() {
    holding_ = false;
    asio::post(io_, [this] { released_.cancel(); });
}

void Relay::close_all() {
    asio::post(io_, [this] {
        for (const auto& pair : pairs_) {
            boost::system::error_code ignored;
            pair->client.close(ignored);
            pair->server.close(ignored);
        }
    });
}

asio::awaitable<void> Relay::accept() {
    for (;;) {
        boost::system::error_code error;
        Socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            co_return;
        }
        ++accepted_;
        if (open_ >= most_) {
            ++closed_at_once_;
            socket.close(error);
            continue;
        }
        ++open_;
        asio::co_spawn(io_, serve(std::make_shared<Pair>(std::move(socket), io_)), asio::detached);
    }
}

asio::awaitable<void> Relay::serve(std::shared_ptr<Pair> pair) {
    using boost::asio::experimental::awaitable_operators::operator||;
    pairs_.insert(pair);
    boost::system::error_code error;
    if (holding_) {
        co_await released_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
    co_await pair->server.async_connect(to_, asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
        co_await (pass(pair, pair->client, pair->server) || pass(pair, pair->server, pair->client));
    }
    pair->client.close(error);
    pair->server.close(error);
    pairs_.erase(pair);
    --open_;
}

asio::awaitable<void> Relay::pass(std::shared_ptr<Pair> /*kept*/, Socket& from, Socket& to) {
    std::array<char, 16384> bytes{};
    for (;;) {
        boost::system::error_code error;
        const auto count =
            co_await from.async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            co_return;
        }
        co_await asio::async_write(to, asio::buffer(bytes, count), asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            co_return;
        }
    }
}

}  // namespace lihandover::delivery::test
