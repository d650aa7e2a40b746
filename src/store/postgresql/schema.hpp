#pragma once

#include <cstdint>
#include <span>

#include "lihandover/model/result.hpp"
#include "pq.hpp"

namespace lihandover::store::postgresql {

/// One numbered step of the schema. A step that was released is never changed.
struct MigrationStep {
    std::int64_t version = 0;
    const char* sql = nullptr;
};
[[nodiscard]] std::span<const MigrationStep> migration_steps();

/// 0: there is no store. The error says that a newer program wrote it. Throws PgFailure.
[[nodiscard]] model::Result<std::int64_t> known_version(Connection& connection,
                                                        std::span<const MigrationStep> steps = migration_steps());

/// Makes the tables, or brings those of an earlier version to this one, all in one transaction, one daemon at a time.
/// A role that may not do that suffices where there is nothing to do. The error says what an operator can do. Throws
/// PgFailure.
[[nodiscard]] model::Status migrate(Connection& connection, std::span<const MigrationStep> steps = migration_steps());

}  // namespace lihandover::store::postgresql
