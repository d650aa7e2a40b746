#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lihandover::model {

/// What a hex digit of either case stands for; -1 for anything else.
constexpr int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

/// The `Size` octets that exactly twice as many hex digits of either case stand for; nullopt for anything else.
template <std::size_t Size>
constexpr std::optional<std::array<std::uint8_t, Size>> parse_hex(std::string_view text) {
    if (text.size() != 2 * Size) {
        return std::nullopt;
    }
    std::array<std::uint8_t, Size> octets{};
    for (std::size_t i = 0; i < Size; ++i) {
        const int high = hex_value(text[2 * i]);
        const int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        octets[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return octets;
}

}  // namespace lihandover::model
