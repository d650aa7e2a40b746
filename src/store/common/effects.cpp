#include "effects.hpp"

#include <algorithm>

namespace lihandover::store {

void Counts::tell(Count& count) const {
    count.held = number(ItemState::held);
    count.queued = number(ItemState::queued);
    count.refused = number(ItemState::refused);
    count.set_aside = number(ItemState::set_aside);
    count.objects_attached = number(ObjectState::attached);
    count.objects_offered = number(ObjectState::offered);
    count.objects_queued = number(ObjectState::queued);
    count.objects_refused = number(ObjectState::refused);
    count.objects_set_aside = number(ObjectState::set_aside);
}

void Effects::clear() {
    counts.clear();
    queued.clear();
    stored.clear();
    retried.clear();
    withdrawn.clear();
    lanes_withdrawn.clear();
    prepared.clear();
    uploads.clear();
    uploads_withdrawn.clear();
    provided.clear();
    lanes.clear();
    profiles.clear();
    taken_slots.clear();
    released_slots.clear();
    waiting_bytes = 0;
    rewritten_bytes = 0;
    repeats = 0;
    reused_ids = 0;
}

void tell(Effects& effects, OutboxListener* listener, ObjectListener* objects) {
    // Before the items: what is told of one is true when its item is heard of.
    if (objects != nullptr) {
        if (!effects.prepared.empty()) {
            objects->on_prepared(effects.prepared);
        }
        if (!effects.uploads.empty()) {
            objects->on_uploads(effects.uploads);
        }
        if (!effects.uploads_withdrawn.empty()) {
            objects->on_uploads_withdrawn(effects.uploads_withdrawn);
        }
    }
    if (listener == nullptr) {
        return;
    }
    for (const LaneId lane : effects.lanes_withdrawn) {
        listener->on_lane_withdrawn(lane);
    }
    if (!effects.retried.empty()) {
        std::ranges::sort(effects.retried, {}, &QueuedItem::row);
        listener->on_queued(effects.retried, true);
    }
    if (!effects.stored.empty()) {
        listener->on_stored(effects.stored);
    }
    if (!effects.queued.empty()) {
        listener->on_queued(effects.queued, false);
    }
    if (!effects.withdrawn.empty()) {
        listener->on_withdrawn(effects.withdrawn);
    }
}

}  // namespace lihandover::store
