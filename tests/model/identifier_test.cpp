#include "lihandover/model/identifier.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace lihandover::model {
namespace {

using enum IdentifierType;

bool same(IdentifierType left_type, std::string_view left, IdentifierType right_type, std::string_view right) {
    const bool forward = equivalent({left_type, left}, {right_type, right});
    EXPECT_EQ(forward, equivalent({right_type, right}, {left_type, left})) << left << " / " << right;

    // Keys say the same, but for parameters that count only when both URIs have them.
    std::string left_scratch;
    std::string right_scratch;
    const CanonicalIdentifier a = canonical(left_type, left, left_scratch);
    const CanonicalIdentifier b = canonical(right_type, right, right_scratch);
    const bool keys = a.identity_class == b.identity_class && a.bytes == b.bytes;
    EXPECT_EQ(keys, a.hash == b.hash && a.identity_class == b.identity_class);
    if (!(a.has_optional_parameters && b.has_optional_parameters)) {
        EXPECT_EQ(forward, keys) << left << " / " << right;
    } else if (forward) {
        EXPECT_TRUE(keys) << left << " / " << right;
    }
    return forward;
}

std::string bytes(IdentifierType type, std::string_view value) {
    std::string scratch;
    return std::string(canonical(type, value, scratch).bytes);
}

TEST(Identifier, NumbersAreComparedByTheirDigits) {
    // With the marks and spaces that a contact list puts in: direction, no break, narrow, a hyphen of its own.
    constexpr std::string_view pasted = "\u202A+44\u00A07700\u202F900\u2011123\u202C";
    const std::vector<std::string_view> spellings = {"447700900123",     "+447700900123",      "+44 7700 900123",
                                                     "+44-7700-900-123", "(+44) 7700.900/123", pasted,
                                                     "tel:+447700900123"};
    for (const std::string_view text : spellings) {
        EXPECT_TRUE(same(msisdn, "447700900123", msisdn, text)) << text;
        EXPECT_TRUE(same(msisdn, text, e164, "+447700900123")) << text;
        EXPECT_EQ(normalised(msisdn, text), "447700900123");
    }
}

TEST(Identifier, ALeadingZeroIsADigitLikeAnyOther) {
    EXPECT_FALSE(same(msisdn, "00447700900123", msisdn, "447700900123"));
    EXPECT_FALSE(same(msisdn, "07700900123", msisdn, "7700900123"));
}

TEST(Identifier, AnAlphanumericSenderIsNoNumber) {
    EXPECT_TRUE(same(msisdn, "BANK24", msisdn, "BANK24"));
    EXPECT_FALSE(same(msisdn, "BANK24", msisdn, "24"));
    EXPECT_FALSE(same(msisdn, "BANK24", msisdn, "bank24"));
    EXPECT_FALSE(same(msisdn, "44 77+00", msisdn, "447700"));
    EXPECT_FALSE(same(msisdn, "++4477", msisdn, "4477"));
    EXPECT_EQ(normalised(msisdn, "My Bank"), "My Bank");
    EXPECT_FALSE(same(msisdn, "+", msisdn, "-"));
    EXPECT_FALSE(same(msisdn, "", msisdn, "+"));
}

TEST(Identifier, EmailDomainsHaveNoCaseAndLocalPartsDo) {
    EXPECT_TRUE(same(email, "alice@Example.COM", email, "alice@example.com"));
    EXPECT_FALSE(same(email, "Alice@example.com", email, "alice@example.com"));
    EXPECT_TRUE(same(email, "\"a@B\"@Example.com", email, "\"a@B\"@example.COM"));
    EXPECT_FALSE(same(email, "\"a@B\"@example.com", email, "\"a@b\"@example.com"));
    EXPECT_TRUE(same(email,
                     "a@B\xC3\x9C"
                     "CHER.example",
                     email,
                     "a@b\xC3\xBC"
                     "cher.example"));
    EXPECT_TRUE(same(email,
                     "a@bu\xCC\x88"
                     "cher.example",
                     email,
                     "a@b\xC3\xBC"
                     "cher.example"));
    EXPECT_FALSE(same(email, "a@\xFF.Example", email, "a@\xFE.Example"));
    EXPECT_TRUE(same(email, "a@\xFF.Example", email, "a@\xFF.example"));
    EXPECT_EQ(normalised(email, "Alice@EXAMPLE.com"), "Alice@example.com");
    EXPECT_EQ(normalised(email, "no at sign"), "no at sign");
}

TEST(Identifier, UserNamesAreComparedInNfc) {
    EXPECT_TRUE(same(username, "Ame\xCC\x81lie", username, "Am\xC3\xA9lie"));
    EXPECT_FALSE(same(username, "Am\xC3\xA9lie", username, "am\xC3\xA9lie"));
    EXPECT_FALSE(same(username, "Amelie", username, "Am\xC3\xA9lie"));
    EXPECT_EQ(normalised(username, "Ame\xCC\x81lie"), "Am\xC3\xA9lie");
}

TEST(Identifier, UserNamesThatAreNotUtf8AreComparedAsBytes) {
    const std::string lone_surrogate = "e\xCC\x81\xED\xA0\x80";
    EXPECT_TRUE(same(username, lone_surrogate, username, lone_surrogate));
    EXPECT_FALSE(same(username, lone_surrogate, username, "\xC3\xA9\xED\xA0\x80"));
    EXPECT_EQ(normalised(username, lone_surrogate), lone_surrogate);
}

TEST(Identifier, LongUserNamesAreNormalisedToo) {
    std::string decomposed;
    std::string composed;
    for (int n = 0; n < 2000; ++n) {
        decomposed += "e\xCC\x81";
        composed += "\xC3\xA9";
    }
    EXPECT_TRUE(same(username, decomposed, username, composed));
}

TEST(Identifier, UserIdsAreExactBytes) {
    EXPECT_TRUE(same(user_id, "u-1001", user_id, "u-1001"));
    EXPECT_FALSE(same(user_id, "u-1001", user_id, "U-1001"));
    EXPECT_FALSE(same(user_id, "e\xCC\x81", user_id, "\xC3\xA9"));
    EXPECT_FALSE(same(user_id, "447700900123", msisdn, "447700900123"));
    EXPECT_FALSE(same(user_id, "alice", username, "alice"));
    EXPECT_TRUE(same(user_id, std::string_view("a\0b", 3), user_id, std::string_view("a\0b", 3)));
    EXPECT_FALSE(same(user_id, std::string_view("a\0b", 3), user_id, std::string_view("a\0c", 3)));
}

TEST(Identifier, TelUris) {
    EXPECT_TRUE(same(tel_uri, "tel:+44-7700-900123", msisdn, "+44 7700 900123"));
    EXPECT_TRUE(same(tel_uri, "TEL:+44(7700)900.123", sip_uri, "tel:+447700900123"));
    // Parameters: all of them count, in any order, without case.
    EXPECT_FALSE(same(tel_uri, "tel:+447700900123;ext=12", msisdn, "447700900123"));
    EXPECT_TRUE(same(tel_uri, "tel:+447700900123;ext=1-2;isub=AbC", tel_uri, "tel:+447700900123;ISUB=aBc;ext=12"));
    EXPECT_FALSE(same(tel_uri, "tel:+447700900123;ext=12", tel_uri, "tel:+447700900123;ext=13"));
    EXPECT_FALSE(same(tel_uri, "tel:+447700900123;ext=12", tel_uri, "tel:+447700900123;ext=12;x=y"));
    // Local numbers.
    EXPECT_TRUE(same(tel_uri, "tel:7042;phone-context=Example.COM", tel_uri, "tel:70-42;phone-context=example.com"));
    EXPECT_FALSE(same(tel_uri, "tel:7042;phone-context=example.com", tel_uri, "tel:7042;phone-context=example.net"));
    EXPECT_TRUE(same(tel_uri, "tel:863-1234;phone-context=+1-914-555", tel_uri, "tel:8631234;phone-context=+1914555"));
    EXPECT_FALSE(same(tel_uri, "tel:7042;phone-context=+44", msisdn, "7042"));
    EXPECT_FALSE(same(tel_uri, "tel:447700900123", tel_uri, "tel:+447700900123"));
    EXPECT_TRUE(same(tel_uri, "tel:*A%231;phone-context=x", tel_uri, "tel:*a#1;phone-context=X"));
    // Not tel URIs, and not the number within them either.
    EXPECT_FALSE(same(tel_uri, "tel:+44abc", tel_uri, "tel:+44"));
    EXPECT_FALSE(same(tel_uri, "tel:", tel_uri, "tel:+"));
    EXPECT_EQ(normalised(tel_uri, "TEL:+44-7700-900123"), "tel:+447700900123");
    EXPECT_EQ(normalised(tel_uri, "tel:+447700900123;isub=A;ext=1.2"), "tel:+447700900123;ext=12;isub=a");
    EXPECT_EQ(normalised(tel_uri, "07700 900123"), "07700900123");
}

TEST(Identifier, SipUrisThatAreEquivalent) {  // the examples of RFC 3261 section 19.1.4
    const std::vector<std::pair<std::string_view, std::string_view>> pairs = {
        {"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"},
        {"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"},
        {"sip:carol@chicago.com", "sip:carol@chicago.com;security=on"},
        {"sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"},
        {"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
         "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"},
        {"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
         "sip:alice@atlanta.com?priority=urgent&subject=project%20x"},
        // and others
        {"SIP:alice@example.com", "sip:alice@EXAMPLE.com"},
        {"sip:a%2db@example.com", "sip:a-b@example.com"},
        {"sip:a%3bb@example.com", "sip:a%3Bb@example.com"},
        {"sip:alice@[2001:DB8::1]:5061", "sip:alice@[2001:db8:0:0::1]:5061"},
        {"sip:alice@example.com;lr", "sip:alice@example.com;LR"},
        {"sip:alice@example.com;a=1;b=2", "sip:alice@example.com;b=2;c=3"},
        {"sip:alice@example.com:05060", "sip:alice@example.com:5060"},
        {"sip:\xC3\xA9@example.com", "sip:%c3%a9@example.com"},
    };
    for (const auto& [left, right] : pairs) {
        EXPECT_TRUE(same(sip_uri, left, sip_uri, right)) << left << " / " << right;
        EXPECT_TRUE(same(tel_uri, left, sip_uri, right)) << left << " / " << right;
    }
}

TEST(Identifier, SipUrisThatAreNot) {
    const std::vector<std::pair<std::string_view, std::string_view>> pairs = {
        {"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"},
        {"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"},
        {"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"},
        {"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"},
        {"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"},
        {"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"},
        {"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"},
        {"sip:alice@example.com", "sips:alice@example.com"},
        {"sip:alice@example.com", "sip:alice:secret@example.com"},
        {"sip:alice@example.com", "sip:example.com"},
        {"sip:alice@example.com", "sip:alice@example.com;user=phone"},
        {"sip:alice@example.com", "sip:alice@example.com;user=ip"},
        {"sip:alice@example.com", "sip:alice@example.com;ttl=1"},
        {"sip:alice@example.com", "sip:alice@example.com;method=INVITE"},
        {"sip:alice@example.com", "sip:alice@example.com;maddr=192.0.2.1"},
        {"sip:alice@example.com;maddr=192.0.2.2", "sip:alice@example.com;maddr=192.0.2.1"},
        {"sip:alice@example.com;lr", "sip:alice@example.com;lr=on"},
        {"sip:a%3bb@example.com", "sip:a;b@example.com"},
        {"sip:+447700900123@example.com;user=phone", "tel:+447700900123"},
        {"sip:alice@example.com?a=1", "sip:alice@example.com?a=2"},
        {"sip:alice@example.com?a=1", "sip:alice@example.com?a=1&b=2"},
        {"alice@example.com", "sip:alice@example.com"},
    };
    for (const auto& [left, right] : pairs) {
        EXPECT_FALSE(same(sip_uri, left, sip_uri, right)) << left << " / " << right;
    }
}

TEST(Identifier, ASipUriWithAParameterTwiceIsItself) {  // which no URI may have, and a source can report
    constexpr std::string_view twice = "sip:alice@example.com;a=1;a=2";
    EXPECT_TRUE(same(sip_uri, twice, sip_uri, twice));
    EXPECT_TRUE(same(sip_uri, twice, sip_uri, "sip:alice@example.com;a=2;a=1"));
    EXPECT_TRUE(same(sip_uri, twice, sip_uri, "sip:alice@example.com;b=1"));
    EXPECT_FALSE(same(sip_uri, twice, sip_uri, "sip:alice@example.com;a=3"));
    EXPECT_FALSE(same(sip_uri, "sip:alice@example.com;a=3", sip_uri, twice));
}

TEST(Identifier, BrokenUrisAreComparedAsText) {
    for (const std::string_view text :
         {"sip:", "sip:@host", "sip:a@", "sip:a@[::1", "sip:a@host:", "sip:a@host:x", "sip:a@ho st", "sip:a@[::1]x",
          "sip:a@h%41", "sip:a@h%", "sip:a@h%C", "sip:a@%2F", "alice", "im:alice@example.com", "%", "tel:+x"}) {
        std::string scratch;
        EXPECT_EQ(canonical(sip_uri, text, scratch).identity_class, IdentityClass::uri_text) << text;
        EXPECT_TRUE(same(sip_uri, text, sip_uri, text));
        EXPECT_EQ(normalised(sip_uri, text), text);
    }
    std::string many = "sip:a@b";
    for (int n = 0; n < 1000; ++n) {
        many += ";p" + std::to_string(n);
    }
    EXPECT_TRUE(same(sip_uri, many, sip_uri, many));
    EXPECT_FALSE(same(sip_uri, many, sip_uri, "sip:a@b"));
}

TEST(Identifier, NormalisedSipUrisKeepEverything) {
    EXPECT_EQ(normalised(sip_uri, "SIP:%61lice@Example.COM:5060;LR;a=B?x=Y&Subject=%20"),
              "sip:alice@example.com:5060;a=b;lr?subject=%20&x=y");
    EXPECT_EQ(normalised(sip_uri, "sips:a b@[2001:db8:0::1]"), "sips:a%20b@[2001:db8::1]");
    EXPECT_EQ(normalised(sip_uri, "sip:a%@h"), "sip:a%25@h");
}

TEST(Identifier, NormalisingTwiceChangesNothing) {
    for (const auto& [type, text] :
         std::vector<Identifier>{{sip_uri, "SIP:%61lice@Example.COM:5060;LR;a=B?x=Y&Subject=%20"},
                                 {sip_uri, "tel:+44 7700"},
                                 {sip_uri, "sip:a%@h;x=%3b"},
                                 {sip_uri, "sip:%30lice@IM\xC3\xA4.e"},
                                 {tel_uri, "tel:70-42;phone-context=Example.com"},
                                 {msisdn, "+44 (0) 77"},
                                 {email, "A@B.C"},
                                 {username, "e\xCC\x81"}}) {
        const std::string once = normalised(type, text);
        EXPECT_EQ(normalised(type, once), once);
        EXPECT_TRUE(same(type, text, type, once));
    }
}

TEST(Identifier, AnyBytesAreTaken) {
    std::mt19937 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same every time
    constexpr std::string_view alphabet = "sip:tel@;?&=%%4a[]+-.0123456789 \xC2\xA0\xE2\x80\xCC\x81\xFF";
    for (int n = 0; n < 20'000; ++n) {
        std::string text = n % 3 == 0 ? "sip:" : n % 3 == 1 ? "tel:" : "";
        for (std::size_t length = random() % 24; length > 0; --length) {
            text.push_back(alphabet[random() % alphabet.size()]);
        }
        for (const IdentifierType type : {user_id, username, msisdn, e164, email, sip_uri, tel_uri}) {
            ASSERT_TRUE(equivalent({type, text}, {type, text}));
            const std::string once = normalised(type, text);
            ASSERT_EQ(normalised(type, once), once) << text;
            static_cast<void>(target_problem(type, text));
        }
    }
}

TEST(Identifier, CommonFormsAreViewsOfTheValue) {
    std::string scratch;
    const std::vector<Identifier> forms = {
        {user_id, "u-1001"}, {username, "alice"}, {msisdn, "+447700900123"}, {email, "alice@example.com"}};
    for (const auto& [type, value] : forms) {
        const CanonicalIdentifier key = canonical(type, value, scratch);
        EXPECT_GE(key.bytes.data(), value.data());
        EXPECT_LE(key.bytes.data() + key.bytes.size(), value.data() + value.size());
    }
}

TEST(Identifier, ScratchGrowsOnce) {
    std::string scratch;
    scratch.reserve(512);
    const char* const before = scratch.data();
    for (const std::string_view value :
         {"sip:alice@Example.com:5060;transport=tcp;lr?a=b&c=d", "tel:+44-7700-900123"}) {
        static_cast<void>(canonical(sip_uri, value, scratch));
    }
    EXPECT_EQ(scratch.data(), before);
}

TEST(Identifier, HashesSpread) {
    std::vector<std::size_t> buckets(256);
    for (int n = 0; n < 65'536; ++n) {
        const std::uint64_t hash = identity_hash(IdentityClass::number, std::to_string(447'700'000'000 + n));
        ++buckets[hash & 255U];
        ++buckets[hash >> 56U];
    }
    for (const std::size_t count : buckets) {
        EXPECT_GT(count, 350U);
        EXPECT_LT(count, 700U);
    }
}

TEST(Identifier, WhatMayBeTargeted) {
    const std::vector<Identifier> good = {{user_id, "u-1"},
                                          {username, "Al Ice"},
                                          {msisdn, "+44 7700 900123"},
                                          {msisdn, "BANK24"},
                                          {e164, "112"},
                                          {email, "a@b"},
                                          {email, "\"a b\"@x.example"},
                                          {sip_uri, "sip:alice@ims.example.com"},
                                          {sip_uri, "tel:+447700900123"},
                                          {tel_uri, "tel:+447700900123;ext=1"},
                                          {tel_uri, "tel:7042;phone-context=example.com"}};
    for (const auto& [type, value] : good) {
        EXPECT_EQ(target_problem(type, value), std::nullopt) << value;
    }
    const std::string long_id(3000, 'x');
    const std::vector<Identifier> bad = {{user_id, ""},
                                         {user_id, long_id},
                                         {msisdn, "+44 7700 90012x"},
                                         {msisdn, "12"},
                                         {msisdn, "1234567890123456"},
                                         {msisdn, "tel:+447700900123;ext=1"},
                                         {msisdn, "a very long sender"},
                                         {msisdn, "@#!"},
                                         {e164, "BANK24"},
                                         {email, "alice"},
                                         {email, "@example.com"},
                                         {email, "alice@"},
                                         {email, "a@b@c"},
                                         {email, "a b@c"},
                                         {email, "a@b c"},
                                         {sip_uri, "alice@example.com"},
                                         {sip_uri, "sip:"},
                                         {tel_uri, "tel:447700900123"},
                                         {tel_uri, "tel:"}};
    for (const auto& [type, value] : bad) {
        const auto problem = target_problem(type, value);
        ASSERT_TRUE(problem.has_value()) << value;
        if (value.size() > 4) {
            EXPECT_EQ(problem->find(value), std::string_view::npos) << value;
        }
    }
}

TEST(Identifier, CanonicalBytesOfEachClassDiffer) {
    EXPECT_EQ(bytes(sip_uri, "sip:alice@Example.com;lr"), "sip:alice@example.com");
    EXPECT_EQ(bytes(tel_uri, "tel:+44-77"), "4477");
    EXPECT_EQ(bytes(tel_uri, "tel:+44-77;ext=1"), "+4477;ext=1");
}

}  // namespace
}  // namespace lihandover::model
