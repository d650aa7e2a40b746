#include "backlog_ranking.hpp"

#include <algorithm>
#include <tuple>

namespace lihandover::delivery {

namespace {

LaneState state_of(const Lane& lane) {
    switch (lane.state()) {
        case Lane::State::busy:
            return LaneState::in_flight;
        case Lane::State::resting:
            return LaneState::resting;
        case Lane::State::parked:
            return LaneState::preparing;
        case Lane::State::idle:
        case Lane::State::ready:
            break;
    }
    return LaneState::ready;
}

}  // namespace

bool BacklogRanking::before(const Entry& one, const Entry& other) const {
    // The lane's number last, so that equal ones keep their order from one look to the next.
    if (request_.order == BacklogOrder::items) {
        return std::tuple(other.items, one.first, one.lane->id()) <
               std::tuple(one.items, other.first, other.lane->id());
    }
    return std::tuple(one.first, one.lane->id()) < std::tuple(other.first, other.lane->id());
}

void BacklogRanking::add(const Lane& lane) {
    if (lane.backlog() == 0) {
        return;
    }
    ++lanes_waiting_;
    if (request_.limit == 0) {
        return;
    }
    const Entry entry{&lane, lane.backlog(), lane.oldest().row()};
    const auto order = [this](const Entry& one, const Entry& other) { return before(one, other); };
    if (best_.size() == request_.limit) {
        if (!before(entry, best_.front())) {
            return;
        }
        std::ranges::pop_heap(best_, order);
        best_.pop_back();
    }
    best_.push_back(entry);
    std::ranges::push_heap(best_, order);
}

std::vector<BacklogRanking::Entry> BacklogRanking::take() {
    std::ranges::sort_heap(best_, [this](const Entry& one, const Entry& other) { return before(one, other); });
    return std::exchange(best_, {});
}

LaneBacklog backlog_of(const Lane& lane, const store::Lane* details) {
    LaneBacklog told;
    if (details != nullptr) {
        told.destination = details->destination;
        told.liid = details->liid;
    }
    told.items = lane.backlog();
    told.emergencies = lane.emergencies();
    told.state = state_of(lane);
    told.first = {!lane.oldest().emergency(), lane.oldest().row()};
    return told;
}

}  // namespace lihandover::delivery
