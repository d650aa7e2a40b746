#pragma once

#include <memory>

#include "lihandover/intake/pipeline/pipeline.hpp"
#include "lihandover/store/object_intake.hpp"

namespace lihandover::intake {

/// Writes an object that came in its event to a file of its own: sealed, hashed and synced. Blocks on the disk. Null
/// where the store takes nothing.
///   wanted   by a warrant. Else none of its bytes leaves the memory (promise 6): the file gets as many zeros, by the
///            same steps and in the same time (promise 7), and goes with the handle
[[nodiscard]] std::shared_ptr<const store::SealedObject> seal(store::ObjectIntake& objects,
                                                              const AttachedObject& object, bool wanted);

/// Bytes of an object that came in its event, decoded.
[[nodiscard]] std::size_t size_of(const AttachedObject& object);

}  // namespace lihandover::intake
