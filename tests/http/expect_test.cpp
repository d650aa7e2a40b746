#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace lihandover::http::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// A server that follows a script and notes what it read.
class ClientExpect : public testing::Test {
  protected:
    void serve(std::function<void(Raw&)> script) {
        thread_ = std::thread{[this, script = std::move(script)] {
            try {
                Raw raw = listener_.accept();
                head_ = raw.read_until("\r\n\r\n");
                script(raw);
            } catch (const std::exception& error) {
                ADD_FAILURE() << error.what();
            }
        }};
        client_ = std::make_unique<TestClient>(local_url(listener_.port()), nullptr, options_);
        ASSERT_TRUE(client_->connect().has_value());
    }
    /// Ends the client's side and waits for the script, after which its notes may be read.
    void finish() {
        client_->connection().close();
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    void TearDown() override { finish(); }

    ConnectionOptions options_;
    RawListener listener_;
    std::thread thread_;
    std::unique_ptr<TestClient> client_;
    std::string head_;
    std::string rest_;
};

TEST_F(ClientExpect, BodyFollowsTheContinue) {
    PatternSource source{200000, true};
    serve([&](Raw& raw) {
        EXPECT_FALSE(raw.readable(0ms));
        raw.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
        rest_ = raw.read(200000);
        raw.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        raw.read_all();
    });
    const auto outcome = client_->expect("/objects/1", source);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    EXPECT_EQ(outcome->answer.status, 201U);
    EXPECT_TRUE(outcome->body_sent);
    EXPECT_TRUE(outcome->complete);
    EXPECT_TRUE(client_->connection().is_open());
    finish();
    EXPECT_THAT(head_, HasSubstr("POST /objects/1 HTTP/1.1\r\n"));
    EXPECT_THAT(head_, HasSubstr("\r\nExpect: 100-continue\r\n"));
    EXPECT_THAT(head_, HasSubstr("\r\nContent-Length: 200000\r\n"));
    EXPECT_EQ(rest_, PatternSource::pattern(200000));
}

TEST_F(ClientExpect, UnknownLengthGoesChunked) {
    PatternSource source{100000, false};
    std::string chunks;
    serve([&](Raw& raw) {
        raw.send("HTTP/1.1 100 Continue\r\n\r\n");
        for (;;) {
            const auto size = std::stoul(raw.read_until("\r\n"), nullptr, 16);
            rest_ += raw.read(size);
            EXPECT_EQ(raw.read(2), "\r\n");
            if (size == 0) {
                break;
            }
        }
        raw.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        raw.read_all();
    });
    const auto outcome = client_->expect("/", source);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    EXPECT_TRUE(client_->connection().is_open());
    finish();
    EXPECT_THAT(head_, HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
    EXPECT_THAT(head_, testing::Not(HasSubstr("Content-Length")));
    EXPECT_EQ(rest_, PatternSource::pattern(100000));
}

TEST_F(ClientExpect, WithheldContinueMeansNoBody) {
    PatternSource source{1000, true};
    serve([&](Raw& raw) {
        raw.send("HTTP/1.1 102 Processing\r\n\r\n");
        rest_ = raw.read_all();
    });
    const auto outcome = client_->expect("/", source, 50ms);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().phase, Phase::await_continue);
    EXPECT_EQ(outcome.error().kind, FailureKind::timeout);
    EXPECT_FALSE(client_->connection().is_open());
    finish();
    EXPECT_EQ(rest_, "");
    EXPECT_EQ(source.given(), 0U);
}

TEST_F(ClientExpect, FinalStatusInsteadMeansNoBody) {
    for (const unsigned status : {201U, 307U, 401U, 417U, 503U}) {
        PatternSource source{1000, true};
        serve([&](Raw& raw) {
            raw.send("HTTP/1.1 " + std::to_string(status) +
                     " Whatever\r\nContent-Length: 2\r\nRetry-After: 3\r\n\r\nno");
            rest_ = raw.read_all();
        });
        const auto outcome = client_->expect("/", source);
        ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
        EXPECT_EQ(outcome->answer.status, status);
        EXPECT_EQ(outcome->answer.body, "no");
        EXPECT_EQ(outcome->answer.header("retry-after"), "3");
        EXPECT_FALSE(outcome->body_sent);
        EXPECT_FALSE(outcome->complete);
        EXPECT_FALSE(client_->connection().is_open());
        finish();
        EXPECT_EQ(rest_, "");
        EXPECT_EQ(source.given(), 0U);
    }
}

TEST_F(ClientExpect, FinalStatusOnTheWayEndsTheSending) {
    PatternSource source{1000000000, true, 65536};
    std::promise<void> over;
    serve([&](Raw& raw) {
        raw.send("HTTP/1.1 100 Continue\r\n\r\n");
        raw.read(100000);
        raw.send("HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 4\r\n\r\nfull");
        over.get_future().wait();
    });
    const auto outcome = client_->expect("/", source);
    over.set_value();
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    EXPECT_EQ(outcome->answer.status, 507U);
    EXPECT_EQ(outcome->answer.body, "full");
    EXPECT_TRUE(outcome->body_sent);
    EXPECT_FALSE(outcome->complete);
    EXPECT_LT(source.given(), 1000000000U);
    EXPECT_FALSE(client_->connection().is_open());
}

// An LEA that ends its answer carelessly has taken the object all the same: sent again, it would be sent for ever.
TEST_F(ClientExpect, AnAnswerWhoseBodyIsCutCountsByItsStatus) {
    for (const char* text : {"HTTP/1.1 201 Created\r\nContent-Length: 100\r\nX: y\r\n\r\n{\"id\":1}",
                             "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n2\r\nok\r\n",
                             "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\nno chunk\r\n"}) {
        PatternSource source{1000, true};
        serve([&](Raw& raw) {
            raw.send("HTTP/1.1 100 Continue\r\n\r\n");
            rest_ = raw.read(1000);
            raw.send(text);
        });
        const auto outcome = client_->expect("/", source);
        ASSERT_TRUE(outcome.has_value()) << text << outcome.error().message;
        EXPECT_EQ(outcome->answer.status, 201U);
        EXPECT_EQ(outcome->answer.header("X"), "y");
        EXPECT_TRUE(outcome->complete);
        EXPECT_FALSE(client_->connection().is_open());
        finish();
    }
}

TEST_F(ClientExpect, AnAnswerBeforeTheBodyCountsByItsStatusToo) {
    PatternSource source{1000, true};
    serve([](Raw& raw) { raw.send("HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n<html>"); });
    const auto outcome = client_->expect("/", source);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    EXPECT_EQ(outcome->answer.status, 404U);
    EXPECT_FALSE(outcome->body_sent);
    EXPECT_FALSE(outcome->complete);
}

TEST_F(ClientExpect, AnAnswerWithoutAWholeHeadIsNone) {
    PatternSource source{1000, true};
    serve([](Raw& raw) {
        raw.send("HTTP/1.1 100 Continue\r\n\r\n");
        raw.read(1000);
        raw.send("HTTP/1.1 201 Cre");
    });
    const auto outcome = client_->expect("/", source);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().kind, FailureKind::truncated);
}

TEST_F(ClientExpect, PeerThatClosesInsteadIsClosed) {
    PatternSource source{1000, true};
    serve([](Raw& /*raw*/) {});
    const auto outcome = client_->expect("/", source);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().phase, Phase::await_continue);
    EXPECT_EQ(outcome.error().kind, FailureKind::closed);
}

TEST_F(ClientExpect, PeerThatClosesOnTheWayIsClosed) {
    PatternSource source{1000000000, true, 65536};
    serve([](Raw& raw) {
        raw.send("HTTP/1.1 100 Continue\r\n\r\n");
        raw.read(100000);
        raw.reset();
    });
    const auto outcome = client_->expect("/", source);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().kind, FailureKind::closed);
    EXPECT_LT(source.given(), 1000000000U);
}

TEST_F(ClientExpect, GarbageInsteadIsMalformed) {
    PatternSource source{1000, true};
    serve([](Raw& raw) {
        raw.send("what?\r\n\r\n");
        raw.read_all();
    });
    const auto outcome = client_->expect("/", source);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().kind, FailureKind::malformed);
    EXPECT_EQ(source.given(), 0U);
}

TEST_F(ClientExpect, GarbageOnTheWayIsMalformed) {
    PatternSource source{1000000000, true, 65536};
    std::promise<void> over;
    serve([&](Raw& raw) {
        raw.send("HTTP/1.1 100 Continue\r\n\r\n");
        raw.read(100000);
        raw.send("what?\r\n\r\n");
        over.get_future().wait();
    });
    const auto outcome = client_->expect("/", source);
    over.set_value();
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().kind, FailureKind::malformed);
}

TEST_F(ClientExpect, AFailingSourceBreaksOff) {
    PatternSource source{100000, false};
    source.fail_after(50000);
    serve([&](Raw& raw) {
        raw.send("HTTP/1.1 100 Continue\r\n\r\n");
        rest_ = raw.read_all();
    });
    const auto outcome = client_->expect("/", source);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().kind, FailureKind::source);
    finish();
    EXPECT_THAT(rest_, testing::Not(testing::EndsWith("0\r\n\r\n")));
}

TEST_F(ClientExpect, ASourceThatEndsEarlyBreaksOff) {
    PatternSource source{1000, true};
    source.claim(2000);
    serve([&](Raw& raw) {
        raw.send("HTTP/1.1 100 Continue\r\n\r\n");
        rest_ = raw.read_all();
    });
    const auto outcome = client_->expect("/", source);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().kind, FailureKind::source);
    finish();
    EXPECT_LE(rest_.size(), 1000U);
}

TEST_F(ClientExpect, AnEmptyBodyGoesWithoutExpect) {
    PatternSource source{0, true};
    serve([&](Raw& raw) {
        raw.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        raw.read_all();
    });
    const auto outcome = client_->expect("/", source);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_TRUE(outcome->body_sent);
    EXPECT_TRUE(outcome->complete);
    EXPECT_TRUE(client_->connection().is_open());
    finish();
    EXPECT_THAT(head_, testing::Not(HasSubstr("Expect")));
    EXPECT_THAT(head_, HasSubstr("Content-Length: 0\r\n"));
}

TEST(ExpectBothSides, OurClientAndOurServerAgree) {
    TestServer server;
    TestClient client{local_url(server.port()), nullptr};
    for (const bool known : {true, false}) {
        for (const std::uint64_t size : {1UL, 65536UL, 3000000UL}) {
            ASSERT_TRUE(client.connect().has_value());
            PatternSource source{size, known};
            const auto outcome = client.expect("/count", source);
            ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
            EXPECT_EQ(outcome->answer.body, std::to_string(size) + " of " + (known ? std::to_string(size) : "chunked"));
            EXPECT_TRUE(client.connection().is_open());
        }
    }
    PatternSource refused{3000000, true};
    const auto outcome = client.expect("/echo", refused);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->answer.status, 413U);
    EXPECT_FALSE(outcome->body_sent);
    ASSERT_TRUE(client.connect().has_value());
    PatternSource withheld{10, true};
    const auto never = client.expect("/withhold", withheld, 50ms);
    ASSERT_FALSE(never.has_value());
    EXPECT_EQ(never.error().kind, FailureKind::timeout);
}

}  // namespace
}  // namespace lihandover::http::test
