#include "answer_classifier.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "back_off.hpp"
#include "lihandover/hi1/message.hpp"
#include "lihandover/hi1/writer.hpp"

namespace lihandover::delivery {

void PrintTo(Reach reach, std::ostream* out) {
    *out << "reach " << static_cast<int>(reach);
}
void PrintTo(ActionOutcome outcome, std::ostream* out) {
    *out << "outcome " << static_cast<int>(outcome);
}

namespace {

using metrics::Attempt;
using metrics::Pause;
using Action = ActionOutcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = hi1::ActionAnswer::Kind;

constexpr std::array<std::uint32_t, 3> retry_codes = {3010, 3050, 3051};
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
    const AnswerClass& classify(unsigned status, std::string_view body,
                                std::optional<std::string_view> retry_after = std::nullopt) {
        classify_answer(status, body, retry_after, {transaction_, objects_}, {retry_codes, ever_accepted_}, now,
                        class_);
        return class_;
    }
    std::vector<Action> outcomes(const std::vector<hi1::ActionAnswer>& answers) {
        classify(200, response(answers));
        std::vector<Action> all;
        for (const auto& action : class_.actions) {
            all.push_back(action.outcome);
        }
        return all;
    }

    model::Uuid transaction_ = model::Uuid::random();
    std::vector<model::Uuid> objects_;
    bool ever_accepted_ = true;
    AnswerClass class_;
};

TEST_F(ClassifyAnswer, EachActionByItself) {
    EXPECT_EQ(outcomes({accepted(0), refused(1, 3007), refused(2, 3051)}),
              (std::vector{Action::accepted, Action::refused, Action::transient}));
    EXPECT_EQ(class_.reach, Reach::answered);
    EXPECT_EQ(class_.attempt, Attempt::answered);
    EXPECT_EQ(class_.actions[1].error.code, 3007U);
    EXPECT_EQ(class_.actions[1].error.description, "words");
}

TEST_F(ClassifyAnswer, CodesMeanWhatTheStandardSays) {
    const auto of = [this](std::uint64_t code) { return outcomes({refused(0, code)}).front(); };
    for (const std::uint64_t code : {3000U, 3001U, 3002U, 3005U, 3006U, 3007U, 3009U, 3014U, 3018U}) {
        EXPECT_EQ(of(code), Action::refused) << code;
    }
    EXPECT_EQ(of(3003), Action::transient);
    EXPECT_EQ(of(3004), Action::about_systems);
    EXPECT_EQ(of(3010), Action::already_there) << "listed or not";
    EXPECT_EQ(of(3019), Action::about_systems);
    EXPECT_EQ(of(3021), Action::about_systems);
    EXPECT_EQ(of(3022), Action::too_large);
    EXPECT_EQ(of(3020), Action::refused);
    ever_accepted_ = false;
    EXPECT_EQ(of(3020), Action::about_systems) << "the LEA may lack a schema";
    EXPECT_EQ(of(500), Action::refused) << "a code of nobody's table";
    EXPECT_EQ(of(3050), Action::transient) << "listed in retry.error_codes";
}

TEST_F(ClassifyAnswer, AnswersMayComeInAnyOrder) {
    EXPECT_EQ(outcomes({refused(2, 1), accepted(0), accepted(1)}),
              (std::vector{Action::accepted, Action::accepted, Action::refused}));
}

TEST_F(ClassifyAnswer, UnansweredTwiceAnsweredAndMisfitting) {
    auto wrong = accepted(1);
    wrong.identifier = objects_[2];
    const std::vector<std::pair<std::vector<hi1::ActionAnswer>, std::vector<Action>>> cases = {
        {{accepted(0), accepted(2)}, {Action::accepted, Action::unanswered, Action::accepted}},
        {{accepted(0), accepted(1), accepted(1), accepted(2)},
         {Action::accepted, Action::unanswered, Action::accepted}},
        {{accepted(0), accepted(1), refused(1, 3007), accepted(2)},
         {Action::accepted, Action::unanswered, Action::accepted}},
        {{accepted(0), refused(1, 3007), refused(1, 3007), refused(1, 3007)},
         {Action::accepted, Action::unanswered, Action::unanswered}},
        {{accepted(0), wrong, accepted(2)}, {Action::accepted, Action::unanswered, Action::accepted}},
        {{accepted(0), accepted(1), accepted(2), {7, Kind::accepted, objects_[0], {}}},
         {Action::accepted, Action::accepted, Action::accepted}},
        // An LEA that takes the first action of a batch only, and mixes up code and identifier as it says so.
        {{accepted(0), refused(1, 3007), {3007, Kind::refused, {}, {2, "words"}}},
         {Action::accepted, Action::refused, Action::unanswered}},
    };
    for (const auto& [answers, expected] : cases) {
        EXPECT_EQ(outcomes(answers), expected);
        EXPECT_EQ(class_.reach, Reach::answered);
    }
}

TEST_F(ClassifyAnswer, AnAnswerWithoutASingleFittingActionMakesNoSense) {
    for (const auto& answers : {std::vector<hi1::ActionAnswer>{{9, Kind::accepted, objects_[0], {}}},
                                std::vector<hi1::ActionAnswer>{{0, Kind::accepted, model::Uuid::random(), {}}}}) {
        EXPECT_EQ(classify(200, response(answers)).reach, Reach::reached);
        EXPECT_EQ(class_.attempt, Attempt::senseless_answer);
        EXPECT_EQ(class_.symptom, Pause::senseless_answer);
    }
}

TEST_F(ClassifyAnswer, AMessageLevelErrorIsEvidenceWhateverItsTransaction) {
    for (const bool foreign : {false, true}) {
        const auto body = error_response(3007);
        if (foreign) {
            transaction_ = model::Uuid::random();
        }
        EXPECT_EQ(classify(200, body).reach, Reach::reached);
        EXPECT_EQ(class_.attempt, Attempt::answered);
        EXPECT_EQ(class_.symptom, Pause::refusals);
        EXPECT_TRUE(class_.judges_content);
        EXPECT_EQ(class_.refusal.code, 3007U);
        EXPECT_EQ(class_.refusal.kind, store::Refusal::Kind::hi1_error);
        EXPECT_EQ(class_.refusal.words, "words");
    }
    EXPECT_FALSE(classify(200, error_response(3050)).judges_content) << "worth retrying";
    EXPECT_TRUE(classify(200, error_response(3022)).too_large);
}

TEST_F(ClassifyAnswer, ActionsOfAnotherTransactionAreNotOurs) {
    const auto body = response({accepted(0), accepted(1), accepted(2)});
    transaction_ = model::Uuid::random();
    EXPECT_EQ(classify(200, body).attempt, Attempt::senseless_answer);
    EXPECT_TRUE(class_.actions.empty());
}

TEST_F(ClassifyAnswer, AGoodBodyCountsUnderAnySuccess) {
    const auto good = response({accepted(0), accepted(1), accepted(2)});
    for (const unsigned status : {200U, 201U, 202U, 203U, 299U}) {
        EXPECT_EQ(classify(status, good).reach, Reach::answered) << status;
    }
    EXPECT_EQ(classify(204, "").attempt, Attempt::senseless_answer);
}

TEST_F(ClassifyAnswer, UnreadableBodies) {
    const auto good = response({accepted(0), accepted(1), accepted(2)});
    for (const std::string& body :
         {std::string(), std::string("OK"), std::string("<html>busy</html>"), good.substr(0, good.size() - 5),
          std::string("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
          std::string(hi1::max_response_size + 1, ' ')}) {
        EXPECT_EQ(classify(200, body).reach, Reach::reached);
        EXPECT_EQ(class_.attempt, Attempt::senseless_answer);
        EXPECT_FALSE(class_.judges_content);
    }
}

TEST_F(ClassifyAnswer, Statuses) {
    struct Case {
        unsigned status;
        Pause symptom;
        Attempt attempt;
        bool judges;
    };
    for (const auto& [status, symptom, attempt, judges] : std::vector<Case>{
             {101, Pause::senseless_answer, Attempt::senseless_answer, false},
             {301, Pause::redirect, Attempt::redirected, false},
             {302, Pause::redirect, Attempt::redirected, false},
             {308, Pause::redirect, Attempt::redirected, false},
             {400, Pause::refusals, Attempt::client_error, true},
             {401, Pause::credentials, Attempt::unauthorised, false},
             {403, Pause::credentials, Attempt::unauthorised, false},
             {404, Pause::refusals, Attempt::client_error, true},
             {407, Pause::refusals, Attempt::client_error, false},
             {408, Pause::unavailable, Attempt::busy, false},
             {409, Pause::refusals, Attempt::client_error, true},
             {410, Pause::refusals, Attempt::client_error, true},
             {413, Pause::refusals, Attempt::client_error, true},
             {415, Pause::refusals, Attempt::client_error, true},
             {421, Pause::refusals, Attempt::client_error, false},
             {422, Pause::refusals, Attempt::client_error, true},
             {429, Pause::unavailable, Attempt::busy, false},
             {500, Pause::unavailable, Attempt::server_error, false},
             {503, Pause::unavailable, Attempt::server_error, false},
             {599, Pause::unavailable, Attempt::server_error, false},
             {600, Pause::senseless_answer, Attempt::senseless_answer, false},
         }) {
        const auto good = response({accepted(0), accepted(1), accepted(2)});
        EXPECT_EQ(classify(status, good).reach, Reach::reached) << status;
        EXPECT_EQ(class_.symptom, symptom) << status;
        EXPECT_EQ(class_.attempt, attempt) << status;
        EXPECT_EQ(class_.judges_content, judges) << status;
        EXPECT_TRUE(class_.actions.empty()) << status;
    }
}

TEST_F(ClassifyAnswer, AClassIsNotMixedUpWithTheOneBefore) {
    classify(400, "");
    classify(503, "", "7");
    EXPECT_EQ(class_.refusal.code, 503U);
    EXPECT_FALSE(class_.judges_content);
    EXPECT_EQ(class_.retry_after, seconds(7));
    classify(200, response({accepted(0), accepted(1), accepted(2)}));
    EXPECT_FALSE(class_.retry_after);
    classify_failure({http::Phase::receive, http::FailureKind::timeout, false, false, ""}, class_);
    EXPECT_TRUE(class_.actions.empty());
}

TEST_F(ClassifyAnswer, RetryAfterIsReadOfWhatIsNoSuccess) {
    EXPECT_EQ(classify(503, "", "120").retry_after, seconds(120));
    EXPECT_EQ(classify(429, "", "5").retry_after, seconds(5));
    EXPECT_EQ(classify(429, "").retry_after, std::nullopt);
    EXPECT_EQ(classify(503, "", "soon").retry_after, std::nullopt);
    EXPECT_EQ(classify(200, "", "120").retry_after, std::nullopt);
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

TEST(ClassifyFailure, SaysWhetherThereWasNoAnswerOrOneThatCannotBeRead) {
    using Recorded = store::Refusal::Kind;
    AnswerClass out;
    for (const auto& [kind, recorded] : {std::pair(http::FailureKind::closed, Recorded::no_answer),
                                         std::pair(http::FailureKind::timeout, Recorded::no_answer),
                                         std::pair(http::FailureKind::truncated, Recorded::no_answer),
                                         std::pair(http::FailureKind::malformed, Recorded::unreadable),
                                         std::pair(http::FailureKind::too_large, Recorded::unreadable)}) {
        http::Failure failure;
        failure.phase = http::Phase::receive;
        failure.kind = kind;
        classify_failure(failure, out);
        EXPECT_EQ(out.refusal.kind, recorded);
        EXPECT_EQ(out.refusal.code, 0U);
    }
    classify_answer(200, "<html/>", {}, {}, {}, {}, out);
    EXPECT_EQ(out.refusal.kind, Recorded::unreadable);
    EXPECT_EQ(out.refusal.code, 200U);
}

TEST(ClassifyFailure, Table) {
    using http::FailureKind;
    using http::Phase;
    struct Case {
        Phase phase;
        FailureKind kind;
        Reach reach;
        Attempt attempt;
        Pause symptom;
    };
    for (const auto& [phase, kind, reach, attempt, symptom] : std::vector<Case>{
             {Phase::resolve, FailureKind::dns, Reach::no_connection, Attempt::connect_failed, Pause::unreachable},
             {Phase::resolve, FailureKind::timeout, Reach::no_connection, Attempt::timed_out, Pause::unreachable},
             {Phase::connect, FailureKind::connect, Reach::no_connection, Attempt::connect_failed, Pause::unreachable},
             {Phase::connect, FailureKind::timeout, Reach::no_connection, Attempt::timed_out, Pause::unreachable},
             {Phase::connect, FailureKind::closed, Reach::no_connection, Attempt::connect_failed, Pause::unreachable},
             {Phase::handshake, FailureKind::certificate, Reach::certificate, Attempt::tls_failed, Pause::tls},
             {Phase::handshake, FailureKind::handshake, Reach::no_connection, Attempt::tls_failed, Pause::tls},
             {Phase::handshake, FailureKind::timeout, Reach::no_connection, Attempt::timed_out, Pause::unreachable},
             {Phase::handshake, FailureKind::closed, Reach::no_connection, Attempt::connect_failed, Pause::unreachable},
             {Phase::receive, FailureKind::certificate, Reach::certificate, Attempt::tls_failed, Pause::tls},
             {Phase::send, FailureKind::timeout, Reach::reached, Attempt::timed_out, Pause::no_answer},
             {Phase::send, FailureKind::closed, Reach::reached, Attempt::disconnected, Pause::no_answer},
             {Phase::receive, FailureKind::timeout, Reach::reached, Attempt::timed_out, Pause::no_answer},
             {Phase::receive, FailureKind::truncated, Reach::reached, Attempt::disconnected, Pause::no_answer},
             {Phase::receive, FailureKind::malformed, Reach::reached, Attempt::senseless_answer,
              Pause::senseless_answer},
             {Phase::receive, FailureKind::too_large, Reach::reached, Attempt::senseless_answer,
              Pause::senseless_answer},
         }) {
        AnswerClass answer;
        classify_failure({phase, kind, false, false, ""}, answer);
        EXPECT_EQ(answer.reach, reach) << static_cast<int>(phase) << ' ' << static_cast<int>(kind);
        EXPECT_EQ(answer.attempt, attempt) << static_cast<int>(phase) << ' ' << static_cast<int>(kind);
        EXPECT_EQ(answer.symptom, symptom) << static_cast<int>(phase) << ' ' << static_cast<int>(kind);
        EXPECT_FALSE(answer.judges_content);
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
