#pragma once

#include <string>

namespace lihandover::ctl {

/// Why there is no connection to the control socket at `path`, and what to do about it. `error` is what connect() said.
[[nodiscard]] std::string advice_on(int error, const std::string& path);

}  // namespace lihandover::ctl
