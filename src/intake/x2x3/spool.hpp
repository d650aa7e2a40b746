#pragma once

#include <memory>

#include "lihandover/ims/assembly.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/object_intake.hpp"

namespace lihandover::intake {

/// Spools that are sealed files of the store (store::ObjectWriter): each under a key of its own that is in memory only,
/// counted towards store.max_bytes, and ready to be an item's binary object. An append that finds no room takes
/// nothing, and can be tried again. Thread-safe; its spools outlive it.
class StoreSpools final : public ims::Spools {
  public:
    /// `objects` outlives the spools.
    explicit StoreSpools(store::ObjectIntake& objects) : objects_(objects) {}

    [[nodiscard]] model::Result<std::unique_ptr<ims::Spool>> make() override;

  private:
    store::ObjectIntake& objects_;
};

/// What a spool of StoreSpools holds, as a sealed object: nothing is copied. It is on the disk when this returns, and
/// blocks on that. From then on the spool takes no more, and cannot be read; asked again it gives the same object.
[[nodiscard]] model::Result<std::shared_ptr<const store::SealedObject>> sealed_of(ims::Spool& spool);

}  // namespace lihandover::intake
