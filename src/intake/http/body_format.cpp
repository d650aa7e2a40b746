#include "http/body_format.hpp"

#include <algorithm>

namespace lihandover::intake {

namespace {

constexpr char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

// Takes the part before the next `;` from `rest`.
std::string_view next_part(std::string_view& rest) {
    const auto end = std::min(rest.find(';'), rest.size());
    const std::string_view part = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

// Parameters other than charset mean nothing here and are allowed.
bool parameter_is_fine(std::string_view parameter) {
    const auto equals = std::min(parameter.find('='), parameter.size());
    if (!equal_ignoring_case(trimmed(parameter.substr(0, equals)), "charset")) {
        return true;
    }
    std::string_view value = trimmed(parameter.substr(std::min(equals + 1, parameter.size())));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
    }
    return equal_ignoring_case(value, "utf-8");
}

}  // namespace

std::optional<BodyFormat> body_format(std::string_view content_type) {
    std::string_view rest = content_type;
    const std::string_view type = next_part(rest);
    while (!rest.empty()) {
        if (!parameter_is_fine(next_part(rest))) {
            return std::nullopt;
        }
    }
    if (equal_ignoring_case(type, "application/json")) {
        return BodyFormat::json;
    }
    if (equal_ignoring_case(type, "application/x-ndjson")) {
        return BodyFormat::ndjson;
    }
    return std::nullopt;
}

}  // namespace lihandover::intake
