#include <string>
#include <vector>

#include "tracker_support.hpp"

namespace lihandover::ims::test {
namespace {

/// A page-mode message of Alice to Bob.
std::string message(std::string_view body, std::string_view type = "text/plain", std::string_view more = {},
                    std::string_view call = "page-1", int cseq = 1, std::string_view branch = "z9hG4bKa") {
    return "MESSAGE sip:bob@b.example SIP/2.0\n"
           "Via: SIP/2.0/UDP ue.a.example;branch=" +
           std::string(branch) +
           "\nFrom: \"Alice\" <sip:alice@a.example>;tag=af\n"
           "To: <sip:bob@b.example>\n"
           "Call-ID: " +
           std::string(call) + "\nCSeq: " + std::to_string(cseq) + " MESSAGE\n" + std::string(more) +
           (type.empty() ? "" : "Content-Type: " + std::string(type) + "\n") +
           // The body's line ends become two bytes.
           "Content-Length: " + std::to_string(wire(body).size()) + "\n\n" + std::string(body);
}

std::string answer(int status, std::string_view call = "page-1", int cseq = 1, std::string_view branch = "z9hG4bKa") {
    return "SIP/2.0 " + std::to_string(status) +
           " Whatever\n"
           "Via: SIP/2.0/UDP ue.a.example;branch=" +
           std::string(branch) +
           "\nFrom: \"Alice\" <sip:alice@a.example>;tag=af\n"
           "To: <sip:bob@b.example>;tag=bt\n"
           "Call-ID: " +
           std::string(call) + "\nCSeq: " + std::to_string(cseq) + " MESSAGE\nContent-Length: 0\n\n";
}

std::string cpim(std::string_view body, std::string_view type = "text/plain", std::string_view more = {}) {
    return "From: Alice <im:alice@a.example>\nTo: Bob <im:bob@b.example>\n"
           "NS: imdn <urn:ietf:params:imdn>\n"
           "DateTime: 2026-11-22T10:15:30Z\nimdn.Message-ID: im-7\n" +
           std::string(more) + "\nContent-Type: " + std::string(type) + "\n\n" + std::string(body);
}

std::string imdn(std::string_view notification, std::string_view status, std::string_view id = "im-7") {
    return "<?xml version=\"1.0\"?>\n<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id>" + std::string(id) +
           "</message-id><datetime>2026-11-22T10:16:00Z</datetime><" + std::string(notification) + "><status><" +
           std::string(status) + "/></status></" + std::string(notification) + "></imdn>";
}

class PageMessages : public TrackerTest {};

TEST_F(PageMessages, TextIsContent) {
    at = model::Instant{1'795'342'530, 0};
    EXPECT_EQ(sip(message("See you at eight")), Made::Outcome::event);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(line_of(last()), "message \"See you at eight\"");
    EXPECT_EQ(last().event.content_type, "text/plain");
    EXPECT_EQ(last().event.timestamp->text, "2026-11-22T10:15:30.000000Z");
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    EXPECT_EQ(last().event.parties.front().nickname, "Alice");
    EXPECT_FALSE(last().event.has_conversation);
}

TEST_F(PageMessages, AnIdentityTooLongForAnEventIsPassedOverAndSaid) {
    sip(message("hi", "text/plain", "P-Asserted-Identity: <sip:" + std::string(1100, 'a') + "@a.example>\n"));
    EXPECT_EQ(lines(), Lines{"message \"hi\""});
    EXPECT_EQ(out.remarks.size(), 1U);
}

TEST_F(PageMessages, HtmlIsContentToo) {
    sip(message("<b>eight</b>", "text/html;charset=utf-8"));
    EXPECT_EQ(line_of(last()), "message \"<b>eight</b>\"");
    EXPECT_EQ(last().event.content_type, "text/html");
}

TEST_F(PageMessages, CharsetsBecomeUtf8) {
    sip(message("caf\xE9", "text/plain; charset=iso-8859-1"));
    EXPECT_EQ(line_of(last()), "message \"caf\xC3\xA9\"");
}

TEST_F(PageMessages, TextOfAnUnknownCharsetIsAnObject) {
    sip(message("caf\xE9", "text/plain; charset=koi8-f"));
    EXPECT_EQ(line_of(last()), "message [text/plain; charset=koi8-f]");
    EXPECT_EQ(bytes_of(last().objects.front()), "caf\xE9");
}

TEST_F(PageMessages, LongTextIsAnObject) {
    options.max_text = 10;
    tracker->set_options(options);
    sip(message("0123456789"));
    sip(message("0123456789a", "text/plain", {}, "page-2"));
    EXPECT_EQ(lines(), (Lines{"message \"0123456789\"", "message [text/plain]"}));
}

TEST_F(PageMessages, AnyOtherBodyIsAnObjectWithItsName) {
    sip(message("JPEG", "image/jpeg", "Content-Disposition: attachment; filename=\"roof.jpg\"\n"));
    EXPECT_EQ(line_of(last()), "message [image/jpeg]");
    EXPECT_EQ(last().event.attachments.front().filename, "roof.jpg");
    EXPECT_EQ(bytes_of(last().objects.front()), "JPEG");
}

TEST_F(PageMessages, BodiesOfOtherApplicationsAreNotText) {
    sip(message("<x/>", "application/vnd.3gpp.sms"));
    EXPECT_EQ(line_of(last()), "message [application/vnd.3gpp.sms]");
}

TEST_F(PageMessages, WithoutABodyItIsAMessageAllTheSame) {
    EXPECT_EQ(sip(message("", "")), Made::Outcome::event);
    EXPECT_EQ(lines(), (Lines{"message"}));
}

TEST_F(PageMessages, LeavesOfMultipartAreEachWhatTheyAre) {
    sip(
        message("--b\nContent-Type: text/plain\n\nlook\n--b\nContent-Type: image/png\n"
                "Content-Disposition: attachment; filename=a.png\n\nPNG\n--b--\n",
                "multipart/mixed; boundary=b"));
    EXPECT_EQ(line_of(last()), "message \"look\" [image/png]");
    EXPECT_EQ(last().event.attachments.front().filename, "a.png");
    EXPECT_EQ(bytes_of(last().objects.front()), "PNG");
}

TEST_F(PageMessages, OfTwoTextsTheSecondIsAnObject) {
    sip(message("--b\nContent-Type: text/plain\n\nplain\n--b\nContent-Type: text/html\n\n<i>rich</i>\n--b--\n",
                "multipart/alternative; boundary=b"));
    EXPECT_EQ(line_of(last()), "message \"plain\" [text/html]");
}

TEST_F(PageMessages, CpimIsUnwrapped) {
    sip(message(cpim("inside"), "message/cpim"));
    EXPECT_EQ(line_of(last()), "message \"inside\"");
    EXPECT_EQ(parties_of(last()),
              (Lines{"sender*=sip:alice@a.example,im:alice@a.example", "receiver=sip:bob@b.example,im:bob@b.example"}));
    EXPECT_EQ(parameter_of(last(), "date_time"), "2026-11-22T10:15:30Z");
    EXPECT_EQ(parameter_of(last(), "imdn_message_id"), "im-7");
}

TEST_F(PageMessages, NestedCpimIsUnwrapped) {
    const std::string inner = "From: <im:carol@c.example>\nTo: <im:bob@b.example>\n\nContent-Type: text/plain\n\ndeep";
    sip(message(cpim(inner, "message/cpim"), "message/cpim"));
    EXPECT_EQ(line_of(last()), "message \"deep\"");
    EXPECT_NE(parties_of(last()).front().find("im:carol@c.example"), std::string::npos);
}

TEST_F(PageMessages, EncodedContentOfCpimIsDecoded) {
    const std::string body =
        "From: <im:a@a.example>\nTo: <im:b@b.example>\n\nContent-Type: text/plain\n"
        "Content-Transfer-Encoding: base64\n\naGVsbG8=";
    sip(message(body, "message/cpim"));
    EXPECT_EQ(line_of(last()), "message \"hello\"");
}

TEST_F(PageMessages, CpimToSeveralNamesEach) {
    const std::string body =
        "From: <im:alice@a.example>\nTo: <im:bob@b.example>\nTo: <im:carol@c.example>\n\n"
        "Content-Type: text/plain\n\nall";
    sip(message(body, "message/cpim"));
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example,im:alice@a.example", "receiver=sip:bob@b.example",
                                         "receiver=im:bob@b.example", "receiver=im:carol@c.example"}));
}

TEST_F(PageMessages, AListOfReceiversAddsThem) {
    const std::string list =
        "<?xml version=\"1.0\"?><resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>"
        "<entry uri=\"sip:carol@c.example\"/><entry uri=\"sip:dave@d.example\"/></list></resource-lists>";
    sip(message("--b\nContent-Type: text/plain\n\nall of you\n--b\nContent-Type: application/resource-lists+xml\n"
                "Content-Disposition: recipient-list\n\n" +
                    list + "\n--b--\n",
                "multipart/mixed; boundary=b"),
        Direction::to_target);
    EXPECT_EQ(line_of(last()), "message \"all of you\"");
    // Which of them is the target is not known.
    EXPECT_EQ(parties_of(last()), (Lines{"sender=sip:alice@a.example", "receiver=sip:bob@b.example",
                                         "receiver=sip:carol@c.example", "receiver=sip:dave@d.example"}));
    matched = {"sip:dave@d.example"};
    sip(message("--b\nContent-Type: text/plain\n\nagain\n--b\nContent-Type: application/resource-lists+xml\n"
                "Content-Disposition: recipient-list\n\n" +
                    list + "\n--b--\n",
                "multipart/mixed; boundary=b", {}, "page-2"),
        Direction::to_target);
    EXPECT_EQ(parties_of(last()).back(), "receiver*=sip:dave@d.example");
    EXPECT_EQ(parties_of(last())[1], "receiver=sip:bob@b.example");
}

TEST_F(PageMessages, IsComposingMakesNothing) {
    EXPECT_EQ(sip(message("<isComposing/>", "application/im-iscomposing+xml")), Made::Outcome::no_event);
    EXPECT_TRUE(events.empty());
    EXPECT_EQ(sip(answer(404)), Made::Outcome::no_event);
    pass(std::chrono::minutes(1));
    EXPECT_TRUE(events.empty());
}

TEST_F(PageMessages, AllIdentitiesTheTrustedFirst) {
    sip(message("hi", "text/plain",
                "P-Asserted-Identity: \"Alice A\" <sip:alice@a.example>, <tel:+441632960001>\n"
                "P-Preferred-Identity: <sip:al@a.example>\nP-Called-Party-ID: <tel:+441632960002>\n"
                "History-Info: <sip:first@b.example>;index=1\nDiversion: <sip:busy@b.example>\nPrivacy: id\n"));
    EXPECT_EQ(parties_of(last()),
              (Lines{"sender*=sip:alice@a.example,tel:+441632960001,sip:al@a.example",
                     "receiver=sip:bob@b.example,tel:+441632960002,sip:first@b.example,sip:busy@b.example"}));
}

TEST_F(PageMessages, SubjectIsAParameter) {
    sip(message("hi", "text/plain", "Subject: lunch\n"));
    EXPECT_EQ(parameter_of(last(), "subject"), "lunch");
}

TEST_F(PageMessages, ARetransmissionAndAnotherHopAreRepeats) {
    sip(message("once"));
    EXPECT_EQ(sip(message("once")), Made::Outcome::repeat);
    at = model::Instant{1'795'342'999, 0};
    EXPECT_EQ(
        sip(message("once", "text/plain", "P-Asserted-Identity: <sip:alice@a.example>\n", "page-1", 1, "z9hG4bKhop2")),
        Made::Outcome::repeat);
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(PageMessages, AnotherTaskIsApart) {
    sip(message("once"));
    SentCopy other = copy(Copy::Kind::sip, wire(message("once")));
    other.task = 2;
    EXPECT_EQ(feed(other), Made::Outcome::event);
    EXPECT_NE(ids()[0], ids()[1]);
}

TEST_F(PageMessages, AnotherCSeqIsAnotherMessage) {
    sip(message("same"));
    sip(message("same", "text/plain", {}, "page-1", 2));
    ASSERT_EQ(events.size(), 2U);
    EXPECT_NE(ids()[0], ids()[1]);
}

TEST_F(PageMessages, TheSameNamesWithOtherWordsAreNotLost) {
    sip(message("one"));
    sip(message("two"));
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(ids()[0], ids()[1]);
    EXPECT_NE(events[0].substance, events[1].substance);
    EXPECT_EQ(sip(message("one")), Made::Outcome::repeat);
}

TEST_F(PageMessages, IdsDoNotDependOnTimeNorTracker) {
    at = model::Instant{1'795'342'530, 0};
    sip(message("once"));
    start();
    at = model::Instant{1'795'349'999, 0};
    sip(message("once", "text/plain", {}, "page-1", 1, "z9hG4bKother"));
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(ids()[0], ids()[1]);
    EXPECT_EQ(events[0].substance, events[1].substance);
}

TEST_F(PageMessages, SuccessSaysNothing) {
    sip(message("hi"));
    EXPECT_EQ(sip(answer(200), Direction::to_target), Made::Outcome::no_event);
    EXPECT_EQ(sip(answer(202), Direction::to_target), Made::Outcome::no_event);
    EXPECT_EQ(sip(answer(100), Direction::to_target), Made::Outcome::no_event);
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(PageMessages, AFailureRefersToItsMessage) {
    sip(message("hi", "text/plain", "P-Asserted-Identity: <tel:+441632960001>\n"));
    EXPECT_EQ(sip(answer(404), Direction::to_target), Made::Outcome::event);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(line_of(last()), "message_failed 404 Not Found");
    EXPECT_EQ(last().event.refers_to, ids()[0]);
    EXPECT_NE(ids()[0], ids()[1]);
    // The answer went to the target, who had sent the message.
    EXPECT_EQ(parties_of(last()),
              (Lines{"sender*=tel:+441632960001,sip:alice@a.example", "receiver=sip:bob@b.example"}));
    EXPECT_EQ(sip(answer(404), Direction::to_target), Made::Outcome::repeat);
}

TEST_F(PageMessages, AChallengeIsNoFailure) {
    sip(message("hi"));
    sip(answer(401), Direction::to_target);
    sip(answer(407), Direction::to_target);
    pass(std::chrono::minutes(1));
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(PageMessages, AnAnswerMayOvertakeItsRequest) {
    EXPECT_EQ(sip(answer(486), Direction::to_target), Made::Outcome::no_event);
    sip(message("hi"));
    EXPECT_EQ(lines(), (Lines{"message \"hi\"", "message_failed 486 Busy Here"}));
    EXPECT_EQ(last().event.refers_to, ids()[0]);
    pass(std::chrono::minutes(1));
    EXPECT_EQ(events.size(), 2U);
}

TEST_F(PageMessages, AFailureWhoseRequestDoesNotComeGoesOut) {
    sip(answer(486), Direction::to_target);
    ASSERT_TRUE(tracker->due());
    pass(std::chrono::seconds(5));
    EXPECT_TRUE(events.empty());
    pass(std::chrono::seconds(6));
    EXPECT_EQ(lines(), (Lines{"message_failed 486 Busy Here"}));
    const std::string refers(last().event.refers_to);
    EXPECT_FALSE(tracker->due());
    // And is what it would have been.
    sip(message("late"));
    EXPECT_EQ(ids().back(), refers);
    EXPECT_EQ(sip(answer(486), Direction::to_target), Made::Outcome::repeat);
}

TEST_F(PageMessages, AWaitingFailureSurvivesARestart) {
    sip(answer(486), Direction::to_target);
    restart();
    pass(std::chrono::seconds(11));
    EXPECT_EQ(lines(), (Lines{"message_failed 486 Busy Here"}));
    EXPECT_EQ(kept.size(), 0U);
}

TEST_F(PageMessages, ABranchOfAForkMayFailWhereAnotherGetsThrough) {
    sip(message("hi"));
    sip(message("hi", "text/plain", {}, "page-1", 1, "z9hG4bKfork1"));
    sip(message("hi", "text/plain", {}, "page-1", 1, "z9hG4bKfork2"));
    sip(answer(486, "page-1", 1, "z9hG4bKfork1"), Direction::to_target);
    sip(answer(200, "page-1", 1, "z9hG4bKfork2"), Direction::to_target);
    sip(answer(200), Direction::to_target);
    pass(std::chrono::minutes(1));
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(PageMessages, AFailureAtSeveralHopsIsOne) {
    sip(message("hi"));
    sip(message("hi", "text/plain", {}, "page-1", 1, "z9hG4bKhop2"));
    sip(answer(404, "page-1", 1, "z9hG4bKhop2"), Direction::to_target);
    sip(answer(404), Direction::to_target);
    pass(std::chrono::minutes(1));
    EXPECT_EQ(lines(), (Lines{"message \"hi\"", "message_failed 404 Not Found"}));
}

TEST_F(PageMessages, AFailureSeenOnlyBehindAForkGoesOutInTheEnd) {
    sip(message("hi"));
    sip(message("hi", "text/plain", {}, "page-1", 1, "z9hG4bKhop2"));
    sip(answer(404, "page-1", 1, "z9hG4bKhop2"), Direction::to_target);
    pass(std::chrono::seconds(11));
    EXPECT_EQ(lines(), (Lines{"message \"hi\"", "message_failed 404 Not Found"}));
}

TEST_F(PageMessages, NotificationsReferToTheMessage) {
    sip(message(cpim("inside"), "message/cpim"));
    const std::string id = ids().front();
    const auto notify = [this](std::string_view about, std::string_view said, std::string_view call) {
        const std::string body =
            "From: <im:bob@b.example>\nTo: <im:alice@a.example>\n\nContent-Type: "
            "message/imdn+xml\nContent-Disposition: notification\n\n" +
            imdn(about, said);
        std::string text = message(body, "message/cpim", {}, call);
        return sip(text, Direction::to_target);
    };
    EXPECT_EQ(notify("delivery-notification", "delivered", "n-1"), Made::Outcome::event);
    EXPECT_EQ(notify("display-notification", "displayed", "n-2"), Made::Outcome::event);
    EXPECT_EQ(notify("delivery-notification", "failed", "n-3"), Made::Outcome::event);
    EXPECT_EQ(notify("processing-notification", "stored", "n-4"), Made::Outcome::no_event);
    EXPECT_EQ(notify("delivery-notification", "delivered", "n-5"), Made::Outcome::repeat);
    EXPECT_EQ(lines(), (Lines{"message \"inside\"", "message_delivered delivered", "message_read displayed",
                              "message_failed failed"}));
    for (std::size_t i = 1; i < events.size(); ++i) {
        EXPECT_EQ(events[i].event.refers_to, id);
    }
}

TEST_F(PageMessages, ANotificationHasItsReaderAndWhoIsTold) {
    // Bob, the target, has read what Alice sent him.
    std::string text = message(imdn("display-notification", "displayed"), "message/imdn+xml");
    const auto swap = [&text](const std::string& one, const std::string& another) {
        for (std::size_t found = 0; (found = text.find(one, found)) != std::string::npos; found += another.size()) {
            text.replace(found, one.size(), another);
        }
    };
    swap("alice@a.example", "-");
    swap("bob@b.example", "alice@a.example");
    swap("sip:-", "sip:bob@b.example");
    sip(text, Direction::from_target);
    EXPECT_EQ(parties_of(last()), (Lines{"sender=sip:alice@a.example", "actor*=sip:bob@b.example"}));
    // The message itself was never seen: what the service calls it.
    EXPECT_EQ(last().event.refers_to, "im-7");
}

TEST_F(PageMessages, WhatCannotBeReadGoesOutWhole) {
    matched = {"sip:alice@a.example"};
    EXPECT_EQ(sip("MESSAGE nonsense\nwithout: anything\n\nbody"), Made::Outcome::malformed);
    EXPECT_EQ(line_of(last()), "message [message/sip]");
    EXPECT_EQ(parameter_of(last(), "completeness"), "unreadable");
    EXPECT_EQ(bytes_of(last().objects.front()), wire("MESSAGE nonsense\nwithout: anything\n\nbody"));
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example"}));
    sip("MESSAGE nonsense\nwithout: anything\n\nbody");
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(PageMessages, ACompressedBodyIsAnObject) {
    sip(message("zzz", "text/plain", "Content-Encoding: gzip\n"));
    EXPECT_EQ(line_of(last()), "message [text/plain]");
    EXPECT_EQ(parameter_of(last(), "content_encoding"), "gzip");
}

class Bodies : public TrackerTest {
  protected:
    Made::Outcome body(std::string_view type, std::string_view bytes, std::string_view encoding = {}) {
        SentCopy made = copy(Copy::Kind::mime, wire(bytes));
        made.mime_type = type;
        made.encoding = encoding;
        return feed(made);
    }
};

TEST_F(Bodies, ABodyByItselfIsAMessage) {
    matched = {"sip:alice@a.example"};
    EXPECT_EQ(body("text/plain", "hello"), Made::Outcome::event);
    EXPECT_EQ(line_of(last()), "message \"hello\"");
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example"}));
    EXPECT_EQ(body("text/plain", "hello"), Made::Outcome::repeat);
}

TEST_F(Bodies, CpimTellsItsEnds) {
    body("message/cpim", cpim("inside"));
    EXPECT_EQ(line_of(last()), "message \"inside\"");
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=im:alice@a.example", "receiver=im:bob@b.example"}));
}

TEST_F(Bodies, ATransferEncodingIsUndone) {
    body("text/plain", "aGVsbG8=", "base64");
    EXPECT_EQ(line_of(last()), "message \"hello\"");
}

}  // namespace
}  // namespace lihandover::ims::test
