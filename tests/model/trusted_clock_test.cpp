#include "lihandover/model/trusted_clock.hpp"

#include <gtest/gtest.h>

#include "../support/manual_clock.hpp"

namespace lihandover::model {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t start = 1'795'342'531;
constexpr std::int64_t day = 86'400;

class TrustedClockTest : public testing::Test {
  protected:
    TrustedClockTest() { machine_.stop(); }
    void follow(std::optional<Instant> last = std::nullopt) {
        clock_.follow({minutes(5), [this] { return synchronised_; }}, last);
    }

    lihandover::test::ManualClock machine_{{start, 0}};
    TrustedClock clock_{machine_};
    bool synchronised_ = false;
};

TEST_F(TrustedClockTest, IsTheWallClockUntilItHasRules) {
    machine_.advance_wall(seconds(100 * day));
    EXPECT_EQ(clock_.trusted(), machine_.wall());
    EXPECT_TRUE(clock_.is_trusted());
}

TEST_F(TrustedClockTest, GoesOnWithTheWallClock) {
    follow();
    machine_.advance(hours(24 * 30));
    EXPECT_EQ(clock_.trusted(), machine_.wall());
    EXPECT_TRUE(clock_.is_trusted());
}

TEST_F(TrustedClockTest, AJumpAheadIsNotFollowed) {
    follow();
    machine_.advance(hours(1));
    machine_.advance_wall(seconds(100 * day));
    EXPECT_EQ(clock_.trusted().seconds, start + 3600 + 300);
    EXPECT_FALSE(clock_.is_trusted());
    machine_.advance(hours(1));
    EXPECT_EQ(clock_.trusted().seconds, start + 2 * 3600 + 300);
    machine_.advance_wall(seconds(-100 * day));
    EXPECT_EQ(clock_.trusted(), machine_.wall());
    EXPECT_TRUE(clock_.is_trusted());
}

TEST_F(TrustedClockTest, SmallJumpsDoNotAddUp) {
    follow();
    for (int count = 0; count < 100; ++count) {
        machine_.advance_wall(seconds(200));
        (void)clock_.trusted();
    }
    EXPECT_EQ(clock_.trusted().seconds, start + 300);
}

TEST_F(TrustedClockTest, TheKernelsWordCatchesUp) {
    follow();
    machine_.advance_wall(seconds(100 * day));
    EXPECT_FALSE(clock_.is_trusted());
    synchronised_ = true;
    EXPECT_EQ(clock_.trusted(), machine_.wall());
    EXPECT_TRUE(clock_.is_trusted());
    synchronised_ = false;
    EXPECT_TRUE(clock_.is_trusted()) << "what was right goes on from there";
}

TEST_F(TrustedClockTest, AnOperatorsWordCatchesUp) {
    follow();
    machine_.advance_wall(seconds(100 * day));
    clock_.accept();
    EXPECT_EQ(clock_.trusted(), machine_.wall());
    EXPECT_TRUE(clock_.is_trusted());
}

TEST_F(TrustedClockTest, AfterAStartTheLastTimeCounts) {
    follow(Instant{start - 60, 0});
    EXPECT_EQ(clock_.trusted(), machine_.wall()) << "within the tolerance";
    follow(Instant{start - 10 * day, 0});
    EXPECT_EQ(clock_.trusted().seconds, start - 10 * day + 300);
    EXPECT_FALSE(clock_.is_trusted());
    synchronised_ = true;
    EXPECT_EQ(clock_.trusted(), machine_.wall());
}

TEST_F(TrustedClockTest, AClockThatIsBehindIsNotTrustedAndHoldsBack) {
    follow(Instant{start + 3600, 0});
    EXPECT_FALSE(clock_.is_trusted());
    EXPECT_EQ(clock_.trusted(), machine_.wall());
    clock_.accept();
    EXPECT_TRUE(clock_.is_trusted());
}

TEST_F(TrustedClockTest, WhatHasPassedDoesNotCreepAheadWithTheStarts) {
    follow();
    EXPECT_EQ(clock_.passed(), machine_.wall());
    machine_.advance_wall(seconds(100 * day));
    const Instant passed{start, 0};
    for (int starts = 0; starts < 10; ++starts) {
        EXPECT_EQ(clock_.passed(), passed);
        follow(clock_.passed());
    }
    machine_.advance_wall(seconds(-100 * day));
    EXPECT_TRUE(clock_.is_trusted());
    machine_.advance_wall(seconds(-3600));
    EXPECT_EQ(clock_.passed(), passed) << "a clock that is behind is not where it was";
}

TEST_F(TrustedClockTest, WhereTheKernelCannotKnowTheWallClockIsTrusted) {
    clock_.follow({minutes(5), {}}, Instant{start - 10 * day, 0});
    EXPECT_EQ(clock_.trusted(), machine_.wall());
    machine_.advance_wall(seconds(100 * day));
    EXPECT_EQ(clock_.trusted(), machine_.wall());
    EXPECT_TRUE(clock_.is_trusted());
}

TEST_F(TrustedClockTest, TheToleranceMayChange) {
    follow();
    machine_.advance_wall(seconds(600));
    EXPECT_FALSE(clock_.is_trusted());
    clock_.set_tolerance(minutes(20));
    EXPECT_TRUE(clock_.is_trusted());
    EXPECT_EQ(clock_.trusted(), machine_.wall());
}

}  // namespace
}  // namespace lihandover::model
