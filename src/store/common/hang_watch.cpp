#include "hang_watch.hpp"

#include <utility>

#include "lihandover/base/thread_name.hpp"

namespace lihandover::store {

namespace {

constexpr std::chrono::milliseconds watch_interval{250};

}  // namespace

HangWatch::Work::Work(HangWatch& watch) : watch_(watch) {
    watch_.at_work_since_.store(Steady::now().time_since_epoch().count(), std::memory_order_release);
}

HangWatch::Work::~Work() {
    watch_.at_work_since_.store(0, std::memory_order_release);
    const std::lock_guard one_word_at_a_time(watch_.telling_);
    if (std::exchange(watch_.told_hangs_, false)) {
        watch_.told_.turns_again();
    }
}

void HangWatch::start() {
    thread_ = std::thread([this] { run(); });
}

void HangWatch::stop() {
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

bool HangWatch::turns() const {
    const auto since = at_work_since_.load(std::memory_order_acquire);
    const auto limit = timeout();
    return since == 0 || limit.count() == 0 ||
           Steady::now() - Steady::time_point(Steady::duration(since)) <
               std::chrono::duration_cast<Steady::duration>(limit);
}

void HangWatch::run() {
    base::name_thread("store watch");
    std::unique_lock lock(mutex_);
    while (!ended_) {
        wake_.wait_for(lock, watch_interval);
        lock.unlock();
        told_.round();
        look();
        lock.lock();
    }
}

/// What it says last is true: that it turns again is said after it, or it sees that itself.
void HangWatch::look() {
    if (turns()) {
        return;
    }
    const std::lock_guard one_word_at_a_time(telling_);
    if (turns()) {
        return;
    }
    if (!std::exchange(told_hangs_, true)) {
        told_.hangs();
    }
    told_.still();
}

}  // namespace lihandover::store
