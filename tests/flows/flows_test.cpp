// The flows of TS 24.247 annex A, replayed: every message of each through the tracker, and what must come of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "expectation.hpp"
#include "flow.hpp"
#include "lihandover/ims/conference.hpp"
#include "lihandover/ims/sdp.hpp"
#include "lihandover/ims/sip.hpp"
#include "replay.hpp"

namespace lihandover::flows {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using x2x3_send::Message;

const std::filesystem::path directory = std::filesystem::path(LIHANDOVER_SOURCE_DIR) / "tests/flows";

x2x3_send::Flow read(const std::string& name) {
    std::ifstream stream(directory / (name + ".flow"));
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    auto flow = x2x3_send::read_flow(text, {});
    EXPECT_TRUE(flow) << name << ": " << (flow ? "" : flow.error().message);
    return flow ? std::move(*flow) : x2x3_send::Flow();
}

std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        if (entry.path().extension() == ".flow") {
            found.push_back(entry.path().stem().string());
        }
    }
    std::ranges::sort(found);
    return found;
}

/// Those of which it is said what they must become.
std::vector<std::string> names_with_expectations() {
    auto found = names();
    std::erase_if(found, [](const auto& name) { return !std::filesystem::exists(directory / (name + ".expect")); });
    return found;
}

std::vector<int> steps_of(const x2x3_send::Flow& flow) {
    std::set<int> steps;
    for (const auto& message : flow.messages) {
        steps.insert(std::stoi(message.step));
    }
    return {steps.begin(), steps.end()};
}

// Figures A.4.2-1 and A.4.3-1: all that is SIP or MSRP, and nothing else.
TEST(AnnexATest, EveryPrintedMessageIsThere) {
    std::vector<int> steps;
    for (int step = 2; step <= 33; ++step) {
        if (!std::set{6, 9, 12, 17, 18}.contains(step)) {
            steps.push_back(step);
        }
    }
    EXPECT_THAT(steps_of(read("A.4.2")), ElementsAreArray(steps));
    steps.clear();
    for (int step = 2; step <= 59; ++step) {
        if (!std::set{6, 9, 14, 17, 20, 27, 28}.contains(step)) {
            steps.push_back(step);
        }
    }
    EXPECT_THAT(steps_of(read("A.4.3")), ElementsAreArray(steps));
}

// Clause 10.
TEST(PolicyTest, EachDocumentIsRead) {
    const auto flow = read("10-policy");
    ASSERT_THAT(flow.messages, SizeIs(3));
    std::vector<ims::PolicyDocument> documents;
    for (const auto& message : flow.messages) {
        const auto document = ims::read_policy(message.bytes, message.attributes.at(0).value);
        ASSERT_TRUE(document) << message.step;
        documents.push_back(*document);
    }
    EXPECT_THAT(documents[0].members, SizeIs(2));
    EXPECT_THAT(documents[0].refused, ElementsAre("sip:eve@west.example"));
    EXPECT_THAT(documents[1].members, SizeIs(2));
    EXPECT_EQ(documents[2].conference, "sip:hall-7@conf.north.example");
    EXPECT_EQ(documents[2].subject, "Harbour clock");
    EXPECT_THAT(documents[2].moderators, ElementsAre("sip:ida.marsh@north.example"));
}

// Clause A.5: what the subscriber is told, document by document.
TEST(RosterTest, TheConferencesChanges) {
    ims::Roster roster;
    std::vector<std::string> changes;
    for (const auto& message : read("A.5-conference").messages) {
        const auto sip = message.kind == x2x3_send::Kind::sip ? ims::read_sip(message.bytes) : std::nullopt;
        const auto info = sip && sip->content_type == "application/conference-info+xml"
                              ? ims::read_conference_info(sip->body)
                              : std::nullopt;
        if (!info) {
            continue;
        }
        for (const auto& change : roster.apply(*info)) {
            constexpr std::array<const char*, 5> kinds = {"joined", "left", "roles", "subject", "nickname"};
            changes.push_back(std::string(kinds.at(static_cast<std::size_t>(change.kind))) + ' ' + change.entity);
        }
    }
    EXPECT_THAT(changes,
                ElementsAre("joined sip:otto.lindqvist@south.example", "roles sip:otto.lindqvist@south.example",
                            "subject ", "left sip:otto.lindqvist@south.example"));
}

class FlowsTest : public testing::TestWithParam<std::string> {};

TEST_P(FlowsTest, NothingIsLeftOut) {
    const auto flow = read(GetParam());
    ASSERT_FALSE(flow.messages.empty());
    for (const auto& message : flow.messages) {
        EXPECT_EQ(message.bytes.find("(...)"), std::string::npos) << message.step;
        if (message.kind == x2x3_send::Kind::sip) {
            for (const char* const header : {"\r\nFrom: ", "\r\nTo: ", "\r\nCall-ID: ", "\r\nVia: "}) {
                EXPECT_NE(message.bytes.find(header), std::string::npos) << message.step << header;
            }
        }
    }
}

TEST_P(FlowsTest, SignallingIsRead) {
    for (const auto& message : read(GetParam()).messages) {
        if (message.kind != x2x3_send::Kind::sip) {
            continue;
        }
        const auto sip = ims::read_sip(message.bytes);
        ASSERT_TRUE(sip) << message.step;
        EXPECT_THAT(sip->from.uri, StartsWith("sip:")) << message.step;
        EXPECT_THAT(sip->to.uri, StartsWith("sip:")) << message.step;
        for (const auto& address : sip->asserted) {
            EXPECT_THAT(address.uri, AnyOf(StartsWith("sip:"), StartsWith("tel:"))) << message.step;
        }
        if (sip->content_type == "application/sdp") {
            const auto sdp = ims::read_sdp(sip->body);
            ASSERT_TRUE(sdp) << message.step;
            if (sip->body.find("m=message") != std::string_view::npos) {
                ASSERT_THAT(sdp->msrp, SizeIs(1)) << message.step;
                EXPECT_THAT(sdp->msrp.front().path, SizeIs(1)) << message.step;
            }
        }
    }
}

std::string test_name(const testing::TestParamInfo<std::string>& flow) {
    std::string name = flow.param;
    std::ranges::replace_if(
        name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(All, FlowsTest, testing::ValuesIn(names()), test_name);

/// A flow, its expectations, and the comparison of both.
class ReplayTest : public testing::TestWithParam<std::string> {
  protected:
    [[nodiscard]] std::vector<Expectation> expected_of(const std::string& task) const {
        std::vector<Expectation> expected;
        for (const auto& each : expected_) {
            if (each.task == task) {
                expected.push_back(each);
            }
        }
        return expected;
    }

    void compare(Replay& replay, const std::string& how) const {
        for (const auto& [name, xid] : flow_.tasks) {
            EXPECT_THAT(differences(expected_of(name), replay.events(xid)), IsEmpty()) << name << ": " << how;
        }
    }

    /// Of this node, the signalling only that it sends or receives; and all that is no signalling.
    [[nodiscard]] std::vector<Message> seen_at(const std::string& node) const {
        std::vector<Message> seen;
        for (const auto& message : flow_.messages) {
            const std::size_t arrow = message.hop.find('>');
            if (message.kind != x2x3_send::Kind::sip || message.hop.substr(0, arrow) == node ||
                message.hop.substr(arrow + 1) == node) {
                seen.push_back(message);
            }
        }
        return seen;
    }

    x2x3_send::Flow flow_ = read(GetParam());
    std::vector<Expectation> expected_ = read_expectations(directory / (GetParam() + ".expect"));
};

TEST_P(ReplayTest, BecomesWhatItMust) {
    ASSERT_FALSE(expected_.empty());
    Replay replay;
    for (const auto& message : flow_.messages) {
        replay.take(message);
    }
    replay.finish();
    compare(replay, "as it is");
    EXPECT_EQ(replay.malformed(), 0U);
}

TEST_P(ReplayTest, EveryCopyTwiceChangesNothing) {
    Replay replay;
    for (const auto& message : flow_.messages) {
        replay.take(message);
        replay.take(message);
    }
    replay.finish();
    compare(replay, "every copy twice");
}

TEST_P(ReplayTest, AllOfItTwiceChangesNothing) {
    Replay replay;
    for (int time = 0; time < 2; ++time) {
        for (const auto& message : flow_.messages) {
            replay.take(message);
        }
    }
    replay.finish();
    compare(replay, "all of it twice");
}

TEST_P(ReplayTest, ARestartAnywhereChangesNothing) {
    for (std::size_t cut = 1; cut < flow_.messages.size(); ++cut) {
        Replay replay;
        for (std::size_t i = 0; i < flow_.messages.size(); ++i) {
            if (i == cut) {
                replay.restart();
            }
            replay.take(flow_.messages[i]);
        }
        replay.finish();
        compare(replay, "a restart before step " + flow_.messages[cut].step);
    }
}

TEST_P(ReplayTest, NothingIsKeptOfWhatIsOver) {
    Replay replay;
    for (const auto& message : flow_.messages) {
        replay.take(message);
    }
    replay.finish();
    EXPECT_EQ(replay.tracker().unfinished_bytes(), 0U);
    const std::size_t events = replay.count();
    // Longer than a session may be idle.
    replay.finish(std::chrono::hours(48));
    EXPECT_EQ(replay.tracker().sessions(), 0U);
    EXPECT_EQ(replay.kept(), 0U);
    EXPECT_EQ(replay.count(), events);
}

INSTANTIATE_TEST_SUITE_P(All, ReplayTest, testing::ValuesIn(names_with_expectations()), test_name);

// A.4.2 and A.4.3 as one point of interception sees them: one node's signalling, and the messages. What is asserted of
// the users differs from node to node.
class VantageTest : public ReplayTest {};

TEST_P(VantageTest, OneNodesSignallingIsEnough) {
    for (auto& each : expected_) {
        each.from->resize(1);
        each.to->front().resize(1);
    }
    for (const std::string node : {"UE1", "P-CSCF1", "S-CSCF1", "I-CSCF2", "S-CSCF2", "P-CSCF2", "UE2", "AS1", "AS2"}) {
        const auto seen = seen_at(node);
        if (std::ranges::none_of(seen, [](const auto& each) { return each.kind == x2x3_send::Kind::sip; })) {
            continue;
        }
        Replay replay;
        for (const auto& message : seen) {
            replay.take(message);
        }
        replay.finish();
        compare(replay, node);
    }
}

INSTANTIATE_TEST_SUITE_P(Annex, VantageTest, testing::Values("A.4.2", "A.4.3"), test_name);

}  // namespace
}  // namespace lihandover::flows
