#include "stop_list.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <stdexcept>
#include <string>

namespace lihandover::app {
namespace {

namespace asio = boost::asio;

class StopListTest : public testing::Test {
  protected:
    /// Whether all have stopped, with no time but the list's patience.
    bool stop() {
        auto all = asio::co_spawn(io_, stops_.stop(StopTime(model::system_clock(), std::chrono::milliseconds(0))),
                                  asio::use_future);
        while (all.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
            io_.run_one();
        }
        return all.get();
    }

    void add(char name) {
        stops_.add([this, name](StopTime) -> asio::awaitable<void> {
            order_ += name;
            co_return;
        });
    }

    asio::io_context io_{1};
    StopList stops_;
    std::string order_;
};

TEST_F(StopListTest, StopsInTheReverseOrder) {
    for (const char name : {'a', 'b', 'c'}) {
        add(name);
    }
    EXPECT_TRUE(stop());
    EXPECT_EQ(order_, "cba");
}

TEST_F(StopListTest, NothingThatStartedIsNothingToStop) {
    EXPECT_TRUE(stop());
}

TEST_F(StopListTest, APartThatHangsIsGivenUpAndTheOthersStop) {
    asio::steady_timer never(io_, asio::steady_timer::time_point::max());
    add('a');
    stops_.add([&never](StopTime) -> asio::awaitable<void> { co_await never.async_wait(asio::use_awaitable); });
    add('c');
    EXPECT_FALSE(stop());
    EXPECT_EQ(order_, "ca");
}

TEST_F(StopListTest, TheFirstPartIsGivenMoreTime) {
    const auto begun = std::chrono::steady_clock::now();
    asio::steady_timer slow(io_, StopList::patience + std::chrono::milliseconds(100));
    stops_.add([this, &slow](StopTime) -> asio::awaitable<void> {
        co_await slow.async_wait(asio::use_awaitable);
        order_ += 'a';
    });
    EXPECT_TRUE(stop()) << "after " << (std::chrono::steady_clock::now() - begun).count() << " ns";
    EXPECT_EQ(order_, "a");
}

TEST_F(StopListTest, APartThatFailsIsGivenUp) {
    add('a');
    stops_.add([](StopTime) -> asio::awaitable<void> {
        throw std::runtime_error("no");
        co_return;
    });
    EXPECT_FALSE(stop());
    EXPECT_EQ(order_, "a");
}

TEST(StopTimeTest, NeverRunsBelowZero) {
    const StopTime time(model::system_clock(), std::chrono::milliseconds(0));
    EXPECT_EQ(time.left(), std::chrono::milliseconds(0));
    const StopTime long_time(model::system_clock(), std::chrono::hours(4));
    EXPECT_LE(long_time.left_of_share(4), std::chrono::hours(1));
    EXPECT_GT(long_time.left_of_share(4), std::chrono::minutes(59));
}

}  // namespace
}  // namespace lihandover::app
