// What rosters, nicknames and policies tell, beside calls.

#include <gtest/gtest.h>

#include "conference_texts.hpp"

namespace lihandover::ims::test {
namespace {

using Parties = std::vector<std::string>;

class ConferenceEventsTest : public TrackerTest {
  protected:
    ConferenceEventsTest() { matched = {std::string(fiona)}; }

    Made::Outcome told(const Roll& roll) { return sip(notify(roll), Direction::to_target); }
    void join() {
        sip(request("INVITE", call, description(fiona_path)));
        sip(answer(200, call, description(focus_path), focus_contact()), Direction::to_target);
    }
    /// Fiona and Gerd are there.
    void both_there() {
        told({.users = xml_of({}) + xml_of({.uri = std::string(gerd)}), .description = "<subject>the boat</subject>"});
        EXPECT_EQ(lines(), Lines{});
    }
    /// The same once she has joined.
    void both_there_after_joining() { told({.users = xml_of({}) + xml_of({.uri = std::string(gerd)})}); }
    /// A body from the target, or to it.
    Made::Outcome policy(std::string_view xml, Direction direction = Direction::from_target,
                         std::string_view type = "application/conference-policy+xml") {
        SentCopy body = copy(Copy::Kind::mime, std::string(xml), direction);
        body.mime_type = type;
        return feed(body);
    }

    Call call = call_of("join-1", fiona, deck);
};

TEST_F(ConferenceEventsTest, TheFirstRosterTellsNothing) {
    both_there();
    EXPECT_EQ(out.outcome, Made::Outcome::no_event);
}

TEST_F(ConferenceEventsTest, SomebodyJoins) {
    both_there();
    told({.version = 2,
          .state = "partial",
          .users =
              xml_of({.uri = "sip:hanna@c.example",
                      .more = "<display-text>Hanna</display-text><associated-aors><entry><uri>tel:+441632960003</uri>"
                              "</entry></associated-aors>",
                      .of_endpoint = "<joining-method>dialed-in</joining-method>"})});
    ASSERT_EQ(lines(), Lines{"group_joined dialed-in"});
    EXPECT_EQ(parties_of(last()), Parties{"actor=sip:hanna@c.example,tel:+441632960003"});
    EXPECT_EQ(last().event.parties[0].nickname, "Hanna");
    EXPECT_EQ(last().event.conversation.id, deck);
    EXPECT_EQ(last().event.conversation.kind, "group");
    EXPECT_EQ(last().event.conversation.title, "the boat");
}

TEST_F(ConferenceEventsTest, SomebodyWasInvited) {
    both_there();
    told({.version = 2,
          .state = "partial",
          .users = xml_of({.uri = "sip:hanna@c.example",
                           .of_endpoint = "<joining-method>dialed-out</joining-method><joining-info>"
                                          "<by>sip:gerd@b.example</by></joining-info>"})});
    ASSERT_EQ(lines(), Lines{"group_joined dialed-out"});
    EXPECT_EQ(parties_of(last()), (Parties{"sender=sip:gerd@b.example", "actor=sip:hanna@c.example"}));
}

TEST_F(ConferenceEventsTest, SomebodyLeaves) {
    both_there();
    told({.version = 2,
          .state = "partial",
          .users = xml_of({.uri = std::string(gerd),
                           .status = "disconnected",
                           .state = "partial",
                           .of_endpoint = "<disconnection-method>departed</disconnection-method>"})});
    ASSERT_EQ(lines(), Lines{"group_left departed"});
    EXPECT_EQ(parties_of(last()), Parties{"actor=sip:gerd@b.example"});
}

TEST_F(ConferenceEventsTest, SomebodyIsRemoved) {
    both_there();
    told({.version = 2,
          .state = "partial",
          .users = xml_of({.status = "disconnected",
                           .state = "partial",
                           .of_endpoint = "<disconnection-method>booted</disconnection-method><disconnection-info>"
                                          "<by>sip:gerd@b.example</by></disconnection-info>"})});
    ASSERT_EQ(lines(), Lines{"group_left booted"});
    EXPECT_EQ(parties_of(last()), (Parties{"actor=sip:gerd@b.example", "member*=sip:fiona@a.example"}));
}

TEST_F(ConferenceEventsTest, TheTargetIsKnownByTheNotifyWhereNothingMatched) {
    matched.clear();
    both_there();
    told({.version = 2, .state = "partial", .users = gone(fiona)});
    ASSERT_EQ(lines(), Lines{"group_left"});
    EXPECT_EQ(parties_of(last()), Parties{"actor*=sip:fiona@a.example"});
}

TEST_F(ConferenceEventsTest, RolesSubjectAndNicknameChange) {
    both_there();
    told({.version = 2,
          .state = "partial",
          .users = xml_of(
              {.uri = std::string(gerd), .more = "<roles><entry>moderator</entry></roles><nickname>Mate</nickname>"}),
          .description = "<subject>the sea</subject>"});
    ASSERT_EQ(lines(), (Lines{"group_title_changed", "group_admin_changed", "nickname_changed"}));
    EXPECT_EQ(events[0].event.conversation.title, "the sea");
    EXPECT_EQ(events[0].event.conversation.previous_title, "the boat");
    EXPECT_EQ(parties_of(events[0]), Parties{"member*=sip:fiona@a.example"});
    EXPECT_EQ(parties_of(events[1]), Parties{"member=sip:gerd@b.example"});
    EXPECT_EQ(parameter_of(events[1], "roles"), "moderator");
    EXPECT_EQ(parameter_of(events[1], "previous_roles"), "");
    EXPECT_EQ(parties_of(events[2]), Parties{"actor=sip:gerd@b.example"});
    EXPECT_EQ(events[2].event.parties[0].nickname, "Mate");
}

TEST_F(ConferenceEventsTest, AConferenceThatEndsLetsEverybodyGo) {
    both_there();
    told({.version = 2, .state = "deleted"});
    ASSERT_EQ(lines(), (Lines{"group_left", "group_left"}));
    told({.version = 3, .users = xml_of({})});
    EXPECT_EQ(events.size(), 2U) << "a first roster again";
}

TEST_F(ConferenceEventsTest, ManyAtOnceAreOneEvent) {
    both_there();
    std::string users = xml_of({}) + xml_of({.uri = std::string(gerd)});
    for (int i = 0; i < 100; ++i) {
        users += xml_of({.uri = "sip:u" + std::to_string(i) + "@x"});
    }
    told({.version = 2, .users = users, .description = "<subject>the sea</subject>"});
    ASSERT_EQ(lines(), (Lines{"group_joined", "group_title_changed"}));
    EXPECT_EQ(events[0].event.parties.size(), 100U);
    EXPECT_EQ(parties_of(events[0])[99], "member=sip:u99@x");
}

TEST_F(ConferenceEventsTest, TheSameAgainIsARepeat) {
    both_there();
    const Roll roll{.version = 2, .state = "partial", .users = xml_of({.uri = "sip:hanna@c.example"})};
    EXPECT_EQ(told(roll), Made::Outcome::event);
    EXPECT_EQ(told(roll), Made::Outcome::repeat);
    at = model::Instant{1'790'000'000, 0};
    correlation = 77;
    EXPECT_EQ(told(roll), Made::Outcome::repeat);
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(ConferenceEventsTest, AnotherSubscriptionTellsNothingTwice) {
    both_there();
    told({.users = xml_of({}) + xml_of({.uri = std::string(gerd)}), .dialog = "roster-2"});
    const std::string hanna = xml_of({.uri = "sip:hanna@c.example"});
    told({.version = 2, .state = "partial", .users = hanna});
    told({.version = 2, .state = "partial", .users = hanna, .dialog = "roster-2"});
    EXPECT_EQ(lines(), Lines{"group_joined"});
}

TEST_F(ConferenceEventsTest, ASubscriptionThatLagsTellsNothing) {
    const auto tell = [this](int seconds, Roll roll) {
        at = model::Instant{1'790'000'000 + 10 * std::int64_t{seconds}, 0};
        told(roll);
    };
    const std::string here = xml_of({.uri = "sip:hanna@c.example"});
    tell(1, {.users = xml_of({})});
    tell(2, {.version = 2, .state = "partial", .users = here});
    tell(3, {.version = 3, .state = "partial", .users = gone("sip:hanna@c.example")});
    tell(1, {.users = xml_of({}), .dialog = "roster-2"});
    tell(2, {.version = 2, .state = "partial", .users = here, .dialog = "roster-2"});
    tell(3, {.version = 3, .state = "partial", .users = gone("sip:hanna@c.example"), .dialog = "roster-2"});
    EXPECT_EQ(lines(), (Lines{"group_joined", "group_left"}));
    tell(4, {.version = 4, .state = "partial", .users = here, .dialog = "roster-2"});
    EXPECT_EQ(events.size(), 3U);
}

TEST_F(ConferenceEventsTest, AGapIsRemarkedAndNothingIsLost) {
    both_there();
    sip(notify({.version = 4, .state = "partial", .users = xml_of({.uri = "sip:hanna@c.example"})}),
        Direction::to_target);
    EXPECT_EQ(out.remarks.size(), 1U);
    EXPECT_EQ(lines(), Lines{"group_joined"});
    told({.version = 5, .users = xml_of({}) + xml_of({.uri = "sip:hanna@c.example"})});
    EXPECT_TRUE(out.remarks.empty());
    EXPECT_EQ(lines(), (Lines{"group_joined", "group_left"}));
}

TEST_F(ConferenceEventsTest, ADocumentThatCannotBeReadGoesOutWhole) {
    std::string text = notify({.users = xml_of({})});
    text.replace(text.find("<conference-info"), 16, "<conference-inf ");
    EXPECT_EQ(sip(text, Direction::to_target), Made::Outcome::malformed);
    ASSERT_EQ(lines(), Lines{"message [application/conference-info+xml]"});
    EXPECT_EQ(parameter_of(last(), "completeness"), "unreadable");
}

TEST_F(ConferenceEventsTest, OtherPackagesAreNoConferences) {
    std::string text = notify({.users = xml_of({})});
    text.replace(text.find("Event: conference"), 17, "Event: presence");
    EXPECT_EQ(sip(text, Direction::to_target), Made::Outcome::no_event);
    EXPECT_EQ(lines(), Lines{});
}

// ---- beside calls

TEST_F(ConferenceEventsTest, WhoJoinedByACallDoesNotJoinAgainByTheRoster) {
    told({.users = xml_of({.uri = std::string(gerd)})});
    join();
    EXPECT_EQ(lines(), Lines{"group_joined"});
    told({.version = 2, .state = "partial", .users = xml_of({})});
    EXPECT_EQ(lines(), Lines{"group_joined"});
}

TEST_F(ConferenceEventsTest, NorByItsOtherUris) {
    told({.users = xml_of({.uri = std::string(gerd)})});
    sip(request("INVITE", call, description(fiona_path), "P-Asserted-Identity: <tel:+441632960001>\n"));
    sip(answer(200, call, description(focus_path), focus_contact()), Direction::to_target);
    told({.version = 2, .state = "partial", .users = xml_of({.uri = "sip:+441632960001@a.example;user=phone"})});
    EXPECT_EQ(lines(), Lines{"group_joined"});
}

TEST_F(ConferenceEventsTest, TheRosterMayComeFirst) {
    told({.users = xml_of({.uri = std::string(gerd)})});
    told({.version = 2, .state = "partial", .users = xml_of({})});
    join();
    EXPECT_EQ(lines(), Lines{"group_joined"});
}

TEST_F(ConferenceEventsTest, WhoLeftByACallDoesNotLeaveAgainByTheRoster) {
    join();
    both_there_after_joining();
    sip(request("BYE", call));
    told({.version = 2, .state = "partial", .users = gone(fiona)});
    EXPECT_EQ(lines(), (Lines{"group_joined", "group_left departed"}));
}

TEST_F(ConferenceEventsTest, NorTheOtherWayRound) {
    join();
    both_there_after_joining();
    told({.version = 2, .state = "partial", .users = gone(fiona)});
    sip(request("BYE", call, {}, {}, true), Direction::to_target);
    EXPECT_EQ(lines(), (Lines{"group_joined", "group_left"}));
}

TEST_F(ConferenceEventsTest, AWishIsToldWithWhatCameOfIt) {
    both_there();
    const auto refer = [this](std::string_view id, std::string_view to) {
        sip("REFER " + std::string(deck) +
            " SIP/2.0\nVia: SIP/2.0/TCP n.example;branch=z9hG4bKr\nFrom: <sip:fiona@a.example>;tag=f\nTo: <" +
            std::string(deck) + ">\nCall-ID: " + std::string(id) + "\nCSeq: 1 REFER\nRefer-To: <" + std::string(to) +
            ">\nContent-Length: 0\n\n");
    };
    const auto refer_answer = [this](std::string_view id, int code) {
        sip("SIP/2.0 " + std::to_string(code) +
                " Said\nVia: SIP/2.0/TCP n.example;branch=z9hG4bKr\nFrom: <sip:fiona@a.example>;tag=f\nTo: <" +
                std::string(deck) + ">;tag=d\nCall-ID: " + std::string(id) + "\nCSeq: 1 REFER\nContent-Length: 0\n\n",
            Direction::to_target);
    };
    refer("refer-1", "sip:hanna@c.example;method=INVITE");
    refer("refer-1", "sip:hanna@c.example;method=INVITE");
    refer_answer("refer-1", 202);
    refer("refer-2", "sip:ivo@d.example");
    refer_answer("refer-2", 403);
    refer("refer-3", "sip:gerd@b.example;method=BYE");
    EXPECT_EQ(lines(), Lines{});
    told({.version = 2,
          .state = "partial",
          .users = xml_of({.uri = "sip:hanna@c.example"}) + xml_of({.uri = "sip:ivo@d.example"}) + gone(gerd)});
    ASSERT_EQ(lines(), (Lines{"group_joined", "group_joined", "group_left booted"}));
    EXPECT_EQ(parties_of(events[0]), (Parties{"sender*=sip:fiona@a.example", "actor=sip:hanna@c.example"}));
    EXPECT_EQ(parties_of(events[1]), Parties{"actor=sip:ivo@d.example"});
    EXPECT_EQ(parties_of(events[2]), (Parties{"actor*=sip:fiona@a.example", "member=sip:gerd@b.example"}));
}

TEST_F(ConferenceEventsTest, AnOldWishIsNoReason) {
    both_there();
    sip("REFER " + std::string(deck) +
        " SIP/2.0\nVia: SIP/2.0/TCP n.example;branch=z9hG4bKr\nFrom: <sip:fiona@a.example>;tag=f\nTo: <" +
        std::string(deck) +
        ">\nCall-ID: refer-1\nCSeq: 1 REFER\nRefer-To: <sip:hanna@c.example>\nContent-Length: 0\n\n");
    now += std::chrono::hours(1);
    told({.version = 2, .state = "partial", .users = xml_of({.uri = "sip:hanna@c.example"})});
    ASSERT_EQ(lines(), Lines{"group_joined"});
    EXPECT_EQ(parties_of(last()), Parties{"actor=sip:hanna@c.example"});
}

TEST_F(ConferenceEventsTest, AUserMayBeReferredToTheConference) {
    both_there();
    sip("REFER sip:hanna@c.example SIP/2.0\nVia: SIP/2.0/TCP n.example;branch=z9hG4bKr\nFrom: "
        "<sip:fiona@a.example>;tag=f\n"
        "To: <sip:hanna@c.example>\nCall-ID: refer-1\nCSeq: 1 REFER\nRefer-To: <" +
        std::string(deck) + ">\nContent-Length: 0\n\n");
    told({.version = 2, .state = "partial", .users = xml_of({.uri = "sip:hanna@c.example"})});
    ASSERT_EQ(lines(), Lines{"group_joined"});
    EXPECT_EQ(parties_of(last()), (Parties{"sender*=sip:fiona@a.example", "actor=sip:hanna@c.example"}));
}

// ---- nicknames

TEST_F(ConferenceEventsTest, ANicknameIsGoodOnceTheFocusSaysSo) {
    join();
    events.clear();
    msrp(nickname("Skipper"));
    EXPECT_EQ(lines(), Lines{});
    msrp(response(200, "nick1", fiona_path, focus_path), Direction::to_target);
    ASSERT_EQ(lines(), Lines{"nickname_changed"});
    EXPECT_EQ(parties_of(last()), Parties{"actor*=sip:fiona@a.example"});
    EXPECT_EQ(last().event.parties[0].nickname, "Skipper");
    EXPECT_EQ(last().event.conversation.id, deck);
    msrp(nickname("Captain", "nick2"));
    msrp(response(425, "nick2", fiona_path, focus_path), Direction::to_target);
    EXPECT_EQ(events.size(), 1U);
    msrp(nickname("", "nick3"));
    msrp(response(200, "nick3", fiona_path, focus_path), Direction::to_target);
    EXPECT_EQ(lines(), (Lines{"nickname_changed", "nickname_changed removed"}));
}

TEST_F(ConferenceEventsTest, TheAnswerMayComeFirst) {
    join();
    events.clear();
    msrp(response(200, "nick1", fiona_path, focus_path), Direction::to_target);
    msrp(nickname("Skipper"));
    ASSERT_EQ(lines(), Lines{"nickname_changed"});
    EXPECT_EQ(parties_of(last()), Parties{"actor*=sip:fiona@a.example"});
}

TEST_F(ConferenceEventsTest, TheRosterDoesNotTellANicknameAgain) {
    join();
    told({.users = xml_of({})});
    msrp(nickname("Skipper"));
    msrp(response(200, "nick1", fiona_path, focus_path), Direction::to_target);
    told({.version = 2, .state = "partial", .users = xml_of({.more = "<nickname>Skipper</nickname>"})});
    EXPECT_EQ(lines(), (Lines{"group_joined", "nickname_changed"}));
    told({.version = 3, .state = "partial", .users = xml_of({.more = "<nickname>Mate</nickname>"})});
    EXPECT_EQ(events.size(), 3U);
    EXPECT_EQ(parameter_of(last(), "previous_nickname"), "Skipper");
}

TEST_F(ConferenceEventsTest, ANicknameOfAnUnseenCallIsToldAllTheSame) {
    msrp(nickname("Skipper \\\"F\\\""));
    msrp(response(200, "nick1", fiona_path, focus_path), Direction::to_target);
    ASSERT_EQ(lines(), Lines{"nickname_changed"});
    EXPECT_EQ(last().event.parties[0].nickname, "Skipper \"F\"");
    EXPECT_EQ(parties_of(last()), Parties{"actor*=sip:fiona@a.example,msrp://a.example:2855/fiona;tcp"});
    EXPECT_FALSE(last().event.conversation.id.empty());
}

// ---- policies

std::string policy_of(std::string_view subject, std::string_view users = {}, std::string_view rules = {}) {
    return "<conference xmlns=\"urn:ietf:params:xml:ns:conference-policy\"><settings><conference-uri>" +
           std::string(deck) + "</conference-uri></settings><info><subject>" + std::string(subject) +
           "</subject></info><dialout-list>" + std::string(users) + "</dialout-list>" + std::string(rules) +
           "</conference>";
}

TEST_F(ConferenceEventsTest, APolicyOfAnUnknownConferenceCreatesIt) {
    EXPECT_EQ(policy(policy_of("the boat", "<target uri=\"sip:gerd@b.example\"/>")), Made::Outcome::event);
    ASSERT_EQ(lines(), Lines{"group_created [application/conference-policy+xml]"});
    EXPECT_EQ(last().event.conversation.id, deck);
    EXPECT_EQ(last().event.conversation.title, "the boat");
    EXPECT_EQ(parties_of(last()),
              (Parties{"receiver=sip:deck@focus.example", "actor*=sip:fiona@a.example", "member=sip:gerd@b.example"}));
}

TEST_F(ConferenceEventsTest, APolicyThatChangesTellsWhat) {
    policy(policy_of("the boat", "<target uri=\"sip:gerd@b.example\"/>"));
    events.clear();
    EXPECT_EQ(policy(policy_of("the boat", "<target uri=\"sip:gerd@b.example\"/>")), Made::Outcome::repeat);
    EXPECT_EQ(lines(), Lines{});
    policy(policy_of(
        "the sea", "<target uri=\"sip:hanna@c.example\"/>",
        "<ruleset><rule id=\"1\"><conditions><identity><one id=\"sip:gerd@b.example\"/></identity></conditions>"
        "<actions><join-handling>block</join-handling></actions></rule></ruleset>"));
    ASSERT_EQ(lines(), (Lines{"group_title_changed [application/conference-policy+xml]", "group_admin_changed",
                              "group_admin_changed"}));
    EXPECT_EQ(events[0].event.conversation.previous_title, "the boat");
    EXPECT_EQ(events[0].event.conversation.title, "the sea");
    EXPECT_EQ(parties_of(events[0]), Parties{"actor*=sip:fiona@a.example"});
    EXPECT_EQ(parameter_of(events[1], "policy_list"), "members");
    EXPECT_EQ(parameter_of(events[1], "policy_added"), "sip:hanna@c.example");
    EXPECT_EQ(parameter_of(events[1], "policy_removed"), "sip:gerd@b.example");
    EXPECT_EQ(parties_of(events[1]),
              (Parties{"actor*=sip:fiona@a.example", "member=sip:hanna@c.example", "member=sip:gerd@b.example"}));
    EXPECT_EQ(parameter_of(events[2], "policy_list"), "refused");
}

TEST_F(ConferenceEventsTest, APolicyThatIsPutBackIsAnotherChange) {
    policy(policy_of("one"));
    policy(policy_of("two"));
    policy(policy_of("one"));
    policy(policy_of("two"));
    ASSERT_EQ(events.size(), 4U);
    EXPECT_NE(events[1].event.event_id, events[3].event.event_id);
}

TEST_F(ConferenceEventsTest, TheFirstPolicyThatTheTargetGetsTellsTheState) {
    EXPECT_EQ(policy(policy_of("the boat"), Direction::to_target), Made::Outcome::no_event);
    policy(policy_of("the sea", "<target uri=\"sip:gerd@b.example\"/>"), Direction::to_target);
    ASSERT_EQ(lines(), (Lines{"group_title_changed", "group_admin_changed"}));
    EXPECT_EQ(parties_of(events[0]), Parties{"member*=sip:fiona@a.example"});
}

TEST_F(ConferenceEventsTest, SomebodyIsAlwaysConcerned) {
    matched.clear();
    policy(policy_of("one"), Direction::to_target);
    policy(policy_of("two"), Direction::to_target);
    ASSERT_EQ(lines(), Lines{"group_title_changed"});
    EXPECT_EQ(parties_of(last()), Parties{"receiver=sip:deck@focus.example"});
}

TEST_F(ConferenceEventsTest, TheRosterDoesNotTellATitleAgain) {
    both_there();
    policy(policy_of("the sea"));
    ASSERT_EQ(lines(), Lines{"group_title_changed [application/conference-policy+xml]"});
    told({.version = 2, .state = "partial", .description = "<subject>the sea</subject>"});
    EXPECT_EQ(events.size(), 1U);
    told({.version = 3, .state = "partial", .description = "<subject>the shore</subject>"});
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(last().event.conversation.title, "the shore");
}

TEST_F(ConferenceEventsTest, AConferenceDocumentMayComeByItself) {
    policy(document({.users = xml_of({})}), Direction::to_target, "application/conference-info+xml");
    EXPECT_EQ(lines(), Lines{});
    policy(document({.version = 2, .state = "partial", .users = xml_of({.uri = std::string(gerd)})}),
           Direction::to_target, "application/conference-info+xml");
    ASSERT_EQ(lines(), Lines{"group_joined"});
    EXPECT_EQ(last().event.conversation.id, deck);
}

TEST_F(ConferenceEventsTest, BodiesOfNoConferenceAreOrdinary) {
    policy("<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\"/>", Direction::from_target,
           "application/auth-policy+xml");
    policy("<note>buy bread</note>", Direction::from_target, "application/xml");
    EXPECT_EQ(lines(), (Lines{"message [application/auth-policy+xml]", "message [application/xml]"}));
}

// ---- restarts and bounds

TEST_F(ConferenceEventsTest, ARestartKnowsTheRoster) {
    both_there();
    told({.version = 2, .state = "partial", .users = xml_of({.uri = "sip:hanna@c.example"})});
    const auto before = ids();
    restart();
    EXPECT_EQ(ids(), (Lines{before.front(), before.front()}));
    events.clear();
    told({.version = 3, .state = "partial", .users = gone("sip:hanna@c.example")});
    EXPECT_EQ(lines(), Lines{"group_left"});
    told({.version = 4, .users = xml_of({}) + xml_of({.uri = std::string(gerd)})});
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(ConferenceEventsTest, OfATaskThatIsForgottenNothingIsKnown) {
    const auto all = [this] {
        both_there();
        told({.version = 2, .state = "partial", .users = xml_of({.uri = "sip:hanna@c.example"})});
    };
    all();
    const auto before = ids();
    ASSERT_FALSE(before.empty());
    tracker->forget({copy(Copy::Kind::sip, {}).view().xid}, now, out);
    kept.note({}, out);
    EXPECT_EQ(kept.size(), 0U);
    events.clear();
    all();
    EXPECT_EQ(ids(), before);
}

TEST_F(ConferenceEventsTest, OnlyTheLastWholeDocumentAndThoseAfterItAreKept) {
    both_there();
    for (int i = 2; i < 10; ++i) {
        told({.version = i, .state = "partial", .users = xml_of({.uri = "sip:u" + std::to_string(i) + "@x"})});
    }
    EXPECT_EQ(kept.size(), 9U);
    told({.version = 10, .users = xml_of({}) + xml_of({.uri = std::string(gerd)})});
    EXPECT_EQ(kept.size(), 1U);
    events.clear();
    restart();
    told({.version = 11, .state = "partial", .users = gone(gerd)});
    EXPECT_EQ(lines(), Lines{"group_left"});
    told({.version = 12, .state = "deleted"});
    EXPECT_EQ(kept.size(), 0U);
}

TEST_F(ConferenceEventsTest, WhatIsKeptIsBounded) {
    both_there();
    for (int i = 2; i < 1100; ++i) {
        told({.version = i, .state = "partial", .users = i % 2 == 0 ? gone(gerd) : xml_of({.uri = std::string(gerd)})});
    }
    EXPECT_EQ(events.size(), 1098U);
    EXPECT_EQ(kept.size(), 0U);
    told({.version = 1100, .users = xml_of({})});
    EXPECT_EQ(kept.size(), 1U);
}

TEST_F(ConferenceEventsTest, AnIdleConferenceIsForgotten) {
    both_there();
    pass(options.session_idle + std::chrono::hours(1));
    EXPECT_EQ(kept.size(), 0U);
    told({.version = 2, .users = xml_of({})});
    EXPECT_EQ(lines(), Lines{}) << "a first roster again";
}

TEST_F(ConferenceEventsTest, IdsAreTheSameEachTime) {
    const auto run = [this] {
        both_there();
        told({.version = 2,
              .state = "partial",
              .users = xml_of({.uri = "sip:hanna@c.example"}) +
                       xml_of({.uri = std::string(gerd), .more = "<roles><entry>host</entry></roles>"}) + gone(fiona),
              .description = "<subject>x</subject>"});
        policy(policy_of("one"));
        policy(policy_of("two"));
    };
    run();
    const auto first = ids();
    EXPECT_EQ(first.size(), 6U);
    events.clear();
    kept.forget();
    start();
    at = model::Instant{1'790'000'000, 0};
    run();
    EXPECT_EQ(ids(), first);
}

}  // namespace
}  // namespace lihandover::ims::test
