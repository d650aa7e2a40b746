// The flows of TS 24.247 annex A, replayed: every message of each through the tracker, and what must come of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "expectation.hpp"
#include "flow.hpp"
#include "lihandover/ims/sdp.hpp"
#include "lihandover/ims/sip.hpp"

namespace lihandover::flows {
namespace {

using testing::AnyOf;
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

}  // namespace
}  // namespace lihandover::flows
