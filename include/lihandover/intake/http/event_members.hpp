#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lihandover::intake {

// What an event may consist of, declared once. The parser reads names, bounds and choices from here, and tests check
// that schemas/event.schema.json and docs/events.md agree.

enum class ValueKind : std::uint8_t {
    text,        ///< a string; min and max count its characters (code points)
    choice,      ///< one of `choices`
    time,        ///< RFC 3339 with an offset; max counts characters
    number,      ///< lowest to highest; its text has at most `max` characters
    object,      ///< of `shape`
    list,        ///< min to max objects of `shape`
    properties,  ///< min to max named strings, numbers and truth values
    parameters,  ///< min to max named values of any kind, nested at most `parameter_depth` deep
};

/// The objects that an event is made of.
enum class Shape : std::uint8_t { event, party, identifier, conversation, content, attachment, location };
inline constexpr std::size_t shape_count = 7;

/// `max` of a text that is limited only by the event's size.
inline constexpr std::uint32_t unbounded = UINT32_MAX;

inline constexpr std::span<const std::string_view> no_choices;

struct Member {
    std::string_view name;
    ValueKind kind{};
    bool required = false;
    std::uint32_t min = 0;
    std::uint32_t max = 0;
    Shape shape{};                                           ///< of object and list
    double lowest = 0;                                       ///< of number
    double highest = 0;                                      ///< of number
    std::span<const std::string_view> choices = no_choices;  ///< of choice
    std::string_view help;                                   ///< for docs/events.md and the schema's readers
};

/// Bounds on what is below properties and parameters.
inline constexpr std::uint32_t max_property_name = 128;    ///< characters, at least 1
inline constexpr std::uint32_t max_property_value = 4096;  ///< characters of a string
inline constexpr std::uint32_t max_parameter_name = 256;   ///< characters
/// Objects and arrays within each other below a parameter: `{"a":[1]}` as a value is 2 deep.
inline constexpr std::uint32_t parameter_depth = 32;
/// Characters of a number's text below properties; below parameters only the event's size limits it.
inline constexpr std::uint32_t max_number_text = 64;

/// The members of a shape, in the order of the reference.
[[nodiscard]] std::span<const Member> members_of(Shape shape);
/// The name of a shape in the schema's `$defs`: `party`.
[[nodiscard]] std::string_view name_of(Shape shape);

/// The tables of docs/events.md, made from the declarations.
[[nodiscard]] std::string event_reference_markdown();

}  // namespace lihandover::intake
