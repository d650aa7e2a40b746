#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <limits>
#include <mutex>

#include "addresses.hpp"
#include "resolver.hpp"
#include "support.hpp"
#include "tls/certificates.hpp"

namespace lihandover::http::test {
namespace {

using namespace std::chrono_literals;
using lihandover::test::client_context;
using lihandover::test::server_context;
using testing::ElementsAre;
using testing::HasSubstr;

Endpoint endpoint(const char* address) {
    return boost::asio::ip::tcp::endpoint{boost::asio::ip::make_address(address), 443};
}

TEST(AddressOrder, TakesFamiliesByTurns) {
    AddressOrder order;
    EXPECT_THAT(order.sorted({endpoint("::1"), endpoint("::2"), endpoint("::3"), endpoint("1.1.1.1")}, {}),
                ElementsAre(endpoint("::1"), endpoint("1.1.1.1"), endpoint("::2"), endpoint("::3")));
}

TEST(AddressOrder, TriesWhatFailedLastAndTheOldestFailureFirst) {
    AddressOrder order;
    const AddressOrder::Time start{1h};
    const std::vector<Endpoint> all{endpoint("1.1.1.1"), endpoint("2.2.2.2"), endpoint("3.3.3.3")};
    order.failed(all[1], start);
    order.failed(all[0], start + 1s);
    EXPECT_THAT(order.sorted(all, start + 2s), ElementsAre(all[2], all[1], all[0]));
    EXPECT_FALSE(order.all_failed(all));
    order.worked(all[1]);
    EXPECT_THAT(order.sorted(all, start + 2s), ElementsAre(all[1], all[2], all[0]));
    EXPECT_THAT(order.sorted(all, start + 1s + AddressOrder::memory), ElementsAre(all[0], all[1], all[2]));
    order.failed(all[0], start);
    EXPECT_TRUE(order.all_failed({all[0]}));
    EXPECT_FALSE(order.all_failed({}));
}

TEST(AddressOrder, OneThatWasOvertakenHasNotFailed) {
    AddressOrder order;
    const AddressOrder::Time start{1h};
    const std::vector<Endpoint> all{endpoint("1.1.1.1"), endpoint("2.2.2.2"), endpoint("3.3.3.3")};
    for (unsigned times = 1; times < AddressOrder::times_to_be_slow; ++times) {
        order.overtaken(all[0], start);
        EXPECT_THAT(order.sorted(all, start), ElementsAre(all[0], all[1], all[2]));
    }
    order.worked(all[0]);
    for (unsigned times = 0; times < AddressOrder::times_to_be_slow; ++times) {
        order.overtaken(all[0], start);
    }
    // Time after time it is slow: after the others, but before one that failed.
    order.failed(all[1], start);
    EXPECT_THAT(order.sorted(all, start), ElementsAre(all[2], all[0], all[1]));
    order.failed(all[2], start);
    EXPECT_FALSE(order.all_failed(all));
    EXPECT_THAT(order.sorted(all, start + AddressOrder::memory), ElementsAre(all[0], all[1], all[2]));
}

/// A name service that answers when it is told to. Lookups that are never answered are left behind with it.
class NameService {
  public:
    [[nodiscard]] NameLookup lookup() const {
        return [state = state_](const std::string& /*name*/) -> std::optional<std::vector<std::string>> {
            std::unique_lock lock{state->mutex};
            const int number = ++state->asked;
            state->changed.notify_all();
            state->changed.wait(lock, [&] { return state->answering || number > state->hanging; });
            return state->answer;
        };
    }
    void answer(std::optional<std::vector<std::string>> addresses) {
        const std::scoped_lock lock{state_->mutex};
        state_->answer = std::move(addresses);
        state_->answering = true;
        state_->changed.notify_all();
    }
    /// Those asked so far hang on; later ones are answered.
    void answer_later_ones(std::optional<std::vector<std::string>> addresses) {
        const std::scoped_lock lock{state_->mutex};
        state_->answer = std::move(addresses);
        state_->hanging = state_->asked;
    }
    void hang() {
        const std::scoped_lock lock{state_->mutex};
        state_->answering = false;
    }
    void wait_asked(int times) {
        std::unique_lock lock{state_->mutex};
        state_->changed.wait(lock, [&] { return state_->asked >= times; });
    }
    int asked() {
        const std::scoped_lock lock{state_->mutex};
        return state_->asked;
    }

  private:
    struct State {
        std::mutex mutex;
        std::condition_variable changed;
        bool answering = false;
        std::optional<std::vector<std::string>> answer;
        int asked = 0;
        int hanging = std::numeric_limits<int>::max();
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

ConnectorOptions with_lookup(NameLookup lookup) {
    ConnectorOptions options;
    options.lookup = std::move(lookup);
    return options;
}

/// Runs until there is a result. An open connection may have timers of its own, so the context need not run dry.
ClientResult<Connection> finish(boost::asio::io_context& context, std::future<ClientResult<Connection>>& result) {
    context.restart();
    const auto end = std::chrono::steady_clock::now() + guard;
    while (result.wait_for(0s) != std::future_status::ready && context.run_one_until(end) > 0) {
    }
    return result.get();
}

/// Always these addresses.
ConnectorOptions with_addresses(std::vector<std::string> addresses) {
    return with_lookup(
        [addresses = std::move(addresses)](const std::string& /*name*/) { return std::optional{addresses}; });
}

TEST(ConnectorNames, OneThatHangsHoldsUpNeitherOthersNorTheEnd) {
    NameService hanging;
    TestServer server;
    auto options = with_lookup(hanging.lookup());
    options.resolve_timeout = 50ms;
    TestClient lost{local_url(server.port(), "http", "lost.example"), nullptr, options};
    const auto connected = lost.connect();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().phase, Phase::resolve);
    EXPECT_EQ(connected.error().kind, FailureKind::timeout);
    TestClient other{local_url(server.port(), "http", "localhost"), nullptr, with_addresses({"127.0.0.1"})};
    EXPECT_TRUE(other.connect().has_value());
    // The lookup's thread is left behind when `lost` goes.
}

TEST(ConnectorNames, ANameServiceThatComesBackIsNoticedWhateverHangs) {
    NameService names;
    TestServer server;
    auto options = with_lookup(names.lookup());
    options.resolve_timeout = 1ms;
    options.lookup_again = 20ms;
    TestClient client{local_url(server.port(), "http", "lea.example"), nullptr, options};
    while (names.asked() < static_cast<int>(Resolver::max_at_once)) {
        EXPECT_FALSE(client.connect().has_value());
    }
    names.answer_later_ones(std::vector<std::string>{"127.0.0.1"});
    const auto end = std::chrono::steady_clock::now() + guard;
    while (!client.connect().has_value()) {
        ASSERT_LT(std::chrono::steady_clock::now(), end);
    }
    names.answer(std::nullopt);
}

TEST(ConnectorNames, LookupsThatHangAreBoundedInAllAndTakeNoOtherNamesPlace) {
    NameService hanging;
    auto options = with_lookup(hanging.lookup());
    options.resolve_timeout = 1ms;
    options.lookup_again = 1ms;
    TestClient lost{local_url(1, "http", "lost.example"), nullptr, options};
    const auto most = static_cast<int>(Resolver::max_in_all);
    int before = 0;
    for (int in_vain = 0; in_vain < 50; ++in_vain) {
        ASSERT_FALSE(lost.connect().has_value());
        const int asked = hanging.asked();
        in_vain = std::exchange(before, asked) == asked ? in_vain : 0;
    }
    EXPECT_GT(hanging.asked(), static_cast<int>(Resolver::max_at_once));
    EXPECT_LE(hanging.asked(), most);
    NameService names;
    names.answer(std::vector<std::string>{"127.0.0.1"});
    TestServer server;
    TestClient other{local_url(server.port(), "http", "lea.example"), nullptr, with_lookup(names.lookup())};
    EXPECT_TRUE(other.connect().has_value());
    hanging.answer(std::nullopt);
}

TEST(ConnectorNames, CancelEndsALookup) {
    NameService hanging;
    TestClient client{local_url(1, "http", "lost.example"), nullptr, with_lookup(hanging.lookup())};
    std::thread canceller{[&] {
        hanging.wait_asked(1);
        boost::asio::post(client.context(), [&] { client.connector().cancel(); });
    }};
    const auto connected = client.connect();
    canceller.join();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().kind, FailureKind::cancelled);
}

TEST(ConnectorNames, WhatWasFoundBeforeCountsWhileTheServiceCannotTell) {
    TestServer server;
    NameService names;
    names.answer(std::vector<std::string>{"127.0.0.1"});
    TestClient client{local_url(server.port(), "http", "lea.example"), nullptr, with_lookup(names.lookup())};
    ASSERT_TRUE(client.connect().has_value());
    client.connection().close();
    names.answer(std::nullopt);
    ASSERT_TRUE(client.connect().has_value());
    client.connection().close();
    names.hang();
    ASSERT_TRUE(client.connect().has_value());
    client.connection().close();
    names.answer(std::vector<std::string>{});
    // The hanging lookup is answered now: the name has no address any more.
    const auto connected = client.connect();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().kind, FailureKind::dns);
}

TEST(ConnectorNames, ConnectsAtTheSameTimeShareALookup) {
    TestServer server;
    NameService names;
    boost::asio::io_context context{1};
    Connector connector{context.get_executor(), local_url(server.port(), "http", "lea.example"), nullptr,
                        with_lookup(names.lookup())};
    std::vector<std::future<ClientResult<Connection>>> connecting;
    for (int count = 0; count < 5; ++count) {
        connecting.push_back(boost::asio::co_spawn(context, connector.connect(), boost::asio::use_future));
    }
    std::thread answering{[&] {
        names.wait_asked(1);
        names.answer(std::vector<std::string>{"127.0.0.1"});
    }};
    for (auto& one : connecting) {
        EXPECT_TRUE(finish(context, one).has_value());
    }
    answering.join();
    EXPECT_EQ(names.asked(), 1);
}

/// What stands at 127.0.0.2 is out in some way, and the server is at 127.0.0.1, on the same port.
class TwoAddresses : public testing::Test {
  protected:
    static ConnectorOptions options(std::chrono::milliseconds attempt_delay) {
        auto options = with_addresses({"127.0.0.2", "127.0.0.1"});
        options.attempt_delay = attempt_delay;
        return options;
    }
    ServerOptions secured() {
        ServerOptions options;
        options.tls = server_context();
        return options;
    }
    TestServer server_{secured()};
    // One that is not overtaken: what fails is followed at once.
    TestClient client_{local_url(server_.port(), "https", "localhost"), client_context(), options(guard)};
};

TEST_F(TwoAddresses, OneThatHangsInTheHandshakeIsOvertaken) {
    const RawListener silent{"127.0.0.2", server_.port()};
    TestClient client{local_url(server_.port(), "https", "localhost"), client_context(), options(1ms)};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.get("/ignore");
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->body, "ignored");
}

TEST_F(TwoAddresses, OneThatFailedIsTriedLast) {
    RawListener closing{"127.0.0.2", server_.port()};
    std::thread closer{[&] { closing.accept(); }};
    ASSERT_TRUE(client_.connect().has_value());
    closer.join();
    client_.connection().close();
    ASSERT_TRUE(client_.connect().has_value());
    EXPECT_FALSE(closing.pending());
}

TEST_F(TwoAddresses, OneThatClosesInTheHandshakeIsFollowedByTheOther) {
    RawListener closing{"127.0.0.2", server_.port()};
    std::thread closer{[&] { closing.accept(); }};
    ASSERT_TRUE(client_.connect().has_value());
    closer.join();
    EXPECT_EQ(client_.get("/ignore")->body, "ignored");
}

TEST_F(TwoAddresses, OneWhereNobodyIsIsFollowedByTheOther) {
    ASSERT_TRUE(client_.connect().has_value());
    EXPECT_EQ(client_.get("/ignore")->body, "ignored");
}

TEST_F(TwoAddresses, OneToAvoidIsTriedLast) {
    ServerOptions options = secured();
    options.listen = "127.0.0.2:" + std::to_string(server_.port());
    TestServer other{options};
    ASSERT_TRUE(client_.connect().has_value());
    EXPECT_EQ(client_.get("/ignore")->body, "ignored");
    EXPECT_EQ(other.stats().accepted_total, 1U);
    client_.connector().avoid(client_.connection());
    client_.connection().close();
    ASSERT_TRUE(client_.connect().has_value());
    EXPECT_EQ(client_.get("/ignore")->body, "ignored");
    EXPECT_EQ(other.stats().accepted_total, 1U);
}

TEST(Connector, WrongCertificatesAreSaidWhateverAnotherAddressDoes) {
    ServerOptions options;
    options.tls = server_context("wrong-name");
    TestServer server{options};
    auto addresses = with_addresses({"127.0.0.1", "127.0.0.2"});
    TestClient client{local_url(server.port(), "https", "localhost"), client_context(), addresses};
    const auto connected = client.connect();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().kind, FailureKind::certificate);
    EXPECT_EQ(connected.error().phase, Phase::handshake);
}

TEST(Connector, ResetInTheHandshakeIsNoFailureOfTls) {
    RawListener listener;
    std::thread resetter{[&] {
        Raw raw = listener.accept();
        raw.read(1);  // connected, and some of the ClientHello
        raw.reset();
    }};
    TestClient client{local_url(listener.port(), "https"), client_context()};
    const auto connected = client.connect();
    resetter.join();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().kind, FailureKind::closed);
    EXPECT_EQ(connected.error().phase, Phase::handshake);
}

TEST(Connector, ABusyConnectionEndsWithItsLifetime) {
    TestServer server;
    ConnectorOptions options;
    options.lifetime = 1ms;
    TestClient client{local_url(server.port()), nullptr, options};
    ASSERT_TRUE(client.connect().has_value());
    bool ended = false;
    while (!ended) {
        const auto answer = client.get("/ignore");
        ASSERT_TRUE(answer.has_value());
        ended = !answer->keeps_alive();
    }
    EXPECT_FALSE(client.connection().is_open());
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_EQ(client.connection().exchanges(), 0U);
}

TEST(Connector, FieldsGoWithEveryRequest) {
    RawListener listener;
    std::string head;
    std::thread thread{[&] {
        Raw raw = listener.accept();
        head = raw.read_until("\r\n\r\n");
        raw.send("HTTP/1.1 204 No Content\r\n\r\n");
    }};
    ConnectorOptions options;
    options.fields = {{"User-Agent", "lihandoverd"}, {"X-Agreement", "17"}};
    TestClient client{local_url(listener.port()), nullptr, options};
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_TRUE(client.get("/x").has_value());
    thread.join();
    EXPECT_EQ(head, "GET /x HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(listener.port()) +
                        "\r\nUser-Agent: lihandoverd\r\nX-Agreement: 17\r\nAccept-Encoding: identity\r\n\r\n");
    ConnectorOptions bad;
    bad.fields = {{"X", "a\r\nY: b"}};
    EXPECT_THROW(TestClient(local_url(1), nullptr, bad), std::logic_error);
}

TEST(Connector, ComesFromTheLocalAddress) {
    TestServer server;
    ConnectorOptions options;
    options.local_address = "127.0.0.5";
    TestClient client{local_url(server.port()), nullptr, options};
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_THAT(client.get("/who")->body, HasSubstr("address=127.0.0.5:"));
    // Another family's addresses cannot be reached from it.
    auto six = with_addresses({"::1"});
    six.local_address = "127.0.0.5";
    TestClient lost{local_url(server.port(), "http", "lea.example"), nullptr, six};
    EXPECT_EQ(lost.connect().error().kind, FailureKind::dns);
    ConnectorOptions bad;
    bad.local_address = "localhost";
    EXPECT_THROW(TestClient(local_url(1), nullptr, bad), std::invalid_argument);
}

TEST(Connector, TheCertificateMayHaveANameOfItsOwn) {
    ServerOptions server_options;
    server_options.tls = server_context("wrong-name");
    TestServer server{server_options};
    ConnectorOptions options;
    options.server_name = "elsewhere.example.com";
    TestClient client{local_url(server.port(), "https"), client_context(), options};
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_EQ(client.connection().peer()->subject, "CN=Elsewhere");
}

TEST(ConnectorUrls, TheSecondIsUsedWhileTheFirstIsOut) {
    TestServer server;
    std::uint16_t nobody = 0;
    {
        RawListener listener;
        nobody = listener.port();
    }
    auto first = local_url(nobody);
    first.target = "/first";
    auto second = local_url(server.port());
    second.target = "/second";
    boost::asio::io_context context{1};
    const std::array<Url, 2> urls{first, second};
    Connector connector{context.get_executor(), urls, nullptr};
    for (int round = 0; round < 2; ++round) {
        auto connecting = boost::asio::co_spawn(context, connector.connect(), boost::asio::use_future);
        auto connected = finish(context, connecting);
        ASSERT_TRUE(connected.has_value());
        EXPECT_EQ(connected->target(), "/second");
    }
    EXPECT_THROW(Connector(context.get_executor(), std::span<const Url>{}, nullptr), std::logic_error);
}

/// An HTTP proxy for one connection: notes the head of the CONNECT, and joins the client to a port of this machine.
class Proxied {
  public:
    Proxied(std::string answer, std::uint16_t port) {
        thread_ = std::thread{[this, answer = std::move(answer), port] {
            try {
                Raw client = listener_.accept();
                head_ = client.read_until("\r\n\r\n");
                client.send(answer);
                if (port != 0) {
                    Raw server{port};
                    while (pass(client, server)) {
                    }
                }
            } catch (const std::exception& error) {
                ADD_FAILURE() << error.what();
            }
        }};
    }
    Proxied(const Proxied&) = delete;
    Proxied& operator=(const Proxied&) = delete;
    ~Proxied() { join(); }
    void join() {
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    [[nodiscard]] std::uint16_t port() const { return listener_.port(); }
    /// After join().
    [[nodiscard]] const std::string& head() const { return head_; }

  private:
    /// Passes on what comes from either; false once one has closed.
    static bool pass(const Raw& client, const Raw& server) {
        std::array<pollfd, 2> entries{{{client.descriptor(), POLLIN, 0}, {server.descriptor(), POLLIN, 0}}};
        if (poll(entries.data(), entries.size(), static_cast<int>(guard / 1ms)) <= 0) {
            return false;
        }
        const bool from_client = entries[0].revents != 0;
        const int from = from_client ? client.descriptor() : server.descriptor();
        const int to = from_client ? server.descriptor() : client.descriptor();
        std::array<char, 4096> bytes{};
        const auto count = recv(from, bytes.data(), bytes.size(), 0);
        return count > 0 && send(to, bytes.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL) == count;
    }

    RawListener listener_;
    std::thread thread_;
    std::string head_;
};

ConnectorOptions through(std::uint16_t port, const std::string& credentials = {}) {
    ConnectorOptions options;
    options.proxy = *parse_proxy("http://" + credentials + "127.0.0.1:" + std::to_string(port));
    return options;
}

TEST(ConnectorProxy, LeadsToTheServerWithCredentials) {
    ServerOptions server_options;
    server_options.tls = server_context();
    TestServer server{server_options};
    Proxied proxy{"HTTP/1.0 200\r\nVia: x\r\n\r\n", server.port()};
    {
        // The proxy looks the name up: our own name service is not asked.
        auto options = through(proxy.port(), "li:p%40ss@");
        options.lookup = [](const std::string& /*name*/) { return std::optional<std::vector<std::string>>{}; };
        TestClient client{local_url(server.port(), "https", "localhost"), client_context(), options};
        const auto connected = client.connect();
        ASSERT_TRUE(connected.has_value()) << connected.error().message;
        EXPECT_EQ(client.post("/echo", "hello")->body, "hello");
        EXPECT_EQ(client.connection().peer()->subject, "CN=Test Server");
    }
    proxy.join();
    const std::string name = "localhost:" + std::to_string(server.port());
    EXPECT_EQ(proxy.head(),
              "CONNECT " + name + " HTTP/1.1\r\nHost: " + name + "\r\nProxy-Authorization: Basic bGk6cEBzcw==\r\n\r\n");
}

TEST(ConnectorProxy, RefusalsAreSaid) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "407: it wants other credentials"},
        {"HTTP/1.1 503 Service Unavailable\r\n\r\nno", "503"},
        {"SSH-2.0-x\r\n\r\n", "none of HTTP"},
        {"HTTP/1.1 200 OK\r\n\r\nx", "nobody asked for"}};
    for (const auto& [answer, what] : cases) {
        const Proxied proxy{answer, 0};
        TestClient client{local_url(1, "https", "localhost"), client_context(), through(proxy.port())};
        const auto connected = client.connect();
        ASSERT_FALSE(connected.has_value());
        EXPECT_EQ(connected.error().phase, Phase::proxy);
        EXPECT_EQ(connected.error().kind, FailureKind::proxy);
        EXPECT_THAT(connected.error().message, HasSubstr(what));
    }
}

TEST(ConnectorProxy, OneThatClosesIsClosed) {
    const Proxied proxy{"", 0};
    TestClient client{local_url(1, "https", "localhost"), client_context(), through(proxy.port())};
    const auto connected = client.connect();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().phase, Phase::proxy);
    EXPECT_EQ(connected.error().kind, FailureKind::closed);
}

TEST(ProxyUrl, IsTakenApart) {
    const auto proxy = parse_proxy("http://Proxy.Example.com:3128/");
    ASSERT_TRUE(proxy.has_value());
    EXPECT_EQ(proxy->host, "proxy.example.com");
    EXPECT_EQ(proxy->port, 3128);
    EXPECT_EQ(proxy->authorization, "");
    EXPECT_EQ(parse_proxy("http://a:b@h:1")->authorization, "Basic YTpi");
    EXPECT_EQ(parse_proxy("http://a@[::1]:1")->authorization, "Basic YTo=");
    for (const char* bad : {"https://h:1", "socks5://h:1", "h:1", "http://h:1/x", "http://h:1/#x", "http://:1",
                            "http://a%3Ab:c@h:1", ""}) {
        const auto refused = parse_proxy(bad);
        ASSERT_FALSE(refused.has_value()) << bad;
        EXPECT_THAT(refused.error().message, testing::Not(HasSubstr("a%3Ab")));
    }
}

}  // namespace
}  // namespace lihandover::http::test
