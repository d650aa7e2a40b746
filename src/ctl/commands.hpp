#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"

namespace lihandover::ctl {

/// What the command line asks for, whichever command it is.
struct Wishes {
    std::string socket = "/run/lihandoverd/control.sock";
    bool json = false;
    std::string operator_name;
    std::vector<std::string> ids;
    std::string destination;
    std::optional<std::uint64_t> code;
    std::string reason;
    std::string state;
    std::string after;
    std::optional<std::uint64_t> limit;
};

// Each prints its result to stdout, or what went wrong to stderr, and gives the exit status: 0 only when all that was
// asked for was done.

[[nodiscard]] int show_status(const Wishes& wishes);
[[nodiscard]] int list_warrants(const Wishes& wishes);
[[nodiscard]] int list_items(const Wishes& wishes);
[[nodiscard]] int show_item(const Wishes& wishes);
/// `command` is approve, reject or retry.
[[nodiscard]] int decide(const Wishes& wishes, const std::string& command);
[[nodiscard]] int reload(const Wishes& wishes);

}  // namespace lihandover::ctl
