#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace lihandover::store {

/// SQL with the stored numbers in the place of their names, so that no statement has a bare number of a state or a
/// kind: `state={item.refused}`, `kind={record.item_made}`, `{object.queued}`, `{blob.preparing}`. A name that is none
/// is a programming mistake: std::logic_error.
[[nodiscard]] std::string numbered(std::string_view sql);

/// How an enumerator is stored.
template <typename Enumerator>
requires std::is_enum_v<Enumerator>
[[nodiscard]] constexpr std::int64_t number_of(Enumerator value) {
    return static_cast<std::int64_t>(value);
}

}  // namespace lihandover::store
