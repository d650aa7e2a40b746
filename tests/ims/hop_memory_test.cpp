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
    place.at = place.received_at = {second, 0};
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
    late.received_at = {3600, 0};
    HopPlace wrong = place_of(3);
    wrong.at = {3600, 0};
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
    changed.description = 1;
    EXPECT_EQ(see(words, changed, 11), std::nullopt) << "said again, at once";
    HopPlace other_call = place;
    other_call.hop = 3;
    other_call.call = 1;
    EXPECT_EQ(see(words, other_call, 12), event(10));
    EXPECT_EQ(see(words, other_call, 13), event(11));
    changed.hop = 4;
    changed.description = 2;
    EXPECT_EQ(see(words, other_call, 14), std::nullopt);
    EXPECT_EQ(see(words, changed, 15), event(14));
}

TEST_F(HopMemoryTest, NothingIsTakenForACopyOfWhatIsForgotten) {
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(see(words, 1, static_cast<std::uint8_t>(i)), std::nullopt);
    }
    // So far behind, it is rather an event of its own.
    EXPECT_EQ(see(words, 2, 201), std::nullopt);
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
