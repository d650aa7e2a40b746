#include <array>
#include <utility>

#include "http/member_tables.hpp"
#include "lihandover/intake/http/event_members.hpp"

namespace lihandover::intake {

namespace {

constexpr std::array<std::string_view, shape_count> shape_names = {
    "event", "party", "identifier", "conversation", "content", "attachment", "location"};

std::string plain(double value) {
    return std::to_string(static_cast<long long>(value));
}

std::string code(std::string_view text) {
    return '`' + std::string(text) + '`';
}

std::string link(Shape shape) {
    const std::string name(name_of(shape));
    return '[' + name + "](#" + name + ')';
}

std::string type_text(const Member& member) {
    switch (member.kind) {
        case ValueKind::text:
            return "string";
        case ValueKind::choice:
            return "name";
        case ValueKind::time:
            return "time";
        case ValueKind::number:
            return "number";
        case ValueKind::object:
            return link(member.shape);
        case ValueKind::list:
            return "list of " + link(member.shape);
        case ValueKind::properties:
            return "named strings, numbers, truth values";
        case ValueKind::parameters:
            return "named values of any kind";
    }
    return {};
}

std::string range(std::uint32_t min, std::uint32_t max, std::string_view what) {
    const std::string least = min == 0 || min == max ? "" : std::to_string(min) + " to ";
    return (min == 0 ? "up to " : least) + std::to_string(max) + ' ' + std::string(what);
}

std::string bounds_text(const Member& member) {
    switch (member.kind) {
        case ValueKind::text:
            return member.max == unbounded ? "the event's size" : range(member.min, member.max, "characters");
        case ValueKind::choice: {
            std::string names;
            for (const std::string_view name : member.choices) {
                names += (names.empty() ? "" : ", ") + code(name);
            }
            return names;
        }
        case ValueKind::time:
            return "RFC 3339 with an offset, " + range(0, member.max, "characters");
        case ValueKind::number:
            return plain(member.lowest) + " to " + plain(member.highest) + ", " + range(0, member.max, "characters");
        case ValueKind::object:
            return "";
        case ValueKind::list:
            return range(member.min, member.max, "elements");
        case ValueKind::properties:
            return range(member.min, member.max, "members") + "; names " + range(1, max_property_name, "characters") +
                   "; strings " + range(0, max_property_value, "characters") + "; numbers " +
                   range(0, max_number_text, "characters");
        case ValueKind::parameters:
            return range(member.min, member.max, "members") + "; names " + range(0, max_parameter_name, "characters") +
                   "; nested up to " + std::to_string(parameter_depth) + " deep";
    }
    return {};
}

}  // namespace

std::span<const Member> members_of(Shape shape) {
    switch (shape) {
        case Shape::event:
            return event_members;
        case Shape::party:
            return party_members;
        case Shape::identifier:
            return identifier_members;
        case Shape::conversation:
            return conversation_members;
        case Shape::content:
            return content_members;
        case Shape::attachment:
            return attachment_members;
        case Shape::location:
            return location_members;
    }
    return {};
}

std::string_view name_of(Shape shape) {
    return shape_names[static_cast<std::size_t>(shape)];
}

std::string event_reference_markdown() {
    std::string out;
    for (std::size_t i = 0; i < shape_count; ++i) {
        const auto shape = static_cast<Shape>(i);
        out += "### " + std::string(name_of(shape)) + "\n\n";
        out += "| member | type | bounds | what it is |\n|---|---|---|---|\n";
        for (const Member& member : members_of(shape)) {
            out += "| " + code(member.name) + (member.required ? " (required)" : "") + " | " + type_text(member) +
                   " | " + bounds_text(member) + " | " + std::string(member.help) + " |\n";
        }
        out += '\n';
    }
    return out;
}

}  // namespace lihandover::intake
