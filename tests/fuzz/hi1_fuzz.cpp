// An LEA's answer to a message, and its classification. The first byte is about the HTTP answer, a line is its
// Retry-After, and the rest is the body. The same bytes are read as a request, as the test LEA would.

#include <array>
#include <string>
#include <vector>

#include "answer_classifier.hpp"
#include "fuzz.hpp"
#include "lihandover/hi1/request.hpp"
#include "lihandover/hi1/writer.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

constexpr std::array<unsigned, 16> statuses{200, 200, 200, 200, 200, 200, 201, 204,
                                            301, 400, 401, 404, 408, 429, 500, 503};

bool names(std::string_view body, const model::Uuid& id) {
    std::string lower(body);
    for (char& c : lower) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    return lower.find(id.to_string()) != std::string::npos;
}

// A document may write its digits as references; then nothing can be found in it.
bool is_plain(std::string_view body) {
    return body.find('&') == std::string_view::npos && body.find("<!") == std::string_view::npos &&
           body.find('\0') == std::string_view::npos && !body.starts_with("\xFF\xFE") && !body.starts_with("\xFE\xFF");
}

void check_response(std::string_view body) {
    const auto response = hi1::parse_response(body);
    if (!response) {
        must(fuzz::is_ascii_text(response.error().message), "a problem is a sentence of ours");
        return;
    }
    must(response->actions.size() <= hi1::max_actions, "actions have their bound");
    must(!response->message_error || response->actions.empty(), "an error of the message is all there is");
    const bool named = response->header.transaction != model::Uuid{};
    must(named || response->message_error, "actions are of a transaction");
    must(!named || !is_plain(body) || names(body, response->header.transaction), "the transaction is the document's");
    for (const auto& action : response->actions) {
        must(action.action <= hi1::max_number, "numbers have their bound");
        must(action.error.code <= hi1::max_number && action.error.description.size() <= hi1::max_description,
             "errors have their bounds");
        must(action.kind == hi1::ActionAnswer::Kind::refused || action.error == hi1::ErrorInformation{},
             "only a refusal has an error");
        if (action.kind == hi1::ActionAnswer::Kind::accepted && is_plain(body)) {
            must(names(body, action.identifier), "what is accepted is named");
        }
    }
}

void check_classification(unsigned status, std::string_view retry_after, std::string_view body) {
    // The ids of the kept inputs.
    static const model::Uuid transaction = *model::Uuid::parse("00000000-0000-4000-8000-000000000001");
    static const std::array<model::Uuid, 3> objects{*model::Uuid::parse("00000000-0000-4000-8000-00000000000a"),
                                                    *model::Uuid::parse("00000000-0000-4000-8000-00000000000b"),
                                                    *model::Uuid::parse("00000000-0000-4000-8000-00000000000c")};
    static constexpr std::array<std::uint32_t, 2> retry_codes{1001, 3001};
    delivery::AnswerClass answer;
    const delivery::Sent sent{.transaction = transaction, .objects = objects};
    delivery::classify_answer(status, body, retry_after, sent, {retry_codes, true}, {1'790'000'000, 0}, answer);
    must(!answer.retry_after || *answer.retry_after <= delivery::max_retry_after, "patience has its bound");
    must(!answer.retry_after || status < 200 || status >= 300, "no success asks for patience");
    if (answer.reach != delivery::Reach::answered) {
        must(std::ranges::all_of(answer.actions,
                                 [](const auto& one) { return one.outcome == delivery::ActionOutcome::unanswered; }),
             "outcomes of actions come with an answer only");
        return;
    }
    must(status >= 200 && status < 300, "what answers is a success");
    must(answer.actions.size() == objects.size(), "one outcome for each action");
    const auto response = hi1::parse_response(body);
    must(response && response->header.transaction == transaction, "what answers can be read and is about this message");
    bool any = false;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        const auto& outcome = answer.actions[i];
        std::size_t of_this = 0;
        std::size_t good = 0;
        for (const auto& action : response->actions) {
            of_this += action.action == i ? 1 : 0;
            const bool fits = action.action == i && action.kind == hi1::ActionAnswer::Kind::accepted;
            good += fits && action.identifier == objects.at(i) ? 1 : 0;
        }
        any = any || outcome.outcome != delivery::ActionOutcome::unanswered;
        const bool accepted = outcome.outcome == delivery::ActionOutcome::accepted;
        must(!accepted || (of_this == 1 && good == 1), "accepted is what the LEA accepted, once and by its id");
        const bool listed = outcome.error.code == retry_codes[0] || outcome.error.code == retry_codes[1];
        must(outcome.outcome != delivery::ActionOutcome::refused || !listed, "what is worth retrying is not final");
        must(outcome.outcome != delivery::ActionOutcome::already_there || outcome.error.code == 3010,
             "an object exists where the LEA says so");
    }
    must(any, "what answers has an answer");
}

void check_request(std::string_view body) {
    const auto request = hi1::read_request(body, 1U << 20U);
    if (!request) {
        return;
    }
    must(request->actions.size() <= hi1::max_actions, "actions have their bound");
    std::vector<hi1::ActionAnswer> answers;
    for (const auto& action : request->actions) {
        hi1::ActionAnswer answer;
        answer.action = action.action;
        const bool delivered = action.verb == hi1::Verb::deliver && action.identifier;
        answer.kind = delivered ? hi1::ActionAnswer::Kind::accepted : hi1::ActionAnswer::Kind::refused;
        answer.identifier = delivered ? *action.identifier : model::Uuid{};
        if (!delivered) {
            answer.error = {7, "not known"};
        }
        answers.push_back(answer);
    }
    if (answers.empty()) {
        return;
    }
    std::string out;
    hi1::append_response(out, request->header, {0, 0}, answers);
    const auto response = hi1::parse_response(out);
    must(response && response->header.transaction == request->header.transaction, "an answer of ours can be read");
    must(response->actions == answers, "and says what it was to say");
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const unsigned status = statuses.at(input.below(statuses.size()));
    const fuzz::Exact retry_after(input.line());
    const fuzz::Exact body(input.rest());
    check_response(body.view());
    check_classification(status, retry_after.view(), body.view());
    check_request(body.view());
}
