// Preloaded into the daemon: a disk, a name server and a clock that misbehave as a test tells them to.
//
// While the file that SHIM_SYNCS_HANG names exists, fsync and fdatasync do not return. A name that ends in
// `.hangs.example` is looked up for ever; the file that SHIM_NAME_ASKED names is made when that begins. A name that
// ends in `.moves.example` has the address that the file says that SHIM_NAME_IS names. The wall clock is ahead by as
// many seconds as the file that SHIM_CLOCK_AHEAD names says, and the kernel takes it as synchronised while the file
// that SHIM_CLOCK_SYNCHRONISED names exists.

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace {

template <typename Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool exists(const char* variable) {
    const char* const path = std::getenv(variable);
    return path != nullptr && ::access(path, F_OK) == 0;
}

void hang_while_told() {
    while (exists("SHIM_SYNCS_HANG")) {
        ::usleep(10'000);
    }
}

/// What the file says that the variable names; empty where there is none.
std::array<char, 64> told(const char* variable) {
    std::array<char, 64> text{};
    const char* const path = std::getenv(variable);
    const int file = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        if (::read(file, text.data(), text.size() - 1) < 0) {
            text[0] = '\0';
        }
        ::close(file);
    }
    return text;
}

long seconds_ahead() {
    return std::strtol(told("SHIM_CLOCK_AHEAD").data(), nullptr, 10);
}

}  // namespace

extern "C" int fsync(int descriptor) {
    hang_while_told();
    static const auto real = next<int (*)(int)>("fsync");
    return real(descriptor);
}

extern "C" int fdatasync(int descriptor) {
    hang_while_told();
    static const auto real = next<int (*)(int)>("fdatasync");
    return real(descriptor);
}

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
    if (node != nullptr && std::string_view(node).ends_with(".hangs.example")) {
        if (const char* const path = std::getenv("SHIM_NAME_ASKED")) {
            ::close(::open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        }
        while (true) {
            ::pause();
        }
    }
    static const auto real = next<int (*)(const char*, const char*, const addrinfo*, addrinfo**)>("getaddrinfo");
    if (node != nullptr && std::string_view(node).ends_with(".moves.example")) {
        return real(told("SHIM_NAME_IS").data(), service, hints, result);
    }
    return real(node, service, hints, result);
}

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
    const auto result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
    if (result == 0 && clock == CLOCK_REALTIME) {
        time->tv_sec += seconds_ahead();
    }
    return result;
}

extern "C" int adjtimex(timex* state) noexcept {
    *state = {};
    const bool synchronised = exists("SHIM_CLOCK_SYNCHRONISED");
    state->status = synchronised ? 0 : STA_UNSYNC;
    return synchronised ? TIME_OK : TIME_ERROR;
}
