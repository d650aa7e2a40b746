#include "conditions.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lihandover::objectserver {
namespace {

const std::string tag = "\"abc\"";  // NOLINT(cert-err58-cpp)

TEST(Conditions, TheTagIsTheChecksum) {
    model::Sha256 sha256{};
    sha256.front() = 0x0A;
    sha256.back() = 0xF1;
    EXPECT_EQ(entity_tag(sha256), "\"0a" + std::string(60, '0') + "f1\"");
}

ConditionResult if_match(const std::string& list) {
    return evaluate({list, std::nullopt}, tag);
}

ConditionResult if_none_match(const std::string& list) {
    return evaluate({std::nullopt, list}, tag);
}

TEST(Conditions, NoneMeansProceed) {
    EXPECT_EQ(evaluate({}, tag), ConditionResult::proceed);
}

TEST(Conditions, ListsThatHaveTheTag) {
    for (const std::string list : {"\"abc\"", "*", " * ", "\"x\",\"abc\"", "\"x\" , \"abc\" , \"y\"", "\"abc\",",
                                   ",,\"abc\"", "W/\"x\", \"abc\"", "\"a,b\",\"abc\"", "\"\",\"abc\"",
                                   "nonsense, \"abc\"", "\"open, \"abc\"", "\t\"abc\"\t"}) {
        EXPECT_EQ(if_match(list), ConditionResult::proceed) << list;
        EXPECT_EQ(if_none_match(list), ConditionResult::not_modified) << list;
    }
}

TEST(Conditions, ListsThatDoNot) {
    for (const std::string list :
         {"",      "\"\"",     "\"ab\"",   "\"abcd\"", "\"ABC\"",   "abc",       "'abc'",      "\"abc",
          "abc\"", "\"abc\"x", "x\"abc\"", "**",       "\"x,abc\"", "w/\"abc\"", "W /\"abc\"", "\"abc\" \"abc\"",
          ",",     "W/",       "\"*\"",    "\"x\",*"}) {
        EXPECT_EQ(if_match(list), ConditionResult::precondition_failed) << list;
        EXPECT_EQ(if_none_match(list), ConditionResult::proceed) << list;
    }
}

TEST(Conditions, WeakTagsCountForIfNoneMatchOnly) {
    EXPECT_EQ(if_match("W/\"abc\""), ConditionResult::precondition_failed);
    EXPECT_EQ(if_none_match("W/\"abc\""), ConditionResult::not_modified);
}

TEST(Conditions, IfMatchComesFirst) {
    EXPECT_EQ(evaluate({"\"x\"", "\"abc\""}, tag), ConditionResult::precondition_failed);
    EXPECT_EQ(evaluate({"\"abc\"", "\"abc\""}, tag), ConditionResult::not_modified);
    EXPECT_EQ(evaluate({"\"abc\"", "\"x\""}, tag), ConditionResult::proceed);
}

TEST(Conditions, RangesCountUnderTheVeryTagOnly) {
    EXPECT_TRUE(range_counts(std::nullopt, tag));
    EXPECT_TRUE(range_counts("\"abc\"", tag));
    for (const std::string value :
         {"W/\"abc\"", "\"x\"", "*", "", "abc", "\"abc\", \"abc\"", "Sun, 22 Nov 2026 10:15:30 GMT"}) {
        EXPECT_FALSE(range_counts(value, tag)) << value;
    }
}

}  // namespace
}  // namespace lihandover::objectserver
