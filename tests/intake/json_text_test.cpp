#include "http/json_text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace lihandover::intake {
namespace {

using namespace std::string_view_literals;

std::string unescaped(std::string_view text) {
    std::string out(text.size(), '?');
    const char* const end = unescape_json(text, out.data());
    if (end == nullptr) {
        return "(bad)";
    }
    out.resize(static_cast<std::size_t>(end - out.data()));
    return out;
}

TEST(JsonTextTest, Unescapes) {
    EXPECT_EQ(unescaped(""), "");
    EXPECT_EQ(unescaped("plain"), "plain");
    EXPECT_EQ(unescaped(R"(a\\b)"), R"(a\b)");
    EXPECT_EQ(unescaped(R"(\ud83d\ude00)"), "\xF0\x9F\x98\x80");
    EXPECT_EQ(unescaped(R"(\udbff\udfff)"), "\xF4\x8F\xBF\xBF");
    EXPECT_EQ(unescaped(R"(\ud83d\ud83d\ude00)"), "\xED\xA0\xBD\xF0\x9F\x98\x80");
    EXPECT_EQ(unescaped(R"(\ud83d\n)"), "\xED\xA0\xBD\n");
    EXPECT_EQ(unescaped(R"(\ud83d\u0041)"),
              "\xED\xA0\xBD"
              "A");
    EXPECT_EQ(unescaped(R"(\u0000)"), "\0"sv);
}

TEST(JsonTextTest, RefusesBadEscapes) {
    for (const char* const text : {"\\", "a\\", R"(\x)", R"(\u)", R"(\u1)", R"(\u123)", R"(\u123g)", R"(\U0041)",
                                   R"(\ud83d\u)", R"(\ud83d\u12)", R"(\ud83d\)"}) {
        EXPECT_EQ(unescaped(text), "(bad)") << text;
        EXPECT_FALSE(has_good_escapes(text)) << text;
    }
    for (const char* const text : {"", "a", R"(\n)", R"(\ud83d\ude00)", R"(\ud83d\\)", R"(\u00E9\"\/)"}) {
        EXPECT_NE(unescaped(text), "(bad)") << text;
        EXPECT_TRUE(has_good_escapes(text)) << text;
    }
}

TEST(JsonTextTest, KnowsNumbers) {
    for (const char* const text :
         {"0", "-0", "1", "10", "1.5", "-1.25e10", "1E-3", "0.0", "1e+0", "123456789012345678901"}) {
        EXPECT_TRUE(is_json_number(text)) << text;
    }
    for (const char* const text :
         {"", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x1", "1 ", "NaN", "1.5.2", "--1"}) {
        EXPECT_FALSE(is_json_number(text)) << text;
    }
}

TEST(JsonTextTest, CountsCharacters) {
    EXPECT_EQ(count_characters(""), 0U);
    EXPECT_EQ(count_characters("abc"), 3U);
    EXPECT_EQ(count_characters("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xA0\xBD"), 4U);
}

TEST(JsonTextTest, KnowsBase64) {
    for (const char* const text : {"", "AAAA", "AA==", "AAA=", "+/09"}) {
        EXPECT_TRUE(is_base64(text)) << text;
    }
    for (const char* const text : {"A", "AAA", "A===", "====", "AA=A", "AA-_", "AA\nA", "AAAA="}) {
        EXPECT_FALSE(is_base64(text)) << text;
    }
}

TEST(JsonTextTest, WritesAnyBytesAsAString) {
    const auto written = [](std::string_view text) {
        std::string out = "x";
        append_json_string(out, text);
        return out;
    };
    EXPECT_EQ(written(""), R"(x"")");
    EXPECT_EQ(written("a\"\\\n\x7f\0"sv), R"(x"a\"\\\u000a\u007f\u0000")");
    EXPECT_EQ(written("\xC3\xA9\xF0\x9F\x98\x80\xED\xA0\xBD"), R"(x"\u00e9\ud83d\ude00\ud83d")");
    EXPECT_EQ(written("\xFF\xC3(\xE2\x82"), R"(x"\ufffd\ufffd(\ufffd\ufffd")");
    EXPECT_EQ(written("\xC0\xAF\xF4\x90\x80\x80"), R"(x"\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd")");
}

}  // namespace
}  // namespace lihandover::intake
