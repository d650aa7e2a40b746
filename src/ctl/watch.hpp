#pragma once

#include <functional>
#include <string>

#include "commands.hpp"
#include "terminal.hpp"

namespace lihandover::ctl {

/// One look at the daemon.
struct Sight {
    Answer answer;     ///< what it was made of, or why there is none
    std::string text;  ///< in lines
    std::string json;  ///< one document
    [[nodiscard]] bool good() const { return answer.ok(); }
};

/// Looks for a terminal of this kind.
using Looking = std::function<Sight(const Terminal& terminal)>;

/// Shows what is seen, once or as `options` says: on a terminal in its place, else one block after the other, or one
/// document of JSON per line. While the daemon does not answer, says so and goes on. Returns the exit status.
///   title  what is watched
[[nodiscard]] int watch(const Options& options, const std::string& title, const Looking& look);

}  // namespace lihandover::ctl
