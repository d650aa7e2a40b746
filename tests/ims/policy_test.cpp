#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lihandover/ims/conference.hpp"

namespace lihandover::ims {
namespace {

using Texts = std::vector<std::string>;

TEST(Policy, OfTheDraftsOnConferencePolicy) {
    const auto policy = read_policy(R"(<?xml version="1.0"?>
<conference xmlns="urn:ietf:params:xml:ns:conference-policy" xmlns:cr="urn:ietf:params:xml:ns:common-policy">
  <settings><conference-uri>sip:deck@focus.example.com</conference-uri><max-participant-count>9</max-participant-count>
  </settings>
  <info><subject xml:lang="en">the boat</subject><display-name>Deck</display-name></info>
  <dialout-list><target uri="sip:fiona@example.com"/><target uri="tel:+441632960001"/></dialout-list>
  <authorization-rules>
    <cr:rule id="1"><cr:conditions><cr:identity><cr:one id="sip:gerd@example.net"/></cr:identity></cr:conditions>
      <cr:actions><join-handling>allow</join-handling></cr:actions></cr:rule>
    <cr:rule id="2"><cr:conditions><cr:identity><cr:id>sip:mallory@example.org</cr:id></cr:identity></cr:conditions>
      <cr:actions><join-handling>block</join-handling></cr:actions></cr:rule>
    <cr:rule id="3"><cr:conditions><cr:identity><cr:one id="sip:boss@example.com"/></cr:identity></cr:conditions>
      <cr:actions><join-handling>allow</join-handling><is-floor-moderator>true</is-floor-moderator></cr:actions></cr:rule>
  </authorization-rules>
</conference>)",
                                    "application/conference-policy+xml");
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->conference, "sip:deck@focus.example.com");
    EXPECT_EQ(policy->subject, "the boat");
    EXPECT_EQ(policy->members,
              (Texts{"sip:fiona@example.com", "tel:+441632960001", "sip:gerd@example.net", "sip:boss@example.com"}));
    EXPECT_EQ(policy->refused, Texts{"sip:mallory@example.org"});
    EXPECT_EQ(policy->moderators, Texts{"sip:boss@example.com"});
}

TEST(Policy, OfARuleSet) {
    const auto policy = read_policy(
        "<ruleset xmlns='urn:ietf:params:xml:ns:common-policy'><rule id='a'><conditions><identity>"
        "<one id='sip:a@x'/><one id='sip:b@x'/><many domain='y'/></identity></conditions>"
        "<actions><allow-join>false</allow-join><is-key-participant>true</is-key-participant></actions></rule>"
        "<rule id='b'><conditions><identity><one id='sip:c@x'/></identity></conditions></rule></ruleset>",
        "application/auth-policy+xml");
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->conference, "");
    EXPECT_EQ(policy->refused, (Texts{"sip:a@x", "sip:b@x"}));
    EXPECT_EQ(policy->members, Texts{"sip:c@x"});
    EXPECT_EQ(policy->moderators, Texts{});
}

TEST(Policy, OfAGroupOfOma) {
    const auto policy = read_policy(
        "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:crew@groups.example.com'>"
        "<display-name>Crew</display-name><list><entry uri='sip:a@x'/><entry uri='sip:b@x'/></list>"
        "<ruleset><rule id='1'><conditions><identity><one id='sip:b@x'/></identity></conditions>"
        "<actions><join-handling>false</join-handling></actions></rule></ruleset></list-service></group>",
        "application/vnd.oma.poc.groups+xml");
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->conference, "sip:crew@groups.example.com");
    EXPECT_EQ(policy->subject, "Crew");
    EXPECT_EQ(policy->members, (Texts{"sip:a@x", "sip:b@x"}));
    EXPECT_EQ(policy->refused, Texts{"sip:b@x"});
}

TEST(Policy, OfAConferenceInfoDocument) {
    const auto policy = read_policy(
        "<conference-info entity='sip:c@x'><conference-description><display-text>D</display-text>"
        "</conference-description><users><user entity='sip:a@x'><roles><entry>Moderator</entry></roles></user>"
        "<user entity='sip:b@x'><roles><entry>participant</entry></roles></user>"
        "<user entity='sip:z@x' state='deleted'/></users></conference-info>",
        "application/conference-info+xml");
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->conference, "sip:c@x");
    EXPECT_EQ(policy->subject, "D");
    EXPECT_EQ(policy->members, (Texts{"sip:a@x", "sip:b@x"}));
    EXPECT_EQ(policy->moderators, Texts{"sip:a@x"});
}

TEST(Policy, OfAResourceList) {
    const auto policy =
        read_policy("<resource-lists><list><entry uri='sip:a@x'/></list></resource-lists>", "application/xml");
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->conference, "");
    EXPECT_EQ(policy->members, Texts{"sip:a@x"});
}

TEST(Policy, PiecesAreOnesOnlyWhereTheTypeSaysSo) {
    constexpr std::string_view entry = "<entry uri='sip:a@x'/>";
    EXPECT_FALSE(read_policy(entry, "application/xml"));
    const auto policy = read_policy(entry, "Application/XCAP-el+xml; charset=utf-8");
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->members, Texts{"sip:a@x"});
    EXPECT_EQ(read_policy("<subject>s</subject>", "application/xcap-el+xml")->subject, "s");
    EXPECT_EQ(
        read_policy("<list><entry uri='sip:a@x'/><list><entry uri='sip:b@x'/></list></list>", "application/xcap-el+xml")
            ->members,
        (Texts{"sip:a@x", "sip:b@x"}));
    EXPECT_TRUE(read_policy("<rule/>", "application/xcap-el+xml"));
    EXPECT_FALSE(read_policy("<presence/>", "application/xcap-el+xml"));
}

TEST(Policy, OtherThingsAreNone) {
    EXPECT_FALSE(read_policy("", ""));
    EXPECT_FALSE(read_policy("<group/>", "application/xml"));
    EXPECT_FALSE(read_policy("<!DOCTYPE conference><conference/>", "application/conference-policy+xml"));
    EXPECT_TRUE(read_policy("<conference/>", "application/conference-policy+xml"));
}

}  // namespace
}  // namespace lihandover::ims
