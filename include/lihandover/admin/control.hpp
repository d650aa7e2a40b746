#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/delivery/status.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/warrants/loader.hpp"

namespace lihandover::admin {

// What admin asks of the rest of the daemon. app implements it and knows where the answers come from.

/// How far the daemon has come in its life, apart from what the store decides.
enum class Stage : std::uint8_t {
    starting,  ///< not everything is up yet
    running,
    stopping,  ///< asked to end
};

/// A reload that an operator or a signal asked for.
struct ReloadRequest {
    std::string who;
    /// Warrants whose files are gone end, however many there are (promise 10).
    bool confirm_ended = false;
};

/// The result of a reload.
struct ReloadReport {
    metrics::ReloadOutcome outcome = metrics::ReloadOutcome::failed;
    model::Instant at;
    /// What is wrong, one sentence each, with file and place. They may contain values of the files
    /// (config::check_text), so they are not for logs.
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
    /// Counts of waiting items come from the store, not from here.
    std::vector<delivery::DestinationStatus> destinations;
    std::size_t warrants_pending = 0;
    std::size_t warrants_active = 0;
    std::size_t warrants_expired = 0;
    std::size_t warrant_files_bad = 0;
    /// The last reload, or the loading at the start.
    std::optional<ReloadReport> last_reload;
    /// Sentences about what an operator should look at (certificates about to end, disk nearly full, …). For the
    /// operator only: not logged from here.
    std::vector<std::string> alarms;
};

using WarrantList = std::vector<warrants::InForce>;

/// Called on the thread that runs the Admin. Outlives it.
class Control {
  public:
    virtual ~Control() = default;
    /// Quick, no I/O: /readyz calls it.
    [[nodiscard]] virtual Stage stage() const = 0;
    [[nodiscard]] virtual Status status() const = 0;
    /// Every warrant in force, in any order; a snapshot. nullptr before the first loading.
    [[nodiscard]] virtual std::shared_ptr<const WarrantList> warrants() const = 0;
    /// Starts a reload. `done` is called once, on any thread. If another reload is running, it is called after that one
    /// and a further one, or with `failed` and a sentence in `problems`.
    virtual void reload(ReloadRequest request, std::function<void(ReloadReport)> done) = 0;
    /// An operator confirms that the wall clock is right (promise 13).
    virtual void accept_clock() = 0;
    [[nodiscard]] virtual bool has_destination(const std::string& name) const = 0;
    /// Stops delivery to a destination on purpose, until resume_destination(). Admin has it stored first, so that it
    /// lasts across restarts.
    virtual void pause_destination(const std::string& name) = 0;
    /// Ends a pause and any wait that the LEA asked for, and tries at once.
    virtual void resume_destination(const std::string& name) = 0;
};

}  // namespace lihandover::admin
