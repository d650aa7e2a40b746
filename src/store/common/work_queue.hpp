#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "lihandover/base/invariant.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/kept_copies.hpp"
#include "lihandover/store/outbox.hpp"

namespace lihandover::store {

inline void answer(const Done& done, Outcome outcome) {
    if (done) {
        done(outcome);
    }
}

/// What an engine is asked to do, until its writer takes it in groups. For any thread, but where it says that it is for
/// the writer's. Whatever is asked for is answered once: by the writer that took it, or with Outcome::failed.
template <typename Tables, typename Transaction>
class WorkQueue {
  public:
    using Steady = std::chrono::steady_clock;
    using CommandPointer = typename Commands<Tables, Transaction>::Pointer;

    /// Submissions beyond these, by what arrived, fail at once, unless nothing else waits: memory stays bounded
    /// whatever the callers do.
    static constexpr std::size_t pending_events_limit = 65'536;
    static constexpr std::uint64_t pending_bytes_limit = 32U << 20U;
    /// Fetches are the only kept commands that others can make at will: beyond so many that wait, they fail at once.
    static constexpr std::size_t kept_limit = 65'536;

    /// What one group takes at most.
    static constexpr std::size_t group_events = 4096;
    static constexpr std::uint64_t group_bytes = 4U << 20U;
    static constexpr std::size_t group_acceptances = 1024;
    static constexpr std::size_t group_decisions = 256;

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
    struct Settings {
        std::uint64_t max_bytes = 0;
        std::chrono::seconds record_retention{};
        std::function<void(double)> commit_observer;
    };
    /// What is done in one transaction, but for the calls.
    struct Group {
        std::vector<Kept> kept;
        std::vector<CommandPointer> decisions;
        std::vector<Submission> submissions;
        std::vector<Done> turned_away;      ///< fail
        std::vector<CommandPointer> calls;  ///< one transaction each
        std::optional<Settings> settings;   ///< they changed

        /// There is something to be committed.
        [[nodiscard]] bool has_work() const {
            return !kept.empty() || !decisions.empty() || !submissions.empty() || !calls.empty();
        }
        void fail_submissions() {
            for (const Submission& submission : submissions) {
                answer(submission.done, Outcome::failed);
            }
            submissions.clear();
        }
        void fail_decisions() {
            for (const CommandPointer& decision : decisions) {
                decision->failed();
            }
            decisions.clear();
        }
    };
    /// How a group is taken.
    struct Taking {
        bool broken = false;       ///< what is kept stays where it is
        Steady::time_point until;  ///< waits for work no longer than this
        std::size_t most_acceptances = group_acceptances;
        std::uint64_t most_bytes = group_bytes;
    };

    explicit WorkQueue(Settings settings) : settings_(std::move(settings)) {}

    // The writer is woken after the lock is given back: else it would wake only to wait for it.

    void submit(std::vector<NewItem> items, const Arrival& arrival, std::string source, KeptChanges changes,
                Done done) {
        const std::uint64_t kept_bytes = bytes_of(changes);
        {
            std::unique_lock lock(mutex_);
            if (!stopping_) {
                if (pending_events_ < pending_events_limit && pending_bytes_ < pending_bytes_limit) {
                    Submission& submission = submissions_.emplace_back(std::move(items), std::move(done), arrival,
                                                                       std::move(source), std::move(changes));
                    submission.arrival.bytes += kept_bytes + arrival.objects * (sizeof(NewObject) + object_rows);
                    submission.arrival.idle_objects = std::min(arrival.idle_objects, idle_objects_limit);
                    pending_events_ += arrival.events;
                    pending_bytes_ += submission.arrival.bytes;
                } else {
                    turned_away_.push_back(std::move(done));
                }
                lock.unlock();
                wake_.notify_one();
                return;
            }
        }
        answer(done, Outcome::failed);
    }

    void accepted(std::vector<Acceptance> items, Done done) {
        // Objects are pushed, and the schema left out, from the commit on.
        const bool prompt =
            std::ranges::any_of(items, [](const Acceptance& item) { return item.has_objects || item.carried_schema; });
        {
            std::unique_lock lock(mutex_);
            if (!stopping_) {
                gathered_ += items.size();
                kept_.push_back({std::move(items), std::move(done), {}});
                const auto due = prompt || gathered_ >= gathered_acceptances ? at_once : Steady::now() + gathering;
                const bool sooner = due < kept_due_;
                if (sooner) {
                    kept_due_ = due;
                }
                lock.unlock();
                if (sooner) {
                    wake_.notify_one();
                }
                return;
            }
        }
        answer(done, Outcome::failed);
    }

    /// A command that is kept over failed commits as acceptances are.
    ///   bounded  whether it fails where too many wait already
    void keep(CommandPointer command, bool bounded) {
        {
            std::unique_lock lock(mutex_);
            if (!stopping_ && (!bounded || kept_.size() < kept_limit)) {
                kept_.push_back({{}, {}, std::move(command)});
                kept_due_ = at_once;
                lock.unlock();
                wake_.notify_one();
                return;
            }
        }
        command->failed();
    }

    /// One that fails with its commit.
    void decide(CommandPointer command) {
        {
            std::unique_lock lock(mutex_);
            if (!stopping_) {
                decisions_.push_back(std::move(command));
                lock.unlock();
                wake_.notify_one();
                return;
            }
        }
        command->failed();
    }

    /// Makes a change in a transaction of its own and waits for it. Not on the writer's thread.
    [[nodiscard]] model::Status call(const std::function<void(Tables&, Transaction&)>& work) {
        std::promise<Outcome> promise;
        std::future<Outcome> answered = promise.get_future();
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) {
                return model::Error{"the store is stopping"};
            }
            calls_.push_back(Commands<Tables, Transaction>::change(
                work, [&promise](Outcome outcome) { promise.set_value(outcome); }));
            wake_.notify_one();
        }
        if (answered.get() != Outcome::committed) {
            return model::Error{"the store cannot be written at present; see the log"};
        }
        return {};
    }

    void set_commit_observer(std::function<void(double)> observer) {
        const std::lock_guard lock(mutex_);
        settings_.commit_observer = std::move(observer);
        settings_changed_ = true;
    }
    void set_limits(std::uint64_t max_bytes, std::chrono::seconds record_retention) {
        {
            const std::lock_guard lock(mutex_);
            settings_.max_bytes = max_bytes;
            settings_.record_retention = record_retention;
            settings_changed_ = true;
        }
        wake_.notify_one();
    }

    /// Whatever is asked for from now on fails; what is there can still be taken.
    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
    }
    /// Whether stop() was called before that time had passed.
    [[nodiscard]] bool wait_for_stop(std::chrono::milliseconds time) {
        std::unique_lock lock(mutex_);
        return wake_.wait_for(lock, time, [this] { return stopping_; });
    }

    /// Of what nothing was begun.
    void fail_submissions() {
        std::deque<Submission> waiting;
        {
            const std::lock_guard lock(mutex_);
            waiting.swap(submissions_);
            pending_events_ = 0;
            pending_bytes_ = 0;
        }
        for (const Submission& submission : waiting) {
            answer(submission.done, Outcome::failed);
        }
    }
    /// At the end.
    void fail_kept() {
        std::deque<Kept> lost;
        {
            const std::lock_guard lock(mutex_);
            lost.swap(kept_);
            gathered_ = 0;
        }
        for (const Kept& kept : lost) {
            answer(kept.done, Outcome::failed);
            if (kept.command) {
                kept.command->failed();
            }
        }
    }

    // For the writer's thread.

    /// False: it was stopped, and nothing is left to be taken.
    [[nodiscard]] bool take(Group& group, const Taking& how) {
        std::unique_lock lock(mutex_);
        while (!is_awaited()) {
            const auto until = how.broken ? how.until : std::min(how.until, kept_due_);
            if (Steady::now() >= until) {
                break;
            }
            wake_.wait_until(lock, until);
        }
        if (std::exchange(settings_changed_, false)) {
            group.settings = settings_;
        }
        if (!how.broken) {
            take_kept(group.kept, how.most_acceptances);
        }
        group.turned_away = std::exchange(turned_away_, {});
        group.calls = std::exchange(calls_, {});
        while (!decisions_.empty() && group.decisions.size() < group_decisions) {
            group.decisions.push_back(std::move(decisions_.front()));
            decisions_.pop_front();
        }
        take_submissions(group.submissions, how.most_bytes);
        return group.has_work() || !group.turned_away.empty() || !stopping_;
    }

    /// Some of what is kept, and nothing else; none: there is none.
    void take_kept(Group& group, std::size_t most) {
        const std::lock_guard lock(mutex_);
        take_kept(group.kept, most);
    }

    /// What is kept of the group from number `from` on goes back to where it came from.
    void put_back(Group& group, std::size_t from = 0) {
        const std::lock_guard lock(mutex_);
        while (group.kept.size() > from) {
            gathered_ += group.kept.back().accepted.size();
            kept_due_ = at_once;
            kept_.push_front(std::move(group.kept.back()));
            group.kept.pop_back();
        }
    }
    /// Answers whoever waits for it, after its commit. A decision that has more to do goes on with the next group.
    void committed(Group& group) {
        for (const Kept& kept : group.kept) {
            answer(kept.done, Outcome::committed);
            if (kept.command) {
                static_cast<void>(kept.command->committed());
            }
        }
        for (CommandPointer& decision : group.decisions) {
            if (!decision->committed()) {
                const std::lock_guard lock(mutex_);
                decisions_.push_front(std::move(decision));
            }
        }
        for (const Submission& submission : group.submissions) {
            answer(submission.done, Outcome::committed);
        }
    }

  private:
    static constexpr Steady::time_point at_once = Steady::time_point::min();
    static constexpr Steady::time_point never = Steady::time_point::max();
    /// Nobody waits for an acceptance to be on disk, unless it brings something with it: so many together, or so long,
    /// wait for what else there is to commit. Were the machine to fail meanwhile, their items would go out once more.
    static constexpr std::size_t gathered_acceptances = 512;
    static constexpr std::chrono::milliseconds gathering{10};
    /// What a binary object writes beyond what it says: two rows and their indexes, parts of pages all over the tables.
    static constexpr std::uint64_t object_rows = 1024;
    /// As many as no event names, whatever the caller says.
    static constexpr std::size_t idle_objects_limit = 10'000;

    static std::uint64_t bytes_of(const KeptChanges& changes) {
        std::uint64_t bytes = changes.let_go.size() * sizeof(std::uint64_t);
        for (const KeptCopy& copy : changes.keep) {
            bytes += sizeof copy + copy.bytes.size();
        }
        return bytes;
    }

    // Under mutex_:

    [[nodiscard]] bool is_awaited() const {
        return stopping_ || settings_changed_ || !submissions_.empty() || !decisions_.empty() || !calls_.empty() ||
               !turned_away_.empty();
    }
    void take_kept(std::vector<Kept>& out, std::size_t most) {
        std::size_t items = 0;
        while (!kept_.empty() && items < most) {
            items += std::max<std::size_t>(kept_.front().accepted.size(), 1);
            gathered_ -= kept_.front().accepted.size();
            out.push_back(std::move(kept_.front()));
            kept_.pop_front();
        }
        kept_due_ = kept_.empty() ? never : at_once;
    }
    void take_submissions(std::vector<Submission>& out, std::uint64_t most_bytes) {
        std::size_t events = 0;
        std::uint64_t bytes = 0;
        while (!submissions_.empty() && events < group_events && bytes < most_bytes) {
            Submission& first = submissions_.front();
            events += first.arrival.events;
            bytes += first.arrival.bytes;
            out.push_back(std::move(first));
            submissions_.pop_front();
        }
        LIHANDOVER_INVARIANT(pending_events_ >= events, "events that are taken were waiting");
        LIHANDOVER_INVARIANT(pending_bytes_ >= bytes, "bytes that are taken were waiting");
        pending_events_ -= events;
        pending_bytes_ -= bytes;
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Submission> submissions_;
    std::deque<Kept> kept_;     ///< those that a failed commit left included
    std::size_t gathered_ = 0;  ///< accepted items in `kept_`
    Steady::time_point kept_due_ = never;
    std::deque<CommandPointer> decisions_;
    std::vector<CommandPointer> calls_;
    std::vector<Done> turned_away_;
    std::size_t pending_events_ = 0;
    std::uint64_t pending_bytes_ = 0;
    Settings settings_;
    bool settings_changed_ = false;
    bool stopping_ = false;
};

}  // namespace lihandover::store
