#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lihandover/config/problem.hpp"
#include "lihandover/warrants/loader.hpp"
#include "lihandover/warrants/warrant.hpp"

namespace lihandover::warrants {

/// A warrant file as read, before it is known which destinations and other warrants there are.
struct ParsedFile {
    std::optional<Warrant> warrant;  ///< set when there are no problems
    config::Problems problems;
    /// What later checks look at, also where there are problems; empty where it could not be read.
    std::string destination_name;
    bool wants_binary = false;
    /// Where they point to.
    config::Place liid;
    config::Place destination;
    config::Place binary;  ///< `binary` among the parts to deliver
};

/// Grows with every change of what parse_warrant_file() takes for good, or makes of it: what an earlier program judged
/// is judged again then.
inline constexpr int parse_rules_version = 2;

/// `file` is the name in problems.
[[nodiscard]] ParsedFile parse_warrant_file(std::string_view text, const std::string& file);

/// Whether check_destination() finds nothing wrong.
[[nodiscard]] bool suits(const Warrant& warrant, const Destinations& destinations);

/// What is wrong with a file under these destinations.
void check_destination(const ParsedFile& parsed, const std::string& file, const Destinations& destinations,
                       config::Problems& problems);

}  // namespace lihandover::warrants
