#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/store/operator_view.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/register.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

struct Options {
    std::filesystem::path directory;          ///< state_dir; exists, mode 0700, held by one daemon only
    std::uint64_t max_bytes = 0;              ///< store.max_bytes; 0: no limit
    std::chrono::seconds record_retention{};  ///< 0: records are kept for ever
    std::chrono::seconds repeat_memory{std::chrono::hours(7 * 24)};  ///< how long repeats are recognised at least
    /// store.commit_timeout: a commit or sync that takes longer counts as hanging (Store::turns); 0: none does.
    std::chrono::milliseconds commit_timeout{std::chrono::seconds(10)};
};

using Listener = OutboxListener;

/// Reads the store beside the writer, on a connection of its own. One object per thread; calls block on the disk.
class Reader {
  public:
    virtual ~Reader() = default;
    /// Items by row, in the order asked for; rows that are gone are left out.
    [[nodiscard]] virtual model::Result<std::vector<StoredItem>> load(std::span<const RowId> rows) = 0;
    /// Calls `visit` for every queued item in row order; how delivery builds its lanes at start.
    [[nodiscard]] virtual model::Status for_each_queued(const std::function<void(const QueuedItem&)>& visit) = 0;
    /// A page of items in row order after `after` (0: from the start), at most `limit`, of one state or of all that
    /// wait when nullopt. `delivered` and `rejected` come from the records.
    [[nodiscard]] virtual model::Result<std::vector<ItemView>> items(std::optional<ItemState> state, RowId after,
                                                                     std::size_t limit) = 0;
    /// One item by ObjectIdentifier; a scan, for an operator's eyes. nullopt when unknown.
    [[nodiscard]] virtual model::Result<std::optional<ItemView>> find(const model::Uuid& object_id) = 0;
    /// Records after `after`, oldest first.
    [[nodiscard]] virtual model::Result<std::vector<Record>> records(std::int64_t after, std::size_t limit) = 0;
    /// When the oldest queued item of a destination was received; nullopt when none waits. Costs a scan up to it.
    [[nodiscard]] virtual model::Result<std::optional<model::Instant>> oldest(std::string_view destination) = 0;
    /// A binary object by the id in its URL; nullopt when unknown or ended. One look into an index, whatever the
    /// answer.
    [[nodiscard]] virtual model::Result<std::optional<StoredObject>> object(const model::Uuid& id) = 0;
    /// Calls `visit` for every object that is to be pushed; how delivery begins.
    [[nodiscard]] virtual model::Status for_each_upload(const std::function<void(const QueuedObject&)>& visit) = 0;
    [[nodiscard]] virtual model::Status for_each_set_aside(const std::function<void(const QueuedItem&)>& /*visit*/) {
        return {};
    }
    [[nodiscard]] virtual model::Status for_each_upload_set_aside(
        const std::function<void(const QueuedObject&)>& /*visit*/) {
        return {};
    }
};

class InterfacesOfStore;

/// The durable state: SQLite in WAL mode with synchronous=FULL, written by one thread that commits whatever has
/// gathered while the last commit ran (group commit, no timed delay).
///
/// Thread-safe unless said otherwise. `done` callbacks run on the writer thread and must be quick; async.hpp has an
/// awaitable form. The writer commits acceptances and other deletions before items, and keeps acceptances over a failed
/// commit until they are on disk; everything else of a failed group gets Outcome::failed.
///
/// Where the disk is full, max_bytes is reached or the store fails, accepting() turns false, listeners hear
/// on_health(false) where not even deletions can be committed, and the writer tries again by itself until it works.
///
/// One interface for each user; the members beside them do the same and go when nobody uses them.
class Store {
  public:
    using Done = store::Done;
    using DoneCount = store::DoneCount;

    Store();
    virtual ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    Store(Store&&) = delete;
    Store& operator=(Store&&) = delete;

    [[nodiscard]] ItemIntake& item_intake();
    [[nodiscard]] Outbox& outbox();
    [[nodiscard]] BinaryObjects& binary_objects();
    [[nodiscard]] OperatorView& operator_view();
    [[nodiscard]] Register& warrant_register();

    /// Opens or creates the store, migrates an older schema, refuses a newer one, and starts the writer. The error says
    /// what an operator can do.
    [[nodiscard]] static model::Result<std::unique_ptr<Store>> open(const Options& options, const model::Clock& clock);

    /// Commits what is queued and ends the writer; later submissions fail. Idempotent.
    virtual void stop() = 0;

    /// Set before the first submission; outlives the store or is taken off with nullptr after stop().
    virtual void set_listener(Listener* listener) = 0;
    /// Called on the writer thread after each commit with how long it took, in seconds; for the metric.
    virtual void set_commit_observer(std::function<void(double)> observer) = 0;

    /// Changes of a reload; takes effect at the next group.
    virtual void set_limits(std::uint64_t max_bytes, std::chrono::seconds record_retention) = 0;

    virtual void set_commit_timeout(std::chrono::milliseconds /*timeout*/) {}

    /// False while a commit or sync hangs for longer than commit_timeout. Then accepting() is false too, and the
    /// listener heard on_health(false). For readiness, and for the watchdog that restarts a daemon whose disk hangs.
    [[nodiscard]] virtual bool turns() const { return true; }

    [[nodiscard]] virtual model::Result<std::unique_ptr<Reader>> reader() const = 0;

    /// The keyed hash of the parts, each with its length in front, so that no two lists of parts collide.
    [[nodiscard]] virtual Hash128 keyed_hash(std::span<const std::string_view> parts) const = 0;

    /// Finds or creates, durably. Blocks on a commit: for start and reload, not for the hot path.
    [[nodiscard]] virtual model::Result<LaneId> lane(std::string_view destination, std::string_view liid) = 0;
    [[nodiscard]] virtual model::Result<std::vector<LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>> destination_and_liid) = 0;
    [[nodiscard]] virtual model::Result<ProfileId> profile(const model::Profile& profile) = 0;

    /// Known rows by number; valid for the life of the store, read from memory.
    [[nodiscard]] virtual std::shared_ptr<const Lane> find_lane(LaneId id) const = 0;
    [[nodiscard]] virtual std::shared_ptr<const model::Profile> find_profile(ProfileId id) const = 0;

    /// Whether new items can be taken, as far as the store knows now. Decides refusals before matching (promise 7).
    [[nodiscard]] virtual bool accepting() const = 0;

    /// Makes the items durable, together with their repeat hashes, counters and records. An empty list is committed too
    /// (a filler row): every answer to a source leaves with a commit (promise 7).
    virtual void submit(std::vector<NewItem> items, Done done) = 0;
    /// The same for an event that named `idle_objects` binary objects which none of the items has, since no warrant
    /// matched: the commit writes as much as if one item had them. A store that keeps nothing needs not care.
    virtual void submit(std::vector<NewItem> items, std::size_t /*idle_objects*/, Done done) {
        submit(std::move(items), std::move(done));
    }
    virtual void submit(std::vector<NewItem> items, const Arrival& arrival, Done done) {
        submit(std::move(items), arrival.idle_objects, std::move(done));
    }

    /// The LEA accepted these: rows go, content is overwritten, records say so. Never lost: kept over failed commits
    /// until on disk, `done` hears `committed` then (or `failed` when the store stops before). An acceptance of a row
    /// that an operator rejected meanwhile is recorded as delivered all the same: it is what happened.
    virtual void accepted(std::vector<Acceptance> items, Done done) = 0;

    /// Binary objects: their files, and what becomes of them.
    [[nodiscard]] virtual Objects& objects() = 0;

    /// The LEA refused this one for good: state `refused`.
    virtual void refused(RowId row, Refusal refusal, Done done) = 0;
    // NOLINTNEXTLINE(performance-unnecessary-value-param): those that override it take them over
    virtual void set_aside(RowId /*row*/, Refusal /*refusal*/, Done done) { done(Outcome::failed); }

    /// Operator's decisions; `who` and `why` go into the records. retry: refused items go back to their place, refused
    /// binary objects (by their own id, or that of their item) are pushed again. The bulk form takes all refused of a
    /// destination, with one code where given.
    virtual void retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) = 0;
    virtual void retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                           DoneCount done) = 0;
    /// Ends waiting items (queued, refused or held), or binary objects that wait by themselves, without delivery;
    /// content goes at once.
    virtual void reject(std::vector<model::Uuid> object_ids, std::string who, std::string why, DoneCount done) = 0;

    [[nodiscard]] virtual model::Status clock_accepted(const std::string& /*who*/, const std::string& /*why*/) {
        return {};
    }

    /// Last good versions of the warrants, as of open or the last change.
    [[nodiscard]] virtual model::Result<std::vector<StoredWarrant>> warrants() = 0;
    /// Blocks until committed.
    [[nodiscard]] virtual model::Status change_warrants(const WarrantChanges& changes) = 0;

    [[nodiscard]] virtual model::Result<std::vector<StoredPause>> pauses() { return std::vector<StoredPause>(); }
    virtual void pause(std::string /*destination*/, std::string /*who*/, Done done) { done(Outcome::failed); }
    virtual void resume(std::string /*destination*/, std::string /*who*/, Done done) { done(Outcome::failed); }

    [[nodiscard]] virtual Statistics statistics() const = 0;

  private:
    std::unique_ptr<InterfacesOfStore> interfaces_;
};

}  // namespace lihandover::store
