// The text form of flows.

#include "flow.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lihandover::x2x3_send {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::string_view ida = "=== task ida 4a5f0c10-0000-4000-8000-000000000001\n";
constexpr std::string_view otto = "=== task otto 4a5f0c10-0000-4000-8000-000000000002\n";

std::vector<Message> read(const std::string& text) {
    auto flow = read_flow(std::string(ida) + std::string(otto) + text, {});
    EXPECT_TRUE(flow) << (flow ? "" : flow.error().message);
    return flow ? std::move(flow->messages) : std::vector<Message>();
}

std::string error_of(const std::string& text) {
    auto flow = read_flow(std::string(ida) + text, {});
    return flow ? "" : flow.error().message;
}

std::string bytes_of(const std::string& text) {
    const auto messages = read(text);
    EXPECT_THAT(messages, SizeIs(1));
    return messages.empty() ? "" : messages.front().bytes;
}

TEST(FlowTest, AMessageIsItsLinesWithCrLf) {
    EXPECT_EQ(bytes_of("=== sip\n# said before it\n\nOPTIONS sip:a@b.example SIP/2.0\nCall-ID: 1\n\n"),
              "OPTIONS sip:a@b.example SIP/2.0\r\nCall-ID: 1\r\n\r\n");
}

TEST(FlowTest, ABodyBeginsBehindTheBlankLineAndEndsWithoutCrLf) {
    EXPECT_EQ(
        bytes_of("=== sip\nMESSAGE sip:a@b.example SIP/2.0\nContent-Type: text/plain\nContent-Length: (...)\n\n"
                 "one\n\ntwo\n\n\n"),
        "MESSAGE sip:a@b.example SIP/2.0\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\none\r\n\r\ntwo");
}

TEST(FlowTest, LinesOfADescriptionAllEndWithCrLf) {
    EXPECT_THAT(bytes_of("=== sip\nINVITE sip:a@b.example SIP/2.0\nContent-Type: application/sdp\nContent-Length:\n\n"
                         "v=0\ns=-\n"),
                EndsWith("Content-Length: 10\r\n\r\nv=0\r\ns=-\r\n"));
}

TEST(FlowTest, FoldedLinesAndLinesWithoutColonStayAsTheyAre) {
    EXPECT_EQ(bytes_of("=== sip\nOPTIONS sip:a@b.example SIP/2.0\nVia: one,\n  two\nnonsense\nSupported: {empty}\n"),
              "OPTIONS sip:a@b.example SIP/2.0\r\nVia: one,\r\n  two\r\nnonsense\r\nSupported: \r\n\r\n");
}

TEST(FlowTest, LfAloneIsWrittenWhereAskedFor) {
    EXPECT_EQ(bytes_of("=== sip eol=lf end=eol\nMESSAGE sip:a@b.example SIP/2.0\nCall-ID: 1\n\nbody\n"),
              "MESSAGE sip:a@b.example SIP/2.0\nCall-ID: 1\n\nbody\n");
}

TEST(FlowTest, ALineThatLooksLikeAHeadIsEscaped) {
    EXPECT_THAT(bytes_of("=== mime\n\\=== sip\n\\# no comment\n\\\\\n\\n\n"), "=== sip\r\n# no comment\r\n\\\r\n\\n");
}

TEST(FlowTest, WhatAMessageLeavesOutComesFromTheOneBefore) {
    const auto messages = read(
        "=== sip\nINVITE sip:b@x.example SIP/2.0\nVia: SIP/2.0/UDP ue;branch=z9a\nFrom: <sip:a@x.example>;tag=1\n"
        "To: <sip:b@x.example>\nCall-ID: c1\nCSeq: 1 INVITE\nContent-Type: application/sdp\nContent-Length: (...)\n\n"
        "v=0\no=first\na=one\na=two\n"
        "=== sip\nINVITE sip:b@x.example SIP/2.0\nVia: SIP/2.0/UDP p1;branch=z9b, SIP/2.0/UDP\n    ue;branch=z9a\n"
        "From:\nTo:\nCall-ID: (...)\nCseq:\nContent-Type:\nContent-Length:\n\nv=\no=\na=\na=\n"
        "=== sip\nSIP/2.0 200 OK\nVia: SIP/2.0/UDP ue;branch=z9a\nFrom:\nTo: <sip:b@x.example>;tag=2\nCall-ID:\nCSeq:\n"
        "Content-Type:\nContent-Length: (...)\n\nv=\no=second\na=\na=\n"
        "=== sip\nSIP/2.0 200 OK\nVia: SIP/2.0/UDP ue;branch=z9a\nTo:\nContent-Type:\n\n(...)\n");
    ASSERT_THAT(messages, SizeIs(4));
    EXPECT_THAT(messages[1].bytes, AllOf(HasSubstr("\r\nFrom: <sip:a@x.example>;tag=1\r\n"),
                                         HasSubstr("\r\nCall-ID: c1\r\nCseq: 1 INVITE\r\n"),
                                         EndsWith("Content-Length: 28\r\n\r\nv=0\r\no=first\r\na=one\r\na=two\r\n")));
    EXPECT_THAT(messages[2].bytes, EndsWith("v=0\r\no=second\r\na=one\r\na=two\r\n"));
    EXPECT_THAT(messages[3].bytes, AllOf(HasSubstr("tag=2\r\n"), EndsWith("o=second\r\na=one\r\na=two\r\n")));
}

TEST(FlowTest, TheSameDialogIsAskedFirstThenTheSameKind) {
    const std::string first = "=== sip\nINVITE sip:b SIP/2.0\nVia: SIP/2.0/UDP ue1;branch=1\nCall-ID: c1\nAllow: A\n";
    const std::string second = "=== sip\nINVITE sip:b SIP/2.0\nVia: SIP/2.0/UDP ue2;branch=1\nCall-ID: c2\n";
    const std::string answer = "=== sip\nSIP/2.0 180 Ringing\nVia: SIP/2.0/UDP ue1;branch=1\nCall-ID:\nAllow: B\n";
    const auto messages =
        read(first + second + answer + "=== sip\nACK sip:b SIP/2.0\nVia: SIP/2.0/UDP ue1;branch=1\nCall-ID:\n" +
             "=== sip\nINVITE sip:b SIP/2.0\nVia: SIP/2.0/UDP ue2;branch=1\nCall-ID:\nAllow:\n");
    ASSERT_THAT(messages, SizeIs(5));
    EXPECT_THAT(messages[2].bytes, HasSubstr("Call-ID: c1"));
    EXPECT_THAT(messages[3].bytes, HasSubstr("Call-ID: c1"));
    EXPECT_THAT(messages[4].bytes, AllOf(HasSubstr("Call-ID: c2"), HasSubstr("Allow: A")));
}

TEST(FlowTest, WhoAnswersIsNotWhoAsked) {
    const auto messages = read(
        "=== sip\nINVITE sip:b SIP/2.0\nVia: SIP/2.0/UDP ue1;branch=1\nCall-ID: c1\nP-Asserted-Identity: <sip:ida>\n"
        "=== sip\nINVITE sip:b SIP/2.0\nVia: SIP/2.0/UDP as1;branch=2\nCall-ID: c2\nP-Asserted-Identity:\n"
        "=== sip\nSIP/2.0 200 OK\nVia: SIP/2.0/UDP as1;branch=2\nCall-ID:\nP-Asserted-Identity: <sip:otto>\n"
        "=== sip\nSIP/2.0 200 OK\nVia: SIP/2.0/UDP ue1;branch=1\nCall-ID:\nP-Asserted-Identity:\n");
    ASSERT_THAT(messages, SizeIs(4));
    EXPECT_THAT(messages[1].bytes, HasSubstr("P-Asserted-Identity: <sip:ida>"));
    EXPECT_THAT(messages[3].bytes, AllOf(HasSubstr("Call-ID: c1"), HasSubstr("P-Asserted-Identity: <sip:otto>")));
}

TEST(FlowTest, AnAnswerWithoutAViaGoesWithTheLastRequest) {
    const auto messages = read(
        "=== sip\nINVITE sip:b SIP/2.0\nVia: SIP/2.0/UDP ue1;branch=1\nCall-ID: c1\nCSeq: 1 INVITE\n"
        "=== sip\nSIP/2.0 200 OK\nVia:\nCall-ID:\nCSeq:\n"
        "=== sip\nBYE sip:b SIP/2.0\nVia: SIP/2.0/UDP ue2;branch=2\nCall-ID: c2\nCSeq: 2 BYE\n"
        "=== sip\nSIP/2.0 200 OK\nVia:\nCall-ID:\nCSeq:\n");
    ASSERT_THAT(messages, SizeIs(4));
    EXPECT_EQ(messages[1].bytes,
              "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP ue1;branch=1\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n");
    EXPECT_EQ(messages[3].bytes,
              "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP ue2;branch=2\r\nCall-ID: c2\r\nCSeq: 2 BYE\r\n\r\n");
}

TEST(FlowTest, NothingToFillInFromIsAnError) {
    EXPECT_EQ(error_of("=== sip\nOPTIONS sip:b SIP/2.0\nFrom:\n"), "line 2: no message before it has a value for From");
    EXPECT_EQ(error_of("=== sip\nOPTIONS sip:b SIP/2.0\n\nv=\n"), "line 2: no message before it has a body");
}

TEST(FlowTest, RangesOfMsrpAreCounted) {
    const auto messages = read(
        "=== msrp\nMSRP t1 SEND\nTo-Path: msrp://b\nFrom-Path: msrp://a\nMessage-ID: m1\nByte-Range: (...)\n"
        "Content-Type: text/plain\n\nabc\n-------t1+\n"
        "=== msrp\nMSRP t2 SEND\nTo-Path: msrp://a\nFrom-Path: msrp://b\nMessage-ID: m1\nByte-Range: (...)\n"
        "Content-Type: text/plain\n\nanother\n-------t2$\n"
        "=== msrp\nMSRP t3 SEND\nTo-Path: msrp://b\nFrom-Path: msrp://a\nMessage-ID: m1\nByte-Range: (...)-*/(...)\n"
        "Content-Type: text/plain\n\nde\nf\n-------t3$\n");
    ASSERT_THAT(messages, SizeIs(3));
    EXPECT_THAT(messages[0].bytes, HasSubstr("\r\nByte-Range: 1-3/8\r\n"));
    EXPECT_THAT(messages[1].bytes, HasSubstr("\r\nByte-Range: 1-7/7\r\n"));
    EXPECT_THAT(messages[2].bytes,
                AllOf(HasSubstr("\r\nByte-Range: 4-*/8\r\n"), EndsWith("\r\n\r\nde\r\nf\r\n-------t3$\r\n")));
}

TEST(FlowTest, OneSendBecomesChunks) {
    const auto messages = read(
        "=== msrp chunk=4\nMSRP t1 SEND\nMessage-ID: m\nContent-Type: text/plain\n\n"
        "{fill 9}\n-------t1$\n");
    ASSERT_THAT(messages, SizeIs(3));
    EXPECT_EQ(messages[0].bytes,
              "MSRP t1.1 SEND\r\nMessage-ID: m\r\nByte-Range: 1-4/9\r\nContent-Type: text/plain\r\n\r\n"
              "0123\r\n-------t1.1+\r\n");
    EXPECT_THAT(messages[2].bytes, AllOf(HasSubstr("Byte-Range: 9-9/9"), EndsWith("\r\n\r\n8\r\n-------t1.3$\r\n")));
    EXPECT_LT(messages[0].at, messages[2].at);
    EXPECT_THAT(error_of("=== msrp chunk=4\nMSRP 200 OK\nBoundary: x\n-----x$\n"),
                HasSubstr("only a SEND of RFC 4975"));
}

TEST(FlowTest, TheDraftsFormHasItsOwnEndLine) {
    EXPECT_EQ(bytes_of("=== msrp\nMSRP (...) 200 OK\nBoundary: xyz\nTR-ID: 7\n-----xyz$\n"),
              "MSRP 200 OK\r\nBoundary: xyz\r\nTR-ID: 7\r\n-----xyz$\r\n");
}

TEST(FlowTest, TasksDirectionsTimesAndNumbers) {
    const auto messages = read(
        "=== set correlation=7 step=5ms matched=sip:ida@x.example\n"
        "=== 1. sip UE1>P-CSCF1 from=ida to=otto\nA a SIP/2.0\n"
        "=== 2. sip to-target\nA a SIP/2.0\n"
        "=== 3. mime several xid=ida,otto correlation=8 sequence=9 @2s mime-type=a/b attribute=250:00ff\nx\n"
        "=== raw +1ms type=3 version=1.7 format=99\n00 01\n02\n");
    ASSERT_THAT(messages, SizeIs(5));
    EXPECT_EQ(messages[0].hop, "UE1>P-CSCF1");
    EXPECT_EQ(messages[0].step, "1");
    EXPECT_EQ(messages[0].direction, Direction::from_target);
    EXPECT_EQ(messages[1].direction, Direction::to_target);
    EXPECT_NE(messages[0].xids, messages[1].xids);
    EXPECT_EQ(messages[0].bytes, messages[1].bytes);
    EXPECT_EQ(messages[2].xids, messages[0].xids);
    EXPECT_EQ(messages[2].direction, Direction::to_target);
    EXPECT_EQ(messages[2].at, std::chrono::milliseconds(5));
    EXPECT_EQ(messages[2].correlation, 7);
    EXPECT_THAT(messages[2].attributes, SizeIs(1));
    EXPECT_THAT(messages[3].xids, ElementsAre(messages[0].xids.front(), messages[1].xids.front()));
    EXPECT_EQ(messages[3].correlation, 8);
    EXPECT_EQ(messages[3].sequence, 9);
    EXPECT_EQ(messages[3].at, std::chrono::seconds(2));
    ASSERT_THAT(messages[3].attributes, SizeIs(3));
    EXPECT_EQ(messages[3].attributes[2].value, std::string("\0\xff", 2));
    EXPECT_EQ(messages[4].bytes, std::string("\0\1\2", 3));
    EXPECT_EQ(messages[4].at, std::chrono::milliseconds(2001));
    EXPECT_EQ(messages[4].version, 0x0107);
}

TEST(FlowTest, TasksCanBeNamedFromOutside) {
    const auto mine = *model::Uuid::parse("11111111-2222-4333-8444-555555555555");
    auto flow =
        read_flow(std::string(ida) + "=== sip from=ida\nA a SIP/2.0\n=== sip\nA a SIP/2.0\n", {{{"ida", mine}}, {}});
    ASSERT_TRUE(flow);
    EXPECT_THAT(flow->messages[0].xids, ElementsAre(mine));
    EXPECT_THAT(flow->messages[1].xids, ElementsAre(mine));
    flow = read_flow("=== sip\nA a SIP/2.0\n", {{}, {mine}});
    ASSERT_TRUE(flow);
    EXPECT_THAT(flow->messages[0].xids, ElementsAre(mine));
}

TEST(FlowTest, PlacesForNumbersAndBytes) {
    EXPECT_EQ(bytes_of("=== mime\n{n}{hex 00fF}{other}{\n"),
              std::string(number_mark) + std::string("\0\xff", 2) + "{other}{");
    EXPECT_EQ(bytes_of("=== mime eol=lf\n{fill 3}\n{empty}\nx\n"), "012\n\nx");
}

TEST(FlowTest, MistakesNameTheirLine) {
    EXPECT_EQ(error_of("nonsense\n"), "line 2: a message begins with ===");
    EXPECT_EQ(error_of("=== smtp\n"), "line 2: neither sip nor msrp nor mime nor raw");
    EXPECT_EQ(error_of("=== sip sideways\n"), "line 2: not understood: sideways");
    EXPECT_EQ(error_of("=== sip from=eve\n"), "line 2: an unknown task: eve");
    EXPECT_EQ(error_of("=== sip colour=blue\n"), "line 2: an unknown setting: colour");
    EXPECT_EQ(error_of("=== sip correlation=x\n"), "line 2: no good number for correlation");
    EXPECT_EQ(error_of("=== sip +fast\n"), "line 2: no time: +fast");
    EXPECT_EQ(error_of("=== sip\n\n=== sip\nA a SIP/2.0\n"), "line 2: a message without a line");
    EXPECT_EQ(error_of("=== raw\nxyz\n"), "line 2: raw bytes are hex digits");
    EXPECT_EQ(error_of("=== mime\n{fill 9999999999}\n"), "line 3: {fill NUMBER} is needed, of at most 64 MiB");
    const auto flow = read_flow("=== sip\nA a SIP/2.0\n", {});
    ASSERT_FALSE(flow);
    EXPECT_THAT(flow.error().message, StartsWith("line 1: of no task"));
}

TEST(FlowTest, WhatIsPrintedIsReadAgain) {
    const auto messages = read(
        "=== 4. sip from-target UE1>AS1 correlation=3 @1500us\nMESSAGE sip:a SIP/2.0\n"
        "Content-Length: 4\n\n=a\x01z\n");
    ASSERT_THAT(messages, SizeIs(1));
    const auto again = read(flow_text(messages.front()));
    ASSERT_THAT(again, SizeIs(1));
    EXPECT_EQ(again.front().bytes, messages.front().bytes);
    EXPECT_EQ(again.front().xids, messages.front().xids);
    EXPECT_EQ(again.front().direction, messages.front().direction);
    EXPECT_EQ(again.front().correlation, messages.front().correlation);
    EXPECT_EQ(again.front().at, messages.front().at);
    EXPECT_EQ(again.front().hop, messages.front().hop);
}

}  // namespace
}  // namespace lihandover::x2x3_send
