#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lihandover/model/item.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/types.hpp"
#include "lihandover/store/uploads.hpp"

namespace lihandover::store {

/// Waiting items and binary objects of one destination, or how a transaction changes their numbers.
struct Counts {
    std::array<std::int64_t, item_state_names.size()> items{};      ///< by ItemState
    std::array<std::int64_t, object_state_names.size()> objects{};  ///< by ObjectState

    std::int64_t& of(ItemState state) { return items[static_cast<std::size_t>(state)]; }
    std::int64_t& of(ObjectState state) { return objects[static_cast<std::size_t>(state)]; }
    [[nodiscard]] std::uint64_t number(ItemState state) const {
        return static_cast<std::uint64_t>(items[static_cast<std::size_t>(state)]);
    }
    [[nodiscard]] std::uint64_t number(ObjectState state) const {
        return static_cast<std::uint64_t>(objects[static_cast<std::size_t>(state)]);
    }
    /// All but the destination's name.
    void tell(Count& count) const;
};

/// What other processes that share the store did in lanes of this one. The numbers are in a table of the database that
/// daemons of two versions may have in common: never change them, only add.
struct Arrived {
    enum class Kind : std::uint8_t {
        queued = 0,
        retried = 1,
        withdrawn = 2,
        lane_withdrawn = 3,
        prepared = 4,
        upload = 5,
        upload_withdrawn = 6,
        withholding = 7,  ///< what of the lane is to be held has changed
    };
    Kind kind{};
    QueuedItem item;      ///< of what is about a lane alone, that
    QueuedObject object;  ///< of uploads
};

/// What a transaction changed beyond the disk: told and counted once it is committed, dropped when it is rolled back.
struct Effects {
    std::vector<Counts> counts;    ///< by destination number
    std::vector<Arrived> arrived;  ///< before all else, in the order in which it was done
    std::vector<QueuedItem> queued;
    std::vector<StoredItem> stored;  ///< those of `queued` that this process inserted
    std::vector<QueuedItem> retried;
    std::vector<QueuedItem> withdrawn;
    std::vector<LaneId> lanes_withdrawn;  ///< before all else that is told of items
    std::vector<QueuedItem> prepared;
    std::vector<QueuedObject> uploads;
    std::vector<model::Uuid> uploads_withdrawn;
    std::vector<std::pair<LaneId, model::Uuid>> uploads_withdrawn_elsewhere;  ///< of lanes of other processes
    std::vector<LaneId> withholding_changed;                                  ///< lanes of which other things are held
    std::vector<std::pair<LaneId, std::uint32_t>> provided;                   ///< lane and schema bit
    std::vector<Lane> lanes;
    struct NewProfile {
        ProfileId id = 0;
        std::uint32_t schema_bit = 0;
        model::Profile profile;
    };
    std::vector<NewProfile> profiles;
    std::vector<std::uint32_t> taken_slots;     ///< of KeySlots, by new items
    std::vector<std::uint32_t> released_slots;  ///< whose items are gone
    std::int64_t waiting_bytes = 0;
    std::uint64_t rewritten_bytes = 0;  ///< of content that is sealed anew, or rejected where that overwrites it
    std::uint64_t repeats = 0;
    std::uint64_t reused_ids = 0;

    /// Keeps the memory.
    void clear();
    Counts& of(std::uint32_t destination) {
        if (destination >= counts.size()) {
            counts.resize(destination + 1);
        }
        return counts[destination];
    }
};

/// In their order; those of the same kind that follow each other together. Either listener may be null.
void tell(std::span<const Arrived> arrived, OutboxListener* listener, ObjectListener* objects);
/// After the commit. Either listener may be null.
void tell(Effects& effects, OutboxListener* listener, ObjectListener* objects);

}  // namespace lihandover::store
