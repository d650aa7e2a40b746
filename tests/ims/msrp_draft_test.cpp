// MSRP as the draft of 2004 had it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "lihandover/ims/msrp.hpp"
#include "msrp_frames.hpp"

namespace lihandover::ims {
namespace {

using testing::ElementsAre;

TEST(MsrpDraft, ReadsASend) {
    const std::string bytes = crlf(
        "MSRP SEND\n"
        "Boundary: k3f8x\n"
        "To-path:msrp://[2001:db8::2]:3402/s20\n"
        "From-path:msrp://[2001:db8::1]:3333/s10\n"
        "TR-ID: 4711\n"
        "Message-ID: 4712\n"
        "Report-Success: yes\n"
        "Report-Failure:no\n"
        "Byte-Range: 1-11/11\n"
        "Content-Type: \"text/plain\"\n"
        "\n"
        "-----k3f8x#.\n"
        "-----k3f8x$\n");
    const MsrpFrame frame = read_whole(bytes);
    EXPECT_TRUE(frame.draft);
    EXPECT_TRUE(frame.request);
    EXPECT_FALSE(frame.deviating);
    EXPECT_EQ(frame.method, "SEND");
    EXPECT_EQ(frame.transaction, "4711");
    EXPECT_EQ(frame.message_id, "4712");
    EXPECT_THAT(frame.to_path, ElementsAre("msrp://[2001:db8::2]:3402/s20"));
    EXPECT_THAT(frame.from_path, ElementsAre("msrp://[2001:db8::1]:3333/s10"));
    EXPECT_TRUE(frame.success_report);
    EXPECT_EQ(frame.failure_report, MsrpFrame::Failure::no);
    ASSERT_TRUE(frame.range);
    EXPECT_EQ(frame.range->total, 11U);
    EXPECT_EQ(frame.content_type, "text/plain");
    EXPECT_EQ(frame.body, "-----k3f8x#.");
    EXPECT_EQ(frame.flag, ChunkFlag::last);
}

TEST(MsrpDraft, ReadsOtherFrames) {
    struct Case {
        std::string_view bytes;
        std::string_view method;
        unsigned status;
        std::string_view comment;
        std::string_view transaction;
        ChunkFlag flag = ChunkFlag::last;
        bool deviating = false;
    };
    const std::vector<Case> cases = {
        {"MSRP VISIT\nBoundary: a1\nTo-path:x\nFrom-path:y\nTR-ID: 28\nMessage-ID: 2801\n-----a1$\n", "VISIT", 0, "",
         "28"},
        {"MSRP 200 OK\nBoundary: a1\nTo-path:x\nFrom-path:y\nTR-ID: 28\n-----a1$\n", "", 200, "OK", "28"},
        {"MSRP 481 No such session\nBoundary: a1\nTo:x\nFrom:y\nTR-ID: 28\n-----a1$\n", "", 481, "No such session",
         "28"},
        {"MSRP 200\nboundary:a1\nTo:x\nFrom:y\n-----a1+\n", "", 200, "", "a1", ChunkFlag::more},
        {"MSRP 200 OK\nTo:x\nFrom:y\nTR-ID: 28\nBoundary: a1\n-----a1#\n", "", 200, "OK", "28", ChunkFlag::abandoned},
        // As printed: a blank in the end line, dots for what is left out.
        {"MSRP VISIT\nBoundary: a1\nTo:x\nFrom:y\nTR-ID: 28\n----- a1$\n", "VISIT", 0, "", "28", ChunkFlag::last, true},
        {"MSRP (...) 200 OK\nBoundary: a1\nTo:x\nFrom:y\nTR-ID: 28\n-----a1$\n", "", 200, "OK", "28", ChunkFlag::last,
         true},
        {"MSRP 200 OK\nBoundary: a1\n(...)\nTo:x\nFrom:y\n-----a1$\n", "", 200, "OK", "a1", ChunkFlag::last, true},
        {"MSRP 200 OK\nBoundary: a1\n-----a1$\n", "", 200, "OK", "a1", ChunkFlag::last, true},
        {"MSRP 200 OK\nBoundary: a1\nTo:x\nFrom:y\nTR-ID:\n-----a1$\n", "", 200, "OK", "a1"},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.bytes);
        const std::string bytes = crlf(each.bytes);
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_TRUE(frame.draft);
        EXPECT_EQ(frame.request, !each.method.empty());
        EXPECT_EQ(frame.method, each.method);
        EXPECT_EQ(frame.status, each.status);
        EXPECT_EQ(frame.comment, each.comment);
        EXPECT_EQ(frame.transaction, each.transaction);
        EXPECT_EQ(frame.flag, each.flag);
        EXPECT_EQ(frame.deviating, each.deviating);
        EXPECT_FALSE(frame.has_body);
        // The document's own line ends.
        EXPECT_EQ(read_whole(each.bytes).transaction, each.transaction);
    }
}

TEST(MsrpDraft, ReadsReportsWithAndWithoutANamespace) {
    for (const std::string_view status : {"200 OK", "000 200 OK"}) {
        SCOPED_TRACE(status);
        const std::string bytes =
            crlf("MSRP REPORT\nBoundary: a1\nTo-path:x\nFrom-path:y\nTR-ID: 28\nMessage-ID: 2801\nStatus: " +
                 std::string(status) + "\n-----a1$\n");
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_EQ(frame.method, "REPORT");
        EXPECT_EQ(frame.message_id, "2801");
        ASSERT_TRUE(frame.report);
        EXPECT_EQ(frame.report->name_space, 0U);
        EXPECT_EQ(frame.report->code, 200U);
        EXPECT_EQ(frame.report->comment, "OK");
        EXPECT_FALSE(frame.deviating);
    }
}

TEST(MsrpDraft, OnlyItsBoundaryEndsAFrame) {
    for (const std::string_view body : {"-----", "x-----a1$", "\n-----a2$", "\n-----a1", "\n-----a1$ ", "\n-----  a1$",
                                        "\n-------a1$", "\n-----a1@", "\n----a1$"}) {
        SCOPED_TRACE(body);
        const std::string bytes =
            crlf("MSRP SEND\nBoundary: a1\nTo:x\nFrom:y\nMessage-ID: m1m1\nContent-Type: a/b\n\n" + std::string(body) +
                 "\n-----a1$\n");
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_EQ(frame.body, crlf(body));
        EXPECT_FALSE(frame.deviating);
    }
}

TEST(MsrpDraft, WithoutABoundaryThereIsNoFrame) {
    const std::vector<std::string_view> malformed = {
        "MSRP SEND\n\n",
        "MSRP SEND\nTo-Path: x\n\nBoundary: a1\n-----a1$\n",
        "MSRP SEND\n-----a1$\n",
        "MSRP SEND\nBoundary:\n-----$\n",
        "MSRP SEND\nBoundary: a b\n-----a b$\n",
        "MSRP 200 OK-ish\n-----a1$\n",
        "MSRP send\nBoundary: a1\n-----a1$\n",
        "MSRP (...) SEND\nBoundary: a1\n-----a1$\n",
    };
    for (const std::string_view each : malformed) {
        EXPECT_EQ(outcome_of(crlf(each)), MsrpRead::malformed) << each;
    }
    const std::string long_one(71, 'b');
    EXPECT_EQ(outcome_of(crlf("MSRP SEND\nBoundary: " + long_one + "\n")), MsrpRead::malformed);
    for (const std::string_view each : {"MSRP 200 OK\n", "MSRP SEND\nTo-Path: x\nBound", "MSRP SEND\nBoundary: a1",
                                        "MSRP SEND\nBoundary: a1\n-----a1$"}) {
        EXPECT_EQ(outcome_of(crlf(each)), MsrpRead::incomplete) << each;
    }
}

TEST(MsrpDraft, ATransactionOfThreeDigitsIsNoCode) {
    for (const std::string_view each :
         {"MSRP 123 SEND\nTo-Path: x\nFrom-Path: y\n-------123$\n",
          "MSRP 123 200 OK\nTo-Path: x\nFrom-Path: y\n-------123$\n", "MSRP 123 SEND\nBoundary: b\n-------123$\n",
          "MSRP 123 200 OK\nBoundary: b\n-------123$\n", "MSRP 123 FETCH\n\nBoundary: b\n-------123$\n"}) {
        SCOPED_TRACE(each);
        const std::string bytes = crlf(each);
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_FALSE(frame.draft);
        EXPECT_EQ(frame.transaction, "123");
        EXPECT_EQ(frame.status, frame.request ? 0U : 200U);
        EXPECT_TRUE(frame.deviating);
    }
}

TEST(MsrpDraft, ItsFieldsMeanNothingInTheOtherForm) {
    const std::string bytes = crlf(
        "MSRP t1t1 200 OK\nTo-Path: x\nFrom-Path: y\nTo: z\nFrom: z\nTR-ID: 7\nBoundary: t1\n-----t1$\n-------t1t1$\n");
    const MsrpFrame frame = read_whole(bytes);
    EXPECT_FALSE(frame.draft);
    EXPECT_EQ(frame.transaction, "t1t1");
    EXPECT_THAT(frame.to_path, ElementsAre("x"));
    EXPECT_THAT(frame.from_path, ElementsAre("y"));
}

}  // namespace
}  // namespace lihandover::ims
