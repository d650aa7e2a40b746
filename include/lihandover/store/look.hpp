#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/store/sealing.hpp"

namespace lihandover::store {

/// Looks at the store in `state_directory`, which another process may have open: the destinations that items or objects
/// wait for. The error says why Store::open would refuse it, as far as that shows from outside: a newer version wrote
/// it, it is no store, or `keys` do not open it. Of an older version's store nothing more is known than that it would
/// be migrated; without a store nothing waits. Changes nothing. Blocks on the disk.
[[nodiscard]] model::Result<std::set<std::string>> look_at_store(const std::filesystem::path& state_directory,
                                                                 std::vector<MasterKey> keys);

}  // namespace lihandover::store
