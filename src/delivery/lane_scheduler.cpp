#include "lane_scheduler.hpp"

#include <algorithm>

namespace lihandover::delivery {

// -- RowQueue ---------------------------------------------------------------------------------------------------------

std::uint32_t RowQueue::lower_bound(store::RowId row) const {
    const auto* first = block_.get() + begin_;
    const auto* last = block_.get() + end_;
    const auto* found = std::lower_bound(first, last, row, [](Waiting item, store::RowId r) { return item.row() < r; });
    return static_cast<std::uint32_t>(found - block_.get());
}

void RowQueue::relocate(std::size_t room_in_front, std::size_t room_behind) {
    const auto count = size();
    const auto capacity = room_in_front + count + room_behind;
    auto block = std::make_unique<Waiting[]>(capacity);  // NOLINT(modernize-avoid-c-arrays)
    std::copy_n(block_.get() + begin_, count, block.get() + room_in_front);
    block_ = std::move(block);
    begin_ = static_cast<std::uint32_t>(room_in_front);
    end_ = static_cast<std::uint32_t>(room_in_front + count);
    capacity_ = static_cast<std::uint32_t>(capacity);
}

void RowQueue::shrink() {
    if (empty()) {
        begin_ = end_ = 0;
        // A lane that goes back and forth between none and a few keeps its block; one that had a backlog gives it back.
        if (capacity_ > 8) {
            block_.reset();
            capacity_ = 0;
        }
    } else if (capacity_ > 64 && size() < capacity_ / 2) {
        relocate(0, size() / 4);
    }
}

bool RowQueue::insert(Waiting item) {
    const auto grown = size() / 4 + 1;
    if (empty() || item.row() > block_[end_ - 1].row()) {
        if (end_ == capacity_) {
            if (begin_ > size() / 4) {  // enough was taken from the front: move down instead of growing
                std::copy(block_.get() + begin_, block_.get() + end_, block_.get());
                end_ -= begin_;
                begin_ = 0;
            } else {
                relocate(0, grown);
            }
        }
        block_[end_++] = item;
        return true;
    }
    auto place = lower_bound(item.row());
    if (block_[place].row() == item.row()) {
        return false;
    }
    const auto before = place - begin_;
    if (before <= end_ - place) {
        if (begin_ == 0) {
            relocate(grown, capacity_ - end_);
            place = begin_ + before;
        }
        std::copy(block_.get() + begin_, block_.get() + place, block_.get() + begin_ - 1);
        --begin_;
        block_[place - 1] = item;
    } else {
        if (end_ == capacity_) {
            relocate(begin_, grown);
        }
        std::copy_backward(block_.get() + place, block_.get() + end_, block_.get() + end_ + 1);
        ++end_;
        block_[place] = item;
    }
    return true;
}

Waiting RowQueue::pop_front() {
    const auto item = block_[begin_++];
    shrink();
    return item;
}

std::optional<Waiting> RowQueue::erase(store::RowId row) {
    if (empty()) {
        return std::nullopt;
    }
    const auto place = lower_bound(row);
    if (place == end_ || block_[place].row() != row) {
        return std::nullopt;
    }
    const auto item = block_[place];
    if (place - begin_ < end_ - place) {
        std::copy_backward(block_.get() + begin_, block_.get() + place, block_.get() + place + 1);
        ++begin_;
    } else {
        std::copy(block_.get() + place + 1, block_.get() + end_, block_.get() + place);
        --end_;
    }
    shrink();
    return item;
}

// -- LaneScheduler
// ---------------------------------------------------------------------------------------------------------

bool LaneScheduler::add(Lane& lane, store::RowId row, bool emergency) {
    if (!lane.rows.insert(Waiting(row, emergency))) {
        return false;
    }
    ++waiting_;
    if (emergency) {
        ++lane.emergencies;
    }
    if (lane.state == Lane::State::idle) {
        make_ready(lane);
    } else if (lane.state == Lane::State::ready) {
        relist(lane);
    } else if (lane.rows.front().row() == row) {
        unpark(lane);
    }
    return true;
}

bool LaneScheduler::remove(Lane& lane, store::RowId row) {
    const bool was_front = !lane.rows.empty() && lane.rows.front().row() == row;
    const auto item = lane.rows.erase(row);
    if (!item) {
        return false;
    }
    --waiting_;
    if (item->emergency()) {
        --lane.emergencies;
    }
    if (was_front && lane.state != Lane::State::busy) {  // what was seen of it is not its successor's fault
        lane.failures = 0;
        lane.doubts = 0;
    }
    if (lane.rows.empty() && lane.state != Lane::State::busy) {
        if (lane.state == Lane::State::ready) {
            unlist(lane);
        } else if (lane.state == Lane::State::resting) {
            resting_.erase(&lane);
        }
        lane.state = Lane::State::idle;
        lane.alone = 0;
    } else if (lane.state == Lane::State::ready) {
        relist(lane);
    } else if (was_front) {
        unpark(lane);
    }
    return true;
}

Waiting LaneScheduler::pop(Lane& lane) {
    const auto item = lane.rows.pop_front();
    --waiting_;
    if (item.emergency()) {
        --lane.emergencies;
    }
    return item;
}

Lane* LaneScheduler::peek() const {
    return emergency_.first != nullptr ? emergency_.first : routine_.first;
}

Lane* LaneScheduler::take() {
    auto* lane = peek();
    if (lane != nullptr) {
        occupy(*lane);
    }
    return lane;
}

Lane* LaneScheduler::take_resting() {
    if (resting_.empty()) {
        return nullptr;
    }
    auto* lane = *resting_.begin();
    occupy(*lane);
    return lane;
}

void LaneScheduler::occupy(Lane& lane) {
    if (lane.state == Lane::State::ready) {
        unlist(lane);
    } else {
        resting_.erase(&lane);
    }
    lane.state = Lane::State::busy;
}

void LaneScheduler::finish(Lane& lane) {
    if (lane.rows.empty()) {
        lane.state = Lane::State::idle;
        lane.alone = 0;
    } else {
        make_ready(lane);
    }
}

void LaneScheduler::rest(Lane& lane, model::Clock::SteadyTime due) {
    if (lane.rows.empty()) {
        finish(lane);
        return;
    }
    lane.due = due;
    lane.state = Lane::State::resting;
    resting_.insert(&lane);
}

void LaneScheduler::park(Lane& lane) {
    if (lane.rows.empty()) {
        finish(lane);
    } else {
        lane.state = Lane::State::parked;
    }
}

void LaneScheduler::unpark(Lane& lane) {
    if (lane.state == Lane::State::parked) {
        make_ready(lane);
    }
}

void LaneScheduler::wake(model::Clock::SteadyTime now) {
    while (!resting_.empty() && (*resting_.begin())->due <= now) {
        auto* lane = *resting_.begin();
        resting_.erase(resting_.begin());
        make_ready(*lane);
    }
}

void LaneScheduler::wake_all() {
    wake(model::Clock::SteadyTime::max());
}

std::optional<model::Clock::SteadyTime> LaneScheduler::next_due() const {
    return resting_.empty() ? std::nullopt : std::optional((*resting_.begin())->due);
}

void LaneScheduler::make_ready(Lane& lane) {
    lane.state = Lane::State::ready;
    lane.listed_as_emergency = lane.emergencies > 0;
    auto& list = lane.listed_as_emergency ? emergency_ : routine_;
    lane.previous = list.last;
    lane.next = nullptr;
    (list.last != nullptr ? list.last->next : list.first) = &lane;
    list.last = &lane;
    ++ready_;
}

void LaneScheduler::unlist(Lane& lane) {
    auto& list = lane.listed_as_emergency ? emergency_ : routine_;
    (lane.previous != nullptr ? lane.previous->next : list.first) = lane.next;
    (lane.next != nullptr ? lane.next->previous : list.last) = lane.previous;
    lane.previous = lane.next = nullptr;
    --ready_;
}

void LaneScheduler::relist(Lane& lane) {
    if (lane.listed_as_emergency != (lane.emergencies > 0)) {
        unlist(lane);
        make_ready(lane);
    }
}

}  // namespace lihandover::delivery
