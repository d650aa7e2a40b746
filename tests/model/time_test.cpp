#include "lihandover/model/time.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace lihandover::model {
namespace {

TEST(ParseRfc3339, ReadsOffsetsAndDecimals) {
    const auto utc = parse_rfc3339("2026-11-22T10:15:30.123456Z");
    ASSERT_TRUE(utc);
    EXPECT_EQ(utc->instant, (Instant{1795342530, 123456000}));
    const auto east = parse_rfc3339("2026-11-22T12:15:30+02:00");
    ASSERT_TRUE(east);
    EXPECT_EQ(east->instant, (Instant{1795342530, 0}));
    const auto west = parse_rfc3339("2026-11-21t23:45:30-10:30");
    ASSERT_TRUE(west);
    EXPECT_EQ(west->instant, (Instant{1795342530, 0}));
}

TEST(ParseRfc3339, CutsDecimalsBeyondNanoseconds) {
    const auto time = parse_rfc3339("2026-11-22T10:15:30.9999999999999z");
    ASSERT_TRUE(time);
    EXPECT_EQ(time->instant, (Instant{1795342530, 999'999'999}));
}

TEST(ParseRfc3339, ReadsTimesBeforeTheEpoch) {
    const auto time = parse_rfc3339("1969-12-31T23:59:59.5Z");
    ASSERT_TRUE(time);
    EXPECT_EQ(time->instant, (Instant{-1, 500'000'000}));
    EXPECT_EQ(to_microsecond_date_time(time->instant), "1969-12-31T23:59:59.500000Z");
}

TEST(ParseRfc3339, TakesALeapSecondAsTheLastMomentOfItsMinute) {
    const auto leap = parse_rfc3339("2016-12-31T23:59:60.7Z");
    const auto midnight = parse_rfc3339("2017-01-01T00:00:00Z");
    ASSERT_TRUE(leap && midnight);
    EXPECT_LT(leap->instant, midnight->instant);
    EXPECT_TRUE(parse_rfc3339("2017-01-01T00:59:60+01:00"));
    EXPECT_FALSE(parse_rfc3339("2016-12-31T12:00:60Z"));
}

class RefusedTimes : public testing::TestWithParam<const char*> {};

TEST_P(RefusedTimes, AreNoTimes) {
    EXPECT_FALSE(parse_rfc3339(GetParam())) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Texts, RefusedTimes,
                         testing::Values("", "2026-11-22", "2026-11-22T10:15:30", "2026-11-22 10:15:30Z",
                                         "2026-11-22T10:15Z", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
                                         "2026-11-22T24:00:00Z", "2026-11-22T10:60:00Z", "2026-11-22T10:15:61Z",
                                         "2026-11-22T10:15:30.Z", "2026-11-22T10:15:30+0200",
                                         "2026-11-22T10:15:30+24:00", "2026-11-22T10:15:30ZZ", "0000-01-01T00:00:00Z",
                                         "+2026-11-22T10:15:30Z", "2026-11-22T10:15:30+02:60", "-026-11-22T10:15:30Z"));

TEST(ToQualifiedDateTime, CutsDecimalsAndKeepsTheOffset) {
    EXPECT_EQ(to_qualified_date_time("2026-11-22T10:15:30.999999Z"), "2026-11-22T10:15:30Z");
    EXPECT_EQ(to_qualified_date_time("2026-11-22t10:15:30.5+05:30"), "2026-11-22T10:15:30+05:30");
    EXPECT_EQ(to_qualified_date_time("2026-11-22T10:15:30z"), "2026-11-22T10:15:30Z");
    EXPECT_EQ(to_qualified_date_time("2016-12-31T23:59:60.7Z"), "2016-12-31T23:59:59Z");
}

TEST(ToQualifiedDateTime, TurnsAnOffsetThatXmlForbidsIntoUtc) {
    EXPECT_EQ(to_qualified_date_time("2026-11-22T10:15:30+14:00"), "2026-11-22T10:15:30+14:00");
    EXPECT_EQ(to_qualified_date_time("2026-11-22T10:15:30+14:01"), "2026-11-21T20:14:30Z");
    EXPECT_EQ(to_qualified_date_time("2026-11-22T10:15:30-23:59"), "2026-11-23T10:14:30Z");
}

TEST(ToMicrosecondDateTime, AlwaysHasSixDecimals) {
    EXPECT_EQ(to_microsecond_date_time({1795342530, 0}), "2026-11-22T10:15:30.000000Z");
    EXPECT_EQ(to_microsecond_date_time({1795342530, 1'999}), "2026-11-22T10:15:30.000001Z");
    EXPECT_EQ(to_qualified_date_time(Instant{1795342530, 999'999'999}), "2026-11-22T10:15:30Z");
}

TEST(Instant, GoesThroughMicroseconds) {
    EXPECT_EQ(Instant::from_micros(-1), (Instant{-1, 999'999'000}));
    EXPECT_EQ(Instant::from_micros(1'500'000), (Instant{1, 500'000'000}));
    for (const std::int64_t micros :
         {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1'000'001}, std::int64_t{-1'000'000},
          std::int64_t{-1}, std::int64_t{0}, std::numeric_limits<std::int64_t>::max()}) {
        EXPECT_EQ(Instant::from_micros(micros).micros(), micros);
    }
    EXPECT_EQ((Instant{-1, 999'999'000}).micros(), -1);
}

}  // namespace
}  // namespace lihandover::model
