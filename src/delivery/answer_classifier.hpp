#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lihandover/hi1/message.hpp"
#include "lihandover/http/client.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::delivery {

// What an LEA's answer, or its absence, means (docs/delivery.md). Pure functions: what is then done about it
// depends on the history of lane and destination, which is the dispatcher's.

/// What the answer says about one action.
enum class Verdict : std::uint8_t {
    accepted,
    refused,     ///< an error whose code is not listed as worth retrying
    again,       ///< an error whose code is listed
    unanswered,  ///< not, twice, or not intelligibly answered: says nothing
};

struct ActionVerdict {
    Verdict verdict = Verdict::unanswered;
    hi1::ErrorInformation error;  ///< of refused and again
};

/// What became of a message as a whole.
enum class Outcome : std::uint8_t {
    answered,     ///< at least one action has an answer: see `actions`
    rejected,     ///< message-level error or a 4xx: about the message, and about its item only if that is a lone one
    unavailable,  ///< 5xx, 408, 429: the LEA cannot now
    interrupted,  ///< it may have arrived, but no whole answer came
    unreachable,  ///< no connection, nothing sent
    senseless,    ///< an answer, but not to this message or in no intelligible form
    credentials,  ///< 401, 403
    redirected,   ///< 3xx
    tls,          ///< certificates or TLS fail
};

struct AnswerClass {
    Outcome outcome = Outcome::senseless;
    metrics::Attempt attempt = metrics::Attempt::senseless_answer;
    /// Of `answered`: one for each action sent, in order.
    std::vector<ActionVerdict> actions;
    /// Of `rejected`: what is recorded should it turn out to be the item's fault.
    store::Refusal refusal;
    /// The LEA asked for patience; at most max_retry_after.
    std::optional<std::chrono::seconds> retry_after;
};

/// Longer wishes of an LEA are cut: nobody should be able to stop a destination for days with one header.
inline constexpr std::chrono::seconds max_retry_after = std::chrono::hours(1);

/// What was sent, as far as an answer has to fit it.
struct Sent {
    model::Uuid transaction;
    /// ObjectIdentifiers by ActionIdentifier.
    std::span<const model::Uuid> objects;
};

/// Judges an HTTP answer. `out` is reused.
///   retry_codes  retry.error_codes of the destination
///   now          for a Retry-After that names a date
void classify_answer(unsigned status, std::string_view body, std::optional<std::string_view> retry_after,
                     const Sent& sent, std::span<const std::uint32_t> retry_codes, model::Instant now,
                     AnswerClass& out);

/// Judges an exchange or connect that brought no answer.
void classify_failure(const http::Failure& failure, AnswerClass& out);

/// Retry-After: seconds or an IMF-fixdate (RFC 9110 10.2.3), within [0, max_retry_after]. nullopt for anything else.
[[nodiscard]] std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, model::Instant now);

/// How long to wait after `failures` (from 1) failures running: initial, doubled each time, at most maximum, of which
/// `dice` (uniform in [0, 1)) takes off up to half, so that what failed together does not come back together.
[[nodiscard]] std::chrono::milliseconds back_off(unsigned failures, std::chrono::milliseconds initial,
                                                 std::chrono::milliseconds maximum, double dice);

/// From 0 to 1, for what takes a `dice`.
[[nodiscard]] double jitter_dice();

}  // namespace lihandover::delivery
