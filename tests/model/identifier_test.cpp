#include "lihandover/model/identifier.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "lihandover/model/matching.hpp"

namespace lihandover::model {
namespace {

using enum IdentifierType;

bool share_a_key(const Identifier& left, const Identifier& right) {
    IdentifierScratch left_scratch;
    IdentifierScratch right_scratch;
    const IdentifierKeys left_keys = keys_of(left.type, left.value, {}, left_scratch);
    const IdentifierKeys right_keys = keys_of(right.type, right.value, {}, right_scratch);
    bool shared = false;
    for (const IdentifierKey& a : left_keys) {
        for (const IdentifierKey& b : right_keys) {
            const bool equal = a.identity_class == b.identity_class && a.bytes == b.bytes;
            EXPECT_EQ(equal, a.hash == b.hash && a.identity_class == b.identity_class);
            shared = shared || equal;
        }
    }
    return shared;
}

bool same(IdentifierType left_type, std::string_view left, IdentifierType right_type, std::string_view right) {
    const bool forward = equivalent({left_type, left}, {right_type, right});
    EXPECT_EQ(forward, equivalent({right_type, right}, {left_type, left})) << left << " / " << right;
    EXPECT_TRUE(!forward || share_a_key({left_type, left}, {right_type, right})) << left << " / " << right;
    return forward;
}

std::string bytes(IdentifierType type, std::string_view value) {
    IdentifierScratch scratch;
    return std::string(keys_of(type, value, {}, scratch).front().bytes);
}

bool same_under(const KeyRules& rules, const Identifier& left, const Identifier& right) {
    return equivalent(left, right, rules);
}

/// Whether an identifier reported by a source with this plan is what a warrant targets.
bool matches(const NumberPlan* plan, const Identifier& event, const Identifier& target) {
    IdentifierScratch event_scratch;
    IdentifierScratch target_scratch;
    KeyRules rules;
    rules.numbers = plan;
    const IdentifierKeys targets = keys_of(target.type, target.value, {}, target_scratch);
    for (const IdentifierKey& key : keys_of(event.type, event.value, rules, event_scratch)) {
        for (const IdentifierKey& other : targets) {
            if (key.identity_class == other.identity_class && key.bytes == other.bytes) {
                return true;
            }
        }
    }
    return false;
}

// The two tables of docs/identifiers.md: what has to match, since a missed identifier is an intercept lost without a
// sign, and what must not, since a wrong match is an intercept without a warrant.

TEST(IdentifierTable, WhatIsTheSameNumber) {
    const std::vector<Identifier> spellings = {
        {msisdn, "447700900128"},
        {e164, "+447700900128"},
        {msisdn, "00447700900128"},
        {msisdn, "+00447700900128"},
        {msisdn, "+44 7700 900128"},
        {msisdn, "+44-7700-900-128"},
        {msisdn, "+44 (7700) 900.128"},
        {msisdn, "(+44) 7700/900128"},
        {msisdn, " 447700900128 "},
        {msisdn, "00 44 7700 900128"},
        {msisdn, "\u202A+44\u00A07700\u202F900\u2011128\u202C"},
        {msisdn, "\u0664\u0664\u0667\u0667\u0660\u0660\u0669\u0660\u0660\u0661\u0662\u0668"},        // Arabic-Indic
        {msisdn, "+\u06F4\u06F4\u06F7\u06F7\u06F0\u06F0\u06F9\u06F0\u06F0\u06F1\u06F2\u06F8"},       // Persian
        {msisdn, "\uFF0B\uFF14\uFF14\uFF17\uFF17\uFF10\uFF10\uFF19\uFF10\uFF10\uFF11\uFF12\uFF18"},  // full width
        {msisdn, "+44\uFF087700\uFF09900\uFF0D128"},
        {msisdn, "tel:+447700900128"},
        {msisdn, "+447700900128;verstat=TN-Validation-Passed"},
        {e164, "+447700900128;ext=5"},
        {tel_uri, "+447700900128"},
        {tel_uri, "+44 7700 900128;verstat=TN-Validation-Passed;cpc=ordinary"},
        {sip_uri, "+447700900128"},
        {sip_uri, "+447700900128;ext=5"},
        {tel_uri, "tel:+447700900128"},
        {tel_uri, "TEL:+44(7700)900.128"},
        {tel_uri, "tel:+44-7700-900128"},
        {tel_uri, "tel:00447700900128"},
        {tel_uri, "tel:%2B447700900128"},
        {tel_uri, "tel:+447700900128;verstat=TN-Validation-Passed"},
        {tel_uri, "tel:+447700900128;cpc=ordinary"},
        {tel_uri, "tel:+447700900128;phone-context=+44"},
        {tel_uri, "tel:+447700900128;ext=12;isub=7"},
        {tel_uri, "<tel:+447700900128;cpc=ordinary>"},
        {sip_uri, "tel:+447700900128;verstat=No-TN-Validation"},
        {sip_uri, "sip:+447700900128@ims.example"},
        {sip_uri, "sip:+447700900128@ims.example;user=phone"},
        {sip_uri, "sip:+447700900128;verstat=TN-Validation-Passed@ims.example;user=phone"},
        {sip_uri, "sip:+447700900128;phone-context=+44@ims.example;user=phone"},
        {sip_uri, "sip:+44-7700-900-128@ims.example;user=phone"},
        {sip_uri, "sip:+44.7700.900128@ims.example;USER=PHONE"},
        {sip_uri, "sips:+447700900128@ims.example"},
        {sip_uri, "sip:+447700900128@ims.example:5060"},
        {sip_uri, "sip:+447700900128@[2001:db8::1]:5061;transport=tcp;lr"},
        {sip_uri, "sip:%2B447700900128@ims.example"},
        {sip_uri, "sip:+447700900128:secret@ims.example"},
        {sip_uri, "sip:447700900128@ims.example;user=phone"},
        {sip_uri, "sip:00447700900128@ims.example;user=phone"},
        {sip_uri, "<sip:+447700900128@ims.example;user=phone>"},
        {sip_uri, "\"Dave <sip:+1@x>\" <sip:+447700900128@ims.example>;tag=a6c85cf"},
        {tel_uri, "sip:+447700900128@ims.example;user=phone"},
    };
    for (const Identifier& one : spellings) {
        EXPECT_TRUE(same(msisdn, "447700900128", one.type, one.value)) << one.value;
        EXPECT_TRUE(same(sip_uri, "sip:+447700900128@other.example", one.type, one.value)) << one.value;
    }
}

TEST(IdentifierTable, WhatIsAnotherNumberOrNone) {
    const std::vector<Identifier> others = {
        {msisdn, "07700900128"},  // national, and nobody says of which country
        {msisdn, "7700900128"},
        {msisdn, "+44 (0)7700 900128"},
        {msisdn, "+07700900128"},
        {msisdn, "0447700900128"},
        {msisdn, "4477009001280"},
        {msisdn, "447700900128x"},
        {msisdn, "447700900128;ext=5"},
        {msisdn, "+447700900128x;ext=5"},
        {msisdn, "+;ext=5"},
        {sip_uri, "447700900128"},
        {msisdn, "+44\uFF080\uFF097700900128"},
        {msisdn, "44 77+00900128"},
        {msisdn, "++447700900128"},
        {tel_uri, "tel:447700900128"},  // local, without its context
        {tel_uri, "tel:7700900128;phone-context=+44"},
        {tel_uri, "tel:447700900128;phone-context=example.com"},
        {tel_uri, "tel:07700900128;phone-context=+44"},
        {sip_uri, "sip:447700900128@ims.example"},  // a user's name that happens to be digits
        {sip_uri, "sip:07700900128@ims.example;user=phone"},
        {sip_uri, "sip:7700900128;phone-context=+44@ims.example;user=phone"},
        {sip_uri, "sip:+447700900128x@ims.example"},
        {sip_uri, "sip:447700900128@ims.example;user=ip"},
        {sip_uri, "sip:+447700900128@"},
        {user_id, "447700900128"},
        {username, "447700900128"},
        {email, "447700900128@ims.example"},
    };
    for (const Identifier& one : others) {
        EXPECT_FALSE(same(msisdn, "447700900128", one.type, one.value)) << one.value;
    }
    // Brackets within a URI are part of it.
    EXPECT_FALSE(same(msisdn, "447700900128", sip_uri, "sip:alice@ims.example;x=<tel:+447700900128>"));
    // An extension with user=phone is not a short code.
    EXPECT_FALSE(same(msisdn, "1234", sip_uri, "sip:1234@pbx.example;user=phone"));
}

TEST(IdentifierTable, NationalNumbersOfASourceThatSaysHowItWritesThem) {
    const NumberPlan british{"44", "0", "00"};
    const Identifier wanted{msisdn, "447700900128"};
    for (const Identifier& one :
         std::vector<Identifier>{{msisdn, "07700900128"},
                                 {msisdn, "07700 900 128"},
                                 {msisdn, "(07700) 900128"},
                                 {msisdn, "447700900128"},
                                 {msisdn, "+447700900128"},
                                 {msisdn, "00447700900128"},
                                 {msisdn, "+44 (0)7700 900128"},
                                 {msisdn, "+44 ( 0 ) 7700 900128"},
                                 {msisdn, "0044 (0)7700 900128"},
                                 {msisdn, "+44\uFF080\uFF097700 900128"},
                                 {tel_uri, "tel:07700900128;phone-context=+44"},
                                 {tel_uri, "tel:7700900128;phone-context=+44"},
                                 {tel_uri, "tel:00447700900128;phone-context=+44"},
                                 {sip_uri, "sip:7700900128;phone-context=+44@ims.example;user=phone"},
                                 {tel_uri, "tel:07700900128"},
                                 {sip_uri, "sip:07700900128@ims.example;user=phone"},
                                 {sip_uri, "sip:07700900128;phone-context=+44@ims.example;user=phone"}}) {
        EXPECT_TRUE(matches(&british, one, wanted)) << one.value;
    }
    for (const Identifier& one : std::vector<Identifier>{{msisdn, "7700900128"},
                                                         {tel_uri, "tel:07700900128;phone-context=+49"},
                                                         {tel_uri, "tel:7700900128;phone-context=ims.example"},
                                                         {sip_uri, "sip:07700900128@ims.example"}}) {
        EXPECT_FALSE(matches(&british, one, wanted)) << one.value;
    }
    // What a context says is no number of another country.
    for (const Identifier& one :
         std::vector<Identifier>{{tel_uri, "tel:7700900128;phone-context=+44"},
                                 {sip_uri, "sip:7700900128;phone-context=+44@ims.example;user=phone"}}) {
        EXPECT_FALSE(matches(&british, one, {msisdn, "7700900128"})) << one.value;
    }
    const NumberPlan american{"1", "1", "011"};
    for (const Identifier& one :
         std::vector<Identifier>{{tel_uri, "tel:2125550123;phone-context=+1"},
                                 {tel_uri, "tel:12125550123;phone-context=+1"},
                                 {sip_uri, "sip:2125550123;phone-context=+1@ims.example;user=phone"}}) {
        EXPECT_TRUE(matches(&american, one, {msisdn, "12125550123"})) << one.value;
        EXPECT_FALSE(matches(&american, one, {msisdn, "2125550123"})) << one.value;
    }
    EXPECT_TRUE(matches(&american, {tel_uri, "tel:011447700900128;phone-context=+1"}, wanted));
    EXPECT_TRUE(matches(&american, {msisdn, "12125550123"}, {msisdn, "12125550123"}));
    EXPECT_TRUE(matches(&american, {msisdn, "011447700900128"}, wanted));
    EXPECT_TRUE(matches(&american, {msisdn, "00447700900128"}, wanted));
    EXPECT_FALSE(matches(nullptr, {msisdn, "011447700900128"}, wanted));
    // Without a trunk prefix, everything that does not begin as an international number is national.
    const NumberPlan danish{"45", "", "00"};
    EXPECT_TRUE(matches(&danish, {msisdn, "20123456"}, {msisdn, "4520123456"}));
    EXPECT_FALSE(matches(&danish, {msisdn, "20123456"}, {msisdn, "20123456"}));
    EXPECT_TRUE(matches(&danish, {msisdn, "+20123456"}, {msisdn, "20123456"}));
    EXPECT_TRUE(matches(&danish, {tel_uri, "tel:20123456;phone-context=+45"}, {msisdn, "4520123456"}));
    // Only the prefix is said: no number is national.
    const NumberPlan prefix_only{"1", std::nullopt, "011"};
    EXPECT_TRUE(matches(&prefix_only, {msisdn, "011447700900128"}, wanted));
    EXPECT_TRUE(matches(&prefix_only, {msisdn, "447700900128"}, wanted));
    EXPECT_TRUE(matches(&prefix_only, {tel_uri, "tel:2125550123;phone-context=+1"}, {msisdn, "12125550123"}));
    // Equal URIs are equal whatever the plan makes of them.
    const Identifier local{sip_uri, "sip:07700900128@ims.example;user=phone"};
    EXPECT_TRUE(matches(&british, local, local));
    EXPECT_TRUE(matches(nullptr, local, local));
    EXPECT_FALSE(matches(nullptr, {msisdn, "07700900128"}, local)) << "a leading zero is no number of the world";
}

TEST(IdentifierTable, WhatIsTheSameEmail) {
    for (const std::string_view one :
         {"alice@b\u00FCcher.example", "Alice@B\u00DCCHER.Example", "ALICE@xn--bcher-kva.example",
          "alice@XN--BCHER-KVA.EXAMPLE.", "alice@bu\u0308cher.example.", " alice@xn--bcher-kva.example",
          "alice@xn--bcher-kva.example\t", "\u00A0alice@xn--bcher-kva.example", "mailto:alice@xn--bcher-kva.example",
          "mailto:alice@xn--bcher-kva.example?subject=Hello%20there", "MAILTO:%61lice@b%C3%BCcher.example?",
          "\"alice\"@xn--bcher-kva.example", "\"Alice\"@B\u00DCCHER.example", "<\"alice\"@xn--bcher-kva.example>",
          "Alice <alice@xn--bcher-kva.example>", "alice@b\u00FCcher\u3002example"}) {
        EXPECT_TRUE(same(email, "alice@xn--bcher-kva.example", email, one)) << one;
    }
    EXPECT_TRUE(same(email, "J\u00D6RG@example.com", email, "j\u00F6rg@example.com"));
    EXPECT_TRUE(same(email, "\"a@B\"@Example.com", email, "\"a@b\"@example.COM"));
    EXPECT_TRUE(same(email, "\"j.o'n+x\"@example.com", email, "j.o'n+x@example.com"));
}

TEST(IdentifierTable, WhatIsAnotherEmail) {
    for (const std::string_view one :
         {"alice@bucher.example", "alice@b\u00FCcher.example.org", "al.ice@xn--bcher-kva.example",
          "alice+x@xn--bcher-kva.example", "alice@xn--bcher-kva.example..", "alice@@xn--bcher-kva.example", "alice",
          "xn--bcher-kva.example"}) {
        EXPECT_FALSE(same(email, "alice@xn--bcher-kva.example", email, one)) << one;
    }
    EXPECT_TRUE(same(email, "a@B\u00DCCHE%ple", email, "a@b\u00FCche%ple")) << "no domain name, but case has it";
    EXPECT_FALSE(same(email, "a@\xFF.Example", email, "a@\xFE.Example"));
    EXPECT_TRUE(same(email, "a@\xFF.Example", email, "a@\xFF.example"));
    EXPECT_FALSE(same(email, "alice@example.com", username, "alice@example.com"));
    // Quotes that are needed are part of the name.
    EXPECT_FALSE(same(email, "\"a b\"@example.com", email, "a b@example.com"));
    EXPECT_FALSE(same(email, "\"a.\"@example.com", email, "a.@example.com"));
    EXPECT_FALSE(same(email, "\"\"@example.com", email, "@example.com"));
    EXPECT_FALSE(same(email, "\"alice\"", email, "alice"));
    EXPECT_FALSE(same(email, "alice@example.com?subject=x", email, "alice@example.com")) << "only a URI has fields";
    // Names of different people, which case folding would join.
    EXPECT_FALSE(same(email, "fu\u00DFball@example.com", email, "fussball@example.com"));
    EXPECT_FALSE(same(email, "fu\u017F\u017Fball@example.com", email, "fussball@example.com"));
    EXPECT_TRUE(same(email, "FU\u1E9EBALL@example.com", email, "fu\u00DFball@example.com"));
}

TEST(IdentifierTable, WhatIsTheSameImUri) {
    for (const std::string_view one :
         {"im:Alice@B\u00DCCHER.Example", "IM:alice@xn--bcher-kva.example.", "alice@XN--BCHER-KVA.example",
          "Alice <im:alice@b\u00FCcher.example>;tag=1", "im:%61lice@b%C3%BCcher.example?subject=Hello",
          "im:\"alice\"@xn--bcher-kva.example"}) {
        EXPECT_TRUE(same(im_uri, "im:alice@xn--bcher-kva.example", im_uri, one)) << one;
    }
    EXPECT_TRUE(same(im_uri, "im:alice%40work@example.com", im_uri, "im:alice@work@example.com"));
    // By its form, whatever type the source gave it.
    EXPECT_TRUE(same(im_uri, "im:alice@example.com", sip_uri, "IM:alice@example.com"));
    EXPECT_TRUE(same(im_uri, "sip:alice@example.com", sip_uri, "sip:alice@example.com"));
    EXPECT_TRUE(same(im_uri, "tel:+447700900128", msisdn, "447700900128"));
    EXPECT_TRUE(same(im_uri, "+447700900128", msisdn, "447700900128"));
}

TEST(IdentifierTable, WhatIsAnotherImUri) {
    EXPECT_FALSE(same(im_uri, "im:alice@example.com", im_uri, "im:al.ice@example.com"));
    EXPECT_FALSE(same(im_uri, "im:alice@example.com", im_uri, "im:alice@example.org"));
    EXPECT_FALSE(same(im_uri, "im:alice@example.com", email, "alice@example.com"));
    EXPECT_FALSE(same(im_uri, "alice@example.com", email, "alice@example.com"));
    EXPECT_FALSE(same(im_uri, "im:alice@example.com", sip_uri, "sip:alice@example.com"));
    EXPECT_FALSE(same(im_uri, "im:alice@example.com", username, "im:alice@example.com"));
    EXPECT_FALSE(same(im_uri, "im:+447700900128@example.com", msisdn, "447700900128"));
    EXPECT_FALSE(same(im_uri, "im:+447700900128@example.com", sip_uri, "sip:+447700900128@example.com"));
    EXPECT_FALSE(same(im_uri, "447700900128", msisdn, "447700900128"));
}

TEST(IdentifierTable, CaseCountsWhereTheRulesSaySo) {
    const KeyRules exact{CaseRule::exact, CaseRule::exact, nullptr};
    const KeyRules folded{CaseRule::insensitive, CaseRule::insensitive, nullptr};
    EXPECT_FALSE(same_under(exact, {email, "Alice@example.com"}, {email, "alice@example.com"}));
    EXPECT_TRUE(same_under(exact, {email, "Alice@EXAMPLE.com"}, {email, "Alice@example.com."}));
    EXPECT_TRUE(same_under(folded, {email, "Alice@example.com"}, {email, "aLICE@example.com"}));
    EXPECT_FALSE(same_under(exact, {im_uri, "im:Alice@example.com"}, {im_uri, "im:alice@example.com"}));
    EXPECT_TRUE(same_under(exact, {im_uri, "im:Alice@EXAMPLE.com"}, {im_uri, "IM:Alice@example.com."}));
    EXPECT_TRUE(same_under(folded, {im_uri, "im:Alice@example.com"}, {im_uri, "im:aLICE@example.com"}));
    EXPECT_FALSE(same_under(exact, {username, "Alice"}, {username, "alice"}));
    EXPECT_TRUE(same_under(folded, {username, "Alice"}, {username, "aLICE"}));
    EXPECT_FALSE(same_under(folded, {username, "stra\u00DFe"}, {username, "strasse"})) << "names of two people";
    EXPECT_TRUE(same_under(folded, {username, "STRA\u1E9EE"}, {username, "Stra\u00DFe"}));
    EXPECT_FALSE(same_under(folded, {username, "\u0131van"}, {username, "ivan"}));
    EXPECT_TRUE(same_under(folded, {username, "\u039F\u0394\u039F\u03A3"}, {username, "\u03BF\u03B4\u03BF\u03C2"}));
    EXPECT_TRUE(same_under(folded, {username, "AME\u0301LIE"}, {username, "am\u00E9lie"}));
    EXPECT_FALSE(same_under(folded, {username, "A\xED\xA0\x80"}, {username, "a\xED\xA0\x80"}));
    EXPECT_FALSE(same_under(folded, {user_id, "U-1"}, {user_id, "u-1"})) << "user ids are exact always";

    Matching matching;
    matching.services["examplechat"].username = CaseRule::insensitive;
    matching.services["mail"].email_local_part = CaseRule::exact;
    EXPECT_EQ(matching.rules_of("other"), KeyRules{});
    EXPECT_EQ(matching.rules_of("examplechat").username, CaseRule::insensitive);
    EXPECT_EQ(matching.rules_of("examplechat").email_local_part, CaseRule::insensitive);
    EXPECT_EQ(matching.rules_of("mail").email_local_part, CaseRule::exact);
    EXPECT_EQ(matching.all_rules().size(), 3U);
}

TEST(IdentifierTable, HostsOfSipUris) {
    EXPECT_TRUE(same(sip_uri, "sip:alice@IMS.Example.", sip_uri, "sip:alice@ims.example"));
    EXPECT_TRUE(same(sip_uri, "sip:alice@b\u00FCcher.example", sip_uri, "sip:alice@xn--bcher-kva.EXAMPLE."));
    EXPECT_TRUE(same(sip_uri, "sip:alice@b%C3%BCcher.example", sip_uri, "<sip:alice@xn--bcher-kva.example>"));
    EXPECT_FALSE(same(sip_uri, "sip:alice@bucher.example", sip_uri, "sip:alice@xn--bcher-kva.example"));
    EXPECT_FALSE(same(sip_uri, "sip:alice@ims.example:5060", sip_uri, "sip:alice@ims.example"))
        << "RFC 3261 has a port count, where the user is no number";
    EXPECT_FALSE(same(sip_uri, "sip:Alice@ims.example", sip_uri, "sip:alice@ims.example"));
}

TEST(Identifier, NumbersAreComparedByTheirDigits) {
    // With the marks and spaces that a contact list inserts: direction, no break, narrow, a special hyphen.
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

TEST(Identifier, EmailsAreWrittenWithTheirDomainInLowerCase) {
    EXPECT_EQ(normalised(email, "Alice@EXAMPLE.com"), "Alice@example.com");
    EXPECT_EQ(normalised(email, "alice@B\u00DCCHER.example."), "alice@b\u00FCcher.example.");
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
    // Local numbers: their parameters all count, in any order, without case.
    EXPECT_TRUE(same(tel_uri, "tel:42;isub=AbC;phone-context=x", tel_uri, "tel:42;phone-context=X;ISUB=aBc"));
    EXPECT_FALSE(same(tel_uri, "tel:42;phone-context=x;isub=1", tel_uri, "tel:42;phone-context=x;isub=2"));
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

/// Processor time of the thread, which the load of the machine leaves alone.
double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// The least time that it takes to compare two URIs of so many parameters.
double time_to_compare(int parameters) {
    std::string left = "sip:alice@example.com";
    for (int n = 0; n < parameters; ++n) {
        left += ";parameter-" + std::to_string(10 + n) + "=value-" + std::to_string(n);
    }
    const std::string right = left + "x";
    double least = 1;
    for (int round = 0; round < 20; ++round) {
        const double begun = cpu_seconds();
        for (int n = 0; n < 50; ++n) {
            EXPECT_FALSE(parameters_agree(left, right));
        }
        least = std::min(least, cpu_seconds() - begun);
    }
    return least;
}

TEST(Identifier, ParametersAreComparedInOnePass) {
    // Eight times as many take eight times as long or a little more; each against each would take 64 times as long.
    EXPECT_LT(time_to_compare(32), 24 * time_to_compare(4));
}

TEST(Identifier, BrokenUrisAreComparedAsText) {
    for (const std::string_view text :
         {"sip:", "sip:@host", "sip:a@", "sip:a@[::1", "sip:a@host:", "sip:a@host:x", "sip:a@ho st", "sip:a@[::1]x",
          "sip:a@h%41", "sip:a@h%", "sip:a@h%C", "sip:a@%2F", "alice", "aim:alice@example.com", "%", "tel:+x"}) {
        IdentifierScratch scratch;
        EXPECT_EQ(keys_of(sip_uri, text, {}, scratch).front().identity_class, IdentityClass::uri_text) << text;
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
                                 {im_uri, "IM:A%40B@B.C?X=Y"},
                                 {im_uri, "im:A@B%40C"},
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
        std::string text = n % 4 == 0 ? "sip:" : n % 4 == 1 ? "tel:" : n % 4 == 2 ? "im:" : "";
        for (std::size_t length = random() % 24; length > 0; --length) {
            text.push_back(alphabet[random() % alphabet.size()]);
        }
        for (const IdentifierType type : {user_id, username, msisdn, e164, email, sip_uri, tel_uri, im_uri}) {
            ASSERT_TRUE(equivalent({type, text}, {type, text}));
            const std::string once = normalised(type, text);
            ASSERT_EQ(normalised(type, once), once) << text;
            static_cast<void>(target_problem(type, text));
        }
    }
}

TEST(Identifier, CommonFormsAreViewsOfTheValue) {
    IdentifierScratch scratch;
    const std::vector<Identifier> forms = {
        {user_id, "u-1001"}, {username, "alice"}, {msisdn, "+447700900123"}, {email, "alice@example.com"}};
    for (const auto& [type, value] : forms) {
        const IdentifierKey key = keys_of(type, value, {}, scratch).front();
        EXPECT_GE(key.bytes.data(), value.data());
        EXPECT_LE(key.bytes.data() + key.bytes.size(), value.data() + value.size());
    }
}

TEST(Identifier, ScratchGrowsOnce) {
    IdentifierScratch scratch;
    for (std::string* const buffer : {&scratch.number, &scratch.text, &scratch.work}) {
        buffer->reserve(512);
    }
    const char* const before = scratch.text.data();
    for (const std::string_view value :
         {"sip:alice@Example.com:5060;transport=tcp;lr?a=b&c=d", "tel:7042;phone-context=Example.com"}) {
        static_cast<void>(keys_of(sip_uri, value, {}, scratch));
    }
    static_cast<void>(keys_of(email, "Alice@Example.com.", {}, scratch));
    EXPECT_EQ(scratch.text.data(), before);
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
                                          {sip_uri, "sip:+447700900123@ims.example.com;user=phone"},
                                          {sip_uri, "sip:07700900123@ims.example.com;user=phone"},
                                          {tel_uri, "tel:+447700900123;ext=1"},
                                          {email, "alice@b\u00FCcher.example"},
                                          {email, " alice@example.com"},
                                          {tel_uri, "tel:7042;phone-context=example.com"},
                                          {im_uri, "im:alice@example.com"},
                                          {im_uri, "IM:a%20b@b\u00FCcher.example"}};
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
                                         {msisdn, "+44 (0)7700 900124"},
                                         {msisdn, "07700900125"},
                                         {msisdn, "0044 7700 900126"},
                                         {e164, "+0447700900126"},
                                         {tel_uri, "tel:+44(0)7700900124"},
                                         {tel_uri, "tel:+0447700900124"},
                                         {tel_uri, "07700900125"},
                                         {sip_uri, "sip:+44(0)7700900124@ims.example"},
                                         {sip_uri, "sip:+0447700900124@ims.example"},
                                         {email, "mailto:dave@example.com"},
                                         {email, "sip:dave@example.com"},
                                         {email, "Dave <dave@example.com>"},
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
                                         {tel_uri, "tel:"},
                                         {im_uri, "carol@example.com"},
                                         {im_uri, "sip:carol@example.com"},
                                         {im_uri, "im:carol"},
                                         {im_uri, "im:@example.com"},
                                         {im_uri, "im:carol@"},
                                         {im_uri, "im:carol@?a=b@c"},
                                         {im_uri, "im:a b@example.com"},
                                         {im_uri, "<im:carol@example.com>"},
                                         {im_uri, "im:carol@example.com>"}};
    for (const auto& [type, value] : bad) {
        const auto problem = target_problem(type, value);
        ASSERT_TRUE(problem.has_value()) << value;
        if (value.size() > 4) {
            EXPECT_EQ(problem->find(value), std::string_view::npos) << value;
        }
    }
}

TEST(Identifier, EachKeyIsOfItsClass) {
    EXPECT_EQ(bytes(sip_uri, "sip:alice@Example.com.;lr"), "sip:alice@example.com");
    EXPECT_EQ(bytes(tel_uri, "tel:+44-77"), "4477");
    EXPECT_EQ(bytes(tel_uri, "tel:+44-77;ext=1"), "4477");
    EXPECT_EQ(bytes(tel_uri, "tel:77;phone-context=x"), "77;phone-context=x");
    IdentifierScratch scratch;
    const IdentifierKeys keys = keys_of(sip_uri, "sip:447700900123@a.example;user=phone", {}, scratch);
    ASSERT_EQ(keys.size(), 2U);
    EXPECT_EQ(keys.begin()[0].identity_class, IdentityClass::number);
    EXPECT_EQ(keys.begin()[1].identity_class, IdentityClass::sip);
    EXPECT_EQ(keys.begin()[1].bytes, "sip:447700900123@a.example;user=phone");
}

// Stored items are written with it again, by later versions too: these values are fixed forever.
TEST(Identifier, WhatDocumentsSayNeverChanges) {
    const std::vector<std::tuple<IdentifierType, std::string_view, std::string_view>> fixed = {
        {msisdn, "+44 (0)7700-900.124", "4407700900124"},
        {msisdn, "00447700900128", "00447700900128"},
        {msisdn, "tel:+44-7700-900128", "447700900128"},
        {msisdn, "tel:+447700900128;ext=1.2", "tel:+447700900128;ext=12"},
        {msisdn, "BANK24", "BANK24"},
        {e164, "\u0664\u0664", "\u0664\u0664"},
        {tel_uri, "tel:+447700900128;verstat=TN-Validation-Passed", "tel:+447700900128;verstat=tn-validation-passed"},
        {tel_uri, "+44 7700", "447700"},
        {tel_uri, "sip:A@B.C", "sip:A@b.c"},
        {sip_uri, "sip:+447700900128@IMS.example.:5060;user=PHONE", "sip:+447700900128@ims.example.:5060;user=phone"},
        {sip_uri, "<sip:alice@IMS.example>", "<sip:alice@IMS.example>"},
        {sip_uri, "447700900128", "447700900128"},
        {email, " Alice@Example.com.", " Alice@example.com."},
        {im_uri, "IM:Alice%41@B\u00DCcher.Example.?Subject=X", "im:Alice%41@b\u00FCcher.example.?Subject=X"},
        {im_uri, "im:a@B%C3%9Ccher", "im:a@B%C3%9Ccher"},
        {im_uri, "Alice@Example.com", "Alice@Example.com"},
        {im_uri, "<im:alice@IMS.example>", "<im:alice@IMS.example>"},
        {im_uri, "sip:A@B.C", "sip:A@b.c"},
        {im_uri, "tel:+44-7700", "tel:+447700"},
        {im_uri, "447700900128", "447700900128"},
        {sip_uri, "IM:A@B.C", "IM:A@B.C"},
        {username, "Alice", "Alice"},
        {user_id, " u-1 ", " u-1 "},
    };
    for (const auto& [type, value, written] : fixed) {
        EXPECT_EQ(normalised(type, value), written);
    }
}

}  // namespace
}  // namespace lihandover::model
