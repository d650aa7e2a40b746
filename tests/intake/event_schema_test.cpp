// Checks schemas/event.schema.json and the parser against each other: the declarations that the parser reads are
// compared with the schema, and events are judged by both.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "corpus.hpp"
#include "lihandover/intake/http/event_members.hpp"
#include "lihandover/intake/http/event_parser.hpp"
#include "schema_checker.hpp"

namespace lihandover::intake {
namespace {

using Element = simdjson::dom::element;
using Members = std::map<std::string, std::string>;

const model::Instant now{1'769'076'930, 0};

class EventSchemaTest : public ::testing::Test {
  protected:
    EventSchemaTest() : schema_(parser_.load((testing::source_dir() / "schemas/event.schema.json").string())) {}

    [[nodiscard]] Element shape(Shape shape) const {
        return shape == Shape::event ? schema_ : schema_.at_pointer("/$defs/" + std::string(name_of(shape))).value();
    }
    // nullopt if JSON as such is refused, so that the schema has no say.
    std::optional<bool> by_schema(const std::string& json) {
        simdjson::dom::parser parser;
        Element event;
        if (parser.parse(json).get(event) != simdjson::SUCCESS) {
            return std::nullopt;
        }
        return testing::SchemaChecker(schema_).accepts(event);
    }
    bool by_parser(const std::string& json) { return !event_parser_.parse(json, now, event_); }

    simdjson::dom::parser parser_;
    Element schema_;
    EventParser event_parser_;
    model::Event event_;
};

std::set<std::string> names(simdjson::dom::array array) {
    std::set<std::string> out;
    for (const Element name : array) {
        out.emplace(std::string_view(name));
    }
    return out;
}

std::int64_t number(Element object, std::string_view key, std::int64_t otherwise) {
    double value = 0;
    return object[key].get(value) == simdjson::SUCCESS ? static_cast<std::int64_t>(value) : otherwise;
}

std::string text(Element object, std::string_view key) {
    std::string_view value;
    return object[key].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
}

void expect_same_length(Element rule, const Member& member) {
    EXPECT_EQ(number(rule, "minLength", 0), member.min);
    EXPECT_EQ(number(rule, "maxLength", unbounded), member.max);
}

void expect_same_names_and_values(Element rule, const Member& member) {
    EXPECT_EQ(text(rule, "type"), "object");
    EXPECT_EQ(number(rule, "maxProperties", -1), member.max);
    EXPECT_EQ(number(rule, "minProperties", 0), member.min);
    const Element member_names = rule["propertyNames"];
    const bool free = member.kind == ValueKind::parameters;
    EXPECT_EQ(number(member_names, "minLength", 0), free ? 0 : 1);
    EXPECT_EQ(number(member_names, "maxLength", -1), free ? max_parameter_name : max_property_name);
    if (free) {
        EXPECT_EQ(number(rule["additionalProperties"], "x-max-depth", -1), parameter_depth);
    } else {
        EXPECT_EQ(text(rule["additionalProperties"], "$ref"), "#/$defs/property");
    }
}

void expect_same(Element rule, const Member& member) {
    EXPECT_EQ(text(rule, "description"), member.help);
    switch (member.kind) {
        case ValueKind::text:
            EXPECT_EQ(text(rule, "type"), "string");
            expect_same_length(rule, member);
            break;
        case ValueKind::choice:
            EXPECT_EQ(names(rule["enum"]), std::set<std::string>(member.choices.begin(), member.choices.end()));
            break;
        case ValueKind::time:
            EXPECT_EQ(text(rule, "type"), "string");
            EXPECT_EQ(text(rule, "format"), "date-time");
            expect_same_length(rule, member);
            break;
        case ValueKind::number:
            EXPECT_EQ(text(rule, "type"), "number");
            EXPECT_EQ(double(rule["minimum"]), member.lowest);
            EXPECT_EQ(double(rule["maximum"]), member.highest);
            EXPECT_EQ(number(rule, "x-max-text-length", -1), member.max);
            break;
        case ValueKind::object:
            EXPECT_EQ(text(rule, "$ref"), "#/$defs/" + std::string(name_of(member.shape)));
            break;
        case ValueKind::list:
            EXPECT_EQ(text(rule, "type"), "array");
            EXPECT_EQ(number(rule, "minItems", 0), member.min);
            EXPECT_EQ(number(rule, "maxItems", -1), member.max);
            EXPECT_EQ(text(rule["items"], "$ref"), "#/$defs/" + std::string(name_of(member.shape)));
            break;
        case ValueKind::properties:
        case ValueKind::parameters:
            expect_same_names_and_values(rule, member);
            break;
    }
}

TEST_F(EventSchemaTest, DeclaresTheSameMembers) {
    for (std::size_t i = 0; i < shape_count; ++i) {
        const auto which = static_cast<Shape>(i);
        SCOPED_TRACE(name_of(which));
        const Element rules = shape(which);
        EXPECT_EQ(text(rules, "type"), "object");
        EXPECT_FALSE(bool(rules["additionalProperties"]));
        std::set<std::string> in_schema;
        for (const auto [name, rule] : simdjson::dom::object(rules["properties"])) {
            in_schema.emplace(name);
        }
        std::set<std::string> in_code;
        std::set<std::string> required;
        for (const Member& member : members_of(which)) {
            SCOPED_TRACE(member.name);
            in_code.emplace(member.name);
            if (member.required) {
                required.emplace(member.name);
            }
            Element rule;
            ASSERT_EQ(rules["properties"][member.name].get(rule), simdjson::SUCCESS);
            expect_same(rule, member);
        }
        EXPECT_EQ(in_schema, in_code);
        simdjson::dom::array listed;
        const bool any = rules["required"].get(listed) == simdjson::SUCCESS;
        EXPECT_EQ(any ? names(listed) : std::set<std::string>{}, required);
    }
}

TEST_F(EventSchemaTest, DeclaresTheSameProperties) {
    const simdjson::dom::array options = schema_.at_pointer("/$defs/property/anyOf");
    EXPECT_EQ(options.size(), 3U);
    EXPECT_EQ(number(options.at(0), "maxLength", -1), max_property_value);
    EXPECT_EQ(number(options.at(1), "x-max-text-length", -1), max_number_text);
}

// Reasons that a schema cannot know: repeated members, other text than JSON, what simdjson refuses as a string.
TEST_F(EventSchemaTest, JudgesTheCorpusAlike) {
    const std::set<std::string> beyond = {"twice", "twice_by_escape", "twice_in_device", "twice_in_parameters",
                                          "attachment_id_twice"};
    std::size_t judged = 0;
    for (const testing::Sample& sample : testing::corpus()) {
        const auto verdict = by_schema(sample.json);
        if (!verdict || beyond.contains(sample.name)) {
            continue;
        }
        ++judged;
        EXPECT_EQ(*verdict, by_parser(sample.json)) << sample.name;
    }
    EXPECT_GT(judged, 90U);
}

// --- events made from the declarations, one step to each side of every bound ---

std::string join(const Members& members) {
    std::string out;
    for (const auto& [name, value] : members) {
        out += (out.empty() ? "{\"" : ",\"") + name + "\":" + value;
    }
    return (out.empty() ? "{" : out) + "}";
}

std::string plain_value(const Member& member);

// The minimum that a shape needs.
Members least(Shape shape) {
    Members members;
    for (const Member& member : members_of(shape)) {
        if (member.required) {
            members[std::string(member.name)] = plain_value(member);
        }
    }
    if (shape == Shape::event) {
        members["sender"] = join(least(Shape::party));
    }
    if (shape == Shape::attachment) {
        members["data"] = "\"AAEC\"";
    }
    return members;
}

std::string repeated(std::string_view element, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        out += (i == 0 ? "" : ",") + std::string(element);
    }
    return out;
}

// That many objects of a shape; attachments have distinct ids, which a schema cannot require.
std::string many(Shape shape, std::size_t count) {
    if (shape != Shape::attachment) {
        return '[' + repeated(join(least(shape)), count) + ']';
    }
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        Members members = least(shape);
        members["id"] = '"' + std::to_string(i) + '"';
        out += (i == 0 ? "" : ",") + join(members);
    }
    return '[' + out + ']';
}

std::string numbered(std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        out += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":true";
    }
    return '{' + out + '}';
}

std::string plain_value(const Member& member) {
    switch (member.kind) {
        case ValueKind::text:
            return "\"x\"";
        case ValueKind::choice:
            return '"' + std::string(member.choices.front()) + '"';
        case ValueKind::time:
            return "\"2026-01-01T00:00:00Z\"";
        case ValueKind::number:
            return "0";
        case ValueKind::object:
            return join(least(member.shape));
        case ValueKind::list:
            return '[' + repeated(join(least(member.shape)), std::max(member.min, 1U)) + ']';
        case ValueKind::properties:
        case ValueKind::parameters:
            return "{}";
    }
    return {};
}

// Values on both sides of what the declaration says, and of every JSON type.
std::vector<std::string> values(const Member& member) {
    std::vector<std::string> out = {"null", "true", "7",    "\"\"",       "\"x\"",
                                    "[]",   "{}",   "[[]]", R"({"x":1})", plain_value(member)};
    const auto text_of = [](std::size_t size) { return '"' + std::string(size, 'x') + '"'; };
    switch (member.kind) {
        case ValueKind::text:
            if (member.max != unbounded) {
                out.push_back(text_of(member.max));
                out.push_back(text_of(member.max + 1));
            }
            break;
        case ValueKind::choice:
            for (const std::string_view name : member.choices) {
                out.push_back('"' + std::string(name) + '"');
                out.push_back('"' + std::string(name) + "x\"");
            }
            break;
        case ValueKind::time: {
            const std::string start = "\"2026-01-01T00:00:00.";
            out.push_back(start + std::string(member.max - 21, '0') + "Z\"");
            out.push_back(start + std::string(member.max - 20, '0') + "Z\"");
            break;
        }
        case ValueKind::number:
            for (const double bound : {member.lowest, member.highest}) {
                for (const double step : {-0.5, 0.0, 0.5}) {
                    out.push_back(std::to_string(bound + step));
                }
            }
            break;
        case ValueKind::list:
            for (const std::size_t count : {member.max, member.max + 1}) {
                out.push_back(many(member.shape, count));
            }
            break;
        case ValueKind::properties:
        case ValueKind::parameters:
            out.push_back(numbered(member.max));
            out.push_back(numbered(member.max + 1));
            for (const std::uint32_t size : {max_property_name, max_parameter_name}) {
                out.push_back('{' + text_of(size) + ":1}");
                out.push_back('{' + text_of(size + 1) + ":1}");
            }
            out.push_back("{\"a\":" + text_of(max_property_value) + '}');
            out.push_back("{\"a\":" + text_of(max_property_value + 1) + '}');
            for (const std::uint32_t depth : {1U, parameter_depth, parameter_depth + 1}) {
                out.push_back("{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + '}');
            }
            out.insert(out.end(), {R"({"a":null})", R"({"a":false})", R"({"a":{}})", R"({"":1})", R"({"a":"b"})"});
            break;
        case ValueKind::object:
            break;
    }
    return out;
}

// An event that holds the given object of a shape.
std::string event_with(Shape shape, const Members& members) {
    Members event = least(Shape::event);
    switch (shape) {
        case Shape::event:
            return join(members);
        case Shape::party:
            event["sender"] = join(members);
            break;
        case Shape::identifier:
            event["sender"] = R"({"identifiers":[)" + join(members) + "]}";
            break;
        case Shape::attachment:
            event["attachments"] = '[' + join(members) + ']';
            break;
        case Shape::conversation:
        case Shape::content:
        case Shape::location:
            event[std::string(name_of(shape))] = join(members);
            break;
    }
    return join(event);
}

TEST_F(EventSchemaTest, JudgesEveryBoundAlike) {
    std::size_t accepted = 0;
    std::size_t refused = 0;
    for (std::size_t i = 0; i < shape_count; ++i) {
        const auto which = static_cast<Shape>(i);
        for (const Member& member : members_of(which)) {
            const std::string name(member.name);
            std::vector<std::string> events;
            for (const std::string& value : values(member)) {
                Members members = least(which);
                members[name] = value;
                events.push_back(event_with(which, members));
            }
            Members without = least(which);
            without.erase(name);
            events.push_back(event_with(which, without));
            for (const std::string& event : events) {
                const auto verdict = by_schema(event);
                ASSERT_TRUE(verdict) << event.substr(0, 300);
                ASSERT_EQ(*verdict, by_parser(event)) << name_of(which) << '.' << name << ' ' << event.substr(0, 300);
                (*verdict ? accepted : refused) += 1;
            }
        }
    }
    EXPECT_GT(accepted, 100U);
    EXPECT_GT(refused, 200U);
}

}  // namespace
}  // namespace lihandover::intake
