#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/config/configuration.hpp"
#include "lihandover/delivery/backlog.hpp"
#include "lihandover/delivery/status.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/store/types.hpp"
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

/// An operator's word that a warrant ends at once.
struct RevokeRequest {
    std::string destination;
    std::string liid;
    std::string reason;
    std::string who;
    /// What of it is queued or set aside is held until people decide, instead of going out.
    bool hold_queued = false;
};
enum class RevokeOutcome : std::uint8_t {
    revoked,    ///< durable, no event is matched with it any more, and nothing that is to be held begins to go out
    unknown,    ///< no such warrant is in force
    failed,     ///< not committed: it counts only if it turns out to be on disk once the store works; see the log
    not_tried,  ///< nothing changed, nor will it: the daemon stops, or does not know what came of another revocation
};

/// A warrant that waits for people's approval, or was refused it.
struct PendingWarrant {
    store::StoredPendingWarrant kept;
    warrants::WarrantPtr warrant;  ///< as its file has it
    warrants::WarrantPtr before;   ///< what is in force in its place meanwhile; null: nothing
};
using PendingList = std::vector<PendingWarrant>;  ///< in order of destinations and LIIDs

/// What one of the people says of a warrant that waits.
struct ApprovalRequest {
    std::string destination;
    std::string liid;
    bool approve = true;
    std::string reason;  ///< of a refusal
    std::uint32_t uid = 0;
    std::string who;
    std::string digest = {};  ///< in hex, of what was looked at; empty: whatever waits now
};
struct ApprovalAnswer {
    enum class Outcome : std::uint8_t {
        counted,    ///< stored; it waits for more people
        in_force,   ///< stored, and the warrant is in force
        refused,    ///< stored
        unknown,    ///< nothing of this name waits, or its file says something else by now
        own_file,   ///< whoever wrote the file may not approve it
        failed,     ///< nothing changed; see the log
        not_tried,  ///< as of RevokeOutcome
    } outcome = Outcome::failed;
    std::size_t approvals = 0;
    std::size_t needed = 0;
};

/// Which set of warrants is in force, where all daemons on one database have the same.
struct WarrantSet {
    std::uint64_t state = 0;    ///< of what all daemons follow (store::AppliedSet)
    std::uint64_t version = 0;  ///< 0: none was applied yet
    model::Instant at;
    std::string who;
};

/// A set of warrant files to be compared with what is in force, or put in its place.
struct WarrantSetRequest {
    struct File {
        std::string name;
        std::string text;
    };
    std::string place;  ///< stands before their names in what is said about them
    std::vector<File> files;
    bool confirm_ended = false;  ///< as of ReloadRequest
    std::uint32_t uid = 0;       ///< as the kernel has it
    std::string who;
};

/// What a set would change, or has changed. For the operator, not for logs: it has values of the files.
struct WarrantSetAnswer {
    enum class Outcome : std::uint8_t {
        done,         ///< it is as was asked
        bad,          ///< there are problems, and nothing was changed
        unconfirmed,  ///< too much would end at once (promise 10), and nothing was changed
        elsewhere,    ///< warrants are files of a directory here
        outdated,     ///< another set was applied meanwhile, and nothing was changed
        failed,       ///< not committed: it counts only if it turns out to be there; see the log
        not_tried,    ///< as of RevokeOutcome
    } outcome = Outcome::not_tried;
    enum class Kind : std::uint8_t { added, changed, ended, waits };
    struct Change {
        Kind kind{};
        std::string destination;
        std::string liid;
        std::string file;
        std::vector<std::string> difference;  ///< a line for each
    };
    std::uint64_t version = 0;          ///< that is the newest
    std::vector<std::string> problems;  ///< as of ReloadReport
    std::vector<Change> changes;
    std::vector<std::string> behind;  ///< daemons that do not match with it yet, and take nothing in by another
    std::vector<std::string> silent;  ///< those of which that is not known
    bool in_force = false;            ///< at this daemon
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

/// When a certificate or a revocation list ends that TLS works with.
struct CertificateStatus {
    metrics::CertificateRole role{};
    std::string name;  ///< of the listener or the destination
    metrics::CertificateKind kind{};
    std::size_t number = 1;  ///< in its file
    model::Instant not_after;
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
    /// An item that is held for review for longer is an alarm; nullopt: not known yet. What is held is the store's to
    /// say, not told here.
    std::optional<std::chrono::milliseconds> review_alarm;
    /// The last reload, or the loading at the start.
    std::optional<ReloadReport> last_reload;
    std::vector<CertificateStatus> certificates;  ///< the first to end first
    /// Sentences about what an operator should look at (certificates about to end, disk nearly full, …). For the
    /// operator only: not logged from here.
    std::vector<std::string> alarms;
};

using WarrantList = std::vector<warrants::InForce>;
using RevocationList = std::vector<store::StoredRevocation>;

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
    /// What operators have revoked while files still order it; as warrants().
    [[nodiscard]] virtual std::shared_ptr<const RevocationList> revocations() const = 0;
    /// Revokes a warrant, after any reload that is running. `done` is called once, on any thread.
    virtual void revoke(RevokeRequest request, std::function<void(RevokeOutcome)> done) = 0;
    /// What waits for people's approval; as warrants().
    [[nodiscard]] virtual std::shared_ptr<const PendingList> pending_warrants() const = 0;
    /// Approves or refuses a warrant, in turn with reloads. `done` is called once, on any thread.
    virtual void decide_warrant(ApprovalRequest request, std::function<void(ApprovalAnswer)> done) = 0;
    /// The set of warrants in force; null where they are files of a directory. A snapshot.
    [[nodiscard]] virtual std::shared_ptr<const WarrantSet> warrant_set() const { return nullptr; }
    /// False while another set than the newest is in force for longer than following it takes.
    [[nodiscard]] virtual bool follows_warrants() const { return true; }
    /// Compares a set of warrant files with what is in force, or applies it, in turn with reloads. `done` is called
    /// once, on any thread. Once a set is applied, nothing that is matched with an older one counts at any daemon.
    virtual void take_warrant_set(WarrantSetRequest request, bool apply,
                                  std::function<void(WarrantSetAnswer)> done) = 0;
    /// The group whose members may look at content; empty: nobody may.
    [[nodiscard]] virtual std::string reviewers() const = 0;
    /// The reviewers' page as the configuration has it now; nullopt: there is none.
    [[nodiscard]] virtual std::optional<config::Console> console() const = 0;
    /// An operator confirms that the wall clock is right (promise 13).
    virtual void accept_clock() = 0;
    [[nodiscard]] virtual bool has_destination(const std::string& name) const = 0;
    /// The LIIDs with the largest backlog. `done` is called once, on any thread.
    virtual void backlog(const delivery::BacklogRequest& request, delivery::BacklogDone done) const = 0;
    /// Stops delivery to a destination on purpose, until resume_destination(). Admin has it stored first, so that it
    /// lasts across restarts.
    virtual void pause_destination(const std::string& name) = 0;
    /// Ends a pause and any wait that the LEA asked for, and tries at once.
    virtual void resume_destination(const std::string& name) = 0;
};

}  // namespace lihandover::admin
