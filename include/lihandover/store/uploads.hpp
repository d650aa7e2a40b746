#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// An object to push, as delivery hears of it.
struct QueuedObject {
    model::Uuid id;
    LaneId lane = 0;
    bool emergency = false;
    std::uint64_t size = 0;
    model::Instant deadline;  ///< from then on it counts as expired: acceptance of its item and binary.expiry
};

/// Hears what became durable, as OutboxListener does.
class ObjectListener {
  public:
    virtual ~ObjectListener() = default;
    /// All objects of these queued items are there now, or given up.
    virtual void on_prepared(std::span<const QueuedItem> items) noexcept = 0;
    /// To be pushed: their items were accepted, or an operator retried them.
    virtual void on_uploads(std::span<const QueuedObject> objects) noexcept = 0;
    /// As OutboxListener has these two.
    virtual void on_taken_over(std::span<const QueuedObject> /*objects*/, bool /*set_aside*/) noexcept {}
    virtual void on_objects_lost(const LostLanes& /*lost*/) noexcept {}
    /// An operator ended these while they may wait in memory.
    virtual void on_uploads_withdrawn(std::span<const model::Uuid> objects) noexcept = 0;
};

/// The binary objects that are to be pushed (Model B), as delivery works them off. Thread-safe. Calls that return
/// values block on the disk.
///
/// Their states are those of items in an Outbox: `queued` and `set_aside` here, `refused` until an operator decides.
class UploadOutbox : public ObjectLookup {
  public:
    /// Set before the first submission; outlives the store, or is taken off with nullptr after Store::stop().
    virtual void set_listener(ObjectListener* listener) = 0;

    /// Calls `visit` for every object that is queued; how delivery begins.
    [[nodiscard]] virtual model::Status for_each_queued(const std::function<void(const QueuedObject&)>& visit) = 0;
    /// The same for every object that is set aside.
    [[nodiscard]] virtual model::Status for_each_set_aside(const std::function<void(const QueuedObject&)>& visit) = 0;

    /// The LEA has it. It goes, its bytes too once no other object has them. Kept over failed commits.
    virtual void pushed(const model::Uuid& object, Done done) = 0;
    /// The LEA will not have it, or it expired. From `queued` and `set_aside`.
    virtual void refused(const model::Uuid& object, Refusal refusal, Done done) = 0;
    /// It fails where others succeed; as Outbox::set_aside.
    virtual void set_aside(const model::Uuid& object, Refusal refusal, Done done) = 0;
};

}  // namespace lihandover::store
