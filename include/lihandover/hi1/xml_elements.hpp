#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lihandover/hi1/xml_text.hpp"

namespace lihandover::hi1 {

// Elements appended to a string, for the rooms that write documents. Tags are literals that the compiler concatenates.

/// An element's name as a template argument.
template <std::size_t Size>
struct Name {
    // NOLINTNEXTLINE(modernize-avoid-c-arrays, google-explicit-constructor, hicpp-explicit-conversions)
    consteval Name(const char (&text)[Size]) { std::copy_n(text, Size - 1, letters.begin()); }
    std::array<char, Size - 1> letters{};
};

template <Name name, std::size_t Before, std::size_t After>
constexpr auto around(std::string_view before, std::string_view after) {
    std::array<char, Before + After + name.letters.size()> out{};
    auto at = std::copy(before.begin(), before.end(), out.begin());
    at = std::copy(name.letters.begin(), name.letters.end(), at);
    std::copy(after.begin(), after.end(), at);
    return out;
}

template <Name name>
struct Tags {
    static constexpr auto open_text = around<name, 1, 1>("<", ">");
    static constexpr auto close_text = around<name, 2, 1>("</", ">");
    static constexpr std::string_view open{open_text.data(), open_text.size()};
    static constexpr std::string_view close{close_text.data(), close_text.size()};
};

/// A value that needs no escaping: a number, our own identifier, a value that fits a type.
template <Name name>
void put_plain(std::string& out, std::string_view value) {
    out += Tags<name>::open;
    out += value;
    out += Tags<name>::close;
}

/// Any value; U+FFFD replaces what XML cannot carry.
template <Name name>
void put_lossy(std::string& out, std::string_view value) {
    out += Tags<name>::open;
    append_escaped_lossy(out, value);
    out += Tags<name>::close;
}

inline void put_number(std::string& out, std::uint64_t number) {
    std::array<char, 20> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    out.append(digits.data(), end);
}

}  // namespace lihandover::hi1
