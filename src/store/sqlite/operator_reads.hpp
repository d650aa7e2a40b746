#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "item_table.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/operator_view.hpp"
#include "read_connection.hpp"

// What operators see. As OperatorView has it.

namespace lihandover::store::sqlite {

[[nodiscard]] model::Result<std::vector<ItemView>> items(ReadConnection& from, std::optional<ItemState> state,
                                                         RowId after, std::size_t limit);
[[nodiscard]] model::Result<std::optional<ItemView>> find(ReadConnection& from, const model::Uuid& object_id);
[[nodiscard]] model::Result<std::vector<Record>> records(ReadConnection& from, std::int64_t after, std::size_t limit);
[[nodiscard]] model::Result<std::optional<model::Instant>> oldest(ReadConnection& from, std::string_view destination);
/// The queued items with these ids; one that is not queued is left out. Looks at all that wait.
[[nodiscard]] model::Result<std::vector<Located>> locate(ReadConnection& from,
                                                         const std::vector<model::Uuid>& object_ids);

}  // namespace lihandover::store::sqlite
