#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lihandover::ims {

/// One of the parameters of a header field: `;name=value`, `;name="value"`, `;name`.
struct HeaderParameter {
    std::string_view name;
    std::string_view value;  ///< without the quotes around it
    bool quoted = false;     ///< escapes in `value` are as written
};

/// Cuts one off the front of `text`, which begins with `;` or where one begins. nullopt at the end. What has no name is
/// passed over.
[[nodiscard]] std::optional<HeaderParameter> take_parameter(std::string_view& text);

/// A value that is folded over several lines, in one (RFC 3261 7.3.1, RFC 5322 2.2.3).
[[nodiscard]] std::string unfolded(std::string_view value);

/// Whether a quoted text has escapes, and what it is without them.
[[nodiscard]] bool has_escapes(std::string_view quoted);
[[nodiscard]] std::string without_escapes(std::string_view quoted);

}  // namespace lihandover::ims
