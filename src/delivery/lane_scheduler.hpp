#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "lihandover/model/clock.hpp"
#include "lihandover/store/types.hpp"
#include "row_queue.hpp"

namespace lihandover::delivery {

using ReadyHook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>>;

/// One warrant's line of items. Stays where it is in memory. Its place among the others is the LaneScheduler's.
///
///            add              take                 finish (empty)
///     idle ───────► ready ◄─────────► busy ───────────────────────► idle
///                    ▲ ▲    finish     │ │
///         due, hurry │ │ unpark    rest│ │park
///                    │ └─ parked ◄─────┼─┘
///                    └─── resting ◄────┘
class Lane : public ReadyHook {
  public:
    enum class State : std::uint8_t {
        idle,     ///< no items
        ready,    ///< in one of the scheduler's lists
        resting,  ///< its front item failed: not before due()
        busy,     ///< a message with one of its items is on its way
        parked,   ///< its front item waits for something other than time: LaneScheduler::park
    };

    explicit Lane(store::LaneId id) : id_(id) {}

    [[nodiscard]] store::LaneId id() const { return id_; }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const RowQueue& rows() const { return rows_; }
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    /// Items that wait here, and those that were taken for the message that is on its way.
    [[nodiscard]] std::uint64_t backlog() const { return rows_.size() + away_; }
    [[nodiscard]] std::uint64_t emergencies() const { return std::uint64_t{emergencies_} + away_emergencies_; }
    /// The first of the backlog, which is not empty.
    [[nodiscard]] Waiting oldest() const {
        const bool away = away_ > 0 && (rows_.empty() || first_away_.row() < rows_.front().row());
        return away ? first_away_ : rows_.front();
    }
    /// Of a resting lane.
    [[nodiscard]] model::Clock::SteadyTime due() const { return due_; }
    /// Waits to be tried on a connection that has just worked.
    [[nodiscard]] bool on_trial() const { return on_trial_; }

    /// Destination and LIID; null until set.
    [[nodiscard]] const std::shared_ptr<const store::Lane>& details() const { return details_; }
    void set_details(std::shared_ptr<const store::Lane> details) { details_ = std::move(details); }

    /// The next `items` of it go in separate messages.
    void send_alone(std::uint32_t items) { alone_ = std::max(alone_, items); }
    [[nodiscard]] bool goes_alone() const { return alone_ > 0; }
    /// One of its items is done with.
    void item_left() {
        alone_ -= alone_ > 0 ? 1 : 0;
        fails_ = false;
    }

    /// It failed, and had a part in the closing of that number (DestinationHealth::closing).
    void blame(std::uint32_t closing) {
        blamed_ = closing;
        fails_ = true;
    }
    [[nodiscard]] bool is_blamed(std::uint32_t closing) const { return blamed_ == closing; }
    /// It failed, and nothing of it was done with since.
    [[nodiscard]] bool fails() const { return fails_; }

    /// Whether one of its items was validated against the schemas; true from then on.
    [[nodiscard]] bool sampled() const { return sampled_; }
    void set_sampled() { sampled_ = true; }

  private:
    friend class LaneScheduler;

    store::LaneId id_;
    RowQueue rows_;
    model::Clock::SteadyTime due_;
    std::shared_ptr<const store::Lane> details_;
    Waiting first_away_;      ///< of those that were taken
    std::uint32_t away_ = 0;  ///< how many were taken
    std::uint32_t away_emergencies_ = 0;
    std::uint32_t emergencies_ = 0;  ///< of the waiting rows
    std::uint32_t alone_ = 0;
    std::uint32_t blamed_ = 0;
    State state_ = State::idle;
    std::uint8_t list_ = 0;  ///< index of the list it is ready in
    bool on_trial_ = false;
    bool sampled_ = false;
    bool fails_ = false;
};

/// Which lane of a destination comes next: those with emergencies first, otherwise one after the other, so that a lane
/// with a million items waits for each of the others after every message. A lane that is taken is out of the way until
/// finish(), rest() or park(), which keeps one message per LIID in flight. It does no I/O and has no clock.
class LaneScheduler {
  public:
    using Time = model::Clock::SteadyTime;

    LaneScheduler() = default;
    LaneScheduler(const LaneScheduler&) = delete;
    LaneScheduler& operator=(const LaneScheduler&) = delete;
    ~LaneScheduler();

    /// Adds an item in its place; false if it is there already.
    bool add(Lane& lane, Waiting item);
    /// Takes a waiting item out; nullopt if it does not wait here (it may be in flight).
    std::optional<Waiting> remove(Lane& lane, store::RowId row);
    /// Takes a row out of a busy lane: the first, or one after it.
    Waiting pop(Lane& lane);
    Waiting pop(Lane& lane, store::RowId row);

    /// The lane that take() would return; nullptr if none is ready. Lanes on trial are skipped.
    [[nodiscard]] Lane* peek();
    /// The next ready lane that is not on trial, busy from now on; nullptr if there is none.
    Lane* take();
    /// A ready lane that does not fail, busy from now on: the one that has waited longest and the one that came last in
    /// turn, since those that failed may have come together. Where there is none among the first few, as take().
    Lane* take_other();
    /// The next lane on trial, busy from now on; nullptr if there is none.
    Lane* take_trial();
    /// A lane for the probe of a closed destination. Cycles through the lanes, emergencies and others in turn; those
    /// that do not fail first, then those with no part in the closing, then ready ones, then the one that has rested
    /// longest. Of the first two kinds the one that has waited longest and the one that came last, in turn: where a
    /// hundred LIIDs that the LEA dislikes came before all others, the others do not wait for a hundred probes.
    Lane* take_for_probe(std::uint32_t closing);
    /// A ready lane with no part in the closing; nullptr when there is none among the first few.
    Lane* take_unblamed(std::uint32_t closing);
    [[nodiscard]] bool has_unblamed(std::uint32_t closing);
    /// This lane, even if it has no items: for an item that is not in it. False if it is busy or parked.
    bool take(Lane& lane);
    [[nodiscard]] static bool may_take(const Lane& lane) {
        return lane.state() != Lane::State::busy && lane.state() != Lane::State::parked;
    }

    /// Ends `busy`: ready after all others of its kind, or idle.
    void finish(Lane& lane);
    /// Ends `busy`: not before `due`.
    ///   on_trial  then on a connection that has just worked, if there is one
    void rest(Lane& lane, Time due, bool on_trial = false);
    /// A resting lane may go on at `due`, if that is earlier.
    void hurry(Lane& lane, Time due, bool on_trial);
    /// Ends `busy`: not before unpark(), or before another item comes to the front. Neither time nor probes resume it.
    void park(Lane& lane);
    /// Ready where it was parked.
    void unpark(Lane& lane);
    /// Makes those ready that are due at `now`.
    void wake(Time now);
    /// Makes all resting ones ready.
    void wake_all() { wake(Time::max()); }

    /// When the first of the resting lanes is due.
    [[nodiscard]] std::optional<Time> next_due() const;
    /// Ready lanes, those on trial not counted.
    [[nodiscard]] std::size_t ready() const { return emergency().size() + routine().size(); }
    [[nodiscard]] std::size_t on_trial() const { return lists_[trial_list].size(); }
    [[nodiscard]] std::size_t resting() const { return resting_.size(); }
    /// Items that wait in lanes, whatever their state.
    [[nodiscard]] std::uint64_t waiting() const { return waiting_; }

    /// Calls `visit(const Lane&)` for ready lanes in the order they will be taken, until it returns false.
    template <typename Visit>
    void for_each_ready(Visit visit) const {
        for (const auto& list : lists_) {
            for (const Lane& lane : list) {
                if (!visit(lane)) {
                    return;
                }
            }
        }
    }

  private:
    using List = boost::intrusive::list<Lane, boost::intrusive::constant_time_size<true>>;
    struct ByDue {
        bool operator()(const Lane* a, const Lane* b) const {
            return std::pair(a->due_, a->id_) < std::pair(b->due_, b->id_);
        }
    };
    static constexpr std::size_t emergency_list = 0;
    static constexpr std::size_t routine_list = 1;
    static constexpr std::size_t trial_list = 2;

    [[nodiscard]] const List& emergency() const { return lists_[emergency_list]; }
    [[nodiscard]] const List& routine() const { return lists_[routine_list]; }
    [[nodiscard]] static std::size_t list_for(const Lane& lane);
    /// The only place that changes a lane's state: an illegal move ends the daemon.
    static void move(Lane& lane, Lane::State to);
    void make_ready(Lane& lane);
    /// Moves it out of its list or the resting ones, into `to`.
    void leave(Lane& lane, Lane::State to);
    /// A ready lane may belong in another list now.
    void relist(Lane& lane);
    [[nodiscard]] Lane* unblamed_of(List& list, std::uint32_t closing) const;
    template <typename IsWanted>
    [[nodiscard]] Lane* one_of(List& list, IsWanted is_wanted) const;
    Lane* occupy(Lane* lane);

    std::array<List, 3> lists_;
    std::set<Lane*, ByDue> resting_;
    std::uint64_t waiting_ = 0;
    bool routine_turn_ = false;  ///< of probes
    bool latest_turn_ = false;   ///< of probes: the LIID that came last, else the one that has waited longest
};

}  // namespace lihandover::delivery
