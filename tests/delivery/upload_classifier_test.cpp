#include "upload_classifier.hpp"

#include <gtest/gtest.h>

#include <string>

#include "answer_classifier.hpp"

namespace lihandover::delivery {
namespace {

UploadOutcome of(unsigned status, bool complete) {
    http::ExpectOutcome outcome;
    outcome.answer.status = status;
    outcome.body_sent = outcome.complete = complete;
    const auto verdict = classify_upload(outcome, {});
    EXPECT_EQ(verdict.status, status);
    return verdict.outcome;
}

UploadClass of(http::Phase phase, http::FailureKind kind) {
    http::Failure failure;
    failure.phase = phase;
    failure.kind = kind;
    return classify_upload(failure);
}

TEST(UploadJudge, SuccessCountsOnceTheWholeBodyWent) {
    for (const unsigned status : {200U, 201U, 202U, 204U, 299U}) {
        EXPECT_EQ(of(status, true), UploadOutcome::delivered);
        EXPECT_EQ(of(status, false), UploadOutcome::early);
    }
}

TEST(UploadJudge, LargeObjectsHaveLongerToBeAnswered) {
    using std::chrono::seconds;
    EXPECT_EQ(answer_timeout(seconds(30), 0), seconds(30));
    EXPECT_EQ(answer_timeout(seconds(30), std::uint64_t{100} << 20), seconds(40));
    EXPECT_EQ(answer_timeout(seconds(30), std::uint64_t{8} << 30), seconds(849));
    EXPECT_LE(answer_timeout(seconds(30), ~std::uint64_t{0}), std::chrono::days(31));
}

TEST(UploadJudge, StatusesThatMayChange) {
    for (const bool complete : {false, true}) {
        for (const unsigned status : {404U, 409U, 417U, 425U}) {
            EXPECT_EQ(of(status, complete), UploadOutcome::later) << status;
        }
        for (const unsigned status : {408U, 500U, 502U, 503U, 504U, 599U}) {
            EXPECT_EQ(of(status, complete), UploadOutcome::unavailable) << status;
        }
        EXPECT_EQ(of(429, complete), UploadOutcome::busy);
        for (const unsigned status : {401U, 403U}) {
            EXPECT_EQ(of(status, complete), UploadOutcome::credentials) << status;
        }
    }
}

TEST(UploadJudge, AllElseIsFinal) {
    for (const unsigned status : {300U, 301U, 302U, 304U, 307U, 308U, 400U, 402U, 405U, 410U, 411U, 413U, 415U, 499U}) {
        EXPECT_EQ(of(status, true), UploadOutcome::refused) << status;
        EXPECT_EQ(of(status, false), UploadOutcome::refused) << status;
    }
}

TEST(UploadJudge, Failures) {
    using http::FailureKind;
    using http::Phase;
    EXPECT_EQ(of(Phase::await_continue, FailureKind::timeout).outcome, UploadOutcome::later);
    EXPECT_EQ(of(Phase::await_continue, FailureKind::timeout).metric, metrics::Upload::no_continue);
    EXPECT_EQ(of(Phase::await_continue, FailureKind::closed).outcome, UploadOutcome::unavailable);
    EXPECT_EQ(of(Phase::send, FailureKind::closed).outcome, UploadOutcome::unavailable);
    EXPECT_EQ(of(Phase::send, FailureKind::timeout).outcome, UploadOutcome::unavailable);
    EXPECT_EQ(of(Phase::receive, FailureKind::timeout).outcome, UploadOutcome::unavailable);
    EXPECT_EQ(of(Phase::receive, FailureKind::malformed).outcome, UploadOutcome::unavailable);
    EXPECT_EQ(of(Phase::receive, FailureKind::malformed).metric, metrics::Upload::disconnected);
    EXPECT_EQ(of(Phase::send, FailureKind::source).outcome, UploadOutcome::unreadable);
    EXPECT_EQ(of(Phase::connect, FailureKind::connect).outcome, UploadOutcome::unreachable);
    EXPECT_EQ(of(Phase::connect, FailureKind::timeout).outcome, UploadOutcome::unreachable);
    EXPECT_EQ(of(Phase::resolve, FailureKind::dns).outcome, UploadOutcome::unreachable);
    EXPECT_EQ(of(Phase::handshake, FailureKind::certificate).outcome, UploadOutcome::tls);
    EXPECT_EQ(of(Phase::handshake, FailureKind::handshake).outcome, UploadOutcome::tls);
}

TEST(UploadJudge, ContentTypeIsSentAsGivenWhereItIsOne) {
    for (const std::string type : {"image/jpeg", "text/plain; charset=utf-8", "text/plain;charset=\"utf-8\"",
                                   "a/b;c=\"d\\\"e; f\";g=h", "application/vnd.x+json", "video/mp4 ; codecs=avc1"}) {
        EXPECT_EQ(safe_content_type(type), type);
    }
}

TEST(UploadJudge, NoContentTypeCanBreakARequest) {
    const std::string long_type = "text/" + std::string(300, 'x');
    for (const std::string& type :
         {std::string(), std::string("text"), std::string("text/"), std::string("/plain"),
          std::string("text/plain\r\nX-Evil: 1"), std::string("text/plain; a=\"b\r\n\""),
          std::string("text/pl\0in", 10), std::string("text/plain;"), std::string("text/plain; charset"),
          std::string("text/plain; a=\"open"), std::string("text/plain; a=\"\\"), std::string("t\xc3\xa4xt/plain"),
          std::string("text/plain;a=\"\xc3\xa4\""), std::string("text/plain x"), std::string(" text/plain"),
          long_type}) {
        EXPECT_EQ(safe_content_type(type), "application/octet-stream") << type;
    }
}

}  // namespace
}  // namespace lihandover::delivery
