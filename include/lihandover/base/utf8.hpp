#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lihandover::base {

/// Replaces bytes that are not a character.
inline constexpr char32_t replacement_character = 0xFFFD;
inline constexpr std::string_view replacement_utf8 = "\xEF\xBF\xBD";

/// Which byte sequences count as characters. Overlong forms and anything beyond U+10FFFF never do.
enum class Encoding : std::uint8_t {
    utf8,  ///< Unicode 15, table 3-7
    wtf8,  ///< the same, and lone surrogates in the three bytes that UTF-8 would use for them
};

struct Character {
    char32_t value = 0;
    std::uint8_t size = 0;  ///< in bytes; 0: no character
};

[[nodiscard]] constexpr bool is_surrogate(char32_t value) {
    return value >= 0xD800 && value <= 0xDFFF;
}

/// The character that `text` begins with; of size 0 if it begins with none or is empty.
[[nodiscard]] constexpr Character first_character(std::string_view text, Encoding encoding = Encoding::utf8) {
    const auto byte = [text](std::size_t at) {
        return at < text.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(text[at])) : 0U;
    };
    if (text.empty()) {
        return {};
    }
    const std::uint32_t first = byte(0);
    if (first < 0x80) {
        return {first, 1};
    }
    if (first < 0xC2 || first > 0xF4) {
        return {};
    }
    const std::uint8_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    char32_t value = first & (0x7FU >> size);
    for (std::size_t at = 1; at < size; ++at) {
        if ((byte(at) & 0xC0U) != 0x80) {
            return {};
        }
        value = value << 6U | (byte(at) & 0x3FU);
    }
    const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
    const bool refused = is_surrogate(value) && encoding == Encoding::utf8;
    return overlong || refused || value > 0x10FFFF ? Character{} : Character{value, size};
}

/// Takes one character off the front of `text`, which is not empty. A byte that begins none is taken alone and gives
/// U+FFFD.
constexpr char32_t take_character(std::string_view& text, Encoding encoding = Encoding::utf8) {
    const Character character = first_character(text, encoding);
    text.remove_prefix(character.size == 0 ? 1 : character.size);
    return character.size == 0 ? replacement_character : character.value;
}

/// Writes the one to four bytes of `value`, at most U+10FFFF, to `out` and returns the place after them. Surrogates get
/// their three bytes of WTF-8.
constexpr char* write_character(char* out, char32_t value) {
    const auto put = [&out](char32_t byte) { *out++ = static_cast<char>(static_cast<unsigned char>(byte)); };
    if (value < 0x80) {
        put(value);
        return out;
    }
    if (value < 0x800) {
        put(0xC0U | value >> 6U);
    } else {
        if (value < 0x10000) {
            put(0xE0U | value >> 12U);
        } else {
            put(0xF0U | value >> 18U);
            put(0x80U | (value >> 12U & 0x3FU));
        }
        put(0x80U | (value >> 6U & 0x3FU));
    }
    put(0x80U | (value & 0x3FU));
    return out;
}

/// As write_character(), to the end of a string.
void append_character(std::string& out, char32_t value);

/// Whether all of `text` is valid characters.
[[nodiscard]] bool is_encoded(std::string_view text, Encoding encoding = Encoding::utf8);

/// `text` with U+FFFD for every byte that begins no character.
[[nodiscard]] std::string with_replacements(std::string_view text, Encoding encoding = Encoding::utf8);

}  // namespace lihandover::base
