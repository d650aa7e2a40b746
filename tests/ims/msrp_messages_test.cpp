#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "call_texts.hpp"

namespace lihandover::ims::test {
namespace {

using std::chrono::seconds;

class Msrp : public TrackerTest {
  protected:
    void open() {
        sip(request("INVITE", call, description(alice_path)));
        sip(answer(200, call, description(bob_path)), Direction::to_target);
        conversation = last().event.conversation.id;
        events.clear();
    }
    /// A chunk of `whole`, from octet `first` to `last`.
    static std::string chunk(std::string_view whole, std::size_t first, std::size_t last, Send how = {}) {
        how.range = std::to_string(first) + "-" + std::to_string(last) + "/" + std::to_string(whole.size());
        how.flag = last == whole.size() ? '$' : '+';
        how.transaction = "tr" + std::to_string(1000 + first) + how.transaction;
        return send(whole.substr(first - 1, last - first + 1), how);
    }

    Call call;
    std::string conversation;
};

TEST_F(Msrp, AMessageOfASessionHasItsEnds) {
    open();
    EXPECT_EQ(msrp(send("hello")), Made::Outcome::event);
    EXPECT_EQ(line_of(last()), "message \"hello\"");
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    EXPECT_EQ(last().event.conversation.id, conversation);
    msrp(send("hi", {.transaction = "tr02", .id = "m2", .from = std::string(bob_path), .to = std::string(alice_path)}),
         Direction::to_target);
    EXPECT_EQ(parties_of(last()), (Lines{"sender=sip:bob@b.example", "receiver*=sip:alice@a.example"}));
    EXPECT_EQ(last().event.conversation.id, conversation);
}

TEST_F(Msrp, WithoutAnInviteThePathsAndTheMatchAreTheEnds) {
    matched = {"sip:alice@a.example"};
    msrp(send("hello"));
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example,msrp://a.example:2855/s1;tcp",
                                         "receiver=msrp://b.example:2855/s2;tcp"}));
    const std::string early(last().event.conversation.id);
    // Both ways it is one conversation, and the same once the session is known.
    msrp(send("hi", {.transaction = "tr02", .id = "m2", .from = std::string(bob_path), .to = std::string(alice_path)}),
         Direction::to_target);
    EXPECT_EQ(parties_of(last()), (Lines{"sender=msrp://b.example:2855/s2;tcp",
                                         "receiver*=sip:alice@a.example,msrp://a.example:2855/s1;tcp"}));
    EXPECT_EQ(last().event.conversation.id, early);
    open();
    EXPECT_EQ(conversation, early);
    msrp(send("now", {.transaction = "tr03", .id = "m3"}));
    EXPECT_EQ(last().event.conversation.id, early);
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
}

TEST_F(Msrp, TheOfferAloneTellsTheEnds) {
    sip(request("INVITE", call, description(alice_path)));
    msrp(send("early"));
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    const std::string early(last().event.conversation.id);
    sip(answer(200, call, description(bob_path)), Direction::to_target);
    EXPECT_EQ(last().event.conversation.id, early);
}

TEST_F(Msrp, BehindRelaysTheEndsAreTheLastOfThePaths) {
    open();
    msrp(send("hello", {.from = "msrp://relay.a.example:9/r;tcp " + std::string(alice_path),
                        .to = "msrp://relay.b.example:9/r;tcp " + std::string(bob_path)}));
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    // At the next hop a URI has gone from one path to the other, and the transaction is another.
    EXPECT_EQ(msrp(send("hello", {.transaction = "other1",
                                  .from = "msrp://relay.b.example:9/r;tcp msrp://relay.a.example:9/r;tcp " +
                                          std::string(alice_path),
                                  .to = std::string(bob_path)})),
              Made::Outcome::repeat);
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(Msrp, RelaysAreKnownWithoutACorrelationToo) {
    correlation = 0;
    msrp(send("hello", {.to = "msrp://relay.b.example:9/r;tcp " + std::string(bob_path)}));
    EXPECT_EQ(msrp(send("hello", {.transaction = "other1",
                                  .from = "msrp://relay.b.example:9/r;tcp " + std::string(alice_path)})),
              Made::Outcome::repeat);
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(Msrp, ChunksMakeOneMessage) {
    open();
    const std::string whole = "the whole of the message";
    EXPECT_EQ(msrp(chunk(whole, 1, 9)), Made::Outcome::no_event);
    EXPECT_EQ(msrp(chunk(whole, 10, 18)), Made::Outcome::no_event);
    EXPECT_GT(tracker->unfinished_bytes(), 0U);
    EXPECT_EQ(msrp(chunk(whole, 19, 24)), Made::Outcome::event);
    EXPECT_EQ(line_of(last()), "message \"the whole of the message\"");
    EXPECT_EQ(parameter_of(last(), "completeness"), "");
    EXPECT_EQ(tracker->unfinished_bytes(), 0U);
}

TEST_F(Msrp, ChunksMayComeInAnyOrderAndRepeat) {
    const std::string whole = "abcdefghijklmnopqrstuvwxyz";
    std::vector<std::string> chunks;
    for (std::size_t first = 1; first <= whole.size(); first += 4) {
        chunks.push_back(chunk(whole, first, std::min(first + 3, whole.size())));
    }
    std::mt19937 random(7);  // NOLINT(cert-msc*): the same each time
    std::string id;
    for (int round = 0; round < 50; ++round) {
        start();
        events.clear();
        std::vector<std::string> order = chunks;
        order.insert(order.end(), chunks.begin(), chunks.begin() + round % 7);
        std::shuffle(order.begin(), order.end(), random);
        for (const std::string& one : order) {
            msrp(one);
        }
        ASSERT_EQ(events.size(), 1U) << round;
        EXPECT_EQ(line_of(last()), "message \"" + whole + "\"");
        id = id.empty() ? ids().front() : id;
        EXPECT_EQ(ids().front(), id);
    }
}

TEST_F(Msrp, AnEmptyLastChunkMayComeFirst) {
    msrp(send("", {.transaction = "tr02", .range = "6-5/5"}));
    EXPECT_EQ(msrp(send("hello", {.range = "1-5/*", .flag = '+'})), Made::Outcome::event);
    EXPECT_EQ(line_of(last()), "message \"hello\"");
    EXPECT_EQ(parameter_of(last(), "completeness"), "");
    EXPECT_EQ(tracker->unfinished_bytes(), 0U);
}

TEST_F(Msrp, ChunksOfSeveralMessagesMayBeMixed) {
    msrp(chunk("first message", 1, 5, {.id = "m1"}));
    msrp(chunk("other message", 1, 6, {.transaction = "x", .id = "m2"}));
    msrp(chunk("first message", 6, 13, {.id = "m1"}));
    msrp(chunk("other message", 7, 13, {.transaction = "x", .id = "m2"}));
    EXPECT_EQ(lines(), (Lines{"message \"first message\"", "message \"other message\""}));
}

TEST_F(Msrp, TheTotalMayBeUnknownUntilTheEnd) {
    msrp(send("abc", {.transaction = "tr01", .range = "1-*/*", .flag = '+'}));
    msrp(send("def", {.transaction = "tr02", .range = "4-*/*"}));
    EXPECT_EQ(lines(), (Lines{"message \"abcdef\""}));
}

TEST_F(Msrp, AMessageGivenUpGoesOutAsFarAsItCame) {
    msrp(send("abc", {.transaction = "tr01", .range = "1-3/9", .flag = '+'}));
    msrp(send("def", {.transaction = "tr02", .range = "4-6/9", .flag = '#'}));
    EXPECT_EQ(lines(), (Lines{"message \"abcdef\""}));
    EXPECT_EQ(parameter_of(last(), "completeness"), "partial");
    EXPECT_EQ(parameter_of(last(), "ranges"), "1-6");
}

TEST_F(Msrp, WhatStaysIncompleteGoesOutAfterTheLastChunk) {
    options.partial_message_timeout = seconds(10);
    tracker->set_options(options);
    const std::string whole = "0123456789abcdef";
    msrp(chunk(whole, 1, 4));
    pass(seconds(6));
    msrp(chunk(whole, 9, 12));
    pass(seconds(6));
    EXPECT_TRUE(events.empty());
    ASSERT_TRUE(tracker->due());
    EXPECT_EQ(*tracker->due(), now + seconds(4));
    pass(seconds(4));
    EXPECT_EQ(lines(), (Lines{"message \"012389ab\""}));
    EXPECT_EQ(parameter_of(last(), "ranges"), "1-4,9-12");
    EXPECT_EQ(tracker->unfinished_bytes(), 0U);
    // What comes after is another part.
    msrp(chunk(whole, 5, 8));
    pass(seconds(11));
    EXPECT_EQ(line_of(last()), "message \"4567\"");
    EXPECT_EQ(parameter_of(last(), "ranges"), "5-8");
    EXPECT_NE(ids()[0], ids()[1]);
    EXPECT_EQ(kept.size(), 0U);
}

TEST_F(Msrp, AMessageIdUsedAgainIsAnotherMessage) {
    msrp(send("first"));
    EXPECT_EQ(msrp(send("second", {.transaction = "tr02"})), Made::Outcome::event);
    EXPECT_EQ(lines(), (Lines{"message \"first\"", "message \"second\""}));
    EXPECT_NE(ids()[0], ids()[1]);
}

TEST_F(Msrp, AMessageIdUsedAgainForTheSameWordsIsAnotherMessage) {
    msrp(send("yes"));
    EXPECT_EQ(msrp(send("yes", {.transaction = "tr02"})), Made::Outcome::event);
    EXPECT_NE(ids()[0], ids()[1]);
    EXPECT_EQ(msrp(send("yes")), Made::Outcome::repeat);
    EXPECT_EQ(msrp(send("yes", {.transaction = "tr02"})), Made::Outcome::repeat);
}

TEST_F(Msrp, AMessageIdUsedAgainAfterATornOneIsNotMixedWithIt) {
    msrp(send("AAAA", {.transaction = "tr01", .range = "1-4/12", .flag = '+'}));
    msrp(send("CCCC", {.transaction = "tr02", .range = "9-12/12"}));
    msrp(send("new!", {.transaction = "tr03", .range = "1-4/4"}));
    EXPECT_EQ(lines(), (Lines{"message \"AAAACCCC\"", "message \"new!\""}));
    EXPECT_EQ(parameter_of(events[0], "ranges"), "1-4,9-12");
    EXPECT_EQ(parameter_of(events[1], "completeness"), "");
}

TEST_F(Msrp, TheSameFrameTwiceIsARepeat) {
    msrp(send("once"));
    at = model::Instant{1'795'342'530, 0};
    EXPECT_EQ(msrp(send("once")), Made::Outcome::repeat);
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(Msrp, SeveralFramesInAPayloadAreEachRead) {
    msrp(send("one") + send("two", {.transaction = "tr02", .id = "m2"}) + response(200) + "\n");
    EXPECT_EQ(lines(), (Lines{"message \"one\"", "message \"two\""}));
}

TEST_F(Msrp, EmptySendsAndVisitsMakeNothing) {
    msrp("MSRP tr01 SEND\nTo-Path: " + std::string(bob_path) + "\nFrom-Path: " + std::string(alice_path) +
         "\nMessage-ID: m0\nByte-Range: 1-0/0\n-------tr01$\n");
    msrp("MSRP tr02 AUTH\nTo-Path: " + std::string(bob_path) + "\nFrom-Path: " + std::string(alice_path) +
         "\n-------tr02$\n");
    msrp("MSRP VISIT\nBoundary: bd1\nTo-path:" + std::string(bob_path) + "\nFrom-path:" + std::string(alice_path) +
         "\nTR-ID: 28\nMessage-ID: 28\n-----bd1$\n");
    pass(seconds(120));
    EXPECT_TRUE(events.empty());
    EXPECT_EQ(kept.size(), 0U);
}

TEST_F(Msrp, CpimInASessionIsUnwrapped) {
    open();
    msrp(
        send("From: <im:alice@a.example>\nTo: <im:bob@b.example>\nNS: imdn <urn:ietf:params:imdn>\n"
             "imdn.Message-ID: i1\n\nContent-Type: text/plain\n\ninside",
             {.type = "message/cpim"}));
    EXPECT_EQ(line_of(last()), "message \"inside\"");
    EXPECT_EQ(parties_of(last()),
              (Lines{"sender*=sip:alice@a.example,im:alice@a.example", "receiver=sip:bob@b.example,im:bob@b.example"}));
    const std::string id = ids().front();
    const std::string read =
        "From: <im:bob@b.example>\nTo: <im:alice@a.example>\n\nContent-Type: message/imdn+xml\n\n"
        "<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id>i1</message-id><datetime>2026-11-22T10:16:00Z"
        "</datetime><display-notification><status><displayed/></status></display-notification></imdn>";
    msrp(send(read, {.transaction = "tr02",
                     .id = "m2",
                     .from = std::string(bob_path),
                     .to = std::string(alice_path),
                     .type = "message/cpim"}),
         Direction::to_target);
    EXPECT_EQ(line_of(last()), "message_read displayed");
    EXPECT_EQ(last().event.refers_to, id);
    EXPECT_EQ(last().event.conversation.id, conversation);
    EXPECT_EQ(parties_of(last()),
              (Lines{"sender*=sip:alice@a.example,im:alice@a.example", "actor=sip:bob@b.example,im:bob@b.example"}));
}

TEST_F(Msrp, AFileHasTheNameOfItsOffer) {
    const std::string file = "a=file-selector:name:\"roof.jpg\" type:image/jpeg size:4\n";
    sip(request("INVITE", call, description(alice_path, file)));
    sip(answer(200, call, description(bob_path, file)), Direction::to_target);
    msrp(send("JPEG", {.type = "image/jpeg"}));
    EXPECT_EQ(line_of(last()), "message [image/jpeg]");
    EXPECT_EQ(last().event.attachments.front().filename, "roof.jpg");
    EXPECT_EQ(bytes_of(last().objects.front()), "JPEG");
}

// TS 24.247 9.3.1.1 forbids sending it; it is handed over if it was sent.
TEST_F(Msrp, AMessageLongerThanTheMaxSizeIsHandedOverWhole) {
    const std::string small = "a=max-size:4\n";
    sip(request("INVITE", call, description(alice_path, small)));
    sip(answer(200, call, description(bob_path, small)), Direction::to_target);
    const std::string whole = "more than it takes";
    msrp(chunk(whole, 1, 4));
    msrp(chunk(whole, 5, whole.size()));
    EXPECT_EQ(lines(), (Lines{"conversation_started", "message \"more than it takes\""}));
    EXPECT_EQ(parameter_of(last(), "completeness"), "");
}

TEST_F(Msrp, WhatIsLargeIsSpooled) {
    options.in_memory = 64;
    options.max_text = 64;
    tracker->set_options(options);
    std::string whole(1000, 'x');
    for (std::size_t i = 0; i < whole.size(); ++i) {
        whole[i] = static_cast<char>('a' + i % 26);
    }
    for (std::size_t first = 1; first <= whole.size(); first += 100) {
        msrp(chunk(whole, first, first + 99, {.type = "application/zip"}));
    }
    ASSERT_EQ(events.size(), 1U);
    EXPECT_GT(spools.made, 0);
    EXPECT_FALSE(last().objects.front().in_memory());
    EXPECT_EQ(bytes_of(last().objects.front()), whole);
    EXPECT_EQ(last().event.attachments.front().content_type, "application/zip");
}

TEST_F(Msrp, ATextThatWasTooLongToWaitInMemoryIsContent) {
    options.in_memory = 8;
    tracker->set_options(options);
    const std::string whole = "longer than what may wait in memory";
    msrp(chunk(whole, 1, 20));
    msrp(chunk(whole, 21, 35));
    EXPECT_GT(spools.made, 0);
    EXPECT_EQ(lines(), (Lines{"message \"" + whole + "\""}));
}

TEST_F(Msrp, WhatIsLargeIsTakenOutOfCpim) {
    options.in_memory = 64;
    options.max_text = 64;
    tracker->set_options(options);
    const std::string body(900, 'z');
    const std::string whole =
        "From: <im:alice@a.example>\nTo: <im:bob@b.example>\n\nContent-Type: image/png\n"
        "Content-Disposition: attachment; filename=z.png\n\n" +
        body;
    for (std::size_t first = 1; first <= whole.size(); first += 100) {
        // Bare line feeds, so that the ranges are what they say.
        std::string text = wire(chunk(std::string(100, '?'), 1, 1));
        const std::size_t last = std::min(first + 99, whole.size());
        Send how{.transaction = "tr" + std::to_string(1000 + first)};
        const std::string head =
            "MSRP " + how.transaction + " SEND\r\nTo-Path: " + how.to + "\r\nFrom-Path: " + how.from +
            "\r\nMessage-ID: m1\r\nByte-Range: " + std::to_string(first) + "-" + std::to_string(last) + "/" +
            std::to_string(whole.size()) + "\r\nContent-Type: message/cpim\r\n\r\n";
        feed(copy(Copy::Kind::msrp, head + whole.substr(first - 1, last - first + 1) + "\r\n-------" + how.transaction +
                                        (last == whole.size() ? "$" : "+") + "\r\n"));
    }
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(line_of(last()), "message [image/png]");
    EXPECT_EQ(last().event.attachments.front().filename, "z.png");
    EXPECT_EQ(bytes_of(last().objects.front()), body);
    EXPECT_NE(parties_of(last()).front().find("im:alice@a.example"), std::string::npos);
}

TEST_F(Msrp, AFailingDiskLosesNothing) {
    options.in_memory = 4;
    options.max_text = 4;
    tracker->set_options(options);
    const std::string whole = "a message that does not fit";
    spools.failing = true;
    const SentCopy first = copy(Copy::Kind::msrp, wire(chunk(whole, 1, 10)));
    feed(first);
    EXPECT_FALSE(status);
    EXPECT_EQ(kept.size(), 0U);
    spools.failing = false;
    feed(first);
    EXPECT_TRUE(status);
    spools.failing = true;
    const SentCopy second = copy(Copy::Kind::msrp, wire(chunk(whole, 11, 27)));
    feed(second);
    EXPECT_FALSE(status);
    spools.failing = false;
    feed(second);
    EXPECT_TRUE(status);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(bytes_of(last().objects.front()), whole);
}

TEST_F(Msrp, TooMuchThatIsUnfinishedGoesOutTheOldestFirst) {
    options.memory = 3 * (2048 + 2000);
    tracker->set_options(options);
    for (int i = 0; i < 6; ++i) {
        const std::string body(1000, static_cast<char>('a' + i));
        now += seconds(1);
        msrp(send(body, {.transaction = "tr" + std::to_string(1000 + i),
                         .id = "m" + std::to_string(i),
                         .range = "1-1000/2000",
                         .flag = '+'}));
    }
    ASSERT_FALSE(events.empty());
    EXPECT_LT(events.size(), 6U);
    EXPECT_EQ(last().event.text.front(), static_cast<char>('a' + static_cast<int>(events.size()) - 1));
    EXPECT_EQ(events.front().event.text.front(), 'a');
    EXPECT_EQ(parameter_of(events.front(), "completeness"), "partial");
    EXPECT_EQ(kept.size(), 6 - events.size());
}

class Hops : public Msrp {
  protected:
    /// The same words on another leg of the way.
    std::string leg(std::string_view body, int leg, int number) const {
        const std::string name = std::to_string(leg);
        return send(body, {.transaction = "t" + name + "x" + std::to_string(number),
                           .id = "m" + name + "x" + std::to_string(number),
                           .from = "msrp://n" + name + ".example:1/out;tcp",
                           .to = "msrp://n" + std::to_string(leg + 1) + ".example:1/in;tcp"});
    }
    /// A call that a node between the two passes on under another name, so that its messages have two legs.
    void open_two_legs() {
        for (const int leg : {1, 2}) {
            Call its = call;
            its.id += std::to_string(leg);
            its.branch += std::to_string(leg);
            sip(request("INVITE", its, description("msrp://n" + std::to_string(leg) + ".example:1/out;tcp")));
        }
        for (const int leg : {2, 1}) {
            Call its = call;
            its.id += std::to_string(leg);
            its.branch += std::to_string(leg);
            sip(answer(200, its, description("msrp://n" + std::to_string(leg + 1) + ".example:1/in;tcp")),
                Direction::to_target);
        }
        events.clear();
    }
};

TEST_F(Hops, CopiesOfOneMessageMakeOneEvent) {
    msrp(leg("hello", 1, 1));
    EXPECT_EQ(msrp(leg("hello", 2, 1)), Made::Outcome::repeat);
    EXPECT_EQ(msrp(leg("hello", 3, 1)), Made::Outcome::repeat);
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(Hops, TheNthHereIsTheNthThere) {
    msrp(leg("ok", 1, 1));
    msrp(leg("ok", 1, 2));  // said again
    msrp(leg("ok", 2, 1));
    msrp(leg("ok", 2, 2));
    EXPECT_EQ(events.size(), 2U);
    msrp(leg("ok", 2, 3));
    EXPECT_EQ(events.size(), 3U);
    msrp(leg("ok", 1, 3));
    EXPECT_EQ(events.size(), 3U);
}

TEST_F(Hops, OtherWordsAreAnotherMessage) {
    msrp(leg("hello", 1, 1));
    msrp(leg("hullo", 2, 1));
    EXPECT_EQ(events.size(), 2U);
}

TEST_F(Hops, AnotherCorrelationIsAnotherSession) {
    msrp(leg("hello", 1, 1));
    correlation = 6;
    msrp(leg("hello", 2, 1));
    correlation = 0;
    msrp(leg("hello", 3, 1));
    msrp(leg("hello", 4, 1));
    EXPECT_EQ(events.size(), 4U);
}

TEST_F(Hops, TheAnswerInTheSameWordsIsAnotherMessage) {
    msrp(leg("ok", 1, 1));
    msrp(leg("ok", 2, 1), Direction::to_target);
    EXPECT_EQ(events.size(), 2U);
}

TEST_F(Hops, TheAnswerInTheSameWordsIsAnotherMessageWhereTheDirectionIsNotTold) {
    msrp(leg("ok", 1, 1), Direction::several);
    msrp(send("ok", {.transaction = "t9",
                     .id = "m9",
                     .from = "msrp://n2.example:1/in;tcp",
                     .to = "msrp://n1.example:1/out;tcp"}),
         Direction::several);
    EXPECT_EQ(events.size(), 2U);
}

TEST_F(Hops, ReportsOfAnyHopReferToTheEvent) {
    msrp(leg("hello", 1, 1));
    msrp(leg("hello", 2, 1));
    msrp(
        "MSRP rp01 REPORT\nTo-Path: msrp://n2.example:1/out;tcp\nFrom-Path: msrp://n3.example:1/in;tcp\n"
        "Message-ID: m2x1\nByte-Range: 1-5/5\nStatus: 000 200 OK\n-------rp01$\n",
        Direction::to_target);
    msrp(
        "MSRP rp02 REPORT\nTo-Path: msrp://n1.example:1/out;tcp\nFrom-Path: msrp://n2.example:1/in;tcp\n"
        "Message-ID: m1x1\nByte-Range: 1-5/5\nStatus: 000 200 OK\n-------rp02$\n",
        Direction::to_target);
    EXPECT_EQ(lines(), (Lines{"message \"hello\"", "message_delivered delivered"}));
    EXPECT_EQ(last().event.refers_to, ids().front());
}

TEST_F(Hops, ARestartAfterTheFirstCopyWasLetGoMakesNoneOfItsRepeat) {
    open_two_legs();
    const std::size_t before = kept.size();
    msrp(leg("hello", 1, 1));
    pass(seconds(20));
    msrp(leg("hello", 2, 1));
    EXPECT_GT(kept.size(), before);
    pass(seconds(45));
    EXPECT_EQ(kept.size(), before);
    restart();
    EXPECT_EQ(std::ranges::count(lines(), "message \"hello\""), 1);
}

TEST_F(Hops, AFrameInTwoPayloadsIsKeptUntilItsCopiesCame) {
    open_two_legs();
    const std::string bytes = wire(leg("hello", 1, 1));
    feed(copy(Copy::Kind::msrp, bytes.substr(0, 40)));
    feed(copy(Copy::Kind::msrp, bytes.substr(40)));
    ASSERT_EQ(events.size(), 1U);
    const std::string id = ids().back();
    restart();
    EXPECT_EQ(msrp(leg("hello", 2, 1)), Made::Outcome::repeat);
    EXPECT_EQ(std::ranges::count(ids(), id), 2) << "once more from what was kept, and no other";
    EXPECT_EQ(std::ranges::count(lines(), "message \"hello\""), 2);
}

TEST_F(Hops, ChunkedCopiesMakeOneEventToo) {
    const std::string whole = "in several pieces";
    for (const int name : {1, 2, 3}) {
        const Send how{.id = "m" + std::to_string(name),
                       .from = "msrp://n" + std::to_string(name) + ".example:1/out;tcp",
                       .to = "msrp://n" + std::to_string(name + 1) + ".example:1/in;tcp"};
        const auto cut = static_cast<std::size_t>(3 * name);
        msrp(chunk(whole, 1, cut, how));
        msrp(chunk(whole, cut + 1, whole.size(), how));
    }
    EXPECT_EQ(lines(), (Lines{"message \"in several pieces\""}));
}

TEST_F(Hops, TheSameWordsAfterAChangeOfPathsAreSaidAgain) {
    constexpr std::string_view moved = "msrp://a2.example:2855/s3;tcp";
    open();
    msrp(send("ok"));
    Call change = call;
    change.cseq = 2;
    change.branch = "z9hG4bKtwo";
    sip(again("INVITE", change, description(moved)));
    sip(answer(200, change, description(bob_path)), Direction::to_target);
    msrp(send("ok", {.transaction = "tr02", .id = "m2", .from = std::string(moved)}));
    EXPECT_EQ(lines(), (Lines{"message \"ok\"", "message \"ok\""}));
    // Copies of one at a hop whose signalling was not seen.
    msrp(leg("ok", 7, 1));
    msrp(leg("ok", 7, 2));
    EXPECT_EQ(events.size(), 2U);
}

TEST_F(Hops, TheSameWordsLaterOnPathsThatNobodyDescribedAreSaidAgain) {
    msrp(leg("ok", 1, 1));
    msrp(leg("ok", 2, 1));
    pass(seconds(45));
    msrp(leg("ok", 3, 1));
    msrp(leg("ok", 4, 1));
    EXPECT_EQ(events.size(), 2U);
    EXPECT_NE(ids().front(), ids().back());
}

TEST_F(Hops, AHopWhoseSignallingWasNotSeenBelongsToTheOnlySession) {
    open();
    msrp(leg("hello", 7, 1));
    EXPECT_EQ(last().event.conversation.id, conversation);
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    msrp(leg("hi", 7, 2), Direction::to_target);
    EXPECT_EQ(parties_of(last()), (Lines{"sender=sip:bob@b.example", "receiver*=sip:alice@a.example"}));
    msrp(leg("who?", 7, 3), Direction::several);
    EXPECT_EQ(last().event.conversation.id, conversation);
    EXPECT_EQ(parties_of(last()), (Lines{"sender=msrp://n7.example:1/out;tcp", "receiver=msrp://n8.example:1/in;tcp",
                                         "member=sip:alice@a.example", "member=sip:bob@b.example"}));
}

}  // namespace
}  // namespace lihandover::ims::test
