#include "effects.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

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
    arrived.clear();
    queued.clear();
    stored.clear();
    retried.clear();
    withdrawn.clear();
    lanes_withdrawn.clear();
    prepared.clear();
    uploads.clear();
    uploads_withdrawn.clear();
    uploads_withdrawn_elsewhere.clear();
    withholding_changed.clear();
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

namespace {

/// Those from `first` on that are of the same kind are told together.
void tell_some(std::span<const Arrived> some, OutboxListener* listener, ObjectListener* objects) {
    using Kind = Arrived::Kind;
    const Kind kind = some.front().kind;
    std::vector<QueuedItem> items;
    std::vector<QueuedObject> uploads;
    std::vector<model::Uuid> ids;
    for (const Arrived& one : some) {
        items.push_back(one.item);
        uploads.push_back(one.object);
        ids.push_back(one.object.id);
    }
    if (listener != nullptr) {
        if (kind == Kind::queued || kind == Kind::retried) {
            listener->on_queued(items, kind == Kind::retried);
        } else if (kind == Kind::withdrawn) {
            listener->on_withdrawn(items);
        } else if (kind == Kind::lane_withdrawn) {
            for (const QueuedItem& item : items) {
                listener->on_lane_withdrawn(item.lane);
            }
        }
    }
    if (objects != nullptr) {
        if (kind == Kind::prepared) {
            objects->on_prepared(items);
        } else if (kind == Kind::upload) {
            objects->on_uploads(uploads);
        } else if (kind == Kind::upload_withdrawn) {
            objects->on_uploads_withdrawn(ids);
        }
    }
}

}  // namespace

void tell(std::span<const Arrived> arrived, OutboxListener* listener, ObjectListener* objects) {
    while (!arrived.empty()) {
        const auto end = std::ranges::find_if(
            arrived, [kind = arrived.front().kind](const Arrived& one) { return one.kind != kind; });
        const auto same = static_cast<std::size_t>(end - arrived.begin());
        tell_some(arrived.first(same), listener, objects);
        arrived = arrived.subspan(same);
    }
}

void tell(Effects& effects, OutboxListener* listener, ObjectListener* objects) {
    tell(effects.arrived, listener, objects);
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
