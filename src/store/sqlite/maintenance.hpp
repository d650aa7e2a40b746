#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "key_slots.hpp"

namespace lihandover::store::sqlite {

/// A thread beside the writer for what takes long and changes no rows: unlinking files, syncing keys
/// that were overwritten. Its public functions are for any thread.
class Maintenance {
  public:
    explicit Maintenance(std::shared_ptr<KeySlots> keys) : keys_(std::move(keys)) {}
    ~Maintenance() { stop(); }
    Maintenance(const Maintenance&) = delete;
    Maintenance& operator=(const Maintenance&) = delete;
    Maintenance(Maintenance&&) = delete;
    Maintenance& operator=(Maintenance&&) = delete;

    void start();
    /// Does what was asked for, then ends.
    void stop();

    /// Runs what takes long; at once, on the caller's thread, when this has stopped.
    void run_aside(std::function<void()> work);
    /// Keys were overwritten: syncs them soon, many at once.
    void sync_keys();

  private:
    using Steady = std::chrono::steady_clock;
    void run();

    std::shared_ptr<KeySlots> keys_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> tasks_;
    bool keys_due_ = false;
    bool stopping_ = true;
    std::thread thread_;
};

}  // namespace lihandover::store::sqlite
