#pragma once

#include <string_view>
#include <vector>

#include "lihandover/config/schema.hpp"

namespace lihandover::config {

/// Every option of the configuration as declared, in the order of the reference.
[[nodiscard]] std::vector<OptionRow> option_rows();

/// A complete example of a configuration file, with comments; it loads without problems.
[[nodiscard]] std::string_view example_configuration();

}  // namespace lihandover::config
