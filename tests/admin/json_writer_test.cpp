#include "json_writer.hpp"

#include <gtest/gtest.h>

#include "query.hpp"

namespace lihandover::admin {
namespace {

TEST(JsonWriter, PutsCommasWhereTheyBelong) {
    std::string out;
    JsonWriter json(out);
    json.open_object().text("a", "1").key("b").open_array().number(1).boolean(true).null();
    json.open_object().close_object().close_array().time("t", model::Instant{0, 1000}).close_object();
    EXPECT_EQ(out, R"({"a":"1","b":[1,true,null,{}],"t":"1970-01-01T00:00:00.000001Z"})");
}

TEST(JsonWriter, EscapesAndMendsText) {
    std::string out;
    JsonWriter(out).text(std::string_view("\"\\\n\x1b\x7f\0", 6));
    EXPECT_EQ(out, R"("\"\\\u000a\u001b\u007f\u0000")");
    out.clear();
    JsonWriter(out).text("gr\xc3\xbc\xc3\x9f \xff\xc3(\xed\xa0\x80");
    EXPECT_EQ(out, "\"gr\xc3\xbc\xc3\x9f \xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(Query, IsTakenApartAndDecoded) {
    const auto query = parse_query("a=1&b=x%2Fy%20z&c=");
    ASSERT_TRUE(query);
    EXPECT_EQ(*query, (Query{{"a", "1"}, {"b", "x/y z"}, {"c", ""}}));
    EXPECT_TRUE(parse_query("")->empty());
    for (const auto* wrong : {"a", "a=%", "a=%2", "a=%zz", "a=1&a=2", "%=1", "a=1&&b=2"}) {
        EXPECT_FALSE(parse_query(wrong)) << wrong;
    }
}

}  // namespace
}  // namespace lihandover::admin
