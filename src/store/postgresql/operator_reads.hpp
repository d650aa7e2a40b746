#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/locator.hpp"
#include "common/oldest_places.hpp"
#include "lihandover/store/audit_log.hpp"
#include "lihandover/store/types.hpp"
#include "reader_pool.hpp"

namespace lihandover::store::postgresql {

// What operators read, as OperatorView has it, and the chain, as AuditLog has it. Each throws PgFailure.

[[nodiscard]] std::vector<ItemView> items(Reader& from, std::optional<ItemState> state, ListPlace after,
                                          std::size_t limit);
[[nodiscard]] std::optional<ItemView> find(Reader& from, const model::Uuid& object_id);
[[nodiscard]] Found find_all(Reader& from, std::span<const model::Uuid> object_ids, std::chrono::milliseconds patience);
[[nodiscard]] std::vector<Record> records(Reader& from, std::int64_t after, std::size_t limit);
[[nodiscard]] std::map<std::string, OldestQueued, std::less<>> oldest(Reader& from, OldestPlaces& places);
[[nodiscard]] std::vector<std::optional<model::Instant>> received(Reader& from, std::span<const RowId> rows);
[[nodiscard]] HeldLong held_before(Reader& from, model::Instant time);
/// A step of the queue, as Locator takes it.
[[nodiscard]] Locator::Step locate(Reader& from, const std::vector<model::Uuid>& ids, RowId after);

/// Of the chain of one daemon; without the node's name.
[[nodiscard]] AuditLog::Range audit_range(Reader& from, std::int64_t node, std::optional<model::Instant> since,
                                          std::optional<model::Instant> until);
/// Of the entry with that number, as it follows from the rows; nullopt where they are gone, or it is not there yet.
[[nodiscard]] std::optional<audit::Hash> hash_at(Reader& from, std::int64_t node, std::uint64_t number);
/// nullopt: entries behind the place were removed meanwhile.
[[nodiscard]] std::optional<AuditLog::Read> audit_read(Reader& from, std::int64_t node, const AuditLog::Place& place,
                                                       std::uint64_t to, std::size_t limit, AuditLog::Visitor& visitor);

}  // namespace lihandover::store::postgresql
