#pragma once

#include <memory>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::store::sqlite {

/// The store of one daemon: SQLite in WAL mode with synchronous=FULL, and sealed files beside the database.
[[nodiscard]] model::Result<std::unique_ptr<Store>> open(const Options& options, const model::Clock& clock);

}  // namespace lihandover::store::sqlite
