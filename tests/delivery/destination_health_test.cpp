#include "destination_health.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace lihandover::delivery {
namespace {

using std::chrono::seconds;
using Mode = DestinationHealth::Mode;
using Cause = DestinationHealth::Cause;

class DestinationHealthTest : public testing::Test {
  protected:
    /// Starts, does, ends.
    template <typename Do>
    auto attempt(Do what) {
        const auto ticket = health_.start();
        auto result = what(ticket);
        health_.ended(ticket);
        return result;
    }
    bool fail(store::LaneId lane) {
        return attempt([&](const Ticket& ticket) { return health_.failed(ticket, lane, now_, 0); });
    }
    bool accept() {
        return attempt([&](const Ticket& ticket) { return health_.accepted(ticket); });
    }
    bool refuse(std::uint64_t code) {
        return attempt([&](const Ticket& ticket) {
            health_.answered(ticket, now_);
            return health_.refused(ticket, code, false, now_);
        });
    }
    bool reach() {
        return attempt([&](const Ticket& ticket) { return health_.reached(ticket, now_); });
    }
    bool reject(bool known = false) {
        return attempt([&](const Ticket& ticket) { return health_.rejected(ticket, known, now_); });
    }
    void unreachable() {
        attempt([&](const Ticket& ticket) {
            health_.unreachable(ticket, now_, 0);
            return 0;
        });
    }
    void pause(Cause cause) {
        attempt([&](const Ticket& ticket) {
            health_.pause(ticket, cause, now_);
            return 0;
        });
    }
    void senseless(store::LaneId lane) {
        attempt([&](const Ticket& ticket) {
            health_.senseless(ticket, lane, now_, 0);
            return 0;
        });
    }

    DestinationHealth::Time now_ = DestinationHealth::Time{} + seconds(1000);
    DestinationHealth health_{{seconds(1), seconds(60), 8}};
};

TEST_F(DestinationHealthTest, BeginsOpenToAllConnections) {
    EXPECT_EQ(health_.mode(), Mode::open);
    EXPECT_TRUE(health_.may_start(now_, 7));
    EXPECT_FALSE(health_.may_start(now_, 8));
}

TEST_F(DestinationHealthTest, OneFailingLaneIsNotTheDestination) {
    for (int i = 0; i < 50; ++i) {
        EXPECT_FALSE(fail(7));
    }
    EXPECT_FALSE(fail(8));
    EXPECT_FALSE(fail(7));
    EXPECT_EQ(health_.mode(), Mode::open);
    EXPECT_TRUE(fail(9));  // a third lane
    EXPECT_EQ(health_.mode(), Mode::backing_off);
    EXPECT_EQ(health_.resume_at(), now_ + seconds(1));
}

TEST_F(DestinationHealthTest, AnAcceptanceBetweenFailuresKeepsItOpen) {
    for (store::LaneId lane = 0; lane < 50; lane += 2) {
        fail(lane);
        fail(lane + 1);
        accept();
    }
    EXPECT_EQ(health_.mode(), Mode::open);
}

TEST_F(DestinationHealthTest, BackedOffItIsProbedByOneMessageLaterAndLater) {
    unreachable();
    EXPECT_EQ(health_.mode(), Mode::backing_off);
    for (const int wait : {1, 2, 4, 8, 16, 32, 60, 60}) {
        EXPECT_EQ(health_.resume_at(), now_ + seconds(wait));
        EXPECT_FALSE(health_.may_start(now_, 0));
        now_ += seconds(wait);
        EXPECT_TRUE(health_.may_start(now_, 0));
        const auto probe = health_.start();
        EXPECT_TRUE(probe.probe);
        EXPECT_FALSE(health_.may_start(now_, 1));
        health_.unreachable(probe, now_, 0);
        health_.ended(probe);
    }
}

TEST_F(DestinationHealthTest, ItComesBackGradually) {
    unreachable();
    now_ += seconds(1);
    EXPECT_TRUE(accept());
    EXPECT_EQ(health_.mode(), Mode::open);
    for (const unsigned allowed : {2U, 4U, 8U, 8U}) {
        EXPECT_EQ(health_.allowed(), allowed);
        accept();
    }
    unreachable();
    EXPECT_EQ(health_.resume_at(), now_ + seconds(1));  // from the beginning
}

TEST_F(DestinationHealthTest, BeingReachedOpensItAndLetsItComeBack) {
    unreachable();
    now_ += seconds(1);
    EXPECT_TRUE(reach());
    EXPECT_EQ(health_.mode(), Mode::open);
    for (const unsigned allowed : {2U, 4U, 8U, 8U}) {
        EXPECT_EQ(health_.allowed(), allowed);
        EXPECT_FALSE(reach());
    }
    attempt([&](const Ticket& ticket) {
        health_.pause(ticket, Cause::tls, now_);
        return 0;
    });
    EXPECT_TRUE(reach());
    EXPECT_EQ(health_.mode(), Mode::open);
}

TEST_F(DestinationHealthTest, BeingReachedIsNoAnswer) {
    fail(1);
    fail(2);
    reach();
    EXPECT_TRUE(fail(3));  // still three running
    EXPECT_EQ(health_.mode(), Mode::backing_off);
    for (const auto cause : {Cause::credentials, Cause::refusals}) {
        now_ += seconds(60);
        accept();
        attempt([&](const Ticket& ticket) {
            health_.pause(ticket, cause, now_);
            return 0;
        });
        now_ += seconds(60);
        EXPECT_FALSE(reach());
        EXPECT_EQ(health_.mode(), Mode::paused);
        EXPECT_EQ(health_.resume_at(), now_ + seconds(60));
    }
}

TEST_F(DestinationHealthTest, WhatBeganBeforeItClosedMovesNothing) {
    const auto late = health_.start();
    const auto later = health_.start();
    unreachable();
    const auto resume = health_.resume_at();
    EXPECT_TRUE(health_.failed(late, 1, now_, 0));
    health_.unreachable(late, now_, 0);
    health_.pause(late, Cause::credentials, now_);
    health_.senseless(late, 1, now_, 0);
    EXPECT_FALSE(health_.accepted(later));
    EXPECT_EQ(health_.mode(), Mode::backing_off);
    EXPECT_EQ(health_.resume_at(), resume);
}

TEST_F(DestinationHealthTest, SixteenConnectionsFailingTogetherCountOnce) {
    std::vector<Ticket> tickets;
    for (int i = 0; i < 8; ++i) {
        tickets.push_back(health_.start());
    }
    for (const auto& ticket : tickets) {
        health_.unreachable(ticket, now_, 0);
        health_.ended(ticket);
    }
    EXPECT_EQ(health_.resume_at(), now_ + seconds(1));
}

TEST_F(DestinationHealthTest, PausesAtOnceForWhatTimeDoesNotHeal) {
    for (const auto& [cause, reason] :
         {std::pair{Cause::tls, metrics::Pause::tls}, std::pair{Cause::credentials, metrics::Pause::credentials},
          std::pair{Cause::redirect, metrics::Pause::redirect}}) {
        pause(cause);
        EXPECT_EQ(health_.mode(), Mode::paused);
        EXPECT_EQ(health_.reason(), reason);
        EXPECT_EQ(health_.resume_at(), now_ + seconds(60));
        now_ += seconds(60);
        fail(1);  // a probe that fails otherwise: still paused, the whole time again
        EXPECT_EQ(health_.mode(), Mode::paused);
        EXPECT_EQ(health_.resume_at(), now_ + seconds(60));
        now_ += seconds(60);
        EXPECT_TRUE(accept());
        EXPECT_EQ(health_.mode(), Mode::open);
    }
}

TEST_F(DestinationHealthTest, AProbeMayChangeTheReason) {
    pause(Cause::tls);
    now_ += seconds(60);
    pause(Cause::credentials);
    EXPECT_EQ(health_.reason(), metrics::Pause::credentials);
    unreachable();
    EXPECT_EQ(health_.mode(), Mode::paused);
}

TEST_F(DestinationHealthTest, AnAnsweredProbeEndsAPauseThatWasNotAboutRefusals) {
    pause(Cause::credentials);
    now_ += seconds(60);
    EXPECT_TRUE(refuse(3007));
    EXPECT_EQ(health_.mode(), Mode::open);
}

TEST_F(DestinationHealthTest, ThreeSenselessAnswersRunningPause) {
    senseless(1);
    senseless(1);
    accept();
    senseless(1);
    senseless(1);
    EXPECT_EQ(health_.mode(), Mode::open);
    senseless(1);
    EXPECT_EQ(health_.mode(), Mode::paused);
    EXPECT_EQ(health_.reason(), metrics::Pause::senseless_answer);
}

TEST_F(DestinationHealthTest, TenRefusalsRunningWithOneCodePause) {
    for (int i = 0; i < 9; ++i) {
        EXPECT_TRUE(refuse(3007));
    }
    EXPECT_EQ(health_.mode(), Mode::open);
    EXPECT_TRUE(refuse(3007));
    EXPECT_EQ(health_.mode(), Mode::paused);
    EXPECT_EQ(health_.reason(), metrics::Pause::refusals);
    now_ += seconds(60);
    EXPECT_FALSE(refuse(3007));  // a probe's is not final
    EXPECT_FALSE(refuse(3001));
    EXPECT_EQ(health_.mode(), Mode::paused);
    EXPECT_EQ(health_.resume_at(), now_ + seconds(60));
    EXPECT_TRUE(accept());
    EXPECT_EQ(health_.mode(), Mode::open);
}

TEST_F(DestinationHealthTest, OtherCodesAndAcceptancesBreakTheRun) {
    for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(refuse(3000 + static_cast<unsigned>(i % 2)));
    }
    for (int i = 0; i < 9; ++i) {
        EXPECT_TRUE(refuse(5));
    }
    accept();
    for (int i = 0; i < 9; ++i) {
        EXPECT_TRUE(refuse(5));
    }
    const auto ticket = health_.start();
    for (int i = 0; i < 30; ++i) {
        EXPECT_TRUE(health_.refused(ticket, 5, true, now_));  // another action of the message was accepted
    }
    EXPECT_EQ(health_.mode(), Mode::open);
}

TEST_F(DestinationHealthTest, TenLoneRejectionsRunningPause) {
    for (int i = 0; i < 9; ++i) {
        EXPECT_TRUE(reject());
        EXPECT_TRUE(reject(true));  // a suspect once more: nothing new
    }
    EXPECT_FALSE(reject());
    EXPECT_EQ(health_.mode(), Mode::paused);
    EXPECT_EQ(health_.cause(), Cause::rejections);
    now_ += seconds(60);
    EXPECT_FALSE(reject());
    EXPECT_EQ(health_.resume_at(), now_ + seconds(60));
}

TEST_F(DestinationHealthTest, ARejectedProbeShowsThatADestinationIsUp) {
    unreachable();
    now_ += seconds(1);
    EXPECT_TRUE(reject());
    EXPECT_EQ(health_.mode(), Mode::open);
}

TEST_F(DestinationHealthTest, PatienceAskedForIsHad) {
    const auto first = health_.start();
    const auto second = health_.start();
    health_.held(first, seconds(20), now_, 0);
    EXPECT_EQ(health_.mode(), Mode::backing_off);
    EXPECT_EQ(health_.resume_at(), now_ + seconds(20));
    health_.held(second, seconds(90), now_, 0);  // late, but a wish all the same
    EXPECT_EQ(health_.resume_at(), now_ + seconds(90));
    now_ += seconds(90);
    const auto probe = health_.start();
    health_.held(probe, seconds(0), now_, 0);
    EXPECT_EQ(health_.resume_at(), now_ + seconds(2));
}

TEST_F(DestinationHealthTest, ProbeNow) {
    EXPECT_FALSE(health_.probe_now(now_));
    pause(Cause::tls);
    EXPECT_FALSE(health_.may_start(now_, 0));
    EXPECT_TRUE(health_.probe_now(now_));
    EXPECT_TRUE(health_.may_start(now_, 5));
}

TEST_F(DestinationHealthTest, AFewProbesOutOfTurnForLanesNotInvolved) {
    pause(Cause::tls);
    EXPECT_FALSE(health_.has_early_probes());
    health_.probe_now(now_);
    accept();
    for (unsigned i = 0; i < DestinationHealth::rejections_to_pause; ++i) {
        (void)reject();
    }
    for (unsigned i = 0; i < DestinationHealth::eager_probes; ++i) {
        EXPECT_TRUE(health_.probe_early(now_));
        EXPECT_FALSE(health_.probe_early(now_));  // one at a time
        EXPECT_FALSE(reject());
    }
    EXPECT_FALSE(health_.probe_early(now_));
    EXPECT_FALSE(health_.may_start(now_, 0));
}

TEST_F(DestinationHealthTest, ANewPolicyCountsFromNowOn) {
    health_.set_policy({seconds(2), seconds(10), 3});
    EXPECT_EQ(health_.allowed(), 3U);
    health_.set_policy({seconds(2), seconds(10), 20});
    EXPECT_EQ(health_.allowed(), 20U);
    unreachable();
    EXPECT_EQ(health_.resume_at(), now_ + seconds(2));
    now_ += seconds(2);
    accept();
    health_.set_policy({seconds(2), seconds(10), 5});
    EXPECT_EQ(health_.allowed(), 2U);  // still coming back
}

}  // namespace
}  // namespace lihandover::delivery
