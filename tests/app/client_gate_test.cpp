#include "client_gate.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

namespace lihandover::app {
namespace {

namespace asio = boost::asio;

// A request that has only a peer; reading its body would be a mistake of the gate.
class RequestFrom final : public http::Exchange {
  public:
    explicit RequestFrom(std::optional<tls::PeerIdentity> identity) { peer_.certificate = std::move(identity); }

    std::optional<unsigned> answered;

    [[nodiscard]] std::string_view method() const override { return "POST"; }
    [[nodiscard]] std::string_view target() const override { return "/v1/events"; }
    [[nodiscard]] std::optional<std::string_view> header(std::string_view /*name*/) const override {
        return std::nullopt;
    }
    [[nodiscard]] std::optional<std::uint64_t> content_length() const override { return 0; }
    [[nodiscard]] const http::Peer& peer() const override { return peer_; }
    [[nodiscard]] asio::awaitable<http::BodyResult<void>> read_body(std::string& /*body*/,
                                                                    std::size_t /*max*/) override {
        ADD_FAILURE() << "the gate read a body";
        co_return http::BodyFailure::broken;
    }
    [[nodiscard]] asio::awaitable<http::BodyResult<std::size_t>> read_some(std::span<char> /*buffer*/) override {
        ADD_FAILURE() << "the gate read a body";
        co_return http::BodyFailure::broken;
    }
    [[nodiscard]] bool expects_continue() const override { return false; }
    void withhold_continue() override {}
    [[nodiscard]] asio::awaitable<bool> respond(http::Response response) override {
        answered = response.status;
        co_return true;
    }
    [[nodiscard]] asio::awaitable<bool> respond(http::Response response, http::BodySource& /*source*/) override {
        answered = response.status;
        co_return true;
    }
    void abort() override {}

  private:
    http::Peer peer_;
};

class Inner final : public http::Handler {
  public:
    int handled = 0;
    [[nodiscard]] asio::awaitable<void> handle(http::Exchange& /*exchange*/) override {
        ++handled;
        co_return;
    }
};

tls::PeerIdentity identity(char digit) {
    return {.subject = "CN=a",
            .certificate_sha256 = std::string(64, digit),
            .spki_sha256 = std::string(64, static_cast<char>(digit + 1)),
            .not_after = {}};
}

std::optional<unsigned> ask(ClientGate& gate, std::optional<tls::PeerIdentity> from) {
    asio::io_context io;
    RequestFrom request(std::move(from));
    asio::co_spawn(io, gate.handle(request), asio::detached);
    io.run();
    return request.answered;
}

TEST(ClientGate, LetsEverybodyThroughWithoutAList) {
    Inner inner;
    ClientGate gate(inner);
    EXPECT_FALSE(ask(gate, identity('a')));
    EXPECT_FALSE(ask(gate, std::nullopt));
    EXPECT_EQ(inner.handled, 2);
}

TEST(ClientGate, KnowsClientsByCertificateAndByKey) {
    Inner inner;
    ClientGate gate(inner);
    gate.allow({std::string(64, 'a'), "spki:" + std::string(64, 'd')});
    EXPECT_FALSE(ask(gate, identity('a')));
    EXPECT_FALSE(ask(gate, identity('c')));
    EXPECT_EQ(inner.handled, 2);
}

TEST(ClientGate, TurnsEverybodyElseAwayUnread) {
    Inner inner;
    ClientGate gate(inner);
    gate.allow({std::string(64, 'a'), "spki:" + std::string(64, 'a')});
    EXPECT_EQ(ask(gate, identity('b')), 403U);
    EXPECT_EQ(ask(gate, std::nullopt), 403U);
    EXPECT_EQ(inner.handled, 0);
    gate.allow({std::string(64, 'b')});
    EXPECT_FALSE(ask(gate, identity('b')));
    EXPECT_EQ(inner.handled, 1);
}

}  // namespace
}  // namespace lihandover::app
