#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace lihandover::ctl {

/// What an output leads to. As it is made: a pipe or a file, which gets all there is, and no colours.
struct Terminal {
    static constexpr std::size_t boundless = std::numeric_limits<std::size_t>::max();

    bool is_one = false;
    /// It can be drawn upon: a terminal, and TERM does not say that it is a dumb one.
    bool screen = false;
    bool colours = false;  ///< a screen, and nobody has set NO_COLOR
    std::size_t width = boundless;
    std::size_t height = boundless;
};

/// Standard output, as it is now: a window changes its size.
[[nodiscard]] Terminal output_terminal();

/// Takes the locale from the environment. To be called once, before anything is printed.
void take_locale();

/// Whether anything beyond ASCII has to be written as an escape: the output is a terminal, and its locale is not one of
/// UTF-8. To such a terminal a byte of a harmless letter may be the beginning of a command.
enum class Output : std::uint8_t { results, problems };
[[nodiscard]] bool only_ascii(Output output);

/// How loud something is on a terminal with colours.
enum class Look : std::uint8_t { plain, faint, heading, good, warning, alarm };

/// What switches a look on; `look_end` ends any of them. Nothing for `plain`.
[[nodiscard]] const char* look_begin(Look look);
inline constexpr const char* look_end = "\x1b[0m";

}  // namespace lihandover::ctl
