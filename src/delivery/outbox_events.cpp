#include "outbox_events.hpp"

#include <iterator>
#include <utility>

namespace lihandover::delivery {

namespace {

constexpr std::size_t kept_events = 65'536;

}  // namespace

void OutboxEvents::stored(std::span<store::StoredItem> items) {
    announced_.assign(std::move_iterator(items.begin()), std::move_iterator(items.end()));
}

void OutboxEvents::queued(std::span<const store::QueuedItem> items, bool retried) {
    put(items, retried ? Kind::retried : Kind::queued);
}

void OutboxEvents::withdrawn(std::span<const store::QueuedItem> items) {
    put(items, Kind::withdrawn);
}

void OutboxEvents::lane_withdrawn(store::LaneId lane) {
    const store::QueuedItem any{0, lane, false};
    put(std::span(&any, 1), Kind::lane_withdrawn);
}

void OutboxEvents::taken_over(std::span<const store::QueuedItem> items, bool set_aside) {
    put(items, set_aside ? Kind::set_aside_taken_over : Kind::taken_over);
}

void OutboxEvents::lanes_lost(const store::LostLanes& lost) {
    const std::lock_guard lock(mutex_);
    losses_.push_back(lost);
    events_.push_back({{}, Kind::lanes_lost});
    wake();
}

void OutboxEvents::put(std::span<const store::QueuedItem> items, Kind kind) {
    const std::lock_guard lock(mutex_);
    for (const auto& item : items) {
        events_.push_back({item, kind});
    }
    if (kind == Kind::queued) {
        for (auto& item : announced_) {
            if (handed_bytes_ + item.share.size() > max_handed_bytes) {
                break;
            }
            handed_bytes_ += item.share.size();
            handed_.push_back(std::move(item));
        }
        announced_.clear();
    }
    wake();
}

void OutboxEvents::wake() {
    if (wake_ && !woken_ && !events_.empty()) {
        woken_ = true;
        wake_();
    }
}

void OutboxEvents::open(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
}

void OutboxEvents::close() {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
}

void OutboxEvents::swap_out() {
    const std::lock_guard lock(mutex_);
    taken_.swap(events_);
    taken_items_.swap(handed_);
    taken_losses_.swap(losses_);
    handed_bytes_ = 0;
    woken_ = false;
}

void OutboxEvents::clear_taken() {
    taken_items_.clear();
    taken_losses_.clear();
    taken_.clear();
    if (taken_.capacity() > kept_events) {
        taken_.shrink_to_fit();
    }
}

}  // namespace lihandover::delivery
