#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "answer_classifier.hpp"
#include "connection_limit.hpp"
#include "destination_health.hpp"
#include "lane_scheduler.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/outbox.hpp"
#include "set_aside_items.hpp"
#include "set_aside_pace.hpp"
#include "suspects.hpp"

namespace lihandover::delivery {

/// An item on its way to the LEA.
struct SentItem {
    Lane* lane = nullptr;
    store::RowId row = 0;
    bool emergency = false;
    bool attempted = false;  ///< the LEA may have seen it before this attempt
    bool sent = false;       ///< or in it
    bool set_aside = false;  ///< it was set aside when it was taken
    bool carries_schema = false;
    bool has_objects = false;
    bool withdrawn = false;  ///< an operator ended it meanwhile
    store::ProfileId profile = 0;
    model::Uuid id;
    model::Instant received_at;
};

/// Hears what became of items. Called from DestinationQueue::settle.
class ItemOutcomes {
  public:
    virtual ~ItemOutcomes() = default;
    ///   already_there  the LEA said that it has it from before (3010)
    virtual void accepted(const SentItem& item, bool already_there) = 0;
    virtual void refused(const SentItem& item, store::Refusal refusal) = 0;
    virtual void set_aside(const SentItem& item, store::Refusal refusal) = 0;
    /// It failed where another one was accepted, and is tried on.
    virtual void suspected(const SentItem& item, unsigned tries) = 0;
};

/// What waits for one destination, and what was learnt of it: which item goes next, and what follows from an answer
/// (docs/delivery.md). No I/O and no clock of its own.
///
/// A worker that is to send something asks begin() for a ticket, pick() for what, and take()s the rows. Then it
/// settle()s what came of it, or puts all back, and end()s the ticket.
class DestinationQueue {
  public:
    using Time = model::Clock::SteadyTime;
    using Milliseconds = std::chrono::milliseconds;

    struct Policy {
        Milliseconds initial{1'000};
        Milliseconds maximum{300'000};
        unsigned connections = 1;
        unsigned max_actions = 1;
    };
    /// A destination that answers so many refusals running, with whatever codes, refuses nothing more until it accepts
    /// something: an LEA gone wrong must not turn a backlog into refusals.
    static constexpr unsigned refusals_to_doubt = 10;
    /// Lanes kept for what was seen of them; beyond, those without items are forgotten as they empty.
    static constexpr std::size_t max_idle_lanes = 16'384;

    DestinationQueue();
    DestinationQueue(const DestinationQueue&) = delete;
    DestinationQueue& operator=(const DestinationQueue&) = delete;
    ~DestinationQueue() = default;

    void set_policy(const Policy& policy);

    // -- What waits

    /// The lane of that number, made where it is new.
    [[nodiscard]] Lane& lane(store::LaneId id);
    [[nodiscard]] Lane* find_lane(store::LaneId id);
    /// An item waits: a new one, or one that an operator has retried.
    ///   attempted  the LEA may have seen it: it waited at the start, or was sent before
    void add(Lane& lane, store::RowId row, bool emergency, bool attempted);
    /// An item that is set aside.
    void add_set_aside(const store::QueuedItem& item, const model::Uuid& id, Time due);
    /// An operator ended an item that waits here; false when it does not (it may be in flight).
    bool withdraw(Lane& lane, store::RowId row);
    /// The same for all of a lane's.
    void withdraw_lane(store::LaneId id, const std::function<void(store::RowId)>& visit);
    /// All lanes of which something waits here and that `wanted` names.
    [[nodiscard]] std::vector<store::LaneId> waiting_lanes(const store::LostLanes& wanted) const;
    /// What the item waited for has come: its lane goes on if it is parked for it, and if the item is set aside it is
    /// due.
    void look_again(Lane& lane, store::RowId row, Time now);

    [[nodiscard]] std::uint64_t waiting() const { return scheduler_.waiting(); }
    [[nodiscard]] bool empty() const { return scheduler_.waiting() == 0 && set_aside_.size() == 0; }
    [[nodiscard]] const DestinationHealth& health() const { return health_; }
    [[nodiscard]] const Suspects& suspects() const { return suspects_; }
    [[nodiscard]] const SetAsideItems& set_aside() const { return set_aside_; }
    /// As LaneScheduler::for_each_ready.
    template <typename Visit>
    void for_each_ready(Visit visit) const {
        scheduler_.for_each_ready(visit);
    }
    /// Calls `visit(const Lane&)` for every lane, those without items included.
    template <typename Visit>
    void for_each_lane(Visit visit) const {
        for (const auto& [id, lane] : lanes_) {
            visit(lane);
        }
    }
    [[nodiscard]] const ConnectionLimit& connection_limit() const { return connections_; }

    // -- Who is next

    /// What is due by now becomes ready. When to look again: next_event().
    void wake(Time now);
    /// When something changes by time alone.
    [[nodiscard]] std::optional<Time> next_event(Time now) const;
    /// Messages that could be made of what is ready; for a destination that is not open, one if anything waits.
    [[nodiscard]] std::size_t choices(Time now);
    /// Whether one more message may begin beside `in_flight` that have begun.
    [[nodiscard]] bool may_begin(Time now, unsigned in_flight);
    /// Whether one more connection may be made beside `open` others.
    [[nodiscard]] bool may_connect(unsigned open, Time now) const { return connections_.may_connect(open, now); }

    [[nodiscard]] Ticket begin(Time now);
    void end(const Ticket& ticket, Time now);
    /// Whether the ticket's attempt should still be made.
    [[nodiscard]] bool is_wanted(const Ticket& ticket) const;

    /// What goes next. `lane` is busy from now on.
    struct Pick {
        Lane* lane = nullptr;  ///< null: nothing
        store::RowId row = 0;
        bool alone = false;      ///< in a message of its own
        bool set_aside = false;  ///< not in the lane: an item that is set aside
    };
    ///   proven  the connection's last exchange was an acceptance, or no connection lasts longer than one
    [[nodiscard]] Pick pick(Ticket& ticket, bool proven, Time now);
    /// One more lane for a message that has room, if it may share one.
    [[nodiscard]] Pick pick_more();
    /// Actions that a message may have at present.
    [[nodiscard]] std::size_t most_actions() const { return std::min<std::size_t>(most_actions_, policy_.max_actions); }
    /// Takes the row out: it is on its way.
    [[nodiscard]] Waiting take(const Pick& pick, store::RowId row);
    /// Nothing could be taken of it: it goes on later.
    void release(Lane& lane, Time now);
    /// It was picked and may not go before `due`: nothing is asked until then.
    void put_off(const Pick& pick, Time due, Time now);
    /// The row is gone from the store.
    void discard(const Pick& pick);
    /// What an item that is set aside is called.
    void name_set_aside(store::RowId row, const model::Uuid& id) { set_aside_.set_id(row, id); }
    /// The item cannot go yet for want of something other than time: look_again() resumes its lane.
    void park(const Pick& pick, Time now);
    /// An item that was to be tried again could not be (it is gone from the store, or not ready).
    void put_off_set_aside(const Pick& pick, Time now, double dice);

    // -- What came of it

    struct Result {
        Ticket ticket;
        bool proven = false;           ///< as pick() was told
        bool connections_last = true;  ///< the LEA keeps connections open after an answer
        Time now;
        double dice = 0;      ///< uniform in [0, 1)
        bool fresh = false;   ///< the connection's first message
        unsigned others = 0;  ///< other connections that stand
        unsigned busy = 0;    ///< of them, those with a message on its way when this one went or was answered
    };
    /// Judges an answer, or its absence, to a message with these items. True when any was accepted.
    bool settle(std::span<SentItem> items, AnswerClass& answer, const Result& result, ItemOutcomes& outcomes);
    /// No connection came about, or the one there was broke before anything was sent.
    ///   others  connections that stand
    void not_connected(const AnswerClass& answer, unsigned others, const Result& result);
    void connected(unsigned open) { connections_.newcomer_worked(open); }
    /// An answer that says no more than that there is too much at once: 503 or 429, without a time to wait.
    [[nodiscard]] static bool says_busy(const AnswerClass& answer);
    /// The items wait again, as if nothing had been.
    void put_back(std::span<SentItem> items, Time now);
    /// All of it goes again, each item in a message of its own.
    void put_back_each_alone(std::span<SentItem> items, Time now);
    /// The item, which is not in its lane, is done with in another way: its document cannot be written, or is invalid.
    void item_left(Lane& lane, store::RowId row);

    // -- Operators and reloads

    /// Somebody wants to know how things are.
    void probe_now(Time now);
    /// A reload changed where or how to connect. What an LEA asked to wait for is waited for all the same.
    void other_end(Time now);
    void pause() { health_.pause(); }
    /// Ends a pause, also an operator's, and whatever an LEA asked to wait for.
    void resume(Time now);

  private:
    bool settle_actions(std::span<SentItem> items, AnswerClass& answer, const Result& result, ItemOutcomes& outcomes);
    void settle_evidence(std::span<SentItem> items, AnswerClass& answer, const Result& result, ItemOutcomes& outcomes);
    void settle_accepted(const Result& result);
    /// Whether the message came over the number of connections, or of messages at once, that the LEA takes.
    [[nodiscard]] bool is_too_many(std::span<const SentItem> items, const AnswerClass& answer, const Result& result);
    /// A lone item failed. `transient`: with an error that is named worth retrying.
    void settle_lone(SentItem& item, AnswerClass& answer, bool transient, const Result& result, ItemOutcomes& outcomes);
    void accept(SentItem& item, bool already_there, Time now, ItemOutcomes& outcomes);
    void refuse(SentItem& item, store::Refusal refusal, ItemOutcomes& outcomes);
    /// Whether a refusal is to be believed.
    [[nodiscard]] bool believe_refusal(bool beside_accepted);
    void return_item(SentItem& item);
    void put_back(std::span<SentItem> items, Time now, std::optional<Time> not_before);
    void release(Lane& lane, Time now, std::optional<Time> not_before);
    [[nodiscard]] Pick pick_of(Lane* lane, bool closed);
    /// One that is due and may go, of a lane that is free; choices() and pick() must agree, or a worker would turn on
    /// the spot.
    [[nodiscard]] const SetAsideItems::Item* next_set_aside(Time now) const;
    [[nodiscard]] Pick pick_set_aside(Ticket& ticket, Time now);
    [[nodiscard]] std::size_t trials_allowed() const { return std::max(health_.allowed() / 2, 1U); }
    [[nodiscard]] Milliseconds patience(const AnswerClass& answer) const;
    void forget_idle(Lane& lane);

    Policy policy_;
    std::unordered_map<store::LaneId, Lane> lanes_;
    LaneScheduler scheduler_;  ///< after `lanes_`, which it links
    DestinationHealth health_;
    ConnectionLimit connections_;
    Suspects suspects_;
    SetAsideItems set_aside_;
    std::size_t most_actions_ = SIZE_MAX;
    unsigned full_messages_ = 0;  ///< accepted since most_actions_ was lowered
    unsigned trials_ = 0;         ///< suspects on their way
    SetAsidePace aside_pace_;
    bool trial_turn_ = true;
    unsigned fruitless_ = 0;                    ///< probes running, each of a lane that had failed before
    std::pair<store::RowId, unsigned> passed_;  ///< front item that was last passed by, and after how many failures
    bool in_order_ = false;                     ///< the next is a front one: somebody has asked for it
    unsigned refusals_ = 0;                     ///< running
};

}  // namespace lihandover::delivery
