#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "key_place.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/types.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

// What a row's columns say, and what is bound to them. Reading throws SqlFailure where they cannot say that.

[[nodiscard]] inline std::span<const std::uint8_t> bytes_of(const model::Uuid& uuid) {
    return uuid.bytes;
}
[[nodiscard]] inline std::string_view text_of(const model::Uuid& uuid) {
    return {reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()};
}
[[nodiscard]] model::Uuid uuid_of(std::string_view bytes);
/// Of the key that the row's content is sealed under; nullopt: it is not sealed.
[[nodiscard]] std::optional<KeyPlace> key_place_of(const Statement& row, int column);
/// From two columns.
[[nodiscard]] std::optional<model::ApplicationCorrelation> correlation_of(const Statement& row, int level_column);
/// From three: code, kind, words.
[[nodiscard]] std::optional<Refusal> refusal_of(const Statement& row, int code_column);

}  // namespace lihandover::store::sqlite
