#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

#include "common/catalogue.hpp"
#include "common/effects.hpp"
#include "common/keyring.hpp"
#include "holdings.hpp"
#include "lihandover/audit/entry.hpp"
#include "lihandover/model/time.hpp"
#include "pq.hpp"

namespace lihandover::store::postgresql {

/// Numbers of items, binary objects and entries, which share one sequence of the database, rising within a transaction.
/// An item's number is its place in its lane, so it is drawn after the lane's row was locked: then a larger one was
/// queued later, whichever daemon queued it.
class Numbers {
  public:
    /// Drawn with the statements that were asked before.
    void want(Connection& connection, std::size_t count);
    [[nodiscard]] RowId take(Connection& connection);
    /// What is left was drawn too early for what comes.
    void drop() {
        wanted_.clear();
        ready_.clear();
    }

  private:
    std::deque<Asked> wanted_;
    std::deque<RowId> ready_;
};

/// One transaction of the writer, as the tables see it.
struct Transaction {
    Connection& connection;
    Catalogue& catalogue;
    Effects& effects;
    Numbers& numbers;
    const Keyring& keyring;
    const Holdings& holdings;
    std::int64_t node = 0;   ///< this daemon's number
    model::Instant now;      ///< the wall time, the same for all of it
    model::Instant trusted;  ///< for what cannot be undone (promise 13)
    model::Instant passed;   ///< where expiries and deadlines count from
    bool shared = false;     ///< other daemons may use the database at the same time
    /// What was to be settled is of a lane that is another daemon's: nothing was changed.
    bool foreign = false;

    /// Whether the lane is this daemon's to settle things of; else it is noted. The commit fails where that is true no
    /// longer by then.
    [[nodiscard]] bool may_settle(LaneId lane) {
        foreign = foreign || !holdings.has(lane);
        return holdings.has(lane);
    }
    [[nodiscard]] RowId take_id() const { return numbers.take(connection); }
    /// The lane, read from the database where another daemon made it; nullptr where nobody knows it.
    [[nodiscard]] const Lane* lane(LaneId id) const;
    /// How the numbers of the lane's destination change. Throws PgFailure where nobody knows the lane.
    [[nodiscard]] Counts& counts_of(LaneId id) const;
    /// An entry about the lane, to be completed by whoever makes it.
    [[nodiscard]] audit::Entry entry(audit::Kind kind, LaneId id) const;
};

}  // namespace lihandover::store::postgresql
