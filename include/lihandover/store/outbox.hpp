#pragma once

#include <functional>
#include <span>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// Who may deliver a lane, and until when. A store that one daemon has to itself gives every lane for ever; one that
/// several daemons share gives a lane to one of them at a time (promise 14).
struct LaneLease {
    bool held = false;               ///< by this process
    model::Clock::SteadyTime until;  ///< nothing of the lane may be sent from then on
    [[nodiscard]] bool covers(model::Clock::SteadyTime at) const { return held && at < until; }

    [[nodiscard]] static LaneLease for_ever() { return {true, model::Clock::SteadyTime::max()}; }
};

/// Whether a lane is one of those that this process holds no longer.
using LostLanes = std::function<bool(LaneId)>;

/// Hears what became durable. Called on a thread of the store after the commit, in order; must return quickly and not
/// throw.
class OutboxListener {
  public:
    virtual ~OutboxListener() = default;
    /// The new items without binary objects that the next on_queued() tells of, whole, as load() would give them: for a
    /// listener that sends them soon and would read them back otherwise. It may move out of them what it wants. Nothing
    /// is lost by those that it leaves, or that it never hears of here (after a restart or a failed commit).
    virtual void on_stored(std::span<StoredItem> /*items*/) noexcept {}
    /// Items ready for delivery, within each lane in the order they go in: new ones, and retried ones (`retried`),
    /// which go before all others of their lane.
    virtual void on_queued(std::span<const QueuedItem> items, bool retried) noexcept = 0;
    /// Of lanes that this process holds from now on (Outbox::lease already says so): what waits there, within each lane
    /// in the order it goes in. Whoever held them before may have sent any of it.
    virtual void on_taken_over(std::span<const QueuedItem> /*items*/, bool /*set_aside*/) noexcept {}
    /// This process holds these lanes no longer (Outbox::lease already says so): all that was told of them is to be
    /// forgotten, and nothing more is told until they are taken over again. What is on its way to the LEA may be
    /// accepted all the same, but is not this process's to settle: its next holder sends it once more.
    ///   lost  may be called later, on any thread
    virtual void on_lanes_lost(const LostLanes& /*lost*/) noexcept {}
    /// Items that left the outbox by an operator's decision while they may wait in memory, set aside ones included.
    virtual void on_withdrawn(std::span<const QueuedItem> items) noexcept = 0;
    /// All items of the lane that were told of so far left the outbox: they are to be held. One that is on its way to
    /// the LEA may be accepted all the same.
    virtual void on_lane_withdrawn(LaneId lane) noexcept = 0;
    /// The store can commit (true) or cannot (false): while false, nothing may be sent (promise 11).
    virtual void on_health(bool can_commit) noexcept = 0;
};

/// The items that wait, as delivery works them off. Thread-safe. Calls that return values block on the disk.
///
/// An item waits in one of two states here. `queued`: it goes in its turn. `set_aside`: it fails where others succeed,
/// is passed by, and is tried again at growing distances. From both it can be accepted, refused, and set aside; an
/// operator's retry makes it `queued` and his reject ends it (OperatorView).
class Outbox {
  public:
    virtual ~Outbox() = default;

    /// Set before the first submission; outlives the store, or is taken off with nullptr after Store::stop().
    virtual void set_listener(OutboxListener* listener) = 0;

    /// Whether this process may deliver the lane, and until when. Items of a lane that is not held are told to no
    /// listener.
    [[nodiscard]] virtual LaneLease lease(LaneId lane) const = 0;

    /// Items by row, in the order asked for; those that no longer wait are left out.
    [[nodiscard]] virtual model::Result<std::vector<StoredItem>> load(std::span<const RowId> rows) = 0;
    /// Calls `visit` for every queued item, within each lane in the order they go in; how delivery begins.
    [[nodiscard]] virtual model::Status for_each_queued(const std::function<void(const QueuedItem&)>& visit) = 0;
    /// The same for every item that is set aside.
    [[nodiscard]] virtual model::Status for_each_set_aside(const std::function<void(const QueuedItem&)>& visit) = 0;

    /// The LEA accepted these: the items go, their content beyond recovery, and the audit entries say so. Never lost:
    /// kept over failed commits until on disk; `done` hears `committed` then, or `failed` when the store stops before.
    /// Those of lanes that this process holds no longer change nothing: their next holder sends them once more.
    /// An acceptance of an item that an operator rejected meanwhile is recorded as delivered all the same: it is what
    /// happened.
    virtual void accepted(std::vector<Acceptance> items, Done done) = 0;
    /// The LEA refused this one for good: kept until an operator decides.
    virtual void refused(RowId row, Refusal refusal, Done done) = 0;
    /// This one fails where others succeed; `refusal` says with what. An item that is set aside already keeps its
    /// state, and the refusal is renewed.
    virtual void set_aside(RowId row, Refusal refusal, Done done) = 0;
    /// Sets the expiry of all binary objects of a waiting item, before its attempt.
    virtual void stamp(RowId item, model::Instant expiry, Done done) = 0;
};

}  // namespace lihandover::store
