#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::delivery {

/// A waiting item: its row and whether it is an emergency, in eight bytes.
class Waiting {
  public:
    Waiting() = default;
    Waiting(store::RowId row, bool emergency)
        : value_((static_cast<std::uint64_t>(row) << 1) | (emergency ? 1U : 0U)) {}
    [[nodiscard]] store::RowId row() const { return static_cast<store::RowId>(value_ >> 1); }
    [[nodiscard]] bool emergency() const { return (value_ & 1) != 0; }

  private:
    std::uint64_t value_ = 0;
};

/// The rows of one lane, lowest first, each once. One block of memory that grows by a quarter: about 10 bytes per item
/// in long lanes, and nothing but the three words here in empty ones. Taking the first, putting it back and adding a
/// higher one are cheap; so is adding many lower ones (an operator's retry in bulk).
class RowQueue {
  public:
    RowQueue() = default;
    RowQueue(const RowQueue&) = delete;
    RowQueue& operator=(const RowQueue&) = delete;
    ~RowQueue() = default;

    [[nodiscard]] bool empty() const { return begin_ == end_; }
    [[nodiscard]] std::size_t size() const { return end_ - begin_; }
    /// index < size().
    [[nodiscard]] Waiting operator[](std::size_t index) const { return block_[begin_ + index]; }
    [[nodiscard]] Waiting front() const { return block_[begin_]; }
    /// Bytes of the block.
    [[nodiscard]] std::size_t memory() const { return std::size_t{capacity_} * sizeof(Waiting); }

    /// False when the row is there already.
    bool insert(Waiting item);
    /// Not empty.
    Waiting pop_front();
    /// nullopt when the row is not there.
    std::optional<Waiting> erase(store::RowId row);

  private:
    /// Index within the block of the first row that is not below `row`.
    [[nodiscard]] std::uint32_t lower_bound(store::RowId row) const;
    void relocate(std::size_t room_in_front, std::size_t room_behind);
    void shrink();

    std::unique_ptr<Waiting[]> block_;  // NOLINT(modernize-avoid-c-arrays): a vector would be two words fatter
    std::uint32_t begin_ = 0;
    std::uint32_t end_ = 0;
    std::uint32_t capacity_ = 0;
};

class DestinationSender;

/// One warrant's line of items and what was seen of it lately. Stays where it is in memory.
struct Lane {
    Lane(store::LaneId number, DestinationSender* its_sender) : id(number), sender(its_sender) {}

    enum class State : std::uint8_t {
        idle,     ///< no items
        ready,    ///< in one of the schedule's lists
        resting,  ///< failed, not before `due`
        busy,     ///< has a message in flight
        parked,   ///< the item in front waits for something else than time; see LaneScheduler::park
    };

    store::LaneId id;
    DestinationSender* sender;  ///< where its items go; whose schedule it is in
    RowQueue rows;
    Lane* previous = nullptr;  ///< in the list of ready lanes
    Lane* next = nullptr;
    model::Clock::SteadyTime due;  ///< while resting
    std::shared_ptr<const store::Lane> details;
    std::uint32_t emergencies = 0;  ///< of the waiting rows
    std::uint32_t alone = 0;        ///< so many items at the front go in messages of their own
    std::uint32_t blamed = 0;       ///< DestinationHealth::pause_number of the pause it had a part in
    std::uint16_t failures = 0;     ///< running, of the item in front
    std::uint8_t doubts = 0;        ///< running: lone messages of the item in front that were rejected
    std::uint8_t aside = 0;         ///< items set aside as suspects
    State state = State::idle;
    bool listed_as_emergency = false;
    bool sampled = false;  ///< an item of it was validated
};

/// Which lane of a destination comes next: those with emergencies first, otherwise one after the other, so that a lane
/// with a million items waits for each of the others after every message. A lane that is taken is out of the way until
/// finish() or rest(), which is what keeps one message per LIID in flight.
class LaneScheduler {
  public:
    LaneScheduler() = default;
    LaneScheduler(const LaneScheduler&) = delete;
    LaneScheduler& operator=(const LaneScheduler&) = delete;
    ~LaneScheduler() = default;

    /// Adds an item in its place; false when it is there already.
    bool add(Lane& lane, store::RowId row, bool emergency);
    /// Takes a waiting item out; false when it does not wait here (it may be in flight).
    bool remove(Lane& lane, store::RowId row);
    /// Takes the first row of a lane that is busy and not empty.
    Waiting pop(Lane& lane);

    /// The lane that take() would give; nullptr when none is ready.
    [[nodiscard]] Lane* peek() const;
    /// Next ready lane, busy from now on; nullptr when none is.
    Lane* take();
    /// The first that `is_better` among the next few, else what take() gives.
    template <typename IsBetter>
    Lane* take_preferring(IsBetter is_better) {
        static constexpr std::size_t few = 64;
        std::size_t seen = 0;
        for (auto* list : {&emergency_, &routine_}) {
            for (auto* lane = list->first; lane != nullptr && seen < few; lane = lane->next, ++seen) {
                if (is_better(*lane)) {
                    occupy(*lane);
                    return lane;
                }
            }
        }
        return take();
    }
    /// The resting lane that is due first, ready or not: for probes. nullptr when none rests.
    Lane* take_resting();
    /// Ends `busy`: ready behind all others of its kind, or idle.
    void finish(Lane& lane);
    /// Ends `busy`: not before `due`.
    void rest(Lane& lane, model::Clock::SteadyTime due);
    /// Ends `busy`: not before unpark(), or before another item comes to the front. Neither time nor probes find it.
    void park(Lane& lane);
    /// Ready where it was parked.
    void unpark(Lane& lane);
    /// Makes those ready that are due at `now`.
    void wake(model::Clock::SteadyTime now);
    /// Makes all resting ones ready.
    void wake_all();

    /// When the first of the resting lanes is due.
    [[nodiscard]] std::optional<model::Clock::SteadyTime> next_due() const;
    [[nodiscard]] std::size_t ready() const { return ready_; }
    [[nodiscard]] std::size_t resting() const { return resting_.size(); }
    /// Items that wait in lanes, whatever their state.
    [[nodiscard]] std::uint64_t waiting() const { return waiting_; }

    /// Calls `visit(const Lane&)` for ready lanes in the order they will be taken, until it returns false.
    template <typename Visit>
    void for_each_ready(Visit visit) const {
        for (const auto& list : {emergency_, routine_}) {
            for (const Lane* lane = list.first; lane != nullptr; lane = lane->next) {
                if (!visit(*lane)) {
                    return;
                }
            }
        }
    }

  private:
    struct List {
        Lane* first = nullptr;
        Lane* last = nullptr;
    };
    struct ByDue {
        bool operator()(const Lane* a, const Lane* b) const {
            return std::pair(a->due, a->id) < std::pair(b->due, b->id);
        }
    };

    void make_ready(Lane& lane);
    void unlist(Lane& lane);
    void occupy(Lane& lane);
    /// A ready lane got or lost its emergencies.
    void relist(Lane& lane);

    List emergency_;
    List routine_;
    std::set<Lane*, ByDue> resting_;
    std::size_t ready_ = 0;
    std::uint64_t waiting_ = 0;
};

}  // namespace lihandover::delivery
