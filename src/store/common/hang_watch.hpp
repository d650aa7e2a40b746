#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace lihandover::store {

/// Sees when a writer hangs in what it asked of its disk or database for longer than a commit may take, from a thread
/// beside it. For any thread, but where it says.
class HangWatch {
  public:
    struct Told {
        std::function<void()> round;        ///< several times a second, whatever is
        std::function<void()> hangs;        ///< once it does
        std::function<void()> still;        ///< then, and several times a second until it turns again
        std::function<void()> turns_again;  ///< on the writer's thread, if `hangs` was called
    };

    /// While it lives, the writer is at work that may be held up. On the writer's thread.
    class Work {
      public:
        explicit Work(HangWatch& watch);
        ~Work();
        Work(const Work&) = delete;
        Work& operator=(const Work&) = delete;
        Work(Work&&) = delete;
        Work& operator=(Work&&) = delete;

      private:
        HangWatch& watch_;
    };

    ///   timeout  how long a commit may take; 0: as long as it likes
    HangWatch(Told told, std::chrono::milliseconds timeout) : told_(std::move(told)), timeout_(timeout) {}
    ~HangWatch() { stop(); }
    HangWatch(const HangWatch&) = delete;
    HangWatch& operator=(const HangWatch&) = delete;
    HangWatch(HangWatch&&) = delete;
    HangWatch& operator=(HangWatch&&) = delete;

    void start();
    /// After the writer's thread has ended.
    void stop();

    void set_timeout(std::chrono::milliseconds timeout) { timeout_.store(timeout, std::memory_order_relaxed); }
    [[nodiscard]] std::chrono::milliseconds timeout() const { return timeout_.load(std::memory_order_relaxed); }
    /// False while it hangs.
    [[nodiscard]] bool turns() const;

  private:
    using Steady = std::chrono::steady_clock;

    void run();
    void look();

    Told told_;
    std::atomic<std::chrono::milliseconds> timeout_;
    std::atomic<Steady::rep> at_work_since_{0};  ///< 0: it waits for work
    std::mutex telling_;
    bool told_hangs_ = false;  ///< under telling_
    std::mutex mutex_;
    std::condition_variable wake_;
    bool ended_ = false;  ///< under mutex_
    std::thread thread_;
};

}  // namespace lihandover::store
