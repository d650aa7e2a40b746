#include "transaction.hpp"

#include <utility>

#include "register_table.hpp"

namespace lihandover::store::postgresql {

namespace {

constexpr std::size_t least = 16;  ///< that are drawn when none is left

}  // namespace

void Numbers::want(Connection& connection, std::size_t count) {
    if (count == 0) {
        return;
    }
    wanted_.push_back(connection.ask("SELECT nextval('number') FROM generate_series(1, $1)",
                                     Parameters().add(static_cast<std::int64_t>(count))));
}

RowId Numbers::take(Connection& connection) {
    if (ready_.empty()) {
        if (wanted_.empty()) {
            want(connection, least);
        }
        Asked asked = std::move(wanted_.front());
        wanted_.pop_front();
        const Rows rows = connection.answer(asked);
        for (int row = 0; row < rows.size(); ++row) {
            ready_.push_back(rows.integer(row, 0));
        }
    }
    const RowId id = ready_.front();
    ready_.pop_front();
    return id;
}

const Lane* Transaction::lane(LaneId id) const {
    const Lane* known = catalogue.lane_of_writer(id);
    if (known == nullptr && shared) {
        RegisterTable::learn_lanes(connection, catalogue, keyring, std::span(&id, 1));
        known = catalogue.lane_of_writer(id);
    }
    return known;
}

Counts& Transaction::counts_of(LaneId id) const {
    if (lane(id) == nullptr) {
        throw PgFailure(Trouble::damaged);
    }
    return effects.of(catalogue.lane_facts(id)->destination);
}

audit::Entry Transaction::entry(audit::Kind kind, LaneId id) const {
    audit::Entry entry;
    entry.kind = kind;
    entry.at = now;
    if (const Lane* known = lane(id)) {
        entry.destination = known->destination;
        entry.liid = known->liid;
    }
    return entry;
}

}  // namespace lihandover::store::postgresql
