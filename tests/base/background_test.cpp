#include "lihandover/base/background.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>

namespace lihandover::base {
namespace {

namespace asio = boost::asio;

struct Background : testing::Test {
    /// Runs one coroutine on the calling thread until it ends.
    void run(asio::awaitable<void> task) {
        asio::co_spawn(io, std::move(task), [](const std::exception_ptr& failure) {
            if (failure) {
                std::rethrow_exception(failure);
            }
        });
        io.run();
        io.restart();
    }

    asio::io_context io;
    asio::thread_pool pool{2};  // ends first: its threads post to `io`
};

TEST_F(Background, WorkRunsElsewhereAndItsResultComesHome) {
    run([](Background& test) -> asio::awaitable<void> {
        const auto home = std::this_thread::get_id();
        // It can only be moved.
        const auto result = co_await run_on(
            test.pool.get_executor(), [] { return std::make_unique<std::thread::id>(std::this_thread::get_id()); });
        EXPECT_NE(*result, home);
        EXPECT_EQ(std::this_thread::get_id(), home);
    }(*this));
}

TEST_F(Background, WorkWithoutAResultIsWaitedForToo) {
    run([](Background& test) -> asio::awaitable<void> {
        bool done = false;
        co_await run_on(test.pool.get_executor(), [&done] { done = true; });
        EXPECT_TRUE(done);
    }(*this));
}

TEST_F(Background, WhatTheWorkThrowsIsThrownAtHome) {
    run([](Background& test) -> asio::awaitable<void> {
        const auto home = std::this_thread::get_id();
        std::string said;
        try {
            co_await run_on(test.pool.get_executor(), []() -> int { throw std::runtime_error("no such thing"); });
        } catch (const std::runtime_error& error) {
            said = error.what();
            EXPECT_EQ(std::this_thread::get_id(), home);
        }
        EXPECT_EQ(said, "no such thing");
    }(*this));
}

TEST_F(Background, ACallbackFromAnyThreadIsAwaited) {
    run([](Background& test) -> asio::awaitable<void> {
        const auto home = std::this_thread::get_id();
        const auto begin = [&test](auto done) {
            std::function<void(std::string, int)> copyable = done;
            asio::post(test.pool, [copyable] { copyable("seven", 7); });
        };
        const auto [text, number] = co_await await_callback<std::string, int>(begin);
        EXPECT_EQ(text, "seven");
        EXPECT_EQ(number, 7);
        EXPECT_EQ(std::this_thread::get_id(), home);
        const auto at_once = [](auto done) { done(std::string("at once")); };
        EXPECT_EQ(co_await await_callback<std::string>(at_once), "at once");
        const auto nothing = [](auto done) { done(); };
        co_await await_callback<>(nothing);
    }(*this));
}

TEST_F(Background, CallersOnAPoolOfThreadsAreServedToo) {
    // The frame may resume, and end, on another thread before the function that started the work returns.
    std::atomic<int> sum{0};
    for (int caller = 0; caller < 200; ++caller) {
        asio::co_spawn(
            pool,
            [](asio::thread_pool& on, std::atomic<int>& total, int n) -> asio::awaitable<void> {
                total += co_await run_on(on.get_executor(), [n] { return n; });
                const auto begin = [&on, n](auto done) { asio::post(on, [done, n] { done(n); }); };
                total += co_await await_callback<int>(begin);
            }(pool, sum, caller),
            asio::detached);
    }
    pool.join();
    EXPECT_EQ(sum, 2 * 199 * 200 / 2);
}

TEST_F(Background, TheLastReferenceMayBeDroppedUncalled) {
    // The caller never resumes, and nothing is leaked or touched when the context is destroyed.
    std::function<void(int)> kept;
    asio::co_spawn(
        io,
        [](std::function<void(int)>& keep) -> asio::awaitable<void> {
            const auto begin = [&keep](auto done) { keep = done; };
            co_await await_callback<int>(begin);
            ADD_FAILURE() << "nobody called back";
        }(kept),
        asio::detached);
    io.poll();
    EXPECT_TRUE(kept);
    kept = nullptr;
    io.poll();
}

}  // namespace
}  // namespace lihandover::base
