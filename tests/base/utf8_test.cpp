#include "lihandover/base/utf8.hpp"

#include <gtest/gtest.h>

namespace lihandover::base {
namespace {

std::string encoded(char32_t value) {
    std::string out;
    append_character(out, value);
    return out;
}

TEST(Utf8, EveryScalarValueGoesThereAndBack) {
    for (char32_t value = 0; value <= 0x10FFFF; ++value) {
        const std::string text = encoded(value);
        const Character read = first_character(text, Encoding::wtf8);
        ASSERT_EQ(read.value, value);
        ASSERT_EQ(read.size, text.size());
        ASSERT_EQ(is_encoded(text), !is_surrogate(value)) << std::hex << static_cast<unsigned>(value);
    }
}

TEST(Utf8, IllFormedSequencesBeginNoCharacter) {
    for (const std::string_view bad : {
             "\x80",
             "\xBF",
             "\xC0\x80",
             "\xC1\xBF",
             "\xE0\x80\x80",
             "\xE0\x9F\xBF",
             "\xF0\x80\x80\x80",
             "\xF0\x8F\xBF\xBF",
             "\xF4\x90\x80\x80",
             "\xF5\x80\x80\x80",
             "\xFE",
             "\xFF",  // overlong, beyond, no lead
             "\xC3",
             "\xE2\x82",
             "\xF0\x9F\x98",
             "\xC3(",
             "\xE2(\xA1",
             "\xE2\x82(",
             "\xF0\x9F\x98(",  // cut, or broken
         }) {
        EXPECT_EQ(first_character(bad).size, 0) << bad;
        EXPECT_EQ(first_character(bad, Encoding::wtf8).size, 0) << bad;
        EXPECT_FALSE(is_encoded(bad)) << bad;
    }
    EXPECT_EQ(first_character("").size, 0);
    EXPECT_TRUE(is_encoded(""));
}

TEST(Utf8, LoneSurrogatesAreCharactersInWtf8Only) {
    const std::string_view lone = "\xED\xA0\xBD";
    EXPECT_EQ(first_character(lone).size, 0);
    EXPECT_EQ(first_character(lone, Encoding::wtf8).value, 0xD83DU);
    EXPECT_TRUE(is_encoded(lone, Encoding::wtf8));
    EXPECT_EQ(with_replacements(lone), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "one for each byte";
}

TEST(Utf8, WhatIsNoCharacterIsTakenByteByByte) {
    std::string_view text = "a\xFF\xE2\x82\xAC\xE2\x82";
    EXPECT_EQ(take_character(text), U'a');
    EXPECT_EQ(take_character(text), replacement_character);
    EXPECT_EQ(take_character(text), 0x20ACU);
    EXPECT_EQ(take_character(text), replacement_character);
    EXPECT_EQ(take_character(text), replacement_character);
    EXPECT_TRUE(text.empty());
    EXPECT_EQ(with_replacements("a\xFFz"), "a\xEF\xBF\xBDz");
    EXPECT_EQ(with_replacements("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
}

}  // namespace
}  // namespace lihandover::base
