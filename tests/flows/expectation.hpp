#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/ims/event.hpp"

namespace lihandover::flows {

/// An event that a flow must become, as a line of its .expect file says (README.md). What it does not say may be
/// anything.
struct Expectation {
    std::string task;
    std::string type;
    std::optional<std::string> label;
    std::optional<std::vector<std::string>> from;             ///< of the sender or actor
    std::optional<std::vector<std::vector<std::string>>> to;  ///< of receivers or members, each of them one
    std::optional<std::string> target;                        ///< from, to or none
    std::optional<std::string> conversation;                  ///< a name for it
    std::optional<std::string> refers_to;                     ///< a label
    std::optional<std::string> content_type;
    std::optional<std::string> text;
    std::optional<std::string> status;
    std::optional<std::string> title;
    std::optional<std::string> nickname;
    std::map<std::string, std::string> parameters;
    struct Object {
        std::optional<std::string> content_type;
        std::optional<std::string> file_name;
        std::optional<std::uint64_t> size;
    };
    std::optional<std::vector<Object>> objects;
};
[[nodiscard]] std::vector<Expectation> read_expectations(const std::filesystem::path& file);

/// Compares the events of one task with what is expected of it, in order. What differs, in sentences; empty: nothing.
[[nodiscard]] std::vector<std::string> differences(const std::vector<Expectation>& expected,
                                                   const std::vector<ims::MadeEvent>& events);

/// An event in a line, for messages.
[[nodiscard]] std::string describe(const ims::MadeEvent& made);

}  // namespace lihandover::flows
