#include "held_closer.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "../support/manual_clock.hpp"

namespace lihandover::app {
namespace {

admin::RevokeRequest request_of(std::string liid) {
    admin::RevokeRequest request;
    request.destination = "lea-one";
    request.liid = std::move(liid);
    request.hold_queued = true;
    return request;
}

class HeldCloserTest : public testing::Test {
  protected:
    void revoke(const std::string& liid) {
        closer_.begin(request_of(liid));
        closer_.end(true);
    }

    /// Runs until it is so; a closer that never comes to it ends the test by its timeout.
    void run_until(const std::function<bool()>& is_so) {
        while (!is_so()) {
            io_.restart();
            io_.run_one();
        }
    }
    /// For some looks of the closer.
    void run_on() {
        io_.restart();
        io_.run_for(std::chrono::milliseconds(100));
    }

    boost::asio::io_context io_;
    test::ManualClock clock_;
    bool alone_ = false;
    bool settles_ = true;
    std::vector<std::function<void(bool)>> settling_;
    std::vector<std::string> told_;
    bool takes_ = true;
    int changes_ = 0;
    HeldCloser closer_{
        {.io = io_,
         .clock = clock_,
         .none_before = [this] { return alone_; },
         .settle =
             [this](std::function<void(bool)> done) { settles_ ? done(true) : settling_.push_back(std::move(done)); },
         .tell =
             [this](std::vector<admin::RevokeRequest> all, const auto& done) {
                 if (!takes_) {
                     done({});
                     return;
                 }
                 for (const auto& one : all) {
                     told_.push_back(one.liid);
                 }
                 done(std::move(all));
             },
         .changed = [this] { ++changes_; }},
        std::chrono::milliseconds(50)};
};

TEST_F(HeldCloserTest, NoRevocationWaitsForWhatAnotherHasUnderWay) {
    revoke("LIID-1");
    run_on();
    EXPECT_TRUE(told_.empty()) << "it was matched before, and is not on disk";
    EXPECT_TRUE(closer_.may_revoke());
    revoke("LIID-2");
    alone_ = true;
    run_until([&] { return told_.size() == 2; });
    EXPECT_EQ(told_, (std::vector<std::string>{"LIID-1", "LIID-2"}));
    EXPECT_FALSE(closer_.closes_some());
}

TEST_F(HeldCloserTest, AReloadWaitsButNotForEver) {
    EXPECT_TRUE(closer_.may_load());
    revoke("LIID-1");
    EXPECT_FALSE(closer_.may_load());
    clock_.advance(HeldCloser::patience);
    EXPECT_TRUE(closer_.may_load());
    EXPECT_TRUE(closer_.closes_some());
    alone_ = true;
    run_until([&] { return !closer_.closes_some(); });
    EXPECT_EQ(told_, std::vector<std::string>{"LIID-1"});
}

TEST_F(HeldCloserTest, AReloadDoesNotWaitForAStoreThatHangs) {
    alone_ = true;
    settles_ = false;
    revoke("LIID-1");
    ASSERT_EQ(settling_.size(), 1U);
    const int before = changes_;
    clock_.advance(HeldCloser::patience);
    run_until([&] { return changes_ > before; });
    EXPECT_TRUE(closer_.may_load());
    EXPECT_FALSE(closer_.may_revoke());
    settling_.front()(true);
    EXPECT_FALSE(closer_.closes_some());
}

TEST_F(HeldCloserTest, WhatFailsIsSaidAgain) {
    alone_ = true;
    takes_ = false;
    revoke("LIID-1");
    run_on();
    EXPECT_TRUE(closer_.closes_some());
    takes_ = true;
    settles_ = false;
    run_until([&] { return !settling_.empty(); });
    EXPECT_FALSE(closer_.may_revoke()) << "what is told would count for the next one";
    std::exchange(settling_, {}).front()(false);
    EXPECT_TRUE(closer_.may_revoke());
    settles_ = true;
    run_until([&] { return !closer_.closes_some(); });
    EXPECT_EQ(told_, std::vector<std::string>{"LIID-1"});
}

TEST_F(HeldCloserTest, OfALiidThatIsBeingRevokedAgainNothingIsTold) {
    revoke("LIID-1");
    closer_.begin(request_of("LIID-1"));
    alone_ = true;
    run_on();
    EXPECT_TRUE(told_.empty());
    closer_.end(false);
    run_until([&] { return !told_.empty(); });
    EXPECT_EQ(told_, std::vector<std::string>{"LIID-1"});
}

TEST_F(HeldCloserTest, AStopEndsIt) {
    revoke("LIID-1");
    closer_.stop();
    alone_ = true;
    run_on();
    EXPECT_TRUE(told_.empty()) << "a start closes it";
}

}  // namespace
}  // namespace lihandover::app
