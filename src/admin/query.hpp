#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lihandover::admin {

/// Undoes percent encoding; `+` stays `+`. nullopt if a `%` is not followed by two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

/// The `name=value` pairs of a query, decoded, in order. nullopt if one has no `=`, is encoded wrongly, or a name
/// repeats.
using Query = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::optional<Query> parse_query(std::string_view query);

}  // namespace lihandover::admin
