#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lihandover/ims/conference.hpp"
#include "samples.hpp"

namespace lihandover::ims {
namespace {

using Texts = std::vector<std::string>;

constexpr std::string_view whole = R"(<?xml version="1.0" encoding="UTF-8"?>
<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" xmlns:x="urn:ietf:params:xml:ns:xcon-conference-info"
    entity="sip:deck@focus.example.com" state="full" version="7">
  <users state="full">
    <user entity="sip:fiona@example.com" state="full">
      <display-text>Fiona &amp; co</display-text>
      <associated-aors><entry><uri>tel:+441632960011</uri></entry><entry><display-text>none</display-text></entry>
        <entry><uri>mailto:fiona@example.com</uri></entry></associated-aors>
      <roles><entry>participant</entry><entry> moderator </entry></roles>
      <x:nickname>Captain</x:nickname>
      <endpoint entity="sip:fiona@192.0.2.4" state="full">
        <referred><when>2026-11-20T08:00:00Z</when><by>sip:referrer@example.com</by></referred>
        <status>connected</status>
        <joining-method>dialed-out</joining-method>
        <joining-info><when>2026-11-20T08:00:00Z</when><by>sip:inviter@example.com</by></joining-info>
      </endpoint>
      <endpoint entity="sip:fiona@192.0.2.5" state="partial">
        <referred><by>sip:referrer@example.com</by></referred>
        <status>disconnected</status>
        <disconnection-method>booted</disconnection-method>
        <disconnection-info><by>sip:boss@example.com</by></disconnection-info>
      </endpoint>
    </user>
    <user entity="sip:gerd@example.net" state="deleted"/>
    <user><display-text>nobody</display-text></user>
    <user><associated-aors><entry><uri>sip:by-aor@example.net</uri></entry></associated-aors></user>
  </users>
  <conference-state><user-count>2</user-count><active>true</active></conference-state>
  <conference-description>
    <subject>the boat</subject><display-text>Deck</display-text>
    <conf-uris><entry><uri>tel:+441632960099</uri><purpose>participation</purpose></entry></conf-uris>
  </conference-description>
</conference-info>)";

TEST(ConferenceInfo, IsRead) {
    const auto info = read_conference_info(whole);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->entity, "sip:deck@focus.example.com");
    EXPECT_EQ(info->state, InfoState::full);
    EXPECT_EQ(info->version, 7U);
    EXPECT_EQ(info->subject, "the boat");
    EXPECT_EQ(info->display_text, "Deck");
    EXPECT_EQ(info->uris, Texts{"tel:+441632960099"});
    EXPECT_EQ(info->active, true);
    EXPECT_TRUE(info->has_users);
    EXPECT_EQ(info->users_state, InfoState::full);
    ASSERT_EQ(info->users.size(), 3U);
    EXPECT_EQ(info->users[1].entity, "sip:gerd@example.net");
    EXPECT_EQ(info->users[1].state, InfoState::deleted);
    EXPECT_FALSE(info->users[1].has_roles);
    EXPECT_EQ(info->users[1].nickname, std::nullopt);
    EXPECT_EQ(info->users[2].entity, "sip:by-aor@example.net");
}

TEST(ConferenceInfo, ItsUsersAreRead) {
    const auto info = read_conference_info(whole);
    ASSERT_TRUE(info);
    ASSERT_FALSE(info->users.empty());
    const ConferenceUser& user = info->users[0];
    EXPECT_EQ(user.display_text, "Fiona & co");
    EXPECT_EQ(user.aors, (Texts{"tel:+441632960011", "mailto:fiona@example.com"}));
    EXPECT_TRUE(user.has_roles);
    EXPECT_EQ(user.roles, (Texts{"participant", "moderator"}));
    EXPECT_EQ(user.nickname, "Captain");
    ASSERT_EQ(user.endpoints.size(), 2U);
    EXPECT_EQ(user.endpoints[0].entity, "sip:fiona@192.0.2.4");
    EXPECT_EQ(user.endpoints[0].status, "connected");
    EXPECT_EQ(user.endpoints[0].joining, "dialed-out");
    EXPECT_EQ(user.endpoints[0].joined_by, "sip:inviter@example.com");
    EXPECT_EQ(user.endpoints[1].state, InfoState::partial);
    EXPECT_EQ(user.endpoints[1].joined_by, "sip:referrer@example.com");
    EXPECT_EQ(user.endpoints[1].disconnection, "booted");
    EXPECT_EQ(user.endpoints[1].disconnected_by, "sip:boss@example.com");
}

TEST(ConferenceInfo, MayBeNearlyEmpty) {
    const auto info = read_conference_info("<conference-info/>");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->entity, "");
    EXPECT_EQ(info->state, InfoState::full);
    EXPECT_EQ(info->version, std::nullopt);
    EXPECT_FALSE(info->has_users);
    EXPECT_EQ(info->users_state, std::nullopt);
    EXPECT_EQ(info->active, std::nullopt);
}

TEST(ConferenceInfo, MayHaveAnyPrefixAndCase) {
    const auto info = read_conference_info(
        "<ci:conference-info xmlns:ci='urn:ietf:params:xml:ns:conference-info' entity='sip:c@x' state='Partial'"
        " version='3'><ci:users><ci:user entity='sip:a@x' state='DELETED'/></ci:users></ci:conference-info>");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->state, InfoState::partial);
    ASSERT_EQ(info->users.size(), 1U);
    EXPECT_EQ(info->users[0].state, InfoState::deleted);
}

TEST(ConferenceInfo, AVersionIsANumber) {
    const auto version = [](std::string_view text) {
        return read_conference_info("<conference-info version='" + std::string(text) + "'/>")->version;
    };
    EXPECT_EQ(version("0"), 0U);
    EXPECT_EQ(version(" 12 "), 12U);
    EXPECT_EQ(version("4294967295"), 4294967295U);
    EXPECT_EQ(version("4294967296"), std::nullopt);
    EXPECT_EQ(version("-1"), std::nullopt);
    EXPECT_EQ(version("1.0"), std::nullopt);
    EXPECT_EQ(version("99999999999999999999"), std::nullopt);
}

TEST(ConferenceInfo, OtherThingsAreNone) {
    EXPECT_FALSE(read_conference_info(""));
    EXPECT_FALSE(read_conference_info("<presence/>"));
    EXPECT_FALSE(read_conference_info("<conference-info>"));
    EXPECT_FALSE(read_conference_info("<conference-info/><conference-info/>"));
    EXPECT_FALSE(read_conference_info("<!DOCTYPE conference-info><conference-info/>"));
}

TEST(ConferenceInfo, IsBounded) {
    std::string users;
    for (std::size_t i = 0; i < max_conference_users + 5; ++i) {
        users += "<user entity='sip:" + std::to_string(i) + "@x'/>";
    }
    const auto info = read_conference_info("<conference-info><users>" + users + "</users></conference-info>");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->users.size(), max_conference_users);
    EXPECT_FALSE(read_conference_info("<conference-info><!--" + std::string(5'000'000, ' ') + "--></conference-info>"));
    std::string tags;
    for (int i = 0; i < 300'001; ++i) {
        tags += "<a/>";
    }
    EXPECT_FALSE(read_conference_info("<conference-info>" + tags + "</conference-info>"));
}

TEST(ConferenceSamples, AreReadAsTheirTableSays) {
    if (!std::filesystem::exists(samples_of("conference"))) {
        GTEST_SKIP() << "the samples are not beside the repository";
    }
    for (const SampleRow& row : sample_table(samples_of("conference") / "expect.tsv")) {
        SCOPED_TRACE(row["file"]);
        const auto info = read_conference_info(contents_of(samples_of("conference") / row["file"]));
        const bool invalid = row["verdict"] == "invalid" || row["verdict"] == "malformed";
        EXPECT_TRUE(info || invalid);
        if (!info || invalid) {
            continue;
        }
        EXPECT_TRUE(!row.has("entity") || info->entity == row.value("entity"));
        EXPECT_TRUE(!row.has("version") || std::to_string(info->version.value_or(0)) == row["version"]);
        EXPECT_TRUE(!row.has("subject") || info->subject.value_or("") == row.value("subject"));
    }
}

}  // namespace
}  // namespace lihandover::ims
