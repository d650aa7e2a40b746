#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::delivery {

/// The state of pushing binary objects to one destination (Model B), as of now. Uploads pause separately: an LEA may
/// take messages and no objects.
struct UploadStatus {
    /// Objects that wait in memory, those set aside included.
    std::uint64_t waiting = 0;
    /// Objects being uploaded, or waiting for `100 Continue`.
    std::uint64_t running = 0;
    /// Open connections.
    std::uint64_t connections = 0;
    /// The LEA seems to take so many at a time.
    std::uint64_t connection_limit = 0;
    /// Set: nothing is accepted, or an operator paused it; an alarm.
    std::optional<metrics::Pause> paused;
    std::optional<model::Instant> paused_since;
    /// When uploads that are paused, backing off or told to wait are tried next.
    std::optional<model::Instant> next_attempt;
    /// When the LEA last took an object.
    std::optional<model::Instant> last_success;
    /// Objects that failed where others were accepted, and are not convicted yet; if there are many, some of them.
    std::vector<model::Uuid> suspects;
    /// Objects that are set aside; if there are many, some of them.
    std::vector<model::Uuid> set_aside;
    std::uint64_t set_aside_count = 0;
    /// Bytes sent in vain since the start: something before the LEA requested them, and the LEA did not want them.
    std::uint64_t wasted_bytes = 0;
};

/// The state of delivery to one destination, as of now.
struct DestinationStatus {
    std::string name;
    /// Items that wait in their lanes; neither those in flight nor those set aside.
    std::uint64_t waiting = 0;
    /// Items in messages that wait for their answer.
    std::uint64_t in_flight = 0;
    /// Open connections.
    std::uint64_t connections = 0;
    /// How many the LEA seems to accept; as many as configured unless further ones failed.
    std::uint64_t connection_limit = 0;
    /// Set: nothing is accepted, or an operator paused it; an alarm.
    std::optional<metrics::Pause> paused;
    std::optional<model::Instant> paused_since;
    /// When a destination that is paused, backing off or told to wait is tried next.
    std::optional<model::Instant> next_attempt;
    /// The outcome of the last message if it was not answered sensibly, and when; empty after a good one.
    std::optional<metrics::Attempt> last_failure;
    std::optional<model::Instant> last_failure_at;
    /// When an item was last accepted.
    std::optional<model::Instant> last_success;
    /// Items that failed where others were accepted, and are not convicted yet; if there are many, some of them.
    std::vector<model::Uuid> suspects;
    std::uint64_t suspect_count = 0;
    /// Items that are set aside; if there are many, some of them, and only those that were read since the start.
    std::vector<model::Uuid> set_aside;
    std::uint64_t set_aside_count = 0;
    UploadStatus uploads;
};

}  // namespace lihandover::delivery
