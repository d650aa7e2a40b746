#include "transaction.hpp"

namespace lihandover::store::sqlite {

Counts& Transaction::counts_of(LaneId lane) {
    const auto* facts = catalogue.lane_facts(lane);
    if (facts == nullptr) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
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

}  // namespace lihandover::store::sqlite
