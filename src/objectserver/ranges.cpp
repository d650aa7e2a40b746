#include "ranges.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "text.hpp"

namespace lihandover::objectserver {

namespace {

constexpr std::string_view unit = "bytes=";
constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

/// Takes the digits at the start of `text`; a number that is too large becomes the largest. nullopt without a digit.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::size_t count = 0;
    std::uint64_t number = 0;
    for (; count < text.size() && is_digit(text[count]); ++count) {
        const auto digit = static_cast<std::uint64_t>(text[count] - '0');
        number = number > (largest - digit) / 10 ? largest : number * 10 + digit;
    }
    if (count == 0) {
        return std::nullopt;
    }
    text.remove_prefix(count);
    return number;
}

/// One element of the set. nullopt if it is malformed; begin >= end if it contains nothing of the object.
std::optional<ByteRange> parse_element(std::string_view text, std::uint64_t size) {
    if (text.starts_with('-')) {
        text.remove_prefix(1);
        const auto length = take_number(text);
        if (!length || !text.empty()) {
            return std::nullopt;
        }
        return ByteRange{*length < size ? size - *length : 0, size};
    }
    const auto first = take_number(text);
    text = trimmed(text);
    if (!first || !text.starts_with('-')) {
        return std::nullopt;
    }
    text = trimmed(text.substr(1));
    if (text.empty()) {
        return ByteRange{*first, size};
    }
    const auto last = take_number(text);
    if (!last || !text.empty()) {
        return std::nullopt;
    }
    return ByteRange{*first, *last >= size ? size : *last + 1};
}

}  // namespace

RangeChoice choose_ranges(std::string_view field, std::uint64_t size) {
    using Kind = RangeChoice::Kind;
    if (field.size() <= unit.size() || !same_text(field.substr(0, unit.size()), unit)) {
        return {};
    }
    RangeChoice choice{Kind::unsatisfiable, {}};
    std::uint64_t left = size;
    bool too_long = false;
    for (std::string_view rest = field.substr(unit.size()); !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const std::string_view element = trimmed(rest.substr(0, comma));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        if (element.empty()) {
            continue;
        }
        const auto range = parse_element(element, size);
        if (!range) {
            return {Kind::unsatisfiable, {}};
        }
        if (range->begin >= range->end) {
            if (range->begin == 0) {
                return {};  // of an empty object
            }
            continue;
        }
        if (choice.ranges.size() == max_ranges) {
            return {};
        }
        too_long = too_long || range->size() > left;
        left -= too_long ? 0 : range->size();
        choice.ranges.push_back(*range);
    }
    if (choice.ranges.empty()) {
        return choice;
    }
    if (too_long) {
        return {};
    }
    choice.kind = Kind::ranges;
    return choice;
}

}  // namespace lihandover::objectserver
