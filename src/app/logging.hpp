#pragma once

#include "lihandover/config/configuration.hpp"

namespace lihandover::app {

/// Sends the default logger to stderr: with a syslog priority in front of each line where stderr is the journal
/// (JOURNAL_STREAM names it, sd-daemon(3)), else with time and level. Called once, before the first line is logged.
void start_logging();

/// Thread-safe; the option log_level, also at reload.
void set_log_level(config::LogLevel level);

}  // namespace lihandover::app
