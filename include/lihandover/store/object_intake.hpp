#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lihandover/model/item.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// Taking binary objects in: what intake needs of a store beside ItemIntake. Thread-safe. Calls that return values may
/// block on the disk.
class ObjectIntake {
  public:
    virtual ~ObjectIntake() = default;

    /// A file of its own. Fails where the store takes nothing (promise 11).
    [[nodiscard]] virtual model::Result<std::unique_ptr<ObjectWriter>> writer() = 0;
    /// For a copy of a named file whose item is committed: with it the item can go, and what goes makes room, so it is
    /// taken where new items are not. Needs only that the store can commit, and that `size` bytes fit below max_bytes
    /// and on the disk beside what deliveries need; they are held for it until it is finished or gone. More than that
    /// is admitted as for any other object. Fails where that is so now; see copy_fits().
    [[nodiscard]] virtual model::Result<std::unique_ptr<ObjectWriter>> copy_writer(std::uint64_t size) = 0;
    /// False where a copy of so many bytes is larger than max_bytes allows even in an empty store: waiting for room is
    /// of no use. A reload may change the answer.
    [[nodiscard]] virtual bool copy_fits(std::uint64_t size) const = 0;
    /// The same for writer(), which leaves a part of max_bytes to events: the most bytes that an object may ever have.
    [[nodiscard]] virtual std::uint64_t largest() const = 0;
    /// Bytes of further objects that writer() has room for now, as far as is known without asking the disk.
    [[nodiscard]] virtual std::uint64_t room() const = 0;

    /// Files named by committed items and not copied yet; for a start.
    [[nodiscard]] virtual model::Result<std::vector<std::shared_ptr<const SourceFile>>> pending_files() = 0;
    /// The copy was made, or given up for `loss`. Kept over failed commits, as acceptances are.
    virtual void prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy, model::ObjectLoss loss,
                          Done done) = 0;
};

}  // namespace lihandover::store
