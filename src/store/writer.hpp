#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "engine.hpp"
#include "keeper.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::store {

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
        Engine* engine = nullptr;  ///< open; used by the writer's thread alone from start() to stop()
        Keeper* keeper = nullptr;
        ObjectFiles* files = nullptr;
        SpacePlan plan;
        std::uint64_t max_bytes = 0;
        std::chrono::seconds record_retention{};
    };

    /// Submissions beyond these fail at once, unless nothing else waits: memory stays bounded whatever the callers do.
    static constexpr std::size_t pending_items_limit = 65'536;
    static constexpr std::uint64_t pending_bytes_limit = 32U << 20U;

    struct Submission {
        std::vector<NewItem> items;
        Store::Done done;
        std::uint64_t bytes = 0;
        std::size_t idle_objects = 0;
    };
    /// Told changes that are kept over failed commits: acceptances, or what became of a binary object.
    struct Acceptances {
        std::vector<Acceptance> items;
        Store::Done done;
        std::function<void(Engine&)> change;  ///< may be called several times, in transactions that fail
    };
    /// Fetches are the only ones of them that others can make at will: beyond so many that wait, they fail at once.
    static constexpr std::size_t kept_limit = 65'536;
    struct Refuse {
        RowId row = 0;
        Refusal refusal;
        Store::Done done;
    };
    struct Retry {
        std::vector<model::Uuid> object_ids;
        std::string who;
        Store::DoneCount done;
    };
    struct RetryAll {
        std::string destination;
        std::optional<std::uint64_t> code;
        std::string who;
        Store::DoneCount done;
        std::optional<RowId> cursor;  ///< how far earlier transactions came
        std::size_t taken = 0;
    };
    struct Reject {
        std::vector<model::Uuid> object_ids;
        std::vector<Located> located;
        std::string who;
        std::string why;
        Store::DoneCount done;
    };
    /// A change by one call to the engine.
    struct Change {
        std::function<void(Engine&)> work;
        Store::Done done;
    };
    using Decision = std::variant<Refuse, Retry, RetryAll, Reject, Change>;

    explicit Writer(Setup setup);
    ~Writer() { stop(); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Writer(Writer&&) = delete;
    Writer& operator=(Writer&&) = delete;

    void start();
    void stop();

    void submit(std::vector<NewItem> items, std::size_t idle_objects, Store::Done done);
    void accepted(std::vector<Acceptance> items, Store::Done done);
    /// A change that is kept over failed commits as acceptances are.
    ///   bounded  whether it fails where too many wait already
    void keep(std::function<void(Engine&)> change, Store::Done done, bool bounded);
    void decide(Decision decision);
    /// Runs `work` in a transaction of its own and waits for it; it throws SqlFailure when the database fails.
    [[nodiscard]] model::Status call(std::function<void(Engine&)> work);

    void set_listener(Listener* listener) { listener_ = listener; }
    void set_object_listener(ObjectListener* listener) { object_listener_ = listener; }
    void set_commit_observer(std::function<void(double)> observer);
    void set_limits(std::uint64_t max_bytes, std::chrono::seconds record_retention);
    [[nodiscard]] bool accepting() const { return accepting_.load(std::memory_order_acquire); }
    /// Whether at least deletions can be committed.
    [[nodiscard]] bool can_commit() const { return can_commit_.load(std::memory_order_acquire); }
    [[nodiscard]] Statistics statistics() const;

  private:
    using Steady = std::chrono::steady_clock;
    static constexpr Steady::time_point at_once = Steady::time_point::min();
    static constexpr Steady::time_point never = Steady::time_point::max();

    struct Call {
        std::function<void(Engine&)> work;
        std::promise<model::Status> answer;
    };
    struct Verdict {
        std::size_t count = 0;
        std::optional<RowId> cursor;
        bool unfinished = false;
    };
    struct Group {
        std::vector<Acceptances> acceptances;
        std::vector<Decision> decisions;
        std::vector<Verdict> verdicts;  ///< by decision
        std::vector<Submission> submissions;
        std::vector<Store::Done> turned_away;
        std::deque<Call> calls;
    };

    void run();
    [[nodiscard]] bool take(Group& group);  ///< false at the end
    void take_acceptances(Group& group);
    /// The group's acceptances from number `from` on go back to the head of the queue.
    void put_back(Group& group, std::size_t from);
    /// Whether the log has to stay as small as it can.
    [[nodiscard]] bool tight() const { return blocked_ || short_of_space_ || over_limit_; }
    void work_on(Group& group);
    [[nodiscard]] std::optional<SqlFailure> attempt(Group& group, bool with_items);
    void apply(Decision& decision, Verdict& verdict);
    void finish(Group& group);
    void tell_effects();
    void run_call(Call& call);
    void fail_submissions(Group& group);
    void fail_decisions(Group& group);
    void finish_up();

    void housekeeping(bool idle);
    void look_after_log(bool idle);
    void inline_checkpoint(Engine::Checkpoint kind);
    void make_room();
    [[nodiscard]] bool space_may_have_changed() const;
    void look_at_space();
    void break_down(const SqlFailure& failure);
    void try_to_recover();
    void probe();
    /// Runs `work` in a transaction of its own, after which nobody waits; false where it failed.
    bool step(const std::function<void(Engine&)>& work);
    void update_accepting();
    void update_statistics();
    void complain(const SqlFailure& failure);

    const StateDirectory& directory_;
    Catalogue& catalogue_;
    Engine& engine_;
    Keeper& keeper_;
    ObjectFiles& files_;
    SpacePlan plan_;

    std::atomic<Listener*> listener_{nullptr};
    std::atomic<ObjectListener*> object_listener_{nullptr};
    std::atomic<bool> accepting_{true};
    std::atomic<bool> can_commit_{true};  ///< not broken, for other threads
    std::atomic<bool> copied_{false};     ///< the keeper is done

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    // Guarded by mutex_.
    std::deque<Submission> submissions_;
    std::deque<Acceptances> acceptances_;  ///< those that a failed commit left included
    std::size_t gathered_ = 0;             ///< items in `acceptances_`
    Steady::time_point acceptances_due_ = never;
    std::deque<Decision> decisions_;
    std::deque<Call> calls_;
    std::vector<Store::Done> turned_away_;
    std::size_t pending_items_ = 0;
    std::uint64_t pending_bytes_ = 0;
    bool stopping_ = false;
    bool ended_ = false;
    std::uint64_t new_max_bytes_ = 0;
    std::chrono::seconds new_retention_{};
    std::function<void(double)> new_observer_;
    bool settings_changed_ = false;

    mutable std::mutex statistics_mutex_;
    Statistics statistics_;

    std::mutex stop_mutex_;
    std::thread thread_;

    // The thread's alone.
    std::uint64_t max_bytes_ = 0;
    std::chrono::seconds retention_{};
    std::function<void(double)> observer_;
    bool broken_ = false;
    bool blocked_ = false;  ///< items failed; until a probe
    bool short_of_space_ = false;
    bool over_limit_ = false;
    bool reserved_ = false;
    Trouble trouble_ = Trouble::failing;
    bool engine_usable_ = true;
    std::chrono::milliseconds pause_{100};
    Steady::time_point next_try_;
    Steady::time_point next_tick_;
    Steady::time_point last_work_;
    Steady::time_point log_used_since_;  ///< when the write-ahead log was first written after it was truncated
    bool log_used_ = false;
    bool copying_ = false;
    std::uint64_t next_inline_frames_ = 0;
    std::uint64_t looked_at_frames_ = 0;  ///< the log when the space was looked at
    bool last_accepting_ = true;
    std::optional<Trouble> complained_about_;
    Steady::time_point complained_at_;
};

}  // namespace lihandover::store
