#include "columns.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lihandover/base/invariant.hpp"

namespace lihandover::store::postgresql {

namespace {

template <typename Array>
Array array_of(std::string_view bytes) {
    Array array{};
    if (bytes.size() != array.size()) {
        throw PgFailure(Trouble::damaged);
    }
    std::memcpy(array.data(), bytes.data(), bytes.size());
    return array;
}

}  // namespace

model::Uuid uuid_of(std::string_view bytes) {
    model::Uuid uuid;
    uuid.bytes = array_of<decltype(uuid.bytes)>(bytes);
    return uuid;
}

audit::Hash hash_of(std::string_view bytes) {
    return array_of<audit::Hash>(bytes);
}

Hash128 short_hash_of(std::string_view bytes) {
    return array_of<Hash128>(bytes);
}

std::optional<model::ApplicationCorrelation> correlation_of(const Rows& rows, int row, int level_column) {
    const auto level = rows.optional_integer(row, level_column);
    if (!level) {
        return std::nullopt;
    }
    return model::ApplicationCorrelation{static_cast<std::uint64_t>(*level),
                                         static_cast<std::uint64_t>(rows.integer(row, level_column + 1))};
}

model::Instant time_of(std::int64_t micros, std::int64_t nanos) {
    model::Instant time = model::Instant::from_micros(micros);
    time.nanos += static_cast<std::int32_t>(std::clamp<std::int64_t>(nanos, 0, 999));
    return time;
}

RowKey RowKey::draw(const Keyring& keyring) {
    const std::uint16_t generation = keyring.generation();
    const SealKey drawn = SealKey::random();
    auto key = keyring.content_key(generation, drawn);
    LIHANDOVER_INVARIANT(generation != 0 && key, "a store in PostgreSQL has a key of its own");
    RowKey made{std::move(*key), {}};
    made.column.push_back(static_cast<char>(generation >> 8U));
    made.column.push_back(static_cast<char>(generation & 0xffU));
    made.column += text_of(drawn.bytes());
    return made;
}

std::optional<SealKey> key_of(const Keyring& keyring, std::string_view column) {
    SealKey drawn;
    if (column.size() != 2 + SealKey::size || !drawn.set(column.substr(2))) {
        return std::nullopt;
    }
    const auto generation =
        static_cast<std::uint16_t>(static_cast<unsigned char>(column[0]) << 8U | static_cast<unsigned char>(column[1]));
    return generation == 0 ? std::nullopt : keyring.content_key(generation, drawn);
}

std::string sealed(const Keyring& keyring, std::string_view place, std::string_view row, std::string_view text) {
    return keyring.seal(place, row, text);
}

std::optional<std::string> opened(const Keyring& keyring, std::string_view place, std::string_view row,
                                  const Rows& rows, int number, int column) {
    if (rows.is_null(number, column)) {
        return std::nullopt;
    }
    auto text = keyring.unseal(place, row, rows.bytes(number, column));
    if (!text) {
        keyring.note_unreadable(place);
    }
    return text;
}

std::optional<Refusal> refusal_of(const Keyring& keyring, std::string_view place, std::string_view row,
                                  const Rows& rows, int number, int code_column) {
    const auto code = rows.optional_integer(number, code_column);
    if (!code) {
        return std::nullopt;
    }
    return Refusal{static_cast<std::uint64_t>(*code), static_cast<Refusal::Kind>(rows.integer(number, code_column + 1)),
                   opened(keyring, place, row, rows, number, code_column + 2).value_or("")};
}

std::string token_of(const Keyring& keyring, std::string_view destination, std::string_view liid) {
    const auto token = keyring.token(destination, liid);
    LIHANDOVER_INVARIANT(token.has_value(), "a store in PostgreSQL is sealed");
    return std::string(text_of(std::span<const std::uint8_t>(*token)));
}

}  // namespace lihandover::store::postgresql
