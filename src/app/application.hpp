#pragma once

#include <string>
#include <string_view>

namespace lihandover::app {

inline constexpr std::string_view version = LIHANDOVER_VERSION;

/// Runs the daemon in the foreground until SIGTERM or SIGINT (gentle stop). Returns false if it could not start, or if
/// delivery could not read the store; the log says why.
[[nodiscard]] bool run_daemon(const std::string& config_file);

}  // namespace lihandover::app
