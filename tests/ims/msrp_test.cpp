#include "lihandover/ims/msrp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "msrp_frames.hpp"

namespace lihandover::ims {
namespace {

using testing::ElementsAre;
using Failure = MsrpFrame::Failure;

constexpr std::string_view paths =
    "To-Path: msrp://b.example.com:2855/s2;tcp\nFrom-Path: msrp://a.example.com/s1;tcp\n";

/// A frame of transaction t1t1 with the paths, then these lines.
std::string frame_with(std::string_view purpose, std::string_view lines, std::string_view end = "-------t1t1$\n") {
    return crlf("MSRP t1t1 " + std::string(purpose) + "\n" + std::string(paths) + std::string(lines) +
                std::string(end));
}

TEST(Msrp, ReadsASend) {
    const std::string bytes = crlf(
        "MSRP d93kswow SEND\n"
        "To-Path: msrp://relay.example.com:2855/r1;tcp msrp://b.example.com:8888/9di4ea;tcp\n"
        "From-Path: msrp://a.example.com:7777/iau39;tcp\n"
        "Message-ID: 12339sdqwer\n"
        "Byte-Range: 1-16/16\n"
        "Success-Report: yes\n"
        "Failure-Report: partial\n"
        "Content-Disposition: attachment; filename=\"a b.txt\"\n"
        "Content-ID: <1@example.com>\n"
        "X-Unknown: of no meaning here\n"
        "Content-Type: text/plain;charset=utf-8\n"
        "\n"
        "What is there...\n"
        "-------d93kswow$\n");
    const MsrpFrame frame = read_whole(bytes);
    EXPECT_TRUE(frame.request);
    EXPECT_FALSE(frame.draft);
    EXPECT_FALSE(frame.deviating);
    EXPECT_EQ(frame.transaction, "d93kswow");
    EXPECT_EQ(frame.method, "SEND");
    EXPECT_THAT(frame.to_path,
                ElementsAre("msrp://relay.example.com:2855/r1;tcp", "msrp://b.example.com:8888/9di4ea;tcp"));
    EXPECT_THAT(frame.from_path, ElementsAre("msrp://a.example.com:7777/iau39;tcp"));
    EXPECT_EQ(frame.message_id, "12339sdqwer");
    ASSERT_TRUE(frame.range);
    EXPECT_EQ(frame.range->start, 1U);
    EXPECT_EQ(frame.range->end, 16U);
    EXPECT_EQ(frame.range->total, 16U);
    EXPECT_TRUE(frame.success_report);
    EXPECT_EQ(frame.failure_report, Failure::partial);
    EXPECT_EQ(frame.content_disposition, "attachment; filename=\"a b.txt\"");
    EXPECT_EQ(frame.content_id, "<1@example.com>");
    EXPECT_EQ(frame.content_type, "text/plain;charset=utf-8");
    EXPECT_TRUE(frame.has_body);
    EXPECT_EQ(frame.body, "What is there...");
    EXPECT_EQ(frame.flag, ChunkFlag::last);
    ASSERT_EQ(frame.headers.size(), 10U);
    EXPECT_EQ(frame.headers[8].name, "X-Unknown");
    EXPECT_EQ(frame.headers[8].value, "of no meaning here");
}

TEST(Msrp, ReadsResponses) {
    struct Case {
        std::string_view start;
        unsigned status;
        std::string_view comment;
    };
    const std::vector<Case> cases = {
        {"200 OK", 200, "OK"},
        {"200", 200, ""},
        {"481 No such session", 481, "No such session"},
        {"413 Stop, \xc3\xbc", 413, "Stop, \xc3\xbc"},
    };
    for (const Case& each : cases) {
        const std::string bytes = frame_with(each.start, "");
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_FALSE(frame.request);
        EXPECT_EQ(frame.transaction, "t1t1");
        EXPECT_EQ(frame.status, each.status);
        EXPECT_EQ(frame.comment, each.comment);
        EXPECT_EQ(frame.method, "");
        EXPECT_FALSE(frame.has_body);
        EXPECT_FALSE(frame.deviating);
    }
}

TEST(Msrp, ReadsReports) {
    struct Case {
        std::string_view status;
        std::optional<MsrpFrame::Report> report;
        bool deviating = false;
    };
    const std::vector<Case> cases = {
        {"000 200 OK", {{0, 200, "OK"}}},
        {"000 200", {{0, 200, ""}}},
        {"000 413 Too long for us", {{0, 413, "Too long for us"}}},
        {"123 200 OK", {{123, 200, "OK"}}},  // of another namespace, and no success
        {"200 OK", {{0, 200, "OK"}}, true},
        {"413", {{0, 413, ""}}, true},
        {"000", std::nullopt, true},
        {"0 200 OK", std::nullopt, true},
        {"000 20 OK", std::nullopt, true},
        {"000 2000 OK", std::nullopt, true},
        {"no number", std::nullopt, true},
        {"", std::nullopt, true},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.status);
        const std::string bytes =
            frame_with("REPORT", "Message-ID: m1m1\nByte-Range: 1-39/39\nStatus: " + std::string(each.status) + "\n");
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_EQ(frame.method, "REPORT");
        EXPECT_EQ(frame.deviating, each.deviating);
        ASSERT_EQ(frame.report.has_value(), each.report.has_value());
        if (each.report) {
            EXPECT_EQ(frame.report->name_space, each.report->name_space);
            EXPECT_EQ(frame.report->code, each.report->code);
            EXPECT_EQ(frame.report->comment, each.report->comment);
        }
    }
    // Status means something in a REPORT only.
    const std::string bytes = frame_with("200 OK", "Status: 000 413 No\n");
    EXPECT_FALSE(read_whole(bytes).report);
}

TEST(Msrp, ReadsNicknames) {
    struct Case {
        std::string_view value;
        std::string_view nickname;
        bool deviating;
    };
    const std::vector<Case> cases = {
        {"\"Alice the great\"", "Alice the great", false},  {"\"\"", "", false},  // takes the name back
        {R"("a \"b\" \\ c")", R"(a \"b\" \\ c)", false},    {"Alice", "Alice", true}, {"\"Alice", "\"Alice", true},
        {"\"Alice\" and more", "\"Alice\" and more", true},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.value);
        const std::string bytes = frame_with("NICKNAME", "Use-Nickname: " + std::string(each.value) + "\n");
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_EQ(frame.use_nickname, each.nickname);
        EXPECT_EQ(frame.deviating, each.deviating);
    }
    const std::string without = frame_with("NICKNAME", "");
    EXPECT_FALSE(read_whole(without).use_nickname);
    EXPECT_TRUE(read_whole(without).deviating);
}

TEST(Msrp, ReadsRanges) {
    constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
    struct Case {
        std::string_view value;
        std::optional<ByteRange> range;
        bool deviating = false;
    };
    const std::vector<Case> cases = {
        {"1-39/39", {{1, 39, 39}}},
        {"1-*/*", {{1, std::nullopt, std::nullopt}}},
        {"2049-*/10240", {{2049, std::nullopt, 10240}}},
        {"1-0/0", {{1, 0, 0}}},
        {"0001-0002/0003", {{1, 2, 3}}},
        {"5-3/1", {{5, 3, 1}}},
        {"18446744073709551615-*/*", {{largest, std::nullopt, std::nullopt}}},
        {"18446744073709551616-*/*", {{largest, std::nullopt, std::nullopt}}},
        {"1-99999999999999999999/99999999999999999999", {{1, std::nullopt, std::nullopt}}, true},
        {"0-4/5", {{1, 4, 5}}, true},
        {"7-x/y", {{7, std::nullopt, std::nullopt}}, true},
        {"7-9", {{7, 9, std::nullopt}}, true},
        {"7-", {{7, std::nullopt, std::nullopt}}, true},
        {"7", {{7, std::nullopt, std::nullopt}}, true},
        {"-7/8", std::nullopt, true},
        {"x-7/8", std::nullopt, true},
        {"1 -7/8", std::nullopt, true},
        {"*-7/8", std::nullopt, true},
        {"/", std::nullopt, true},
        {"", std::nullopt, true},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.value);
        const std::string bytes = frame_with("SEND", "Message-ID: m1m1\nByte-Range: " + std::string(each.value) + "\n");
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_EQ(frame.deviating, each.deviating);
        ASSERT_EQ(frame.range.has_value(), each.range.has_value());
        if (each.range) {
            EXPECT_EQ(frame.range->start, each.range->start);
            EXPECT_EQ(frame.range->end, each.range->end);
            EXPECT_EQ(frame.range->total, each.range->total);
        }
    }
    const std::string bytes = frame_with("SEND", "Message-ID: m1m1\n");
    EXPECT_FALSE(read_whole(bytes).range);
    EXPECT_FALSE(read_whole(bytes).deviating);
}

TEST(Msrp, KnowsWhichReportsAreWanted) {
    struct Case {
        std::string_view lines;
        bool success;
        Failure failure;
        bool deviating = false;
    };
    const std::vector<Case> cases = {
        {"", false, Failure::yes},
        {"Success-Report: yes\nFailure-Report: no\n", true, Failure::no},
        {"success-report:YES\nFAILURE-REPORT:  Partial \n", true, Failure::partial},
        {"Success-Report: no\nFailure-Report: yEs\n", false, Failure::yes},
        {"Success-Report: maybe\n", false, Failure::yes, true},
        {"Failure-Report: ygs\n", false, Failure::yes, true},
        {"Failure-Report:\n", false, Failure::yes, true},
        {"Report-Success: yes\nReport-Failure: no\n", true, Failure::no, true},  // the draft's names
        {"Success-Report: yes\nSuccess-Report: no\n", true, Failure::yes, true},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.lines);
        const std::string bytes = frame_with("SEND", "Message-ID: m1m1\n" + std::string(each.lines));
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_EQ(frame.success_report, each.success);
        EXPECT_EQ(frame.failure_report, each.failure);
        EXPECT_EQ(frame.deviating, each.deviating);
    }
}

TEST(Msrp, OnlyItsOwnEndLineEndsAFrame) {
    const std::vector<std::string_view> bodies = {
        "-------",          "-------t1t1$ and more",
        "x-------t1t1$",    // no line end before
        "\n-------other$",  // of another transaction
        "\n-------T1T1$",   // case matters
        "\n-------t1t1",    // no flag
        "\n-------t1t1@",   // no flag that there is
        "\n-------t1t1+$",  // of the transaction t1t1+
        "\n------t1t1$",    // a dash too few
        "\n--------t1t1$",  // and too many
        "\n-------t1t1$ ",
        "\n-----t1t1$",  // the draft's
        "\nMSRP t1t1 SEND", "\nMSRP t1t1 200 OK\n",  "\n\n-------t1t1 $\n\n",
    };
    for (const std::string_view body : bodies) {
        SCOPED_TRACE(body);
        const std::string as_lines = crlf(body);
        const std::string bytes =
            frame_with("SEND", "Message-ID: m1m1\nContent-Type: text/plain\n\n" + std::string(body) + "\n");
        EXPECT_EQ(read_whole(bytes).body, as_lines);
    }
    // A line end of LF alone is of the body.
    const std::string bytes = frame_with("SEND", "Message-ID: m1m1\nContent-Type: text/plain\n\n@\n");
    std::string with_lf = bytes;
    with_lf.replace(with_lf.find('@'), 1, "\n-------t1t1$\n");
    EXPECT_EQ(read_whole(with_lf).body, "\n-------t1t1$\n");
}

TEST(Msrp, TheTransactionIsComparedBeforeTheFlag) {
    const std::string bytes =
        crlf("MSRP n02s+1+ SEND\n" + std::string(paths) +
             "Message-ID: m1m1\nContent-Type: text/plain\n\nx\n-------n02s+1$\n-------n02s+1+#\n");
    const MsrpFrame frame = read_whole(bytes);
    EXPECT_EQ(frame.transaction, "n02s+1+");
    EXPECT_EQ(frame.body, crlf("x\n-------n02s+1$"));
    EXPECT_EQ(frame.flag, ChunkFlag::abandoned);
    EXPECT_FALSE(frame.deviating);
}

TEST(Msrp, ReadsFlags) {
    const std::vector<std::pair<std::string_view, ChunkFlag>> cases = {{"-------t1t1$\n", ChunkFlag::last},
                                                                       {"-------t1t1+\n", ChunkFlag::more},
                                                                       {"-------t1t1#\n", ChunkFlag::abandoned}};
    for (const auto& [end, flag] : cases) {
        const std::string bytes = frame_with("SEND", "Message-ID: m1m1\n", end);
        EXPECT_EQ(read_whole(bytes).flag, flag);
    }
}

TEST(Msrp, ABodyIsAnyOctets) {
    std::string body;
    for (int i = 0; i < 512; ++i) {
        body += static_cast<char>(i);
    }
    const std::vector<std::string> bodies = {
        "", "\r\n", "\r\n\r\n", "\r", "\n", "x\r\n", body, body + "\r\n\r\n", "\r\n-------t1t1"};
    for (const std::string& each : bodies) {
        std::string bytes = frame_with("SEND", "Message-ID: m1m1\nContent-Type: application/octet-stream\n\n@\n");
        bytes.replace(bytes.find("@\r\n"), 1, each);
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_TRUE(frame.has_body);
        EXPECT_EQ(frame.body, each);
        EXPECT_FALSE(frame.deviating);
    }
}

TEST(Msrp, WhatIsThereCounts) {
    // Neither the range's end nor its total says where a frame ends.
    const std::string bytes =
        frame_with("SEND", "Message-ID: m1m1\nByte-Range: 1-2/2\nContent-Type: text/plain\n\nlonger than that\n");
    EXPECT_EQ(read_whole(bytes).body, "longer than that");
}

TEST(Msrp, ReadsWhatDeviates) {
    struct Case {
        std::string_view what;
        std::string bytes;
        std::string_view body = {};
    };
    const std::string send = "MSRP t1t1 SEND\n" + std::string(paths);
    const std::string last = "\n-------t1t1$\n";
    const std::vector<Case> cases = {
        {"empty lines before", "\n\n" + send + "Message-ID: m1m1\n-------t1t1$\n"},
        {"a short transaction", "MSRP t1 SEND\n" + std::string(paths) + "Message-ID: m1m1\n-------t1$\n"},
        {"a long transaction", "MSRP " + std::string(40, 't') + " SEND\n" + std::string(paths) +
                                   "Message-ID: m1m1\n-------" + std::string(40, 't') + "$\n"},
        {"a transaction that begins with a dot",
         "MSRP .t1t SEND\n" + std::string(paths) + "Message-ID: m1m1\n-------.t1t$\n"},
        {"a blank behind the method", "MSRP t1t1 SEND \n" + std::string(paths) + "Message-ID: m1m1\n-------t1t1$\n"},
        {"a short Message-ID", send + "Message-ID: m1\n-------t1t1$\n"},
        {"no Message-ID", send + "-------t1t1$\n"},
        {"no paths", "MSRP t1t1 SEND\nMessage-ID: m1m1\nContent-Type: a/b\n\nx" + last, "x"},
        {"no header at all", "MSRP t1t1 481 No session\n-------t1t1$\n"},
        {"paths that are not first", "MSRP t1t1 SEND\nMessage-ID: m1m1\n" + std::string(paths) + "-------t1t1$\n"},
        {"paths in the other order",
         "MSRP t1t1 200 OK\nFrom-Path: msrp://a/1;tcp\nTo-Path: msrp://b/2;tcp\n-------t1t1$\n"},
        {"an empty line, and no body", send + "Message-ID: m1m1\n\n-------t1t1$\n"},
        {"no Content-Type", send + "Message-ID: m1m1\n\nx" + last, "x"},
        {"Content-Type, but not last", send + "Content-Type: a/b\nMessage-ID: m1m1\n\nx" + last, "x"},
        {"Content-Type in quotes", send + "Message-ID: m1m1\nContent-Type: \"a/b\"\n\nx" + last, "x"},
        {"a line without a colon", send + "Message-ID: m1m1\nno colon\nContent-Type: a/b\n\nx" + last, "x"},
        {"a line that is folded", send + "Message-ID: m1m1\nContent-Type: a/b;\n c=d\n\nx" + last, "x"},
        {"a name that is none", send + "Message-ID: m1m1\n{}: x\nContent-Type: a/b\n\nx" + last, "x"},
        {"a blank before the colon", send + "Message-ID: m1m1\nContent-Type : a/b\n\nx" + last, "x"},
        {"no empty line before the body", send + "Message-ID: m1m1\nContent-Type: a/b\n{x: 1,\ny: 2}" + last,
         "{x: 1,\r\ny: 2}"},
        {"two ranges", send + "Message-ID: m1m1\nByte-Range: 1-2/3\nByte-Range: 2-3/3\n-------t1t1$\n"},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.what);
        const std::string bytes = crlf(each.bytes);
        const MsrpFrame frame = read_whole(bytes);
        EXPECT_TRUE(frame.deviating);
        EXPECT_EQ(frame.body, each.body);
        EXPECT_EQ(frame.has_body, !each.body.empty());
        EXPECT_TRUE(!frame.range || frame.range->start == 1);
    }
}

TEST(Msrp, ReadsLinesThatEndWithLfAlone) {
    const std::string bytes = "MSRP t1t1 SEND\n" + std::string(paths) +
                              "Message-ID: m1m1\nContent-Type: a/b\n\nx\n\ny\n-------t1t1+\nMSRP t2";
    MsrpFrame frame;
    ASSERT_EQ(read_msrp(bytes, frame), MsrpRead::frame);
    EXPECT_EQ(frame.octets, bytes.size() - 7);
    EXPECT_EQ(frame.body, "x\n\ny");
    EXPECT_EQ(frame.message_id, "m1m1");
    EXPECT_EQ(frame.flag, ChunkFlag::more);
    EXPECT_TRUE(frame.deviating);
    EXPECT_TRUE(read_whole("MSRP t1t1 200 OK\n-------t1t1$\n").deviating);
}

TEST(Msrp, WhatIsNoMsrpIsMalformedAtOnce) {
    const std::vector<std::string_view> cases = {
        "SIP/2.0 200 OK\n",
        "msrp t1t1 SEND\n",
        "M\n",
        "MSRP\n",
        "MSRP \n",
        "MSRP  SEND\n",
        "MSRP t1t1\n",
        "MSRP t1t1 \n",
        "MSRP t1t1 send\n",
        "MSRP t1t1 SEND MORE\n",
        "MSRP t!t1 SEND\n",
        "MSRP t1t1 20 OK\n",
        "MSRP t1t1 2000 OK\n",
        "MSRP t1t1 SEND2\n",
        "MSRP\tt1t1 SEND\n",
        "MSRP t1t1\tSEND\n",
        "\n\nnothing",
        "-------t1t1$\n",
        "MSRPS t1t1 SEND\n",
        "MSRP t1t1  SEND\n",
        "MSRP 1234567890123456789012345678901234567890"
        "1234567890123456789012345678901 SEND\n",
    };
    for (const std::string_view each : cases) {
        EXPECT_EQ(outcome_of(crlf(each)), MsrpRead::malformed) << each;
    }
}

TEST(Msrp, WhatMayGoOnIsIncomplete) {
    const std::vector<std::string_view> cases = {
        "",
        "\n",
        "M",
        "MSRP ",
        "MSRP t1t1 SEND",
        "MSRP bad!id SEND",
        "MSRP t1t1 SEND\n",
        "MSRP t1t1 SEND\nTo-Path: x\n",
        "MSRP t1t1 SEND\n\n",
        "MSRP t1t1 SEND\n\nbody\n",
        "MSRP t1t1 SEND\n\nbody\n-------t1t1$",
        "MSRP t1t1 SEND\n\nbody\n-------other$\n",
        "MSRP t1t1 SEND\n\nbody\n-------t1t1@\n",
        "MSRP SEND\n",
    };
    for (const std::string_view each : cases) {
        EXPECT_EQ(outcome_of(crlf(each)), MsrpRead::incomplete) << each;
    }
    EXPECT_EQ(outcome_of("MSRP t1t1 200 OK\r\n-------t1t1$\r"), MsrpRead::incomplete);
}

/// The frames that bytes consist of when they come in pieces of `size`, and how reading ends.
struct Frames {
    std::vector<std::string> frames;
    MsrpRead end = MsrpRead::incomplete;
    friend bool operator==(const Frames&, const Frames&) = default;
};
Frames read_pieces(std::string_view bytes, std::size_t size) {
    Frames out;
    std::string there;
    MsrpFrame frame;
    std::size_t seen = 0;
    for (;;) {
        out.end = read_msrp(there, frame, seen);
        if (out.end == MsrpRead::frame) {
            out.frames.push_back(std::string(frame.transaction) + " " + std::to_string(frame.octets) + " " +
                                 std::string(frame.body));
            there.erase(0, frame.octets);
            seen = 0;
            continue;
        }
        if (out.end == MsrpRead::malformed || bytes.empty()) {
            return out;
        }
        seen = there.size();
        there += bytes.substr(0, size);
        bytes.remove_prefix(std::min(size, bytes.size()));
    }
}

TEST(Msrp, FramesAreTheSameHoweverTheirBytesCome) {
    const std::string lf = "MSRP lf1 SEND\n\nx\n-------lf1$\n";
    const std::string draft = crlf("MSRP SEND\nBoundary: b1\nTR-ID: 7\n\nx\n-----b1+\n");
    const std::string three = crlf("MSRP 200 SEND\nTo-Path: x\n\n-----\n-------200$\n");
    const std::string bytes =
        frame_with("SEND", "Message-ID: m1m1\nContent-Type: a/b\n\n-------t1t1\n-------t1t1@\n\n") + "\r\n" + draft +
        frame_with("200 OK", "") + lf + three + frame_with("SEND", "\n\n") + "MSRP next";
    const Frames whole = read_pieces(bytes, bytes.size());
    EXPECT_EQ(whole.frames.size(), 6U);
    EXPECT_EQ(whole.end, MsrpRead::incomplete);
    for (std::size_t size = 1; size < 120; ++size) {
        EXPECT_EQ(read_pieces(bytes, size), whole) << size;
    }
}

TEST(Msrp, AHeadIsBounded) {
    constexpr std::size_t most = std::size_t{64} << 10;
    const std::string start = crlf("MSRP t1t1 SEND\n" + std::string(paths));
    const std::string line = "X-Y: " + std::string(93, 'x') + "\r\n";
    std::string endless = start;
    while (endless.size() < most) {
        endless += line;
    }
    EXPECT_EQ(outcome_of(endless.substr(0, most - 1)), MsrpRead::incomplete);
    EXPECT_EQ(outcome_of(endless.substr(0, most)), MsrpRead::malformed);
    // Whether it ends beyond does not matter, nor how it came.
    EXPECT_EQ(outcome_of(endless + "-------t1t1$\r\n"), MsrpRead::malformed);
    EXPECT_EQ(outcome_of(endless + "\r\nbody\r\n-------t1t1$\r\n"), MsrpRead::malformed);
    EXPECT_EQ(read_pieces(endless, 1000).end, MsrpRead::malformed);
    EXPECT_EQ(outcome_of(std::string(most - 1, '\n')), MsrpRead::incomplete);
    EXPECT_EQ(outcome_of(std::string(most, '\n')), MsrpRead::malformed);
    EXPECT_EQ(outcome_of(std::string(most * 2, '\n')), MsrpRead::malformed);
    EXPECT_EQ(outcome_of("MSRP " + std::string(most, 't')), MsrpRead::malformed);
    EXPECT_EQ(outcome_of(crlf("MSRP SEND\n") + line.substr(0, 5) + std::string(most, 'x')), MsrpRead::malformed);

    // One that just fits, without a body and with one.
    for (const std::string_view end : {"-------t1t1$\r\n", "\r\n"}) {
        std::string bytes = start + "X-Y: ";
        bytes += std::string(most - bytes.size() - 2 - end.size(), 'x') + "\r\n" + std::string(end);
        ASSERT_EQ(bytes.size(), most);
        const bool with_body = end == "\r\n";
        bytes += with_body ? std::string(most, 'b') + "\r\n-------t1t1$\r\n" : "";
        EXPECT_EQ(read_whole(bytes).body.size(), with_body ? most : 0);
        EXPECT_EQ(read_pieces(bytes, 4096).frames.size(), 1U);
        bytes.insert(start.size() + 5, "x");
        EXPECT_EQ(outcome_of(bytes), MsrpRead::malformed);
        EXPECT_EQ(read_pieces(bytes, 4096).end, MsrpRead::malformed);
    }
}

TEST(Msrp, HeaderFieldsAndHopsAreBounded) {
    std::string lines = "X: y\n";
    for (int i = 0; i < 12; ++i) {
        lines += lines.size() < 40'000 ? lines : "";
    }
    std::string bytes = frame_with("SEND", lines + "Message-ID: m1m1\n");
    MsrpFrame frame = read_whole(bytes);
    EXPECT_EQ(frame.headers.size(), 256U);
    EXPECT_EQ(frame.message_id, "m1m1");
    EXPECT_TRUE(frame.deviating);

    std::string path = "first";
    for (int i = 0; i < 1000; ++i) {
        path += " hop";
    }
    bytes = crlf("MSRP t1t1 200 OK\nTo-Path: " + path + " last\nFrom-Path: x\n-------t1t1$\n");
    frame = read_whole(bytes);
    EXPECT_EQ(frame.to_path.size(), 64U);
    EXPECT_EQ(frame.to_path.front(), "first");
    EXPECT_EQ(frame.to_path.back(), "last");  // the peer
    EXPECT_TRUE(frame.deviating);
}

TEST(Msrp, AFrameHasNothingOfTheOneBefore) {
    const std::string send = frame_with("SEND", "Message-ID: m1m1\nByte-Range: 4-5/6\nContent-Type: a/b\n\nx\n");
    const std::string response = frame_with("200 OK", "");
    MsrpFrame frame;
    ASSERT_EQ(read_msrp(send, frame), MsrpRead::frame);
    ASSERT_EQ(read_msrp(response, frame), MsrpRead::frame);
    EXPECT_EQ(frame.message_id, "");
    EXPECT_EQ(frame.method, "");
    EXPECT_FALSE(frame.range);
    EXPECT_FALSE(frame.has_body);
    EXPECT_EQ(frame.headers.size(), 2U);
    EXPECT_EQ(frame.to_path.size(), 1U);
}

/// What reading takes of the processor, in seconds.
double processor_time_for(std::string_view bytes, std::size_t piece) {
    const std::clock_t before = std::clock();
    MsrpFrame frame;
    for (std::size_t size = std::min(piece, bytes.size()), seen = 0;
         read_msrp(bytes.substr(0, size), frame, seen) == MsrpRead::incomplete && size < bytes.size();) {
        seen = size;
        size = std::min(size + piece, bytes.size());
    }
    return static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
}

TEST(Msrp, FalseEndLinesCostNoMoreThanTheyAreLong) {
    const std::string start = frame_with("SEND", "Message-ID: m1m1\nContent-Type: a/b\n\n", "");
    const std::string draft = crlf("MSRP SEND\nBoundary: b1\n\n");
    const std::vector<std::pair<std::string, std::string>> cases = {
        {start, "\r\n-------t1t1@"}, {start, "\r\n-------t1t"}, {draft, "\r\n-----"}, {start, "-"}, {start, "\r\n"}};
    for (const auto& [head, part] : cases) {
        SCOPED_TRACE(part);
        std::string bytes = head;
        while (bytes.size() < 4'000'000) {
            bytes += part;
        }
        // Some hundredths of a second; were every candidate looked for from the beginning, minutes.
        EXPECT_LT(processor_time_for(bytes, bytes.size()), 4);
        EXPECT_LT(processor_time_for(bytes, 4096), 4);
    }
}

TEST(Msrp, ReadingGoesOnAfterWhatIsMalformed) {
    struct Case {
        std::string_view bytes;
        std::size_t from;
        std::size_t found;
    };
    const std::vector<Case> cases = {
        {"MSRP !!! SEND\nbroken offMSRP t1t1 SEND\n", 1, 24},
        {"MSRP t1t1 200 OK\n", 0, 0},
        {"MSRP t1t1 SEND\nMSRP t2t2 SEND\n", 1, 15},
        {"x MSRP t1t1 SEND", 0, 16},  // not whole
        {"MSRP MSRP MSRP SEND\n", 1, 5},
        {"xMSRP SEND\nBoundary: b\n", 0, 1},  // the draft's
        {"xMSRP 200 OK\nboundary:b\n", 0, 1},
        {"xMSRP SEND\nTo-Path: b\n", 0, 22},  // a method, and no boundary
        {"xMSRP is what it is\n", 0, 20},
        {"", 0, 0},
        {"MSRP t1t1 SEND\n", 15, 15},
        {"MSRP t1t1 SEND\n", 99, 15},
    };
    for (const Case& each : cases) {
        EXPECT_EQ(find_msrp(each.bytes, each.from), each.found) << each.bytes;
    }
    const std::string with_comment = "x MSRP t1t1 413 " + std::string(1000, 'c');
    EXPECT_EQ(find_msrp(with_comment, 0), 2U);
}

}  // namespace
}  // namespace lihandover::ims
