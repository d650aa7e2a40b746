#include <string>

#include "call_texts.hpp"

namespace lihandover::ims::test {
namespace {

using std::chrono::seconds;

class MsrpStatusTest : public TrackerTest {
  protected:
    MsrpStatusTest() {
        sip(request("INVITE", Call(), description(alice_path)));
        sip(answer(200, Call(), description(bob_path)), Direction::to_target);
        events.clear();
    }
};

TEST_F(MsrpStatusTest, A200SaysNothing) {
    msrp(send("hello"));
    EXPECT_EQ(msrp(response(200), Direction::to_target), Made::Outcome::no_event);
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(MsrpStatusTest, ARefusalRefersToItsMessage) {
    msrp(send("hello"));
    msrp(response(413), Direction::to_target);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(line_of(last()), "message_failed 413 Stop Sending");
    EXPECT_EQ(last().event.refers_to, ids()[0]);
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    EXPECT_EQ(last().event.conversation.id, events[0].event.conversation.id);
    EXPECT_EQ(msrp(response(413), Direction::to_target), Made::Outcome::repeat);
}

TEST_F(MsrpStatusTest, AMessageIsKeptUntilItIsAnswered) {
    const std::size_t before = kept.size();
    msrp(send("hello"));
    EXPECT_EQ(kept.size(), before + 1);
    restart();
    msrp(response(413), Direction::to_target);
    EXPECT_EQ(kept.size(), before);
    EXPECT_EQ(line_of(last()), "message_failed 413 Stop Sending");
    EXPECT_EQ(last().event.refers_to, ids().front());
    msrp(send("again", {.transaction = "tr02", .id = "m2"}));
    msrp(response(200, "tr02"), Direction::to_target);
    EXPECT_EQ(kept.size(), before);
    msrp(send("nobody answers", {.transaction = "tr03", .id = "m3"}));
    msrp(send("nobody is asked", {.transaction = "tr04", .id = "m4", .more = "Failure-Report: no\n"}));
    EXPECT_EQ(kept.size(), before + 1);
    pass(seconds(33));
    EXPECT_EQ(kept.size(), before);
}

TEST_F(MsrpStatusTest, ARefusedChunkRefersToTheMessageThatGoesOut) {
    msrp(send("abc", {.range = "1-3/9", .flag = '+'}));
    msrp(response(413), Direction::to_target);
    msrp(send("def", {.transaction = "tr02", .range = "4-6/9", .flag = '#'}));
    EXPECT_EQ(lines(), (Lines{"message_failed 413 Stop Sending", "message \"abcdef\""}));
    EXPECT_EQ(events[0].event.refers_to, ids()[1]);
}

TEST_F(MsrpStatusTest, ARefusalMayOvertakeItsMessage) {
    EXPECT_EQ(msrp(response(481), Direction::to_target), Made::Outcome::no_event);
    msrp(send("hello"));
    EXPECT_EQ(lines(), (Lines{"message \"hello\"", "message_failed 481 No Such Session"}));
    EXPECT_EQ(last().event.refers_to, ids()[0]);
    EXPECT_GT(kept.size(), 0U);
    pass(seconds(11));
    EXPECT_EQ(events.size(), 2U);
}

TEST_F(MsrpStatusTest, ARefusalWithoutItsMessageGoesOutInTheEnd) {
    msrp(response(481), Direction::to_target);
    pass(seconds(11));
    EXPECT_EQ(lines(), (Lines{"message_failed 481 No Such Session"}));
    EXPECT_EQ(last().event.refers_to, "");
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
}

TEST_F(MsrpStatusTest, RefusalsOfOtherRequestsAreNoFailures) {
    msrp("MSRP tr01 AUTH\nTo-Path: " + std::string(bob_path) + "\nFrom-Path: " + std::string(alice_path) +
         "\n-------tr01$\n");
    msrp(response(403), Direction::to_target);
    msrp(response(401, "tr09"), Direction::to_target);
    pass(seconds(60));
    EXPECT_TRUE(events.empty());
}

TEST_F(MsrpStatusTest, ARefusalOfWhatIsNoMessageSaysNothing) {
    msrp(send("<isComposing/>", {.type = "application/im-iscomposing+xml"}));
    msrp(response(415), Direction::to_target);
    msrp(report("000 415 no"), Direction::to_target);
    EXPECT_TRUE(events.empty());
}

TEST_F(MsrpStatusTest, ASuccessReportIsADelivery) {
    msrp(send("hello", {.more = "Success-Report: yes\n"}));
    msrp(report("000 200 OK"), Direction::to_target);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(line_of(last()), "message_delivered delivered");
    EXPECT_EQ(last().event.refers_to, ids()[0]);
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    EXPECT_EQ(msrp(report("000 200 OK", "m1", "1-5/5", "rp02"), Direction::to_target), Made::Outcome::repeat);
}

TEST_F(MsrpStatusTest, AFailureReportIsAFailure) {
    msrp(send("hello"));
    msrp(response(200), Direction::to_target);
    msrp(report("000 408 timed out"), Direction::to_target);
    EXPECT_EQ(line_of(last()), "message_failed 408 Timed Out");
    EXPECT_EQ(last().event.refers_to, ids()[0]);
}

// TS 24.247 9.3.2, in the form of its flows.
TEST_F(MsrpStatusTest, AnswersAndReportsOfTheDraftsFormCountToo) {
    const std::string to_bob = "To-path:" + std::string(bob_path) + "\nFrom-path:" + std::string(alice_path) + "\n";
    const std::string to_alice = "To-path:" + std::string(alice_path) + "\nFrom-path:" + std::string(bob_path) + "\n";
    const auto draft_send = [&to_bob](const std::string& number, std::string_view words) {
        return "MSRP SEND\nBoundary: bd" + number + "\n" + to_bob + "TR-ID: " + number + "\nMessage-ID: " + number +
               "\nReport-Success: yes\nContent-Type: \"text/plain\"\n\n" + std::string(words) + "\n-----bd" + number +
               "$\n";
    };
    const auto draft_report = [&to_alice](const std::string& number, std::string_view code) {
        return "MSRP REPORT\nBoundary: bdr" + number + "\n" + to_alice + "TR-ID: 1" + number +
               "\nMessage-ID: " + number + "\nStatus: " + std::string(code) + "\n-----bdr" + number + "$\n";
    };
    msrp(draft_send("2801", "hello"));
    msrp("MSRP 200 OK\nBoundary: bda\n" + to_alice + "TR-ID: 2801\n-----bda$\n", Direction::to_target);
    msrp(draft_report("2801", "200 OK"), Direction::to_target);
    msrp(draft_send("2802", "to nobody"));
    msrp(draft_report("2802", "408 timed out"), Direction::to_target);
    msrp(draft_send("2803", "too much"));
    msrp("MSRP 413 no\nBoundary: bdb\n" + to_alice + "TR-ID: 2803\n-----bdb$\n", Direction::to_target);
    EXPECT_EQ(lines(),
              (Lines{"message \"hello\"", "message_delivered delivered", "message \"to nobody\"",
                     "message_failed 408 Timed Out", "message \"too much\"", "message_failed 413 Stop Sending"}));
    for (const std::size_t message : {0U, 2U, 4U}) {
        EXPECT_EQ(events[message + 1].event.refers_to, ids()[message]);
    }
}

TEST_F(MsrpStatusTest, ReportsOfPartsSayWhichPart) {
    msrp(send("hello"));
    msrp(report("000 200 OK", "m1", "1-3/5"), Direction::to_target);
    msrp(report("000 200 OK", "m1", "4-5/5"), Direction::to_target);
    ASSERT_EQ(events.size(), 3U);
    EXPECT_EQ(parameter_of(events[1], "ranges"), "1-3");
    EXPECT_EQ(parameter_of(events[2], "ranges"), "4-5");
    EXPECT_EQ(parameter_of(events[2], "completeness"), "partial");
    EXPECT_EQ(events[2].event.refers_to, ids()[0]);
}

TEST_F(MsrpStatusTest, AnotherNamespaceIsNoSuccess) {
    msrp(send("hello"));
    msrp(report("001 200 OK"), Direction::to_target);
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(MsrpStatusTest, AReportOfAMessageThatWasNotSeenNamesIt) {
    msrp(report("000 200 OK", "m9"), Direction::to_target);
    ASSERT_EQ(events.size(), 1U);
    const std::string refers(last().event.refers_to);
    msrp(send("late", {.id = "m9"}));
    EXPECT_EQ(ids().back(), refers);
}

}  // namespace
}  // namespace lihandover::ims::test
