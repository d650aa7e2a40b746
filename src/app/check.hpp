#pragma once

#include <iosfwd>
#include <string>

namespace lihandover::app {

/// The result of `--check`: its exit status.
enum class CheckResult : int {
    good = 0,
    refused = 1,             ///< it would not start, or refuse the reload
    runs_with_problems = 2,  ///< it would run, but something is wrong: a bad warrant file, an expired certificate
};

/// `--check`: loads the configuration with the certificates and schemas it names, and every warrant, and prints each
/// problem on a separate line: `FILE:LINE:COLUMN: what is wrong, what is allowed`. Its output contains values, so it is
/// for people and pipelines, and never for a journal.
[[nodiscard]] CheckResult check(const std::string& config_file, std::ostream& out);

}  // namespace lihandover::app
