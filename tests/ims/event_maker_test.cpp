#include "event_maker.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lihandover::ims {
namespace {

Copy some_copy() {
    Copy copy;
    copy.xid.bytes[0] = 7;
    copy.correlation = 12;
    return copy;
}

TEST(Naming, TheSamePartsGiveTheSameName) {
    const auto name = [] { return event_naming(some_copy(), "message").add("a").add("b").finish(); };
    EXPECT_EQ(name(), name());
    EXPECT_EQ(text_of(name()).size(), 32U);
}

TEST(Naming, NamesStayWhatTheyAre) {
    EXPECT_EQ(text_of(Naming("kind").add("part").add(std::uint64_t{7}).finish()), "c03bce8e5448d60622db4a664463c535");
}

TEST(Naming, PartsDoNotRunTogether) {
    EXPECT_NE(Naming("k").add("ab").add("c").finish(), Naming("k").add("a").add("bc").finish());
    EXPECT_NE(Naming("k").add("ab").finish(), Naming("ka").add("b").finish());
    EXPECT_NE(Naming("k").add("").finish(), Naming("k").finish());
}

TEST(Naming, TaskAndCorrelationAreInAnEventsName) {
    Copy other = some_copy();
    other.xid.bytes[15] = 1;
    EXPECT_NE(event_naming(some_copy(), "m").finish(), event_naming(other, "m").finish());
    other = some_copy();
    other.correlation = 13;
    EXPECT_NE(event_naming(some_copy(), "m").finish(), event_naming(other, "m").finish());
}

TEST(ContentDigest, PiecesGiveWhatTheWholeGives) {
    ContentDigest digest;
    digest.update("two ");
    ContentDigest moved = std::move(digest);
    moved.update("pieces");
    EXPECT_EQ(moved.finish(), digest_of("two pieces"));
    EXPECT_EQ(ContentDigest().finish(), digest_of(""));
}

TEST(MakeEvent, TakesIdServiceTypeAndTime) {
    Copy copy = some_copy();
    copy.at = model::Instant{1'795'342'530, 123'456'000};
    const MadeEvent made = make_event({copy, "ims"}, model::EventType::group_joined, Digest{1, 2});
    EXPECT_EQ(made.xid, copy.xid);
    EXPECT_EQ(made.event.event_id, "01020000000000000000000000000000");
    EXPECT_EQ(made.event.service, "ims");
    EXPECT_EQ(made.event.type, model::EventType::group_joined);
    ASSERT_TRUE(made.event.timestamp);
    EXPECT_EQ(made.event.timestamp->text, "2026-11-22T10:15:30.123456Z");
    EXPECT_EQ(made.event.timestamp->instant, *copy.at);
}

TEST(MakeEvent, NanosecondsAreWrittenWhereThereAreAny) {
    Copy copy = some_copy();
    copy.at = model::Instant{1'795'342'530, 123'456'007};
    const MadeEvent made = make_event({copy, "ims"}, model::EventType::message, Digest{});
    EXPECT_EQ(made.event.timestamp->text, "2026-11-22T10:15:30.123456007Z");
    const auto read = model::parse_rfc3339(made.event.timestamp->text);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->instant, *copy.at);
}

TEST(MakeEvent, HasTheTimeOfItsReceiptWhereTheCopyHasNone) {
    Copy copy = some_copy();
    copy.at.reset();
    copy.received_at = model::Instant{1'795'342'531, 0};
    const MadeEvent made = make_event({copy, "ims"}, model::EventType::message, Digest{});
    EXPECT_EQ(made.event.timestamp->text, "2026-11-22T10:15:31.000000Z");
    EXPECT_EQ(made.event.timestamp->instant, copy.received_at);
}

TEST(AddObject, LeavesOutATypeThatIsNone) {
    MadeEvent made = make_event({some_copy(), "ims"}, model::EventType::message, Digest{});
    add_object(made, "image/jpeg", "roof.jpg", Bytes(std::string("x")));
    add_object(made, "no type\r\nX: y", {}, Bytes(std::string("yz")));
    ASSERT_EQ(made.event.attachments.size(), 2U);
    EXPECT_EQ(made.event.attachments[0].content_type, "image/jpeg");
    EXPECT_EQ(made.event.attachments[0].filename, "roof.jpg");
    EXPECT_EQ(made.event.attachments[0].id, "1");
    EXPECT_EQ(made.event.attachments[1].content_type, "");
    EXPECT_EQ(made.event.attachments[1].id, "2");
    EXPECT_EQ(made.objects[1].size(), 2U);
}

TEST(KeepText, ReplacesWhatIsNoUtf8) {
    MadeEvent made;
    EXPECT_EQ(keep_text(made,
                        "a\xFF"
                        "b"),
              "a\xEF\xBF\xBD"
              "b");
    add_parameter(made, "subject", "caf\xC3\xA9");
    EXPECT_EQ(made.event.parameters.front().value, "caf\xC3\xA9");
}

}  // namespace
}  // namespace lihandover::ims
