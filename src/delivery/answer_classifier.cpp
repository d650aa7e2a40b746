#include "answer_classifier.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "lihandover/hi1/error_codes.hpp"

namespace lihandover::delivery {

namespace {

ActionOutcome outcome_of(std::uint64_t code, const Known& known) {
    if (code == hi1::object_already_exists) {  // also where it is listed: trying again cannot change it
        return ActionOutcome::already_there;
    }
    if (std::ranges::find(known.retry_codes, code) != known.retry_codes.end()) {
        return ActionOutcome::transient;
    }
    switch (code) {
        case hi1::message_too_large:
            return ActionOutcome::too_large;
        default:
            break;
    }
    const auto* known_code = hi1::find_error_code(code);
    if (known_code == nullptr) {
        return ActionOutcome::refused;
    }
    if (known_code->retryable) {
        return ActionOutcome::transient;
    }
    switch (known_code->scope) {
        case hi1::ErrorScope::systems:
            return ActionOutcome::about_systems;
        case hi1::ErrorScope::action_or_systems:
            return known.ever_accepted ? ActionOutcome::refused : ActionOutcome::about_systems;
        case hi1::ErrorScope::moment:
            return ActionOutcome::transient;
        case hi1::ErrorScope::action:
        case hi1::ErrorScope::message:
            break;
    }
    return ActionOutcome::refused;
}

void set_evidence(AnswerClass& out, metrics::Attempt attempt, metrics::Pause symptom) {
    out.reach = Reach::reached;
    out.attempt = attempt;
    out.symptom = symptom;
}

/// Each of our actions by itself. Answers to actions that we did not ask for are passed over: they change nothing about
/// ours.
void classify_actions(hi1::Response& response, const Sent& sent, const Known& known, AnswerClass& out) {
    out.actions.assign(sent.objects.size(), {});
    std::vector<bool> seen(sent.objects.size());
    for (auto& answer : response.actions) {
        if (answer.action >= sent.objects.size()) {
            continue;
        }
        const auto index = static_cast<std::size_t>(answer.action);
        auto& action = out.actions[index];
        if (seen[index]) {  // answered twice: neither counts, even if they agree
            action = {};
            continue;
        }
        seen[index] = true;
        switch (answer.kind) {
            case hi1::ActionAnswer::Kind::accepted:
                if (answer.identifier == sent.objects[index]) {
                    action.outcome = ActionOutcome::accepted;
                }
                break;
            case hi1::ActionAnswer::Kind::refused:
                action.outcome = outcome_of(answer.error.code, known);
                action.error = std::move(answer.error);
                break;
            case hi1::ActionAnswer::Kind::unreadable:
                break;
        }
    }
    if (std::ranges::any_of(out.actions, [](const auto& one) { return one.outcome != ActionOutcome::unanswered; })) {
        out.reach = Reach::answered;
        out.attempt = metrics::Attempt::answered;
        out.symptom = metrics::Pause::refusals;
    }
}

void classify_response(std::string_view body, const Sent& sent, const Known& known, AnswerClass& out) {
    auto parsed = hi1::parse_response(body);
    if (!parsed) {
        return;
    }
    // An LEA that could not read the request draws a transaction of its own (TS 103 120 6.2.5), and on our connection
    // the error can be about nothing else. An answer to actions has to name ours.
    if (!parsed->message_error) {
        if (parsed->header.transaction == sent.transaction) {
            classify_actions(*parsed, sent, known, out);
        }
        return;
    }
    auto& error = *parsed->message_error;
    const auto outcome = outcome_of(error.code, known);
    set_evidence(out, metrics::Attempt::answered, metrics::Pause::refusals);
    out.too_large = outcome == ActionOutcome::too_large;
    out.judges_content = outcome != ActionOutcome::transient;
    out.refusal = {error.code, store::Refusal::Kind::hi1_error, std::move(error.description)};
}

metrics::Attempt attempt_of(unsigned status) {
    if (status < 400) {
        return metrics::Attempt::redirected;
    }
    if (status == 401 || status == 403) {
        return metrics::Attempt::unauthorised;
    }
    if (status == 408 || status == 429) {
        return metrics::Attempt::busy;
    }
    return status < 500 ? metrics::Attempt::client_error : metrics::Attempt::server_error;
}

void reset(AnswerClass& out) {
    out.actions.clear();
    out.too_large = false;
    out.judges_content = false;
    out.refusal = {};
    out.retry_after.reset();
    set_evidence(out, metrics::Attempt::senseless_answer, metrics::Pause::senseless_answer);
}

}  // namespace

metrics::Pause symptom_of(unsigned status) {
    if (status < 300 || status > 599) {
        return metrics::Pause::senseless_answer;
    }
    if (status < 400) {
        return metrics::Pause::redirect;
    }
    if (status == 401 || status == 403) {
        return metrics::Pause::credentials;
    }
    return status == 408 || status == 429 || status >= 500 ? metrics::Pause::unavailable : metrics::Pause::refusals;
}

bool judges_content(unsigned status) {
    static constexpr std::array<unsigned, 17> content = {400, 404, 405, 406, 409, 410, 411, 412, 413,
                                                         414, 415, 416, 417, 418, 422, 424, 431};
    return std::ranges::find(content, status) != content.end();
}

void classify_answer(unsigned status, std::string_view body, std::optional<std::string_view> retry_after,
                     const Sent& sent, const Known& known, model::Instant now, AnswerClass& out) {
    reset(out);
    if (status >= 200 && status < 300) {
        out.refusal = {status, store::Refusal::Kind::unreadable, {}};  // unless it turns out to be an answer
        classify_response(body, sent, known, out);
        return;
    }
    if (status < 200 || status > 599) {
        return;
    }
    set_evidence(out, attempt_of(status), symptom_of(status));
    out.refusal = {status, store::Refusal::Kind::http_status, {}};
    out.judges_content = judges_content(status);
    if (retry_after) {
        out.retry_after = parse_retry_after(*retry_after, now);
    }
}

void classify_failure(const http::Failure& failure, AnswerClass& out) {
    reset(out);
    out.refusal.kind = store::Refusal::Kind::no_answer;
    const bool connecting = failure.phase == http::Phase::resolve || failure.phase == http::Phase::connect ||
                            failure.phase == http::Phase::proxy || failure.phase == http::Phase::handshake;
    switch (failure.kind) {
        case http::FailureKind::certificate:
            out.attempt = metrics::Attempt::tls_failed;
            out.symptom = metrics::Pause::tls;
            out.reach = Reach::certificate;
            return;
        case http::FailureKind::handshake:
            out.attempt = metrics::Attempt::tls_failed;
            out.symptom = metrics::Pause::tls;
            out.reach = Reach::no_connection;
            return;
        case http::FailureKind::malformed:
        case http::FailureKind::too_large:
            out.refusal.kind = store::Refusal::Kind::unreadable;
            break;  // an answer, of a kind
        case http::FailureKind::timeout:
            set_evidence(out, metrics::Attempt::timed_out,
                         connecting ? metrics::Pause::unreachable : metrics::Pause::no_answer);
            break;
        case http::FailureKind::dns:
        case http::FailureKind::connect:
        case http::FailureKind::proxy:
            set_evidence(out, metrics::Attempt::connect_failed, metrics::Pause::unreachable);
            break;
        case http::FailureKind::closed:
        case http::FailureKind::truncated:
        case http::FailureKind::source:
        case http::FailureKind::cancelled:
            set_evidence(out, connecting ? metrics::Attempt::connect_failed : metrics::Attempt::disconnected,
                         connecting ? metrics::Pause::unreachable : metrics::Pause::no_answer);
            break;
    }
    if (connecting) {
        out.reach = Reach::no_connection;
    }
}

namespace {

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.front() == '-') {
        return std::nullopt;
    }
    return value;
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` in seconds since 1970. The obsolete forms of RFC 9110 5.6.7 are nobody's today.
std::optional<std::int64_t> parse_http_date(std::string_view text) {
    static constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" || text[7] != ' ' ||
        text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') {
        return std::nullopt;
    }
    const auto month = std::ranges::find(months, text.substr(8, 3));
    const auto day = number(text.substr(5, 2));
    const auto year = number(text.substr(12, 4));
    const auto hour = number(text.substr(17, 2));
    const auto minute = number(text.substr(20, 2));
    const auto second = number(text.substr(23, 2));
    if (month == months.end() || !day || !year || !hour || !minute || !second || *hour > 23 || *minute > 59 ||
        *second > 60) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(month - months.begin()) + 1),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) {
        return std::nullopt;
    }
    const auto days = std::chrono::sys_days(date).time_since_epoch().count();
    return std::int64_t{days} * 86'400 + std::int64_t{*hour} * 3'600 + std::int64_t{*minute} * 60 + *second;
}

}  // namespace

std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, model::Instant now) {
    if (text.empty()) {
        return std::nullopt;
    }
    std::int64_t wait = 0;
    if (std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wait);
        if (error != std::errc{}) {
            wait = std::numeric_limits<std::int64_t>::max();  // more than 18 digits
        }
    } else if (const auto date = parse_http_date(text)) {
        wait = *date - now.seconds;
    } else {
        return std::nullopt;
    }
    return std::chrono::seconds(std::clamp<std::int64_t>(wait, 0, max_retry_after.count()));
}

}  // namespace lihandover::delivery
