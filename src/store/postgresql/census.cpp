#include "census.hpp"

#include <utility>

#include "lihandover/base/thread_name.hpp"

namespace lihandover::store::postgresql {

void Census::want() {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
        return;
    }
    wanted_ = true;
    if (!thread_.joinable()) {
        thread_ = std::thread([this] { run(); });
    }
    wake_.notify_one();
}

std::optional<Census::Stock> Census::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(found_, std::nullopt);
}

void Census::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Census::run() {
    base::name_thread("store census");
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return wanted_ || stopping_; });
        if (stopping_) {
            return;
        }
        wanted_ = false;
        lock.unlock();
        auto counted = count_();
        lock.lock();
        if (counted) {  // else the next one tells
            found_ = std::move(*counted);
        }
    }
}

}  // namespace lihandover::store::postgresql
