#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/commands.hpp"
#include "common/oldest_places.hpp"
#include "database.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/kept_copies.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/uploads.hpp"

namespace lihandover::store::postgresql {

using Decisions = Commands<Tables, Transaction>;
using CommandPointer = Decisions::Pointer;

/// The thread that alone changes the store. It takes all that has gathered while its last commit ran and makes one
/// transaction of it: acceptances, then decisions, then items.
///
/// Where a commit fails for want of room, items are refused (`blocked`) and the rest goes alone, until a probe
/// succeeds. Where that fails too, or there is no database, it is `broken`: it tells its listener, keeps acceptances
/// and tries again with growing pauses, on a new connection. A commit of which nobody knows whether it is there is
/// looked for before anybody is answered, for as long as a commit may take.
class Writer {
  public:
    struct Setup {
        Catalogue* catalogue = nullptr;
        Database* database = nullptr;  ///< open; used by the writer's thread alone from start() to stop()
        ObjectFiles* files = nullptr;
        std::function<std::uint64_t()> free_bytes;  ///< of the disk that object files are on
        std::atomic<bool>* give_up = nullptr;       ///< set where the database is not to be waited for any more
        std::uint64_t max_bytes = 0;
        std::chrono::seconds record_retention{};
        std::chrono::milliseconds commit_timeout{};  ///< 0: none
        std::filesystem::path audit_head;            ///< of the HeadFile
    };

    /// Submissions beyond these, by what arrived, fail at once: memory stays bounded whatever the callers do.
    static constexpr std::size_t pending_events_limit = 65'536;
    static constexpr std::uint64_t pending_bytes_limit = 32U << 20U;
    /// Fetches are the only kept commands that others can make at will: beyond so many that wait, they fail at once.
    static constexpr std::size_t kept_limit = 65'536;

    explicit Writer(Setup setup);
    ~Writer() { stop(); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Writer(Writer&&) = delete;
    Writer& operator=(Writer&&) = delete;

    void start();
    void stop();

    void submit(std::vector<NewItem> items, const Arrival& arrival, std::string source, KeptChanges changes, Done done);
    void accepted(std::vector<Acceptance> items, Done done);
    /// A command that is kept over failed commits as acceptances are.
    ///   bounded  whether it fails where too many wait already
    void keep(CommandPointer command, bool bounded = false);
    /// One that fails with its commit.
    void decide(CommandPointer command);
    /// Makes a change in a transaction of its own and waits for it.
    [[nodiscard]] model::Status call(const std::function<void(Tables&, Transaction&)>& work);

    void set_listener(OutboxListener* listener) { listener_ = listener; }
    void set_object_listener(ObjectListener* listener) { object_listener_ = listener; }
    void set_commit_observer(std::function<void(double)> observer);
    void set_limits(std::uint64_t max_bytes, std::chrono::seconds record_retention);
    void set_commit_timeout(std::chrono::milliseconds timeout) { commit_timeout_ = timeout; }
    [[nodiscard]] bool accepting() const { return accepting_.load(std::memory_order_acquire) && turns(); }
    [[nodiscard]] bool can_commit() const { return can_commit_.load(std::memory_order_acquire) && turns(); }
    /// False while something it asked of the database hangs for longer than the commit timeout.
    [[nodiscard]] bool turns() const;
    [[nodiscard]] Statistics statistics() const;
    /// For any thread.
    [[nodiscard]] OldestPlaces& oldest_places() { return oldest_places_; }

  private:
    using Steady = std::chrono::steady_clock;
    static constexpr Steady::time_point at_once = Steady::time_point::min();
    static constexpr Steady::time_point never = Steady::time_point::max();

    struct Submission {
        std::vector<NewItem> items;
        Done done;
        Arrival arrival;
        std::string source;  ///< of the changes
        KeptChanges changes;
    };
    /// What is kept over failed commits: acceptances, or a command.
    struct Kept {
        std::vector<Acceptance> accepted;
        Done done;
        CommandPointer command;
    };
    struct Group {
        std::vector<Kept> kept;
        std::vector<CommandPointer> decisions;
        std::vector<Submission> submissions;
        std::vector<Done> turned_away;
        std::vector<CommandPointer> calls;
    };
    class AtWork;

    void run();
    /// The thread beside it that sees when it hangs, and writes the file that names the newest entry.
    void watch();
    void name_audit_head();
    void write_audit_head(std::unique_lock<std::mutex>& lock);
    void turns_again();
    [[nodiscard]] bool take(Group& group);  ///< false at the end
    void take_submissions(Group& group);
    void take_kept(Group& group);
    /// What is kept of the group goes back to the head of the queue.
    void put_back(Group& group);
    void work_on(Group& group);
    /// nullopt: committed.
    [[nodiscard]] std::optional<PgFailure> attempt(const std::function<void(Transaction&)>& work);
    [[nodiscard]] std::optional<PgFailure> attempt(Group& group, bool with_items);
    void apply(Group& group, bool with_items, Transaction& transaction);
    void insert(std::vector<Submission>& submissions, Transaction& transaction);
    /// Whether a commit in doubt is there after all, as far as that can be found out in time.
    [[nodiscard]] bool resolve();
    void finish(Group& group);
    void tell_effects();
    void run_call(Command<Tables, Transaction>& call);
    void fail_submissions(Group& group);
    void turn_submissions_away(Group& group);
    void fail_decisions(Group& group);
    void finish_up();

    void housekeeping();
    void look_at_space();
    void break_down(const PgFailure& failure);
    void try_to_recover();
    [[nodiscard]] std::optional<PgFailure> reopen();
    void probe();
    bool step(const std::function<void(Transaction&)>& work);
    void update_accepting();
    void update_statistics();
    void complain(const PgFailure& failure);

    Catalogue& catalogue_;
    Database& database_;
    ObjectFiles& files_;
    std::function<std::uint64_t()> free_bytes_;
    std::atomic<bool>& give_up_;
    const std::filesystem::path audit_head_;

    std::atomic<OutboxListener*> listener_{nullptr};
    std::atomic<ObjectListener*> object_listener_{nullptr};
    std::atomic<bool> accepting_{true};
    std::atomic<bool> can_commit_{true};  ///< not broken, for other threads
    std::atomic<bool> told_stuck_{false};

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    // Guarded by mutex_.
    std::deque<Submission> submissions_;
    std::deque<Kept> kept_;     ///< those that a failed commit left included
    std::size_t gathered_ = 0;  ///< accepted items in `kept_`
    Steady::time_point kept_due_ = never;
    std::deque<CommandPointer> decisions_;
    std::vector<CommandPointer> calls_;
    std::vector<Done> turned_away_;
    std::size_t pending_events_ = 0;
    std::uint64_t pending_bytes_ = 0;
    Steady::time_point stopping_since_;
    std::uint64_t new_max_bytes_ = 0;
    std::chrono::seconds new_retention_{};
    std::function<void(double)> new_observer_;
    bool settings_changed_ = false;
    bool stopping_ = false;
    bool ended_ = false;
    std::optional<audit::ChainHead> head_to_name_;

    OldestPlaces oldest_places_;

    mutable std::mutex statistics_mutex_;
    Statistics statistics_;

    std::atomic<Steady::rep> at_work_since_{0};  ///< 0: it waits for work
    std::atomic<std::chrono::milliseconds> commit_timeout_;
    std::condition_variable watch_wake_;

    std::mutex stop_mutex_;
    std::thread thread_;
    std::thread watch_;

    // The thread's alone.
    std::uint64_t max_bytes_ = 0;
    std::chrono::seconds retention_{};
    std::function<void(double)> observer_;
    bool broken_ = false;
    bool blocked_ = false;  ///< items failed; until a probe
    bool fenced_ = false;   ///< for good
    bool over_limit_ = false;
    bool last_accepting_ = true;
    std::chrono::milliseconds pause_{100};
    Steady::time_point next_try_;
    Steady::time_point next_tick_;
    std::uint64_t named_head_ = 0;
    Steady::time_point next_sign_;  ///< of life, in this daemon's row
    std::optional<Trouble> complained_about_;
    Steady::time_point complained_at_;
};

}  // namespace lihandover::store::postgresql
