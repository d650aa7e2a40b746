#pragma once

#include <cstddef>
#include <vector>

#include "lihandover/store/intake.hpp"
#include "lihandover/store/objects.hpp"

namespace lihandover::store::test {

/// What arrived where each of the items is of an event of its own.
///   idle_objects  binary objects that no item has
inline Arrival arrival_of(const std::vector<NewItem>& items, std::size_t idle_objects = 0) {
    Arrival arrival;
    arrival.events = items.size();
    arrival.objects = arrival.idle_objects = idle_objects;
    for (const NewItem& item : items) {
        arrival.bytes += item.share.size() + sizeof(NewItem);
        if (!item.objects) {
            continue;
        }
        arrival.objects += item.objects->size();
        for (const NewObject& object : *item.objects) {
            arrival.bytes += object.url.size() + object.content_type.size() + object.original_filename.size() +
                             object.csp_defined_identifier.size();
        }
    }
    return arrival;
}

inline void submit_to(ItemIntake& intake, std::vector<NewItem> items, Done done) {
    const Arrival arrival = arrival_of(items);
    intake.submit(std::move(items), arrival, std::move(done));
}

}  // namespace lihandover::store::test
