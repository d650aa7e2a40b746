#include "suspects.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace lihandover::delivery {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Key = Suspects::Key;

constexpr milliseconds initial{1000};
constexpr milliseconds maximum{60'000};

class SuspectsTest : public testing::Test {
  protected:
    Suspects::Finding fail(Key key, bool proven = false) {
        Suspects::Failure failure;
        failure.key = key;
        failure.id = model::Uuid::random();
        failure.next_attempt = ++attempt_;
        failure.on_proven_connection = proven;
        return suspects_.failed(failure, initial, maximum, now_, 0);
    }
    /// Another item is accepted in an attempt that begins now.
    std::vector<Key> accept_other() {
        std::vector<Key> seen;
        suspects_.accepted(attempt_++, [&](Key key, const Suspicion&) { seen.push_back(key); });
        return seen;
    }

    Suspects suspects_;
    Suspects::Time now_;
    std::uint64_t attempt_ = 1;
};

TEST_F(SuspectsTest, ThreeFailuresWithOthersAcceptedBetweenConvict) {
    EXPECT_FALSE(fail(1).convicted);
    EXPECT_EQ(suspects_.count(), 0U) << "nothing to compare it with yet";
    EXPECT_EQ(accept_other(), std::vector<Key>{1});
    EXPECT_EQ(suspects_.count(), 1U);
    EXPECT_EQ(suspects_.ids(10).size(), 1U);
    const auto second = fail(1, true);
    EXPECT_FALSE(second.convicted);
    EXPECT_TRUE(second.expected);
    accept_other();
    EXPECT_TRUE(fail(1).convicted);
}

TEST_F(SuspectsTest, FailuresWithNothingAcceptedBetweenDoNotCount) {
    for (int i = 0; i < 20; ++i) {
        const auto finding = fail(1, true);
        EXPECT_FALSE(finding.convicted);
        EXPECT_FALSE(finding.expected) << "each says something of the destination";
    }
    accept_other();
    EXPECT_FALSE(fail(1, true).convicted);
    EXPECT_FALSE(fail(1, true).convicted);
    EXPECT_EQ(suspects_.find(1)->tries, 22U);
}

TEST_F(SuspectsTest, OneFailureIsOnTheConnectionThatJustWorked) {
    for (int i = 0; i < 10; ++i) {
        EXPECT_FALSE(fail(1).convicted);
        accept_other();
    }
    EXPECT_TRUE(fail(1, true).convicted);
}

TEST_F(SuspectsTest, WhereNoConnectionLastsAFreshOneHasToDo) {
    Suspects::Failure failure;
    failure.key = 1;
    failure.connections_last = false;
    for (int i = 0; i < 3; ++i) {
        failure.next_attempt = ++attempt_;
        EXPECT_EQ(suspects_.failed(failure, initial, maximum, now_, 0).convicted, i == 2);
        accept_other();
    }
}

TEST_F(SuspectsTest, AnAcceptanceOfAnAttemptThatBeganBeforeIsNoComparison) {
    const auto before = attempt_;
    fail(1);
    suspects_.accepted(before, [](Key, const Suspicion&) { FAIL(); });
    EXPECT_FALSE(suspects_.find(1)->compared);
    EXPECT_EQ(accept_other(), std::vector<Key>{1});
}

TEST_F(SuspectsTest, EachAcquittalDoublesWhatConvictsForAnHour) {
    for (const unsigned needed : {3U, 6U, 12U, 24U, 24U}) {
        EXPECT_EQ(suspects_.needed(now_), needed);
        fail(7);
        accept_other();
        EXPECT_TRUE(suspects_.acquit(7, now_));
        now_ += minutes(1);
    }
    EXPECT_EQ(suspects_.count(), 0U);
    now_ += hours(1);
    EXPECT_EQ(suspects_.needed(now_), 3U);
}

TEST_F(SuspectsTest, AnItemThatWasNeverComparedIsNoAcquittal) {
    fail(1);
    EXPECT_FALSE(suspects_.acquit(1, now_));
    EXPECT_FALSE(suspects_.acquit(2, now_));
    EXPECT_EQ(suspects_.needed(now_), 3U);
}

TEST_F(SuspectsTest, TheFirstRetryIsSoonAndTheLastTakesTime) {
    fail(1);
    EXPECT_EQ(suspects_.find(1)->not_before, now_);
    EXPECT_EQ(suspects_.find(1)->next_try(), now_ + initial) << "as long as nothing else is accepted";
    accept_other();
    EXPECT_EQ(suspects_.find(1)->next_try(), now_);
    fail(1);
    EXPECT_GE(suspects_.find(1)->not_before, now_ + initial);
    for (int i = 0; i < 50; ++i) {
        accept_other();
        fail(1);
        EXPECT_LE(suspects_.find(1)->not_before, now_ + 4 * initial) << "its LIID waits";
    }
}

TEST_F(SuspectsTest, PatienceAskedForIsHad) {
    Suspects::Failure failure;
    failure.key = 1;
    failure.patience = seconds(40);
    (void)suspects_.failed(failure, initial, maximum, now_, 0);
    EXPECT_EQ(suspects_.find(1)->not_before, now_ + seconds(40));
}

TEST_F(SuspectsTest, ATransientErrorTakesMoreTimeAndMoreFailures) {
    Suspects::Failure failure;
    failure.key = 1;
    failure.transient = true;
    failure.on_proven_connection = true;
    auto waited = Suspects::Time::duration::zero();
    for (int i = 1; i <= 6; ++i) {
        failure.next_attempt = ++attempt_;
        EXPECT_EQ(suspects_.failed(failure, initial, maximum, now_, 0).convicted, i == 6);
        waited += suspects_.find(1)->not_before - now_;
        accept_other();
    }
    EXPECT_GE(waited, seconds(31));
}

TEST_F(SuspectsTest, WhatIsForgottenIsNoSuspectAnyMore) {
    fail(1);
    fail(2);
    accept_other();
    suspects_.forget(1);
    suspects_.forget(1);
    EXPECT_EQ(suspects_.count(), 1U);
    EXPECT_FALSE(suspects_.find(1));
    fail(3);
    suspects_.forget(3);
    EXPECT_TRUE(accept_other().empty());
}

}  // namespace
}  // namespace lihandover::delivery
