#include "lihandover/base/task_group.hpp"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

namespace lihandover::base {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;

struct Group : testing::Test {
    asio::awaitable<void> wait_for_ever(int& ended) {
        struct AtEnd {
            ~AtEnd() { ++count; }
            int& count;
        } const at_end{ended};
        asio::steady_timer timer(io, asio::steady_timer::time_point::max());
        co_await timer.async_wait(use_awaitable);
    }

    void spawn_waiter(bool& returned) {
        asio::co_spawn(
            io,
            [](TaskGroup& waited, bool& back) -> asio::awaitable<void> {
                co_await waited.wait();
                back = true;
            }(group, returned),
            asio::detached);
    }

    asio::io_context io;
    TaskGroup group{io.get_executor()};
};

TEST_F(Group, IsWaitedForUntilAllHaveEnded) {
    int ended = 0;
    bool first = false;
    bool second = false;
    EXPECT_TRUE(group.spawn(wait_for_ever(ended)));
    EXPECT_TRUE(group.spawn(wait_for_ever(ended)));
    spawn_waiter(first);
    spawn_waiter(second);
    io.poll();
    EXPECT_EQ(group.size(), 2U);
    EXPECT_FALSE(first);
    group.stop();
    io.run();
    EXPECT_EQ(ended, 2);
    EXPECT_TRUE(group.empty());
    EXPECT_TRUE(first);
    EXPECT_TRUE(second);
}

TEST_F(Group, WaitingForNoneReturnsAtOnce) {
    bool returned = false;
    spawn_waiter(returned);
    io.run();
    EXPECT_TRUE(returned);
}

TEST_F(Group, AClosedOneTakesNoMoreAndLeavesTheRest) {
    int ended = 0;
    int refused = 0;
    EXPECT_TRUE(group.spawn(wait_for_ever(ended)));
    group.close();
    EXPECT_FALSE(group.spawn(wait_for_ever(refused)));
    io.poll();
    EXPECT_EQ(group.size(), 1U);
    EXPECT_EQ(ended, 0);
    group.stop();
    io.run();
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(refused, 0) << "it was never started";
}

TEST_F(Group, OneThatIsStoppedBeforeItBeganEndsAtItsFirstWait) {
    int ended = 0;
    group.spawn(wait_for_ever(ended));
    group.stop();
    io.run();
    EXPECT_EQ(ended, 1);
}

TEST_F(Group, OneThatCannotBeCancelledIsWaitedFor) {
    asio::steady_timer hold(io, asio::steady_timer::time_point::max());
    group.spawn([](asio::steady_timer& held) -> asio::awaitable<void> {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await held.async_wait(asio::as_tuple(use_awaitable));
    }(hold));
    bool returned = false;
    spawn_waiter(returned);
    io.poll();
    group.stop();
    io.poll();
    EXPECT_FALSE(returned);
    hold.cancel();
    io.run();
    EXPECT_TRUE(returned);
}

TEST_F(Group, WaitsNoLongerThanIsSaid) {
    int ended = 0;
    group.spawn(wait_for_ever(ended));
    bool in_time = true;
    asio::co_spawn(
        io,
        [](TaskGroup& waited, bool& result) -> asio::awaitable<void> {
            result = co_await waited.wait_for(std::chrono::milliseconds(1));
            waited.stop();
            EXPECT_TRUE(co_await waited.wait_for(std::chrono::hours(1)));
        }(group, in_time),
        asio::detached);
    io.run();
    EXPECT_FALSE(in_time);
    EXPECT_EQ(ended, 1);
}

TEST_F(Group, TasksMayStartOthers) {
    int ended = 0;
    group.spawn([](Group& test, int& count) -> asio::awaitable<void> {
        co_await asio::post(test.io, use_awaitable);
        test.group.spawn(test.wait_for_ever(count));
        ++count;
    }(*this, ended));
    io.poll();
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(group.size(), 1U);
    group.stop();
    io.run();
    EXPECT_EQ(ended, 2);
}

TEST_F(Group, AFailureEndsTheRunOfItsExecutor) {
    group.spawn([]() -> asio::awaitable<void> {
        throw std::runtime_error("broken");
        co_return;
    }());
    EXPECT_THROW(io.run(), std::runtime_error);
    EXPECT_TRUE(group.empty());
}

TEST(TaskGroupDeathTest, OneThatGoesBeforeItsTasksIsFound) {
    EXPECT_DEATH(
        {
            asio::io_context io;
            TaskGroup group(io.get_executor());
            group.spawn([]() -> asio::awaitable<void> {
                asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
                co_await timer.async_wait(use_awaitable);
            }());
            io.poll();
        },
        "a task group is empty when it goes");
}

}  // namespace
}  // namespace lihandover::base
