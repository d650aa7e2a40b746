#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "lihandover/model/result.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

/// Marks the file as ours: PRAGMA application_id, "LIHO".
inline constexpr std::int64_t application_id = 0x4c49484f;

/// One numbered step of the schema: brings a store from `version - 1` to `version`. Steps are only ever added; one that
/// was released is not changed.
struct MigrationStep {
    std::int64_t version;
    const char* sql;
};

/// In `meta`: pages with what was there before encryption was turned on may be left over.
inline constexpr const char* meta_remains = "remains";

/// The steps of this program, in order and without gaps; a new store runs them all.
[[nodiscard]] std::span<const MigrationStep> migration_steps();

/// The version of a store's schema, 0 of an empty file. Refuses a newer store than `steps` make, and a file that is not
/// a store. Throws SqlFailure.
[[nodiscard]] model::Result<std::int64_t> known_version(Connection& connection, std::span<const MigrationStep> steps);

/// Looks at a store and brings it to the newest of `steps`. Each step commits together with its version, so that an
/// interrupted upgrade goes on where it was. Refuses a newer store and a file that is not a store. Throws SqlFailure
/// where the database fails.
[[nodiscard]] model::Status migrate(Connection& connection, std::span<const MigrationStep> steps);

/// The settings that belong to a connection rather than to the file.
void set_up_writer(Connection& connection);
void set_up_reader(Connection& connection);

}  // namespace lihandover::store::sqlite
