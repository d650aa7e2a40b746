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
#include "item_table.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/operator_view.hpp"
#include "read_connection.hpp"

// What operators see. As OperatorView has it.

namespace lihandover::store::sqlite {

/// A page of the items beside the queue that are in one state (?4), emergencies (?3: 1) or others (0). Here for the
/// test that looks how SQLite goes about it.
inline constexpr const char* aside_page_of_state =
    "SELECT a.id, a.lane, a.object_id, a.received, a.level_id, a.sequence, a.changed, a.code, a.code_kind, "
    "opened('aside.words', a.id, a.words), "
    "a.state, h.review, opened('held.first_who', named(h.id, h.review), h.first_who), h.first_rejects, "
    "opened('held.first_why', named(h.id, h.review), h.first_why), a.flags, h.queued FROM aside a LEFT JOIN "
    "held h ON h.id=a.id "
    "WHERE a.state=?4 AND (a.flags & 1)=?3 AND a.id > ?1 ORDER BY a.id LIMIT ?2";

[[nodiscard]] model::Result<std::vector<ItemView>> items(ReadConnection& from, std::optional<ItemState> state,
                                                         ListPlace after, std::size_t limit);
[[nodiscard]] model::Result<std::optional<ItemView>> find(ReadConnection& from, const model::Uuid& object_id);
[[nodiscard]] model::Result<Found> find_all(ReadConnection& from, std::span<const model::Uuid> object_ids,
                                            std::chrono::milliseconds patience);
[[nodiscard]] model::Result<std::vector<Record>> records(ReadConnection& from, std::int64_t after, std::size_t limit);
[[nodiscard]] model::Result<std::vector<std::optional<model::Instant>>> received(ReadConnection& from,
                                                                                 std::span<const RowId> rows);
[[nodiscard]] model::Result<std::map<std::string, OldestQueued, std::less<>>> oldest(ReadConnection& from,
                                                                                     OldestPlaces& places);
[[nodiscard]] model::Result<HeldLong> held_before(ReadConnection& from, model::Instant time);
/// A step of the queue, of `most` rows, as Locator takes it. Throws SqlFailure.
[[nodiscard]] Locator::Step locate(Connection& connection, const std::vector<model::Uuid>& ids, RowId after,
                                   std::int64_t most);

}  // namespace lihandover::store::sqlite
