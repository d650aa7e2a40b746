#pragma once

#include <algorithm>
#include <string_view>

namespace lihandover::objectserver {

// The few ASCII helpers that headers need. Not <cctype>, which follows the locale.

[[nodiscard]] constexpr bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

[[nodiscard]] constexpr bool is_alphanumeric(char letter) {
    return is_digit(letter) || (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z');
}

[[nodiscard]] constexpr char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

/// Ignoring case.
[[nodiscard]] constexpr bool same_text(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, {}, lower, lower);
}

/// RFC 9110 5.6.3: OWS.
[[nodiscard]] constexpr bool is_blank(char letter) {
    return letter == ' ' || letter == '\t';
}

[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

}  // namespace lihandover::objectserver
