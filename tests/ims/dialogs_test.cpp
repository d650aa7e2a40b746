#include <string>
#include <vector>

#include "call_texts.hpp"

namespace lihandover::ims::test {
namespace {

using std::chrono::seconds;

class Dialogs : public TrackerTest {
  protected:
    void invite(std::string_view sdp = {}) { sip(request("INVITE", call, sdp.empty() ? offer : sdp)); }
    void accept(std::string_view sdp = {}) {
        sip(answer(200, call, sdp.empty() ? accepted : sdp), Direction::to_target);
    }
    void bye() { sip(request("BYE", call)); }

    Call call;
    const std::string offer = description(alice_path);
    const std::string accepted = description(bob_path);
};

TEST_F(Dialogs, OfferAndAnswerStartASessionAndByeEndsIt) {
    invite();
    sip(answer(100, call), Direction::to_target);
    sip(answer(180, call), Direction::to_target);
    EXPECT_TRUE(events.empty());
    accept();
    sip(request("ACK", call));
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
    EXPECT_EQ(tracker->sessions(), 1U);
    // The answer came to the target, who calls.
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    EXPECT_EQ(last().event.conversation.kind, "direct");
    const std::string conversation(last().event.conversation.id);
    EXPECT_FALSE(conversation.empty());
    sip(request("BYE", call, {}, {}, true), Direction::to_target);
    EXPECT_EQ(lines(), (Lines{"conversation_started", "conversation_ended ended"}));
    EXPECT_EQ(last().event.conversation.id, conversation);
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    EXPECT_EQ(tracker->sessions(), 0U);
}

TEST_F(Dialogs, IdentitiesOfAllHopsAndTheAnswer) {
    sip(request("INVITE", call, offer, "P-Preferred-Identity: \"Al\" <sip:al@a.example>\n"));
    call.branch = "z9hG4bKtwo";
    sip(request("INVITE", call, offer, "P-Asserted-Identity: <tel:+441632960001>\n"));
    sip(request("INVITE", call, offer, "P-Called-Party-ID: <tel:+441632960002>\n"));
    sip(answer(200, call, accepted, "P-Asserted-Identity: \"Bob\" <sip:robert@b.example>\n"), Direction::to_target);
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=tel:+441632960001,sip:al@a.example,sip:alice@a.example",
                                         "receiver=sip:robert@b.example,sip:bob@b.example,tel:+441632960002"}));
    EXPECT_EQ(last().event.parties[0].nickname, "Al");
    EXPECT_EQ(last().event.parties[1].nickname, "Bob");
}

// TS 24.247 6.3.1.2.
TEST_F(Dialogs, TheRequestUriNamesWhoIsCalledToo) {
    std::string text = request("INVITE", call, offer);
    text.replace(0, text.find(" SIP/2.0"), "INVITE sip:robert@b.example");
    sip(text);
    accept();
    EXPECT_EQ(parties_of(last()),
              (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example,sip:robert@b.example"}));
}

// TS 24.247 6.3.2.3.1.
TEST_F(Dialogs, ANodeThatCannotConnectEndsTheSession) {
    invite();
    Call beyond = call;
    beyond.id = "call-2";
    beyond.branch = "z9hG4bKbeyond";
    sip(request("INVITE", beyond, description("msrp://node.example:1/s7;tcp")));
    sip(answer(200, beyond, accepted), Direction::to_target);
    accept(description("msrp://node.example:1/s8;tcp"));
    sip(request("BYE", call, {}, {}, true), Direction::to_target);
    EXPECT_EQ(sip(request("BYE", beyond)), Made::Outcome::repeat);
    EXPECT_EQ(lines(), (Lines{"conversation_started", "conversation_ended ended"}));
    EXPECT_EQ(tracker->sessions(), 0U);
}

TEST_F(Dialogs, ALateOfferStartsAtTheAck) {
    sip(request("INVITE", call));
    sip(answer(200, call, accepted), Direction::to_target);
    EXPECT_TRUE(events.empty());
    sip(request("ACK", call, offer));
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
}

TEST_F(Dialogs, AnAnswerInAProvisionalResponseCountsAtTheFinalOne) {
    // With preconditions: 183 with the answer, PRACK, UPDATE, and a 200 without a description.
    invite(description(alice_path, "a=curr:qos local none\na=des:qos mandatory local sendrecv\n"));
    sip(answer(183, call, accepted), Direction::to_target);
    Call next = call;
    next.cseq = 2;
    sip(request("PRACK", next));
    sip(answer(200, next, {}, {}, "PRACK"), Direction::to_target);
    next.cseq = 3;
    sip(again("UPDATE", next, offer));
    sip(answer(200, next, accepted, {}, "UPDATE"), Direction::to_target);
    EXPECT_TRUE(events.empty());
    sip(answer(200, call), Direction::to_target);
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
}

TEST_F(Dialogs, AnAnswerMayOvertakeItsInvite) {
    accept();
    EXPECT_TRUE(events.empty());
    invite();
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
}

TEST_F(Dialogs, ByeBeforeTheAnswerStillLetsItStart) {
    invite();
    bye();
    accept();
    EXPECT_EQ(lines(), (Lines{"conversation_ended ended", "conversation_started"}));
}

TEST_F(Dialogs, AudioAloneMakesNothing) {
    invite(audio_only);
    accept(audio_only);
    bye();
    EXPECT_TRUE(events.empty());
    EXPECT_EQ(tracker->sessions(), 0U);
    pass(seconds(400));
    EXPECT_EQ(kept.size(), 0U);
}

TEST_F(Dialogs, ARefusedMediumMakesNothing) {
    const std::string both = description(alice_path, {}, 2855, "m=audio 4000 RTP/AVP 0\n");
    invite(both);
    accept(description(bob_path, {}, 0, "m=audio 4000 RTP/AVP 0\n"));
    bye();
    EXPECT_TRUE(events.empty());
    EXPECT_EQ(tracker->sessions(), 0U);
}

TEST_F(Dialogs, OneMediumAmongSeveralIsASession) {
    invite(description(alice_path, {}, 2855, "m=audio 4000 RTP/AVP 0\n"));
    accept(description(bob_path, {}, 2855, "m=audio 4000 RTP/AVP 0\n"));
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
}

TEST_F(Dialogs, MsrpAddedToACallStartsThen) {
    invite(audio_only);
    accept(audio_only);
    call.cseq = 2;
    sip(again("INVITE", call, offer));
    accept();
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
}

TEST_F(Dialogs, AChangeOfTheSessionStartsNothingAgain) {
    invite();
    accept();
    call.cseq = 2;
    sip(again("INVITE", call, description("msrp://a.example:9/s9;tcp")));
    accept(description("msrp://b.example:9/s8;tcp"));
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
    const std::string conversation(last().event.conversation.id);
    msrp(send("new path", {.from = "msrp://a.example:9/s9;tcp", .to = "msrp://b.example:9/s8;tcp"}));
    EXPECT_EQ(last().event.conversation.id, conversation);
}

TEST_F(Dialogs, ARefusedChangeEndsNothing) {
    invite();
    accept();
    call.cseq = 2;
    sip(again("INVITE", call, description(alice_path, {}, 0)));
    sip(answer(488, call), Direction::to_target);
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
    EXPECT_EQ(tracker->sessions(), 1U);
}

TEST_F(Dialogs, AMediumTakenOutEndsTheSession) {
    invite();
    accept();
    call.cseq = 2;
    sip(again("INVITE", call, description(alice_path, {}, 0)));
    accept(description(bob_path, {}, 0));
    EXPECT_EQ(lines(), (Lines{"conversation_started", "conversation_ended ended"}));
}

TEST_F(Dialogs, ARefusalTellsItsAnswer) {
    invite();
    sip(answer(486, call), Direction::to_target);
    sip(request("ACK", call));
    EXPECT_EQ(lines(), (Lines{"conversation_ended refused"}));
    EXPECT_EQ(parameter_of(last(), "answer"), "486 Busy Here");
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    EXPECT_FALSE(last().event.conversation.id.empty());
}

TEST_F(Dialogs, CancelledIsNotRefused) {
    invite();
    sip(request("CANCEL", call));
    sip(answer(200, call, {}, {}, "CANCEL"), Direction::to_target);
    EXPECT_TRUE(events.empty());
    sip(answer(487, call), Direction::to_target);
    EXPECT_EQ(lines(), (Lines{"conversation_ended cancelled"}));
}

TEST_F(Dialogs, CancelledWithoutAnAnswerInTheEnd) {
    invite();
    sip(request("CANCEL", call));
    pass(seconds(31));
    EXPECT_TRUE(events.empty());
    pass(seconds(2));
    EXPECT_EQ(lines(), (Lines{"conversation_ended cancelled"}));
}

TEST_F(Dialogs, AnAnswerBeatsACancel) {
    invite();
    sip(request("CANCEL", call));
    accept();
    pass(seconds(400));
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
}

TEST_F(Dialogs, AChallengeIsNoRefusal) {
    invite();
    sip(answer(407, call), Direction::to_target);
    EXPECT_TRUE(events.empty());
    call.cseq = 2;
    call.branch = "z9hG4bKauth";
    invite();
    accept();
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
}

TEST_F(Dialogs, TriedAgainAfterARefusalIsAnotherTry) {
    invite();
    sip(answer(488, call), Direction::to_target);
    call.cseq = 2;
    invite();
    sip(answer(488, call), Direction::to_target);
    call.cseq = 3;
    invite();
    accept();
    EXPECT_EQ(lines(), (Lines{"conversation_ended refused", "conversation_ended refused", "conversation_started"}));
    EXPECT_NE(ids()[0], ids()[1]);
}

TEST_F(Dialogs, ABranchOfAForkMayRefuseWhereAnotherAccepts) {
    invite();
    Call one = call;
    one.branch = "z9hG4bKfork1";
    one.called_tag = "b1";
    Call another = call;
    another.branch = "z9hG4bKfork2";
    another.called_tag = "b2";
    sip(request("INVITE", one, offer));
    sip(request("INVITE", another, offer));
    sip(answer(486, one), Direction::to_target);
    EXPECT_TRUE(events.empty());
    sip(answer(200, another, accepted), Direction::to_target);
    call.called_tag = "b2";
    accept();
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
    pass(seconds(400));
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(Dialogs, OfTwoWhoAnsweredOneMayLeave) {
    invite();
    call.called_tag = "b1";
    accept();
    call.called_tag = "b2";
    accept(description("msrp://c.example:1/s3;tcp"));
    bye();
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
    call.called_tag = "b1";
    bye();
    EXPECT_EQ(lines(), (Lines{"conversation_started", "conversation_ended ended"}));
}

TEST_F(Dialogs, ARefusalOfAFartherHopGoesOutInTheEnd) {
    invite();
    Call far = call;
    far.branch = "z9hG4bKfar";
    sip(request("INVITE", far, offer));
    sip(answer(603, far), Direction::to_target);
    EXPECT_TRUE(events.empty());
    pass(seconds(179));
    EXPECT_TRUE(events.empty());
    pass(seconds(2));
    EXPECT_EQ(lines(), (Lines{"conversation_ended refused"}));
    EXPECT_EQ(parameter_of(last(), "answer"), "603 Decline");
}

TEST_F(Dialogs, CopiesOfOtherHopsAreRepeats) {
    invite();
    EXPECT_EQ(sip(request("INVITE", call, offer)), Made::Outcome::repeat);
    accept();
    EXPECT_EQ(sip(answer(200, call, accepted), Direction::to_target), Made::Outcome::repeat);
    bye();
    EXPECT_EQ(sip(request("BYE", call)), Made::Outcome::repeat);
    EXPECT_EQ(sip(request("INVITE", call, offer)), Made::Outcome::repeat);
    EXPECT_EQ(lines(), (Lines{"conversation_started", "conversation_ended ended"}));
}

TEST_F(Dialogs, TheDescriptionMayComeBesideTheMessage) {
    SentCopy with = copy(Copy::Kind::sip, wire(request("INVITE", call)));
    with.sdp = wire(offer);
    feed(with);
    accept();
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
}

TEST_F(Dialogs, TheDescriptionMayBeOneOfSeveralParts) {
    const std::string body = "--b\nContent-Type: application/sdp\n\n" + offer +
                             "\n--b\nContent-Type: application/resource-lists+xml\n\n<x/>\n--b--\n";
    std::string text = request("INVITE", call);
    text = text.substr(0, text.find("Content-Length")) +
           "Content-Type: multipart/mixed; boundary=b\nContent-Length: " + std::to_string(wire(body).size()) + "\n\n" +
           body;
    sip(text);
    accept();
    EXPECT_EQ(lines(), (Lines{"conversation_started"}));
}

TEST_F(Dialogs, CallsWithoutCorrelationAreEachASession) {
    correlation = 0;
    invite();
    Call other = call;
    other.id = "call-2";
    sip(request("INVITE", other, description("msrp://x.example:1/y;tcp")));
    sip(answer(200, other, description("msrp://z.example:1/y;tcp")), Direction::to_target);
    accept();
    EXPECT_EQ(lines(), (Lines{"conversation_started", "conversation_started"}));
    EXPECT_NE(events[0].event.conversation.id, events[1].event.conversation.id);
}

TEST_F(Dialogs, ALaterCallOfTheSameCorrelationIsAnotherSession) {
    invite();
    accept();
    bye();
    Call other = call;
    other.id = "call-2";
    sip(request("INVITE", other, offer));
    sip(answer(200, other, accepted), Direction::to_target);
    EXPECT_EQ(lines(), (Lines{"conversation_started", "conversation_ended ended", "conversation_started"}));
    EXPECT_NE(ids()[0], ids()[2]);
}

TEST_F(Dialogs, SessionsEndWhenNothingComesOfThem) {
    options.session_idle = std::chrono::minutes(10);
    tracker->set_options(options);
    invite();
    accept();
    pass(std::chrono::minutes(9));
    msrp(send("still there"));
    pass(std::chrono::minutes(9));
    EXPECT_EQ(tracker->sessions(), 1U);
    EXPECT_GT(kept.size(), 0U);
    pass(std::chrono::minutes(2));
    EXPECT_EQ(tracker->sessions(), 0U);
    EXPECT_EQ(kept.size(), 0U);
    EXPECT_EQ(lines(), (Lines{"conversation_started", "message \"still there\""}));
}

TEST_F(Dialogs, SessionsEndAtTheirLimit) {
    options.session_limit = std::chrono::minutes(10);
    tracker->set_options(options);
    invite();
    accept();
    for (int i = 0; i < 3; ++i) {
        pass(std::chrono::minutes(3));
        msrp(send("still there", {.transaction = "tr" + std::to_string(1000 + i), .id = "m" + std::to_string(i)}));
    }
    EXPECT_EQ(tracker->sessions(), 1U);
    pass(std::chrono::minutes(2));
    EXPECT_EQ(tracker->sessions(), 0U);
    EXPECT_EQ(kept.size(), 0U);
}

TEST_F(Dialogs, OfTooManySessionsTheOneIdleLongestGoes) {
    options.max_sessions = 3;
    tracker->set_options(options);
    for (int i = 0; i < 5; ++i) {
        call.id = "call-" + std::to_string(i);
        correlation = static_cast<std::uint64_t>(i) + 1;
        sip(request("INVITE", call, description("msrp://a.example:1/s" + std::to_string(i) + ";tcp")));
    }
    EXPECT_EQ(tracker->sessions(), 3U);
    EXPECT_EQ(kept.size(), 3U);
}

TEST_F(Dialogs, AnEndedSessionIsKnownForAWhile) {
    invite();
    accept();
    const std::string conversation(last().event.conversation.id);
    bye();
    msrp(send("late"));
    EXPECT_EQ(last().event.conversation.id, conversation);
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    pass(std::chrono::minutes(6));
    EXPECT_EQ(kept.size(), 0U);
    EXPECT_FALSE(tracker->due());
}

TEST_F(Dialogs, ARefusalThatOvertookItsInvite) {
    sip(answer(486, call), Direction::to_target);
    invite();
    EXPECT_EQ(lines(), (Lines{"conversation_ended refused"}));
}

TEST_F(Dialogs, AnAnswerToAnInviteThatWasSentAgainIsOfNoOtherSession) {
    invite();
    sip(answer(407, call), Direction::to_target);
    Call first = call;
    call.cseq = 2;
    invite();
    accept();
    bye();
    pass(std::chrono::minutes(6));
    call = Call{};
    call.id = "call-2";
    call.caller_tag = "ct";
    invite();
    sip(answer(200, first, {}, "P-Asserted-Identity: <sip:stranger@c.example>\n"), Direction::to_target);
    accept();
    ASSERT_EQ(lines(), (Lines{"conversation_started", "conversation_ended ended", "conversation_started"}));
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
}

}  // namespace
}  // namespace lihandover::ims::test
