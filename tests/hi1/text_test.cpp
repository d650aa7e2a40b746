#include <gtest/gtest.h>

#include <pugixml.hpp>
#include <string>

#include "lihandover/hi1/xml_text.hpp"
#include "readback.hpp"

namespace lihandover::hi1::test {

using namespace handover::test;  // NOLINT(google-build-using-namespace): the items are its
namespace {

std::string escaped(std::string_view text) {
    std::string out;
    EXPECT_TRUE(append_escaped(out, text));
    return out;
}

TEST(XmlText, EscapesMarkupAndCarriageReturns) {
    EXPECT_EQ(escaped(""), "");
    EXPECT_EQ(escaped("a<b>&\"c' ]]> d"), "a&lt;b&gt;&amp;\"c' ]]&gt; d");
    EXPECT_EQ(escaped("a\rb\r\nc\nd\te"), "a&#13;b&#13;\nc\nd\te");
}

TEST(XmlText, WhiteSpaceAloneStartsWithAReference) {
    EXPECT_EQ(escaped(" "), "&#32;");
    EXPECT_EQ(escaped("\n \t"), "&#10; \t");
    EXPECT_EQ(escaped("\t"), "&#9;");
    EXPECT_EQ(escaped("\r\n"), "&#13;\n");
    EXPECT_EQ(escaped(" a "), " a ");
}

TEST(XmlText, TakesEveryCharacterOfXmlAndNoOther) {
    const auto utf8 = [](char32_t c) {
        std::string out;
        const auto put = [&out](char32_t byte) { out += static_cast<char>(byte); };
        if (c < 0x80) {
            put(c);
        } else if (c < 0x800) {
            put(0xC0 | c >> 6);
            put(0x80 | (c & 0x3F));
        } else if (c < 0x10000) {
            put(0xE0 | c >> 12);
            put(0x80 | (c >> 6 & 0x3F));
            put(0x80 | (c & 0x3F));
        } else {
            put(0xF0 | c >> 18);
            put(0x80 | (c >> 12 & 0x3F));
            put(0x80 | (c >> 6 & 0x3F));
            put(0x80 | (c & 0x3F));
        }
        return out;
    };
    std::string out;
    for (char32_t c = 0; c < 0x110400; ++c) {
        const bool carried = c == 9 || c == 10 || c == 13 || (c >= 0x20 && c < 0xD800) || (c >= 0xE000 && c < 0xFFFE) ||
                             (c >= 0x10000 && c < 0x110000);
        const std::string text = utf8(c);
        out = "before";
        if (xml_character(text) != (carried ? text.size() : 0) || append_escaped(out, "0123456789" + text) != carried ||
            (out == "before") == carried) {
            FAIL() << static_cast<std::uint32_t>(c);
        }
    }
}

TEST(XmlText, WhatIsNotUtf8IsNotCarried) {
    for (const std::string_view text :
         {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80", "\xF5\x80\x80\x80",
          "\xFF", "\xC2", "\xE2\x82", "\xF0\x9F\x98", "\xC2z", "\xE2\x82z"}) {
        std::string out;
        EXPECT_FALSE(append_escaped(out, text));
        EXPECT_FALSE(append_escaped(out, std::string("some plain text before ") + std::string(text)));
        EXPECT_TRUE(out.empty());
        EXPECT_NE(carriable(text).find("\xEF\xBF\xBD"), std::string::npos);
    }
}

TEST(XmlText, TheLossyFormKeepsTheRest) {
    std::string out;
    append_escaped_lossy(out, std::string_view("a\0<\xED\xA0\xBDz\xFFq\xEF\xBF\xBE", 12));
    EXPECT_EQ(out, "a\xEF\xBF\xBD&lt;\xEF\xBF\xBDz\xEF\xBF\xBDq\xEF\xBF\xBD");
    EXPECT_EQ(carriable(std::string_view("a\0<\xED\xA0\xBDz", 7)), "a\xEF\xBF\xBD<\xEF\xBF\xBDz");
}

TEST(XmlText, Base64) {
    const auto base64 = [](std::string_view bytes) {
        std::string out;
        append_base64(out, bytes);
        return out;
    };
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64("\xFF\xFE\xFB"), "//77");
}

TEST(XmlText, ParsersGiveBackWhatWasWritten) {
    for (std::uint32_t seed = 0; seed < 5000; ++seed) {
        std::mt19937 random(seed);
        const std::string text = hostile_text(random, 40);
        std::string document = "<a>";
        std::string expected = text;
        if (!append_escaped(document, text)) {
            append_escaped_lossy(document, text);
            expected = carriable(text);
        }
        document += "</a>";
        pugi::xml_document parsed;
        ASSERT_TRUE(parsed.load_buffer(document.data(), document.size()));
        ASSERT_EQ(parsed.document_element().text().get(), expected) << seed;
        std::string base64;
        append_base64(base64, text);
        ASSERT_EQ(decode_base64(base64), text) << seed;
    }
}

}  // namespace
}  // namespace lihandover::hi1::test
