#include "http/body_format.hpp"

#include <gtest/gtest.h>

namespace lihandover::intake {
namespace {

TEST(MediaTypeTest, KnowsTheTwoFormats) {
    for (const char* const text :
         {"application/json", "Application/JSON", " application/json ; charset=utf-8",
          "application/json;charset=\"UTF-8\"", "application/json;", "application/json; q=1"}) {
        EXPECT_EQ(body_format(text), BodyFormat::json) << text;
    }
    for (const char* const text : {"application/x-ndjson", "APPLICATION/X-NDJSON;charset=utf-8",
                                   "application/x-ndjson; boundary=x; charset=utf-8"}) {
        EXPECT_EQ(body_format(text), BodyFormat::ndjson) << text;
    }
}

TEST(MediaTypeTest, RefusesEverythingElse) {
    for (const char* const text :
         {"", ";", "text/plain", "application/jsonx", "application/xml", "json", "application/",
          "application/json; charset=latin1", "application/json;charset=", "application/json;charset",
          "application/x-ndjson; x=y; charset=utf-16", "application/json, application/xml"}) {
        EXPECT_FALSE(body_format(text).has_value()) << text;
    }
}

}  // namespace
}  // namespace lihandover::intake
