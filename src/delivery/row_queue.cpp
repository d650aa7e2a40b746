#include "row_queue.hpp"

#include <algorithm>

namespace lihandover::delivery {

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
        // A lane that alternates between none and a few keeps its block; one that had a backlog releases it.
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

}  // namespace lihandover::delivery
