#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lihandover/ims/conference.hpp"

namespace lihandover::ims {
namespace {

using Texts = std::vector<std::string>;
using Kind = Roster::Change::Kind;

ConferenceInfo document(std::string_view attributes, std::string_view users, std::string_view rest = {}) {
    const auto info =
        read_conference_info("<conference-info entity='sip:c@x' " + std::string(attributes) + ">" + std::string(rest) +
                             "<users>" + std::string(users) + "</users></conference-info>");
    EXPECT_TRUE(info);
    return info.value_or(ConferenceInfo{});
}

std::string user(std::string_view name, std::string_view status = "connected", std::string_view rest = {}) {
    return "<user entity='sip:" + std::string(name) + "@x' state='full'>" + std::string(rest) +
           "<endpoint entity='sip:" + std::string(name) + "@192.0.2.1'><status>" + std::string(status) +
           "</status></endpoint></user>";
}

std::string gone(std::string_view name) {
    return "<user entity='sip:" + std::string(name) + "@x' state='deleted'/>";
}

std::string role(std::string_view name) {
    return "<roles><entry>" + std::string(name) + "</entry></roles>";
}

constexpr std::string_view v1 = "state='full' version='1'";
constexpr std::string_view p2 = "state='partial' version='2'";
constexpr std::string_view p3 = "state='partial' version='3'";

/// Each change in a few words.
Texts told(const std::vector<Roster::Change>& changes) {
    constexpr std::array<std::string_view, 5> names{"joined", "left", "roles", "subject", "nickname"};
    Texts out;
    for (const auto& change : changes) {
        std::string text(names[static_cast<std::size_t>(change.kind)]);
        text += " " + change.entity + " " + change.before + ">" + change.after;
        out.push_back(text);
    }
    return out;
}

Texts there(const Roster& roster) {
    Texts out;
    for (const auto& member : roster.members()) {
        if (member.present()) {
            out.push_back(member.entity);
        }
    }
    return out;
}

TEST(Roster, TheFirstDocumentTellsTheState) {
    Roster roster;
    EXPECT_FALSE(roster.known());
    bool gap = true;
    EXPECT_EQ(told(roster.apply(document(v1, user("a") + user("b", "pending"),
                                         "<conference-description><subject>s</subject></conference-description>"),
                                &gap)),
              Texts{});
    EXPECT_FALSE(gap);
    EXPECT_TRUE(roster.known());
    EXPECT_EQ(roster.members().size(), 2U);
    EXPECT_EQ(there(roster), Texts{"sip:a@x"});
    EXPECT_EQ(roster.subject(), "s");
}

TEST(Roster, PartialDocumentsChangeIt) {
    Roster roster;
    roster.apply(document(v1, user("a") + user("b")));
    EXPECT_EQ(told(roster.apply(document(p2, user("c")))), Texts{"joined sip:c@x >"});
    EXPECT_EQ(told(roster.apply(document(p3, gone("a")))), Texts{"left sip:a@x >"});
    EXPECT_EQ(there(roster), (Texts{"sip:b@x", "sip:c@x"}));
}

TEST(Roster, AFullDocumentReplacesIt) {
    Roster roster;
    roster.apply(document(v1, user("a") + user("b")));
    EXPECT_EQ(told(roster.apply(document("state='full' version='2'", user("c") + user("b")))),
              (Texts{"joined sip:c@x >", "left sip:a@x >"}));
    EXPECT_EQ(there(roster), (Texts{"sip:c@x", "sip:b@x"}));
}

TEST(Roster, AFullDocumentWithoutUsersSaysNothingOfThem) {
    Roster roster;
    roster.apply(document(v1, user("a")));
    const auto info = read_conference_info("<conference-info state='full' version='2'/>");
    ASSERT_TRUE(info);
    EXPECT_EQ(told(roster.apply(*info)), Texts{});
    EXPECT_EQ(there(roster), Texts{"sip:a@x"});
    EXPECT_EQ(told(roster.apply(document("state='full' version='3'", ""))), Texts{"left sip:a@x >"});
}

TEST(Roster, WhatIsNotNewerChangesNothing) {
    Roster roster;
    roster.apply(document(v1, user("a")));
    roster.apply(document(p2, user("b")));
    EXPECT_EQ(told(roster.apply(document(p2, user("b")))), Texts{});
    EXPECT_EQ(told(roster.apply(document(p2, gone("a")))), Texts{});
    EXPECT_EQ(told(roster.apply(document(v1, user("z")))), Texts{});
    EXPECT_EQ(there(roster), (Texts{"sip:a@x", "sip:b@x"}));
}

TEST(Roster, WithoutAVersionADocumentIsTheNext) {
    Roster roster;
    bool gap = true;
    roster.apply(document("state='full'", user("a")));
    EXPECT_EQ(told(roster.apply(document("state='partial'", user("b")), &gap)), Texts{"joined sip:b@x >"});
    EXPECT_FALSE(gap);
    EXPECT_EQ(told(roster.apply(document("state='partial'", user("b")), &gap)), Texts{});
}

TEST(Roster, AGapIsSaidAndSteppedOver) {
    Roster roster;
    bool gap = false;
    roster.apply(document(v1, user("a")));
    EXPECT_EQ(told(roster.apply(document("state='partial' version='5'", user("b")), &gap)), Texts{"joined sip:b@x >"});
    EXPECT_TRUE(gap);
    roster.apply(document("state='partial' version='6'", user("c")), &gap);
    EXPECT_FALSE(gap);
    EXPECT_EQ(told(roster.apply(document("state='full' version='9'", user("a") + user("d")), &gap)),
              (Texts{"joined sip:d@x >", "left sip:b@x >", "left sip:c@x >"}));
    EXPECT_FALSE(gap);
}

TEST(Roster, APartialOneThatComesFirstLeavesAGap) {
    Roster roster;
    bool gap = false;
    EXPECT_EQ(told(roster.apply(document(p2, user("b")), &gap)), Texts{});
    EXPECT_TRUE(gap);
    EXPECT_EQ(there(roster), Texts{"sip:b@x"});
}

TEST(Roster, WhoWasThereBeforeTheFirstWholeListDoesNotJoinByIt) {
    Roster roster;
    roster.apply(document(p2, user("b")));
    EXPECT_EQ(told(roster.apply(document("state='full' version='3'", user("a") + user("b")))), Texts{});
    EXPECT_EQ(there(roster), (Texts{"sip:a@x", "sip:b@x"}));
    EXPECT_EQ(told(roster.apply(document("state='full' version='4'", user("a") + user("c")))),
              (Texts{"joined sip:c@x >", "left sip:b@x >"}));
}

TEST(Roster, ADeletedConferenceLetsEverybodyLeave) {
    Roster roster;
    roster.apply(document(v1, user("a") + user("b", "disconnected")));
    const auto ended = read_conference_info("<conference-info entity='sip:c@x' state='deleted' version='2'/>");
    ASSERT_TRUE(ended);
    EXPECT_EQ(told(roster.apply(*ended)), Texts{"left sip:a@x >"});
    EXPECT_FALSE(roster.known());
    EXPECT_TRUE(roster.members().empty());
    EXPECT_EQ(told(roster.apply(*ended)), Texts{});
    EXPECT_EQ(told(roster.apply(document(v1, user("z")))), Texts{});
    EXPECT_EQ(there(roster), Texts{"sip:z@x"});
}

TEST(Roster, UsersComeAndGoByTheirEndpoints) {
    Roster roster;
    roster.apply(document(v1, user("a", "alerting")));
    auto set = [&roster, version = 1](std::string_view endpoint) mutable {
        return told(
            roster.apply(document("state='partial' version='" + std::to_string(++version) + "'",
                                  "<user entity='sip:a@x' state='partial'>" + std::string(endpoint) + "</user>")));
    };
    constexpr std::string_view start = "<endpoint entity='sip:a@192.0.2.1' state='partial'>";
    const auto with = [start](std::string_view inside) {
        return std::string(start) + std::string(inside) + "</endpoint>";
    };
    EXPECT_EQ(set(with("<status>connected</status><joining-method>dialed-in</joining-method>")),
              Texts{"joined sip:a@x >dialed-in"});
    EXPECT_EQ(set(with("<status>on-hold</status>")), Texts{});
    EXPECT_EQ(set("<endpoint entity='sip:a@192.0.2.2'><status>connected</status></endpoint>"), Texts{});
    EXPECT_EQ(set(with("<status>disconnected</status><disconnection-method>departed</disconnection-method>")), Texts{});
    EXPECT_EQ(set("<endpoint entity='sip:a@192.0.2.2' state='deleted'>"
                  "<disconnection-method>booted</disconnection-method></endpoint>"),
              Texts{"left sip:a@x >booted"});
    EXPECT_EQ(roster.members().size(), 1U);
}

TEST(Roster, SomeFocusesTellNoEndpoints) {
    Roster roster;
    roster.apply(document(v1, "<user entity='sip:a@x'/>"));
    EXPECT_EQ(there(roster), Texts{"sip:a@x"});
    EXPECT_EQ(told(roster.apply(document(p2, "<user entity='sip:b@x'/>"))), Texts{"joined sip:b@x >"});
    EXPECT_EQ(told(roster.apply(document(p3, gone("b")))), Texts{"left sip:b@x >"});
}

TEST(Roster, AWholeListReplacesWhatWasKnown) {
    Roster roster;
    constexpr std::string_view names = "<conference-description><subject>s</subject></conference-description>";
    roster.apply(
        document(v1, user("a", "connected", role("moderator") + "<nickname>Al</nickname>") + user("b"), names));
    EXPECT_EQ(told(roster.apply(document("state='full' version='2'", user("b") + user("a")))), Texts{});
    ASSERT_EQ(roster.members().size(), 2U);
    EXPECT_EQ(roster.members()[0].entity, "sip:b@x");
    EXPECT_EQ(roster.members()[1].roles, Texts{});
    EXPECT_EQ(roster.members()[1].nickname, "");
    EXPECT_EQ(roster.subject(), "");
}

TEST(Roster, AUserWhoseEndpointsAreListedNoMoreIsNotThere) {
    Roster roster;
    roster.apply(document(v1, user("a") + user("b")));
    EXPECT_EQ(told(roster.apply(document("state='full' version='2'", "<user entity='sip:a@x'/>" + user("b")))),
              Texts{"left sip:a@x >"});
    EXPECT_EQ(roster.members().size(), 2U);
}

TEST(Roster, WhatAPartialDocumentLeavesUnsaidStays) {
    Roster roster;
    roster.apply(document(v1, user("a", "connected", role("moderator") + "<nickname>Al</nickname>")));
    EXPECT_EQ(told(roster.apply(document(p2, "<user entity='sip:a@x'><display-text>A</display-text></user>"))),
              Texts{});
    ASSERT_EQ(roster.members().size(), 1U);
    EXPECT_EQ(roster.members()[0].roles, Texts{"moderator"});
    EXPECT_EQ(roster.members()[0].nickname, "Al");
    EXPECT_EQ(roster.members()[0].display_text, "A");
    EXPECT_TRUE(roster.members()[0].present());
}

TEST(Roster, RolesSubjectAndNicknamesChange) {
    Roster roster;
    roster.apply(document(v1, user("a", "connected", role("participant")) + user("b"),
                          "<conference-description><display-text>old</display-text></conference-description>"));
    EXPECT_EQ(told(roster.apply(document(
                  p2,
                  user("a", "connected",
                       "<roles><entry>moderator</entry><entry>participant</entry></roles><nickname>Al</nickname>"),
                  "<conference-description><subject>new</subject></conference-description>"))),
              (Texts{"subject  old>new", "roles sip:a@x participant>moderator participant", "nickname sip:a@x >Al"}));
    EXPECT_EQ(told(roster.apply(
                  document(p3, user("a", "connected",
                                    "<roles><entry>participant</entry><entry>moderator</entry></roles><nickname/>")))),
              Texts{"nickname sip:a@x Al>"});
}

TEST(Roster, RolesAndNicknameOfWhoJoinsAreNoChanges) {
    Roster roster;
    roster.apply(document(v1, ""));
    EXPECT_EQ(told(roster.apply(document(p2, user("a", "connected", role("moderator") + "<nickname>Al</nickname>")))),
              Texts{"joined sip:a@x >"});
}

TEST(Roster, TellsWhoDidIt) {
    Roster roster;
    roster.apply(document(v1, user("a")));
    const auto joined = roster.apply(document(
        p2,
        "<user entity='sip:b@x'><display-text>Bea</display-text><associated-aors><entry><uri>tel:+441632960001</uri>"
        "</entry></associated-aors><endpoint entity='e'><status>connected</status>"
        "<joining-method>dialed-out</joining-method><joining-info><by>sip:a@x</by></joining-info></endpoint></user>"));
    ASSERT_EQ(joined.size(), 1U);
    EXPECT_EQ(joined[0].by, "sip:a@x");
    EXPECT_EQ(joined[0].after, "dialed-out");
    EXPECT_EQ(joined[0].name, "Bea");
    EXPECT_EQ(joined[0].aors, Texts{"tel:+441632960001"});
    const auto left =
        roster.apply(document(p3,
                              "<user entity='sip:b@x' state='deleted'><endpoint entity='e' state='deleted'>"
                              "<disconnection-method>booted</disconnection-method><disconnection-info><by>sip:c@x</by>"
                              "</disconnection-info></endpoint></user>"));
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].by, "sip:c@x");
    EXPECT_EQ(left[0].after, "booted");
    EXPECT_EQ(left[0].name, "Bea");
}

TEST(Roster, OneUserHasOneEntryHoweverItsUriIsWritten) {
    Roster roster;
    roster.apply(document(v1, "<user entity='sip:+441632960001@X;user=phone'/><user entity='sip:B@Example.COM'/>"));
    EXPECT_EQ(told(roster.apply(document(p2,
                                         "<user entity='tel:+44-1632-960001'/>"
                                         "<user entity='sips:B@example.com:5061;transport=tls'/>"
                                         "<user entity='sip:b@example.com'/>"))),
              Texts{"joined sip:b@example.com >"});
    EXPECT_EQ(roster.members().size(), 3U);
}

TEST(Roster, AListThatSaysThatItIsFullReplacesInAPartialDocumentToo) {
    Roster roster;
    roster.apply(document(v1, user("a") + user("b")));
    const auto info = read_conference_info("<conference-info state='partial' version='2'><users state='full'>" +
                                           user("b") + "</users></conference-info>");
    ASSERT_TRUE(info);
    EXPECT_EQ(told(roster.apply(*info)), Texts{"left sip:a@x >"});
}

TEST(Roster, AUserListedTwiceIsOne) {
    Roster roster;
    roster.apply(document(v1, user("a")));
    EXPECT_EQ(told(roster.apply(document(p2, gone("a") + user("a")))), (Texts{"left sip:a@x >", "joined sip:a@x >"}));
    EXPECT_EQ(told(roster.apply(document(p3, user("b") + user("b") + gone("b")))),
              (Texts{"joined sip:b@x >", "left sip:b@x >"}));
    EXPECT_EQ(there(roster), Texts{"sip:a@x"});
}

std::string many(int from, int to) {
    std::string users;
    for (int i = from; i < to; ++i) {
        users += user(std::to_string(i));
    }
    return users;
}

TEST(Roster, LargeDocumentsAndSmallOnesDoTheSame) {
    Roster roster;
    roster.apply(document(v1, many(0, 500)));
    EXPECT_EQ(roster.apply(document("state='full' version='2'", many(100, 600))).size(), 200U);
    EXPECT_EQ(roster.apply(document(p3, gone("300"))).size(), 1U);
    EXPECT_EQ(roster.apply(document("state='partial' version='4'", many(299, 310))).size(), 1U);
    EXPECT_EQ(roster.members().size(), 500U);
}

TEST(Roster, IsBounded) {
    Roster roster;
    ConferenceInfo info = document("state='partial'", "");
    for (std::size_t i = 0; i < max_conference_users; ++i) {
        ConferenceUser& one = info.users.emplace_back();
        one.entity = "sip:" + std::to_string(i) + "@x";
    }
    roster.apply(info);
    EXPECT_EQ(told(roster.apply(document("state='partial'", user("beyond")))), Texts{});
    EXPECT_EQ(roster.members().size(), max_conference_users);
    std::string endpoints;
    for (int i = 0; i < 60; ++i) {
        endpoints += "<endpoint entity='" + std::to_string(i) + "'/>";
    }
    roster.apply(document("state='partial'", "<user entity='sip:1@x' state='partial'>" + endpoints + "</user>"));
    for (int i = 60; i < 120; ++i) {
        endpoints += "<endpoint entity='" + std::to_string(i) + "'/>";
    }
    roster.apply(document("state='partial'", "<user entity='sip:1@x' state='partial'>" + endpoints + "</user>"));
    EXPECT_EQ(roster.members()[1].endpoints.size(), 64U);
}

}  // namespace
}  // namespace lihandover::ims
