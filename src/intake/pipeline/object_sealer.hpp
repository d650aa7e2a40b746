#pragma once

#include <memory>

#include "lihandover/intake/pipeline/pipeline.hpp"
#include "lihandover/store/objects.hpp"

namespace lihandover::intake {

// What becomes of an object that came in its event. Both block on the disk, do the same work and take the same time
// (promise 7).

/// Null where the store takes nothing.
[[nodiscard]] std::shared_ptr<const store::SealedObject> seal(store::BinaryObjects& objects,
                                                              const AttachedObject& object);

/// For an object that no warrant wants: none of its bytes leaves the memory (promise 6), and the disk has as much to
/// do. False where the store takes nothing.
[[nodiscard]] bool pretend_to_seal(store::BinaryObjects& objects, const AttachedObject& object);

}  // namespace lihandover::intake
