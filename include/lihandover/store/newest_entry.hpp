#pragma once

#include <filesystem>
#include <optional>

#include "lihandover/model/time.hpp"

namespace lihandover::store {

/// When the newest entry of the store's record was made, before Store::open, which may remove at once what the clock
/// calls old: for a start that knows of no other time that has passed. nullopt where there is no store, no entry, or
/// none that can be read. Changes nothing. Blocks on the disk.
[[nodiscard]] std::optional<model::Instant> newest_entry(const std::filesystem::path& state_directory);

}  // namespace lihandover::store
