#include "x2x3/sequence.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "make_pdu.hpp"

namespace lihandover::intake {
namespace {

using namespace std::chrono_literals;
using testing::xid_of;

struct Sent {
    std::uint32_t number = 0;
    std::uint8_t task = 1;
    SequenceCheck::Connection connection = 1;
    bool known = true;
    std::uint64_t correlation = 0;
    std::uint16_t type = 1;
    std::string_view point = "point";
};

class SequenceTest : public ::testing::Test {
  protected:
    std::size_t take(const Sent& sent) {
        Pdu pdu;
        pdu.type = sent.type;
        pdu.xid = xid_of(sent.task);
        pdu.correlation = sent.correlation;
        pdu.point_id = sent.point;
        pdu.sequence = sent.number;
        return check_.take(pdu, sent.known, sent.connection, now_);
    }
    std::size_t take_all(const std::vector<Sent>& all) {
        std::size_t gaps = 0;
        for (const Sent& sent : all) {
            gaps += take(sent);
        }
        return gaps;
    }

    SequenceCheck check_;
    SequenceCheck::Time now_;
};

TEST_F(SequenceTest, NumbersInTheirOrderHaveNoGap) {
    for (std::uint32_t number = 0; number < 100; ++number) {
        EXPECT_EQ(take({.number = number}), 0U);
    }
}

TEST_F(SequenceTest, AMissingNumberIsOneGapHoweverManyAreMissing) {
    EXPECT_EQ(take_all({{.number = 0}, {.number = 1}}), 0U);
    EXPECT_EQ(take({.number = 3}), 1U);
    EXPECT_EQ(take({.number = 4}), 0U);
    EXPECT_EQ(take({.number = 1000}), 1U);
    EXPECT_EQ(take({.number = 1001}), 0U);
}

TEST_F(SequenceTest, AfterTheLargestComesZero) {
    EXPECT_EQ(take_all({{.number = UINT32_MAX - 1}, {.number = UINT32_MAX}, {.number = 0}, {.number = 1}}), 0U);
    EXPECT_EQ(take({.number = 3}), 1U);
}

TEST_F(SequenceTest, EachContextCountsByItself) {
    EXPECT_EQ(take_all({{.number = 0},
                        {.number = 0, .task = 2},
                        {.number = 0, .correlation = 7},
                        {.number = 0, .type = 2},
                        {.number = 0, .point = "other"},
                        {.number = 1},
                        {.number = 1, .type = 2},
                        {.number = 1, .task = 2},
                        {.number = 1, .correlation = 7},
                        {.number = 1, .point = "other"}}),
              0U);
    EXPECT_EQ(take({.number = 5, .task = 2}), 1U);
    EXPECT_EQ(take({.number = 2}), 0U);
    EXPECT_EQ(take({.number = 4, .type = 2}), 1U);
    EXPECT_EQ(take({.number = 2, .point = "other"}), 0U);
}

TEST_F(SequenceTest, WhereAContextBeginsIsNoGap) {
    EXPECT_EQ(take({.number = 4711}), 0U) << "we may have begun later than it";
    EXPECT_EQ(take({.number = 4712}), 0U);
}

TEST_F(SequenceTest, PdusThatComeTwiceAreNoGap) {
    EXPECT_EQ(take_all({{.number = 0}, {.number = 1}, {.number = 2}, {.number = 1}, {.number = 2}, {.number = 3}}), 0U);
    EXPECT_EQ(take({.number = 5}), 1U);
}

TEST_F(SequenceTest, APointThatBeginsAnewIsNoGap) {
    EXPECT_EQ(take_all({{.number = 0}, {.number = 1}, {.number = 2}, {.number = 0}, {.number = 1}}), 0U);
    EXPECT_EQ(take({.number = 3}), 1U);
}

TEST_F(SequenceTest, CountingOverAllTasksIsRecognised) {
    std::uint32_t number = 0;
    for (int round = 0; round < 50; ++round) {
        for (const std::uint8_t task : {1, 2, 3, 1, 1, 2}) {
            EXPECT_EQ(take({.number = number++, .task = task}), 0U);
        }
    }
    EXPECT_EQ(take({.number = number + 10}), 0U) << "gaps are normal there";
}

TEST_F(SequenceTest, AndAlsoWhereMostTasksAreUnknown) {
    std::uint32_t number = 0;
    for (int round = 0; round < 50; ++round) {
        EXPECT_EQ(take({.number = number++}), 0U);
        for (std::uint8_t task = 2; task < 6; ++task) {
            EXPECT_EQ(take({.number = number++, .task = task, .known = false}), 0U);
        }
    }
    EXPECT_EQ(check_.contexts(), 1U) << "nothing of unknown tasks is remembered";
}

TEST_F(SequenceTest, OneThatCountsInContextsIsNotTakenForOne) {
    // Interleaved contexts, some of whose numbers follow on one another by chance.
    EXPECT_EQ(take_all({{.number = 0},
                        {.number = 0, .task = 2},
                        {.number = 1},
                        {.number = 1, .task = 2},
                        {.number = 2, .task = 2},
                        {.number = 3, .task = 2},
                        {.number = 2},
                        {.number = 4, .task = 2}}),
              0U);
    EXPECT_EQ(take({.number = 5}), 1U) << "though 5 comes after the 4 of the other task";
}

TEST_F(SequenceTest, WhatCameOverAnotherConnectionMayComeLater) {
    EXPECT_EQ(
        take_all({{.number = 0, .connection = 1}, {.number = 3, .connection = 2}, {.number = 1, .connection = 1}}), 0U);
    now_ += SequenceCheck::patience - 1s;
    EXPECT_EQ(take({.number = 2, .connection = 1}), 0U);
    now_ += 2s;
    EXPECT_EQ(check_.expire(now_), 0U) << "all of it has come";
    EXPECT_EQ(take({.number = 9, .connection = 2}), 0U);
    EXPECT_EQ(take({.number = 7, .connection = 1}), 0U);
    EXPECT_EQ(check_.expire(now_), 0U) << "not yet";
    now_ += SequenceCheck::patience;
    EXPECT_EQ(check_.expire(now_), 2U) << "before 7, and 8";
    EXPECT_EQ(check_.expire(now_), 0U) << "each counts once";
}

TEST_F(SequenceTest, PdusWithoutANumberDoNotCount) {
    Pdu pdu;
    pdu.type = 1;
    EXPECT_EQ(check_.take(pdu, true, 1, now_), 0U);
    EXPECT_EQ(check_.contexts(), 0U);
}

TEST_F(SequenceTest, MemoryIsBounded) {
    SequenceCheck few(100);
    Pdu pdu;
    pdu.type = 1;
    for (std::uint64_t correlation = 0; correlation < 10'000; ++correlation) {
        pdu.correlation = correlation;
        pdu.sequence = 0;
        EXPECT_EQ(few.take(pdu, true, 1, now_), 0U);
    }
    EXPECT_LE(few.contexts(), 100U);
    pdu.sequence = 5;
    EXPECT_EQ(few.take(pdu, true, 1, now_), 1U) << "the last ones are remembered";
}

}  // namespace
}  // namespace lihandover::intake
