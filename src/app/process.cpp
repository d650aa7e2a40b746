#include "process.hpp"

#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include <csignal>
#include <cstdint>
#include <cstring>

namespace lihandover::app {

void harden_process() {
    ::umask(0077);
    std::signal(SIGPIPE, SIG_IGN);
    const rlimit no_core{0, 0};
    if (::setrlimit(RLIMIT_CORE, &no_core) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0) {
        spdlog::warn("core dumps cannot be switched off error=\"{}\"", std::strerror(errno));
    }
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &files) != 0) {
            spdlog::warn("the descriptor limit cannot be raised error=\"{}\"", std::strerror(errno));
        }
    }
}

void notify_ready() {
    ::sd_notify(0, "READY=1");
}

void notify_stopping() {
    ::sd_notify(0, "STOPPING=1");
}

void notify_reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    ::sd_notifyf(
        0, "RELOADING=1\nMONOTONIC_USEC=%llu",
        static_cast<unsigned long long>(now.tv_sec) * 1'000'000 + static_cast<unsigned long long>(now.tv_nsec) / 1000);
}

void notify_watchdog() {
    ::sd_notify(0, "WATCHDOG=1");
}

std::optional<std::chrono::microseconds> watchdog_interval() {
    std::uint64_t microseconds = 0;
    if (::sd_watchdog_enabled(0, &microseconds) <= 0) {
        return std::nullopt;
    }
    return std::chrono::microseconds(microseconds / 2);
}

bool clock_unsynchronised() {
    timex state{};
    return ::adjtimex(&state) == TIME_ERROR || (state.status & STA_UNSYNC) != 0;
}

}  // namespace lihandover::app
