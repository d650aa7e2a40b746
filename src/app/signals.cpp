#include "signals.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <utility>

#include "lihandover/base/thread_name.hpp"

namespace lihandover::app {

namespace {

sigset_t our_signals() {
    sigset_t set{};
    ::sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
        ::sigaddset(&set, number);
    }
    return set;
}

base::Descriptor opened(int descriptor, const char* what) {
    if (descriptor < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return base::Descriptor(descriptor);
}

}  // namespace

void hold_back_signals() {
    const sigset_t set = our_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void let_signals_through() {
    const sigset_t set = our_signals();
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

SignalThread::SignalThread(std::function<void(int)> heard) {
    const sigset_t set = our_signals();
    signals_ = opened(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
    end_ = opened(::eventfd(0, EFD_CLOEXEC), "eventfd");
    thread_ = std::thread([this, heard = std::move(heard)] { run(heard); });
}

SignalThread::~SignalThread() {
    const std::uint64_t one = 1;
    // An eventfd at zero takes a one.
    (void)!::write(end_.get(), &one, sizeof one);
    thread_.join();
}

void SignalThread::run(const std::function<void(int)>& heard) const {
    base::name_thread("signals");
    while (true) {
        std::array<pollfd, 2> waiting{{{signals_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}}};
        if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) {
            return;
        }
        if (waiting[1].revents != 0) {
            return;
        }
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
            heard(static_cast<int>(info.ssi_signo));
        }
    }
}

}  // namespace lihandover::app
