#include "transaction.hpp"

#include <utility>

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

Counts& Transaction::counts_of(LaneId lane) const {
    const auto* facts = catalogue.lane_facts(lane);
    if (facts == nullptr) {
        throw PgFailure(Trouble::damaged);
    }
    return effects.of(facts->destination);
}

audit::Entry Transaction::entry(audit::Kind kind, LaneId lane) const {
    audit::Entry entry;
    entry.kind = kind;
    entry.at = now;
    if (const Lane* known = catalogue.lane_of_writer(lane)) {
        entry.destination = known->destination;
        entry.liid = known->liid;
    }
    return entry;
}

}  // namespace lihandover::store::postgresql
