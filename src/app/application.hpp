#pragma once

#include <string>
#include <string_view>

namespace lihandover::app {

inline constexpr std::string_view version = LIHANDOVER_VERSION;

/// Runs the daemon in the foreground until SIGTERM or SIGINT (gentle stop) and says whether it ended well: false when
/// it could not start, or delivery could not read the store. What went wrong is in the log.
[[nodiscard]] bool run_daemon(const std::string& config_file);

}  // namespace lihandover::app
