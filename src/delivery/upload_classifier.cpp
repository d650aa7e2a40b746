#include "upload_classifier.hpp"

#include <algorithm>
#include <cstddef>

#include "answer_classifier.hpp"
#include "lihandover/model/media_type.hpp"

namespace lihandover::delivery {

namespace {

UploadOutcome outcome_of(unsigned status, bool complete) {
    switch (status) {
        case 404:
        case 409:
        case 417:
        case 425:
            return UploadOutcome::not_yet;
        default:
            break;
    }
    if (status >= 200 && status < 300) {
        return complete ? UploadOutcome::delivered : UploadOutcome::early;
    }
    return UploadOutcome::failed;
}

std::string_view problem_of(UploadOutcome outcome, metrics::Pause symptom) {
    if (outcome == UploadOutcome::early) {
        return "success before the whole object was sent";
    }
    if (outcome == UploadOutcome::not_yet) {
        return "not wanted yet";
    }
    switch (symptom) {
        case metrics::Pause::credentials:
            return "not authorised";
        case metrics::Pause::redirect:
            return "redirected";
        case metrics::Pause::refusals:
            return "refused by HTTP status";
        default:
            return "not available";
    }
}

}  // namespace

UploadClass classify_upload(const http::ExpectOutcome& outcome, model::Instant now) {
    UploadClass out;
    out.status = outcome.answer.status;
    out.outcome = outcome_of(out.status, outcome.complete);
    out.symptom = symptom_of(out.status);
    out.judges_content = out.outcome == UploadOutcome::early || judges_content(out.status);
    out.problem = problem_of(out.outcome, out.symptom);
    if (out.outcome == UploadOutcome::delivered) {
        out.metric = metrics::Upload::delivered;
    } else if (out.outcome == UploadOutcome::early) {
        out.metric = metrics::Upload::early;
    } else {
        out.metric = metrics::Upload::not_yet;
        if (const auto wish = outcome.answer.header("Retry-After")) {
            out.retry_after = parse_retry_after(*wish, now);
        }
    }
    return out;
}

UploadClass classify_upload(const http::Failure& failure) {
    UploadClass out;
    if (failure.kind == http::FailureKind::source) {
        out.outcome = UploadOutcome::unreadable;
        out.metric = metrics::Upload::unreadable;
        out.problem = "our copy cannot be read";
        return out;
    }
    if (failure.phase == http::Phase::await_continue && failure.kind == http::FailureKind::timeout) {
        out.outcome = UploadOutcome::not_yet;
        out.metric = metrics::Upload::no_continue;
        out.problem = "no 100 Continue in time";
        return out;
    }
    AnswerClass answer;
    classify_failure(failure, answer);
    out.symptom = answer.symptom;
    switch (answer.reach) {
        case Reach::certificate:
            out.outcome = UploadOutcome::certificate;
            out.problem = "a certificate is wrong";
            break;
        case Reach::no_connection:
            out.outcome = UploadOutcome::no_connection;
            out.problem = "no connection";
            break;
        case Reach::answered:
        case Reach::reached:
            out.problem = "no whole answer";
            break;
    }
    return out;
}

std::chrono::milliseconds answer_timeout(std::chrono::milliseconds timeout, std::uint64_t bytes) {
    // Bounded, since timers cannot count further than that by far: more than any object needs.
    static constexpr std::uint64_t longest = std::uint64_t{30} * 24 * 3600;
    return timeout + std::chrono::seconds(std::min(bytes / least_answer_rate, longest));
}

std::string_view safe_content_type(std::string_view given) {
    return model::is_media_type(given) ? given : std::string_view("application/octet-stream");
}

}  // namespace lihandover::delivery
