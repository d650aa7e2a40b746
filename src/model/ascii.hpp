#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace lihandover::model {

// The locale must not decide what identifiers mean, so <cctype> is not used here.
constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
constexpr bool is_ascii(char c) {
    return static_cast<unsigned char>(c) < 0x80;
}

inline bool is_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return is_ascii(c); });
}

/// `scheme` is in lower case and ends with a colon.
inline bool starts_with_scheme(std::string_view text, std::string_view scheme) {
    return text.size() >= scheme.size() &&
           std::equal(scheme.begin(), scheme.end(), text.begin(), [](char a, char b) { return a == to_lower(b); });
}

inline void append_lower(std::string& out, std::string_view text) {
    for (const char c : text) {
        out.push_back(to_lower(c));
    }
}

/// Cuts the part up to `delimiter` (or everything) off the front of `text`, with the delimiter.
inline std::string_view take_until(std::string_view& text, char delimiter) {
    const std::size_t end = text.find(delimiter);
    const std::string_view part = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    return part;
}

}  // namespace lihandover::model
