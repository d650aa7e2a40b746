#include "x2x3/copy_taker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "make_pdu.hpp"
#include "x2x3/copy_record.hpp"

namespace lihandover::intake {
namespace {

using testing::xid_of;

class NoSpools : public ims::Spools {
  public:
    [[nodiscard]] model::Result<std::unique_ptr<ims::Spool>> make() override { return model::Error{"no spool"}; }
};

std::string wire(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out.append(c == '\n' ? "\r\n" : std::string(1, c));
    }
    return out;
}

std::string description(std::string_view path) {
    return wire(
        "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=message 2855 TCP/MSRP *\n"
        "a=accept-types:text/plain\na=path:" +
        std::string(path) + "\n");
}

std::string sip(std::string_view start, std::string_view to_tag, std::string_view more, const std::string& body) {
    return wire(std::string(start) +
                "\nVia: SIP/2.0/TCP n.example;branch=z9hG4bK1\nFrom: <sip:fiona@a.example>;tag=ft\n"
                "To: <sip:deck@focus.example>" +
                std::string(to_tag) + "\nCall-ID: join-1\nCSeq: 1 INVITE\n" + std::string(more) +
                "Content-Type: application/sdp\n\n") +
           body;
}

std::string chunk(std::string_view transaction, std::string_view range, std::string_view body, char flag) {
    return wire("MSRP " + std::string(transaction) +
                " SEND\nTo-Path: msrp://focus.example:2855/f;tcp\nFrom-Path: msrp://a.example:2855/a;tcp\n"
                "Message-ID: m001\nByte-Range: " +
                std::string(range) + "\nContent-Type: text/plain\n\n" + std::string(body) + "\n-------" +
                std::string(transaction) + flag + "\n");
}

/// What a store holds over starts of the daemon.
class CopyTakerTest : public ::testing::Test {
  protected:
    void hold(ims::Copy::Kind kind, const std::string& payload) {
        ims::Copy copy;
        copy.xid = xid_of(1);
        copy.correlation = 7;
        copy.kind = kind;
        copy.direction = ims::Direction::from_target;
        held[held.size() + 1] = encode_copy(copy, payload);
    }
    /// The daemon starts; what it changes in the store it does at the end of its start.
    void start() {
        taker = std::make_unique<CopyTaker>(CopyTaker::Options{.tracker = {.service = "ims"}}, spools);
        TakenCopies taken;
        for (const auto& [id, bytes] : held) {
            taker->take_kept({id, bytes}, now, taken);
        }
        apply(taken.changes);
        for (TaskEvent& event : taken.events) {
            events.push_back(std::move(event));
        }
    }
    void apply(const store::KeptChanges& changes) {
        for (const store::KeptCopy& copy : changes.keep) {
            held[copy.id] = copy.bytes;
        }
        for (const std::uint64_t id : changes.let_go) {
            held.erase(id);
        }
    }

    NoSpools spools;
    std::map<std::uint64_t, std::string> held;
    std::unique_ptr<CopyTaker> taker;
    std::vector<TaskEvent> events;
    CopyTaker::SteadyTime now{std::chrono::hours(1)};
};

TEST_F(CopyTakerTest, ACopyThatSeveralNeedLeavesThoseAfterItAsTheyAre) {
    // A session and a conference need the answer.
    hold(ims::Copy::Kind::sip,
         sip("INVITE sip:deck@focus.example SIP/2.0", "", "", description("msrp://a.example:2855/a;tcp")));
    hold(ims::Copy::Kind::sip, sip("SIP/2.0 200 OK", ";tag=dt", "Contact: <sip:deck@focus.example>;isfocus\n",
                                   description("msrp://focus.example:2855/f;tcp")));
    hold(ims::Copy::Kind::msrp, chunk("tr01", "1-3/9", "abc", '+'));
    hold(ims::Copy::Kind::msrp, chunk("tr02", "4-6/9", "def", '+'));
    const auto before = held;
    start();
    EXPECT_EQ(held, before);
    start();
    EXPECT_EQ(held, before);
    EXPECT_EQ(taker->sessions(), 1U);
    EXPECT_GE(taker->unfinished_bytes(), 6U);
}

TEST_F(CopyTakerTest, ACopyThatSeveralNeedGoesWithTheLastOfThem) {
    hold(ims::Copy::Kind::sip,
         sip("INVITE sip:deck@focus.example SIP/2.0", "", "", description("msrp://a.example:2855/a;tcp")));
    hold(ims::Copy::Kind::sip, sip("SIP/2.0 200 OK", ";tag=dt", "Contact: <sip:deck@focus.example>;isfocus\n",
                                   description("msrp://focus.example:2855/f;tcp")));
    start();
    for (int day = 1; day <= 3; ++day) {
        TakenCopies taken;
        taker->expire(now + day * std::chrono::hours(25), taken);
        apply(taken.changes);
    }
    EXPECT_TRUE(held.empty());
}

}  // namespace
}  // namespace lihandover::intake
