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

class HopMemoryTest : public testing::Test {
  protected:
    /// The event that it is a copy of; nullopt and its own name where it is the first.
    std::optional<Digest> see(const TableKey& content, std::uint64_t hop, std::uint8_t name, SteadyTime now = begin) {
        const auto known = memory.count(content, hop, now);
        if (!known) {
            memory.add(content, event(name));
        }
        return known;
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
