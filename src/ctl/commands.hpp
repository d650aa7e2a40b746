#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"

namespace lihandover::ctl {

/// Everything the command line asks for, whichever the command.
struct Options {
    std::string socket = "/run/lihandoverd/control.sock";
    bool json = false;
    std::string operator_name;
    std::vector<std::string> ids;
    std::string destination;
    std::optional<std::uint64_t> code;
    std::string reason;
    bool confirm_ended = false;
    std::string state;
    std::string after;
    std::optional<std::uint64_t> limit;
};

// Each prints its result to stdout, or what went wrong to stderr, and returns the exit status: 0 only if everything
// that was asked for was done.

[[nodiscard]] int show_status(const Options& options);
[[nodiscard]] int list_warrants(const Options& options);
[[nodiscard]] int list_items(const Options& options);
[[nodiscard]] int show_item(const Options& options);
/// `command` is approve, reject or retry.
[[nodiscard]] int decide(const Options& options, const std::string& command);
[[nodiscard]] int reload(const Options& options);
[[nodiscard]] int accept_clock(const Options& options);
/// `command` is pause or resume.
[[nodiscard]] int order_delivery(const Options& options, const std::string& command);

}  // namespace lihandover::ctl
