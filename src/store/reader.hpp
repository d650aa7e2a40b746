#pragma once

#include <filesystem>
#include <memory>

#include "catalogue.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::store {

/// A reader of the database; the catalogue outlives it.
[[nodiscard]] model::Result<std::unique_ptr<Reader>> open_reader(const std::filesystem::path& database,
                                                                 const Catalogue& catalogue);

}  // namespace lihandover::store
