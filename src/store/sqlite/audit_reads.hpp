#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lihandover/model/result.hpp"
#include "lihandover/store/audit_log.hpp"
#include "read_connection.hpp"

namespace lihandover::store::sqlite {

// Reading the chain of audit entries, as AuditLog has it; each call in one short read transaction.

[[nodiscard]] model::Result<AuditLog::Range> audit_range(ReadConnection& from, std::optional<model::Instant> since,
                                                         std::optional<model::Instant> until);
[[nodiscard]] model::Result<AuditLog::Read> audit_read(ReadConnection& from, const AuditLog::Place& place,
                                                       std::uint64_t to, std::size_t limit, AuditLog::Visitor& visitor);

/// Of the entry with that number, as it follows from the rows; nullopt where they are gone, or it is not there yet.
/// Throws SqlFailure.
[[nodiscard]] std::optional<audit::Hash> hash_at(Connection& connection, std::uint64_t number);

/// Throws SqlFailure where there are not 32 bytes.
[[nodiscard]] audit::Hash hash_of(std::string_view bytes);

}  // namespace lihandover::store::sqlite
