#include "hop_memory.hpp"

#include <gtest/gtest.h>

namespace lihandover::ims {
namespace {

constexpr SteadyTime begin{std::chrono::hours(1)};
constexpr TableKey words{1, 2};
constexpr TableKey other_words{3, 4};

Digest event(std::uint8_t number) {
    return Digest{number};
}

HopPlace place_of(std::uint64_t hop, std::int64_t second = 0) {
    HopPlace place;
    place.hop = hop;
    place.back = ~hop;
    place.ends = {1000 + hop, 2000 + hop};
    place.said = place.received = {{second, 0}, {second, 0}};
    return place;
}

class HopMemoryTest : public testing::Test {
  protected:
    /// The event that it is a copy of; nullopt and its own name where it is the first.
    std::optional<Digest> see(const TableKey& content, const HopPlace& place, std::uint8_t name,
                              SteadyTime now = begin) {
        const auto known = memory.count(content, place, now);
        if (!known) {
            memory.add(content, place, event(name));
        }
        return known;
    }
    std::optional<Digest> see(const TableKey& content, std::uint64_t hop, std::uint8_t name, SteadyTime now = begin) {
        return see(content, place_of(hop), name, now);
    }
    HopMemory memory;
};

TEST_F(HopMemoryTest, TheNthHereIsTheNthThere) {
    EXPECT_EQ(see(words, 1, 10), std::nullopt);
    EXPECT_EQ(see(words, 1, 11), std::nullopt);
    EXPECT_EQ(see(words, 2, 12), event(10));
    EXPECT_EQ(see(words, 2, 13), event(11));
    EXPECT_EQ(see(words, 2, 14), std::nullopt);
    EXPECT_EQ(see(words, 1, 15), event(14));
    EXPECT_EQ(see(words, 3, 16), event(10));
}

TEST_F(HopMemoryTest, OtherWordsAreApart) {
    EXPECT_EQ(see(words, 1, 10), std::nullopt);
    EXPECT_EQ(see(other_words, 2, 11), std::nullopt);
    EXPECT_EQ(see(other_words, 1, 12), event(11));
}

TEST_F(HopMemoryTest, WordsThatDidNotComeForLongAreNew) {
    EXPECT_EQ(see(words, 1, 10), std::nullopt);
    EXPECT_EQ(see(words, 2, 11, begin + HopMemory::keep_for - std::chrono::seconds(1)), event(10));
    EXPECT_EQ(see(words, 3, 12, begin + 2 * HopMemory::keep_for), std::nullopt);
}

TEST_F(HopMemoryTest, TheSameWordsLaterOnNewPathsAreSaidAgain) {
    EXPECT_EQ(see(words, place_of(1, 0), 10), std::nullopt);
    EXPECT_EQ(see(words, place_of(2, 30), 11), event(10));
    EXPECT_EQ(see(words, place_of(3, 61), 12), std::nullopt);
    EXPECT_EQ(see(words, place_of(2, 62), 13), event(12));
}

TEST_F(HopMemoryTest, AHopThatMissedOneIsNotBehindForEver) {
    EXPECT_EQ(see(words, place_of(1, 0), 10), std::nullopt);
    EXPECT_EQ(see(words, place_of(1, 100), 11), std::nullopt);
    EXPECT_EQ(see(words, place_of(2, 101), 12), event(11));
    EXPECT_EQ(see(words, place_of(2, 200), 13), std::nullopt);
    EXPECT_EQ(see(words, place_of(1, 201), 14), event(13));
}

TEST_F(HopMemoryTest, OneOfTheClocksMayBeWrong) {
    HopPlace late = place_of(2);
    late.received = {{3600, 0}, {3600, 0}};
    HopPlace wrong = place_of(3);
    wrong.said = {{3600, 0}, {3600, 0}};
    EXPECT_EQ(see(words, place_of(1), 10), std::nullopt);
    EXPECT_EQ(see(words, late, 11), event(10));
    EXPECT_EQ(see(words, wrong, 12), event(10));
}

TEST_F(HopMemoryTest, NewPathsOfACallStandInThePlaceOfItsOld) {
    HopPlace place = place_of(1);
    place.session = 7;
    EXPECT_EQ(see(words, place, 10), std::nullopt);
    HopPlace changed = place;
    changed.hop = 2;
    changed.ends[0] = 901;
    changed.description = 1;
    EXPECT_EQ(see(words, changed, 11), std::nullopt) << "said again, at once";
    HopPlace other_call = place;
    other_call.hop = 3;
    other_call.ends = {904, 905};
    other_call.call = 1;
    EXPECT_EQ(see(words, other_call, 12), event(10));
    EXPECT_EQ(see(words, other_call, 13), event(11));
    changed.hop = 4;
    changed.ends = {902, 903};
    changed.description = 2;
    EXPECT_EQ(see(words, other_call, 14), std::nullopt);
    EXPECT_EQ(see(words, changed, 15), event(14));
}

TEST_F(HopMemoryTest, LegsBesideTheOneThatChangedGoOnAsTheyWere) {
    HopPlace changed = place_of(1);
    HopPlace beside = place_of(2);
    changed.session = beside.session = 7;
    EXPECT_EQ(see(words, changed, 10), std::nullopt);
    EXPECT_EQ(see(words, beside, 11), event(10));
    changed.hop = 3;
    changed.ends[0] = 99;
    changed.description = 1;
    EXPECT_EQ(see(words, beside, 12), std::nullopt);
    EXPECT_EQ(see(words, changed, 13), event(12)) << "it came by the other leg first";
    // Described by a call of its own, one end stays.
    HopPlace described = place_of(2);
    described.hop = 4;
    described.session = 7;
    described.call = 1;
    described.description = 1;
    described.ends[1] = 98;
    EXPECT_EQ(see(words, described, 14), std::nullopt);
}

TEST_F(HopMemoryTest, WhatIsLateTakesNothingFromWhatCameAfterIt) {
    EXPECT_EQ(see(words, place_of(1, 1000), 10), std::nullopt);
    EXPECT_EQ(see(words, place_of(1, 2000), 11), std::nullopt);
    HopPlace old = place_of(2, 100);
    old.received = {{5000, 0}, {5000, 0}};
    EXPECT_EQ(see(words, old, 12), std::nullopt);
    old.said = {{1001, 0}, {1001, 0}};
    EXPECT_EQ(see(words, old, 13), event(10));
    old.said = {{2001, 0}, {2001, 0}};
    EXPECT_EQ(see(words, old, 14), event(11));
}

TEST_F(HopMemoryTest, ALongOneLiesCloseToThatWhichIsSentOnWhenItIsWhole) {
    HopPlace whole = place_of(1);
    whole.said = whole.received = {{0, 0}, {120, 0}};
    HopPlace on = place_of(2);
    on.said = on.received = {{121, 0}, {200, 0}};
    EXPECT_EQ(see(words, whole, 10), std::nullopt);
    EXPECT_EQ(see(words, on, 11), event(10));
}

TEST_F(HopMemoryTest, TheOtherWayIsAnAnswer) {
    HopPlace there = place_of(1);
    there.back = 2;
    HopPlace back = place_of(2);
    back.back = 1;
    EXPECT_EQ(see(words, there, 10), std::nullopt);
    EXPECT_EQ(see(words, back, 11), std::nullopt);
    EXPECT_EQ(see(words, place_of(3), 12), event(10));
    EXPECT_EQ(see(words, back, 13), std::nullopt);
}

TEST_F(HopMemoryTest, AHopFarBehindCatchesUp) {
    constexpr std::int64_t count = 200;
    for (std::int64_t i = 0; i < count; ++i) {
        EXPECT_EQ(see(words, place_of(1, i * 60), static_cast<std::uint8_t>(i)), std::nullopt);
    }
    for (std::int64_t i = 0; i < count; ++i) {
        HopPlace late = place_of(2, i * 60);
        late.received = {{count * 60, 0}, {count * 60, 0}};
        const bool is_remembered = i >= count - static_cast<std::int64_t>(HopMemory::most_events);
        EXPECT_EQ(see(words, late, 201).has_value(), is_remembered) << i;
    }
    EXPECT_EQ(see(words, place_of(1, count * 60), 202), std::nullopt);
    EXPECT_EQ(see(words, place_of(2, count * 60), 203), event(202));
}

TEST_F(HopMemoryTest, HopsBeyondTheBoundAreEventsOfTheirOwn) {
    EXPECT_EQ(see(words, 0, 1), std::nullopt);
    for (std::uint64_t hop = 1; hop < HopMemory::most_hops; ++hop) {
        EXPECT_EQ(see(words, hop, 2), event(1));
    }
    EXPECT_EQ(see(words, 1000, 3), std::nullopt);
}

}  // namespace
}  // namespace lihandover::ims
