#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/keyring.hpp"
#include "lihandover/audit/chain.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/types.hpp"
#include "pq.hpp"

namespace lihandover::store::postgresql {

// What columns say, and what is written to them. Reading throws PgFailure where they cannot say that.

[[nodiscard]] inline std::string_view text_of(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline std::string_view text_of(const model::Uuid& uuid) {
    return text_of(std::span<const std::uint8_t>(uuid.bytes));
}
[[nodiscard]] model::Uuid uuid_of(std::string_view bytes);
[[nodiscard]] audit::Hash hash_of(std::string_view bytes);
[[nodiscard]] Hash128 short_hash_of(std::string_view bytes);
/// From two columns.
[[nodiscard]] std::optional<model::ApplicationCorrelation> correlation_of(const Rows& rows, int row, int level_column);
/// Times with what microseconds leave out, 0 to 999.
[[nodiscard]] model::Instant time_of(std::int64_t micros, std::int64_t nanos);

/// The key of content in a row: 32 random bytes, which give a key only together with the store's own one that the first
/// two bytes name. `column` is what the row has of it.
struct RowKey {
    SealKey key;
    std::string column;

    [[nodiscard]] static RowKey draw(const Keyring& keyring);
};
/// nullopt where the column is none, or the store's key is not there.
[[nodiscard]] std::optional<SealKey> key_of(const Keyring& keyring, std::string_view column);

/// A sealed text. `place` is table and column, `row` its name (row_name()).
[[nodiscard]] std::string sealed(const Keyring& keyring, std::string_view place, std::string_view row,
                                 std::string_view text);
/// nullopt where it is not authentic, which is counted, and where it is NULL, which is not.
[[nodiscard]] std::optional<std::string> opened(const Keyring& keyring, std::string_view place, std::string_view row,
                                                const Rows& rows, int number, int column);
/// From three columns: code, kind, and words, which are sealed.
[[nodiscard]] std::optional<Refusal> refusal_of(const Keyring& keyring, std::string_view place, std::string_view row,
                                                const Rows& rows, int number, int code_column);

/// What stands for the LIID in columns that are looked up by it.
[[nodiscard]] std::string token_of(const Keyring& keyring, std::string_view destination, std::string_view liid);

}  // namespace lihandover::store::postgresql
