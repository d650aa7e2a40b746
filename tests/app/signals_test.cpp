#include "signals.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <vector>

namespace lihandover::app {
namespace {

/// Signal numbers, in the order in which they came.
class Heard {
  public:
    void add(int number) {
        {
            const std::lock_guard lock(mutex_);
            numbers_.push_back(number);
        }
        changed_.notify_all();
    }
    std::vector<int> wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return numbers_.size() >= count; });
        return numbers_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<int> numbers_;
};

TEST(Signals, OneThatComesBeforeAnybodyWaitsIsHeard) {
    hold_back_signals();
    ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
    Heard heard;
    {
        const SignalThread thread([&heard](int number) { heard.add(number); });
        EXPECT_EQ(heard.wait_for(1), (std::vector<int>{SIGTERM}));
        ASSERT_EQ(::kill(::getpid(), SIGHUP), 0);
        EXPECT_EQ(heard.wait_for(2), (std::vector<int>{SIGTERM, SIGHUP}));
        ASSERT_EQ(::kill(::getpid(), SIGINT), 0);
        EXPECT_EQ(heard.wait_for(3).back(), SIGINT);
    }
    let_signals_through();
}

}  // namespace
}  // namespace lihandover::app
