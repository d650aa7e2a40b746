#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lihandover::ims {

inline constexpr std::size_t npos = std::string_view::npos;

// What the readers of header fields and lines share. The locale must not decide what a byte is, so <cctype> is not
// used.

constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
/// Blanks, and line ends, which folding puts between words.
constexpr bool is_space(char c) {
    return is_blank(c) || c == '\r' || c == '\n';
}
constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
inline std::string lowered(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), to_lower);
    return out;
}
/// With a space between each two.
inline std::string spaced(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) {
        out += out.empty() ? "" : " ";
        out += word;
    }
    return out;
}

/// Bytes of a token: of RFC 3261 and of RFC 2045, whichever is wider.
inline constexpr std::array<bool, 256> token_bytes = [] {
    std::array<bool, 256> bytes{};
    for (const char c :
         std::string_view("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.!%*_+`'~#$&^{|}")) {
        bytes[static_cast<unsigned char>(c)] = true;
    }
    return bytes;
}();
constexpr bool is_token(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](char c) { return token_bytes[static_cast<unsigned char>(c)]; });
}

/// Equal in any case of ASCII letters.
constexpr bool same_name(std::string_view left, std::string_view right) {
    return left.size() == right.size() && std::equal(left.begin(), left.end(), right.begin(),
                                                     [](char a, char b) { return to_lower(a) == to_lower(b); });
}
constexpr bool starts_with_name(std::string_view text, std::string_view start) {
    return text.size() >= start.size() && same_name(text.substr(0, start.size()), start);
}

constexpr std::string_view trimmed_front(std::string_view text) {
    while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
    }
    return text;
}
constexpr std::string_view trimmed_back(std::string_view text) {
    while (!text.empty() && is_space(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}
/// Without spaces at either end.
constexpr std::string_view trimmed(std::string_view text) {
    return trimmed_front(trimmed_back(text));
}

/// Where in `text` the quoted string that begins at `at` (a quote) ends: after the closing quote. npos: it has none.
constexpr std::size_t end_of_quoted(std::string_view text, std::size_t at) {
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            return i + 1;
        }
    }
    return npos;
}

/// Cuts a line off the front of `text`, without its CRLF or LF.
constexpr std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

/// Whether a line begins a header field: `name:`, blanks before the colon.
constexpr bool begins_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    return colon != std::string_view::npos && is_token(trimmed_back(line.substr(0, colon)));
}

/// Cuts a word off the front of `text`, with the spaces before it; empty at the end.
constexpr std::string_view take_word(std::string_view& text) {
    text = trimmed_front(text);
    const auto* const end = std::ranges::find_if(text, is_space);
    const std::string_view word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(word.size());
    return word;
}

/// A number that `text` is, digits and nothing else; nullopt for anything else, and for one that is too large.
template <std::unsigned_integral Number>
std::optional<Number> read_number(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(number)
                                                                                     : std::nullopt;
}

}  // namespace lihandover::ims
