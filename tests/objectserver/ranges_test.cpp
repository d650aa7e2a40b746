#include "ranges.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace lihandover::objectserver {
namespace {

using Kind = RangeChoice::Kind;

std::string trim(std::string text) {
    text.erase(0, text.find_first_not_of(' '));
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

std::string text_of(const RangeChoice& choice) {
    if (choice.kind == Kind::whole) {
        return "200";
    }
    std::string text = choice.kind == Kind::unsatisfiable ? "416" : "206";
    for (const auto& range : choice.ranges) {
        text += ' ' + std::to_string(range.begin) + '-' + std::to_string(range.end - 1);
    }
    return text;
}

TEST(Ranges, AreWhatTheCasesSay) {
    std::ifstream file{LIHANDOVER_SOURCE_DIR "/tests/objectserver/range_cases.txt"};
    std::size_t cases = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.starts_with('#')) {
            continue;
        }
        std::istringstream parts{line};
        std::string size;
        std::string field;
        std::string answer;
        std::getline(parts, size, '|');
        std::getline(parts, field, '|');
        std::getline(parts, answer, '|');
        field = trim(field);
        for (std::size_t at = field.find("\\t"); at != std::string::npos; at = field.find("\\t")) {
            field.replace(at, 2, "\t");
        }
        EXPECT_EQ(text_of(choose_ranges(field, std::stoull(size))), trim(answer)) << line;
        ++cases;
    }
    EXPECT_GT(cases, 100U);
}

TEST(Ranges, OfTheLargestObject) {
    constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
    EXPECT_EQ(choose_ranges("bytes=0-", largest).ranges, (std::vector<ByteRange>{{0, largest}}));
    EXPECT_EQ(choose_ranges("bytes=0-18446744073709551615", largest).ranges, (std::vector<ByteRange>{{0, largest}}));
    EXPECT_EQ(choose_ranges("bytes=-1", largest).ranges, (std::vector<ByteRange>{{largest - 1, largest}}));
    EXPECT_EQ(choose_ranges("bytes=1-,0-0", largest).ranges, (std::vector<ByteRange>{{1, largest}, {0, 1}}));
    // Together beyond what 64 bits can count.
    EXPECT_EQ(choose_ranges("bytes=0-,0-,0-", largest).kind, Kind::whole);
}

TEST(Ranges, OfManyElementsStayBounded) {
    std::string field = "bytes=";
    for (int count = 0; count < 1'000'000; ++count) {
        field += ',';
    }
    EXPECT_EQ(choose_ranges(field, 10).kind, Kind::unsatisfiable);
    field += "0-0";
    EXPECT_EQ(text_of(choose_ranges(field, 10)), "206 0-0");
    field = "bytes=";
    for (int count = 0; count < 100'000; ++count) {
        field += "7-7,";
    }
    EXPECT_EQ(choose_ranges(field, 10).kind, Kind::whole);
}

/// Whatever comes in, the result is within the object.
TEST(Ranges, AnyTextGivesRangesWithinTheObject) {
    std::mt19937_64 random{20261122};
    static constexpr std::string_view letters = "0123456789-,- , \tb=";
    for (int round = 0; round < 200'000; ++round) {
        std::string field = "bytes=";
        for (auto left = random() % 24; left > 0; --left) {
            field += letters[random() % letters.size()];
        }
        const std::uint64_t size = random() % 3 == 0 ? random() : random() % 50;
        const RangeChoice choice = choose_ranges(field, size);
        ASSERT_EQ(choice.kind == Kind::ranges, !choice.ranges.empty()) << field;
        ASSERT_LE(choice.ranges.size(), max_ranges);
        std::uint64_t left = size;
        for (const auto& range : choice.ranges) {
            ASSERT_LT(range.begin, range.end) << field;
            ASSERT_LE(range.end, size) << field;
            ASSERT_LE(range.size(), left) << field;
            left -= range.size();
        }
    }
}

}  // namespace
}  // namespace lihandover::objectserver
