#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "lihandover/store/types.hpp"
#include "lihandover/store/uploads.hpp"
#include "reader_pool.hpp"

namespace lihandover::store::postgresql {

// What delivery and the object server read. Each throws PgFailure.

[[nodiscard]] std::vector<StoredItem> load(Reader& from, std::span<const RowId> rows);
/// A waiting item of any state.
[[nodiscard]] std::optional<StoredItem> content(Reader& from, const model::Uuid& object_id);
[[nodiscard]] std::optional<StoredObject> find_object(Reader& from, const model::Uuid& id);

// What waits in lanes of these buckets, in the order in which it goes, as the transaction sees it.
[[nodiscard]] std::vector<QueuedItem> waiting_items(Connection& connection, const std::vector<std::int64_t>& buckets,
                                                    bool set_aside);
[[nodiscard]] std::vector<QueuedObject> waiting_objects(Connection& connection,
                                                        const std::vector<std::int64_t>& buckets, ObjectState state);

/// A page of items behind a row, in order; empty at the end.
[[nodiscard]] std::vector<QueuedItem> queued_page(Reader& from, RowId after);
[[nodiscard]] std::vector<QueuedItem> set_aside_page(Reader& from, RowId after);
/// The same of objects in a state, whose bytes are there.
struct ObjectPage {
    std::vector<QueuedObject> objects;
    RowId last = 0;
    bool ended = false;
};
[[nodiscard]] ObjectPage object_page(Reader& from, ObjectState state, RowId after);

}  // namespace lihandover::store::postgresql
