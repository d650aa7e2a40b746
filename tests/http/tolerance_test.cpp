#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <future>
#include <memory>

#include "support.hpp"
#include "tls/certificates.hpp"

// Servers and balancers as they are in the field: what a client takes from them, and what it does not.

namespace lihandover::http::test {
namespace {

using namespace std::chrono_literals;
using lihandover::test::client_context;
using lihandover::test::server_context;
using testing::HasSubstr;

/// The far end of a Script under TLS: each send() is a TLS record of its own, and the end comes without a close_notify.
class TlsPeer {
  public:
    explicit TlsPeer(Raw& raw) : ssl_(SSL_new(context_->native())) {
        SSL_set_fd(ssl_.get(), raw.descriptor());
        if (SSL_accept(ssl_.get()) != 1) {
            throw std::runtime_error{"the handshake failed"};
        }
    }
    std::string read_until(std::string_view what) {
        while (received_.find(what) == std::string::npos) {
            std::string chunk(4096, '\0');
            const int count = SSL_read(ssl_.get(), chunk.data(), static_cast<int>(chunk.size()));
            if (count <= 0) {
                throw std::runtime_error{"the peer closed early"};
            }
            received_.append(chunk.data(), static_cast<std::size_t>(count));
        }
        return std::exchange(received_, {});
    }
    /// True when the peer closes without another byte.
    bool closes() {
        char byte = 0;
        return SSL_read(ssl_.get(), &byte, 1) <= 0;
    }
    void send(std::string_view bytes) { SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); }

  private:
    struct Free {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };
    std::shared_ptr<const tls::ServerContext> context_ = server_context();
    std::unique_ptr<SSL, Free> ssl_;
    std::string received_;
};

constexpr std::string_view good_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(Tolerance, TakesWhatRfc9112LetsAClientTake) {
    const std::vector<std::string> answers{"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
                                           "HTTP/1.1  200\tFine\r\nContent-Length: 2\r\n\r\nok",
                                           "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
                                           "HTTP/1.1 200 OK\r\nContent-Length:2\r\n\nok",
                                           "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
                                           "HTTP/1.1 200 OK\r\nX: a\r\n\t b\r\nContent-Length: 2\r\n\r\nok",
                                           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
                                           "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"};
    for (const auto& text : answers) {
        const auto answer = answer_of(text);
        ASSERT_TRUE(answer.has_value()) << text << answer.error().message;
        EXPECT_EQ(answer->status, 200U) << text;
        EXPECT_EQ(answer->body, "ok") << text;
        EXPECT_TRUE(answer->keeps_alive()) << text;
        EXPECT_EQ(answer->header("content-length")->substr(0, 1), "2") << text;
    }
    EXPECT_EQ(answer_of(answers[5])->header("X"), "a b");
}

TEST(Tolerance, HasItsLimits) {
    for (const char* text : {"HTTP/1.1 2000\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
                             "HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 2\r\n\r\nok", "HTTP/3 200 OK\r\n\r\n"}) {
        const auto answer = answer_of(text);
        ASSERT_FALSE(answer.has_value()) << text;
        EXPECT_EQ(answer.error().kind, FailureKind::malformed) << text;
    }
}

TEST(Tolerance, AHeadMayComeByteByByte) {
    for (const std::string text :
         {"HTTP/1.1 100\r\n\r\nHTTP/1.1 200\nContent-Length: 2\n\nok",
          "HTTP/1.1 103 Hints\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}) {
        const Script script{[&](Raw& raw) {
            raw.read_until("\r\n\r\n");
            for (const char letter : text) {
                raw.send({&letter, 1});
                std::this_thread::yield();
            }
            raw.read_all();
        }};
        TestClient client{local_url(script.port()), nullptr};
        ASSERT_TRUE(client.connect().has_value());
        const auto answer = client.get("/");
        client.connection().close();
        ASSERT_TRUE(answer.has_value()) << answer.error().message;
        EXPECT_EQ(answer->body, "ok");
    }
}

TEST(Tolerance, AHundredInterimAnswersAreTaken) {
    std::string text;
    for (int count = 0; count < 100; ++count) {
        text += "HTTP/1.1 102 Processing\r\n\r\n";
    }
    EXPECT_EQ(answer_of(text + std::string{good_answer})->body, "ok");
    const auto answer = answer_of(text + "HTTP/1.1 102 Processing\r\n\r\n" + std::string{good_answer});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::malformed);
    EXPECT_THAT(answer.error().message, HasSubstr("interim"));
}

TEST(Tolerance, ACodingNobodyAskedForIsTold) {
    EXPECT_EQ(
        answer_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1F\x8B")->content_coding(),
        "gzip");
    EXPECT_EQ(
        answer_of("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\nok")->content_coding(),
        "");
    EXPECT_EQ(answer_of(std::string{good_answer})->content_coding(), "");
}

TEST(CutOff, WhatCameOfAnAnswerIsKept) {
    for (const char* text : {"HTTP/1.1 201 Created\r\nContent-Length: 9\r\nX: y\r\n\r\n<whole/>",
                             "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n8\r\n<whole/>"}) {
        const auto answer = answer_of(text);
        ASSERT_FALSE(answer.has_value());
        EXPECT_EQ(answer.error().kind, FailureKind::truncated);
        ASSERT_TRUE(answer.error().cut_off);
        EXPECT_EQ(answer.error().cut_off->status, 201U);
        EXPECT_EQ(answer.error().cut_off->body, "<whole/>");
        EXPECT_EQ(answer.error().cut_off->header("X"), "y");
    }
    EXPECT_FALSE(answer_of("HTTP/1.1 201 Cre").error().cut_off);
}

TEST(CutOff, ACloseWithoutCloseNotifyKeepsTheAnswer) {
    const Script script{[](Raw& raw) {
        TlsPeer peer{raw};
        peer.read_until("\r\n\r\n");
        peer.send("HTTP/1.0 200 OK\r\n\r\n<whole/>");
    }};
    TestClient client{local_url(script.port(), "https"), client_context()};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.get("/");
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::truncated);
    ASSERT_TRUE(answer.error().cut_off);
    EXPECT_EQ(answer.error().cut_off->body, "<whole/>");
}

TEST(CutOff, ACloseWithoutCloseNotifyEndsTheAnswerToAnUpload) {
    const Script script{[](Raw& raw) {
        TlsPeer peer{raw};
        peer.read_until("\r\n\r\n");
        peer.send("HTTP/1.1 100 Continue\r\n\r\n");
        peer.read_until(PatternSource::pattern(1000));
        peer.send("HTTP/1.0 200 OK\r\n\r\n");
    }};
    TestClient client{local_url(script.port(), "https"), client_context()};
    ASSERT_TRUE(client.connect().has_value());
    PatternSource source{1000, true};
    const auto outcome = client.expect("/", source);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    EXPECT_EQ(outcome->answer.status, 200U);
    EXPECT_TRUE(outcome->complete);
}

TEST(CutOff, ALengthThatIsTooLongKeepsTheAnswer) {
    ConnectionOptions options;
    options.answer_timeout = 50ms;
    const Script script{[](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<whole/>");
        raw.read_all();
    }};
    TestClient client{local_url(script.port()), nullptr, options};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.get("/");
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, FailureKind::timeout);
    ASSERT_TRUE(answer.error().cut_off);
    EXPECT_EQ(answer.error().cut_off->body, "<whole/>");
}

/// Nothing may follow on a connection where something lies that nobody asked for.
void expect_unasked(const ClientResult<Answer>& answer) {
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().phase, Phase::send);
    EXPECT_EQ(answer.error().kind, FailureKind::closed);
    EXPECT_TRUE(answer.error().nothing_sent);
    EXPECT_TRUE(answer.error().reused);
}

TEST(UnaskedBytes, AnAnswerSentTwiceAtOnceClosesTheConnection) {
    const Script script{[](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send(std::string{good_answer} + std::string{good_answer});
        EXPECT_TRUE(raw.closes());
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.get("/");
    ASSERT_TRUE(answer.has_value());
    EXPECT_FALSE(answer->keeps_alive());
    EXPECT_FALSE(client.connection().is_open());
}

TEST(UnaskedBytes, WhatComesLaterIsNeverTheNextAnswer) {
    for (const std::string_view stray : {std::string_view{"\r\n\0", 3}, good_answer}) {
        std::promise<void> answered;
        std::promise<void> strayed;
        const Script script{[&](Raw& raw) {
            raw.read_until("\r\n\r\n");
            raw.send(good_answer);
            answered.get_future().wait();
            raw.send(stray);
            strayed.set_value();
            EXPECT_TRUE(raw.closes());
        }};
        TestClient client{local_url(script.port()), nullptr};
        ASSERT_TRUE(client.connect().has_value());
        const auto first = client.get("/");
        ASSERT_TRUE(first.has_value());
        EXPECT_TRUE(first->keeps_alive());
        EXPECT_FALSE(first->reused);
        answered.set_value();
        strayed.get_future().wait();
        expect_unasked(client.get("/"));
        EXPECT_FALSE(client.connection().is_open());
    }
}

TEST(UnaskedBytes, ARecordOfItsOwnBehindTheBodyIsSeen) {
    std::promise<void> sent;
    const Script script{[&](Raw& raw) {
        TlsPeer peer{raw};
        peer.read_until("\r\n\r\n");
        peer.send(good_answer);
        peer.send("HTTP");
        sent.set_value();
        EXPECT_TRUE(peer.closes());
    }};
    TestClient client{local_url(script.port(), "https"), client_context()};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_TRUE(client.get("/").has_value());
    sent.get_future().wait();
    expect_unasked(client.get("/"));
}

TEST(UnaskedBytes, AFewLineEndsBehindABodyArePassedOverWheneverTheyCome) {
    std::promise<void> sent;
    const Script script{[&](Raw& raw) {
        TlsPeer peer{raw};
        peer.read_until("\r\n\r\n");
        peer.send(std::string{good_answer} + "\r\n");
        peer.read_until("\r\n\r\n");
        peer.send(good_answer);
        peer.send("\r\n");
        sent.set_value();
        peer.read_until("\r\n\r\n");
        peer.send("\r\n");  // when the next request is on its way already
        peer.send("\n");
        peer.send(good_answer);
        peer.read_until("\r\n\r\n");
        peer.send(std::string(17, '\n') + std::string{good_answer});
        EXPECT_TRUE(peer.closes());
    }};
    TestClient client{local_url(script.port(), "https"), client_context()};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_TRUE(client.get("/")->keeps_alive());
    ASSERT_TRUE(client.get("/")->keeps_alive());
    sent.get_future().wait();
    ASSERT_TRUE(client.get("/")->keeps_alive());
    EXPECT_EQ(client.connection().exchanges(), 3U);
    EXPECT_FALSE(client.connector().expects_strays());
    const auto too_many = client.get("/");
    ASSERT_FALSE(too_many.has_value());
    EXPECT_EQ(too_many.error().kind, FailureKind::malformed);
}

constexpr std::string_view stray_answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray";

Request wanting(std::string_view body) {
    Request request;
    request.method = "GET";
    request.is_answer = [body](const Answer& answer) { return answer.body == body; };
    return request;
}

TEST(UnaskedBytes, AnAnswerThatIsNoneToTheRequestIsPassedOver) {
    const Script script{[](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send(good_answer);
        raw.read_until("\r\n\r\n");
        raw.send(stray_answer);
        raw.send(std::string{stray_answer} + std::string{good_answer});
        EXPECT_TRUE(raw.closes());
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_TRUE(client.exchange(wanting("ok")).has_value());
    EXPECT_FALSE(client.connector().expects_strays());
    const auto answer = client.exchange(wanting("ok"));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->body, "ok");
    EXPECT_FALSE(answer->keeps_alive());
    EXPECT_TRUE(client.connector().expects_strays());
}

TEST(UnaskedBytes, OnAFreshConnectionTheAnswerIsWhatItIs) {
    const Script script{[](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send(stray_answer);
        raw.read_all();
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    const auto answer = client.exchange(wanting("ok"));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->body, "stray");
    client.connection().close();
}

TEST(UnaskedBytes, AServerWhoseAnswersAreBadIsWaitedForTwice) {
    RawListener listener;
    std::thread server{[&] {
        for (int round = 0; round < 3; ++round) {
            Raw raw = listener.accept();
            raw.read_until("\r\n\r\n");
            raw.send(good_answer);
            raw.read_until("\r\n\r\n");
            raw.send(stray_answer);
            raw.read_all();
        }
    }};
    ConnectionOptions options;
    options.answer_timeout = 1s;
    TestClient client{local_url(listener.port()), nullptr, options};
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(client.connect().has_value());
        ASSERT_TRUE(client.exchange(wanting("ok")).has_value());
        const auto answer = client.exchange(wanting("ok"));
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(answer->body, "stray");
        EXPECT_EQ(answer->keeps_alive(), round == 2) << "not waited for any more";
        client.connection().close();
    }
    EXPECT_FALSE(client.connector().expects_strays());
    server.join();
}

// A double of the answer before. A failure in the middle is nothing of the kind.
TEST(UnaskedBytes, SuccessInTheMiddleOfABodyIsTakenForOne) {
    for (const bool success : {false, true}) {
        std::promise<void> over;
        const Script script{[&](Raw& raw) {
            raw.read_until("\r\n\r\n");
            raw.send(good_answer);
            raw.read_until("\r\n\r\n");
            raw.send("HTTP/1.1 100 Continue\r\n\r\n");
            raw.read(100000);
            raw.send(success ? good_answer : "HTTP/1.1 507 Full\r\nContent-Length: 0\r\n\r\n");
            over.get_future().wait();
        }};
        TestClient client{local_url(script.port()), nullptr};
        ASSERT_TRUE(client.connect().has_value());
        ASSERT_TRUE(client.get("/").has_value());
        PatternSource source{1000000000, true, 65536};
        const auto outcome = client.expect("/", source);
        over.set_value();
        ASSERT_TRUE(outcome.has_value());
        EXPECT_TRUE(outcome->answer.reused);
        EXPECT_FALSE(outcome->complete);
        EXPECT_EQ(client.connector().expects_strays(), success);
    }
}

TEST(UnaskedBytes, OnceSeenEachConnectionCarriesOneExchange) {
    RawListener listener;
    std::thread server{[&] {
        for (int connection = 0; connection < 3; ++connection) {
            Raw raw = listener.accept();
            raw.read_until("\r\n\r\n");
            raw.send(std::string{good_answer} + (connection == 0 ? std::string{good_answer} : ""));
            EXPECT_TRUE(raw.closes());
        }
    }};
    TestClient client{local_url(listener.port()), nullptr};
    for (int connection = 0; connection < 3; ++connection) {
        ASSERT_TRUE(client.connect().has_value());
        const auto answer = client.get("/");
        ASSERT_TRUE(answer.has_value());
        EXPECT_FALSE(answer->keeps_alive());
        EXPECT_FALSE(client.connection().is_open());
    }
    EXPECT_TRUE(client.connector().expects_strays());
    server.join();
}

TEST(UnaskedBytes, ATimeoutOfAnIdleConnectionIsNoneOfThem) {
    std::promise<void> answered;
    std::promise<void> closed;
    const Script script{[&](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send(good_answer);
        answered.get_future().wait();
        raw.send("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        raw.shut_write();
        closed.set_value();
        raw.read_all();
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_TRUE(client.get("/").has_value());
    answered.set_value();
    closed.get_future().wait();
    expect_unasked(client.get("/"));
    EXPECT_FALSE(client.connector().expects_strays());
}

TEST(UnaskedBytes, AStrayAnswerDoesNotAnswerAnUpload) {
    std::promise<void> answered;
    std::promise<void> strayed;
    const Script script{[&](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send(good_answer);
        answered.get_future().wait();
        raw.send(good_answer);
        strayed.set_value();
        EXPECT_TRUE(raw.closes());
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_TRUE(client.get("/").has_value());
    answered.set_value();
    strayed.get_future().wait();
    PatternSource source{1000, true};
    const auto outcome = client.expect("/object", source);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().kind, FailureKind::closed);
    EXPECT_TRUE(outcome.error().nothing_sent);
    EXPECT_EQ(source.given(), 0U);
}

TEST(UnaskedBytes, OneThatComesInTheMiddleIsKnownByItsConnection) {
    const Script script{[](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send(good_answer);
        raw.read_until("\r\n\r\n");  // the upload's head
        raw.send(good_answer);       // and the answer before it once more
        raw.read_all();
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    ASSERT_TRUE(client.get("/").has_value());
    PatternSource source{1000, true};
    const auto outcome = client.expect("/object", source);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_FALSE(outcome->body_sent);
    EXPECT_TRUE(outcome->answer.reused);
    EXPECT_FALSE(client.connection().is_open());
}

TEST(UnaskedBytes, AServerThatSpeaksFirstIsNotBelieved) {
    std::promise<void> spoken;
    const Script script{[&](Raw& raw) {
        raw.send(good_answer);
        spoken.set_value();
        EXPECT_TRUE(raw.closes());
    }};
    TestClient client{local_url(script.port()), nullptr};
    ASSERT_TRUE(client.connect().has_value());
    spoken.get_future().wait();
    const auto answer = client.get("/");
    ASSERT_FALSE(answer.has_value());
    EXPECT_TRUE(answer.error().nothing_sent);
    EXPECT_FALSE(answer.error().reused);
}

}  // namespace
}  // namespace lihandover::http::test
