#pragma once

#include <memory>
#include <span>
#include <vector>

#include "lihandover/intake/pipeline/pipeline.hpp"
#include "lihandover/store/object_intake.hpp"

namespace lihandover::intake {

/// Writes objects that came in their event to a file each: sealed, hashed and synced. Blocks on the disk, for all of
/// them together less than for one after the other. Empty where the store takes nothing.
///   wanted   by a warrant. Else none of their bytes leaves the memory (promise 6): the files get as many zeros, by the
///            same steps and in the same time (promise 7), and go with the handles
[[nodiscard]] std::vector<std::shared_ptr<const store::SealedObject>> seal(store::ObjectIntake& objects,
                                                                           std::span<const AttachedObject* const> which,
                                                                           bool wanted);

/// Bytes of an object that came in its event, decoded.
[[nodiscard]] std::size_t size_of(const AttachedObject& object);

}  // namespace lihandover::intake
