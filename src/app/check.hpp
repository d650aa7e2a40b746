#pragma once

#include <iosfwd>
#include <string>

namespace lihandover::app {

/// How `--check` ended: the exit status.
enum class Verdict : int {
    good = 0,
    refused = 1,             ///< it would not start, or refuse the reload
    runs_with_problems = 2,  ///< it would run, but something is wrong: a bad warrant file, an expired certificate
};

/// `--check`: loads the configuration with the certificates and schemas it names, and every warrant, and prints each
/// problem on a line of its own: `FILE:LINE:COLUMN: what is wrong, what is allowed`. What it prints has values in it,
/// so it is for people and pipelines, and never for a journal.
[[nodiscard]] Verdict check(const std::string& config_file, std::ostream& out);

}  // namespace lihandover::app
