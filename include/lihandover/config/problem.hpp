#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lihandover::config {

/// Lines and columns (in bytes) from 1; 0: unknown.
struct Place {
    std::size_t line = 0;
    std::size_t column = 0;
};

/// One mistake in a file that an operator wrote. `message` says what is wrong and what is allowed and contains no value
/// of the file, so it may be logged (promise 8); `value` is for the operator's own eyes (`--check`).
struct Problem {
    std::string file;
    std::size_t line = 0;    ///< from 1; 0 if the problem is the file's (missing, unreadable)
    std::size_t column = 0;  ///< bytes from 1
    std::string message;
    std::string value;  ///< what was found; empty if there is nothing to show or the option is secret
};
using Problems = std::vector<Problem>;

/// Orders by file and place, and keeps the order within one place.
void sort_by_place(Problems& problems);

/// An option whose value differs between two versions of a file.
struct ChangedOption {
    std::string path;
    bool reloadable = false;
};

/// `FILE:LINE:COLUMN: what is wrong, what is allowed`, without the value: for logs.
[[nodiscard]] std::string log_text(const Problem& problem);

/// The same with the value, shortened and with unprintable characters escaped: for a terminal.
[[nodiscard]] std::string check_text(const Problem& problem);

}  // namespace lihandover::config
