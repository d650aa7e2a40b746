#include "answer_classifier.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "lihandover/hi1/message.hpp"
#include "lihandover/hi1/writer.hpp"

namespace lihandover::delivery {

void PrintTo(Outcome outcome, std::ostream* out) {
    *out << "outcome " << static_cast<int>(outcome);
}
void PrintTo(Verdict verdict, std::ostream* out) {
    *out << "verdict " << static_cast<int>(verdict);
}

namespace {

using metrics::Attempt;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = hi1::ActionAnswer::Kind;

constexpr std::array<std::uint32_t, 2> retry_codes = {3050, 3051};
constexpr model::Instant now{1'795'000'000, 0};

class ClassifyAnswer : public testing::Test {
  protected:
    ClassifyAnswer() {
        for (int i = 0; i < 3; ++i) {
            objects_.push_back(model::Uuid::random());
        }
    }

    hi1::ActionAnswer accepted(std::uint64_t action) const { return {action, Kind::accepted, objects_.at(action), {}}; }
    static hi1::ActionAnswer refused(std::uint64_t action, std::uint64_t code) {
        return {action, Kind::refused, {}, {code, "words"}};
    }
    std::string response(const std::vector<hi1::ActionAnswer>& answers) const {
        hi1::Header request;
        request.transaction = transaction_;
        request.sender = {"XX", "CSP"};
        request.receiver = {"GB", "LEA"};
        request.etsi_version = "V1.14.1";
        request.national_profile_owner = "N/A";
        request.national_profile_version = "N/A";
        std::string body;
        hi1::append_response(body, request, now, answers);
        return body;
    }
    std::string error_response(std::uint64_t code) const {
        hi1::Header request;
        request.transaction = transaction_;
        std::string body;
        hi1::append_error_response(body, request, now, {code, "words"});
        return body;
    }
    const AnswerClass& judge(unsigned status, std::string_view body,
                             std::optional<std::string_view> retry_after = std::nullopt) {
        classify_answer(status, body, retry_after, {transaction_, objects_}, retry_codes, now, judgement_);
        return judgement_;
    }
    std::vector<Verdict> verdicts(const std::vector<hi1::ActionAnswer>& answers) {
        judge(200, response(answers));
        std::vector<Verdict> all;
        for (const auto& action : judgement_.actions) {
            all.push_back(action.verdict);
        }
        return all;
    }

    model::Uuid transaction_ = model::Uuid::random();
    std::vector<model::Uuid> objects_;
    AnswerClass judgement_;
};

TEST_F(ClassifyAnswer, EachActionByItself) {
    EXPECT_EQ(verdicts({accepted(0), refused(1, 3007), refused(2, 3051)}),
              (std::vector{Verdict::accepted, Verdict::refused, Verdict::again}));
    EXPECT_EQ(judgement_.outcome, Outcome::answered);
    EXPECT_EQ(judgement_.attempt, Attempt::answered);
    EXPECT_EQ(judgement_.actions[1].error.code, 3007U);
    EXPECT_EQ(judgement_.actions[1].error.description, "words");
}

TEST_F(ClassifyAnswer, AnswersMayComeInAnyOrder) {
    EXPECT_EQ(verdicts({refused(2, 1), accepted(0), accepted(1)}),
              (std::vector{Verdict::accepted, Verdict::accepted, Verdict::refused}));
}

TEST_F(ClassifyAnswer, UnansweredTwiceAnsweredAndMisfitting) {
    auto wrong = accepted(1);
    wrong.identifier = objects_[2];
    const std::vector<std::pair<std::vector<hi1::ActionAnswer>, std::vector<Verdict>>> cases = {
        {{accepted(0), accepted(2)}, {Verdict::accepted, Verdict::unanswered, Verdict::accepted}},
        {{accepted(0), accepted(1), accepted(1), accepted(2)},
         {Verdict::accepted, Verdict::unanswered, Verdict::accepted}},
        {{accepted(0), accepted(1), refused(1, 3007), accepted(2)},
         {Verdict::accepted, Verdict::unanswered, Verdict::accepted}},
        {{accepted(0), refused(1, 3007), refused(1, 3007), refused(1, 3007)},
         {Verdict::accepted, Verdict::unanswered, Verdict::unanswered}},
        {{accepted(0), wrong, accepted(2)}, {Verdict::accepted, Verdict::unanswered, Verdict::accepted}},
        {{accepted(0), accepted(1), accepted(2), {7, Kind::accepted, objects_[0], {}}},
         {Verdict::accepted, Verdict::accepted, Verdict::accepted}},
    };
    for (const auto& [answers, expected] : cases) {
        EXPECT_EQ(verdicts(answers), expected);
        EXPECT_EQ(judgement_.outcome, Outcome::answered);
    }
}

TEST_F(ClassifyAnswer, AnAnswerWithoutASingleFittingActionMakesNoSense) {
    for (const auto& answers : {std::vector<hi1::ActionAnswer>{{9, Kind::accepted, objects_[0], {}}},
                                std::vector<hi1::ActionAnswer>{{0, Kind::accepted, model::Uuid::random(), {}}}}) {
        EXPECT_EQ(judge(200, response(answers)).outcome, Outcome::senseless);
        EXPECT_EQ(judgement_.attempt, Attempt::senseless_answer);
    }
}

TEST_F(ClassifyAnswer, MessageLevelError) {
    EXPECT_EQ(judge(200, error_response(3007)).outcome, Outcome::rejected);
    EXPECT_EQ(judgement_.attempt, Attempt::answered);
    EXPECT_EQ(judgement_.refusal.code, 3007U);
    EXPECT_EQ(judgement_.refusal.kind, store::Refusal::Kind::hi1_error);
    EXPECT_EQ(judgement_.refusal.words, "words");
    // One worth retrying is said of every action.
    EXPECT_EQ(judge(200, error_response(3050)).outcome, Outcome::answered);
    ASSERT_EQ(judgement_.actions.size(), 3U);
    for (const auto& action : judgement_.actions) {
        EXPECT_EQ(action.verdict, Verdict::again);
    }
}

TEST_F(ClassifyAnswer, WrongTransaction) {
    const auto body = response({accepted(0), accepted(1), accepted(2)});
    transaction_ = model::Uuid::random();
    EXPECT_EQ(judge(200, body).outcome, Outcome::senseless);
    EXPECT_TRUE(judgement_.actions.empty());
}

TEST_F(ClassifyAnswer, UnreadableBodies) {
    const auto good = response({accepted(0), accepted(1), accepted(2)});
    for (const std::string& body :
         {std::string(), std::string("OK"), std::string("<html>busy</html>"), good.substr(0, good.size() - 5),
          std::string("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
          std::string(hi1::max_response_size + 1, ' ')}) {
        EXPECT_EQ(judge(200, body).outcome, Outcome::senseless);
    }
}

TEST_F(ClassifyAnswer, Statuses) {
    struct Case {
        unsigned status;
        Outcome outcome;
        Attempt attempt;
    };
    const auto good = response({accepted(0), accepted(1), accepted(2)});
    for (const auto& [status, outcome, attempt] : std::vector<Case>{
             {200, Outcome::answered, Attempt::answered},          {101, Outcome::senseless, Attempt::senseless_answer},
             {201, Outcome::senseless, Attempt::senseless_answer}, {202, Outcome::senseless, Attempt::senseless_answer},
             {204, Outcome::senseless, Attempt::senseless_answer}, {300, Outcome::redirected, Attempt::redirected},
             {301, Outcome::redirected, Attempt::redirected},      {302, Outcome::redirected, Attempt::redirected},
             {304, Outcome::redirected, Attempt::redirected},      {307, Outcome::redirected, Attempt::redirected},
             {308, Outcome::redirected, Attempt::redirected},      {400, Outcome::rejected, Attempt::client_error},
             {401, Outcome::credentials, Attempt::unauthorised},   {403, Outcome::credentials, Attempt::unauthorised},
             {404, Outcome::rejected, Attempt::client_error},      {405, Outcome::rejected, Attempt::client_error},
             {407, Outcome::rejected, Attempt::client_error},      {408, Outcome::unavailable, Attempt::busy},
             {413, Outcome::rejected, Attempt::client_error},      {415, Outcome::rejected, Attempt::client_error},
             {422, Outcome::rejected, Attempt::client_error},      {429, Outcome::unavailable, Attempt::busy},
             {499, Outcome::rejected, Attempt::client_error},      {500, Outcome::unavailable, Attempt::server_error},
             {502, Outcome::unavailable, Attempt::server_error},   {503, Outcome::unavailable, Attempt::server_error},
             {599, Outcome::unavailable, Attempt::server_error},   {600, Outcome::senseless, Attempt::senseless_answer},
             {999, Outcome::senseless, Attempt::senseless_answer},
         }) {
        EXPECT_EQ(judge(status, good).outcome, outcome) << status;
        EXPECT_EQ(judgement_.attempt, attempt) << status;
        if (outcome == Outcome::rejected) {
            EXPECT_EQ(judgement_.refusal.code, status);
            EXPECT_EQ(judgement_.refusal.kind, store::Refusal::Kind::http_status);
            EXPECT_EQ(judgement_.refusal.words, "");
        }
        EXPECT_EQ(judgement_.actions.empty(), status != 200) << status;
    }
}

TEST_F(ClassifyAnswer, AJudgementIsNotMixedUpWithTheOneBefore) {
    judge(400, "");
    judge(503, "", "7");
    EXPECT_EQ(judgement_.refusal.code, 0U);
    EXPECT_EQ(judgement_.retry_after, seconds(7));
    judge(200, response({accepted(0), accepted(1), accepted(2)}));
    EXPECT_FALSE(judgement_.retry_after);
    classify_failure({http::Phase::receive, http::FailureKind::timeout, false, false, ""}, judgement_);
    EXPECT_TRUE(judgement_.actions.empty());
}

TEST_F(ClassifyAnswer, RetryAfterBelongsToTheUnavailable) {
    EXPECT_EQ(judge(503, "", "120").retry_after, seconds(120));
    EXPECT_EQ(judge(429, "", "5").retry_after, seconds(5));
    EXPECT_EQ(judge(429, "").retry_after, seconds(0));  // about all that we send, however long it lasts
    EXPECT_EQ(judge(429, "", "soon").retry_after, seconds(0));
    EXPECT_EQ(judge(503, "").retry_after, std::nullopt);
    EXPECT_EQ(judge(503, "", "soon").retry_after, std::nullopt);
    EXPECT_EQ(judge(200, "", "120").retry_after, std::nullopt);
    EXPECT_EQ(judge(400, "", "120").retry_after, std::nullopt);
}

TEST(RetryAfter, TakesSecondsAndDatesWithinBounds) {
    const model::Instant noon{784'111'777 - 100, 0};  // 100 s before 1994-11-06T08:49:37Z
    struct Case {
        std::string_view text;
        std::optional<seconds> expected;
    };
    for (const auto& [text, expected] : std::vector<Case>{
             {"0", seconds(0)},
             {"120", seconds(120)},
             {"3600", seconds(3600)},
             {"3601", max_retry_after},
             {"99999999999999999999999999", max_retry_after},
             {"Sun, 06 Nov 1994 08:49:37 GMT", seconds(100)},
             {"Sun, 06 Nov 1994 08:47:57 GMT", seconds(0)},
             {"Sun, 06 Nov 1993 08:49:37 GMT", seconds(0)},
             {"Sun, 06 Nov 2094 08:49:37 GMT", max_retry_after},
             {"", std::nullopt},
             {"-1", std::nullopt},
             {"+1", std::nullopt},
             {"1.5", std::nullopt},
             {"1 ", std::nullopt},
             {"Sunday, 06-Nov-94 08:49:37 GMT", std::nullopt},
             {"Sun, 31 Feb 1994 08:49:37 GMT", std::nullopt},
             {"Sun, 06 Nov 1994 24:49:37 GMT", std::nullopt},
             {"Sun, 06 Nov 1994 08:60:37 GMT", std::nullopt},
             {"Sun, 06 Nov 1994 08:49:61 GMT", std::nullopt},
             {"Sun, 06 Nox 1994 08:49:37 GMT", std::nullopt},
             {"Sun, 06 Nov 1994 08:49:37 CET", std::nullopt},
             {"Sun, -6 Nov 1994 08:49:37 GMT", std::nullopt},
             {"Sun, 06 Nov 1994 08:49:3x GMT", std::nullopt},
         }) {
        EXPECT_EQ(parse_retry_after(text, noon), expected) << text;
    }
}

TEST(ClassifyFailure, Table) {
    using http::FailureKind;
    using http::Phase;
    struct Case {
        Phase phase;
        FailureKind kind;
        Outcome outcome;
        Attempt attempt;
    };
    for (const auto& [phase, kind, outcome, attempt] : std::vector<Case>{
             {Phase::resolve, FailureKind::dns, Outcome::unreachable, Attempt::connect_failed},
             {Phase::resolve, FailureKind::timeout, Outcome::unreachable, Attempt::timed_out},
             {Phase::connect, FailureKind::connect, Outcome::unreachable, Attempt::connect_failed},
             {Phase::connect, FailureKind::timeout, Outcome::unreachable, Attempt::timed_out},
             {Phase::connect, FailureKind::closed, Outcome::unreachable, Attempt::connect_failed},
             {Phase::handshake, FailureKind::certificate, Outcome::tls, Attempt::tls_failed},
             {Phase::handshake, FailureKind::handshake, Outcome::tls, Attempt::tls_failed},
             {Phase::handshake, FailureKind::timeout, Outcome::unreachable, Attempt::timed_out},
             {Phase::handshake, FailureKind::closed, Outcome::unreachable, Attempt::connect_failed},
             {Phase::receive, FailureKind::certificate, Outcome::tls, Attempt::tls_failed},
             {Phase::send, FailureKind::timeout, Outcome::interrupted, Attempt::timed_out},
             {Phase::send, FailureKind::closed, Outcome::interrupted, Attempt::disconnected},
             {Phase::receive, FailureKind::timeout, Outcome::interrupted, Attempt::timed_out},
             {Phase::receive, FailureKind::closed, Outcome::interrupted, Attempt::disconnected},
             {Phase::receive, FailureKind::truncated, Outcome::interrupted, Attempt::disconnected},
             {Phase::receive, FailureKind::malformed, Outcome::senseless, Attempt::senseless_answer},
             {Phase::receive, FailureKind::too_large, Outcome::senseless, Attempt::senseless_answer},
         }) {
        AnswerClass answer_class;
        classify_failure({phase, kind, false, false, ""}, answer_class);
        EXPECT_EQ(answer_class.outcome, outcome) << static_cast<int>(phase) << ' ' << static_cast<int>(kind);
        EXPECT_EQ(answer_class.attempt, attempt) << static_cast<int>(phase) << ' ' << static_cast<int>(kind);
    }
}

TEST(BackOff, DoublesUpToTheMaximumLessJitter) {
    EXPECT_EQ(back_off(1, milliseconds(1000), milliseconds(60'000), 0), milliseconds(1000));
    EXPECT_EQ(back_off(2, milliseconds(1000), milliseconds(60'000), 0), milliseconds(2000));
    EXPECT_EQ(back_off(5, milliseconds(1000), milliseconds(60'000), 0), milliseconds(16'000));
    EXPECT_EQ(back_off(7, milliseconds(1000), milliseconds(60'000), 0), milliseconds(60'000));
    EXPECT_EQ(back_off(1'000'000, milliseconds(1000), milliseconds(60'000), 0), milliseconds(60'000));
    EXPECT_EQ(back_off(2, milliseconds(1000), milliseconds(60'000), 0.5), milliseconds(1500));
    EXPECT_GT(back_off(2, milliseconds(1000), milliseconds(60'000), 0.999), milliseconds(1000));
    EXPECT_EQ(back_off(3, milliseconds(1000), milliseconds(500), 0), milliseconds(500));
    EXPECT_GE(back_off(1, milliseconds(0), milliseconds(0), 0), milliseconds(1));  // never a busy loop
}

}  // namespace
}  // namespace lihandover::delivery
