#include "stop_deadline.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace lihandover::app {
namespace {

/// Hangs forever, as a part may.
[[noreturn]] void hang() {
    while (true) {
        ::pause();
    }
}

class StopDeadlineDeathTest : public testing::Test {
  protected:
    void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(StopDeadlineDeathTest, EndsWhatHangsAsFailed) {
    const auto stop = [] {
        StopDeadline deadline;
        deadline.set_timeout(std::chrono::milliseconds(0));
        deadline.begin();
        hang();
    };
    EXPECT_EXIT(stop(), testing::ExitedWithCode(EXIT_FAILURE), "stopped by force");
}

TEST_F(StopDeadlineDeathTest, WhereNothingIsLeftTheStatusIsTheOneGiven) {
    const auto stop = [] {
        StopDeadline deadline;
        deadline.set_timeout(std::chrono::milliseconds(0));
        deadline.nothing_left(EXIT_SUCCESS);
        deadline.begin();
        hang();
    };
    EXPECT_EXIT(stop(), testing::ExitedWithCode(EXIT_SUCCESS), "stopped by force");
}

TEST_F(StopDeadlineDeathTest, MayBeCutAtOnce) {
    const auto stop = [] {
        StopDeadline deadline;
        deadline.set_timeout(std::chrono::hours(1));
        deadline.begin();
        deadline.nothing_left(3);
        deadline.cut();
    };
    EXPECT_EXIT(stop(), testing::ExitedWithCode(3), "stopped by force");
}

TEST(StopDeadline, IsCalledOffByAStopThatEnds) {
    for (const bool begins : {false, true}) {
        StopDeadline deadline;
        deadline.set_timeout(std::chrono::hours(1));
        if (begins) {
            deadline.begin();
        }
    }
}

}  // namespace
}  // namespace lihandover::app
