#include "stop_deadline.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "lihandover/base/thread_name.hpp"

namespace lihandover::app {

namespace {

[[noreturn]] void end_process(int status) {
    // Not through the log: a hanging thread may hold its lock.
    constexpr std::string_view line =
        "<4>stopped by force: something hangs; what was not answered stays in the store\n";
    const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
    const std::string_view said = journal ? line : line.substr(3);
    (void)!::write(STDERR_FILENO, said.data(), said.size());
    ::_exit(status);
}

}  // namespace

StopDeadline::StopDeadline() : status_(EXIT_FAILURE) {
    thread_ = std::thread([this] { watch(); });
}

StopDeadline::~StopDeadline() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void StopDeadline::set_timeout(std::chrono::milliseconds timeout) {
    const std::lock_guard lock(mutex_);
    timeout_ = timeout;
}

void StopDeadline::begin() {
    {
        const std::lock_guard lock(mutex_);
        if (ends_at_) {
            return;
        }
        ends_at_ = std::chrono::steady_clock::now() + timeout_ + beyond;
    }
    changed_.notify_all();
}

void StopDeadline::nothing_left(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
}

void StopDeadline::watch() {
    base::name_thread("stop deadline");
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return over_ || ends_at_; });
    if (over_ || changed_.wait_until(lock, *ends_at_, [this] { return over_; })) {
        return;
    }
    end_process(status_);
}

void StopDeadline::cut() {
    const std::lock_guard lock(mutex_);
    end_process(status_);
}

}  // namespace lihandover::app
