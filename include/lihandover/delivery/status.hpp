#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::delivery {

/// How the pushing of binary objects to one destination goes (Model B), as of now. It has pauses of its own: an LEA may
/// take messages and no objects.
struct UploadStatus {
    /// Objects that wait in memory, those set aside included.
    std::uint64_t waiting = 0;
    /// Objects being uploaded, or waiting for `100 Continue`.
    std::uint64_t running = 0;
    /// Open connections.
    std::uint64_t connections = 0;
    /// Set: nothing is taken, or an operator wants it so; an alarm.
    std::optional<metrics::Pause> paused;
    std::optional<model::Instant> paused_since;
    /// When uploads that are paused, backing off or told to wait are tried again.
    std::optional<model::Instant> next_attempt;
    /// When the LEA last took an object.
    std::optional<model::Instant> last_success;
    /// Objects that failed where others were taken, and that are not convicted yet; of many, some.
    std::vector<model::Uuid> suspects;
    /// Objects that are set aside; of many, some.
    std::vector<model::Uuid> set_aside;
    std::uint64_t set_aside_count = 0;
    /// Bytes sent for nothing since the start: something before the LEA asked for them, and the LEA did not want them.
    std::uint64_t wasted_bytes = 0;
};

/// How delivery to one destination goes, as of now.
struct DestinationStatus {
    std::string name;
    /// Items that wait in their lanes; not those in flight, nor those set aside.
    std::uint64_t waiting = 0;
    /// Items in messages that wait for their answer.
    std::uint64_t in_flight = 0;
    /// Open connections.
    std::uint64_t connections = 0;
    /// How many the LEA seems to take; as many as are configured unless further ones failed.
    std::uint64_t connection_limit = 0;
    /// Set: nothing is accepted, or an operator wants it so; an alarm.
    std::optional<metrics::Pause> paused;
    std::optional<model::Instant> paused_since;
    /// When a destination that is paused, backing off or told to wait is tried again.
    std::optional<model::Instant> next_attempt;
    /// The outcome of the last message where it was not answered with sense, and when; empty since the last good one.
    std::optional<metrics::Attempt> last_failure;
    std::optional<model::Instant> last_failure_at;
    /// When an item was last accepted.
    std::optional<model::Instant> last_success;
    /// Items that failed where others were accepted, and that are not convicted yet; of many, some.
    std::vector<model::Uuid> suspects;
    std::uint64_t suspect_count = 0;
    /// Items that are set aside; of many, some, and only such as were read since the start.
    std::vector<model::Uuid> set_aside;
    std::uint64_t set_aside_count = 0;
    UploadStatus uploads;
};

}  // namespace lihandover::delivery
