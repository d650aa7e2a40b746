#pragma once

#include "common/catalogue.hpp"
#include "common/effects.hpp"
#include "lihandover/audit/entry.hpp"
#include "lihandover/model/time.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

/// One transaction of the writer, as the tables see it: all they need, so that none calls back into what holds it.
struct Transaction {
    Connection& connection;
    Catalogue& catalogue;
    Effects& effects;
    RowId& next_id;          ///< of items, binary objects and records, which share one sequence
    model::Instant now;      ///< the wall time, the same for all of it
    model::Instant trusted;  ///< for what cannot be undone (promise 13)
    model::Instant passed;   ///< where expiries and deadlines count from

    RowId take_id() { return next_id++; }
    [[nodiscard]] RowId last_id() const { return next_id - 1; }

    /// How the numbers of the lane's destination change.
    [[nodiscard]] Counts& counts_of(LaneId lane);
    /// An entry about the lane, to be completed by whoever makes it.
    [[nodiscard]] audit::Entry entry(audit::Kind kind, LaneId lane) const;
};

}  // namespace lihandover::store::sqlite
