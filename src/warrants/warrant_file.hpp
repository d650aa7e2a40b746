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
    std::optional<Warrant> warrant;  ///< set if there are no problems
    config::Problems problems;
    /// What later checks use, even if there are problems; empty if it could not be read.
    std::string destination_name;
    bool wants_binary = false;
    /// Their places.
    config::Place liid;
    config::Place destination;
    config::Place binary;  ///< `binary` among the parts to deliver
    config::Place targets;
};

/// Increases with every change of what parse_warrant_file() accepts, or of its result: what an earlier program judged
/// is then judged again.
inline constexpr int parse_rules_version = 4;

/// `file` is the name in problems.
[[nodiscard]] ParsedFile parse_warrant_file(std::string_view text, const std::string& file);

/// Whether check_destination() finds nothing wrong.
[[nodiscard]] bool suits(const Warrant& warrant, const Destinations& destinations);

/// What is wrong with a file under these destinations.
///   warrant   what the file orders, where it could be read; `parsed` may have let go of it
void check_destination(const ParsedFile& parsed, const Warrant* warrant, const std::string& file,
                       const Destinations& destinations, config::Problems& problems);

}  // namespace lihandover::warrants
