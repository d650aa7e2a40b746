#include "lihandover/http/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <stdexcept>

#include "support.hpp"

namespace lihandover::http::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(Client, SendsWhatItIsTold) {
    std::string head;
    std::string body;
    const Script script{[&](Raw& raw) {
        head = raw.read_until("\r\n\r\n");
        body = raw.read(11);
        raw.send("HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nRetry-After:  7 \r\nX-A: b\r\n\r\nok");
        raw.read_until("\r\n\r\n");
        raw.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        raw.read_all();
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_TRUE(client.connection().is_open());
    EXPECT_FALSE(client.connection().peer());
    const std::vector<std::string_view> parts{"hello", "", " ", "world"};
    const std::vector<Field> fields{{"Content-Type", "application/xml"}};
    Request request;
    request.target = "/hi?a=b";
    request.fields = fields;
    request.body = parts;
    const auto answer = client.exchange(request);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(head, "POST /hi?a=b HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(script.port()) +
                        "\r\nAccept-Encoding: identity\r\nContent-Type: application/xml\r\nContent-Length: 11\r\n\r\n");
    EXPECT_EQ(body, "hello world");
    EXPECT_EQ(answer->status, 202U);
    EXPECT_EQ(answer->body, "ok");
    EXPECT_EQ(answer->header("retry-after"), "7");
    EXPECT_EQ(answer->header("x-a"), "b");
    EXPECT_FALSE(answer->header("absent"));
    EXPECT_TRUE(answer->keeps_alive());
    EXPECT_EQ(client.connection().exchanges(), 1U);
    EXPECT_EQ(client.get("/")->status, 200U);
    EXPECT_EQ(client.connection().exchanges(), 2U);
    EXPECT_TRUE(client.connection().is_open());
    client.connection().close();
    EXPECT_FALSE(client.connection().is_open());
}

TEST(Client, ReusesAConnectionWithOurServer) {
    TestServer server;
    TestClient client{local_url(server.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_TRUE(client.connect().has_value());  // open already
    for (int round = 0; round < 20; ++round) {
        const std::string body = PatternSource::pattern(static_cast<std::uint64_t>(round) * 5000);
        const auto answer = client.post("/echo", body);
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(answer->body, body);
    }
    EXPECT_EQ(client.connection().exchanges(), 20U);
    EXPECT_EQ(server.stats().accepted_total, 1U);
}

TEST(Client, ReadsEveryKindOfBody) {
    EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")->body, "abc");
    EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\n\r\nto the end")->body, "to the end");
    EXPECT_EQ(answer_of("HTTP/1.0 200 OK\r\n\r\n")->body, "");
    EXPECT_EQ(
        answer_of("HTTP/1.1 200\x20\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nT: v\r\n\r\n")
            ->body,
        "abcd");
    EXPECT_EQ(answer_of("HTTP/1.1 204 No Content\r\n\r\n")->body, "");
    EXPECT_EQ(answer_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")->body, "");
    EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", {}, "HEAD")->body, "");
    const std::string large = PatternSource::pattern(900000);
    EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + large)->body, large);
    EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\n\r\n" + large)->body, large);
    EXPECT_EQ(
        answer_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ndbba0\r\n" + large + "\r\n0\r\n\r\n")->body,
        large);
}

TEST(Client, HonoursClose) {
    for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                               "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
                               "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore than it said"}) {
        const Script script{[&](Raw& raw) {
            raw.read_until("\r\n\r\n");
            raw.send(answer);
            raw.shut_write();
            raw.read_all();
        }};
        TestClient client{local_url(script.port()), nullptr};
        ASSERT_TRUE(client.connect().has_value());
        const auto result = client.get("/");
        ASSERT_TRUE(result.has_value()) << answer;
        EXPECT_FALSE(result->keeps_alive()) << answer;
        EXPECT_FALSE(client.connection().is_open());
        const auto second = client.get("/");
        ASSERT_FALSE(second.has_value());
        EXPECT_EQ(second.error().phase, Phase::connect);
        EXPECT_TRUE(second.error().nothing_sent);
    }
}

TEST(Client, KeepsAHttp10ConnectionThatSaysSo) {
    const auto answer = answer_of("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(answer->keeps_alive());
}

TEST(Client, NeverFollowsRedirects) {
    const auto answer =
        answer_of("HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 307U);
    EXPECT_EQ(answer->header("Location"), "/elsewhere");
}

TEST(Client, PassesOverInterimAnswers) {
    const auto answer = answer_of(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
        "2\r\nX: y\r\n\r\nok");
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 200U);
    EXPECT_EQ(answer->body, "ok");
    EXPECT_EQ(answer->header("X"), "y");
    EXPECT_FALSE(answer->header("Link"));
    EXPECT_TRUE(answer->keeps_alive());
}

struct Unacceptable {
    const char* what;
    std::string answer;
    FailureKind kind;
};

class BadAnswer : public testing::TestWithParam<Unacceptable> {};

TEST_P(BadAnswer, IsAFailure) {
    ConnectionOptions options;
    options.max_answer_header = 1000;
    options.max_answer_body = 5000;
    const auto answer = answer_of(GetParam().answer, options);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, GetParam().kind) << answer.error().message;
    EXPECT_EQ(answer.error().phase, Phase::receive);
    EXPECT_FALSE(answer.error().nothing_sent);
    EXPECT_FALSE(answer.error().reused);
}

std::string interims(int count) {
    std::string text;
    for (int index = 0; index < count; ++index) {
        text += "HTTP/1.1 102 Processing\r\n\r\n";
    }
    return text;
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, BadAnswer,
    testing::Values(
        Unacceptable{"Nothing", "", FailureKind::closed},
        Unacceptable{"NothingAfterInterim", "HTTP/1.1 100 Continue\r\n\r\n", FailureKind::closed},
        Unacceptable{"HalfAStatusLine", "HTTP/1.1 20", FailureKind::truncated},
        Unacceptable{"HalfAHead", "HTTP/1.1 200 OK\r\nContent-Le", FailureKind::truncated},
        Unacceptable{"HalfABody", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", FailureKind::truncated},
        Unacceptable{"NoBody", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", FailureKind::truncated},
        Unacceptable{"HalfAChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
                     FailureKind::truncated},
        Unacceptable{"NoLastChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                     FailureKind::truncated},
        Unacceptable{"Garbage", "220 mail.example.com ESMTP\r\n\r\n", FailureKind::malformed},
        Unacceptable{"Http2", "HTTP/2.0 200 OK\r\n\r\n", FailureKind::malformed},
        Unacceptable{"StatusOfTwoDigits", "HTTP/1.1 20 OK\r\n\r\n", FailureKind::malformed},
        Unacceptable{"Status600", "HTTP/1.1 600 Odd\r\n\r\n", FailureKind::malformed},
        Unacceptable{"Status000", "HTTP/1.1 000 Odd\r\n\r\n", FailureKind::malformed},
        Unacceptable{"Switching", "HTTP/1.1 101 Switching Protocols\r\n\r\n", FailureKind::malformed},
        Unacceptable{"EndlessInterims", interims(101), FailureKind::malformed},
        Unacceptable{"TwoLengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                     FailureKind::malformed},
        Unacceptable{"LengthAndCoding", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                     FailureKind::malformed},
        Unacceptable{"UnknownCoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", FailureKind::malformed},
        Unacceptable{"BadChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                     FailureKind::malformed},
        Unacceptable{"BadFieldLine", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", FailureKind::malformed},
        Unacceptable{"LargeHead", "HTTP/1.1 200 OK\r\nX: " + std::string(2000, 'y') + "\r\n\r\n",
                     FailureKind::too_large},
        Unacceptable{"EndlessHead", "HTTP/1.1 200 " + std::string(30000, 'y'), FailureKind::too_large},
        Unacceptable{"LargeBody", "HTTP/1.1 200 OK\r\nContent-Length: 5001\r\n\r\n" + std::string(5001, 'x'),
                     FailureKind::too_large},
        Unacceptable{"LargeBodyToTheEnd", "HTTP/1.1 200 OK\r\n\r\n" + std::string(5001, 'x'), FailureKind::too_large},
        Unacceptable{
            "LargeChunkedBody",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1389\r\n" + std::string(5001, 'x') + "\r\n0\r\n\r\n",
            FailureKind::too_large},
        Unacceptable{"EndlessChunkLine",
                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + std::string(100000, 'x'),
                     FailureKind::too_large}),
    [](const testing::TestParamInfo<Unacceptable>& parameter) { return parameter.param.what; });

TEST(Client, BodiesUpToTheBoundAreTaken) {
    ConnectionOptions options;
    options.max_answer_body = 5000;
    const std::string body(5000, 'x');
    EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + body, options)->body, body);
    EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\n\r\n" + body, options)->body, body);
    EXPECT_EQ(
        answer_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + body + "\r\n0\r\n\r\n", options)
            ->body,
        body);
}

TEST(ClientFailure, CloseOnAReusedConnectionIsRecognisable) {
    const Script script{[](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        raw.read_until("\r\n\r\n");
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_TRUE(client.get("/").has_value());
    const auto answer = client.get("/");
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::closed);
    EXPECT_TRUE(answer.error().reused);
    EXPECT_FALSE(client.connection().is_open());
}

TEST(ClientFailure, AnIdleConnectionIsLookedAtBeforeItIsUsed) {
    std::promise<void> closed;
    const Script script{[&](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        raw.close();
        closed.set_value();
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_TRUE(client.get("/").has_value());
    closed.get_future().wait();
    const auto answer = client.get("/");
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::closed);
    EXPECT_EQ(answer.error().phase, Phase::send);
    EXPECT_TRUE(answer.error().reused);
    EXPECT_TRUE(answer.error().nothing_sent);
}

TEST(ClientFailure, ResetIsClosed) {
    const Script script{[](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.reset();
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.get("/");
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::closed);
    EXPECT_FALSE(answer.error().nothing_sent);
}

TEST(ClientFailure, NobodyThere) {
    std::uint16_t port = 0;
    {
        RawListener listener;
        port = listener.port();
    }
    TestClient client{local_url(port), nullptr};
    const auto connected = client.connect();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().phase, Phase::connect);
    EXPECT_EQ(connected.error().kind, FailureKind::connect);
    EXPECT_TRUE(connected.error().nothing_sent);
    EXPECT_FALSE(client.connection().is_open());
}

TEST(ClientFailure, NameWithoutAddress) {
    ConnectorOptions options;
    options.resolve_timeout = 500ms;
    TestClient client{local_url(80, "http", "no-such-host.invalid"), nullptr, options};
    const auto connected = client.connect();
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().phase, Phase::resolve);
    // A machine without name service may take its time to say so.
    EXPECT_THAT(connected.error().kind, testing::AnyOf(FailureKind::dns, FailureKind::timeout));
    EXPECT_THAT(connected.error().message, testing::Not(HasSubstr("invalid")));
}

TEST(ClientFailure, NamesAreResolved) {
    TestServer server;
    TestClient client{local_url(server.port(), "http", "localhost"), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_THAT(client.get("/who")->body, HasSubstr("host=localhost:"));
}

TEST(ClientFailure, AnswerTimesOut) {
    ConnectionOptions options;
    options.answer_timeout = 50ms;
    for (const char* beginning :
         {"", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"}) {
        const Script script{[&](Raw& raw) {
            raw.read_until("\r\n\r\n");
            raw.send(beginning);
            raw.read_all();
        }};
        TestClient client{local_url(script.port()), nullptr, options};
        ASSERT_TRUE(client.connect().has_value());
        const auto answer = client.get("/");
        ASSERT_FALSE(answer.has_value());
        EXPECT_EQ(answer.error().kind, FailureKind::timeout);
        EXPECT_EQ(answer.error().phase, Phase::receive);
        EXPECT_FALSE(client.connection().is_open());
    }
}

TEST(ClientFailure, ARequestMayHaveAnAnswerTimeoutOfItsOwn) {
    ConnectionOptions options;
    options.answer_timeout = std::chrono::hours(1);
    const Script script{[&](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.read_all();
    }};
    TestClient client{local_url(script.port()), nullptr, options};
    ASSERT_TRUE(client.connect().has_value());
    Request request;
    request.answer_timeout = 50ms;
    const auto answer = client.exchange(request);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::timeout);
    EXPECT_EQ(answer.error().phase, Phase::receive);
}

TEST(ClientFailure, PeerThatTakesNothingTimesOut) {
    ConnectionOptions options;
    options.send_stall = 50ms;
    std::promise<void> over;
    const Script script{[&](Raw& /*raw*/) { over.get_future().wait(); }};
    TestClient client{local_url(script.port()), nullptr, options};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.post("/", std::string(50000000, 'x'));
    over.set_value();
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::timeout);
    EXPECT_EQ(answer.error().phase, Phase::send);
}

TEST(ClientFailure, EarlyAnswerToALargeBodyIsTaken) {
    std::promise<void> over;
    const Script script{[&](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig");
        over.get_future().wait();  // and reads no more of the body
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.post("/", std::string(50000000, 'x'));
    over.set_value();
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_EQ(answer->status, 413U);
    EXPECT_EQ(answer->body, "big");
    EXPECT_FALSE(answer->keeps_alive());
    EXPECT_FALSE(client.connection().is_open());
}

TEST(ClientFailure, ServerThatAnswersAndClosesIsHeard) {
    // Our own server refuses the body by its length and lingers, so that the answer gets through.
    TestServer server;
    TestClient client{local_url(server.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.post("/echo", std::string(3000000, 'x'));
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_EQ(answer->status, 413U);
}

TEST(ClientFailure, ConnectsAgainAfterAFailure) {
    TestServer server;
    TestClient client{local_url(server.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_FALSE(client.get("/silent").has_value());
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_EQ(client.connection().exchanges(), 0U);
    EXPECT_EQ(client.get("/ignore")->body, "ignored");
}

TEST(ClientCancel, CloseEndsARunningExchange) {
    TestServer server;
    TestClient client{local_url(server.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    std::thread closer{[&] {
        server.wait_seen("GET /gate");
        boost::asio::post(client.context(), [&] { client.connection().close(); });
    }};
    const auto answer = client.get("/gate");
    closer.join();
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::cancelled);
    EXPECT_FALSE(client.connection().is_open());
}

TEST(ClientCancel, CancelEndsConnecting) {
    RawListener listener;  // accepts nothing by itself, but the kernel does
    TestClient client{local_url(listener.port()), nullptr};
    boost::asio::post(client.context(), [&] { client.connector().cancel(); });
    const auto connected = client.connect();
    // That may come before the connect even began, or after it was done.
    if (!connected) {
        EXPECT_EQ(connected.error().kind, FailureKind::cancelled);
        EXPECT_FALSE(client.connection().is_open());
    }
}

TEST(ClientCancel, DestructionEndsARunningExchange) {
    TestServer server;
    TestClient client{local_url(server.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    std::thread destroyer{[&] {
        server.wait_seen("GET /gate");
        boost::asio::post(client.context(), [&] { client.destroy(); });
    }};
    const auto answer = client.get("/gate");
    destroyer.join();
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::cancelled);
}

TEST(ClientCancel, AsioCancellationThrowsAndCloses) {
    TestServer server;
    TestClient client{local_url(server.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    boost::asio::cancellation_signal signal;
    Request request;
    request.method = "GET";
    request.target = "/gate";
    std::exception_ptr failure;
    bool done = false;
    boost::asio::co_spawn(
        client.context(), client.connection().exchange(request),
        boost::asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr thrown, const auto& /*answer*/) {
            failure = std::move(thrown);
            done = true;
        }));
    std::thread canceller{[&] {
        server.wait_seen("GET /gate");
        boost::asio::post(client.context(), [&] { signal.emit(boost::asio::cancellation_type::terminal); });
    }};
    const auto end = std::chrono::steady_clock::now() + guard;
    client.context().restart();
    while (!done && client.context().run_one_until(end) > 0) {
    }
    canceller.join();
    ASSERT_TRUE(done);
    ASSERT_TRUE(failure);
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        EXPECT_EQ(error.code(), boost::asio::error::operation_aborted);
    }
    EXPECT_FALSE(client.connection().is_open());
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_EQ(client.get("/ignore")->body, "ignored");
}

boost::asio::awaitable<bool> connect_from_within(std::uint16_t port) {
    const boost::asio::any_io_executor executor = co_await boost::asio::this_coro::executor;
    Connector connector{executor, local_url(port), nullptr};
    const ClientResult<Connection> connected = co_await connector.connect();
    co_return connected.has_value();
}

TEST(Client, TakesTheExecutorOfACoroutine) {
    TestServer server;
    boost::asio::io_context context{1};
    auto connected = boost::asio::co_spawn(context, connect_from_within(server.port()), boost::asio::use_future);
    context.run();
    EXPECT_TRUE(connected.get());
}

TEST(ClientMisuse, IsALogicError) {
    TestServer server;
    TestClient client{local_url(server.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_THROW(client.get("/a b"), std::logic_error);
    ASSERT_TRUE(client.connect().has_value());
    EXPECT_THROW(client.get("/a\r\nX: y"), std::logic_error);
    ASSERT_TRUE(client.connect().has_value());
    const std::vector<Field> fields{{"X", "a\r\nY: b"}};
    Request request;
    request.fields = fields;
    EXPECT_THROW(client.exchange(request), std::logic_error);
    EXPECT_THROW(TestClient(local_url(1, "https"), nullptr), std::logic_error);
    boost::asio::io_context context;
    EXPECT_THROW(Connector(boost::asio::system_executor{}, UnixPath{"/x"}), std::invalid_argument);
    EXPECT_TRUE(server.handler().seen.empty());
}

}  // namespace
}  // namespace lihandover::http::test
