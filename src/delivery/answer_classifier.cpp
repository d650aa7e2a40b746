#include "answer_classifier.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "lihandover/model/uuid.hpp"

namespace lihandover::delivery {

namespace {

void set(AnswerClass& out, Outcome outcome, metrics::Attempt attempt) {
    out.outcome = outcome;
    out.attempt = attempt;
}

bool is_listed(std::uint64_t code, std::span<const std::uint32_t> codes) {
    return std::ranges::find(codes, code) != codes.end();
}

void classify_error(hi1::ErrorInformation error, std::span<const std::uint32_t> retry_codes, ActionVerdict& out) {
    out.verdict = is_listed(error.code, retry_codes) ? Verdict::again : Verdict::refused;
    out.error = std::move(error);
}

/// Each of our actions by itself. Answers to actions that we did not ask for are passed over: they change nothing about
/// ours.
void classify_actions(hi1::Response& response, const Sent& sent, std::span<const std::uint32_t> retry_codes,
                      AnswerClass& out) {
    out.actions.assign(sent.objects.size(), {});
    std::vector<bool> seen(sent.objects.size());
    bool any = false;
    for (auto& answer : response.actions) {
        if (answer.action >= sent.objects.size()) {
            continue;
        }
        const auto index = static_cast<std::size_t>(answer.action);
        auto& verdict = out.actions[index];
        if (seen[index]) {  // answered twice: neither counts, even if they agree
            verdict = {};
            continue;
        }
        seen[index] = true;
        switch (answer.kind) {
            case hi1::ActionAnswer::Kind::accepted:
                if (answer.identifier == sent.objects[index]) {
                    verdict.verdict = Verdict::accepted;
                }
                break;
            case hi1::ActionAnswer::Kind::refused:
                classify_error(std::move(answer.error), retry_codes, verdict);
                break;
            case hi1::ActionAnswer::Kind::unreadable:
                break;
        }
    }
    for (const auto& action : out.actions) {
        any = any || action.verdict != Verdict::unanswered;
    }
    if (any) {
        set(out, Outcome::answered, metrics::Attempt::answered);
    }
}

void classify_response(std::string_view body, const Sent& sent, std::span<const std::uint32_t> retry_codes,
                       AnswerClass& out) {
    auto parsed = hi1::parse_response(body);
    if (!parsed || parsed->header.transaction != sent.transaction) {
        return;
    }
    if (!parsed->message_error) {
        classify_actions(*parsed, sent, retry_codes, out);
        return;
    }
    auto& error = *parsed->message_error;
    if (is_listed(error.code, retry_codes)) {
        out.actions.assign(sent.objects.size(), {Verdict::again, error});
        set(out, Outcome::answered, metrics::Attempt::answered);
        return;
    }
    set(out, Outcome::rejected, metrics::Attempt::answered);
    out.refusal = {error.code, store::Refusal::Kind::hi1_error, std::move(error.description)};
}

}  // namespace

void classify_answer(unsigned status, std::string_view body, std::optional<std::string_view> retry_after,
                     const Sent& sent, std::span<const std::uint32_t> retry_codes, model::Instant now,
                     AnswerClass& out) {
    out.actions.clear();
    out.refusal = {};
    out.retry_after.reset();
    set(out, Outcome::senseless, metrics::Attempt::senseless_answer);
    if (status == 200) {
        classify_response(body, sent, retry_codes, out);
        return;
    }
    if (status < 300 || status > 599) {  // another success says nothing about the actions
        return;
    }
    if (status < 400) {
        set(out, Outcome::redirected, metrics::Attempt::redirected);
        return;
    }
    if (status == 401 || status == 403) {
        set(out, Outcome::credentials, metrics::Attempt::unauthorised);
        return;
    }
    const bool busy = status == 408 || status == 429;
    if (busy || status >= 500) {
        set(out, Outcome::unavailable, busy ? metrics::Attempt::busy : metrics::Attempt::server_error);
        if (retry_after) {
            out.retry_after = parse_retry_after(*retry_after, now);
        }
        if (status == 429 && !out.retry_after) {
            out.retry_after = std::chrono::seconds(0);  // too many requests is about all of ours
        }
        return;
    }
    set(out, Outcome::rejected, metrics::Attempt::client_error);
    out.refusal = {status, store::Refusal::Kind::http_status, {}};
}

void classify_failure(const http::Failure& failure, AnswerClass& out) {
    out.actions.clear();
    out.refusal = {};
    out.retry_after.reset();
    const bool connecting = failure.phase == http::Phase::resolve || failure.phase == http::Phase::connect ||
                            failure.phase == http::Phase::proxy || failure.phase == http::Phase::handshake;
    switch (failure.kind) {
        case http::FailureKind::certificate:
        case http::FailureKind::handshake:
            set(out, Outcome::tls, metrics::Attempt::tls_failed);
            return;
        case http::FailureKind::malformed:
        case http::FailureKind::too_large:
            set(out, Outcome::senseless, metrics::Attempt::senseless_answer);
            return;
        case http::FailureKind::timeout:
            set(out, connecting ? Outcome::unreachable : Outcome::interrupted, metrics::Attempt::timed_out);
            return;
        case http::FailureKind::dns:
        case http::FailureKind::connect:
        case http::FailureKind::proxy:
            set(out, Outcome::unreachable, metrics::Attempt::connect_failed);
            return;
        case http::FailureKind::closed:
        case http::FailureKind::truncated:
        case http::FailureKind::source:
        case http::FailureKind::cancelled:
            break;
    }
    // A peer that closes during the handshake says nothing about certificates: so does a load balancer with nobody
    // behind it.
    set(out, connecting ? Outcome::unreachable : Outcome::interrupted,
        connecting ? metrics::Attempt::connect_failed : metrics::Attempt::disconnected);
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

std::chrono::milliseconds back_off(unsigned failures, std::chrono::milliseconds initial,
                                   std::chrono::milliseconds maximum, double dice) {
    auto delay = initial;
    for (unsigned i = 1; i < failures && delay < maximum; ++i) {
        delay *= 2;
    }
    delay = std::min(delay, maximum);
    const auto less = static_cast<std::int64_t>(static_cast<double>(delay.count()) * dice / 2.0);
    return std::max(delay - std::chrono::milliseconds(less), std::chrono::milliseconds(1));
}

double jitter_dice() {
    static constexpr std::uint64_t sides = std::uint64_t{1} << 20;
    return static_cast<double>(model::random_below(sides)) / static_cast<double>(sides);
}

}  // namespace lihandover::delivery
