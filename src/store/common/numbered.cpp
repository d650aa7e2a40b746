#include "numbered.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>

#include "lihandover/audit/entry.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/store/types.hpp"
#include "states.hpp"

namespace lihandover::store {

namespace {

std::optional<std::size_t> place_in(std::span<const std::string_view> names, std::string_view name) {
    const auto found = std::ranges::find(names, name);
    return found == names.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - names.begin()));
}

std::size_t number_named(std::string_view qualified) {
    const std::size_t dot = qualified.find('.');
    const std::string_view set = qualified.substr(0, dot);
    const std::string_view name = dot == std::string_view::npos ? "" : qualified.substr(dot + 1);
    std::optional<std::size_t> number;
    if (set == "item") {
        number = place_in(item_state_names, name);
    } else if (set == "object") {
        number = place_in(object_state_names, name);
    } else if (set == "record") {
        number = place_in(audit::kind_names, name);
    } else if (set == "blob") {
        number = place_in(blob_state_names, name);
    }
    if (!number) {
        throw std::logic_error("SQL with an unknown name: " + std::string(qualified));
    }
    return *number;
}

}  // namespace

std::string numbered(std::string_view sql) {
    std::string out;
    while (true) {
        const std::size_t open = sql.find('{');
        out += sql.substr(0, open);
        if (open == std::string_view::npos) {
            return out;
        }
        const std::size_t close = sql.find('}', open);
        if (close == std::string_view::npos) {
            throw std::logic_error("SQL with an unclosed name");
        }
        out += std::to_string(number_named(sql.substr(open + 1, close - open - 1)));
        sql.remove_prefix(close + 1);
    }
}

}  // namespace lihandover::store
