#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lihandover::ctl {

// What the members of the daemon's answers say. A member that is missing, or of another type, says nothing.

[[nodiscard]] inline std::string text_of(simdjson::dom::element object, std::string_view name) {
    std::string_view text;
    return object[name].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

[[nodiscard]] inline std::uint64_t count_of(simdjson::dom::element object, std::string_view name) {
    std::uint64_t number = 0;
    return object[name].get(number) == simdjson::SUCCESS ? number : 0;
}

/// In digits; empty where there is none.
[[nodiscard]] inline std::string number_of(simdjson::dom::element object, std::string_view name) {
    std::uint64_t number = 0;
    return object[name].get(number) == simdjson::SUCCESS ? std::to_string(number) : std::string();
}

[[nodiscard]] inline bool flag_of(simdjson::dom::element object, std::string_view name) {
    bool flag = false;
    return object[name].get(flag) == simdjson::SUCCESS && flag;
}

/// The elements of an array member; none if it is something else or missing.
[[nodiscard]] inline std::vector<simdjson::dom::element> elements_of(simdjson::dom::element object,
                                                                     std::string_view name) {
    simdjson::dom::array array;
    if (object[name].get(array) != simdjson::SUCCESS) {
        return {};
    }
    return {array.begin(), array.end()};
}

}  // namespace lihandover::ctl
