#include "lane_scheduler.hpp"

#include "lihandover/base/invariant.hpp"

namespace lihandover::delivery {

namespace {

using State = Lane::State;

/// How many lanes are examined to find one that is not blamed: enough in practice, and bounded.
constexpr std::size_t few = 256;

constexpr bool is_move(State from, State to) {
    switch (from) {
        case State::idle:
            return to == State::ready || to == State::busy;
        case State::ready:
            return to == State::busy || to == State::idle;
        case State::resting:
            return to == State::ready || to == State::busy || to == State::idle;
        case State::busy:
            return true;
        case State::parked:
            return to == State::ready || to == State::idle;
    }
    return false;
}

}  // namespace

LaneScheduler::~LaneScheduler() {
    for (auto& list : lists_) {
        list.clear();
    }
}

void LaneScheduler::move(Lane& lane, State to) {
    LIHANDOVER_INVARIANT(lane.state_ != to && is_move(lane.state_, to), "a lane moves as its states allow");
    if (lane.state_ == State::busy) {  // what was taken is back by now, or done with
        lane.away_ = 0;
        lane.away_emergencies_ = 0;
    }
    lane.state_ = to;
}

// -- Items ------------------------------------------------------------------------------------------------------------

bool LaneScheduler::add(Lane& lane, Waiting item) {
    if (!lane.rows_.insert(item)) {
        return false;
    }
    ++waiting_;
    lane.emergencies_ += item.emergency() ? 1 : 0;
    const bool in_front = lane.rows_.front().row() == item.row();
    if (in_front) {  // the suspect, if there is one, is after it now
        lane.on_trial_ = false;
    }
    switch (lane.state_) {
        case State::idle:
            make_ready(lane);
            break;
        case State::ready:
            relist(lane);
            break;
        case State::parked:
            if (in_front) {
                make_ready(lane);
            }
            break;
        case State::resting:
        case State::busy:
            break;
    }
    return true;
}

std::optional<Waiting> LaneScheduler::remove(Lane& lane, store::RowId row) {
    const bool was_front = !lane.rows_.empty() && lane.rows_.front().row() == row;
    const auto item = lane.rows_.erase(row);
    if (!item) {
        return std::nullopt;
    }
    LIHANDOVER_INVARIANT(waiting_ > 0, "waiting items are counted");
    --waiting_;
    lane.emergencies_ -= item->emergency() ? 1 : 0;
    if (was_front) {
        lane.on_trial_ = false;
    }
    if (lane.state_ == State::busy) {
        return item;
    }
    if (lane.rows_.empty()) {
        leave(lane, State::idle);
        lane.alone_ = 0;
        lane.fails_ = false;
    } else if (lane.state_ == State::ready) {
        relist(lane);
    } else if (was_front) {  // what its successor waits for, if for anything, is not known yet
        leave(lane, State::ready);
    }
    return item;
}

Waiting LaneScheduler::pop(Lane& lane) {
    LIHANDOVER_INVARIANT(!lane.rows_.empty(), "an item is taken from a lane that has one");
    return pop(lane, lane.rows_.front().row());
}

Waiting LaneScheduler::pop(Lane& lane, store::RowId row) {
    LIHANDOVER_INVARIANT(lane.state_ == State::busy, "items go out of lanes that were taken");
    const auto item = lane.rows_.front().row() == row ? lane.rows_.pop_front() : lane.rows_.erase(row).value();
    LIHANDOVER_INVARIANT(waiting_ > 0, "waiting items are counted");
    --waiting_;
    lane.emergencies_ -= item.emergency() ? 1 : 0;
    if (lane.away_ == 0 || item.row() < lane.first_away_.row()) {
        lane.first_away_ = item;
    }
    ++lane.away_;
    lane.away_emergencies_ += item.emergency() ? 1 : 0;
    return item;
}

// -- Who is next ------------------------------------------------------------------------------------------------------

Lane* LaneScheduler::peek() {
    auto& list = lists_[emergency_list].empty() ? lists_[routine_list] : lists_[emergency_list];
    return list.empty() ? nullptr : &list.front();
}

Lane* LaneScheduler::occupy(Lane* lane) {
    if (lane != nullptr) {
        leave(*lane, State::busy);
    }
    return lane;
}

Lane* LaneScheduler::take() {
    return occupy(peek());
}

Lane* LaneScheduler::take_trial() {
    auto& list = lists_[trial_list];
    return list.empty() ? nullptr : occupy(&list.front());
}

bool LaneScheduler::take(Lane& lane) {
    if (lane.state_ == State::busy || lane.state_ == State::parked) {
        return false;
    }
    occupy(&lane);
    return true;
}

template <typename IsWanted>
Lane* LaneScheduler::one_of(List& list, IsWanted is_wanted) const {
    const auto first_of = [is_wanted](auto from, auto to) -> Lane* {
        std::size_t seen = 0;
        for (; from != to && seen < few; ++from, ++seen) {
            if (is_wanted(*from)) {
                return &*from;
            }
        }
        return nullptr;
    };
    auto* longest = first_of(list.begin(), list.end());
    if (longest != nullptr && !latest_turn_) {
        return longest;
    }
    auto* latest = first_of(list.rbegin(), list.rend());
    return latest != nullptr ? latest : longest;
}

/// Those that failed in an earlier closing have rested, and stand where they do not belong: behind the latest.
Lane* LaneScheduler::unblamed_of(List& list, std::uint32_t closing) const {
    auto* lane = one_of(list, [](const Lane& one) { return !one.fails(); });
    return lane != nullptr ? lane : one_of(list, [closing](const Lane& one) { return !one.is_blamed(closing); });
}

Lane* LaneScheduler::take_other() {
    latest_turn_ = !latest_turn_;
    for (auto* list : {&lists_[emergency_list], &lists_[routine_list]}) {
        if (auto* lane = one_of(*list, [](const Lane& one) { return !one.fails(); })) {
            return occupy(lane);
        }
    }
    return take();
}

bool LaneScheduler::has_unblamed(std::uint32_t closing) {
    return unblamed_of(lists_[emergency_list], closing) != nullptr ||
           unblamed_of(lists_[routine_list], closing) != nullptr;
}

Lane* LaneScheduler::take_unblamed(std::uint32_t closing) {
    latest_turn_ = !latest_turn_;
    auto* lane = unblamed_of(lists_[emergency_list], closing);
    return occupy(lane != nullptr ? lane : unblamed_of(lists_[routine_list], closing));
}

Lane* LaneScheduler::take_for_probe(std::uint32_t closing) {
    auto& first = lists_[routine_turn_ ? routine_list : emergency_list];
    auto& second = lists_[routine_turn_ ? emergency_list : routine_list];
    latest_turn_ = routine_turn_ ? !latest_turn_ : latest_turn_;
    routine_turn_ = !routine_turn_;
    for (auto* list : {&first, &second}) {
        if (auto* lane = unblamed_of(*list, closing)) {
            return occupy(lane);
        }
    }
    for (auto* list : {&first, &second, &lists_[trial_list]}) {
        if (!list->empty()) {
            return occupy(&list->front());
        }
    }
    return resting_.empty() ? nullptr : occupy(*resting_.begin());
}

// -- States -----------------------------------------------------------------------------------------------------------

std::size_t LaneScheduler::list_for(const Lane& lane) {
    if (lane.on_trial_) {
        return trial_list;
    }
    return lane.emergencies_ > 0 ? emergency_list : routine_list;
}

void LaneScheduler::make_ready(Lane& lane) {
    move(lane, State::ready);
    lane.list_ = static_cast<std::uint8_t>(list_for(lane));
    lists_[lane.list_].push_back(lane);
}

void LaneScheduler::leave(Lane& lane, State to) {
    if (lane.state_ == State::ready) {
        lists_[lane.list_].erase(List::s_iterator_to(lane));
    } else if (lane.state_ == State::resting) {
        resting_.erase(&lane);
    }
    if (to == State::ready) {
        make_ready(lane);
    } else {
        move(lane, to);
    }
}

void LaneScheduler::relist(Lane& lane) {
    if (lane.list_ != list_for(lane)) {
        lists_[lane.list_].erase(List::s_iterator_to(lane));
        lane.list_ = static_cast<std::uint8_t>(list_for(lane));
        lists_[lane.list_].push_back(lane);
    }
}

void LaneScheduler::finish(Lane& lane) {
    lane.on_trial_ = false;
    if (lane.rows_.empty()) {
        move(lane, State::idle);
        lane.alone_ = 0;
        lane.fails_ = false;
    } else {
        make_ready(lane);
    }
}

void LaneScheduler::rest(Lane& lane, Time due, bool on_trial) {
    if (lane.rows_.empty()) {
        finish(lane);
        return;
    }
    move(lane, State::resting);
    lane.on_trial_ = on_trial;
    lane.due_ = due;
    resting_.insert(&lane);
}

void LaneScheduler::hurry(Lane& lane, Time due, bool on_trial) {
    if (lane.state_ == State::resting) {
        resting_.erase(&lane);
        lane.due_ = std::min(lane.due_, due);
        lane.on_trial_ = on_trial;
        resting_.insert(&lane);
    }
}

void LaneScheduler::park(Lane& lane) {
    if (lane.rows_.empty()) {
        finish(lane);
    } else {
        move(lane, State::parked);
    }
}

void LaneScheduler::unpark(Lane& lane) {
    if (lane.state_ == State::parked) {
        make_ready(lane);
    }
}

void LaneScheduler::wake(Time now) {
    while (!resting_.empty() && (*resting_.begin())->due_ <= now) {
        leave(**resting_.begin(), State::ready);
    }
}

std::optional<LaneScheduler::Time> LaneScheduler::next_due() const {
    return resting_.empty() ? std::nullopt : std::optional((*resting_.begin())->due_);
}

}  // namespace lihandover::delivery
