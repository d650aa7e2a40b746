#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/commands.hpp"
#include "common/hang_watch.hpp"
#include "common/oldest_places.hpp"
#include "common/work_queue.hpp"
#include "database.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/kept_copies.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/uploads.hpp"
#include "maintenance.hpp"
#include "reader_pool.hpp"

namespace lihandover::store::sqlite {

using Decisions = Commands<Tables, Transaction>;
using CommandPointer = Decisions::Pointer;

/// The thread that alone changes the store. It takes all that has gathered while its last commit ran and makes one
/// transaction of it: what frees space first (acceptances, refusals, decisions), then items.
///
/// Its state is two questions. Can deletions be committed? If not it is broken: it tells its listener, keeps
/// acceptances and tries again with growing pauses, on a new connection. Can items be taken? Not while broken, or after
/// items failed until a probe succeeded, or while space is short, or above max_bytes.
///
///              items failed                       deletions failed too
///   accepting ──────────────► blocked or short ──────────────────────► broken
///       ▲                       │        ▲                               │
///       └─── probe and space ───┘        └───────── commit works ────────┘
class Writer {
  public:
    struct Setup {
        const StateDirectory* directory = nullptr;
        Catalogue* catalogue = nullptr;
        Database* database = nullptr;  ///< open; used by the writer's thread alone from start() to stop()
        ReaderPool* readers = nullptr;
        Maintenance* maintenance = nullptr;
        ObjectFiles* files = nullptr;
        SpacePlan plan;
        std::uint64_t max_bytes = 0;
        std::chrono::seconds record_retention{};
        std::chrono::milliseconds commit_timeout{};  ///< 0: none
    };

    explicit Writer(Setup setup);
    ~Writer() { stop(); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Writer(Writer&&) = delete;
    Writer& operator=(Writer&&) = delete;

    void start();
    void stop();

    void submit(std::vector<NewItem> items, const Arrival& arrival, Done done) {
        submit(std::move(items), arrival, {}, {}, std::move(done));
    }
    void submit(std::vector<NewItem> items, const Arrival& arrival, std::string source, KeptChanges changes,
                Done done) {
        queue_.submit(std::move(items), arrival, std::move(source), std::move(changes), std::move(done));
    }
    void accepted(std::vector<Acceptance> items, Done done) { queue_.accepted(std::move(items), std::move(done)); }
    /// See WorkQueue.
    void keep(CommandPointer command, bool bounded = false) { queue_.keep(std::move(command), bounded); }
    void decide(CommandPointer command) { queue_.decide(std::move(command)); }
    /// Makes a change in a transaction of its own and waits for it.
    [[nodiscard]] model::Status call(const std::function<void(Tables&, Transaction&)>& work);

    void set_listener(OutboxListener* listener) { listener_ = listener; }
    void set_object_listener(ObjectListener* listener) { object_listener_ = listener; }
    void set_commit_observer(std::function<void(double)> observer) { queue_.set_commit_observer(std::move(observer)); }
    void set_limits(std::uint64_t max_bytes, std::chrono::seconds record_retention) {
        queue_.set_limits(max_bytes, record_retention);
    }
    void set_commit_timeout(std::chrono::milliseconds timeout) { watch_.set_timeout(timeout); }
    [[nodiscard]] bool accepting() const { return accepting_.load(std::memory_order_acquire) && turns(); }
    /// Whether at least deletions can be committed.
    [[nodiscard]] bool can_commit() const { return can_commit_.load(std::memory_order_acquire) && turns(); }
    /// False while something it asked of the disk hangs for longer than the commit timeout.
    [[nodiscard]] bool turns() const { return watch_.turns(); }
    [[nodiscard]] Statistics statistics() const;
    /// For any thread.
    [[nodiscard]] OldestPlaces& oldest_places() { return oldest_places_; }
    [[nodiscard]] bool has_remains() const { return database_.has_remains(); }

  private:
    using Steady = std::chrono::steady_clock;
    using Queue = WorkQueue<Tables, Transaction>;
    using Submission = Queue::Submission;
    using Kept = Queue::Kept;
    using Group = Queue::Group;

    void run();
    void tell_that_it_hangs();
    void turns_again();
    void use(Queue::Settings settings);
    /// In one group.
    [[nodiscard]] std::size_t most_acceptances() const;
    /// Whether the log has to stay as small as it can.
    [[nodiscard]] bool tight() const { return blocked_ || short_of_space_ || over_limit_; }
    void work_on(Group& group);
    [[nodiscard]] std::optional<SqlFailure> attempt(Group& group, bool with_items);
    void insert(std::vector<Submission>& submissions, Transaction& transaction);
    void finish(Group& group);
    void tell_effects();
    /// Those of content that went with the last transaction.
    void sync_released_keys();
    void run_call(Command<Tables, Transaction>& call);
    /// Those that cannot be taken as things are.
    void turn_submissions_away(Group& group);
    void finish_up();

    void housekeeping(bool idle);
    void look_after_log(bool idle);
    void copy_log(Database::Checkpoint kind);
    void make_room();
    [[nodiscard]] bool space_may_have_changed() const;
    void look_at_space();
    /// Whether the connection can go on being used after this failure.
    [[nodiscard]] static bool mends_by_itself(const SqlFailure& failure);
    void break_down(const SqlFailure& failure);
    [[nodiscard]] std::optional<SqlFailure> reopen();
    void try_to_recover();
    void probe();
    /// Runs `work` in a transaction of its own, after which nobody waits; false where it failed.
    bool step(const std::function<void(Transaction&)>& work);
    void update_accepting();
    void update_statistics();
    /// Has the newest audit entry named beside the database, where it is another than the last time.
    void name_audit_head();
    /// Seals some of what is to be sealed anew.
    void reseal(bool idle);
    void complain(const SqlFailure& failure);

    const StateDirectory& directory_;
    Catalogue& catalogue_;
    Database& database_;
    ReaderPool& readers_;
    Maintenance& maintenance_;
    ObjectFiles& files_;
    SpacePlan plan_;

    std::atomic<OutboxListener*> listener_{nullptr};
    std::atomic<ObjectListener*> object_listener_{nullptr};
    std::atomic<bool> accepting_{true};
    std::atomic<bool> can_commit_{true};  ///< not broken, for other threads

    Queue queue_;
    OldestPlaces oldest_places_;

    mutable std::mutex statistics_mutex_;
    Statistics statistics_;

    std::mutex stop_mutex_;
    std::atomic<std::thread::id> writer_id_;
    std::thread thread_;
    HangWatch watch_;

    // The thread's alone.
    std::uint64_t max_bytes_ = 0;
    std::chrono::seconds retention_{};
    std::function<void(double)> observer_;
    bool broken_ = false;
    bool blocked_ = false;  ///< items failed; until a probe
    bool short_of_space_ = false;
    bool remains_said_ = false;
    bool over_limit_ = false;
    bool reserved_ = false;
    bool log_used_ = false;
    bool last_accepting_ = true;
    Trouble trouble_ = Trouble::failing;
    bool database_usable_ = true;
    std::chrono::milliseconds pause_{100};
    Steady::time_point next_try_;
    Steady::time_point next_tick_;
    Steady::time_point next_withholding_;  ///< of what waits for keys
    Steady::time_point last_work_;
    Steady::time_point log_used_since_;  ///< when the write-ahead log was first written after it was truncated
    std::uint64_t next_checkpoint_frames_ = 0;
    std::uint64_t looked_at_frames_ = 0;  ///< the log when the space was looked at
    std::uint64_t named_head_ = 0;
    std::optional<Trouble> complained_about_;
    Steady::time_point complained_at_;
};

}  // namespace lihandover::store::sqlite
