#include "lihandover/ims/multipart.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crlf.hpp"

namespace lihandover::ims {
namespace {

using testing::ElementsAre;

TEST(ContentTypes, AreRead) {
    struct Case {
        std::string_view value;
        std::string_view type;
        std::string_view charset = {};
        std::string_view boundary = {};
        std::string_view name = {};
    };
    const Case cases[] = {
        {"text/plain", "text/plain"},
        {"  Text/PLAIN \t", "text/plain"},
        {"text/plain;charset=UTF-8", "text/plain", "utf-8"},
        {"text/plain ; Charset = \"UTF-8\" ; format=flowed", "text/plain", "utf-8"},
        {"text/plain; charset=utf-8; charset=latin1", "text/plain", "utf-8"},
        {"multipart/mixed;boundary=\"a b:c\\\"d  \"", "multipart/mixed", "", "a b:c\"d"},
        {"multipart/mixed;\r\n boundary=xyz", "multipart/mixed", "", "xyz"},
        {"multipart/mixed; boundary = ----=_Part_1.2", "multipart/mixed", "", "----=_Part_1.2"},
        {"image/png; name=\"a b.png\"", "image/png", "", "", "a b.png"},
        {"image/png; name*=UTF-8''%c3%bc.png", "image/png", "", "", "\u00fc.png"},
        {"application/vnd.example+xml;v=1", "application/vnd.example+xml"},
        {"\"text/plain\"", "text/plain"},
        {"\"text/plain\";charset=utf-8", "text/plain", "utf-8"},
        {"\"text/plain;charset=utf-8\"", "text/plain", "utf-8"},
        {"\"text/plain", "text/plain"},
        {"text/plain, text/html", "text/plain"},
        {"text/plain charset=utf-8", "text/plain"},
        {"", ""},
        {"text", ""},
        {"text/", ""},
        {"/plain", ""},
        {"te xt/plain", ""},
        {"a/b/c", ""},
        {"\"", ""},
        {";charset=utf-8", ""},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.value);
        const ContentType read = read_content_type(each.value);
        EXPECT_EQ(read.type, each.type);
        EXPECT_EQ(read.charset, each.charset);
        EXPECT_EQ(read.boundary, each.boundary);
        EXPECT_EQ(read.name, each.name);
    }
    EXPECT_EQ(read_content_type("  Text/Plain; x=1 ").raw, "Text/Plain; x=1");
}

std::vector<std::string> told(const std::vector<BodyPart>& parts) {
    std::vector<std::string> out;
    out.reserve(parts.size());
    for (const BodyPart& part : parts) {
        out.push_back(std::string(part.content_type) + "|" + std::string(part.body));
    }
    return out;
}
std::vector<std::string> leaves(std::string_view content_type, std::string_view body) {
    return told(leaves_of(content_type, {}, body));
}

constexpr std::string_view mixed =
    "A preamble\n"
    "--b1\n"
    "Content-Type: text/plain\n"
    "\n"
    "Hello\n"
    "--b1  \n"
    "content-type : image/png;\n"
    " name=\"a.png\"\n"
    "Content-Disposition: attachment; filename=\"b.png\"\n"
    "Content-ID: <1@example.com>\n"
    "\n"
    "\x89PNG\n"
    "\n"
    "--b1--\n"
    "An epilogue\n";

TEST(Multipart, ABodyIsOneLeaf) {
    const auto parts = leaves_of("text/plain;name=t.txt", "render;filename=f.txt", "--b1\r\n\r\nHello");
    ASSERT_EQ(parts.size(), 1U);
    EXPECT_EQ(parts[0].content_type, "text/plain;name=t.txt");
    EXPECT_EQ(parts[0].content_disposition, "render;filename=f.txt");
    EXPECT_EQ(parts[0].file_name, "f.txt");
    EXPECT_EQ(parts[0].body, "--b1\r\n\r\nHello");
    EXPECT_THAT(leaves("", ""), ElementsAre("|"));
    EXPECT_EQ(leaves_of("text/plain;name=t.txt", "render", "")[0].file_name, "t.txt");
}

TEST(Multipart, IsReadPartByPart) {
    const std::string body = crlf(mixed);
    const auto parts = leaves_of("multipart/mixed; boundary=b1", {}, body);
    EXPECT_THAT(told(parts), ElementsAre("text/plain|Hello", "image/png; name=\"a.png\"|\x89PNG\r\n"));
    ASSERT_EQ(parts.size(), 2U);
    EXPECT_EQ(parts[0].file_name, "");
    EXPECT_EQ(parts[1].content_disposition, "attachment; filename=\"b.png\"");
    EXPECT_EQ(parts[1].content_id, "<1@example.com>");
    EXPECT_EQ(parts[1].file_name, "b.png");
}

TEST(Multipart, IsReadWithLfAlone) {
    EXPECT_THAT(leaves("Multipart/Related; BOUNDARY=\"b1\"", mixed),
                ElementsAre("text/plain|Hello", "image/png; name=\"a.png\"|\x89PNG\n"));
}

TEST(Multipart, IsReadHoweverItsPartsLook) {
    struct Case {
        const char* what;
        std::string_view body;
        std::vector<std::string> leaves;
    };
    const Case cases[] = {
        {"no closing delimiter", "--b\n\none\n--b\n\ntwo\n", {"|one", "|two\r\n"}},
        {"nothing after a delimiter", "--b\n\none\n--b\n", {"|one"}},
        {"no line end at the end", "--b\n\none\n--b--", {"|one"}},
        {"no header fields", "--b\n\none\n--b--\n", {"|one"}},
        {"neither fields nor an empty line", "--b\none\ntwo\n--b--\n", {"|one\r\ntwo"}},
        {"fields alone", "--b\nContent-Type: a/b\n--b--\n", {"a/b|"}},
        {"an empty part", "--b\n\n--b--\n", {"|"}},
        {"a line that is no field", "--b\nContent-Type: a/b\nwhat\n\none\n--b--\n", {"a/b|one"}},
        {"a field twice", "--b\nContent-Type: a/b\nContent-Type: c/d\n\none\n--b--\n", {"a/b|one"}},
        {"a longer boundary inside", "--b\n\n--bc\none\n--b-\n--b--x\n--b--\n", {"|--bc\r\none\r\n--b-\r\n--b--x"}},
        {"dashes inside", "--b\n\n--\n-- \n---b\n --b\n--b--\n", {"|--\r\n-- \r\n---b\r\n --b"}},
        {"line ends at the end", "--b\n\none\n\n\n--b--\n", {"|one\r\n\r\n"}},
        {"no boundary in it", "--c\n\none\n--c--\n", {"multipart/mixed; boundary=b|--c\r\n\r\none\r\n--c--\r\n"}},
        {"the closing delimiter alone", "--b--\n", {"multipart/mixed; boundary=b|--b--\r\n"}},
        {"nothing", "", {"multipart/mixed; boundary=b|"}},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.what);
        EXPECT_EQ(leaves("multipart/mixed; boundary=b", crlf(each.body)), each.leaves);
    }
}

TEST(Multipart, IsReadWhereItsTypeSaysNoBoundary) {
    EXPECT_THAT(leaves("multipart/mixed", "\r\n--x y\r\n\r\none\r\n--x y--\r\n"), ElementsAre("|one"));
    EXPECT_THAT(leaves("multipart/mixed", "one\r\n--\r\n\r\ntwo"), ElementsAre("multipart/mixed|one\r\n--\r\n\r\ntwo"));
    EXPECT_THAT(leaves("multipart/mixed", "--\r\n\r\ntwo\r\n----"),
                ElementsAre("multipart/mixed|--\r\n\r\ntwo\r\n----"));
}

TEST(Multipart, IsReadWithinMultipart) {
    const std::string body = crlf(
        "--out\n"
        "Content-Type: multipart/alternative; boundary=in\n"
        "\n"
        "--in\n\none\n--in\nContent-Type: text/html\n\n<p>two\n"
        "--out\n"
        "Content-Type: multipart/mixed; boundary=absent\n"
        "\n"
        "three\n"
        "--out--\n");
    EXPECT_THAT(leaves("multipart/mixed;boundary=out", body),
                ElementsAre("|one", "text/html|<p>two", "multipart/mixed; boundary=absent|three"));
}

TEST(Multipart, IsDecoded) {
    const auto decoded = [](std::string_view encoding, std::string_view text) {
        const std::string body =
            "--b\r\nContent-Transfer-Encoding: " + std::string(encoding) + "\r\n\r\n" + std::string(text) + "\r\n--b--";
        auto parts = leaves_of("multipart/mixed;boundary=b", {}, body);
        EXPECT_EQ(parts.size(), 1U);
        // What a part views stays where it is when the part moves, short texts too.
        const std::vector<BodyPart> copied = parts;
        parts.clear();
        const BodyPart moved = copied.at(0);
        return std::string(moved.body);
    };
    EXPECT_EQ(decoded("base64", "SGVsbG8="), "Hello");
    EXPECT_EQ(decoded("BASE64 ", "SGVs\r\nbG8"), "Hello");
    EXPECT_EQ(decoded("base64", "SGVs bG8=\r\nSGk=\r\n"), "HelloHi");
    EXPECT_EQ(decoded("base64", ""), "");
    EXPECT_EQ(decoded("base64", "AP+/"), std::string("\0\xff\xbf", 3));
    EXPECT_EQ(decoded("base64", "not base64!"), "not base64!");
    EXPECT_EQ(decoded("quoted-printable", "a=3Db =C3=BC=\r\nc  \r\nd=zz="),
              "a=b \u00fc"
              "c\r\nd=zz");
    EXPECT_EQ(decoded("quoted-printable", "a\nb=\nc"), "a\nbc");
    EXPECT_EQ(decoded("8bit", "SGVsbG8="), "SGVsbG8=");
    EXPECT_EQ(decoded("binary", "a\r\n\r\nb"), "a\r\n\r\nb");
    EXPECT_EQ(decoded("x-unknown", "SGVsbG8="), "SGVsbG8=");
}

TEST(Multipart, IsBoundedInLeaves) {
    std::string body;
    for (int i = 0; i < 400; ++i) {
        body += "--b\r\n\r\n" + std::to_string(i) + "\r\n";
    }
    body += "--b--\r\n";
    const auto parts = leaves_of("multipart/mixed;boundary=b", {}, body);
    ASSERT_EQ(parts.size(), max_leaves);
    EXPECT_EQ(parts[254].body, "254");
    EXPECT_EQ(parts[255].content_type, "application/octet-stream");
    EXPECT_TRUE(parts[255].body.starts_with("\r\n255\r\n--b"));
    EXPECT_TRUE(parts[255].body.ends_with("399\r\n--b--\r\n"));
}

TEST(Multipart, GivesWhatIsBeyondTheLastLeafOnce) {
    std::string inner;
    for (int i = 0; i < 300; ++i) {
        inner += "--in\r\n\r\nx\r\n";
    }
    const std::string body =
        "--out\r\nContent-Type: multipart/mixed;boundary=in\r\n\r\n" + inner + "--in--\r\n--out\r\n\r\nlast\r\n--out--";
    const auto parts = leaves_of("multipart/mixed;boundary=out", {}, body);
    ASSERT_EQ(parts.size(), max_leaves);
    EXPECT_TRUE(parts[255].body.ends_with("last\r\n--out--"));
}

TEST(Multipart, IsBoundedInDepth) {
    std::string body = "deep";
    for (std::size_t level = 20; level-- > 0;) {
        const std::string boundary = "b" + std::to_string(level);
        const std::string type =
            level == 19 ? "" : "Content-Type: multipart/mixed;boundary=b" + std::to_string(level + 1) + "\r\n";
        body = "--" + boundary + "\r\n" + type + "\r\n" + body + "\r\n--" + boundary + "--\r\n";
    }
    const auto parts = leaves_of("multipart/mixed;boundary=b0", {}, body);
    ASSERT_EQ(parts.size(), 1U);
    EXPECT_EQ(parts[0].content_type, "multipart/mixed;boundary=b8");
    EXPECT_TRUE(parts[0].body.starts_with("--b8\r\n"));
}

TEST(Multipart, LivesThroughABodyCutAnywhereAndChanged) {
    const std::string body = crlf(mixed) + "\r\n--b1\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVs\r\n--b1--";
    const auto weigh = [](const std::vector<BodyPart>& parts) {
        std::size_t sum = 0;
        for (const BodyPart& part : parts) {
            for (const std::string_view text : {part.body, part.content_type, part.content_id}) {
                for (const char c : text) {
                    sum += static_cast<unsigned char>(c);
                }
            }
        }
        return sum;
    };
    for (std::size_t size = 0; size <= body.size(); ++size) {
        const std::vector<char> cut(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size));
        const auto parts = leaves_of("multipart/mixed;boundary=b1", {}, {cut.data(), cut.size()});
        EXPECT_FALSE(parts.empty());
        EXPECT_TRUE(size == 0 || weigh(parts) > 0 || parts.size() == 1) << size;
    }
    std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same run each time
    constexpr std::string_view likely = "\r\n -:b1\x01\xff";
    std::size_t several = 0;
    for (int round = 0; round < 5000; ++round) {
        std::vector<char> changed(body.begin(), body.end());
        for (int change = 0; change < 4; ++change) {
            changed[random() % changed.size()] = likely[random() % likely.size()];
        }
        const auto parts = leaves_of("multipart/mixed;boundary=b1", {}, {changed.data(), changed.size()});
        EXPECT_FALSE(parts.empty());
        several += parts.size() > 1 && weigh(parts) > 0 ? 1 : 0;
    }
    EXPECT_GT(several, 1000U);
}

TEST(FileNames, AreDecoded) {
    struct Case {
        std::string_view disposition;
        std::string_view name;
    };
    const Case cases[] = {
        {"attachment", ""},
        {"attachment;", ""},
        {"attachment; filename=a.txt", "a.txt"},
        {"attachment; FileName = \"a b;c.txt\" ; size=3", "a b;c.txt"},
        {"attachment; filename=\"a \\\"b\\\" c\"", "a \"b\" c"},
        {"attachment; filename=\"C:\\dir\\a.txt\"", "C:\\dir\\a.txt"},
        {"attachment; filename=\"a\\\\b\"", "a\\b"},
        {"attachment; filename=\"\xc3\xbc.txt\"", "\u00fc.txt"},
        {"attachment; filename=\"\xfc.txt\"", "\u00fc.txt"},
        {"attachment; filename=x; filename*=UTF-8'en'%e2%82%ac%20rates", "\u20ac rates"},
        {"attachment; filename*=iso-8859-1''%fc", "\u00fc"},
        {"attachment; filename*=unknown''%fc", "\u00fc"},
        {"attachment; filename*=nonsense; filename=x", "x"},
        {"attachment; filename*=UTF-8''100%25%zz", "100%%zz"},
        {"attachment; filename*0=\"first \"; filename*1=second", "first second"},
        {"attachment; filename*1*=%c3%bc; filename*0*=UTF-8''a; filename*2=\".txt\"", "a\u00fc.txt"},
        {"attachment; filename*0=a; filename*0=b; filename*1=c", "ac"},
        {"attachment; filename*0=a; filename*2=c", "a"},
        {"attachment; filename*1=b; filename=whole", "whole"},
        {"attachment; filename*x=b; filename=whole", "whole"},
        {"attachment; filename=\"=?UTF-8?B?w7w=?= =?utf-8?q?a_b=2Etxt?=\"", "\u00fca b.txt"},
        {"attachment; filename=\"=?ISO-8859-1*en?Q?=FC?= x\"", "\u00fc x"},
        {"attachment; filename=\"=?UTF-8?B?!?= =?x\"", "=?UTF-8?B?!?= =?x"},
        {"attachment; xfilename=b", ""},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.disposition);
        EXPECT_EQ(file_name_of(each.disposition), each.name);
    }
}

/// Bounded in time: bytes that make a reader look at the rest again and again.
TEST(FileNames, AreReadInOneGo) {
    for (const std::string_view piece : {"=?a?q?x ", "=?", "\\\"", ";filename*1=\"", "%", "'", "=?a?b?=?="}) {
        SCOPED_TRACE(piece);
        std::string value = "attachment;filename=";
        while (value.size() < 500'000) {
            value += piece;
        }
        EXPECT_LE(file_name_of(value).size(), value.size());
    }
}

TEST(Charsets, BecomeUtf8) {
    struct Case {
        std::string_view charset;
        std::string_view body;
        std::string_view text;
    };
    using std::string_view_literals::operator""sv;
    const Case cases[] = {
        {"", "a\u00fc", "a\u00fc"},
        {"UTF-8", "a\u00fc\0b"sv, "a\u00fc\0b"sv},
        {"us-ascii", "abc", "abc"},
        {"iso-8859-1", "\xfc\x80", "\u00fc\xc2\x80"},
        {"ISO-8859-15", "\xa4\xa6\xa8\xb4\xb8\xbc\xbd\xbe\xfc",
         "\u20ac\u0160\u0161\u017d\u017e\u0152\u0153\u0178\u00fc"},
        {"windows-1252", "\x80\x99\x81\xfc", "\u20ac\u2122\xc2\x81\u00fc"},
        {"utf-16be", "\0a\x20\xac"sv, "a\u20ac"},
        {"utf-16le", "a\0\xac\x20"sv, "a\u20ac"},
        {"utf-16", "\0a"sv, "a"},
        {"utf-16", "\xfe\xff\0a"sv, "a"},
        {"utf-16",
         "\xff\xfe"
         "a\0"sv,
         "a"},
        {"utf-16le", "\x3d\xd8\x00\xde"sv, "\U0001F600"},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.charset);
        std::string out = "before";
        EXPECT_TRUE(text_to_utf8(each.body, each.charset, out));
        EXPECT_EQ(out, each.text);
    }
}

TEST(Charsets, AreRefusedWhereTheyAreNoText) {
    using std::string_view_literals::operator""sv;
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"utf-8", "\xfc"}, {"us-ascii", "\xfc"},          {"", "\xc3"},
        {"utf-16", "abc"}, {"utf-16be", "\xd8\x00"sv},    {"utf-16be", "\xdc\x00\0a"sv},
        {"koi8-r", "abc"}, {"utf-16be", "\xd8\x00\0a"sv}, {"utf-7", "abc"},
    };
    for (const auto& [charset, body] : cases) {
        SCOPED_TRACE(charset);
        std::string out = "before";
        EXPECT_FALSE(text_to_utf8(body, charset, out));
        EXPECT_EQ(out, "");
    }
}

}  // namespace
}  // namespace lihandover::ims
