#include "screen.hpp"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstring>

#include "printing.hpp"
#include "terminal.hpp"

namespace lihandover::ctl {

namespace {

using Clock = std::chrono::steady_clock;

// The other screen, no cursor, no wrapping of lines; and back.
constexpr std::string_view enter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
constexpr std::string_view leave = "\x1b[?7h\x1b[?25h\x1b[?1049l";

constexpr std::array ending = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// What the signals' handlers work with.
volatile std::sig_atomic_t woken = 0;
volatile std::sig_atomic_t keyboard = 0;
termios usual{};
termios silent{};

/// For handlers too: nothing but system calls.
void write_all(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return;
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

void take_terminal() {
    if (keyboard != 0) {
        (void)::tcsetattr(STDIN_FILENO, TCSADRAIN, &silent);
    }
    write_all(enter);
}

void give_terminal_back() {
    write_all(leave);
    if (keyboard != 0) {
        (void)::tcsetattr(STDIN_FILENO, TCSADRAIN, &usual);
    }
}

void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    (void)::sigaction(number, &action, nullptr);
}

void note(int /*number*/) {
    woken = 1;
}

/// The default of the signal does the rest, so that whoever started this sees what ended it.
void end(int number) {
    give_terminal_back();
    handle(number, SIG_DFL, 0);
    (void)::raise(number);
}

void stop(int number) {
    const int before = errno;
    give_terminal_back();
    handle(number, SIG_DFL, 0);
    (void)::raise(number);
    // Goes on here after SIGCONT.
    handle(number, stop, SA_NODEFER);
    take_terminal();
    woken = 1;
    errno = before;
}

timespec until(Clock::time_point end) {
    const auto left = std::max(end - Clock::now(), Clock::duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    timespec time{};
    time.tv_sec = seconds.count();
    time.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
    return time;
}

}  // namespace

Screen::Screen() {
    // In the background the keyboard is somebody else's.
    keys_ = ::isatty(STDIN_FILENO) != 0 && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp() &&
            ::tcgetattr(STDIN_FILENO, &usual) == 0;
    if (keys_) {
        silent = usual;
        silent.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        silent.c_cc[VMIN] = 1;
        silent.c_cc[VTIME] = 0;
    }
    keyboard = keys_ ? 1 : 0;
    for (const int number : ending) {
        handle(number, end, SA_NODEFER);
    }
    handle(SIGTSTP, stop, SA_NODEFER);
    handle(SIGWINCH, note, 0);
    take_terminal();
}

Screen::~Screen() {
    give_terminal_back();
    for (const int number : ending) {
        handle(number, SIG_DFL, 0);
    }
    handle(SIGTSTP, SIG_DFL, 0);
    handle(SIGWINCH, SIG_DFL, 0);
}

bool Screen::draw(std::string_view text) {
    const Terminal terminal = output_terminal();
    const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n'));
    const bool too_many = lines > terminal.height;
    std::string out = "\x1b[H";
    const std::size_t shown = too_many ? std::max<std::size_t>(terminal.height, 1) - 1 : lines;
    for (std::size_t i = 0; i < shown; ++i) {
        const auto end = text.find('\n');
        out += (i == 0 ? "" : "\r\n") + cut_line(text.substr(0, end), terminal.width) + "\x1b[K";
        text.remove_prefix(end + 1);
    }
    if (too_many) {
        const std::string more = "(" + std::to_string(lines - shown) + " more lines below)";
        out += (shown == 0 ? "" : "\r\n") + painted(shortened(more, terminal.width), Look::faint, terminal) + "\x1b[K";
    }
    out += "\x1b[J";
    std::string_view rest = out;
    while (!rest.empty()) {
        const auto written = ::write(STDOUT_FILENO, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return false;
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

Screen::Woken Screen::wait(std::chrono::milliseconds time) {
    // Taken only while it waits, so that none falls between the look at `woken` and the wait.
    sigset_t blocked;
    sigset_t before;
    (void)::sigemptyset(&blocked);
    (void)::sigaddset(&blocked, SIGWINCH);
    (void)::sigaddset(&blocked, SIGTSTP);
    (void)::sigprocmask(SIG_BLOCK, &blocked, &before);
    const auto deadline = Clock::now() + time;
    Woken result = Woken::time;
    while (true) {
        if (woken != 0) {
            woken = 0;
            result = Woken::redraw;
            break;
        }
        pollfd input{keys_ ? STDIN_FILENO : -1, POLLIN, 0};
        const timespec left = until(deadline);
        const int ready = ::ppoll(&input, 1, &left, &before);
        if (ready == 0) {
            break;
        }
        if (ready < 0) {
            continue;
        }
        char key = 0;
        const auto count = ::read(STDIN_FILENO, &key, 1);
        if (count <= 0) {
            keys_ = keys_ && count < 0 && errno == EINTR;
            continue;
        }
        result = key == 'q' || key == 'Q' ? Woken::quit : Woken::redraw;
        break;
    }
    (void)::sigprocmask(SIG_SETMASK, &before, nullptr);
    return result;
}

bool wait_with_reader(std::chrono::milliseconds time) {
    const auto deadline = Clock::now() + time;
    while (true) {
        pollfd output{STDOUT_FILENO, 0, 0};
        const timespec left = until(deadline);
        const int ready = ::ppoll(&output, 1, &left, nullptr);
        if (ready == 0) {
            return true;
        }
        if (ready > 0) {
            return false;
        }
    }
}

}  // namespace lihandover::ctl
