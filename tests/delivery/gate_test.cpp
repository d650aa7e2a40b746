#include "gate.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace lihandover::delivery {
namespace {

using std::chrono::seconds;
using Mode = Gate::Mode;
using Cause = Gate::Cause;

class GateTest : public testing::Test {
  protected:
    /// Starts, does, ends.
    template <typename Do>
    auto attempt(Do what) {
        const auto ticket = gate_.start();
        auto result = what(ticket);
        gate_.ended(ticket);
        return result;
    }
    bool fail(store::LaneId lane) {
        return attempt([&](const Ticket& ticket) { return gate_.failed(ticket, lane, now_, 0); });
    }
    bool accept() {
        return attempt([&](const Ticket& ticket) { return gate_.accepted(ticket); });
    }
    bool refuse(std::uint64_t code) {
        return attempt([&](const Ticket& ticket) {
            gate_.answered(ticket, now_);
            return gate_.refused(ticket, code, false, now_);
        });
    }
    bool reach() {
        return attempt([&](const Ticket& ticket) { return gate_.reached(ticket, now_); });
    }
    bool reject(bool known = false) {
        return attempt([&](const Ticket& ticket) { return gate_.rejected(ticket, known, now_); });
    }
    void unreachable() {
        attempt([&](const Ticket& ticket) {
            gate_.unreachable(ticket, now_, 0);
            return 0;
        });
    }
    void pause(Cause cause) {
        attempt([&](const Ticket& ticket) {
            gate_.pause(ticket, cause, now_);
            return 0;
        });
    }
    void senseless(store::LaneId lane) {
        attempt([&](const Ticket& ticket) {
            gate_.senseless(ticket, lane, now_, 0);
            return 0;
        });
    }

    Gate::Time now_ = Gate::Time{} + seconds(1000);
    Gate gate_{{seconds(1), seconds(60), 8}};
};

TEST_F(GateTest, BeginsOpenToAllConnections) {
    EXPECT_EQ(gate_.mode(), Mode::open);
    EXPECT_TRUE(gate_.may_start(now_, 7));
    EXPECT_FALSE(gate_.may_start(now_, 8));
}

TEST_F(GateTest, OneFailingLaneIsNotTheDestination) {
    for (int i = 0; i < 50; ++i) {
        EXPECT_FALSE(fail(7));
    }
    EXPECT_FALSE(fail(8));
    EXPECT_FALSE(fail(7));
    EXPECT_EQ(gate_.mode(), Mode::open);
    EXPECT_TRUE(fail(9));  // a third lane
    EXPECT_EQ(gate_.mode(), Mode::backing_off);
    EXPECT_EQ(gate_.resume_at(), now_ + seconds(1));
}

TEST_F(GateTest, AnAcceptanceBetweenFailuresKeepsItOpen) {
    for (store::LaneId lane = 0; lane < 50; lane += 2) {
        fail(lane);
        fail(lane + 1);
        accept();
    }
    EXPECT_EQ(gate_.mode(), Mode::open);
}

TEST_F(GateTest, BackedOffItIsProbedByOneMessageLaterAndLater) {
    unreachable();
    EXPECT_EQ(gate_.mode(), Mode::backing_off);
    for (const int wait : {1, 2, 4, 8, 16, 32, 60, 60}) {
        EXPECT_EQ(gate_.resume_at(), now_ + seconds(wait));
        EXPECT_FALSE(gate_.may_start(now_, 0));
        now_ += seconds(wait);
        EXPECT_TRUE(gate_.may_start(now_, 0));
        const auto probe = gate_.start();
        EXPECT_TRUE(probe.probe);
        EXPECT_FALSE(gate_.may_start(now_, 1));
        gate_.unreachable(probe, now_, 0);
        gate_.ended(probe);
    }
}

TEST_F(GateTest, ItComesBackGradually) {
    unreachable();
    now_ += seconds(1);
    EXPECT_TRUE(accept());
    EXPECT_EQ(gate_.mode(), Mode::open);
    for (const unsigned allowed : {2U, 4U, 8U, 8U}) {
        EXPECT_EQ(gate_.allowed(), allowed);
        accept();
    }
    unreachable();
    EXPECT_EQ(gate_.resume_at(), now_ + seconds(1));  // from the beginning
}

TEST_F(GateTest, BeingReachedOpensItAndLetsItComeBack) {
    unreachable();
    now_ += seconds(1);
    EXPECT_TRUE(reach());
    EXPECT_EQ(gate_.mode(), Mode::open);
    for (const unsigned allowed : {2U, 4U, 8U, 8U}) {
        EXPECT_EQ(gate_.allowed(), allowed);
        EXPECT_FALSE(reach());
    }
    attempt([&](const Ticket& ticket) {
        gate_.pause(ticket, Cause::tls, now_);
        return 0;
    });
    EXPECT_TRUE(reach());
    EXPECT_EQ(gate_.mode(), Mode::open);
}

TEST_F(GateTest, BeingReachedIsNoAnswer) {
    fail(1);
    fail(2);
    reach();
    EXPECT_TRUE(fail(3));  // still three running
    EXPECT_EQ(gate_.mode(), Mode::backing_off);
    for (const auto cause : {Cause::credentials, Cause::refusals}) {
        now_ += seconds(60);
        accept();
        attempt([&](const Ticket& ticket) {
            gate_.pause(ticket, cause, now_);
            return 0;
        });
        now_ += seconds(60);
        EXPECT_FALSE(reach());
        EXPECT_EQ(gate_.mode(), Mode::paused);
        EXPECT_EQ(gate_.resume_at(), now_ + seconds(60));
    }
}

TEST_F(GateTest, WhatBeganBeforeItClosedMovesNothing) {
    const auto late = gate_.start();
    const auto later = gate_.start();
    unreachable();
    const auto resume = gate_.resume_at();
    EXPECT_TRUE(gate_.failed(late, 1, now_, 0));
    gate_.unreachable(late, now_, 0);
    gate_.pause(late, Cause::credentials, now_);
    gate_.senseless(late, 1, now_, 0);
    EXPECT_FALSE(gate_.accepted(later));
    EXPECT_EQ(gate_.mode(), Mode::backing_off);
    EXPECT_EQ(gate_.resume_at(), resume);
}

TEST_F(GateTest, SixteenConnectionsFailingTogetherCountOnce) {
    std::vector<Ticket> tickets;
    for (int i = 0; i < 8; ++i) {
        tickets.push_back(gate_.start());
    }
    for (const auto& ticket : tickets) {
        gate_.unreachable(ticket, now_, 0);
        gate_.ended(ticket);
    }
    EXPECT_EQ(gate_.resume_at(), now_ + seconds(1));
}

TEST_F(GateTest, PausesAtOnceForWhatTimeDoesNotHeal) {
    for (const auto& [cause, reason] :
         {std::pair{Cause::tls, metrics::Pause::tls}, std::pair{Cause::credentials, metrics::Pause::credentials},
          std::pair{Cause::redirect, metrics::Pause::redirect}}) {
        pause(cause);
        EXPECT_EQ(gate_.mode(), Mode::paused);
        EXPECT_EQ(gate_.reason(), reason);
        EXPECT_EQ(gate_.resume_at(), now_ + seconds(60));
        now_ += seconds(60);
        fail(1);  // a probe that fails otherwise: still paused, the whole time again
        EXPECT_EQ(gate_.mode(), Mode::paused);
        EXPECT_EQ(gate_.resume_at(), now_ + seconds(60));
        now_ += seconds(60);
        EXPECT_TRUE(accept());
        EXPECT_EQ(gate_.mode(), Mode::open);
    }
}

TEST_F(GateTest, AProbeMayChangeTheReason) {
    pause(Cause::tls);
    now_ += seconds(60);
    pause(Cause::credentials);
    EXPECT_EQ(gate_.reason(), metrics::Pause::credentials);
    unreachable();
    EXPECT_EQ(gate_.mode(), Mode::paused);
}

TEST_F(GateTest, AnAnsweredProbeEndsAPauseThatWasNotAboutRefusals) {
    pause(Cause::credentials);
    now_ += seconds(60);
    EXPECT_TRUE(refuse(3007));
    EXPECT_EQ(gate_.mode(), Mode::open);
}

TEST_F(GateTest, ThreeSenselessAnswersRunningPause) {
    senseless(1);
    senseless(1);
    accept();
    senseless(1);
    senseless(1);
    EXPECT_EQ(gate_.mode(), Mode::open);
    senseless(1);
    EXPECT_EQ(gate_.mode(), Mode::paused);
    EXPECT_EQ(gate_.reason(), metrics::Pause::senseless_answer);
}

TEST_F(GateTest, TenRefusalsRunningWithOneCodePause) {
    for (int i = 0; i < 9; ++i) {
        EXPECT_TRUE(refuse(3007));
    }
    EXPECT_EQ(gate_.mode(), Mode::open);
    EXPECT_TRUE(refuse(3007));
    EXPECT_EQ(gate_.mode(), Mode::paused);
    EXPECT_EQ(gate_.reason(), metrics::Pause::refusals);
    now_ += seconds(60);
    EXPECT_FALSE(refuse(3007));  // a probe's is not final
    EXPECT_FALSE(refuse(3001));
    EXPECT_EQ(gate_.mode(), Mode::paused);
    EXPECT_EQ(gate_.resume_at(), now_ + seconds(60));
    EXPECT_TRUE(accept());
    EXPECT_EQ(gate_.mode(), Mode::open);
}

TEST_F(GateTest, OtherCodesAndAcceptancesBreakTheRun) {
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
    const auto ticket = gate_.start();
    for (int i = 0; i < 30; ++i) {
        EXPECT_TRUE(gate_.refused(ticket, 5, true, now_));  // another action of the message was accepted
    }
    EXPECT_EQ(gate_.mode(), Mode::open);
}

TEST_F(GateTest, TenLoneRejectionsRunningPause) {
    for (int i = 0; i < 9; ++i) {
        EXPECT_TRUE(reject());
        EXPECT_TRUE(reject(true));  // a suspect once more: nothing new
    }
    EXPECT_FALSE(reject());
    EXPECT_EQ(gate_.mode(), Mode::paused);
    EXPECT_EQ(gate_.cause(), Cause::rejections);
    now_ += seconds(60);
    EXPECT_FALSE(reject());
    EXPECT_EQ(gate_.resume_at(), now_ + seconds(60));
}

TEST_F(GateTest, ARejectedProbeShowsThatADestinationIsUp) {
    unreachable();
    now_ += seconds(1);
    EXPECT_TRUE(reject());
    EXPECT_EQ(gate_.mode(), Mode::open);
}

TEST_F(GateTest, PatienceAskedForIsHad) {
    const auto first = gate_.start();
    const auto second = gate_.start();
    gate_.held(first, seconds(20), now_, 0);
    EXPECT_EQ(gate_.mode(), Mode::backing_off);
    EXPECT_EQ(gate_.resume_at(), now_ + seconds(20));
    gate_.held(second, seconds(90), now_, 0);  // late, but a wish all the same
    EXPECT_EQ(gate_.resume_at(), now_ + seconds(90));
    now_ += seconds(90);
    const auto probe = gate_.start();
    gate_.held(probe, seconds(0), now_, 0);
    EXPECT_EQ(gate_.resume_at(), now_ + seconds(2));
}

TEST_F(GateTest, ProbeNow) {
    EXPECT_FALSE(gate_.probe_now(now_));
    pause(Cause::tls);
    EXPECT_FALSE(gate_.may_start(now_, 0));
    EXPECT_TRUE(gate_.probe_now(now_));
    EXPECT_TRUE(gate_.may_start(now_, 5));
}

TEST_F(GateTest, AFewProbesOutOfTurnForLanesNotInvolved) {
    pause(Cause::tls);
    EXPECT_FALSE(gate_.has_early_probes());
    gate_.probe_now(now_);
    accept();
    for (unsigned i = 0; i < Gate::rejections_to_pause; ++i) {
        (void)reject();
    }
    for (unsigned i = 0; i < Gate::eager_probes; ++i) {
        EXPECT_TRUE(gate_.probe_early(now_));
        EXPECT_FALSE(gate_.probe_early(now_));  // one at a time
        EXPECT_FALSE(reject());
    }
    EXPECT_FALSE(gate_.probe_early(now_));
    EXPECT_FALSE(gate_.may_start(now_, 0));
}

TEST_F(GateTest, ANewPolicyCountsFromNowOn) {
    gate_.set_policy({seconds(2), seconds(10), 3});
    EXPECT_EQ(gate_.allowed(), 3U);
    gate_.set_policy({seconds(2), seconds(10), 20});
    EXPECT_EQ(gate_.allowed(), 20U);
    unreachable();
    EXPECT_EQ(gate_.resume_at(), now_ + seconds(2));
    now_ += seconds(2);
    accept();
    gate_.set_policy({seconds(2), seconds(10), 5});
    EXPECT_EQ(gate_.allowed(), 2U);  // still coming back
}

}  // namespace
}  // namespace lihandover::delivery
