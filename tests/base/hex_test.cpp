#include "lihandover/base/hex.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lihandover::base {
namespace {

TEST(Hex, EveryByteIsADigitOrNone) {
    for (int value = 0; value < 256; ++value) {
        const char c = static_cast<char>(value);
        const std::size_t at = std::string_view("0123456789abcdefABCDEF").find(c);
        const int expected = at == std::string_view::npos ? -1 : static_cast<int>(at < 16 ? at : at - 6);
        EXPECT_EQ(hex_value(c), expected) << value;
        EXPECT_EQ(is_hex_digit(c), expected >= 0) << value;
    }
}

TEST(Hex, WhatIsWrittenIsReadBack) {
    std::vector<unsigned char> bytes;
    for (int value = 0; value < 256; ++value) {
        bytes.push_back(static_cast<unsigned char>(value));
        std::string text;
        append_hex(text, bytes.back());
        EXPECT_EQ(hex_byte(text), value);
    }
    const std::string text = to_hex(bytes);
    EXPECT_EQ(text.substr(0, 8), "00010203");
    EXPECT_EQ(text.substr(508), "feff");
    EXPECT_EQ(to_hex(bytes, hex_capitals).substr(508), "FEFF");
    const auto back = parse_hex<256>(text);
    ASSERT_TRUE(back);
    EXPECT_TRUE(std::equal(back->begin(), back->end(), bytes.begin()));
}

TEST(Hex, TextAndBytesOfAnyKindAreWritten) {
    EXPECT_EQ(to_hex(std::string_view("\xff\x01z")), "ff017a");
    EXPECT_EQ(to_hex(std::array{std::byte{0x0a}}), "0a");
    EXPECT_EQ(to_hex(std::string{}), "");
}

TEST(Hex, IsReadInBothCasesAndOfOneLength) {
    const std::array<std::uint8_t, 4> bytes = {0x00, 0x9f, 0xa1, 0xff};
    EXPECT_EQ(parse_hex<4>("009fa1ff"), bytes);
    EXPECT_EQ(parse_hex<4>("009FA1Ff"), bytes);
    for (const char* bad : {"", "009fa1f", "009fa1ff0", "009fa1ff00", "g09fa1ff", "009fa1f/", "009fa1f:", "009fa1f@",
                            "009fa1f`", " 09fa1ff"}) {
        EXPECT_FALSE(parse_hex<4>(bad)) << bad;
    }
    EXPECT_TRUE(parse_hex<0>(""));
}

TEST(Hex, ReadsExactlyAsMuchAsAsked) {
    EXPECT_EQ(parse_hex<2>("0aF1"), (std::array<std::uint8_t, 2>{0x0a, 0xf1}));
    for (const char* bad : {"", "0aF", "0aF10", "0aF100", "0aG1", " 0aF", "0x0a"}) {
        EXPECT_FALSE(parse_hex<2>(bad)) << bad;
    }
    EXPECT_EQ(hex_byte("4"), -1);
    EXPECT_EQ(hex_byte("4g"), -1);
    EXPECT_EQ(hex_byte("41 and more"), 0x41);
    EXPECT_TRUE(is_hex(""));
    EXPECT_TRUE(is_hex("0123456789abcdefABCDEF"));
    EXPECT_FALSE(is_hex("12 4"));
}

}  // namespace
}  // namespace lihandover::base
