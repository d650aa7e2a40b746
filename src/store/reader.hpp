#pragma once

#include <filesystem>
#include <memory>

#include "catalogue.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::store {

/// A reader of the database.
[[nodiscard]] model::Result<std::unique_ptr<Reader>> open_reader(const std::filesystem::path& database,
                                                                 std::shared_ptr<const Catalogue> catalogue);

}  // namespace lihandover::store
