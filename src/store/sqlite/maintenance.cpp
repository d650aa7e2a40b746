#include "maintenance.hpp"

#include <spdlog/spdlog.h>

#include <utility>

#include "lihandover/base/thread_name.hpp"

namespace lihandover::store::sqlite {

namespace {

/// Between two syncs of keys, so that they do not take the disk from commits.
constexpr auto key_sync_interval = std::chrono::milliseconds(50);
constexpr auto key_sync_retry = std::chrono::seconds(1);

}  // namespace

void Maintenance::start() {
    stopping_ = false;
    keys_due_ = keys_->sync_due();  // what could not be overwritten when stock was taken
    thread_ = std::thread([this] { run(); });
}

void Maintenance::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Maintenance::run_aside(std::function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        if (!stopping_) {
            tasks_.push_back(std::move(work));
            wake_.notify_one();
            return;
        }
    }
    work();
}

void Maintenance::sync_keys() {
    const std::lock_guard lock(mutex_);
    if (!keys_due_) {
        keys_due_ = true;
        wake_.notify_one();
    }
}

void Maintenance::run() {
    base::name_thread("store upkeep");
    auto next_sync = Steady::now();
    bool complained = false;
    std::unique_lock lock(mutex_);
    while (true) {
        const auto busy = [this] { return stopping_ || !tasks_.empty(); };
        if (keys_due_) {
            wake_.wait_until(lock, next_sync, busy);
        } else {
            wake_.wait(lock, [&] { return busy() || keys_due_; });
        }
        if (!tasks_.empty()) {
            const auto task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
            lock.lock();
            continue;
        }
        if (keys_due_ && (stopping_ || Steady::now() >= next_sync)) {
            keys_due_ = false;
            lock.unlock();
            const bool synced = keys_->sync();
            if (!synced && !complained) {
                spdlog::error(
                    "store: keys of content that went cannot be overwritten in state_dir/keys; it is tried again");
            }
            complained = !synced;
            lock.lock();
            next_sync = Steady::now() + (synced ? key_sync_interval : key_sync_retry);
            keys_due_ = keys_due_ || (!synced && !stopping_);
        }
        if (stopping_ && tasks_.empty() && !keys_due_) {
            return;
        }
    }
}

}  // namespace lihandover::store::sqlite
