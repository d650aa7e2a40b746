#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lihandover/hi1/message.hpp"
#include "lihandover/http/failure.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::delivery {

// What an LEA's answer, or its absence, says (docs/delivery.md). Pure functions: what follows from it also depends on
// the history of item and destination.

/// What the answer says about one action.
enum class ActionOutcome : std::uint8_t {
    accepted,
    already_there,  ///< 3010: the LEA has the object, from an earlier attempt if there was one
    refused,        ///< a final error
    transient,      ///< an error worth retrying: evidence
    about_systems,  ///< an error that concerns the two systems rather than the item: evidence
    too_large,      ///< 3022
    unanswered,     ///< not, twice, or not intelligibly answered: says nothing
};

struct ActionClass {
    ActionOutcome outcome = ActionOutcome::unanswered;
    hi1::ErrorInformation error;  ///< unless accepted or unanswered
};

/// How far an attempt got.
enum class Reach : std::uint8_t {
    answered,  ///< at least one action has an answer: see AnswerClass::actions
    reached,   ///< the LEA, or something before it, took the message or gave an answer that accepts nothing: evidence
    no_connection,  ///< nothing was sent
    certificate,    ///< nor will it be: a certificate is wrong, on either side
};

struct AnswerClass {
    Reach reach = Reach::reached;
    metrics::Attempt attempt = metrics::Attempt::senseless_answer;
    /// Why the destination pauses, if this is all that is known.
    metrics::Pause symptom = metrics::Pause::senseless_answer;
    /// Of `answered`: one for each action sent, in order.
    std::vector<ActionClass> actions;
    /// The whole message is too large for the LEA (3022).
    bool too_large = false;
    /// What is recorded if it turns out to be the item's fault, and whether the answer judges content: then the item
    /// becomes `refused`, otherwise it is set aside.
    store::Refusal refusal;
    bool judges_content = false;
    /// How long the LEA asked to wait, as it said; the caller bounds it.
    std::optional<std::chrono::seconds> retry_after;
};

/// Longer waits than this are not even read; what counts is bounded by retry.maximum.
inline constexpr std::chrono::seconds max_retry_after = std::chrono::hours(1);

/// What was sent, as far as an answer has to match it.
struct Sent {
    model::Uuid transaction;
    /// ObjectIdentifiers by ActionIdentifier.
    std::span<const model::Uuid> objects;
};

/// What is known about the destination.
struct Known {
    /// retry.error_codes: HI1 codes worth retrying besides those that always are.
    std::span<const std::uint32_t> retry_codes;
    /// An item was ever accepted. Otherwise a schema error (3020) may be about all of them.
    bool ever_accepted = false;
};

/// Classifies an HTTP answer. `out` is reused.
///   now  for a Retry-After that names a date
void classify_answer(unsigned status, std::string_view body, std::optional<std::string_view> retry_after,
                     const Sent& sent, const Known& known, model::Instant now, AnswerClass& out);

/// Classifies an exchange or connect that brought no answer.
void classify_failure(const http::Failure& failure, AnswerClass& out);

/// What an HTTP status other than 2xx says about a destination, if nothing better is known.
[[nodiscard]] metrics::Pause symptom_of(unsigned status);
/// Whether the status is a judgement on what was sent, rather than on the sender or the moment.
[[nodiscard]] bool judges_content(unsigned status);

/// Retry-After: seconds or an IMF-fixdate (RFC 9110 10.2.3), within [0, max_retry_after]. nullopt for anything else.
[[nodiscard]] std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, model::Instant now);

}  // namespace lihandover::delivery
