#include "lihandover/model/media_type.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lihandover::model {
namespace {

TEST(MediaType, TakesWhatMayStandInAContentType) {
    for (const std::string& good :
         {std::string("image/jpeg"), std::string("TEXT/Plain"), std::string("application/vnd.example.v1+json"),
          std::string("text/plain;charset=utf-8"), std::string("text/plain ; charset=\"utf-8\" ;x=y"),
          std::string(R"(a/b; name="a \"quoted\" name; with / all")"), std::string("a/b;c=\"\""),
          std::string(127, 'a') + '/' + std::string(127, 'b')}) {
        EXPECT_TRUE(is_media_type(good)) << good;
    }
}

TEST(MediaType, RefusesWhatWouldBreakAHeaderField) {
    using namespace std::string_literals;
    for (const std::string& bad : {""s,
                                   "image"s,
                                   "image/"s,
                                   "/jpeg"s,
                                   "image/jpeg/x"s,
                                   "im age/jpeg"s,
                                   " image/jpeg"s,
                                   "image/jpeg "s,
                                   "image/jpeg\r\nX: y"s,
                                   "image/jpeg\n"s,
                                   "image/jpeg\0"s,
                                   "image/jp\x7fg"s,
                                   "image/jp\xC3\xA9g"s,
                                   "image/jpeg;"s,
                                   "image/jpeg; "s,
                                   "image/jpeg;a"s,
                                   "image/jpeg;a="s,
                                   "image/jpeg;=a"s,
                                   "image/jpeg;a=b c"s,
                                   "image/jpeg;a=\"b"s,
                                   "image/jpeg;a=\"b\\"s,
                                   "image/jpeg;a=\"b\"c"s,
                                   "image/jpeg;a=\"\t\""s,
                                   "*/*"s,
                                   ".a/b"s,
                                   "a/-b"s,
                                   "a/b,c/d"s,
                                   std::string(128, 'a') + "/b",
                                   "a/b;c=" + std::string(255, 'd')}) {
        EXPECT_FALSE(is_media_type(bad)) << bad;
    }
}

}  // namespace
}  // namespace lihandover::model
