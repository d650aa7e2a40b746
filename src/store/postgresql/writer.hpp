#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
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
        Census::Count count;                        ///< of what waits
        std::function<std::uint64_t()> free_bytes;  ///< of the disk that object files are on
        std::atomic<bool>* give_up = nullptr;       ///< set where the database is not to be waited for any more
        std::uint64_t max_bytes = 0;
        std::chrono::seconds record_retention{};
        std::chrono::milliseconds commit_timeout{};  ///< 0: none
        std::filesystem::path audit_head;            ///< of the HeadFile
    };

    explicit Writer(Setup setup);
    ~Writer() { stop(); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Writer(Writer&&) = delete;
    Writer& operator=(Writer&&) = delete;

    void start();
    void stop();

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
    [[nodiscard]] bool can_commit() const { return can_commit_.load(std::memory_order_acquire) && turns(); }
    /// False while something it asked of the database hangs for longer than the commit timeout.
    [[nodiscard]] bool turns() const { return watch_.turns(); }
    /// See Store.
    [[nodiscard]] bool turned_out() const { return turned_out_.load(std::memory_order_acquire); }
    [[nodiscard]] Statistics statistics() const;
    /// For any thread.
    [[nodiscard]] OldestPlaces& oldest_places() { return oldest_places_; }

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
    /// On the thread beside it: writes the file that names the newest entry, and sees when a stop takes too long.
    void look_beside_work();
    void name_audit_head();
    void write_audit_head();
    void work_on(Group& group);
    /// Other daemons have taken lanes: tells so. nullopt: it is known which.
    [[nodiscard]] std::optional<PgFailure> look_at_holdings();
    /// Tells of lanes that are this daemon's no longer; whether there were any.
    std::size_t tell_lost();
    // With other daemons:
    /// Looks at them where that is due, and has this daemon hold as many buckets as each of the others.
    void share();
    void hand_over(const Buckets& buckets);
    void take_over(const Buckets& buckets);
    void tell_taken();
    /// Hears of what others have done to lanes of this daemon's.
    void hear();
    /// What ended something of another daemon's lane is answered once that one has heard of it.
    void wait_until_heard(Group& group);
    void answer_heard();
    void answer_unheard();
    [[nodiscard]] Steady::duration until_next_look() const;
    void count_all();
    void give_up_left_behind();
    /// Applies a command. False: what it was to settle is another daemon's, and it was answered so.
    [[nodiscard]] bool settle(Command<Tables, Transaction>& command, Transaction& transaction);
    /// nullopt: committed.
    [[nodiscard]] std::optional<PgFailure> attempt(const std::function<void(Transaction&)>& work,
                                                   bool on_one_state = false);
    [[nodiscard]] std::optional<PgFailure> attempt(Group& group, bool with_items);
    void apply(Group& group, bool with_items, Transaction& transaction);
    /// What was matched with an older state of the warrants than counts, as far as that is known.
    void turn_outdated_away(Group& group);
    void insert(std::vector<Submission>& submissions, Transaction& transaction);
    /// Whether a commit in doubt is there after all, as far as that can be found out in time.
    [[nodiscard]] bool resolve();
    void finish(Group& group);
    void tell_effects();
    void run_call(CommandPointer call);
    void turn_submissions_away(Group& group);
    void finish_up();

    void housekeeping();
    void look_at_space();
    void break_down(const PgFailure& failure);
    void try_to_recover();
    void look_who_has_the_place();
    [[nodiscard]] std::optional<PgFailure> reopen();
    void probe();
    bool step(const std::function<void(Transaction&)>& work, bool on_one_state = false);
    void reseal();
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
    std::atomic<bool> turned_out_{false};

    Census census_;

    std::mutex head_mutex_;
    std::optional<audit::ChainHead> head_to_name_;  ///< under head_mutex_
    std::atomic<Steady::rep> stopping_since_{0};    ///< 0: it is not

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
    bool blocked_ = false;    ///< items failed; until a probe
    bool fenced_ = false;     ///< for good
    bool knows_who_ = false;  ///< whether it was turned out, once fenced
    bool over_limit_ = false;
    bool last_accepting_ = true;
    std::chrono::milliseconds pause_{100};
    Steady::time_point next_try_;
    Steady::time_point next_tick_;
    std::uint64_t named_head_ = 0;
    Steady::time_point next_sign_;  ///< of life, in this daemon's row
    Steady::time_point next_look_;  ///< at other daemons
    Steady::time_point next_count_;
    Steady::time_point next_look_at_all_;
    Steady::time_point next_left_behind_;
    bool was_alone_ = true;  ///< when it was last counted
    /// What was committed and is answered once another daemon has heard of it.
    struct Unheard {
        Group group;  ///< decisions and calls alone
        std::vector<std::int64_t> endings;
        Steady::time_point until;
    };
    std::vector<Unheard> unheard_;
    std::optional<Trouble> complained_about_;
    Steady::time_point complained_at_;
};

}  // namespace lihandover::store::postgresql
