#pragma once

#include <filesystem>
#include <memory>

#include "catalogue.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/store.hpp"
#include "object_files.hpp"

namespace lihandover::store {

/// A reader of the database. The clock outlives it.
[[nodiscard]] model::Result<std::unique_ptr<Reader>> open_reader(const std::filesystem::path& database,
                                                                 std::shared_ptr<const Catalogue> catalogue,
                                                                 std::shared_ptr<ObjectFiles> files,
                                                                 const model::Clock& clock);

}  // namespace lihandover::store
