#include "lihandover/http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>

#include "support.hpp"

namespace lihandover::http::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string get(std::string_view target, std::string_view more = "") {
    return "GET " + std::string{target} + " HTTP/1.1\r\nHost: x\r\n" + std::string{more} + "\r\n";
}

std::string post(std::string_view target, std::string_view body, std::string_view more = "") {
    return "POST " + std::string{target} + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + std::string{more} + "\r\n" + std::string{body};
}

TEST(Server, KeepsAConnectionAlive) {
    TestServer server;
    Raw client = server.connect();
    for (int round = 0; round < 3; ++round) {
        const std::string body = "round " + std::to_string(round);
        client.send(post("/echo", body));
        const Message answer = client.read_message();
        EXPECT_EQ(answer.first_line, "HTTP/1.1 200 OK");
        EXPECT_EQ(answer.body, body);
        EXPECT_EQ(answer.field("content-type"), "text/plain");
        EXPECT_FALSE(answer.has("Connection"));
        EXPECT_THAT(answer.field("Date"), testing::MatchesRegex("[A-Z][a-z][a-z], [0-9][0-9] .* GMT"));
    }
    EXPECT_EQ(server.stats().accepted_total, 1U);
    EXPECT_EQ(server.stats().connections, 1U);
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
    TestServer server;
    Raw client = server.connect();
    std::string all;
    for (int index = 0; index < 50; ++index) {
        all += post("/echo", std::to_string(index)) + get("/ignore");
        all += "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    }
    client.send(all);
    for (int index = 0; index < 50; ++index) {
        EXPECT_EQ(client.read_message().body, std::to_string(index));
        EXPECT_EQ(client.read_message().body, "ignored");
        EXPECT_EQ(client.read_message().body, "abcde");
    }
}

TEST(Server, TakesARequestByteByByte) {
    TestServer server;
    Raw client = server.connect();
    for (const char byte : post("/echo", "slow but steady")) {
        client.send({&byte, 1});
    }
    EXPECT_EQ(client.read_message().body, "slow but steady");
}

TEST(Server, PassesOverEmptyLinesBeforeARequest) {
    TestServer server;
    Raw client = server.connect();
    client.send("\r\n\r\n" + get("/ignore") + "\r\n" + get("/ignore"));
    EXPECT_EQ(client.read_message().body, "ignored");
    EXPECT_EQ(client.read_message().body, "ignored");
}

TEST(Server, LargeBodiesArriveWhole) {
    TestServer server;
    Raw client = server.connect();
    const std::string body = PatternSource::pattern(1000UL * 1000);
    client.send(post("/echo", body));
    EXPECT_EQ(client.read_message().body, body);
    std::string chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < body.size(); at += 1234) {
        const std::string piece = body.substr(at, 1234);
        char size[32];
        std::snprintf(size, sizeof size, "%zx;ext=\"a b\"\r\n", piece.size());
        chunked += size + piece + "\r\n";
    }
    chunked += "0\r\nTrailer: ignored\r\n\r\n";
    client.send(chunked);
    EXPECT_EQ(client.read_message().body, body);
    server.run([&] { EXPECT_THAT(server.handler().events, testing::Each("sent")); });
}

TEST(Server, StreamsABodyIn) {
    TestServer server;
    Raw client = server.connect();
    client.send(post("/count", std::string(54321, 'x')));
    EXPECT_EQ(client.read_message().body, "54321 of 54321");
    client.send("POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n");
    EXPECT_EQ(client.read_message().body, "5 of chunked");
    client.send(get("/count"));
    EXPECT_EQ(client.read_message().body, "0 of 0");
}

TEST(Server, StreamsABodyOut) {
    TestServer server;
    Raw client = server.connect();
    for (const std::uint64_t size : {0UL, 1UL, 300000UL}) {
        client.send(get("/stream?" + std::to_string(size)));
        const Message sized = client.read_message();
        EXPECT_EQ(sized.field("Content-Length"), std::to_string(size));
        EXPECT_EQ(sized.body, PatternSource::pattern(size));
        client.send(get("/stream?" + std::to_string(size) + "unknown"));
        const Message chunked = client.read_message();
        EXPECT_EQ(chunked.field("Transfer-Encoding"), "chunked");
        EXPECT_EQ(chunked.body, PatternSource::pattern(size));
    }
}

TEST(Server, ASourceThatFailsCutsTheAnswer) {
    for (const char* target : {"/stream?100000short", "/stream?100000fail"}) {
        TestServer server;
        Raw client = server.connect();
        client.send(get(target));
        const std::string all = client.read_all();
        const auto body = all.substr(all.find("\r\n\r\n") + 4);
        const bool fails = std::string_view{target}.ends_with("fail");
        EXPECT_THAT(all, HasSubstr(fails ? "Content-Length: 100000" : "Content-Length: 100010"));
        EXPECT_LE(body.size(), 100000U);
        EXPECT_TRUE(server.wait_event("not sent"));
    }
}

TEST(Server, AFailedChunkedSourceLeavesNoEnd) {
    TestServer server;
    Raw client = server.connect();
    client.send(get("/stream?100000unknownfail"));
    EXPECT_THAT(client.read_all(), Not(testing::EndsWith("0\r\n\r\n")));
}

TEST(Server, HeadAnswersHaveNoBody) {
    TestServer server;
    Raw client = server.connect();
    client.send("HEAD /ignore HTTP/1.1\r\nHost: x\r\n\r\n");
    const Message answer = client.read_message(true);
    EXPECT_EQ(answer.field("Content-Length"), "7");
    client.send("HEAD /stream?50 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.read_message(true).field("Content-Length"), "50");
    client.send(get("/ignore"));
    EXPECT_EQ(client.read_message().body, "ignored");
}

TEST(Server, NoContentHasNoLength) {
    TestServer server;
    Raw client = server.connect();
    client.send(get("/204") + get("/ignore"));
    const Message answer = client.read_message();
    EXPECT_EQ(answer.first_line, "HTTP/1.1 204 No Content");
    EXPECT_FALSE(answer.has("Content-Length"));
    EXPECT_EQ(client.read_message().body, "ignored");
}

TEST(Server, HandlersSetFieldsAndClose) {
    TestServer server;
    Raw client = server.connect();
    client.send(get("/fields") + get("/fields?close"));
    Message answer = client.read_message();
    EXPECT_EQ(answer.first_line, "HTTP/1.1 503 Service Unavailable");
    EXPECT_EQ(answer.field("Retry-After"), "7");
    EXPECT_EQ(answer.field("X-Other"), "a b");
    EXPECT_FALSE(answer.has("Connection"));
    answer = client.read_message();
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_TRUE(client.closes());
}

TEST(Server, ClientsMayAskToClose) {
    TestServer server;
    Raw client = server.connect();
    client.send(get("/ignore", "Connection: close\r\n") + get("/ignore"));
    EXPECT_EQ(client.read_message().field("Connection"), "close");
    EXPECT_TRUE(client.closes());
}

TEST(Server, Http10ClosesUnlessKeptAlive) {
    TestServer server;
    Raw client = server.connect();
    client.send("GET /ignore HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(client.read_message().field("Connection"), "keep-alive");
    client.send("GET /stream?5unknown HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const Message to_end = client.read_message();
    EXPECT_FALSE(to_end.has("Transfer-Encoding"));
    EXPECT_EQ(to_end.body, PatternSource::pattern(5));
    Raw other = server.connect();
    other.send("GET /ignore HTTP/1.0\r\n\r\n");
    EXPECT_EQ(other.read_message().body, "ignored");
    EXPECT_TRUE(other.closes());
}

TEST(Server, ABrokenHandlerIsAnEmpty500) {
    for (const char* target : {"/throw", "/badfield"}) {
        TestServer server;
        Raw client = server.connect();
        client.send(get(target));
        const std::string all = client.read_all();
        EXPECT_THAT(all, HasSubstr("HTTP/1.1 500 "));
        EXPECT_THAT(all, Not(HasSubstr("secret")));
        EXPECT_THAT(all, Not(HasSubstr("Injected")));
    }
}

TEST(Server, AHandlerMayLeaveWithoutAnAnswer) {
    for (const char* target : {"/silent", "/abort"}) {
        TestServer server;
        Raw client = server.connect();
        client.send(get(target));
        EXPECT_TRUE(client.closes());
    }
}

TEST(Server, OnlyTheFirstAnswerCounts) {
    TestServer server;
    Raw client = server.connect();
    client.send(get("/twice") + get("/ignore"));
    EXPECT_EQ(client.read_message().body, "once");
    EXPECT_EQ(client.read_message().body, "ignored");
}

TEST(Server, AnUnreadBodyEndsTheConnectionAfterTheAnswer) {
    TestServer server;
    Raw client = server.connect();
    // The answer has to arrive even though we send more than it reads.
    client.send("POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + std::string(200000, 'x'));
    const Message answer = client.read_message();
    EXPECT_EQ(answer.status(), 200U);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_TRUE(client.closes());
}

TEST(Server, AnUnreadBodyThatIsHereAlreadyIsPassedOver) {
    TestServer server;
    Raw client = server.connect();
    client.send(post("/ignore", "abc") + get("/ignore"));
    EXPECT_FALSE(client.read_message().has("Connection"));
    EXPECT_EQ(client.read_message().body, "ignored");
}

TEST(Server, ListensOnIpv6) {
    ServerOptions options;
    options.listen = "[::1]:0";
    try {
        TestServer server{options};
        EXPECT_EQ(server.address(), "[::1]:" + std::to_string(server.port()));
        Raw client{server.port(), true};
        client.send(get("/who"));
        EXPECT_THAT(client.read_message().body, HasSubstr("address=[::1]:"));
    } catch (const std::runtime_error& error) {
        GTEST_SKIP() << "no IPv6 on this machine: " << error.what();
    }
}

TEST(Server, RefusesBadAddresses) {
    boost::asio::io_context context;
    TestHandler handler{context};
    for (const char* listen : {"", "8080", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80",
                               "[127.0.0.1]:80", "127.0.0.1:80x", "[::1]", "unix:"}) {
        ServerOptions options;
        options.listen = listen;
        EXPECT_FALSE(Server::listen(context.get_executor(), options, handler).has_value()) << listen;
    }
    TestServer taken;
    ServerOptions options;
    options.listen = taken.address();
    const auto second = Server::listen(context.get_executor(), options, handler);
    ASSERT_FALSE(second.has_value());
    EXPECT_THAT(second.error().message, HasSubstr("Address already in use"));
}

// --- what is no HTTP

struct Bad {
    const char* what;
    std::string bytes;
    unsigned status;
};

class BadRequest : public testing::TestWithParam<Bad> {};

TEST_P(BadRequest, IsRefusedAndTheConnectionCloses) {
    TestServer server;
    Raw client = server.connect();
    client.send(GetParam().bytes);
    const Message answer = client.read_message();
    EXPECT_EQ(answer.status(), GetParam().status);
    EXPECT_EQ(answer.field("Connection"), "close");
    client.shut_write();
    EXPECT_TRUE(client.closes());
    EXPECT_THAT(server.handler().seen, testing::IsEmpty());
    EXPECT_EQ(server.stats().malformed_total, 1U);
}

std::string fields(std::string_view lines) {
    return "POST /echo HTTP/1.1\r\nHost: x\r\n" + std::string{lines} + "\r\n";
}

std::string many_fields(int count) {
    std::string text = "GET /ignore HTTP/1.1\r\nHost: x\r\n";
    for (int index = 0; index < count; ++index) {
        text += "X-" + std::to_string(index) + ": y\r\n";
    }
    return text + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, BadRequest,
    testing::Values(Bad{"Tls", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400},
                    Bad{"Zeros", std::string(64, '\0'), 400}, Bad{"Text", "hello there, how are you\r\n\r\n", 400},
                    Bad{"NoVersion", "GET /\r\n\r\n", 400},
                    Bad{"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
                    Bad{"Http12", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", 400},
                    Bad{"Http09", "GET / HTTP/0.9\r\n\r\n", 400}, Bad{"BareLf", "GET / HTTP/1.1\nHost: x\n\n", 400},
                    Bad{"NoTarget", "GET  HTTP/1.1\r\nHost: x\r\n\r\n", 400},
                    Bad{"SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
                    Bad{"ControlInTarget", "GET /a\x01 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
                    Bad{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400}, Bad{"TwoHosts", fields("Host: y\r\n"), 400},
                    Bad{"FieldWithoutColon", fields("Nonsense\r\n"), 400},
                    Bad{"SpaceBeforeColon", fields("X : y\r\n"), 400}, Bad{"EmptyName", fields(": y\r\n"), 400},
                    Bad{"ControlInValue",
                        fields("X: a\x02"
                               "b\r\n"),
                        400},
                    Bad{"BareReturnInValue", fields("X: a\rb\r\n"), 400}, Bad{"Folded", fields("X: a\r\n b\r\n"), 400},
                    Bad{"FoldedFromNothing", fields("Content-Length:\r\n 5\r\n"), 400},
                    Bad{"FoldedIntoNothing", fields("X: a\r\n \r\n"), 400},
                    Bad{"FoldedFirst", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
                    Bad{"LengthAndCoding", fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
                    Bad{"CodingAndLength", fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
                    Bad{"TwoLengths", fields("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
                    Bad{"TwoEqualLengths", fields("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
                    Bad{"ListedLengths", fields("Content-Length: 5, 5\r\n"), 400},
                    Bad{"NegativeLength", fields("Content-Length: -5\r\n"), 400},
                    Bad{"SignedLength", fields("Content-Length: +5\r\n"), 400},
                    Bad{"HexLength", fields("Content-Length: 0x5\r\n"), 400},
                    Bad{"EmptyLength", fields("Content-Length: \r\n"), 400},
                    Bad{"HugeLength", fields("Content-Length: 18446744073709551616\r\n"), 400},
                    Bad{"GzipChunked", fields("Transfer-Encoding: gzip, chunked\r\n"), 400},
                    Bad{"Identity", fields("Transfer-Encoding: identity\r\n"), 400},
                    Bad{"XChunked", fields("Transfer-Encoding: xchunked\r\n"), 400},
                    Bad{"ChunkedTwice", fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
                    Bad{"ChunkedTwiceInOne", fields("Transfer-Encoding: chunked, chunked\r\n"), 400},
                    Bad{"ChunkedInHttp10", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
                    Bad{"LargeHead", fields("X: " + std::string(9000, 'y') + "\r\n"), 431},
                    Bad{"EndlessHead", "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(20000, 'y'), 431},
                    Bad{"ManyFields", many_fields(64), 431}, Bad{"LongTarget", get("/" + std::string(2048, 'x')), 414},
                    Bad{"EndlessTarget", "GET /" + std::string(20000, 'x'), 414},
                    Bad{"EndlessMethod", std::string(20000, 'X'), 431},
                    Bad{"UnknownExpect", fields("Expect: the-unexpected\r\nContent-Length: 3\r\n"), 417}),
    [](const testing::TestParamInfo<Bad>& parameter) { return parameter.param.what; });

TEST(Limits, AreMetExactly) {
    TestServer server;
    Raw client = server.connect();
    client.send(many_fields(63));
    EXPECT_EQ(client.read_message().status(), 200U);
    const std::string frame = get("/ignore", "X: \r\n");
    const std::string largest = get("/ignore", "X: " + std::string(8192 - frame.size(), 'y') + "\r\n");
    ASSERT_EQ(largest.size(), 8192U);
    client.send(largest);
    EXPECT_EQ(client.read_message().status(), 200U);
    client.send(get("/ignore?" + std::string(2048 - 8, 'x')));
    EXPECT_EQ(client.read_message().status(), 200U);
    client.send(get("/ignore", "X: " + std::string(8193 - frame.size(), 'y') + "\r\n"));
    EXPECT_EQ(client.read_message().status(), 431U);
}

TEST(Limits, GarbageAfterAGoodRequestIsRefused) {
    TestServer server;
    Raw client = server.connect();
    client.send(post("/echo", "good") + "garbage garbage\r\n\r\n");
    EXPECT_EQ(client.read_message().body, "good");
    EXPECT_EQ(client.read_message().status(), 400U);
    client.shut_write();
    EXPECT_TRUE(client.closes());
}

TEST(Limits, DeclaredBodyTooLargeIsRefusedUnread) {
    TestServer server;
    Raw client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n");
    const Message answer = client.read_message();
    EXPECT_EQ(answer.status(), 413U);
    EXPECT_EQ(answer.field("Connection"), "close");
    Raw second = server.connect();
    second.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n");
    EXPECT_EQ(second.read_message().status(), 413U);
    const std::string most(1048576, 'x');
    Raw third = server.connect();
    third.send(post("/echo", most));
    EXPECT_EQ(third.read_message().body, most);
}

TEST(Limits, ChunkedBodyTooLargeIsRefused) {
    TestServer server;
    Raw client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n");
    client.try_send(std::string(0x100001, 'x'));
    client.try_send("\r\n0\r\n\r\n");
    EXPECT_EQ(client.read_message().status(), 413U);
}

TEST(Limits, BrokenChunksAreABrokenBody) {
    for (const char* chunks : {"xyz\r\n", "-1\r\n", "5\r\nabcdeXX0\r\n\r\n", "5;=bad\r\nabcde\r\n0\r\n\r\n",
                               "11111111111111111\r\n", "0\r\nbad trailer\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n"}) {
        TestServer server;
        Raw client = server.connect();
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string{chunks});
        EXPECT_EQ(client.read_message().field("Connection"), "close") << chunks;
        EXPECT_TRUE(server.wait_event("broken")) << chunks;
    }
}

TEST(Limits, AnEndlessChunkLineIsABrokenBody) {
    TestServer server;
    Raw client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;" + std::string(100000, 'x'));
    EXPECT_EQ(client.read_message().field("Connection"), "close");
    EXPECT_TRUE(server.wait_event("broken"));
}

TEST(Limits, ABodyCutShortIsBroken) {
    TestServer server;
    Raw client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    client.reset();
    EXPECT_TRUE(server.wait_event("broken"));
}

// --- slow and stalled peers

TEST(Slow, HeadIsAnswered408) {
    ServerOptions options;
    options.timeouts.header = 50ms;
    TestServer server{options};
    Raw client = server.connect();
    client.send("GET /ignore HTT");
    EXPECT_EQ(client.read_message().status(), 408U);
    client.shut_write();
    EXPECT_TRUE(client.closes());
    EXPECT_EQ(server.stats().timed_out_total, 1U);
}

TEST(Slow, HeadMayNotDripOnForever) {
    ServerOptions options;
    options.timeouts.header = 100ms;
    TestServer server{options};
    Raw client = server.connect();
    client.send("GET /ignore HTTP/1.1\r\nHost: x\r\nX: ");
    // Every byte is progress, but the deadline counts from the first.
    while (!client.readable(5ms)) {
        client.try_send("y");
    }
    EXPECT_EQ(client.read_message().status(), 408U);
}

TEST(Slow, IdleConnectionIsClosedSilently) {
    ServerOptions options;
    options.timeouts.idle = 50ms;
    TestServer server{options};
    Raw fresh = server.connect();
    EXPECT_TRUE(fresh.closes());
    Raw used = server.connect();
    used.send(get("/ignore"));
    EXPECT_EQ(used.read_message().status(), 200U);
    EXPECT_TRUE(used.closes());
}

TEST(Slow, StalledBodyTimesOut) {
    ServerOptions options;
    options.timeouts.body_stall = 50ms;
    TestServer server{options};
    for (const char* framing : {"Content-Length: 100\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc"}) {
        Raw client = server.connect();
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\n" + std::string{framing});
        const Message answer = client.read_message();
        EXPECT_EQ(answer.status(), 408U);
        EXPECT_EQ(answer.field("Connection"), "close");
    }
    EXPECT_TRUE(server.wait_event("timeout"));
}

TEST(Slow, DrippingBodyFallsBelowTheLeastRate) {
    ServerOptions options;
    options.timeouts.body_stall = 200ms;
    options.timeouts.min_body_rate = 1000000;
    TestServer server{options};
    Raw client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    while (!client.readable(5ms)) {
        client.try_send("x");
    }
    EXPECT_EQ(client.read_message().status(), 408U);
}

TEST(Slow, ReaderIsGivenUp) {
    ServerOptions options;
    options.timeouts.write_stall = 50ms;
    TestServer server{options};
    Raw client = server.connect();
    client.send(get("/large"));
    EXPECT_TRUE(server.wait_event("not sent"));
    EXPECT_TRUE(server.wait_for([&] { return server.server().stats().connections == 0; }));
}

TEST(Slow, TimeTheHandlerTakesDoesNotCount) {
    ServerOptions options;
    options.timeouts.header = 50ms;
    options.timeouts.idle = 50ms;
    options.timeouts.body_stall = 50ms;
    TestServer server{options};
    Raw slow = server.connect();
    slow.send(get("/gate"));
    ASSERT_TRUE(server.wait_seen("GET /gate"));
    // Another connection, opened later, reaches its deadline: so the first one's would have passed too.
    Raw idle = server.connect();
    EXPECT_TRUE(idle.closes());
    server.run([&] { server.handler().open_gate(); });
    EXPECT_EQ(slow.read_message().body, "opened");
}

TEST(Stalled, ThreeHundredDoNotKeepOutTheNext) {
    ServerOptions options;
    options.limits.max_connections = 300;
    TestServer server{options};
    const std::vector<std::string> stages{
        "", "GET /ignore HT", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"};
    std::vector<Raw> stalled;
    for (std::size_t index = 0; index < 300; ++index) {
        stalled.push_back(server.connect());
        if (const auto& stage = stages[index % stages.size()]; !stage.empty()) {
            stalled.back().send(stage);
        }
        // One after the other, so that it is known who has stalled longest.
        ASSERT_TRUE(server.wait_for([&] { return server.server().stats().accepted_total == index + 1; }));
    }
    EXPECT_EQ(server.stats().connections, 300U);
    std::vector<Raw> next;
    for (int index = 0; index < 5; ++index) {
        next.push_back(server.connect());
        next.back().send(get("/ignore"));
        EXPECT_EQ(next.back().read_message().body, "ignored");
    }
    EXPECT_EQ(server.stats().evicted_total, 5U);
    EXPECT_TRUE(stalled.front().closes());
    // The youngest are still there.
    stalled[296].send(get("/ignore"));
    EXPECT_EQ(stalled[296].read_message().body, "ignored");
}

TEST(Stalled, ConnectionsAtWorkAreNotClosedForNewOnes) {
    ServerOptions options;
    options.limits.max_connections = 3;
    TestServer server{options};
    std::vector<Raw> working;
    for (int index = 0; index < 3; ++index) {
        working.push_back(server.connect());
        working.back().send(get("/gate"));
    }
    ASSERT_TRUE(server.wait_for([&] { return server.handler().seen.size() == 3; }));
    Raw waiting = server.connect();
    waiting.send(get("/ignore"));
    server.run([&] { server.handler().open_gate(); });
    for (auto& client : working) {
        EXPECT_EQ(client.read_message().body, "opened");
    }
    EXPECT_EQ(waiting.read_message().body, "ignored");
}

// --- the end

TEST(Stop, LetsTheRunningRequestFinish) {
    TestServer server;
    Raw idle = server.connect();
    idle.send(get("/ignore"));
    EXPECT_EQ(idle.read_message().status(), 200U);
    Raw halfway = server.connect();
    halfway.send("GET /ignore HTT");
    Raw running = server.connect();
    running.send(get("/gate"));
    ASSERT_TRUE(server.wait_seen("GET /gate"));
    auto stopped = server.stop(guard);
    EXPECT_TRUE(idle.closes());
    EXPECT_TRUE(halfway.closes());
    EXPECT_THROW(server.connect(), std::runtime_error);
    EXPECT_EQ(stopped.wait_for(0s), std::future_status::timeout);
    server.run([&] { server.handler().open_gate(); });
    const Message answer = running.read_message();
    EXPECT_EQ(answer.body, "opened");
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_EQ(stopped.wait_for(guard), std::future_status::ready);
    EXPECT_EQ(server.stats().connections, 0U);
}

TEST(Stop, CutsWhatDoesNotFinish) {
    TestServer server;
    Raw running = server.connect();
    running.send(get("/never"));
    Raw uploading = server.connect();
    uploading.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    ASSERT_TRUE(server.wait_for([&] { return server.handler().seen.size() == 2; }));
    auto first = server.stop(20ms);
    auto second = server.stop(10s);
    EXPECT_EQ(first.wait_for(guard), std::future_status::ready);
    EXPECT_EQ(second.wait_for(guard), std::future_status::ready);
    EXPECT_TRUE(running.closes());
    EXPECT_TRUE(uploading.closes());
    EXPECT_TRUE(server.wait_event("cancelled"));
}

TEST(Stop, DestructionClosesEverything) {
    boost::asio::io_context context{1};
    TestHandler handler{context};
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    auto server = Server::listen(context.get_executor(), options, handler);
    ASSERT_TRUE(server.has_value());
    (*server)->start();
    Raw client{(*server)->port()};
    client.send(get("/never"));
    while (handler.seen.empty()) {
        context.run_one();
    }
    server->reset();
    EXPECT_TRUE(client.closes());
    context.run();  // ends, since nothing is left to do
}

TEST(Stop, AServerThatNeverStartedIsFine) {
    boost::asio::io_context context{1};
    TestHandler handler{context};
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    EXPECT_TRUE(Server::listen(context.get_executor(), options, handler).has_value());
}

// --- Expect: 100-continue, the server's side

std::string expecting(std::string_view target, std::size_t size) {
    return "POST " + std::string{target} +
           " HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
}

TEST(ServerExpect, ContinueComesBeforeTheFirstRead) {
    TestServer server;
    Raw client = server.connect();
    for (int round = 0; round < 2; ++round) {
        client.send(expecting("/echo", 5));
        EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("hello");
        EXPECT_EQ(client.read_message().body, "hello");
    }
}

TEST(ServerExpect, NoContinueWhenTheBodyIsHere) {
    TestServer server;
    Raw client = server.connect();
    client.send(expecting("/echo", 5) + "hello");
    EXPECT_EQ(client.read_message().first_line, "HTTP/1.1 200 OK");
}

TEST(ServerExpect, FinalAnswerWithoutReadingCloses) {
    TestServer server;
    Raw client = server.connect();
    client.send(expecting("/ignore", 5));
    const Message answer = client.read_message();
    EXPECT_EQ(answer.first_line, "HTTP/1.1 200 OK");
    EXPECT_EQ(answer.field("Connection"), "close");
    client.shut_write();
    EXPECT_TRUE(client.closes());
}

TEST(ServerExpect, TooLargeIsRefusedWithoutContinue) {
    TestServer server;
    Raw client = server.connect();
    client.send(expecting("/echo", 2000000));
    EXPECT_EQ(client.read_message().first_line, "HTTP/1.1 413 Payload Too Large");
}

TEST(ServerExpect, MayBeWithheld) {
    ServerOptions options;
    options.timeouts.body_stall = 100ms;
    TestServer server{options};
    Raw client = server.connect();
    client.send(expecting("/withhold", 5));
    ASSERT_TRUE(server.wait_event("expected"));
    client.send("hello");  // a client that does not wait for ever
    EXPECT_EQ(client.read_message().body, "hello");
    client.send(expecting("/withhold", 5));
    EXPECT_EQ(client.read_message().status(), 408U);
}

TEST(ServerExpect, MeansNothingWithoutABodyOrInHttp10) {
    TestServer server;
    Raw client = server.connect();
    client.send(expecting("/withhold", 0));
    EXPECT_EQ(client.read_message().status(), 200U);
    EXPECT_TRUE(server.wait_event("not expected"));
    Raw old = server.connect();
    old.send("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_FALSE(old.readable(0ms));
    old.send("ab");
    EXPECT_EQ(old.read_message().first_line, "HTTP/1.1 200 OK");
}

TEST(Server, DormantConnectionsWakeUp) {
    ServerOptions options;
    options.timeouts.keep_buffers = 1ms;
    TestServer server{options};
    Raw client = server.connect();
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(server.wait_for([&] { return server.server().stats().dormant == 1; }));
        client.send("GET /ignore HTTP/1.1\r\n");
        ASSERT_TRUE(server.wait_for([&] { return server.server().stats().dormant == 0; }));
        client.send("Host: x\r\n\r\nGET /who HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_EQ(client.read_message().body, "ignored");
        EXPECT_EQ(client.read_message().status(), 200U);
    }
    client.close();
    EXPECT_TRUE(server.wait_for([&] { return server.server().stats().connections == 0; }));
}

TEST(Server, DormantConnectionsEndWhenTheirTimeIsUp) {
    ServerOptions options;
    options.timeouts.keep_buffers = 1ms;
    options.timeouts.idle = 100ms;
    TestServer server{options};
    Raw client = server.connect();
    client.send("GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.read_message().body, "ignored");
    EXPECT_TRUE(client.closes());
    EXPECT_EQ(server.stats().timed_out_total, 1U);
    EXPECT_EQ(server.stats().dormant, 0U);
}

TEST(Server, DormantConnectionsMakeRoom) {
    ServerOptions options;
    options.timeouts.keep_buffers = 1ms;
    options.limits.max_connections = 1;
    TestServer server{options};
    Raw dormant = server.connect();
    ASSERT_TRUE(server.wait_for([&] { return server.server().stats().dormant == 1; }));
    Raw client = server.connect();
    client.send("GET /ignore HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.read_message().body, "ignored");
    EXPECT_TRUE(dormant.closes());
}

}  // namespace
}  // namespace lihandover::http::test
