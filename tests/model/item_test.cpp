#include "lihandover/model/item.hpp"

#include <gtest/gtest.h>

#include <random>

namespace lihandover::model {
namespace {

constexpr Instant received{1795342531, 5};

Event full_event() {
    Event event;
    event.event_id = "e-1";
    event.service = "examplechat";
    event.type = EventType::message_edited;
    event.timestamp = parse_rfc3339("2026-11-22T10:15:30.123456+01:00");
    event.refers_to = "e-0";
    event.status = "delivered";
    event.has_conversation = true;
    event.conversation = {.id = "c-77",
                          .kind = "group",
                          .thread_id = "t-1",
                          .title = "Weekend",
                          .previous_title = "Week",
                          .thread_title = "Boat"};
    event.has_content = true;
    event.content_type = "text/plain";
    event.text = "See you\xed\xa0\x80";
    event.location = Location{.latitude = "51.5",
                              .longitude = "-0.12",
                              .accuracy_metres = "12",
                              .altitude_metres = "",
                              .cell = "234-15-0001",
                              .description = "Pier",
                              .observed_at = parse_rfc3339("2026-11-22T09:00:00Z")};
    event.device = {{.name = "model", .value = "X1"}};
    event.network = {{.name = "port", .value = "443", .json = true}};
    event.parameters = {{.name = "status", .value = "ok"}, {.name = "mood", .value = "{\"a\":1}", .json = true}};
    event.identifiers = {
        {IdentifierType::user_id, "u-1"}, {IdentifierType::msisdn, "447700900123"}, {IdentifierType::user_id, "u-2"}};
    event.parties = {{PartyRole::sender, 0, 2, "Al"}, {PartyRole::receiver, 2, 3, ""}};
    event.attachments.resize(3);
    return event;
}

struct Encoded {
    std::string bytes;
    Share share;
};

void encode(const Deliver& deliver, Encoded& out) {
    const std::vector<std::uint64_t> targeted = {0b10};
    const std::vector<std::string> metadata_names = {"status"};
    encode_share(full_event(), targeted, deliver, received, metadata_names, out.bytes);
    const Status status = decode_share(out.bytes, out.share);
    ASSERT_TRUE(status) << status.error().message;
}

TEST(Share, KeepsEverythingThatIsOrdered) {
    Encoded encoded;
    encode({.metadata = true, .content = true, .binary = true, .location = true}, encoded);
    const Event& event = encoded.share.event;
    const Event want = full_event();
    EXPECT_EQ(event.event_id, want.event_id);
    EXPECT_EQ(event.service, want.service);
    EXPECT_EQ(event.type, want.type);
    ASSERT_TRUE(event.timestamp);
    EXPECT_EQ(event.timestamp->text, want.timestamp->text);
    EXPECT_EQ(event.timestamp->instant, want.timestamp->instant);
    EXPECT_EQ(event.refers_to, want.refers_to);
    EXPECT_EQ(event.status, want.status);
    EXPECT_TRUE(event.has_conversation);
    EXPECT_EQ(event.conversation.id, want.conversation.id);
    EXPECT_EQ(event.conversation.kind, want.conversation.kind);
    EXPECT_EQ(event.conversation.thread_id, want.conversation.thread_id);
    EXPECT_EQ(event.conversation.title, want.conversation.title);
    EXPECT_EQ(event.conversation.previous_title, want.conversation.previous_title);
    EXPECT_EQ(event.conversation.thread_title, want.conversation.thread_title);
    EXPECT_TRUE(event.has_content);
    EXPECT_EQ(event.content_type, want.content_type);
    EXPECT_EQ(event.text, want.text);
    ASSERT_TRUE(event.location);
    EXPECT_EQ(event.location->latitude, "51.5");
    EXPECT_EQ(event.location->longitude, "-0.12");
    EXPECT_EQ(event.location->accuracy_metres, "12");
    EXPECT_EQ(event.location->cell, "234-15-0001");
    EXPECT_EQ(event.location->description, "Pier");
    ASSERT_TRUE(event.location->observed_at);
    EXPECT_EQ(event.location->observed_at->text, "2026-11-22T09:00:00Z");
    ASSERT_EQ(event.device.size(), 1U);
    EXPECT_EQ(event.device[0].name, "model");
    ASSERT_EQ(event.network.size(), 1U);
    EXPECT_TRUE(event.network[0].json);
    ASSERT_EQ(event.parameters.size(), 2U);
    EXPECT_EQ(event.parameters[1].value, "{\"a\":1}");
    ASSERT_EQ(event.parties.size(), 2U);
    EXPECT_EQ(event.parties[0].nickname, "Al");
    ASSERT_EQ(event.identifiers_of(event.parties[0]).size(), 2U);
    EXPECT_EQ(event.identifiers_of(event.parties[0])[1].value, "447700900123");
    EXPECT_EQ(event.parties[1].role, PartyRole::receiver);
    EXPECT_EQ(encoded.share.targeted, (std::vector<bool>{false, true}));
    EXPECT_EQ(encoded.share.attachment_count, 3U);
    EXPECT_EQ(encoded.share.received_at, received);
    EXPECT_EQ(encoded.share.deliver, (Deliver{true, true, true, true}));
}

TEST(Share, WithMetadataAloneHoldsNoContent) {
    Encoded encoded;
    encode({.metadata = true}, encoded);
    const Event& event = encoded.share.event;
    EXPECT_EQ(event.conversation.id, "c-77");
    EXPECT_EQ(event.parties.size(), 2U);
    ASSERT_EQ(event.parameters.size(), 1U);
    EXPECT_EQ(event.parameters[0].name, "status");
    for (const char* secret : {"See you", "Weekend", "Boat", "Al", "mood", "51.5", "Pier", "text/plain"}) {
        EXPECT_EQ(encoded.bytes.find(secret), std::string::npos) << secret;
    }
}

TEST(Share, WithContentAloneHoldsNoMetadata) {
    Encoded encoded;
    encode({.content = true}, encoded);
    const Event& event = encoded.share.event;
    EXPECT_EQ(event.text, full_event().text);
    EXPECT_EQ(event.conversation.title, "Weekend");
    ASSERT_EQ(event.parties.size(), 1U) << "a party is there for its nickname only";
    EXPECT_EQ(event.parties[0].nickname, "Al");
    EXPECT_TRUE(event.identifiers.empty());
    for (const char* secret : {"e-1", "examplechat", "u-1", "4477", "c-77", "status", "X1", "51.5", "2026"}) {
        EXPECT_EQ(encoded.bytes.find(secret), std::string::npos) << secret;
    }
}

TEST(Share, WithLocationAloneHoldsOnlyThat) {
    Encoded encoded;
    encode({.location = true}, encoded);
    EXPECT_TRUE(encoded.share.event.location);
    EXPECT_TRUE(encoded.share.event.parties.empty());
    EXPECT_LT(encoded.bytes.size(), 80U);
}

TEST(Share, RefusesEveryCutAndAnotherVersion) {
    Encoded encoded;
    encode({.metadata = true, .content = true, .binary = true, .location = true}, encoded);
    std::string newer = encoded.bytes;
    newer[0] = 2;
    Share share;
    EXPECT_FALSE(decode_share(newer, share));
    const Status unsealed = decode_share("", share);
    ASSERT_FALSE(unsealed);
    EXPECT_NE(unsealed.error().message.find("cannot be unsealed"), std::string::npos);
    std::size_t refused = 0;
    for (std::size_t size = 0; size < encoded.bytes.size(); ++size) {
        refused += decode_share(std::string_view(encoded.bytes).substr(0, size), share) ? 0 : 1;
    }
    EXPECT_GT(refused, encoded.bytes.size() / 2) << "only cuts between fields can pass";
}

TEST(Share, SurvivesRandomDamage) {
    Encoded encoded;
    encode({.metadata = true, .content = true, .binary = true, .location = true}, encoded);
    std::mt19937 random(7);
    for (int round = 0; round < 20'000; ++round) {
        std::string damaged = encoded.bytes;
        for (int i = 0; i < 3; ++i) {
            damaged[random() % damaged.size()] = static_cast<char>(random());
        }
        Share share;
        if (decode_share(damaged, share)) {
            EXPECT_EQ(share.targeted.size(), share.event.parties.size());
        }
    }
}

}  // namespace
}  // namespace lihandover::model
