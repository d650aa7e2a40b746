#include "peer_pace.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace lihandover::delivery {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class PeerPaceTest : public testing::Test {
  protected:
    void take(std::uint64_t bytes, PeerPace::Duration time) {
        pace_.gave(bytes, now_);
        now_ += time;
        pace_.taken(now_);
    }
    bool too_slow() { return pace_.too_slow(now_, PeerPace::window); }

    PeerPace pace_;
    PeerPace::Time now_{hours(1)};
};

TEST_F(PeerPaceTest, AFewBytesNowAndThenAreTooSlow) {
    for (int i = 0; i < 8; ++i) {
        EXPECT_FALSE(too_slow()) << i;
        take(10, seconds(30));
    }
    EXPECT_TRUE(too_slow());
}

TEST_F(PeerPaceTest, ATurnThatIsNeverTakenIsTooSlow) {
    pace_.gave(PeerPace::least - 1, now_);
    now_ += PeerPace::window - seconds(1);
    EXPECT_FALSE(too_slow());
    now_ += seconds(1);
    EXPECT_TRUE(too_slow());
}

TEST_F(PeerPaceTest, WhatTakesEnoughGoesOnForHours) {
    for (int i = 0; i < 100; ++i) {
        take(PeerPace::least, PeerPace::window);
        EXPECT_FALSE(too_slow()) << i;
    }
    take(1, PeerPace::window);
    EXPECT_TRUE(too_slow()) << "a good beginning does not help";
}

TEST_F(PeerPaceTest, WaitingForItsTurnIsNotThePeersFault) {
    for (int i = 0; i < 100; ++i) {
        take(10, seconds(1));
        now_ += minutes(10);
    }
    EXPECT_FALSE(too_slow());
}

}  // namespace
}  // namespace lihandover::delivery
