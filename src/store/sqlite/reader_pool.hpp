#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "lihandover/model/result.hpp"
#include "read_connection.hpp"

namespace lihandover::store::sqlite {

/// Reads the database beside the writer, for any thread: each call takes a connection that is free, or opens another.
class ReaderPool {
  public:
    explicit ReaderPool(ReadConnection::Setup setup) : setup_(std::move(setup)) {}
    ReaderPool(const ReaderPool&) = delete;
    ReaderPool& operator=(const ReaderPool&) = delete;
    ReaderPool(ReaderPool&&) = delete;
    ReaderPool& operator=(ReaderPool&&) = delete;
    ~ReaderPool() = default;

    /// Runs `work` on a connection.
    template <typename Work>
    auto read(const Work& work) {
        const std::shared_lock reading(gate_);
        std::unique_ptr<ReadConnection> connection = take();
        auto answer = work(*connection);
        give_back(std::move(connection));
        return answer;
    }

    /// Waits until nobody reads, closes all connections, and lets nobody read until `work` is done.
    void without_readers(const std::function<void()>& work);

  private:
    [[nodiscard]] std::unique_ptr<ReadConnection> take();
    void give_back(std::unique_ptr<ReadConnection> connection);

    const ReadConnection::Setup setup_;
    std::shared_mutex gate_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<ReadConnection>> free_;  // guarded by mutex_
};

}  // namespace lihandover::store::sqlite
