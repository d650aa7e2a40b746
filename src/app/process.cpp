#include "process.hpp"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>

#include "logging.hpp"

namespace lihandover::app {

namespace {

/// Whether all memory may be locked, now and later. With a limit that is merely large, locking would succeed now and an
/// allocation fail later.
bool may_lock_all() {
    rlimit locked{};
    if (::getrlimit(RLIMIT_MEMLOCK, &locked) == 0 && locked.rlim_max == RLIM_INFINITY) {
        locked.rlim_cur = locked.rlim_max;
        return ::setrlimit(RLIMIT_MEMLOCK, &locked) == 0;
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> capabilities{};
    return ::syscall(SYS_capget, &header, capabilities.data()) == 0 &&
           (capabilities[0].effective & (1U << CAP_IPC_LOCK)) != 0;
}

}  // namespace

void harden_process() {
    ::umask(0077);
    std::signal(SIGPIPE, SIG_IGN);
    const rlimit no_core{0, 0};
    const bool no_file = ::setrlimit(RLIMIT_CORE, &no_core) == 0;
    // The limit alone does not keep a core dump from a program that the kernel pipes it to.
    if (::prctl(PR_SET_DUMPABLE, 0) != 0 || !no_file) {
        log_warning("core dumps cannot be switched off error=\"" + std::string(std::strerror(errno)) + "\"");
    }
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &files) != 0) {
            log_warning("the descriptor limit cannot be raised error=\"" + std::string(std::strerror(errno)) + "\"");
        }
    }
}

void lock_memory() {
    if (!may_lock_all()) {
        log_info("memory is not locked: the limit (RLIMIT_MEMLOCK) does not allow it");
        return;
    }
    // Pages are locked as they are used: locking whole stacks and arenas at once would cost memory that nobody needs.
    if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        log_warning("memory cannot be locked error=\"" + std::string(std::strerror(errno)) + "\"");
    }
}

void notify_ready() {
    ::sd_notify(0, "READY=1");
}

void notify_stopping(std::chrono::microseconds longest) {
    ::sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu", static_cast<unsigned long long>(longest.count()));
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
