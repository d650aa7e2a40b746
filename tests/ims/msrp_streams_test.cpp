#include <string>
#include <vector>

#include "call_texts.hpp"

namespace lihandover::ims::test {
namespace {

using std::chrono::seconds;

// A message is kept until it is answered, or so long.
constexpr seconds unanswered{40};

class MsrpStreamsTest : public TrackerTest {
  protected:
    MsrpStreamsTest() {
        options.partial_message_timeout = seconds(10);
        tracker->set_options(options);
    }
    void bytes(std::string_view payload, std::string point = {}) {
        SentCopy made = copy(Copy::Kind::msrp, std::string(payload));
        made.point = std::move(point);
        feed(made);
    }
};

TEST_F(MsrpStreamsTest, FramesMayBeCutAnywhere) {
    const std::string all = wire(send("one") + send("two", {.transaction = "tr02", .id = "m2"}));
    for (std::size_t cut = 1; cut < all.size(); ++cut) {
        start();
        events.clear();
        kept.forget();
        bytes(all.substr(0, cut));
        bytes(all.substr(cut));
        ASSERT_EQ(lines(), (Lines{"message \"one\"", "message \"two\""})) << cut;
        pass(unanswered);
        ASSERT_EQ(kept.size(), 0U) << cut;
        ASSERT_EQ(tracker->unfinished_bytes(), 0U);
    }
}

TEST_F(MsrpStreamsTest, FramesMayComeOctetByOctet) {
    const std::string all = wire(send("one") + send("two", {.transaction = "tr02", .id = "m2"}));
    for (const char octet : all) {
        bytes(std::string(1, octet));
    }
    EXPECT_EQ(lines(), (Lines{"message \"one\"", "message \"two\""}));
    pass(unanswered);
    EXPECT_EQ(kept.size(), 0U);
}

TEST_F(MsrpStreamsTest, StreamsAreApart) {
    const std::string one = wire(send("from one place"));
    const std::string two = wire(send("from another", {.transaction = "tr02", .id = "m2"}));
    bytes(one.substr(0, 100), "poi-1");
    bytes(two.substr(0, 90), "poi-2");
    bytes(one.substr(100), "poi-1");
    bytes(two.substr(90), "poi-2");
    EXPECT_EQ(lines(), (Lines{"message \"from one place\"", "message \"from another\""}));
}

TEST_F(MsrpStreamsTest, WholeFramesMayComeInBetween) {
    const std::string cut = wire(send("cut in two"));
    bytes(cut.substr(0, 120));
    bytes(wire(send("whole", {.transaction = "tr02", .id = "m2"})));
    bytes(cut.substr(120));
    EXPECT_EQ(lines(), (Lines{"message \"whole\"", "message \"cut in two\""}));
}

TEST_F(MsrpStreamsTest, WhatIsCutOffGoesOutAsFarAsItCame) {
    const std::string cut = wire(send("never the whole of it"));
    bytes(cut.substr(0, cut.find("whole")));
    pass(seconds(9));
    EXPECT_TRUE(events.empty());
    pass(seconds(2));
    EXPECT_EQ(lines(), (Lines{"message \"never the \""}));
    EXPECT_EQ(parameter_of(last(), "completeness"), "partial");
    EXPECT_EQ(parameter_of(last(), "ranges"), "1-10");
    EXPECT_EQ(kept.size(), 0U);
}

TEST_F(MsrpStreamsTest, WhatIsCutOffBeforeItsBodyGoesOutWhole) {
    matched = {"sip:alice@a.example"};
    bytes("MSRP tr01 SEND\r\nTo-Path: msrp://b");
    pass(seconds(11));
    EXPECT_EQ(lines(), (Lines{"message [message/msrp]"}));
    EXPECT_EQ(parameter_of(last(), "completeness"), "unreadable");
    EXPECT_EQ(bytes_of(last().objects.front()), "MSRP tr01 SEND\r\nTo-Path: msrp://b");
    EXPECT_EQ(parties_of(last()), (Lines{"sender*=sip:alice@a.example"}));
}

TEST_F(MsrpStreamsTest, AnotherFrameInsteadOfTheRestLetsTheBeginningGo) {
    const std::string cut = wire(send("lost in the middle"));
    const std::string next = wire(send("next", {.transaction = "tr02", .id = "m2"}));
    bytes(cut.substr(0, cut.find("middle")));
    bytes(next.substr(0, 60));
    bytes(next.substr(60));
    EXPECT_EQ(lines(), (Lines{"message \"lost in the \"", "message \"next\""}));
    pass(unanswered);
    EXPECT_EQ(kept.size(), 0U);
}

TEST_F(MsrpStreamsTest, WhatIsNoMsrpGoesOutMarkedAndWhatFollowsIsRead) {
    EXPECT_EQ(feed(copy(Copy::Kind::msrp, "rubbish\r\n" + wire(send("good")))), Made::Outcome::malformed);
    EXPECT_EQ(lines(), (Lines{"message [message/msrp]", "message \"good\""}));
    EXPECT_EQ(bytes_of(events.front().objects.front()), "rubbish\r\n");
    EXPECT_EQ(parameter_of(events.front(), "completeness"), "unreadable");
}

TEST_F(MsrpStreamsTest, WhatGoesOnBeingNoMsrpGoesOutAsOne) {
    std::string payload;
    for (int n = 0; n < 1000; ++n) {
        payload += "rubbish " + std::to_string(n) + "\r\n" + wire(response(200));
    }
    feed(copy(Copy::Kind::msrp, payload));
    EXPECT_EQ(events.size(), 16U);
    std::size_t octets = 0;
    for (const MadeEvent& made : events) {
        octets += bytes_of(made.objects.front()).size();
    }
    EXPECT_GT(octets, payload.size() - 16 * wire(response(200)).size());
}

TEST_F(MsrpStreamsTest, TooMuchOfBeginningsGoesOut) {
    options.memory = 90'000;
    tracker->set_options(options);
    const std::string cut = wire(send(std::string(60'000, 'x')));
    bytes(cut.substr(0, 50'000), "poi-1");
    now += seconds(1);
    bytes(cut.substr(0, 50'000), "poi-2");
    now += seconds(1);
    EXPECT_FALSE(events.empty());
    EXPECT_LE(tracker->unfinished_bytes(), 90'000U);
}

}  // namespace
}  // namespace lihandover::ims::test
