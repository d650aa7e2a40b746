#include "terminal.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <clocale>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace lihandover::ctl {

namespace {

constexpr std::size_t usual_width = 80;
constexpr std::size_t usual_height = 24;
constexpr std::size_t most = 10'000;

// By Output.
std::array<bool, 2> ascii_terminals{};

std::string_view environment(const char* name) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets any
    return value == nullptr ? std::string_view() : value;
}

/// What the kernel says, else what the environment says, else what is usual.
std::size_t extent(unsigned told, const char* name, std::size_t usual) {
    if (told > 0) {
        return told;
    }
    const std::string_view text = environment(name);
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool sound = error == std::errc{} && end == text.data() + text.size() && value > 0 && value <= most;
    return sound ? value : usual;
}

}  // namespace

Terminal output_terminal() {
    Terminal terminal;
    if (::isatty(STDOUT_FILENO) == 0) {
        return terminal;
    }
    terminal.is_one = true;
    const std::string_view kind = environment("TERM");
    terminal.screen = !kind.empty() && kind != "dumb";
    terminal.colours = terminal.screen && environment("NO_COLOR").empty();
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        size = {};
    }
    terminal.width = extent(size.ws_col, "COLUMNS", usual_width);
    terminal.height = extent(size.ws_row, "LINES", usual_height);
    return terminal;
}

void take_locale() {
    (void)std::setlocale(LC_CTYPE, "");  // NOLINT(concurrency-mt-unsafe): before any thread
    const bool utf8 = std::string_view(::nl_langinfo(CODESET)) == "UTF-8";  // NOLINT(concurrency-mt-unsafe)
    ascii_terminals = {!utf8 && ::isatty(STDOUT_FILENO) != 0, !utf8 && ::isatty(STDERR_FILENO) != 0};
}

bool only_ascii(Output output) {
    return ascii_terminals.at(static_cast<std::size_t>(output));
}

const char* look_begin(Look look) {
    switch (look) {
        case Look::plain:
            break;
        case Look::faint:
            return "\x1b[2m";
        case Look::heading:
            return "\x1b[1m";
        case Look::good:
            return "\x1b[32m";
        case Look::warning:
            return "\x1b[33m";
        case Look::alarm:
            return "\x1b[1;31m";
    }
    return "";
}

}  // namespace lihandover::ctl
