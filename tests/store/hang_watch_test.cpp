#include "common/hang_watch.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "../support/eventually.hpp"

namespace lihandover::store::test {
namespace {

using lihandover::test::eventually;
using std::chrono::milliseconds;

// Whoever hears of it stops taking events until he hears the other word, which nobody repeats.
TEST(AHangWatch, SaysLastWhatIsSoHoweverLongItsListenerTakes) {
    std::atomic<bool> saying{false};
    std::atomic<bool> may_end{false};
    std::atomic<bool> hangs{false};
    HangWatch watch({.round = [] {},
                     .hangs =
                         [&] {
                             saying = true;
                             while (!may_end) {
                                 std::this_thread::yield();
                             }
                             hangs = true;
                         },
                     .still = [] {},
                     .turns_again = [&] { hangs = false; }},
                    milliseconds(1));
    watch.start();
    std::optional<HangWatch::Work> work(std::in_place, watch);
    ASSERT_TRUE(eventually([&] { return saying.load(); }));
    std::atomic<bool> ended{false};
    std::thread writer([&] {
        work.reset();  // it ends while the watch still says that it hangs
        ended = true;
    });
    while (!watch.turns()) {
        std::this_thread::yield();
    }
    EXPECT_FALSE(ended) << "its word comes after the other";
    may_end = true;
    writer.join();
    EXPECT_FALSE(hangs);
    watch.stop();
    EXPECT_FALSE(hangs);
}

}  // namespace
}  // namespace lihandover::store::test
