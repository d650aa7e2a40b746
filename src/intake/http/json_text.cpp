#include "http/json_text.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "lihandover/base/hex.hpp"
#include "lihandover/base/utf8.hpp"

namespace lihandover::intake {

namespace {

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// The value of four hex digits at the start of `text`; -1 if there are none.
std::int32_t code_unit(std::string_view text) {
    if (text.size() < 4) {
        return -1;
    }
    std::int32_t value = 0;
    for (const char c : text.substr(0, 4)) {
        const int digit = base::hex_value(c);
        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

constexpr bool is_high_surrogate(std::int32_t unit) {
    return unit >= 0xd800 && unit <= 0xdbff;
}
constexpr bool is_low_surrogate(std::int32_t unit) {
    return unit >= 0xdc00 && unit <= 0xdfff;
}

// The byte that `\c` stands for; '\0' for none (\u is not one of these).
constexpr char simple_escape(char c) {
    switch (c) {
        case '"':
        case '\\':
        case '/':
            return c;
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            return '\0';
    }
}

// The value of a \uXXXX at the start of `text` (which begins after the `u`), with the low half of a pair if one
// follows. Takes what it read from `text`; -1 if it is not one.
std::int32_t unicode_escape(std::string_view& text) {
    const std::int32_t unit = code_unit(text);
    if (unit < 0) {
        return -1;
    }
    text.remove_prefix(4);
    if (is_high_surrogate(unit) && text.starts_with("\\u")) {
        const std::int32_t low = code_unit(text.substr(2));
        if (is_low_surrogate(low)) {
            text.remove_prefix(6);
            return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return unit;
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
    while (at < text.size() && is_digit(text[at])) {
        ++at;
    }
    return at;
}

void append_unit(std::string& out, char32_t unit) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) {
        out += base::hex_digits[unit >> shift & 0xf];
    }
}

}  // namespace

char* unescape_json(std::string_view text, char* out) {
    while (!text.empty()) {
        const auto backslash = std::min(text.find('\\'), text.size());
        std::memcpy(out, text.data(), backslash);
        out += backslash;
        text.remove_prefix(backslash);
        if (text.empty()) {
            break;
        }
        if (text.size() < 2) {
            return nullptr;
        }
        const char escape = text[1];
        text.remove_prefix(2);
        if (escape == 'u') {
            const std::int32_t point = unicode_escape(text);
            if (point < 0) {
                return nullptr;
            }
            out = base::write_character(out, static_cast<char32_t>(point));
        } else {
            const char byte = simple_escape(escape);
            if (byte == '\0') {
                return nullptr;
            }
            *out++ = byte;
        }
    }
    return out;
}

bool has_good_escapes(std::string_view text) {
    for (auto at = text.find('\\'); at != std::string_view::npos; at = text.find('\\')) {
        text.remove_prefix(at + 1);
        if (text.empty()) {
            return false;
        }
        const char escape = text.front();
        text.remove_prefix(1);
        if (escape == 'u' ? unicode_escape(text) < 0 : simple_escape(escape) == '\0') {
            return false;
        }
    }
    return true;
}

bool is_json_number(std::string_view text) {
    std::size_t at = text.starts_with('-') ? 1 : 0;
    if (at == text.size() || !is_digit(text[at])) {
        return false;
    }
    at = text[at] == '0' ? at + 1 : skip_digits(text, at);
    if (at < text.size() && text[at] == '.') {
        const std::size_t end = skip_digits(text, at + 1);
        if (end == at + 1) {
            return false;
        }
        at = end;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        ++at;
        at += at < text.size() && (text[at] == '+' || text[at] == '-') ? 1 : 0;
        const std::size_t end = skip_digits(text, at);
        if (end == at) {
            return false;
        }
        at = end;
    }
    return at == text.size();
}

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return false;
    }
    for (int i = 0; i < 2 && text.ends_with('='); ++i) {
        text.remove_suffix(1);
    }
    return std::ranges::all_of(text, [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
    });
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const char32_t point = base::take_character(text, base::Encoding::wtf8);
        if (point == '"' || point == '\\') {
            out += '\\';
            out += static_cast<char>(point);
        } else if (point >= 0x20 && point < 0x7f) {
            out += static_cast<char>(point);
        } else if (point < 0x10000) {
            append_unit(out, point);
        } else {
            append_unit(out, 0xd800 + ((point - 0x10000) >> 10));
            append_unit(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
        }
    }
    out += '"';
}

}  // namespace lihandover::intake
