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
    const auto answer = classify_upload(outcome, {});
    EXPECT_EQ(answer.status, status);
    return answer.outcome;
}

UploadClass of(http::Phase phase, http::FailureKind kind) {
    http::Failure failure;
    failure.phase = phase;
    failure.kind = kind;
    return classify_upload(failure);
}

TEST(ClassifyUpload, SuccessCountsOnceTheWholeBodyWent) {
    for (const unsigned status : {200U, 201U, 202U, 204U, 299U}) {
        EXPECT_EQ(of(status, true), UploadOutcome::delivered);
        EXPECT_EQ(of(status, false), UploadOutcome::early);
    }
}

TEST(ClassifyUpload, LargeObjectsHaveLongerToBeAnswered) {
    using std::chrono::seconds;
    EXPECT_EQ(answer_timeout(seconds(30), 0), seconds(30));
    EXPECT_EQ(answer_timeout(seconds(30), std::uint64_t{100} << 20), seconds(40));
    EXPECT_EQ(answer_timeout(seconds(30), std::uint64_t{8} << 30), seconds(849));
    EXPECT_LE(answer_timeout(seconds(30), ~std::uint64_t{0}), std::chrono::days(31));
}

TEST(ClassifyUpload, StatusesOfAnLeaThatMayStillBeProcessingTheItem) {
    for (const bool complete : {false, true}) {
        for (const unsigned status : {404U, 409U, 417U, 425U}) {
            EXPECT_EQ(of(status, complete), UploadOutcome::not_yet) << status;
        }
    }
}

TEST(ClassifyUpload, AllElseIsEvidence) {
    for (const unsigned status :
         {300U, 302U, 307U, 400U, 401U, 402U, 403U, 405U, 408U, 410U, 413U, 415U, 429U, 499U, 500U, 503U, 599U}) {
        for (const bool complete : {false, true}) {
            http::ExpectOutcome outcome;
            outcome.answer.status = status;
            outcome.body_sent = outcome.complete = complete;
            const auto answer = classify_upload(outcome, {});
            EXPECT_EQ(answer.outcome, UploadOutcome::failed) << status;
            EXPECT_EQ(answer.judges_content, judges_content(status)) << status;
            EXPECT_EQ(answer.symptom, symptom_of(status)) << status;
        }
    }
}

TEST(ClassifyUpload, Failures) {
    using http::FailureKind;
    using http::Phase;
    EXPECT_EQ(of(Phase::await_continue, FailureKind::timeout).outcome, UploadOutcome::not_yet);
    EXPECT_EQ(of(Phase::await_continue, FailureKind::timeout).metric, metrics::Upload::no_continue);
    for (const auto& [phase, kind] :
         {std::pair(Phase::await_continue, FailureKind::closed), std::pair(Phase::send, FailureKind::closed),
          std::pair(Phase::send, FailureKind::timeout), std::pair(Phase::receive, FailureKind::timeout),
          std::pair(Phase::receive, FailureKind::malformed)}) {
        EXPECT_EQ(of(phase, kind).outcome, UploadOutcome::failed);
        EXPECT_EQ(of(phase, kind).metric, metrics::Upload::disconnected);
        EXPECT_FALSE(of(phase, kind).judges_content);
    }
    EXPECT_EQ(of(Phase::send, FailureKind::source).outcome, UploadOutcome::unreadable);
    EXPECT_EQ(of(Phase::connect, FailureKind::connect).outcome, UploadOutcome::no_connection);
    EXPECT_EQ(of(Phase::connect, FailureKind::timeout).outcome, UploadOutcome::no_connection);
    EXPECT_EQ(of(Phase::resolve, FailureKind::dns).outcome, UploadOutcome::no_connection);
    EXPECT_EQ(of(Phase::handshake, FailureKind::handshake).outcome, UploadOutcome::no_connection);
    EXPECT_EQ(of(Phase::handshake, FailureKind::certificate).outcome, UploadOutcome::certificate);
}

TEST(ClassifyUpload, ContentTypeIsSentAsGivenWhereItIsOne) {
    for (const std::string type : {"image/jpeg", "text/plain; charset=utf-8", "text/plain;charset=\"utf-8\"",
                                   "a/b;c=\"d\\\"e; f\";g=h", "application/vnd.x+json", "video/mp4 ; codecs=avc1"}) {
        EXPECT_EQ(safe_content_type(type), type);
    }
}

TEST(ClassifyUpload, NoContentTypeCanBreakARequest) {
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
