#pragma once

#include <string>

#include "lihandover/config/configuration.hpp"
#include "lihandover/config/problem.hpp"

namespace lihandover::app {

/// Sends the default logger to stderr: with a syslog priority in front of each line if stderr is the journal
/// (JOURNAL_STREAM names it, sd-daemon(3)), else with time and level. Called once, before the first line is logged.
void start_logging();

/// Thread-safe; applies the option log_level, also at a reload.
void set_log_level(config::LogLevel level);

// Each logs one line, unchanged; so this room's files need not include the log's library. Thread-safe.
void log_info(const std::string& line);
void log_warning(const std::string& line);
void log_error(const std::string& line);

/// One line each, by key and place (promise 8); of errors the first hundred.
void log_problems(const config::Problems& problems);
void log_warnings(const config::Problems& warnings);

}  // namespace lihandover::app
