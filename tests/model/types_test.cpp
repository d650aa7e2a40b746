#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <set>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/event.hpp"
#include "lihandover/model/liid.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::model {
namespace {

TEST(Uuid, IsWrittenInLowerCaseAndReadInBoth) {
    const auto uuid = Uuid::parse("29F28E1C-f230-486a-A860-f5a784ab9177");
    ASSERT_TRUE(uuid);
    EXPECT_EQ(uuid->to_string(), "29f28e1c-f230-486a-a860-f5a784ab9177");
    for (const char* bad : {"", "29f28e1cf230486aa860f5a784ab9177", "29f28e1c-f230-486a-a860-f5a784ab917",
                            "29f28e1c-f230-486a-a860-f5a784ab91777", "g9f28e1c-f230-486a-a860-f5a784ab9177",
                            "29f28e1c+f230-486a-a860-f5a784ab9177"}) {
        EXPECT_FALSE(Uuid::parse(bad)) << bad;
    }
}

TEST(Uuid, RandomOnesAreVersion4AndDiffer) {
    std::set<Uuid> seen;
    for (int i = 0; i < 1000; ++i) {
        const Uuid uuid = Uuid::random();
        EXPECT_EQ(uuid.bytes[6] & 0xf0, 0x40);
        EXPECT_EQ(uuid.bytes[8] & 0xc0, 0x80);
        EXPECT_TRUE(seen.insert(uuid).second);
    }
}

TEST(RandomBelow, StaysBelowItsBound) {
    for (int i = 0; i < 1000; ++i) {
        EXPECT_LT(random_below(7), 7U);
        EXPECT_LT(random_below(std::uint64_t{1} << 53), std::uint64_t{1} << 53);
    }
    EXPECT_EQ(random_below(1), 0U);
}

TEST(Liid, FollowsTheDictionary) {
    EXPECT_TRUE(is_liid("LIID-0001"));
    EXPECT_TRUE(is_liid("!~#<&>\"'"));
    EXPECT_TRUE(is_liid(std::string(25, 'Z')));
    EXPECT_TRUE(is_liid(std::string(26, 'a')));
    EXPECT_TRUE(is_liid(std::string(50, '0')));
    EXPECT_FALSE(is_liid(""));
    EXPECT_FALSE(is_liid("has blank"));
    EXPECT_FALSE(is_liid(std::string(26, 'A')));
    EXPECT_FALSE(is_liid(std::string(51, 'a')));
    EXPECT_FALSE(is_liid("caf\xc3\xa9"));
}

TEST(Names, GoBothWays) {
    for (const auto name : event_type_names) {
        const auto type = parse_event_type(name);
        ASSERT_TRUE(type);
        EXPECT_EQ(name_of(*type), name);
    }
    for (const auto name : identifier_type_names) {
        const auto type = parse_identifier_type(name);
        ASSERT_TRUE(type);
        EXPECT_EQ(name_of(*type), name);
    }
    EXPECT_FALSE(parse_event_type("Message"));
    EXPECT_FALSE(parse_identifier_type(""));
}

TEST(SystemClock, Runs) {
    const Clock& clock = system_clock();
    EXPECT_GT(clock.wall().seconds, 1'700'000'000);
    const auto before = clock.steady();
    EXPECT_LE(before, clock.steady());
}

}  // namespace
}  // namespace lihandover::model
