#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace lihandover::app {

/// Ends the process if a stop takes longer than it may, whatever the other threads hang in (a name server, a disk).
/// Nothing is lost by that: what was answered is on disk. Thread-safe.
class StopDeadline {
  public:
    /// How far a stop may exceed shutdown_timeout before it is cut short.
    static constexpr std::chrono::milliseconds beyond{1500};

    StopDeadline();
    StopDeadline(const StopDeadline&) = delete;
    StopDeadline& operator=(const StopDeadline&) = delete;
    /// Cancels it: the stop is over.
    ~StopDeadline();

    /// shutdown_timeout, once it is known and whenever it changes; a stop that has started keeps its own.
    void set_timeout(std::chrono::milliseconds timeout);
    /// A stop starts; only the first call counts.
    void begin();
    /// The store is closed, so what still runs has nothing to lose. From now on the process ends with `status`, even if
    /// it is cut short; before, it ends as failed.
    void nothing_left(int status);
    /// Ends the process now rather than at the deadline.
    [[noreturn]] void cut();

  private:
    void watch();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::chrono::milliseconds timeout_{10'000};
    std::optional<std::chrono::steady_clock::time_point> ends_at_;
    int status_;
    bool over_ = false;
    std::thread thread_;
};

}  // namespace lihandover::app
