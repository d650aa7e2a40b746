#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lihandover::base {

inline constexpr std::string_view hex_digits = "0123456789abcdef";
inline constexpr std::string_view hex_capitals = "0123456789ABCDEF";

/// The value of each byte as a hex digit of either case; -1 if it is none.
inline constexpr std::array<std::int8_t, 256> hex_values = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (std::size_t value = 0; value < 16; ++value) {
        values[static_cast<unsigned char>(hex_digits[value])] = static_cast<std::int8_t>(value);
        values[static_cast<unsigned char>(hex_capitals[value])] = static_cast<std::int8_t>(value);
    }
    return values;
}();

/// The value of a hex digit of either case; -1 for anything else.
[[nodiscard]] constexpr int hex_value(char digit) {
    return hex_values[static_cast<unsigned char>(digit)];
}

[[nodiscard]] constexpr bool is_hex_digit(char digit) {
    return hex_value(digit) >= 0;
}

/// Whether `text` is hex digits of either case and nothing else; true for an empty one.
[[nodiscard]] constexpr bool is_hex(std::string_view text) {
    for (const char c : text) {
        if (!is_hex_digit(c)) {
            return false;
        }
    }
    return true;
}

/// The value of the two hex digits that `text` begins with; -1 if it does not begin with two.
[[nodiscard]] constexpr int hex_byte(std::string_view text) {
    if (text.size() < 2 || !is_hex_digit(text[0]) || !is_hex_digit(text[1])) {
        return -1;
    }
    return hex_value(text[0]) << 4 | hex_value(text[1]);
}

/// The `Size` bytes that exactly twice as many hex digits of either case encode; nullopt for anything else.
template <std::size_t Size>
[[nodiscard]] constexpr std::optional<std::array<std::uint8_t, Size>> parse_hex(std::string_view text) {
    if (text.size() != 2 * Size) {
        return std::nullopt;
    }
    std::array<std::uint8_t, Size> bytes{};
    for (std::size_t i = 0; i < Size; ++i) {
        const int value = hex_byte(text.substr(2 * i));
        if (value < 0) {
            return std::nullopt;
        }
        bytes[i] = static_cast<std::uint8_t>(value);
    }
    return bytes;
}

/// Any type of one byte, so that digests, keys and text can all be written.
template <typename Byte>
concept ByteLike = sizeof(Byte) == 1 && (std::integral<Byte> || std::same_as<Byte, std::byte>);

/// Appends the two digits of one byte.
template <ByteLike Byte>
void append_hex(std::string& out, Byte byte, std::string_view digits = hex_digits) {
    const auto value = static_cast<unsigned char>(byte);
    out += digits[value >> 4U];
    out += digits[value & 15U];
}

/// The bytes of a contiguous range in lower-case digits, or with `digits` hex_capitals.
template <typename Range>
requires ByteLike<std::remove_cvref_t<decltype(*std::data(std::declval<const Range&>()))>>
[[nodiscard]] std::string to_hex(const Range& bytes, std::string_view digits = hex_digits) {
    std::string out;
    out.reserve(2 * std::size(bytes));
    for (const auto byte : bytes) {
        append_hex(out, byte, digits);
    }
    return out;
}

}  // namespace lihandover::base
