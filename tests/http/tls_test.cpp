#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"
#include "tls/certificates.hpp"

namespace lihandover::http::test {
namespace {

using namespace std::chrono_literals;
using lihandover::test::client_context;
using lihandover::test::server_context;
using testing::HasSubstr;

ServerOptions secured(const std::string& name = "server") {
    ServerOptions options;
    options.tls = server_context(name);
    return options;
}

Url secure_url(std::uint16_t port, const std::string& host = "127.0.0.1") {
    return local_url(port, "https", host);
}

TEST(Tls, BothKnowEachOther) {
    const auto ours = client_context();
    TestServer server{secured()};
    TestClient client{secure_url(server.port(), "localhost"), ours};
    const auto connected = client.connect();
    ASSERT_TRUE(connected.has_value()) << connected.error().message;
    const auto answer = client.get("/who");
    ASSERT_TRUE(answer.has_value());
    EXPECT_THAT(answer->body, HasSubstr("subject=CN=Test Client sha256=" + ours->certificate().sha256));
    ASSERT_TRUE(client.connection().peer());
    EXPECT_EQ(client.connection().peer()->subject, "CN=Test Server");
}

TEST(Tls, CarriesLargeBodiesBothWays) {
    TestServer server{secured()};
    TestClient client{secure_url(server.port()), client_context()};
    ASSERT_TRUE(client.connect().has_value());
    for (const std::uint64_t size : {0UL, 1UL, 16000UL, 16384UL, 16385UL, 1000000UL}) {
        const std::string body = PatternSource::pattern(size);
        const auto answer = client.post("/echo", body);
        ASSERT_TRUE(answer.has_value()) << answer.error().message;
        EXPECT_EQ(answer->body, body);
    }
    const std::string whole = PatternSource::pattern(900000);
    const std::vector<std::string_view> parts{
        std::string_view{whole}.substr(0, 10), std::string_view{whole}.substr(10, 20000),
        std::string_view{whole}.substr(20010, 100), std::string_view{whole}.substr(20110)};
    Request request;
    request.target = "/echo";
    request.body = parts;
    EXPECT_EQ(client.exchange(request)->body, whole);
    EXPECT_EQ(client.get("/stream?900000")->body, whole);
    EXPECT_EQ(client.get("/stream?900000unknown")->body, whole);
    PatternSource source{5000000, true, 65536};
    EXPECT_EQ(client.expect("/count", source)->answer.body, "5000000 of 5000000");
    EXPECT_EQ(server.stats().accepted_total, 1U);
}

TEST(Tls, PipesManyConnectionsAtOnce) {
    TestServer server{secured()};
    std::vector<std::thread> threads;
    for (int index = 0; index < 4; ++index) {
        threads.emplace_back([&server, index] {
            TestClient client{secure_url(server.port()), client_context()};
            ASSERT_TRUE(client.connect().has_value());
            for (int round = 0; round < 50; ++round) {
                const std::string body = std::to_string(index * 1000 + round);
                EXPECT_EQ(client.post("/echo", body)->body, body);
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
}

TEST(Tls, SessionsResumeWithTheIdentity) {
    const auto ours = client_context();
    TestServer server{secured()};
    for (int round = 0; round < 3; ++round) {
        TestClient client{secure_url(server.port()), ours};
        ASSERT_TRUE(client.connect().has_value());
        EXPECT_THAT(client.get("/who")->body, HasSubstr(ours->certificate().sha256));
    }
}

struct Mismatch {
    const char* what;
    std::string server;
    std::string client;
    std::string host;
    bool server_to_blame;
};

class TlsMismatch : public testing::TestWithParam<Mismatch> {};

TEST_P(TlsMismatch, IsACertificateFailure) {
    const auto& parameter = GetParam();
    auto options = secured(parameter.server);
    options.listen = parameter.host + ":0";
    TestServer server{options};
    TestClient client{secure_url(server.port(), parameter.host), client_context(parameter.client)};
    Failure failure;
    const auto connected = client.connect();
    if (connected) {
        // With TLS 1.3 the server's verdict on us comes with its first bytes.
        EXPECT_FALSE(parameter.server_to_blame);
        const auto answer = client.post("/echo", "hello");
        ASSERT_FALSE(answer.has_value());
        failure = answer.error();
    } else {
        failure = connected.error();
    }
    EXPECT_EQ(failure.kind, FailureKind::certificate) << failure.message;
    EXPECT_EQ(failure.phase, Phase::handshake);
    EXPECT_FALSE(client.connection().is_open());
    EXPECT_TRUE(server.wait_for([&] { return server.server().stats().handshake_failed_total == 1; }));
    EXPECT_TRUE(server.handler().seen.empty());
}

INSTANTIATE_TEST_SUITE_P(Matrix, TlsMismatch,
                         testing::Values(Mismatch{"WrongName", "wrong-name", "client", "127.0.0.1", true},
                                         Mismatch{"WrongAddress", "server", "client", "127.0.0.2", true},
                                         Mismatch{"OtherCa", "other-server", "client", "127.0.0.1", true},
                                         Mismatch{"Expired", "expired", "client", "127.0.0.1", true},
                                         Mismatch{"NotYetValid", "future", "client", "127.0.0.1", true},
                                         Mismatch{"ClientOfOtherCa", "server", "other-client", "127.0.0.1", false},
                                         Mismatch{"ExpiredClient", "server", "expired-client", "127.0.0.1", false}),
                         [](const testing::TestParamInfo<Mismatch>& parameter) { return parameter.param.what; });

TEST(Tls, PlainServerIsAHandshakeFailure) {
    TestServer server;
    TestClient client{secure_url(server.port()), client_context()};
    const auto connected = client.connect();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().phase, Phase::handshake);
    EXPECT_EQ(connected.error().kind, FailureKind::handshake);
}

TEST(Tls, PlainClientIsRefused) {
    TestServer server{secured()};
    Raw client = server.connect();
    client.send("GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n");
    client.shut_write();
    EXPECT_THAT(client.read_all(), testing::Not(HasSubstr("HTTP/1.1 200")));
    EXPECT_TRUE(server.wait_for([&] { return server.server().stats().handshake_failed_total == 1; }));
}

TEST(Tls, SilentClientIsCut) {
    auto options = secured();
    options.timeouts.handshake = 50ms;
    TestServer server{options};
    Raw client = server.connect();
    EXPECT_TRUE(client.closes());
    EXPECT_EQ(server.stats().handshake_failed_total, 1U);
}

TEST(Tls, SilentServerTimesOut) {
    RawListener listener;
    ConnectorOptions options;
    options.handshake_timeout = 50ms;
    TestClient client{secure_url(listener.port()), client_context(), options};
    const auto connected = client.connect();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().phase, Phase::handshake);
    EXPECT_EQ(connected.error().kind, FailureKind::timeout);
}

TEST(Tls, ServerThatClosesInTheHandshakeIsAFailure) {
    RawListener listener;
    std::thread thread{[&] { listener.accept(); }};
    TestClient client{secure_url(listener.port()), client_context()};
    const auto connected = client.connect();
    thread.join();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().phase, Phase::handshake);
    EXPECT_EQ(connected.error().kind, FailureKind::closed);
}

TEST(Tls, StalledHandshakesDoNotKeepOutTheNext) {
    auto options = secured();
    options.limits.max_connections = 50;
    TestServer server{options};
    std::vector<Raw> stalled;
    for (int index = 0; index < 50; ++index) {
        stalled.push_back(server.connect());
    }
    ASSERT_TRUE(server.wait_for([&] { return server.server().stats().accepted_total == 50; }));
    TestClient client{secure_url(server.port()), client_context()};
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_EQ(client.get("/ignore")->body, "ignored");
    EXPECT_EQ(server.stats().evicted_total, 1U);
}

TEST(Tls, ReloadConcernsNewConnectionsOnly) {
    TestServer server{secured()};
    TestClient before{secure_url(server.port()), client_context()};
    ASSERT_TRUE(before.connect().has_value());
    server.run([&] { server.server().set_tls(server_context("chained")); });
    EXPECT_EQ(before.get("/ignore")->body, "ignored");
    TestClient after{secure_url(server.port()), client_context()};
    ASSERT_TRUE(after.connect().has_value());
    EXPECT_EQ(after.connection().peer()->subject, "CN=Chained Server");
    EXPECT_EQ(before.connection().peer()->subject, "CN=Test Server");
    EXPECT_EQ(before.get("/ignore")->body, "ignored");
}

TEST(Tls, AReloadCutsWhoWouldNotBeLetInAnyMore) {
    TestServer server{secured()};
    TestClient client{secure_url(server.port()), client_context()};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_TRUE(client.get("/ignore").has_value());
    const auto& pki = lihandover::test::certificates();
    auto files = pki.files("server");
    files.crl = pki.make_list("ca", {"client"}, "client-out.crl");
    const auto revoking = *tls::ServerContext::load(files);
    server.run([&] { server.server().set_tls(revoking); });
    EXPECT_FALSE(client.get("/ignore").has_value());
    const auto connected = client.connect();
    const bool refused = !connected || !client.get("/ignore").has_value();
    EXPECT_TRUE(refused);
    EXPECT_EQ(server.handler().seen.size(), 1U);
}

TEST(Tls, SetTlsIsForTlsListenersOnly) {
    TestServer server;
    server.run([&] { EXPECT_THROW(server.server().set_tls(server_context()), std::logic_error); });
}

TEST(Tls, AnswerUpToTheEndNeedsACleanEnd) {
    // The server's abort() closes with a close_notify, so the end is a clean one...
    TestServer server{secured()};
    TestClient client{secure_url(server.port()), client_context()};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.get("/abort");
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::closed);
}

TEST(Tls, DormantConnectionsWakeUp) {
    auto options = secured();
    options.timeouts.keep_buffers = 1ms;
    TestServer server{options};
    TestClient client{secure_url(server.port()), client_context()};
    ASSERT_TRUE(client.connect().has_value());
    const std::string body = PatternSource::pattern(100'000);
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(server.wait_for([&] { return server.server().stats().dormant == 1; }));
        const auto answer = client.post("/echo", body);
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(answer->body, body);
    }
    EXPECT_EQ(server.stats().connections, 1U);
    ASSERT_TRUE(server.wait_for([&] { return server.server().stats().dormant == 1; }));
    EXPECT_EQ(server.stop(guard).wait_for(guard), std::future_status::ready);
    EXPECT_EQ(server.stats().dormant, 0U);
}

TEST(Tls, StopLetsTheRunningRequestFinish) {
    TestServer server{secured()};
    TestClient idle{secure_url(server.port()), client_context()};
    ASSERT_TRUE(idle.connect().has_value());
    ASSERT_TRUE(idle.get("/ignore").has_value());
    std::thread thread{[&] {
        TestClient running{secure_url(server.port()), client_context()};
        ASSERT_TRUE(running.connect().has_value());
        const auto answer = running.get("/gate");
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(answer->body, "opened");
        EXPECT_FALSE(answer->keeps_alive());
    }};
    ASSERT_TRUE(server.wait_seen("GET /gate"));
    auto stopped = server.stop(guard);
    server.run([&] { server.handler().open_gate(); });
    EXPECT_EQ(stopped.wait_for(guard), std::future_status::ready);
    thread.join();
    const auto late = idle.get("/ignore");
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().kind, FailureKind::closed);
    EXPECT_TRUE(late.error().reused);
}

}  // namespace
}  // namespace lihandover::http::test
