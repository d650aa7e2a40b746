#include "common/oldest_places.hpp"

#include <algorithm>

namespace lihandover::store {

std::map<std::string, OldestQueued, std::less<>> OldestPlaces::read(const Catalogue& catalogue, QueueReads& from) {
    const std::lock_guard lock(mutex_);
    take_put_back();
    search(check_found(from), catalogue, from);
    std::map<std::string, OldestQueued, std::less<>> all;
    for (auto& [key, place] : places_) {
        if (!place.found) {
            continue;
        }
        if (!place.since) {
            place.since = from.queued_at(place.row);
        }
        (key.second ? all[key.first].emergency : all[key.first].routine) = place.since;
    }
    return all;
}

void OldestPlaces::put_back(RowId row) noexcept {
    RowId first = put_back_.load();
    while (row < first && !put_back_.compare_exchange_weak(first, row)) {
    }
}

void OldestPlaces::take_put_back() {
    const RowId row = put_back_.exchange(none);
    for (auto& [key, place] : places_) {
        if (row < place.row) {
            place = {row, false, {}};
        }
    }
    // Of a destination that no read has seen yet.
    seen_ = std::min(seen_, row - 1);
}

RowId OldestPlaces::check_found(QueueReads& from) {
    RowId behind = seen_;
    for (auto& [key, place] : places_) {
        if (place.found && !from.is_queued(place.row)) {
            place.found = false;
        }
        if (!place.found) {
            behind = std::min(behind, place.row - 1);
        }
    }
    return behind;
}

void OldestPlaces::search(RowId behind, const Catalogue& catalogue, QueueReads& from) {
    for (;;) {
        // Among rows that were looked at before there may be no more to find.
        const bool wanted = std::ranges::any_of(
            places_, [&](const auto& place) { return !place.second.found && place.second.row <= seen_; });
        if (!wanted) {
            behind = std::max(behind, seen_);
        }
        const std::vector<QueuedItem> page = from.queued_after(behind);
        if (page.empty()) {
            break;
        }
        for (const QueuedItem& item : page) {
            const auto lane = catalogue.find_lane(item.lane);
            if (!lane) {
                continue;
            }
            Place& place = places_[{lane->destination, item.emergency}];
            if (!place.found && item.row >= place.row) {
                place = {item.row, true, {}};
            }
        }
        behind = page.back().row;
    }
    seen_ = std::max(seen_, behind);
    for (auto& [key, place] : places_) {
        if (!place.found) {
            place.row = seen_ + 1;
        }
    }
}

}  // namespace lihandover::store
