#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

#include "printing.hpp"

namespace lihandover::ctl {

namespace {

constexpr std::chrono::seconds step{1};

bool can_be_drawn_upon() {
    const char* const kind = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): nobody sets any
    return ::isatty(STDERR_FILENO) != 0 && kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb";
}

std::size_t error_width() {
    winsize size{};
    const bool told = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    // The last column stays free: some terminals begin a new line with it.
    return (told ? size.ws_col : 80U) - 1;
}

}  // namespace

Progress::Progress(std::string what) : what_(std::move(what)) {
    if (can_be_drawn_upon()) {
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }
}

Progress::~Progress() {
    if (thread_.joinable()) {
        thread_.request_stop();
        thread_.join();
    }
}

void Progress::say(std::string how_far) {
    const std::lock_guard lock(mutex_);
    how_far_ = std::move(how_far);
}

void Progress::run(const std::stop_token& stop) {
    // Signals are for the thread that works.
    sigset_t all;
    (void)::sigfillset(&all);
    (void)::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    const auto begun = std::chrono::steady_clock::now();
    bool drawn = false;
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, stop, step, [&stop] { return stop.stop_requested(); })) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begun);
        const std::string line =
            what_ + " … " + (how_far_.empty() ? "" : how_far_ + ", ") + std::to_string(seconds.count()) + " s";
        std::cerr << '\r' << shortened(printable(line, Output::problems), error_width()) << "\x1b[K" << std::flush;
        drawn = true;
    }
    if (drawn) {
        std::cerr << "\r\x1b[K" << std::flush;
    }
}

}  // namespace lihandover::ctl
