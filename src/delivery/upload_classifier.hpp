#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lihandover/http/client.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::delivery {

// What came of an attempt to push a binary object (TS 103 707 annex C, Model B). Pure functions: what is then done
// about it depends on the object's deadline and the destination's history.

/// What the attempt says.
enum class UploadOutcome : std::uint8_t {
    delivered,      ///< success, and the whole object went
    early,          ///< success before all of it went. What that means depends on the destination: else as `failed`
    not_yet,        ///< 404, 409, 417, 425, or no `100 Continue` in time: the LEA may still be processing the item
    failed,         ///< any other answer, or none: evidence
    no_connection,  ///< nothing was sent
    certificate,    ///< nor this time: a certificate is wrong, on either side
    unreadable,     ///< our own copy cannot be read
};

struct UploadClass {
    UploadOutcome outcome = UploadOutcome::failed;
    metrics::Upload metric = metrics::Upload::disconnected;
    /// Why uploads pause, should that be all it says.
    metrics::Pause symptom = metrics::Pause::no_answer;
    unsigned status = 0;  ///< of the answer; 0: there was none
    /// Of `failed` and `early`: the answer judges what was sent, so that the object becomes `refused` should it be to
    /// blame.
    bool judges_content = false;
    /// The LEA asked for patience, as it said; the caller bounds it.
    std::optional<std::chrono::seconds> retry_after;
    std::string_view problem;  ///< for the log; no LEA's word, no URL
};

/// Classifies an answer.
///   now  for a Retry-After that names a date
[[nodiscard]] UploadClass classify_upload(const http::ExpectOutcome& outcome, model::Instant now);
/// Classifies an attempt that brought none.
[[nodiscard]] UploadClass classify_upload(const http::Failure& failure);

/// What an LEA is trusted to check, copy and sync of an object before it answers, at least, in bytes per second.
inline constexpr std::uint64_t least_answer_rate = std::uint64_t{10} << 20;

/// How long the answer to an object of so many bytes is waited for once its last byte is sent.
///   timeout  the destination's, as for messages
[[nodiscard]] std::chrono::milliseconds answer_timeout(std::chrono::milliseconds timeout, std::uint64_t bytes);

/// The Content-Type to send for what a source called its type: itself where it is a media type with parameters as RFC
/// 9110 8.3.1 has them and no longer than 255 bytes, else `application/octet-stream`.
[[nodiscard]] std::string_view safe_content_type(std::string_view given);

}  // namespace lihandover::delivery
