#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

namespace lihandover::app {

/// What a check judges by.
enum class CheckFor : std::uint8_t {
    reload,  ///< `--check`: what a reload refuses as well
    /// `--check-start`: what a start does, which goes on without a destination whose files are bad, and looks at the
    /// store. As the daemon's user; beside a daemon that runs as well.
    start,
};

/// The result of a check: its exit status.
enum class CheckResult : int {
    good = 0,
    refused = 1,             ///< it would not start, or (`--check`) refuse the reload
    runs_with_problems = 2,  ///< it would run, but something is wrong: a bad warrant file, an expired certificate
};

/// Loads the configuration with the certificates and schemas it names, and every warrant, and prints each
/// problem on a separate line: `FILE:LINE:COLUMN: what is wrong, what is allowed`. Its output contains values, so it is
/// for people and pipelines, and never for a journal.
[[nodiscard]] CheckResult check(const std::string& config_file, CheckFor purpose, std::ostream& out);

}  // namespace lihandover::app
