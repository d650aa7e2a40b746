#include "columns.hpp"

#include <sqlite3.h>

#include <cstring>
#include <string>

namespace lihandover::store::sqlite {

model::Uuid uuid_of(std::string_view bytes) {
    model::Uuid uuid;
    if (bytes.size() != uuid.bytes.size()) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    std::memcpy(uuid.bytes.data(), bytes.data(), bytes.size());
    return uuid;
}

std::optional<KeyPlace> key_place_of(const Statement& row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional(KeyPlace::of(row.integer(column)));
}

std::optional<model::ApplicationCorrelation> correlation_of(const Statement& row, int level_column) {
    if (row.is_null(level_column)) {
        return std::nullopt;
    }
    return model::ApplicationCorrelation{static_cast<std::uint64_t>(row.integer(level_column)),
                                         static_cast<std::uint64_t>(row.integer(level_column + 1))};
}

std::optional<Refusal> refusal_of(const Statement& row, int code_column) {
    if (row.is_null(code_column)) {
        return std::nullopt;
    }
    return Refusal{static_cast<std::uint64_t>(row.integer(code_column)),
                   static_cast<Refusal::Kind>(row.integer(code_column + 1)), std::string(row.bytes(code_column + 2))};
}

}  // namespace lihandover::store::sqlite
