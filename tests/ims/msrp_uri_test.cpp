#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "lihandover/ims/msrp.hpp"

namespace lihandover::ims {
namespace {

TEST(MsrpUris, AreRead) {
    struct Case {
        std::string_view uri;
        bool secure;
        std::string_view userinfo;
        std::string_view host;
        std::uint16_t port;
        std::string_view session;
        std::string_view transport;
    };
    const std::vector<Case> cases = {
        {"msrp://a.example.com:2855/s1;tcp", false, "", "a.example.com", 2855, "s1", "tcp"},
        {"MSRPS://a.example.com:1/s/1+=;TCP;more=x;y", true, "", "a.example.com", 1, "s/1+=", "TCP"},
        {"msrp://alice@a.example.com/s1;ws", false, "alice", "a.example.com", 0, "s1", "ws"},
        {"msrp://u:p@[2001:db8::1]:65535/s1;tcp", false, "u:p", "2001:db8::1", 65535, "s1", "tcp"},
        {"msrp://[2001:db8::1]/s1;tcp", false, "", "2001:db8::1", 0, "s1", "tcp"},
        {"msrp://[2001:db8::1]:3402/s1", false, "", "2001:db8::1", 3402, "s1", ""},
        {"msrp://a.example.com:02855;tcp", false, "", "a.example.com", 2855, "", "tcp"},
        {"msrp://a.example.com", false, "", "a.example.com", 0, "", ""},
        {"msrp:a.example.com:9000/s1", false, "", "a.example.com", 9000, "s1", ""},
        {"msrps:a.example.com:9000/s1;tcp", true, "", "a.example.com", 9000, "s1", "tcp"},
        {"msrp://a.example.com:/s1;", false, "", "a.example.com", 0, "s1", ""},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.uri);
        const auto uri = read_msrp_uri(each.uri);
        ASSERT_TRUE(uri);
        EXPECT_EQ(uri->secure, each.secure);
        EXPECT_EQ(uri->userinfo, each.userinfo);
        EXPECT_EQ(uri->host, each.host);
        EXPECT_EQ(uri->port, each.port);
        EXPECT_EQ(uri->session, each.session);
        EXPECT_EQ(uri->transport, each.transport);
    }
}

TEST(MsrpUris, OthersAreNot) {
    for (const std::string_view each : {"",
                                        "msrp",
                                        "msrp:",
                                        "msrp://",
                                        "msrp:///s1;tcp",
                                        "http://a/s1;tcp",
                                        "x.msrp://a/s1;tcp",
                                        "a.example.com:1/s1",
                                        "msrp://a:port/s1;tcp",
                                        "msrp://a:0/s1;tcp",
                                        "msrp://a:65536/s1;tcp",
                                        "msrp://a:-1/s1;tcp",
                                        "msrp://a:1x/s1",
                                        "msrp://a/;tcp",
                                        "msrp://a:2855/",
                                        "msrp://[::1/s1;tcp",
                                        "msrp://[::1]x/s1;tcp",
                                        "msrp://[]/s1;tcp",
                                        "msrp://a]/s1;tcp",
                                        "msrp://u@/s1;tcp",
                                        "msrp://:2855/s1;tcp",
                                        "msrp://a b/s1;tcp",
                                        "msrp://a/s 1;tcp",
                                        "msrp://a/s1;tcp\r",
                                        "msrp://\xc3\xbc/s1;tcp",
                                        " msrp://a/s1;tcp"}) {
        EXPECT_FALSE(read_msrp_uri(each)) << each;
    }
    using namespace std::string_view_literals;
    EXPECT_FALSE(read_msrp_uri("msrp://a/s1\0;tcp"sv));
}

std::string key_of(std::string_view uri) {
    std::string key;
    append_msrp_uri_key(uri, key);
    return key;
}

TEST(MsrpUris, TheSameSessionEndIsTheSame) {
    // URIs of one line are the same, and those of different lines are not.
    const std::vector<std::vector<std::string_view>> ends = {
        {"msrp://a.example.com:2855/s1;tcp", "MSRP://A.Example.COM:2855/s1;TCP", "msrp://bob@a.example.com:2855/s1;tcp",
         "msrp://a.example.com:2855/s1;tcp;x=y", "msrp:a.example.com:02855/s1;tcp"},
        {"msrp://a.example.com:2855/S1;tcp"},
        {"msrp://a.example.com:2855/s1/;tcp"},
        {"msrps://a.example.com:2855/s1;tcp"},
        {"msrp://a.example.com:2856/s1;tcp"},
        {"msrp://a.example.com/s1;tcp", "msrp://a.example.com:/s1;tcp"},  // no port is not the default one
        {"msrp://a.example.com:2855/s1;ws"},
        {"msrp://a.example.com:2855/s1", "msrp://a.example.com:2855/s1;"},
        {"msrp://a.example.com:2855;tcp"},
        {"msrp://b.example.com:2855/s1;tcp"},
        {"msrp://[2001:db8::A]/s1;tcp", "msrp://[2001:DB8::a]/s1;tcp"},
        {"msrp://a/s1;tcp", "msrp://a/s1;tcp;ws"},
        {"[2001:db8::a]/s1"},  // as annex A of TS 24.247 has one
        {"[2001:DB8::a]/s1"},  // what is no URI is the same as itself
        {"m"},
        {""},
    };
    for (std::size_t i = 0; i < ends.size(); ++i) {
        for (std::size_t j = 0; j < ends.size(); ++j) {
            for (const std::string_view left : ends[i]) {
                for (const std::string_view right : ends[j]) {
                    EXPECT_EQ(same_msrp_uri(left, right), i == j) << left << " " << right;
                    EXPECT_EQ(key_of(left) == key_of(right), i == j) << left << " " << right;
                }
            }
        }
    }
}

TEST(MsrpUris, KeysDoNotRunTogether) {
    std::string key = "before";
    append_msrp_uri_key("msrp://a/s1;tcp", key);
    EXPECT_EQ(key, "before" + key_of("msrp://a/s1;tcp"));
    EXPECT_NE(key_of("x") + key_of("y3"), key_of("xy") + key_of("3"));
    EXPECT_NE(key_of("") + key_of("?0:"), key_of("?0:") + key_of(""));
}

}  // namespace
}  // namespace lihandover::ims
