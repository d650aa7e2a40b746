#pragma once

#include <iosfwd>
#include <string>

namespace lihandover::app {

/// `--check`: loads the configuration with the certificates and schemas it names, and every warrant, and prints each
/// problem on a line of its own: `FILE:LINE:COLUMN: what is wrong, what is allowed`. True when there are none.
/// Certificates out of their time are problems here, since the operator asked.
[[nodiscard]] bool check(const std::string& config_file, std::ostream& out);

}  // namespace lihandover::app
