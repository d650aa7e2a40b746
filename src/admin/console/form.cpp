#include "console/form.hpp"

#include <algorithm>

#include "query.hpp"

namespace lihandover::admin {

namespace {

/// `+` is a space here, unlike in our own queries.
std::optional<std::string> decoded(std::string_view text) {
    std::string spaced(text);
    std::ranges::replace(spaced, '+', ' ');
    return percent_decoded(spaced);
}

}  // namespace

std::optional<Form> Form::parse(std::string_view body) {
    Form form;
    while (!body.empty()) {
        const auto end = std::min(body.find('&'), body.size());
        const std::string_view pair = body.substr(0, end);
        body.remove_prefix(std::min(end + 1, body.size()));
        const auto mark = pair.find('=');
        if (mark == std::string_view::npos || form.fields_.size() == max_fields) {
            return std::nullopt;
        }
        auto name = decoded(pair.substr(0, mark));
        auto value = decoded(pair.substr(mark + 1));
        if (!name || !value) {
            return std::nullopt;
        }
        form.fields_.emplace_back(std::move(*name), std::move(*value));
    }
    return form;
}

std::string_view Form::only(std::string_view name) const {
    const auto found = all(name);
    return found.size() == 1 ? found.front() : std::string_view();
}

std::vector<std::string_view> Form::all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& [one, value] : fields_) {
        if (one == name) {
            values.emplace_back(value);
        }
    }
    return values;
}

}  // namespace lihandover::admin
