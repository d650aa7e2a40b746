#include "upload_classifier.hpp"

#include <algorithm>
#include <cstddef>

#include "answer_classifier.hpp"

namespace lihandover::delivery {

namespace {

constexpr std::size_t longest_type = 255;

UploadOutcome outcome_of(unsigned status, bool complete) {
    switch (status) {
        case 401:
        case 403:
            return UploadOutcome::credentials;
        case 404:  // it may still be processing the item that names the object
        case 409:
        case 417:
        case 425:
            return UploadOutcome::later;
        case 408:
            return UploadOutcome::unavailable;
        case 429:
            return UploadOutcome::busy;
        default:
            break;
    }
    if (status < 300) {
        return complete ? UploadOutcome::delivered : UploadOutcome::early;
    }
    return status < 500 ? UploadOutcome::refused : UploadOutcome::unavailable;
}

metrics::Upload metric_of(UploadOutcome outcome) {
    switch (outcome) {
        case UploadOutcome::delivered:
            return metrics::Upload::delivered;
        case UploadOutcome::early:
            return metrics::Upload::early;
        case UploadOutcome::refused:
            return metrics::Upload::refused;
        default:
            return metrics::Upload::not_yet;
    }
}

std::string_view problem_of(UploadOutcome outcome) {
    switch (outcome) {
        case UploadOutcome::early:
            return "success before the whole object was sent";
        case UploadOutcome::refused:
            return "refused by HTTP status";
        case UploadOutcome::later:
            return "not wanted yet";
        case UploadOutcome::busy:
            return "too many requests";
        case UploadOutcome::credentials:
            return "not authorised";
        default:
            return "not available";
    }
}

bool is_token_letter(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// Takes a token off the front; false when there is none.
bool take_token(std::string_view& text) {
    const auto end = std::ranges::find_if_not(text, is_token_letter);
    const auto size = static_cast<std::size_t>(end - text.begin());
    text.remove_prefix(size);
    return size > 0;
}

bool take_quoted(std::string_view& text) {
    text.remove_prefix(1);
    while (!text.empty()) {
        char c = text.front();
        text.remove_prefix(1);
        if (c == '"') {
            return true;
        }
        if (c == '\\') {
            if (text.empty()) {
                return false;
            }
            c = text.front();
            text.remove_prefix(1);
        }
        if ((c < ' ' && c != '\t') || c > '~') {
            return false;
        }
    }
    return false;
}

void skip_blanks(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

bool is_media_type(std::string_view text) {
    if (text.size() > longest_type || !take_token(text) || !text.starts_with('/')) {
        return false;
    }
    text.remove_prefix(1);
    if (!take_token(text)) {
        return false;
    }
    while (!text.empty()) {
        skip_blanks(text);
        if (!text.starts_with(';')) {
            return false;
        }
        text.remove_prefix(1);
        skip_blanks(text);
        if (!take_token(text) || !text.starts_with('=')) {
            return false;
        }
        text.remove_prefix(1);
        if (text.starts_with('"') ? !take_quoted(text) : !take_token(text)) {
            return false;
        }
    }
    return true;
}

}  // namespace

UploadClass classify_upload(const http::ExpectOutcome& outcome, model::Instant now) {
    UploadClass verdict;
    verdict.status = outcome.answer.status;
    verdict.outcome = outcome_of(verdict.status, outcome.complete);
    verdict.metric = metric_of(verdict.outcome);
    verdict.problem = problem_of(verdict.outcome);
    if (verdict.metric == metrics::Upload::not_yet) {
        if (const auto wish = outcome.answer.header("Retry-After")) {
            verdict.retry_after = parse_retry_after(*wish, now);
        }
    }
    return verdict;
}

UploadClass classify_upload(const http::Failure& failure) {
    UploadClass verdict;
    if (failure.kind == http::FailureKind::source) {
        verdict.outcome = UploadOutcome::unreadable;
        verdict.metric = metrics::Upload::unreadable;
        verdict.problem = "our copy cannot be read";
        return verdict;
    }
    if (failure.phase == http::Phase::await_continue && failure.kind == http::FailureKind::timeout) {
        verdict.outcome = UploadOutcome::later;
        verdict.metric = metrics::Upload::no_continue;
        verdict.problem = "no 100 Continue in time";
        return verdict;
    }
    AnswerClass answer_class;
    classify_failure(failure, answer_class);
    switch (answer_class.outcome) {
        case Outcome::tls:
            verdict.outcome = UploadOutcome::tls;
            verdict.problem = "TLS or certificates fail";
            break;
        case Outcome::unreachable:
            verdict.outcome = UploadOutcome::unreachable;
            verdict.problem = "no connection";
            break;
        default:
            verdict.problem = "no whole answer";
            break;
    }
    return verdict;
}

std::chrono::milliseconds answer_timeout(std::chrono::milliseconds timeout, std::uint64_t bytes) {
    // Bounded, since timers cannot count further than that by far: more than any object needs.
    static constexpr std::uint64_t longest = std::uint64_t{30} * 24 * 3600;
    return timeout + std::chrono::seconds(std::min(bytes / least_answer_rate, longest));
}

std::string_view safe_content_type(std::string_view given) {
    return is_media_type(given) ? given : std::string_view("application/octet-stream");
}

}  // namespace lihandover::delivery
