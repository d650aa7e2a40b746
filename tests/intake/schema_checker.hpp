#pragma once

#include <simdjson.h>

#include <cmath>
#include <regex>
#include <string>
#include <string_view>

#include "http/json_text.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::intake::testing {

/// Validates documents with the part of JSON Schema 2020-12 that schemas/event.schema.json uses. An unknown keyword
/// throws, so that the schema cannot say more than is checked.
class SchemaChecker {
  public:
    using Element = simdjson::dom::element;

    explicit SchemaChecker(Element root) : root_(root) {}

    [[nodiscard]] bool accepts(Element value) const { return check(root_, value); }

  private:
    [[nodiscard]] bool check(Element schema, Element value) const {
        for (const auto [keyword, rule] : simdjson::dom::object(schema)) {
            if (!keyword_holds(keyword, rule, schema, value)) {
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] bool keyword_holds(std::string_view keyword, Element rule, Element schema, Element value) const {
        if (keyword.starts_with('$') && keyword != "$ref") {
            return true;
        }
        if (keyword == "title" || keyword == "description" || keyword == "contentEncoding") {
            return true;
        }
        if (keyword == "$ref") {
            const std::string pointer(std::string_view(rule).substr(1));
            return check(root_.at_pointer(pointer), value);
        }
        if (keyword == "type") {
            return has_type(rule, value);
        }
        if (keyword == "enum") {
            return contains(rule, value);
        }
        if (keyword == "anyOf" || keyword == "oneOf") {
            std::size_t good = 0;
            for (const Element option : simdjson::dom::array(rule)) {
                good += check(option, value) ? 1 : 0;
            }
            return keyword == "anyOf" ? good > 0 : good == 1;
        }
        if (keyword == "minLength" || keyword == "maxLength" || keyword == "format" || keyword == "pattern") {
            return !value.is_string() || string_holds(keyword, rule, value);
        }
        if (keyword == "minimum" || keyword == "maximum" || keyword == "x-max-text-length") {
            return !value.is_number() || number_holds(keyword, rule, value);
        }
        if (keyword == "minItems" || keyword == "maxItems" || keyword == "items") {
            return !value.is_array() || array_holds(keyword, rule, value);
        }
        if (keyword == "x-max-depth") {
            return depth(value) <= std::uint64_t(rule);
        }
        return !value.is_object() || object_holds(keyword, rule, schema, value);
    }

    static bool has_type(std::string_view type, Element value) {
        if (type == "object") {
            return value.is_object();
        }
        if (type == "array") {
            return value.is_array();
        }
        if (type == "string") {
            return value.is_string();
        }
        if (type == "number") {
            return value.is_number();
        }
        if (type == "boolean") {
            return value.is_bool();
        }
        throw std::logic_error("a type that the checker does not know");
    }

    static bool contains(Element names, Element value) {
        for (const Element name : simdjson::dom::array(names)) {
            if (value.is_string() && std::string_view(name) == std::string_view(value)) {
                return true;
            }
        }
        return false;
    }

    static bool string_holds(std::string_view keyword, Element rule, std::string_view value) {
        if (keyword == "minLength") {
            return count_characters(value) >= std::uint64_t(rule);
        }
        if (keyword == "maxLength") {
            return count_characters(value) <= std::uint64_t(rule);
        }
        if (keyword == "pattern") {
            return std::regex_search(std::string(value), std::regex(std::string(std::string_view(rule))));
        }
        if (std::string_view(rule) != "date-time") {
            throw std::logic_error("a format that the checker does not know");
        }
        return model::parse_rfc3339(value).has_value();
    }

    static bool number_holds(std::string_view keyword, Element rule, Element value) {
        if (keyword == "x-max-text-length") {
            return true;  // the text is no longer there; the parser's own tests check it
        }
        return keyword == "minimum" ? double(value) >= double(rule) : double(value) <= double(rule);
    }

    [[nodiscard]] bool array_holds(std::string_view keyword, Element rule, simdjson::dom::array value) const {
        if (keyword == "minItems") {
            return value.size() >= std::uint64_t(rule);
        }
        if (keyword == "maxItems") {
            return value.size() <= std::uint64_t(rule);
        }
        for (const Element element : value) {
            if (!check(rule, element)) {
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] bool object_holds(std::string_view keyword, Element rule, Element schema,
                                    simdjson::dom::object value) const {
        if (keyword == "required") {
            return has_all(value, rule);
        }
        if (keyword == "maxProperties") {
            return value.size() <= std::uint64_t(rule);
        }
        if (keyword == "dependentRequired") {
            for (const auto [name, others] : simdjson::dom::object(rule)) {
                if (has(value, name) && !has_all(value, others)) {
                    return false;
                }
            }
            return true;
        }
        if (keyword == "properties") {
            for (const auto [name, member_rule] : simdjson::dom::object(rule)) {
                Element member;
                if (value.at_key(name).get(member) == simdjson::SUCCESS && !check(member_rule, member)) {
                    return false;
                }
            }
            return true;
        }
        if (keyword == "propertyNames") {
            for (const auto [name, member] : value) {
                for (const auto [name_keyword, name_rule] : simdjson::dom::object(rule)) {
                    if (!string_holds(name_keyword, name_rule, name)) {
                        return false;
                    }
                }
            }
            return true;
        }
        if (keyword == "additionalProperties") {
            return others_hold(rule, schema, value);
        }
        throw std::logic_error("the checker does not know the keyword " + std::string(keyword));
    }

    [[nodiscard]] bool others_hold(Element rule, Element schema, simdjson::dom::object value) const {
        simdjson::dom::object named;
        const bool any_named = schema["properties"].get(named) == simdjson::SUCCESS;
        for (const auto [name, member] : value) {
            if (any_named && has(named, name)) {
                continue;
            }
            if (rule.is_bool() ? !bool(rule) : !check(rule, member)) {
                return false;
            }
        }
        return true;
    }

    static bool has(simdjson::dom::object object, std::string_view name) {
        return object.at_key(name).error() == simdjson::SUCCESS;
    }
    static bool has_all(simdjson::dom::object object, simdjson::dom::array names) {
        for (const Element name : names) {
            if (!has(object, name)) {
                return false;
            }
        }
        return true;
    }

    static std::uint64_t depth(Element value) {
        std::uint64_t deepest = 0;
        if (value.is_array()) {
            for (const Element element : simdjson::dom::array(value)) {
                deepest = std::max(deepest, depth(element));
            }
            return deepest + 1;
        }
        if (value.is_object()) {
            for (const auto [name, member] : simdjson::dom::object(value)) {
                deepest = std::max(deepest, depth(member));
            }
            return deepest + 1;
        }
        return 0;
    }

    Element root_;
};

}  // namespace lihandover::intake::testing
