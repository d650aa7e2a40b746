#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/warrants/loader.hpp"

namespace lihandover::admin {

// What admin has to be told by the rest of the daemon. app implements it and knows where the answers come from.

/// How far the daemon's life has come, as far as the store does not decide it.
enum class Stage : std::uint8_t {
    starting,  ///< not everything is up yet
    running,
    stopping,  ///< asked to end
};

/// How delivery to one destination goes. Counts of waiting items come from the store, not from here.
struct DestinationStatus {
    std::string name;
    /// A paused destination accepts nothing and is probed, or an operator wants it so; an alarm.
    std::optional<metrics::Pause> paused;
    std::optional<model::Instant> paused_since;
    /// When a destination that is paused or backing off is tried again.
    std::optional<model::Instant> next_attempt;
    /// The last attempt's outcome where it was not a good one, and when; empty since the last good one.
    std::optional<metrics::Attempt> last_failure;
    std::optional<model::Instant> last_failure_at;
    /// When an item was last accepted.
    std::optional<model::Instant> last_success;
    /// Open connections.
    std::size_t connections = 0;
    /// How many of them the LEA seems to take.
    std::size_t connection_limit = 0;
    /// Items in messages that wait for their answer.
    std::size_t in_flight = 0;
    /// Items that failed where others were accepted, and are tried on; of many, some.
    std::vector<model::Uuid> suspects;
    /// Binary objects likewise, and those that are set aside.
    std::vector<model::Uuid> object_suspects;
    std::vector<model::Uuid> objects_set_aside;
    /// Bytes of binary objects sent for nothing: asked for by something before the LEA, and not wanted by it.
    std::uint64_t wasted_bytes = 0;
};

/// A reload that somebody asked for.
struct ReloadRequest {
    std::string who;
    /// Warrants whose files are gone end, however many they are (promise 10).
    bool confirm_ended = false;
};

/// A reload as it ended.
struct ReloadReport {
    metrics::ReloadOutcome outcome = metrics::ReloadOutcome::failed;
    model::Instant at;
    /// What is wrong, a sentence each, with file and place; values of the files may appear (config::check_text), so not
    /// for logs.
    std::vector<std::string> problems;
    std::size_t warrants_added = 0;
    std::size_t warrants_changed = 0;
    std::size_t warrants_ended = 0;
    std::size_t warrant_files_bad = 0;
};

struct Status {
    std::string version;
    Stage stage = Stage::starting;
    model::Instant started_at;
    std::vector<DestinationStatus> destinations;
    std::size_t warrants_pending = 0;
    std::size_t warrants_active = 0;
    std::size_t warrants_expired = 0;
    std::size_t warrant_files_bad = 0;
    /// The last reload, the first loading at start included.
    std::optional<ReloadReport> last_reload;
    /// Sentences on what an operator ought to look at (certificates about to end, disk nearly full, …). For the
    /// operator only: not logged from here.
    std::vector<std::string> alarms;
};

using WarrantList = std::vector<warrants::InForce>;

/// Asked on the thread that runs the Admin. Outlives it.
class Control {
  public:
    virtual ~Control() = default;
    /// Quick, no I/O: /readyz asks.
    [[nodiscard]] virtual Stage stage() const = 0;
    [[nodiscard]] virtual Status status() const = 0;
    /// Every warrant in force, in any order; a snapshot. nullptr before the first loading.
    [[nodiscard]] virtual std::shared_ptr<const WarrantList> warrants() const = 0;
    /// Starts a reload. `done` is called once, on any thread, also when another reload is running
    /// (after that and one of its own, or with `failed` and a sentence in `problems`).
    virtual void reload(ReloadRequest request, std::function<void(ReloadReport)> done) = 0;
    /// An operator says that the wall clock is right (promise 13).
    virtual void accept_clock() = 0;
    [[nodiscard]] virtual bool has_destination(const std::string& name) const = 0;
    /// Stops delivery to a destination on purpose, until resume_destination(). Admin has it stored before, so that it
    /// lasts over restarts.
    virtual void pause_destination(const std::string& name) = 0;
    /// Ends a pause, and whatever the LEA asked to wait for; tries at once.
    virtual void resume_destination(const std::string& name) = 0;
};

}  // namespace lihandover::admin
