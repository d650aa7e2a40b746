#include "set_aside_items.hpp"

#include <algorithm>

#include "back_off.hpp"

namespace lihandover::delivery {

namespace {

constexpr int first_distance = 64;  ///< in multiples of `initial`
constexpr std::chrono::hours longest_distance{1};

}  // namespace

void SetAsideItems::add(const store::QueuedItem& item, const model::Uuid& id, Time due) {
    const auto [found, made] = items_.try_emplace(item.row, Item{item.row, item.lane, item.emergency, 0, due, id});
    if (made) {
        by_due_.emplace(due, item.row);
        by_lane_[item.lane].insert(item.row);
        ++version_;
    }
}

bool SetAsideItems::erase(store::RowId row) {
    const auto found = items_.find(row);
    if (found == items_.end()) {
        return false;
    }
    by_due_.erase({found->second.due, row});
    const auto lane = by_lane_.find(found->second.lane);
    lane->second.erase(row);
    if (lane->second.empty()) {
        by_lane_.erase(lane);
    }
    items_.erase(found);
    ++version_;
    return true;
}

const SetAsideItems::Item* SetAsideItems::find(store::RowId row) const {
    const auto found = items_.find(row);
    return found == items_.end() ? nullptr : &found->second;
}

std::vector<store::RowId> SetAsideItems::rows_of(store::LaneId lane) const {
    const auto found = by_lane_.find(lane);
    return found == by_lane_.end() ? std::vector<store::RowId>()
                                   : std::vector<store::RowId>(found->second.begin(), found->second.end());
}

std::vector<store::LaneId> SetAsideItems::lanes() const {
    std::vector<store::LaneId> lanes;
    lanes.reserve(by_lane_.size());
    for (const auto& [lane, rows] : by_lane_) {
        lanes.push_back(lane);
    }
    return lanes;
}

void SetAsideItems::set_due(Item& item, Time due) {
    by_due_.erase({item.due, item.row});
    item.due = due;
    by_due_.emplace(due, item.row);
}

void SetAsideItems::later(store::RowId row, Milliseconds initial, Milliseconds maximum, Time now, double dice) {
    const auto found = items_.find(row);
    if (found != items_.end()) {
        const auto longest = std::max<Milliseconds>(maximum, longest_distance);
        set_due(found->second,
                now + back_off(++found->second.tries, std::min(initial * first_distance, longest), longest, dice));
    }
}

void SetAsideItems::set_id(store::RowId row, const model::Uuid& id) {
    const auto found = items_.find(row);
    if (found != items_.end() && found->second.id != id) {
        found->second.id = id;
        ++version_;
    }
}

void SetAsideItems::wake(store::RowId row, Time now) {
    const auto found = items_.find(row);
    if (found != items_.end() && found->second.due > now) {
        set_due(found->second, now);
    }
}

void SetAsideItems::wake_all(Time now) {
    by_due_.clear();
    for (auto& [row, item] : items_) {
        item.due = std::min(item.due, now);
        by_due_.emplace(item.due, row);
    }
}

std::optional<SetAsideItems::Time> SetAsideItems::next_due() const {
    return by_due_.empty() ? std::nullopt : std::optional(by_due_.begin()->first);
}

std::vector<model::Uuid> SetAsideItems::ids(std::size_t most) const {
    std::vector<model::Uuid> ids;
    for (const auto& [row, item] : items_) {
        if (ids.size() >= most) {
            break;
        }
        if (item.id != model::Uuid{}) {
            ids.push_back(item.id);
        }
    }
    return ids;
}

}  // namespace lihandover::delivery
