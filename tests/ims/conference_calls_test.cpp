// Members that come and go by their own calls.

#include <gtest/gtest.h>

#include "conference_texts.hpp"

namespace lihandover::ims::test {
namespace {

using Parties = std::vector<std::string>;

class ConferenceCallsTest : public TrackerTest {
  protected:
    ConferenceCallsTest() { matched = {std::string(fiona)}; }

    void create() {
        sip(request("INVITE", factory_call, description(fiona_path), "Subject: the boat\n"));
        sip(answer(200, factory_call, description(focus_path), focus_contact()), Direction::to_target);
    }
    void join(const Call& call) {
        sip(request("INVITE", call, description(fiona_path)));
        sip(answer(200, call, description(focus_path), focus_contact()), Direction::to_target);
    }

    Call factory_call = call_of("create-1", fiona, "sip:factory@focus.example");
    Call direct_call = call_of("join-1", fiona, deck);
};

TEST_F(ConferenceCallsTest, AFactoryMakesOne) {
    create();
    ASSERT_EQ(lines(), Lines{"group_created"});
    EXPECT_EQ(parties_of(last()),
              (Parties{"receiver=sip:deck@focus.example,sip:factory@focus.example", "actor*=sip:fiona@a.example"}));
    EXPECT_EQ(last().event.conversation.id, deck);
    EXPECT_EQ(last().event.conversation.kind, "group");
    EXPECT_EQ(last().event.conversation.title, "the boat");
}

TEST_F(ConferenceCallsTest, OneThatIsThereIsJoined) {
    join(direct_call);
    ASSERT_EQ(lines(), Lines{"group_joined"});
    EXPECT_EQ(parties_of(last()), (Parties{"receiver=sip:deck@focus.example", "actor*=sip:fiona@a.example"}));
    EXPECT_EQ(last().event.conversation.id, deck);
}

TEST_F(ConferenceCallsTest, AnotherHostInTheContactIsTheSameConference) {
    sip(request("INVITE", direct_call, description(fiona_path)));
    sip(answer(200, direct_call, description(focus_path), focus_contact("sip:deck@192.0.2.9:5060;transport=tcp")),
        Direction::to_target);
    EXPECT_EQ(lines(), Lines{"group_joined"});
    sip(notify({.users = xml_of({})}), Direction::to_target);
    sip(notify({.version = 2, .state = "partial", .users = xml_of({.uri = std::string(gerd)})}), Direction::to_target);
    ASSERT_EQ(lines(), (Lines{"group_joined", "group_joined"}));
    EXPECT_EQ(events[1].event.conversation.id, events[0].event.conversation.id);
}

TEST_F(ConferenceCallsTest, AContactWithoutAUserSaysNotWhichOneItIs) {
    sip(request("INVITE", direct_call, description(fiona_path)));
    sip(answer(200, direct_call, description(focus_path), focus_contact("sip:192.0.2.9")), Direction::to_target);
    ASSERT_EQ(lines(), Lines{"group_joined"});
    EXPECT_EQ(last().event.conversation.id, deck);
}

TEST_F(ConferenceCallsTest, AChatRoomSaysThatItIsOne) {
    sip(request("INVITE", direct_call, description(fiona_path, "a=chatroom:nickname\n")));
    EXPECT_EQ(lines(), Lines{}) << "users say so, too";
    sip(answer(200, direct_call, description(focus_path, "a=chatroom:nickname private-messages\n")),
        Direction::to_target);
    ASSERT_EQ(lines(), Lines{"group_joined"});
    EXPECT_EQ(last().event.conversation.id, deck);
}

TEST_F(ConferenceCallsTest, TheFocusCallsSomebody) {
    Call call = call_of("out-1", deck, fiona);
    sip(request("INVITE", call, description(focus_path), focus_contact() + "Referred-By: <sip:gerd@b.example>\n"),
        Direction::to_target);
    EXPECT_EQ(lines(), Lines{});
    sip(answer(200, call, description(fiona_path), "P-Asserted-Identity: <tel:+441632960001>\n"));
    ASSERT_EQ(lines(), Lines{"group_joined"});
    EXPECT_EQ(parties_of(last()),
              (Parties{"sender=sip:gerd@b.example", "actor*=tel:+441632960001,sip:fiona@a.example"}));
    EXPECT_EQ(last().event.conversation.id, deck);
}

TEST_F(ConferenceCallsTest, ThoseWhoAreToBeInvitedAreNamed) {
    const std::string list =
        "--b\nContent-Type: application/sdp\n\n" + description(fiona_path) +
        "\n--b\nContent-Type: application/resource-lists+xml\nContent-Disposition: recipient-list\n\n"
        "<resource-lists><list><entry uri=\"sip:gerd@b.example\"/><entry uri=\"sip:hanna@c.example\"/></list>"
        "</resource-lists>\n--b--\n";
    std::string invite = request("INVITE", factory_call, {}, "Content-Type: multipart/mixed;boundary=b\n");
    invite.replace(invite.find("Content-Length: 0"), 17, "Content-Length: " + std::to_string(wire(list).size()));
    sip(invite + list);
    sip(answer(200, factory_call, description(focus_path), focus_contact()), Direction::to_target);
    ASSERT_EQ(lines(), Lines{"group_created"});
    EXPECT_EQ(parties_of(last()),
              (Parties{"receiver=sip:deck@focus.example,sip:factory@focus.example", "actor*=sip:fiona@a.example",
                       "member=sip:gerd@b.example", "member=sip:hanna@c.example"}));
}

TEST_F(ConferenceCallsTest, AudioAloneMakesNone) {
    sip(request("INVITE", direct_call, audio_only));
    sip(answer(200, direct_call, audio_only, focus_contact()), Direction::to_target);
    Call late = call_of("late", fiona, deck);
    sip(request("INVITE", late));
    sip(answer(200, late, audio_only, focus_contact()), Direction::to_target);
    Call refused = call_of("refused", fiona, deck);
    sip(request("INVITE", refused, description(fiona_path)));
    sip(answer(200, refused, description(focus_path, {}, 0), focus_contact()), Direction::to_target);
    EXPECT_EQ(lines(), Lines{});
}

TEST_F(ConferenceCallsTest, ALateOfferJoinsAtThe2xx) {
    sip(request("INVITE", direct_call));
    sip(answer(200, direct_call, description(focus_path), focus_contact()), Direction::to_target);
    EXPECT_EQ(lines(), Lines{"group_joined"});
    sip(request("ACK", direct_call, description(fiona_path)));
    EXPECT_EQ(lines(), Lines{"group_joined"});
    msrp(nickname("Skipper"));
    msrp(response(200, "nick1", fiona_path, focus_path), Direction::to_target);
    EXPECT_EQ(parties_of(last()), Parties{"actor*=sip:fiona@a.example"});
}

TEST_F(ConferenceCallsTest, TheDescriptionMayComeWithAProvisionalAnswer) {
    sip(request("INVITE", direct_call, description(fiona_path)));
    sip(answer(183, direct_call, description(focus_path)), Direction::to_target);
    sip(answer(200, direct_call, {}, focus_contact()), Direction::to_target);
    EXPECT_EQ(lines(), Lines{"group_joined"});
}

TEST_F(ConferenceCallsTest, ARefusalMakesNoMember) {
    sip(request("INVITE", direct_call, description(fiona_path)));
    sip(answer(403, direct_call), Direction::to_target);
    EXPECT_EQ(lines(), Lines{"conversation_ended refused"});
}

TEST_F(ConferenceCallsTest, CopiesOfOtherHopsAreRepeats) {
    join(direct_call);
    EXPECT_EQ(sip(answer(200, direct_call, description(focus_path), focus_contact()), Direction::to_target),
              Made::Outcome::repeat);
    Call behind_another_node = direct_call;
    behind_another_node.id = "join-1-b";
    join(behind_another_node);
    EXPECT_EQ(lines(), Lines{"group_joined"});
    sip(request("BYE", direct_call));
    sip(request("BYE", behind_another_node));
    EXPECT_EQ(lines(), (Lines{"group_joined", "group_left departed"}));
}

TEST_F(ConferenceCallsTest, LeavingIsTold) {
    join(direct_call);
    sip(request("BYE", direct_call));
    ASSERT_EQ(lines(), (Lines{"group_joined", "group_left departed"}));
    EXPECT_EQ(parties_of(last()), Parties{"actor*=sip:fiona@a.example"});
    EXPECT_EQ(last().event.conversation.id, deck);
    EXPECT_EQ(sip(request("BYE", direct_call)), Made::Outcome::repeat);
    EXPECT_EQ(events.size(), 2U);
}

TEST_F(ConferenceCallsTest, LeavingWithoutABye) {
    join(direct_call);
    direct_call.cseq = 2;
    sip(again("INVITE", direct_call, description(fiona_path, {}, 0)));
    sip(answer(200, direct_call, description(focus_path, {}, 0), focus_contact()), Direction::to_target);
    ASSERT_EQ(lines(), (Lines{"group_joined", "group_left departed"}));
    EXPECT_EQ(parties_of(last()), Parties{"actor*=sip:fiona@a.example"});
    sip(answer(200, direct_call, description(focus_path, {}, 0), focus_contact()), Direction::to_target);
    EXPECT_EQ(events.size(), 2U);
    direct_call.cseq = 3;
    sip(again("INVITE", direct_call, description(fiona_path)));
    sip(answer(200, direct_call, description(focus_path), focus_contact()), Direction::to_target);
    EXPECT_EQ(lines(), (Lines{"group_joined", "group_left departed", "group_joined"}));
    sip(request("BYE", direct_call));
    EXPECT_EQ(events.size(), 4U);
}

TEST_F(ConferenceCallsTest, ARefreshIsNoJoining) {
    join(direct_call);
    direct_call.cseq = 2;
    sip(again("INVITE", direct_call, description(fiona_path)));
    EXPECT_EQ(sip(answer(200, direct_call, description(focus_path), focus_contact()), Direction::to_target),
              Made::Outcome::repeat);
    EXPECT_EQ(lines(), Lines{"group_joined"});
}

TEST_F(ConferenceCallsTest, TheFocusLetsOneGo) {
    join(direct_call);
    sip(request("BYE", direct_call, {}, {}, true), Direction::to_target);
    ASSERT_EQ(lines(), (Lines{"group_joined", "group_left disconnected"}));
    EXPECT_EQ(parties_of(last()), Parties{"member*=sip:fiona@a.example"});
}

TEST_F(ConferenceCallsTest, SomebodyWasRemoved) {
    join(direct_call);
    sip("REFER " + std::string(deck) +
            " SIP/2.0\nVia: SIP/2.0/TCP n.example;branch=z9hG4bKr\nFrom: <sip:gerd@b.example>;tag=g\n"
            "To: <" +
            std::string(deck) +
            ">\nCall-ID: refer-1\nCSeq: 1 REFER\nRefer-To: <sip:fiona@a.example;method=BYE>\n"
            "Content-Length: 0\n\n",
        Direction::to_target);
    EXPECT_EQ(events.size(), 1U) << "a wish is no event";
    sip(request("BYE", direct_call, {}, {}, true), Direction::to_target);
    ASSERT_EQ(lines(), (Lines{"group_joined", "group_left booted"}));
    EXPECT_EQ(parties_of(last()), (Parties{"actor=sip:gerd@b.example", "member*=sip:fiona@a.example"}));
}

TEST_F(ConferenceCallsTest, ADeviceMayLeaveAndTheMemberStay) {
    join(direct_call);
    correlation = 6;
    Call tablet = call_of("join-2", fiona, deck);
    tablet.caller_tag = "tablet";
    join(tablet);
    EXPECT_EQ(lines(), (Lines{"group_joined", "group_joined"}));
    correlation = 5;
    sip(request("BYE", direct_call));
    EXPECT_EQ(lines(), (Lines{"group_joined", "group_joined"}));
    correlation = 6;
    sip(request("BYE", tablet));
    EXPECT_EQ(lines(), (Lines{"group_joined", "group_joined", "group_left departed"}));
}

TEST_F(ConferenceCallsTest, ComingBackIsAnotherJoining) {
    join(direct_call);
    sip(request("BYE", direct_call));
    correlation = 6;
    Call again = call_of("join-2", fiona, deck);
    join(again);
    ASSERT_EQ(lines(), (Lines{"group_joined", "group_left departed", "group_joined"}));
    EXPECT_NE(events[0].event.event_id, events[2].event.event_id);
}

TEST_F(ConferenceCallsTest, ASecondConferenceOfAFactoryIsAnother) {
    create();
    Call second = call_of("create-2", fiona, "sip:factory@focus.example");
    correlation = 7;
    sip(request("INVITE", second, description(fiona_path)));
    sip(answer(200, second, description("msrp://focus.example:2855/bridge;tcp"),
               focus_contact("sip:bridge@focus.example")),
        Direction::to_target);
    ASSERT_EQ(lines(), (Lines{"group_created", "group_created"}));
    EXPECT_EQ(events[1].event.conversation.id, "sip:bridge@focus.example");
}

TEST_F(ConferenceCallsTest, WhatIsSaidInItIsOfItsConversation) {
    create();
    msrp(send("ahoy", {.from = std::string(fiona_path), .to = std::string(focus_path)}));
    ASSERT_EQ(lines(), (Lines{"group_created", "message \"ahoy\""}));
    EXPECT_EQ(last().event.conversation.id, deck);
    EXPECT_EQ(last().event.conversation.kind, "group");
}

TEST_F(ConferenceCallsTest, TasksAreApart) {
    SentCopy invite = copy(Copy::Kind::sip, wire(request("INVITE", direct_call, description(fiona_path))));
    SentCopy ok = copy(Copy::Kind::sip, wire(answer(200, direct_call, description(focus_path), focus_contact())),
                       Direction::to_target);
    feed(invite);
    feed(ok);
    invite.task = ok.task = 2;
    feed(invite);
    feed(ok);
    ASSERT_EQ(lines(), (Lines{"group_joined", "group_joined"}));
    EXPECT_NE(events[0].event.event_id, events[1].event.event_id);
    EXPECT_NE(events[0].xid, events[1].xid);
}

TEST_F(ConferenceCallsTest, IdsAreTheSameEachTime) {
    create();
    sip(request("BYE", factory_call));
    const auto first = ids();
    events.clear();
    kept.forget();
    start();
    at = model::Instant{1'790'000'000, 0};
    create();
    sip(request("BYE", factory_call));
    EXPECT_EQ(ids(), first);
}

TEST_F(ConferenceCallsTest, ARestartChangesNothing) {
    create();
    Call called_out = call_of("out-1", deck, gerd);
    correlation = 9;
    sip(request("INVITE", called_out, description("msrp://focus.example:2855/deck-gerd;tcp"), focus_contact()));
    events.clear();
    restart();
    events.clear();
    sip(answer(200, called_out, description("msrp://b.example:2855/gerd;tcp")));
    EXPECT_EQ(lines(), Lines{"group_joined"});
    correlation = 5;
    sip(request("BYE", factory_call));
    EXPECT_EQ(lines(), (Lines{"group_joined", "group_left departed"}));
}

TEST_F(ConferenceCallsTest, WhatIsMadeAgainAfterARestartIsARepeat) {
    create();
    sip(request("BYE", factory_call));
    const auto first = ids();
    events.clear();
    restart();
    EXPECT_EQ(ids(), first);
    EXPECT_EQ(sip(request("BYE", factory_call)), Made::Outcome::repeat);
}

TEST_F(ConferenceCallsTest, NothingIsKeptOfWhatIsForgotten) {
    create();
    EXPECT_GT(kept.size(), 0U);
    sip(request("BYE", factory_call));
    pass(options.session_idle + std::chrono::hours(1));
    EXPECT_EQ(kept.size(), 0U);
}

TEST_F(ConferenceCallsTest, AnInviteWithoutAnAnswerIsForgotten) {
    Call called_out = call_of("out-1", deck, fiona);
    sip(request("INVITE", called_out, description(focus_path), focus_contact()), Direction::to_target);
    EXPECT_GT(kept.size(), 0U);
    pass(options.session_idle + std::chrono::hours(1));
    EXPECT_EQ(kept.size(), 0U);
}

}  // namespace
}  // namespace lihandover::ims::test
