#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/uploads.hpp"
#include "read_connection.hpp"

// What delivery and the object server read. As Outbox, UploadOutbox and ObjectLookup have it.

namespace lihandover::store::sqlite {

/// What a new connection keeps for these.
[[nodiscard]] ReadConnection::Statements prepare_statements(Connection& connection);

[[nodiscard]] model::Result<std::vector<StoredItem>> load(ReadConnection& from, std::span<const RowId> rows);
/// As OperatorView::content has it.
[[nodiscard]] model::Result<std::optional<StoredItem>> content(ReadConnection& from, const model::Uuid& object_id);
[[nodiscard]] model::Status for_each_queued(ReadConnection& from, const std::function<void(const QueuedItem&)>& visit);
/// Reads of a start. The index by states would have all of them sorted for each stretch.
inline constexpr const char* set_aside_items =
    "SELECT id, lane, flags FROM aside WHERE +state={item.set_aside} AND id > ? ORDER BY id LIMIT ?";
[[nodiscard]] model::Status for_each_set_aside(ReadConnection& from,
                                               const std::function<void(const QueuedItem&)>& visit);

[[nodiscard]] model::Result<std::optional<StoredObject>> find_object(ReadConnection& from, const model::Uuid& id);
/// Those to push in the state `queued` or `set_aside`.
[[nodiscard]] model::Status for_each_object(ReadConnection& from, ObjectState state,
                                            const std::function<void(const QueuedObject&)>& visit);

}  // namespace lihandover::store::sqlite
