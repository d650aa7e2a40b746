#include "lihandover/http/url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lihandover::http {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Url, IsTakenApart) {
    const auto url = parse_url("HTTPS://LEA.example.com:8443/hi?a=b%20c");
    ASSERT_TRUE(url.has_value());
    EXPECT_EQ(url->scheme, "https");
    EXPECT_TRUE(url->secure());
    EXPECT_EQ(url->host, "lea.example.com");
    EXPECT_EQ(url->port, 8443);
    EXPECT_EQ(url->target, "/hi?a=b%20c");
    EXPECT_EQ(url->authority(), "lea.example.com:8443");
    EXPECT_EQ(url->endpoint(), "lea.example.com:8443");
}

TEST(Url, DefaultsAreFilledIn) {
    const auto secure = parse_url("https://lea.example.com");
    ASSERT_TRUE(secure.has_value());
    EXPECT_EQ(secure->port, 443);
    EXPECT_EQ(secure->target, "/");
    EXPECT_EQ(secure->authority(), "lea.example.com");
    EXPECT_EQ(secure->endpoint(), "lea.example.com:443");
    const auto plain = parse_url("http://127.0.0.1?x");
    ASSERT_TRUE(plain.has_value());
    EXPECT_EQ(plain->port, 80);
    EXPECT_EQ(plain->target, "/?x");
    EXPECT_FALSE(plain->secure());
}

TEST(Url, Ipv6LosesItsBracketsAndGetsThemBack) {
    const auto url = parse_url("https://[2001:DB8::1]:8443/x");
    ASSERT_TRUE(url.has_value());
    EXPECT_EQ(url->host, "2001:db8::1");
    EXPECT_EQ(url->authority(), "[2001:db8::1]:8443");
}

TEST(Url, WhatIsNotSupportedIsSaidAndNotRepeated) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "not an absolute URL"},
        {"secret.example.com/x", "not an absolute URL"},
        {"/only/a/path", "not an absolute URL"},
        {"ftp://secret.example.com/", "neither http nor https"},
        {"https://user:secret@host/", "user information"},
        {"https://host/#secret", "fragment"},
        {"https:///secret", "no host"},
        {"https://host:0/secret", "port"},
        {"https://host:65536/secret", "port"},
        {"https://host:99999999999/secret", "port"},
        {"https://ho%41st/secret", "percent-encoded"},
        {"https://host/se cret", "not an absolute URL"},
        {"https://host/secret\r\nX: y", "not an absolute URL"},
        {"https://host/" + std::string(9000, 'x'), "longer than"},
    };
    for (const auto& [text, reason] : cases) {
        const auto url = parse_url(text);
        ASSERT_FALSE(url.has_value()) << text;
        EXPECT_THAT(url.error().message, HasSubstr(reason)) << text;
        EXPECT_THAT(url.error().message, Not(HasSubstr("secret")));
    }
}

}  // namespace
}  // namespace lihandover::http
