#include "content_headers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace lihandover::objectserver {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(ContentType, MediaTypesStayAsTheyAre) {
    for (const std::string type :
         {"image/jpeg", "text/plain; charset=utf-8", "text/plain;charset=\"utf-8\"", "application/vnd.ms-excel",
          "video/mp4; codecs=\"avc1.42E01E, mp4a.40.2\"", "application/x-a+b", "IMAGE/JPEG", "a/b", "a/b;c=\"\\\"\"",
          "multipart/mixed; boundary=x"}) {
        EXPECT_EQ(content_type(type), type);
    }
    EXPECT_EQ(content_type("\timage/png "), "image/png");
}

TEST(ContentType, AnythingElseIsBytes) {
    for (const std::string& type : {""s,
                                    "image"s,
                                    "image/"s,
                                    "/jpeg"s,
                                    "image/jpeg/x"s,
                                    "image /jpeg"s,
                                    "image/ jpeg"s,
                                    "image/jpeg x"s,
                                    "image/jpeg;x"s,
                                    "image/jpeg;x="s,
                                    "image/jpeg;=x"s,
                                    "image/jpeg;x=\"y"s,
                                    "image/jpeg;x=\"y\"z"s,
                                    "image/jpeg\r\nX: y"s,
                                    "image/jpeg;x=\"\r\n\""s,
                                    "image/jpeg;x=\"\\\r\""s,
                                    "image/jpeg\0"s,
                                    "image/jp\xC3\xA9g"s,
                                    "image/jpeg;x=\"\xC3\xA9\""s,
                                    "image/jpeg, image/png"s,
                                    "*/*, x"s,
                                    "<script>"s,
                                    "multipart/byteranges"s,
                                    "Multipart/ByteRanges; boundary=x"s,
                                    "image/jpeg;x=\"\\"s,
                                    "\"a\"/b"s,
                                    "a/b;c=\"" + std::string(300, 'x') + '"',
                                    "a/b;"s,
                                    "a/b ; ; c=d"s,
                                    "a/" + std::string(128, 'b')}) {
        EXPECT_EQ(content_type(type), "application/octet-stream") << type;
    }
    EXPECT_EQ(content_type("a/" + std::string(127, 'b')).size(), 129U);
}

struct Named {
    std::string name;
    std::string field;
};

TEST(ContentDisposition, OfNames) {
    const std::vector<Named> cases{
        {"", "attachment"},
        {"roof.jpg", "attachment; filename=\"roof.jpg\""},
        {"my roof (2).jpg", "attachment; filename=\"my roof (2).jpg\""},
        {"a;b=c,d'e.txt", "attachment; filename=\"a;b=c,d'e.txt\""},
        // What some systems take for another name
        {"100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"},
        {"%41.txt", "attachment; filename=\"_41.txt\"; filename*=UTF-8''%2541.txt"},
        {"a\"b.txt", "attachment; filename=\"a_b.txt\""},
        {"a\\b.txt", "attachment; filename=\"a_b.txt\""},
        {"a/b.txt", "attachment; filename=\"a_b.txt\""},
        {"C:\\autoexec.bat", "attachment; filename=\"C__autoexec.bat\""},
        {"../../etc/passwd", "attachment; filename=\"___.._etc_passwd\""},
        {"a<b>c|d?e*f:g", "attachment; filename=\"a_b_c_d_e_f_g\""},
        {".bashrc", "attachment; filename=\"_bashrc\""},
        {".", "attachment"},
        {"..", "attachment"},
        {" . . ", "attachment"},
        {"a. ", "attachment; filename=\"a\""},
        {" a", "attachment; filename=\"_a\""},
        {"/", "attachment; filename=\"_\""},
        // Control characters
        {"a\r\nSet-Cookie: x=y", "attachment; filename=\"a__Set-Cookie_ x=y\""},
        {"a\0b"s, "attachment; filename=\"a_b\""},
        {"a\tb\x7F", "attachment; filename=\"a_b_\""},
        {"a\xC2\x85"
         "b",
         "attachment; filename=\"a_b\""},  // NEL
        // Directions and what cannot be seen
        {"gpj.\xE2\x80\xAE"
         "exe",
         "attachment; filename=\"gpj._exe\""},
        {"a\xE2\x81\xA6"
         "b\xEF\xBB\xBF"
         "c\xE2\x80\x8B",
         "attachment; filename=\"a_b_c_\""},
        {"a\xE2\x80\xA8"
         "b",
         "attachment; filename=\"a_b\""},
        // Beyond ASCII
        {"d\xC3\xA9j\xC3\xA0.txt", "attachment; filename=\"d_j_.txt\"; filename*=UTF-8''d%C3%A9j%C3%A0.txt"},
        {"\xE2\x82\xAC rates", "attachment; filename=\"_ rates\"; filename*=UTF-8''%E2%82%AC%20rates"},
        {"\xF0\x9F\x90\xB4.png", "attachment; filename=\"_.png\"; filename*=UTF-8''%F0%9F%90%B4.png"},
        {"\xC3\xA9'(*)", "attachment; filename=\"_'(_)\"; filename*=UTF-8''%C3%A9%27%28_%29"},
        // No UTF-8: lone surrogates as WTF-8 has them, stray bytes, overlong, beyond Unicode, cut
        {"a\xED\xA0\xBD"
         "b",
         "attachment; filename=\"a_b\"; filename*=UTF-8''a%EF%BF%BDb"},
        {"a\xFF"
         "b",
         "attachment; filename=\"a_b\"; filename*=UTF-8''a%EF%BF%BDb"},
        {"\xC0\xAF", "attachment; filename=\"__\"; filename*=UTF-8''%EF%BF%BD%EF%BF%BD"},
        {"\xE0\x80\xAF", "attachment; filename=\"___\"; filename*=UTF-8''%EF%BF%BD%EF%BF%BD%EF%BF%BD"},
        {"\xF4\x90\x80\x80", "attachment; filename=\"____\"; filename*=UTF-8''%EF%BF%BD%EF%BF%BD%EF%BF%BD%EF%BF%BD"},
        {"a\xE2\x82", "attachment; filename=\"a__\"; filename*=UTF-8''a%EF%BF%BD%EF%BF%BD"},
    };
    for (const auto& each : cases) {
        EXPECT_EQ(content_disposition(each.name), each.field) << each.name;
    }
}

TEST(ContentDisposition, LongNamesAreCutAndKeepTheirExtension) {
    EXPECT_EQ(content_disposition(std::string(200, 'a')), "attachment; filename=\"" + std::string(200, 'a') + '"');
    EXPECT_EQ(content_disposition(std::string(65536, 'a') + ".jpeg"),
              "attachment; filename=\"" + std::string(195, 'a') + ".jpeg\"");
    EXPECT_EQ(content_disposition(std::string(65536, 'a') + ".not an extension"),
              "attachment; filename=\"" + std::string(200, 'a') + '"');
    EXPECT_EQ(content_disposition("." + std::string(65536, 'a')),
              "attachment; filename=\"_" + std::string(199, 'a') + '"');
    std::string euros;
    for (int count = 0; count < 1000; ++count) {
        euros += "\xE2\x82\xAC";
    }
    // 66 whole characters, not 66 and two thirds.
    EXPECT_THAT(content_disposition(euros), HasSubstr("filename=\"" + std::string(66, '_') + "\""));
    const std::string field = content_disposition(euros + ".txt");
    EXPECT_THAT(field, HasSubstr("filename=\"" + std::string(65, '_') + ".txt\""));
    EXPECT_LT(field.size(), 1000U);
}

TEST(ContentDisposition, AnyBytesGiveAWholesomeField) {
    std::mt19937_64 random{20261122};
    for (int round = 0; round < 20'000; ++round) {
        std::string name;
        for (auto left = random() % 300; left > 0; --left) {
            name += static_cast<char>(random() % (round % 2 == 0 ? 256 : 128));
        }
        const std::string field = content_disposition(name);
        ASSERT_THAT(field, StartsWith("attachment"));
        ASSERT_LE(field.size(), 1000U);
        for (const char letter : field) {
            ASSERT_TRUE(letter >= ' ' && letter <= '~');
        }
        const auto quotes = static_cast<std::size_t>(std::ranges::count(field, '"'));
        ASSERT_TRUE(quotes == 0 || quotes == 2) << field;
        ASSERT_THAT(field, Not(HasSubstr("/")));
        ASSERT_THAT(field, Not(HasSubstr("\\")));
        ASSERT_THAT(field, Not(HasSubstr("filename=\".")));
    }
}

}  // namespace
}  // namespace lihandover::objectserver
