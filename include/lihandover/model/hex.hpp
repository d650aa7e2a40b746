#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lihandover::model {

/// By byte: what it stands for as a hex digit of either case, -1 for what is none.
inline constexpr std::array<std::int8_t, 256> hex_values = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (std::size_t value = 0; value < 16; ++value) {
        values[static_cast<unsigned char>("0123456789abcdef"[value])] = static_cast<std::int8_t>(value);
        values[static_cast<unsigned char>("0123456789ABCDEF"[value])] = static_cast<std::int8_t>(value);
    }
    return values;
}();

/// What a hex digit of either case stands for; -1 for anything else.
constexpr int hex_value(char digit) {
    return hex_values[static_cast<unsigned char>(digit)];
}

/// The `Size` bytes that exactly twice as many hex digits of either case stand for; nullopt for anything else.
template <std::size_t Size>
constexpr std::optional<std::array<std::uint8_t, Size>> parse_hex(std::string_view text) {
    if (text.size() != 2 * Size) {
        return std::nullopt;
    }
    std::array<std::uint8_t, Size> bytes{};
    for (std::size_t i = 0; i < Size; ++i) {
        const int high = hex_value(text[2 * i]);
        const int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return bytes;
}

}  // namespace lihandover::model
