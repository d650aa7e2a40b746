#include "destination_health.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace lihandover::delivery {
namespace {

using metrics::Pause;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Mode = DestinationHealth::Mode;

class DestinationHealthTest : public testing::Test {
  protected:
    DestinationHealthTest() { health_.set_policy({seconds(1), seconds(300), 16}); }

    Ticket start() { return health_.start(now_); }
    void fail(const Ticket& ticket, Pause symptom = Pause::unavailable) { health_.failed(ticket, symptom, now_, 0); }
    void end(const Ticket& ticket) { health_.ended(ticket, now_); }
    void fail_one(Pause symptom = Pause::unavailable) {
        const auto ticket = start();
        fail(ticket, symptom);
        end(ticket);
    }
    bool accept_one() {
        const auto ticket = start();
        const bool opened = health_.accepted(ticket, now_);
        end(ticket);
        return opened;
    }
    void close() {
        while (health_.is_open()) {
            fail_one();
        }
    }

    DestinationHealth health_{DestinationHealth::Policy{}};
    DestinationHealth::Time now_{hours(1)};
};

TEST_F(DestinationHealthTest, BeginsOpenToAllConnections) {
    EXPECT_TRUE(health_.is_open());
    EXPECT_EQ(health_.allowed(), 16U);
    EXPECT_TRUE(health_.may_start(now_, 15));
    EXPECT_FALSE(health_.may_start(now_, 16));
    EXPECT_FALSE(health_.pause_reason());
}

TEST_F(DestinationHealthTest, ThreeFailuresRunningPauseAndSayWithWhatItFails) {
    fail_one();
    EXPECT_TRUE(health_.is_open());
    EXPECT_EQ(health_.allowed(), 1U) << "one at a time tells more than many";
    fail_one();
    EXPECT_TRUE(health_.is_open());
    fail_one(Pause::credentials);
    EXPECT_EQ(health_.mode(), Mode::paused);
    EXPECT_EQ(health_.pause_reason(), Pause::credentials);
    EXPECT_FALSE(health_.may_start(now_, 0));
}

TEST_F(DestinationHealthTest, AnAcceptanceBetweenFailuresKeepsItOpen) {
    for (int i = 0; i < 10; ++i) {
        fail_one();
        fail_one();
        accept_one();
    }
    EXPECT_TRUE(health_.is_open());
}

TEST_F(DestinationHealthTest, AFailureAmongAcceptancesCountsNotAtAll) {
    for (int i = 0; i < 100; ++i) {
        const auto failing = start();
        const auto fine = start();
        health_.accepted(fine, now_);
        end(fine);
        fail(failing);
        end(failing);
    }
    EXPECT_TRUE(health_.is_open());
    EXPECT_EQ(health_.allowed(), 16U);
}

TEST_F(DestinationHealthTest, SixteenConnectionsFailingTogetherCountOnce) {
    std::vector<Ticket> tickets;
    for (int i = 0; i < 16; ++i) {
        tickets.push_back(start());
    }
    for (const auto& ticket : tickets) {
        fail(ticket);
        end(ticket);
    }
    EXPECT_TRUE(health_.is_open());
    fail_one();
    fail_one();
    EXPECT_FALSE(health_.is_open());
}

TEST_F(DestinationHealthTest, WhatIsNotAnsweredKeepsNobodyFromBeginning) {
    std::vector<Ticket> silent;
    for (int i = 0; i < 14; ++i) {
        silent.push_back(start());
    }
    fail_one();
    EXPECT_TRUE(health_.may_start(now_, 14));
    EXPECT_FALSE(health_.may_start(now_, 15)) << "one at a time all the same";
    for (const auto& ticket : silent) {
        end(ticket);
    }
    EXPECT_FALSE(health_.may_start(now_, 1));
}

TEST_F(DestinationHealthTest, ProbesComeLaterAndLater) {
    close();
    auto wait = seconds(1);
    for (int i = 0; i < 12; ++i) {
        EXPECT_EQ(health_.resume_at(), now_ + wait);
        EXPECT_FALSE(health_.may_start(now_ + wait - milliseconds(1), 0));
        now_ += wait;
        EXPECT_TRUE(health_.may_start(now_, 7)) << "a probe need not wait for what was on its way";
        const auto probe = start();
        EXPECT_TRUE(probe.probe);
        EXPECT_FALSE(probe.early);
        EXPECT_FALSE(health_.may_start(now_, 0)) << "one at a time";
        fail(probe);
        end(probe);
        wait = std::min(wait * 2, seconds(300));
    }
}

TEST_F(DestinationHealthTest, AnythingAcceptedEndsAPauseAndItComesBackGradually) {
    close();
    const auto closing = health_.closing();
    now_ = health_.resume_at();
    EXPECT_TRUE(accept_one());
    EXPECT_TRUE(health_.is_open());
    EXPECT_NE(health_.closing(), closing);
    std::vector<unsigned> allowed;
    for (int i = 0; i < 5; ++i) {
        allowed.push_back(health_.allowed());
        accept_one();
    }
    EXPECT_EQ(allowed, (std::vector<unsigned>{2, 4, 8, 16, 16}));
}

TEST_F(DestinationHealthTest, WhatWorkedAMomentAgoIsTriedAgainSoonAndRaisesNoAlarm) {
    accept_one();
    close();
    EXPECT_EQ(health_.mode(), Mode::backing_off);
    EXPECT_TRUE(health_.may_start(now_, 0));
    fail_one();
    EXPECT_EQ(health_.resume_at(), now_ + milliseconds(125));
    now_ += seconds(1);
    fail_one();
    EXPECT_EQ(health_.mode(), Mode::paused) << "it goes on failing";
}

TEST_F(DestinationHealthTest, LiidsWithNoPartInItAreTriedOutOfTurn) {
    close();
    EXPECT_FALSE(health_.may_probe_early(now_, 0));
    EXPECT_EQ(health_.early_at(), now_ + seconds(1));
    // Far from the next probe.
    for (int i = 0; i < 6; ++i) {
        now_ = health_.resume_at();
        fail_one();
    }
    now_ += seconds(2);
    EXPECT_FALSE(health_.may_start(now_, 0));
    EXPECT_TRUE(health_.may_probe_early(now_, 0));
    EXPECT_TRUE(health_.may_probe_early(now_, 3)) << "also beside a probe that is not answered";
    EXPECT_FALSE(health_.may_probe_early(now_, 4));
    const auto early = start();
    EXPECT_TRUE(early.early);
    fail(early);
    end(early);
    EXPECT_FALSE(health_.may_probe_early(now_, 0));
    int tries = 0;
    for (const auto until = now_ + hours(1); now_ < until; now_ += seconds(1)) {
        if (health_.may_probe_early(now_, 0)) {
            fail_one();
            ++tries;
        }
    }
    EXPECT_LT(tries, 260) << "a destination that is down is not hammered: about one in sixteen seconds";
    EXPECT_TRUE(accept_one());
}

TEST_F(DestinationHealthTest, NoConnectionBacksOffAtOnceAndPausesWhenItRuns) {
    const auto ticket = start();
    health_.unreachable(ticket, Pause::unreachable, false, now_, 0);
    end(ticket);
    EXPECT_EQ(health_.mode(), Mode::backing_off);
    for (int i = 0; i < 2; ++i) {
        now_ = health_.resume_at();
        const auto probe = start();
        health_.unreachable(probe, Pause::unreachable, false, now_, 0);
        end(probe);
    }
    EXPECT_EQ(health_.pause_reason(), Pause::unreachable);
}

TEST_F(DestinationHealthTest, AWrongCertificateIsAnAlarmAtOnce) {
    accept_one();
    const auto ticket = start();
    health_.unreachable(ticket, Pause::tls, true, now_, 0);
    end(ticket);
    EXPECT_EQ(health_.pause_reason(), Pause::tls);
}

TEST_F(DestinationHealthTest, ToldToWaitByOneLiidOthersAreTried) {
    const auto ticket = start();
    health_.told_to_wait(ticket, 1, now_ + minutes(2), Pause::unavailable);
    end(ticket);
    EXPECT_TRUE(health_.is_open());
    EXPECT_EQ(health_.allowed(), 1U);
    const auto again = start();
    health_.told_to_wait(again, 1, now_ + minutes(2), Pause::unavailable);
    end(again);
    EXPECT_TRUE(health_.is_open()) << "the same LIID says nothing new";
    accept_one();
    const auto other = start();
    health_.told_to_wait(other, 2, now_ + minutes(2), Pause::unavailable);
    end(other);
    EXPECT_TRUE(health_.is_open()) << "something was accepted between the two";
}

TEST_F(DestinationHealthTest, ToldToWaitByTwoLiidsTheDestinationWaitsAsLong) {
    for (const store::LaneId lane : {1, 2}) {
        const auto ticket = start();
        health_.told_to_wait(ticket, lane, now_ + minutes(2), Pause::unavailable);
        fail(ticket);
        end(ticket);
    }
    EXPECT_EQ(health_.mode(), Mode::waiting);
    EXPECT_FALSE(health_.pause_reason());
    EXPECT_FALSE(health_.probe_now(now_)) << "a reload does not shorten it";
    EXPECT_FALSE(health_.may_start(now_ + minutes(2) - seconds(1), 0));
    EXPECT_FALSE(health_.may_probe_early(now_ + minutes(1), 0));
    now_ += minutes(2);
    EXPECT_TRUE(health_.may_start(now_, 0));
    const auto probe = start();
    health_.told_to_wait(probe, 3, now_ + minutes(1), Pause::unavailable);
    fail(probe);
    end(probe);
    EXPECT_EQ(health_.mode(), Mode::waiting);
    EXPECT_EQ(health_.resume_at(), now_ + minutes(1));
    health_.resume(now_);
    EXPECT_TRUE(health_.may_start(now_, 0));
    EXPECT_TRUE(accept_one());
}

TEST_F(DestinationHealthTest, ToldToWaitAgainAndAgainIsAnAlarm) {
    for (const store::LaneId lane : {1, 2, 3, 4}) {  // the first of them is that LIID's alone
        EXPECT_FALSE(health_.pause_reason()) << lane;
        const auto ticket = start();
        health_.told_to_wait(ticket, lane, now_ + minutes(2), Pause::unavailable);
        end(ticket);
        now_ += minutes(2);
    }
    EXPECT_EQ(health_.mode(), Mode::waiting);
    EXPECT_EQ(health_.pause_reason(), Pause::unavailable);
    EXPECT_FALSE(health_.probe_now(now_)) << "it is waited for all the same";
    accept_one();
    EXPECT_FALSE(health_.pause_reason());
}

TEST_F(DestinationHealthTest, APauseThatIsToldToWaitStaysAnAlarm) {
    close();
    now_ += minutes(10);
    const auto ticket = start();
    health_.told_to_wait(ticket, 1, now_ + minutes(2), Pause::unavailable);
    end(ticket);
    EXPECT_EQ(health_.mode(), Mode::waiting);
    EXPECT_EQ(health_.pause_reason(), Pause::unavailable);
}

TEST_F(DestinationHealthTest, AfterWaitingAFailureIsAFailure) {
    for (const store::LaneId lane : {1, 2}) {
        const auto ticket = start();
        health_.told_to_wait(ticket, lane, now_ + minutes(2), Pause::unavailable);
        end(ticket);
    }
    now_ += minutes(2);
    fail_one();
    EXPECT_NE(health_.mode(), Mode::waiting);
    EXPECT_FALSE(health_.may_start(now_, 0));
}

TEST_F(DestinationHealthTest, AnAcceptanceThatWasOnItsWayDoesNotShortenAWait) {
    const auto old = start();
    for (const store::LaneId lane : {1, 2}) {
        const auto ticket = start();
        health_.told_to_wait(ticket, lane, now_ + minutes(2), Pause::unavailable);
        end(ticket);
    }
    EXPECT_FALSE(health_.accepted(old, now_));
    EXPECT_EQ(health_.mode(), Mode::waiting);
}

TEST_F(DestinationHealthTest, AnOperatorsPauseHoldsUntilItIsResumed) {
    health_.pause();
    EXPECT_EQ(health_.pause_reason(), Pause::by_operator);
    EXPECT_FALSE(health_.may_start(now_ + hours(9), 0));
    EXPECT_FALSE(health_.may_probe_early(now_ + hours(9), 0));
    EXPECT_FALSE(health_.probe_now(now_));
    health_.resume(now_);
    EXPECT_TRUE(health_.is_open());
    EXPECT_TRUE(health_.may_start(now_, 0));
}

TEST_F(DestinationHealthTest, AReloadProbesAPausedOneAtOnce) {
    EXPECT_FALSE(health_.probe_now(now_));
    close();
    EXPECT_TRUE(health_.probe_now(now_));
    EXPECT_TRUE(health_.may_start(now_, 0));
    EXPECT_EQ(health_.mode(), Mode::paused) << "until something is accepted";
}

TEST_F(DestinationHealthTest, BeingReachedOpensWhatCouldNotBeReached) {
    for (const auto& [symptom, opens] : {std::pair(Pause::no_answer, true), std::pair(Pause::unavailable, true),
                                         std::pair(Pause::credentials, false), std::pair(Pause::refusals, false)}) {
        DestinationHealth health({seconds(1), seconds(300), 16});
        for (int i = 0; i < 3; ++i) {
            const auto ticket = health.start(now_);
            health.failed(ticket, symptom, now_, 0);
            health.ended(ticket, now_);
        }
        const auto probe = health.start(health.resume_at());
        EXPECT_EQ(health.reached(probe, health.resume_at(), 0), opens);
        EXPECT_EQ(health.is_open(), opens);
    }
}

// A proxy that asks for bodies by itself, while the LEA behind it is down.
TEST_F(DestinationHealthTest, BeingReachedOpensOnceUntilSomethingIsAccepted) {
    close();
    auto wait = seconds(2);
    for (int i = 0; i < 8; ++i) {
        now_ = health_.resume_at();
        const auto probe = start();
        EXPECT_EQ(health_.asked_for_content(probe), i == 0);
        fail(probe);
        end(probe);
        ASSERT_FALSE(health_.is_open());
        EXPECT_EQ(health_.resume_at(), now_ + wait) << "later each time";
        wait = std::min(wait * 2, seconds(300));
    }
    now_ = health_.resume_at();
    auto probe = start();
    EXPECT_FALSE(health_.reached(probe, now_, 0));
    EXPECT_GT(health_.resume_at(), now_);
    end(probe);
    now_ = health_.resume_at();
    EXPECT_TRUE(accept_one());
    while (health_.is_open()) {
        now_ += seconds(2);
        fail_one();
    }
    now_ = health_.resume_at();
    probe = start();
    EXPECT_TRUE(health_.reached(probe, now_, 0));
}

TEST_F(DestinationHealthTest, ANewPolicyCountsFromNowOn) {
    health_.set_policy({seconds(2), seconds(4), 3});
    EXPECT_EQ(health_.allowed(), 3U);
    close();
    EXPECT_EQ(health_.resume_at(), now_ + seconds(2));
    health_.set_policy({seconds(2), seconds(4), 0});
    EXPECT_EQ(health_.allowed(), 1U);
}

}  // namespace
}  // namespace lihandover::delivery
