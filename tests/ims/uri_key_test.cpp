#include "uri_key.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lihandover::ims {
namespace {

TEST(UserKey, IsTheSameForWhatNamesTheSameUser) {
    EXPECT_EQ(user_key("sip:a@example.com"), user_key(" SIP:a@Example.COM:5060;transport=tcp;gr=1?x=y "));
    EXPECT_EQ(user_key("sip:a@example.com"), user_key("sips:%61@example.com"));
    EXPECT_EQ(user_key("sip:+441632960001@x;user=phone"), user_key("tel:+44-1632-960001"));
    EXPECT_EQ(user_key("sip:+441632960001@x"), user_key("sip:+441632960001@y"));
    EXPECT_EQ(user_key("sip:a@[2001:DB8::1]"), user_key("sip:a@[2001:db8::1]:5060"));
}

TEST(UserKey, IsAnotherForOthers) {
    EXPECT_NE(user_key("sip:a@example.com"), user_key("sip:A@example.com"));
    EXPECT_NE(user_key("sip:a@example.com"), user_key("sip:a@example.org"));
    EXPECT_NE(user_key("sip:a@example.com"), user_key("im:a@example.com"));
    EXPECT_NE(user_key("sip:a@example.com"), user_key("sip:a@example.com:5070"));
    EXPECT_NE(user_key("sip:a@[2001:db8::5060]"), user_key("sip:a@[2001:db8:]"));
    EXPECT_NE(user_key(""), user_key("sip:"));
}

TEST(PlainUri, HasOneSpelling) {
    EXPECT_EQ(plain_uri("sips:Room-1@Example.COM:5061;transport=tls"), "sip:Room-1@example.com");
    EXPECT_EQ(plain_uri("sip:room@x"), plain_uri("SIP:room@X;gr=urn:uuid:1"));
    EXPECT_EQ(plain_uri("sip:as@x;LR;conf=7;transport=tcp?to=b"), "sip:as@x;conf=7");
    EXPECT_NE(plain_uri("sip:as@x;conf=7"), plain_uri("sip:as@x;conf=8"));
    EXPECT_EQ(plain_uri("sip:as@x;;"), "sip:as@x");
    EXPECT_EQ(plain_uri("sip:\xFF@x"), plain_uri("sip:\xFF@x"));
    EXPECT_EQ(plain_uri("im:room@x"), "im:room@x");
    EXPECT_EQ(plain_uri("sip:+441632960001@x;user=phone"), "sip:+441632960001@x");
    EXPECT_NE(plain_uri("sip:+441632960001@x"), plain_uri("sip:+441632960001@y"));
}

TEST(UserOf, IsWhatIsBeforeTheHost) {
    EXPECT_EQ(user_of("sip:room@x;a=b@c"), "room");
    EXPECT_EQ(user_of("sip:192.0.2.1:5060"), "");
    EXPECT_EQ(user_of("tel:+1"), "");
}

}  // namespace
}  // namespace lihandover::ims
