#include "link_share.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace lihandover::delivery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Member = LinkShare::Member;

constexpr std::uint64_t much = std::uint64_t{1} << 40;
constexpr auto quantum = LinkShare::quantum;

class LinkShareTest : public testing::Test {
  protected:
    /// Bytes granted to each in `count` grants, all of them asking all the time.
    std::vector<std::uint64_t> share(const std::vector<Member*>& members, std::size_t count) {
        std::vector<std::uint64_t> bytes(members.size());
        for (std::size_t i = 0; i < count; ++i) {
            for (auto* member : members) {
                link_.ask(*member, much);
            }
            const auto grant = link_.next(now_);
            for (std::size_t n = 0; n < members.size(); ++n) {
                bytes[n] += members[n] == grant.member ? grant.bytes : 0;
            }
        }
        return bytes;
    }

    LinkShare link_;
    LinkShare::Time now_{seconds(1000)};
    Member small_{.small = true};
    Member urgent_small_{.small = true, .emergency = true};
    Member large_;
    Member other_;
    Member urgent_{.emergency = true};
};

TEST_F(LinkShareTest, NobodyAsksNobodyIsServed) {
    const auto grant = link_.next(now_);
    EXPECT_EQ(grant.member, nullptr);
    EXPECT_FALSE(grant.due);
    EXPECT_FALSE(link_.asked());
}

TEST_F(LinkShareTest, AQuantumAtATimeAndNoMoreThanWasAskedFor) {
    link_.ask(large_, quantum + 1);
    EXPECT_TRUE(link_.asked());
    EXPECT_EQ(link_.next(now_).bytes, quantum);
    EXPECT_FALSE(link_.asked());
    link_.ask(large_, 1);
    link_.ask(large_, 5);  // asks already
    const auto grant = link_.next(now_);
    EXPECT_EQ(grant.member, &large_);
    EXPECT_EQ(grant.bytes, 1U);
}

TEST_F(LinkShareTest, SmallOnesGoFirstAndEmergenciesBeforeThem) {
    link_.ask(large_, much);
    link_.ask(urgent_, much);
    link_.ask(small_, 5'000);
    link_.ask(urgent_small_, 5'000);
    EXPECT_EQ(link_.next(now_).member, &urgent_small_);
    EXPECT_EQ(link_.next(now_).member, &small_);
    EXPECT_NE(link_.next(now_).member, nullptr);
}

TEST_F(LinkShareTest, LargeOnesShareEvenly) {
    const auto bytes = share({&large_, &other_}, 100);
    EXPECT_EQ(bytes[0], bytes[1]);
}

TEST_F(LinkShareTest, AnEmergencyGetsItsWeightAndNobodyStarves) {
    const auto bytes = share({&large_, &urgent_, &other_}, 1000);
    EXPECT_NEAR(static_cast<double>(bytes[1]) / static_cast<double>(bytes[0]), LinkShare::emergency_weight, 0.5);
    EXPECT_NEAR(static_cast<double>(bytes[2]) / static_cast<double>(bytes[0]), 1, 0.05);
}

TEST_F(LinkShareTest, WhoComesLateOrWasSlowHasSavedNothingUp) {
    (void)share({&large_}, 1000);
    const auto bytes = share({&large_, &other_}, 100);
    EXPECT_NEAR(static_cast<double>(bytes[0]), static_cast<double>(bytes[1]), static_cast<double>(quantum));
}

TEST_F(LinkShareTest, AStreamOfSmallOnesDoesNotStarveALargeOne) {
    const auto bytes = share({&small_, &large_}, 170);
    EXPECT_EQ(bytes[1], 10 * quantum);
}

TEST_F(LinkShareTest, WhoLeavesIsNotServed) {
    link_.ask(large_, much);
    link_.ask(other_, much);
    link_.leave(large_);
    link_.leave(large_);
    EXPECT_EQ(link_.next(now_).member, &other_);
    EXPECT_EQ(link_.next(now_).member, nullptr);
}

TEST_F(LinkShareTest, NoMoreThanTheLimitInAnyTime) {
    for (const std::uint64_t rate : {std::uint64_t{1024}, std::uint64_t{100'000}, std::uint64_t{50'000'000}}) {
        LinkShare link;
        const auto start = now_;
        link.limit(rate, start);
        std::uint64_t granted = 0;
        auto now = start;
        while (now < start + seconds(20)) {
            link.ask(large_, much);
            link.ask(small_, much);
            const auto grant = link.next(now);
            if (grant.member != nullptr) {
                granted += grant.bytes;
                const std::chrono::duration<double> passed = now - start;
                EXPECT_LE(static_cast<double>(granted), static_cast<double>(rate) * passed.count() + 1);
            } else {
                ASSERT_TRUE(grant.due);
                ASSERT_GT(*grant.due, now);
                now = *grant.due;
            }
        }
        EXPECT_GE(static_cast<double>(granted), static_cast<double>(rate) * 20 * 0.95);
        link.leave(large_);
        link.leave(small_);
    }
}

TEST_F(LinkShareTest, TheLimitHoldsForSmallAndLargeTogether) {
    link_.limit(100'000, now_);
    link_.ask(small_, 5'000);
    link_.ask(large_, much);
    now_ += milliseconds(50);
    EXPECT_EQ(link_.next(now_).member, &small_);
    EXPECT_EQ(link_.next(now_).member, nullptr);
}

TEST_F(LinkShareTest, AnIdleLinkSavesLittleUp) {
    link_.limit(1'000'000, now_);
    now_ += seconds(3600);
    std::uint64_t granted = 0;
    for (;;) {
        link_.ask(large_, much);
        const auto grant = link_.next(now_);
        if (grant.member == nullptr) {
            break;
        }
        granted += grant.bytes;
    }
    EXPECT_LE(granted, 100'000U);
}

TEST_F(LinkShareTest, TheLimitCanBeTakenOff) {
    link_.limit(1024, now_);
    link_.ask(large_, much);
    EXPECT_EQ(link_.next(now_).member, nullptr);
    link_.limit(std::nullopt, now_);
    EXPECT_EQ(link_.next(now_).bytes, quantum);
}

}  // namespace
}  // namespace lihandover::delivery
