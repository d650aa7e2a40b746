#include "expiry_stamps.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "lihandover/store/objects.hpp"

namespace lihandover::delivery {

namespace {

constexpr std::chrono::seconds stamp_again(1);

/// Half of the lifetime or more is left, which an LEA can count on.
bool lasts(const store::StoredObject& object, model::Instant now) {
    const auto& expiry = object.described.expiry;
    return expiry && (expiry->micros() - now.micros()) * 2 >=
                         std::chrono::duration_cast<std::chrono::microseconds>(object.lifetime).count();
}

}  // namespace

ExpiryStamps::ExpiryStamps(const boost::asio::any_io_executor& executor, const model::Clock& clock,
                           store::Outbox& outbox, std::shared_ptr<ObjectEvents> events,
                           std::function<void(const store::QueuedItem&)> again)
    : clock_(clock), outbox_(outbox), events_(std::move(events)), again_(std::move(again)), timer_(executor) {}

bool ExpiryStamps::ready(const store::StoredItem& item) {
    if (item.preparing || on_their_way_.contains(item.row)) {
        return false;
    }
    if (!item.objects || item.objects->empty()) {
        return true;
    }
    const auto now = clock_.passed();
    if (std::ranges::all_of(*item.objects, [now](const auto& object) { return lasts(object, now); })) {
        return true;
    }
    const auto longest = std::ranges::max_element(*item.objects, {}, &store::StoredObject::lifetime)->lifetime;
    // Whole seconds, rounded up: exactly what the document says.
    const model::Instant expiry{now.seconds + longest.count() + 1, 0};
    on_their_way_.insert(item.row);
    const ObjectEvent ended{ObjectEvent::Kind::stamped, {item.row, item.lane, item.emergency}, {}, {}, {}};
    outbox_.stamp(item.row, expiry, [events = events_, ended](store::Outcome outcome) {
        auto event = ended;
        event.outcome = outcome;
        events->put(event);
    });
    return false;
}

void ExpiryStamps::event(const ObjectEvent& event) {
    if (event.kind == ObjectEvent::Kind::stamped) {
        on_their_way_.erase(event.item.row);
        if (event.outcome != store::Outcome::committed) {
            try_again_later(event.item);
            return;
        }
    }
    again_(event.item);
}

void ExpiryStamps::try_again_later(const store::QueuedItem& item) {
    failed_.push_back(item);
    if (failed_.size() > 1 || stopped_) {
        return;
    }
    timer_.expires_after(stamp_again);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        if (const auto self = weak.lock(); self && !error && !self->stopped_) {
            for (const auto& one : std::exchange(self->failed_, {})) {
                self->again_(one);
            }
        }
    });
}

void ExpiryStamps::stop() {
    stopped_ = true;
    timer_.cancel();
}

}  // namespace lihandover::delivery
