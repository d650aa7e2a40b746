#include "reader_pool.hpp"

#include <utility>

namespace lihandover::store::sqlite {

namespace {

/// Connections that are kept for the next call.
constexpr std::size_t most_free = 4;

}  // namespace

void ReaderPool::without_readers(const std::function<void()>& work) {
    const std::unique_lock alone(gate_);
    {
        const std::lock_guard lock(mutex_);
        free_.clear();
    }
    work();
}

std::unique_ptr<ReadConnection> ReaderPool::take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
        return std::make_unique<ReadConnection>(setup_);
    }
    auto connection = std::move(free_.back());
    free_.pop_back();
    return connection;
}

void ReaderPool::give_back(std::unique_ptr<ReadConnection> connection) {
    const std::lock_guard lock(mutex_);
    if (free_.size() < most_free) {
        free_.push_back(std::move(connection));
    }
}

}  // namespace lihandover::store::sqlite
