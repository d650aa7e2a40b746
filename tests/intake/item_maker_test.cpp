#include "pipeline/item_maker.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lihandover/intake/http/event_parser.hpp"
#include "support.hpp"

namespace lihandover::intake {
namespace {

using testing::event;
using testing::noon;
using testing::warrant;

class ItemMakerTest : public ::testing::Test {
  protected:
    std::vector<store::NewItem> make(const std::string& json, const std::vector<warrants::Warrant>& warrants,
                                     const std::string& source = "local",
                                     const std::vector<std::string>& metadata_parameters = {}) {
        json_ = json;
        EXPECT_FALSE(parser_.parse(json_, noon, event_));
        snapshot_ = testing::snapshot(warrants);
        snapshot_->metadata_parameters = metadata_parameters;
        warrants::MatchScratch scratch;
        snapshot_->index->match(event_, {noon, noon}, scratch, matches_);
        std::vector<store::NewItem> items;
        ItemMaker(source, store_.item_intake()).append(event_, matches_, *snapshot_, noon, items);
        return items;
    }

    testing::TestStore store_;
    EventParser parser_;
    std::string json_;
    model::Event event_;
    std::shared_ptr<Snapshot> snapshot_;
    std::vector<warrants::Match> matches_;
};

TEST_F(ItemMakerTest, MakesOneIndependentItemPerWarrant) {
    auto first = warrant("LIID-1", "u-1");
    auto second = warrant("LIID-2", "u-2");
    second.priority = warrants::Priority::emergency;
    const auto items = make(event("e-1", "u-1",
                                  R"(,"timestamp":"2026-01-22T11:00:00.5Z","conversation":{"id":"c-1"})"
                                  R"(,"receivers":[{"identifiers":[{"type":"user_id","value":"u-2"}]}])"),
                            {first, second, warrant("LIID-3", "u-3")});
    ASSERT_EQ(items.size(), 2U);
    EXPECT_EQ(items[0].lane, 100);
    EXPECT_EQ(items[1].lane, 101);
    EXPECT_EQ(items[0].profile, 7);
    EXPECT_FALSE(items[0].emergency);
    EXPECT_TRUE(items[1].emergency);
    EXPECT_NE(items[0].object_id, items[1].object_id);
    EXPECT_NE(items[0].repeat_hash, items[1].repeat_hash);
    ASSERT_TRUE(items[0].conversation_hash && items[1].conversation_hash);
    EXPECT_NE(*items[0].conversation_hash, *items[1].conversation_hash);
    EXPECT_EQ(items[0].event_seconds, 1'769'079'600);
    EXPECT_EQ(items[0].received_at, noon);
    for (std::size_t i = 0; i < 2; ++i) {
        model::Share share;
        ASSERT_TRUE(model::decode_share(items[i].share, share));
        EXPECT_EQ(share.event.event_id, "e-1");
        EXPECT_EQ(share.received_at, noon);
        ASSERT_EQ(share.targeted.size(), 2U);
        EXPECT_EQ(share.targeted[0], i == 0) << "only the party that this warrant targets";
        EXPECT_EQ(share.targeted[1], i == 1);
    }
}

TEST_F(ItemMakerTest, AsManyPeopleReviewAsTheWarrantSays) {
    std::vector<warrants::Warrant> warrants;
    for (const auto review : {warrants::Review::none, warrants::Review::required, warrants::Review::dual}) {
        warrants.push_back(warrant("LIID-" + std::to_string(warrants.size()), "u-1"));
        warrants.back().review = review;
    }
    std::set<store::Review> found;
    for (const store::NewItem& item : make(event("e-1", "u-1"), warrants)) {
        EXPECT_EQ(item.review, static_cast<store::Review>(item.lane - 100)) << "lanes are numbered as the warrants are";
        found.insert(item.review);
    }
    EXPECT_EQ(found, (std::set{store::Review::none, store::Review::required, store::Review::dual}));
}

TEST_F(ItemMakerTest, RepeatsAreOfOneSourceEventAndWarrant) {
    const auto hash = [this](const std::string& id, const std::string& liid, const std::string& destination,
                             const std::string& source) {
        auto made = warrant(liid, "u-1");
        made.destination = destination;
        return make(event(id, "u-1"), {made}, source).at(0).repeat_hash;
    };
    const auto base = hash("e-1", "LIID-1", "lea-one", "local");
    EXPECT_EQ(hash("e-1", "LIID-1", "lea-one", "local"), base);
    EXPECT_NE(hash("e-2", "LIID-1", "lea-one", "local"), base);
    EXPECT_NE(hash("e-1", "LIID-2", "lea-one", "local"), base);
    EXPECT_NE(hash("e-1", "LIID-1", "lea-two", "local"), base);
    EXPECT_NE(hash("e-1", "LIID-1", "lea-one", "other"), base);
}

// Under one id a source may report that a message was sent, delivered and read.
TEST_F(ItemMakerTest, EventsOfAnotherTypeAreNoRepeats) {
    std::set<store::Hash128> hashes;
    for (const char* const type : {"message", "message_delivered", "message_read"}) {
        std::string json = event("e-1", "u-1");
        json.replace(json.find("\"message\""), 9, '"' + std::string(type) + '"');
        hashes.insert(make(json, {warrant("LIID-1", "u-1")}).at(0).repeat_hash);
    }
    EXPECT_EQ(hashes.size(), 3U);
}

// A repeat is the same event at another time of receipt, whatever its warrant orders meanwhile; everything else is
// another event.
TEST_F(ItemMakerTest, TheDigestIsOfAllThatTheEventSays) {
    const auto digest = [this](const std::string& rest, const warrants::Warrant& under) {
        return make(event("e-1", "u-1", rest), {under}).at(0).event_digest;
    };
    const std::string rest = R"(,"content":{"text":"one"},"timestamp":"2026-01-22T11:00:00Z")";
    const auto base = digest(rest, warrant("LIID-1", "u-1"));
    ASSERT_TRUE(base);
    auto other = warrant("LIID-2", "u-1");
    other.deliver = {.metadata = true, .content = false, .binary = false, .location = false};
    EXPECT_EQ(digest(rest, other), base);
    std::set<std::optional<std::uint64_t>> digests{base};
    for (const char* const different :
         {R"(,"content":{"text":"two"},"timestamp":"2026-01-22T11:00:00Z")",
          R"(,"content":{"text":"one"},"timestamp":"2026-01-22T11:00:01Z")",
          R"(,"content":{"text":"one"},"timestamp":"2026-01-22T11:00:00Z","status":"read")",
          R"(,"content":{"text":"one"},"timestamp":"2026-01-22T11:00:00Z","attachments":[{"id":"a","data":""}])",
          R"(,"content":{"text":"one"},"timestamp":"2026-01-22T11:00:00Z","attachments":[{"id":"a","data":"YQ=="}])"}) {
        digests.insert(digest(different, warrant("LIID-1", "u-1")));
    }
    EXPECT_EQ(digests.size(), 6U);
}

TEST_F(ItemMakerTest, CorrelatesByConversationWhereOrdered) {
    auto one = warrant("LIID-1", "u-1");
    const auto conversation = [this, &one](const std::string& rest) {
        return make(event("e", "u-1", rest), {one}).at(0).conversation_hash;
    };
    EXPECT_FALSE(conversation(""));
    EXPECT_FALSE(conversation(R"(,"conversation":{"title":"t"})"));
    EXPECT_FALSE(conversation(R"(,"conversation":{"id":""})"));
    const auto first = conversation(R"(,"conversation":{"id":"c-1"})");
    ASSERT_TRUE(first);
    EXPECT_EQ(conversation(R"(,"conversation":{"id":"c-1","title":"t"})"), first);
    EXPECT_NE(conversation(R"(,"conversation":{"id":"c-2"})"), first);
    one.valid_until = {one.valid_until.seconds + 1, 0};
    EXPECT_EQ(conversation(R"(,"conversation":{"id":"c-1"})"), first) << "extended, it is the same warrant";
    one.valid_from = {one.valid_from.seconds - 1, 0};
    EXPECT_NE(conversation(R"(,"conversation":{"id":"c-1"})"), first) << "its LIID was used before";
    one.correlation = warrants::Correlation::none;
    EXPECT_FALSE(conversation(R"(,"conversation":{"id":"c-1"})"));
}

TEST_F(ItemMakerTest, KnowsEventsWithoutATime) {
    const auto items = make(event("e", "u-1"), {warrant("LIID-1", "u-1")});
    ASSERT_EQ(items.size(), 1U);
    EXPECT_FALSE(items[0].event_seconds);
}

TEST_F(ItemMakerTest, MakesNothingWhereTheOrderFindsNothing) {
    auto only_location = warrant("LIID-1", "u-1");
    only_location.deliver = {.metadata = false, .content = false, .binary = false, .location = true};
    EXPECT_TRUE(make(event("e", "u-1", R"(,"content":{"text":"hi"})"), {only_location}).empty());
    EXPECT_EQ(make(event("e", "u-1", R"(,"location":{"cell":"1"})"), {only_location}).size(), 1U);

    auto only_content = warrant("LIID-1", "u-1");
    only_content.deliver = {.metadata = false, .content = true, .binary = false, .location = false};
    EXPECT_TRUE(make(event("e", "u-1"), {only_content}).empty());
    EXPECT_EQ(make(event("e", "u-1", R"(,"content":{"text":""})"), {only_content}).size(), 1U);
    EXPECT_EQ(make(event("e", "u-1", R"(,"parameters":{"a":1})"), {only_content}).size(), 1U);
    EXPECT_TRUE(make(event("e", "u-1", R"(,"parameters":{"a":1})"), {only_content}, "local", {"a"}).empty());

    auto only_metadata = warrant("LIID-1", "u-1");
    only_metadata.deliver = {.metadata = true, .content = false, .binary = false, .location = false};
    EXPECT_EQ(make(event("e", "u-1"), {only_metadata}).size(), 1U);
}

class ItemMakerObjectsTest : public ItemMakerTest {
  protected:
    // Two attachments: one sealed, one a file.
    std::vector<store::NewItem> make_with_objects(const std::vector<warrants::Warrant>& all) {
        (void)make(event("e", "u-1",
                         R"(,"attachments":[{"id":"a1","content_type":"image/jpeg","filename":"roof.jpg","data":""},)"
                         R"({"id":"a\u0000\ud800","file":"x"}])"),
                   {});
        snapshot_ = testing::snapshot(all);
        warrants::MatchScratch scratch;
        snapshot_->index->match(event_, {noon, noon}, scratch, matches_);
        sources_[0].sealed = store_.objects().seal("");
        sources_[1].file = std::make_shared<store::SourceFile>();
        takes_ = ItemMaker::takes_objects(event_, matches_, *snapshot_);
        std::vector<store::NewItem> items;
        ItemMaker("local", store_.item_intake()).append(event_, matches_, *snapshot_, noon, items, sources_);
        return items;
    }
    static warrants::Warrant with_binary(const std::string& liid) {
        auto made = warrant(liid, "u-1");
        made.deliver.binary = true;
        return made;
    }

    std::array<ObjectSource, 2> sources_;
    bool takes_ = false;
};

TEST_F(ItemMakerObjectsTest, EachWarrantHasItsOwnRecordsOfTheSameBytes) {
    const auto items = make_with_objects({with_binary("LIID-1"), warrant("LIID-2", "u-1"), with_binary("LIID-3")});
    EXPECT_TRUE(takes_);
    ASSERT_EQ(items.size(), 3U);
    EXPECT_EQ(items[1].objects, nullptr) << "this warrant does not order them";
    std::set<model::Uuid> ids;
    for (const std::size_t which : {std::size_t{0}, std::size_t{2}}) {
        ASSERT_TRUE(items[which].objects);
        const auto& objects = *items[which].objects;
        ASSERT_EQ(objects.size(), 2U);
        for (const store::NewObject& object : objects) {
            ids.insert(object.id);
            EXPECT_EQ(object.url, "https://lea.example.com/binaryData/" + object.id.to_string() + "/x");
            EXPECT_EQ(object.model, model::BinaryModel::b);
            EXPECT_EQ(object.lifetime, std::chrono::hours(72));
            EXPECT_FALSE(object.remove_when_fetched);
        }
        EXPECT_EQ(objects[0].content_type, "image/jpeg");
        EXPECT_EQ(objects[0].original_filename, "roof.jpg");
        EXPECT_EQ(objects[0].csp_defined_identifier, "a1");
        EXPECT_EQ(objects[0].sealed, sources_[0].sealed);
        EXPECT_EQ(objects[0].file, nullptr);
        EXPECT_EQ(objects[1].content_type, "");
        EXPECT_EQ(objects[1].original_filename, "");
        EXPECT_EQ(objects[1].csp_defined_identifier, std::string("a\0\xED\xA0\x80", 5));
        EXPECT_EQ(objects[1].sealed, nullptr);
        EXPECT_EQ(objects[1].file, sources_[1].file);
    }
    EXPECT_EQ(ids.size(), 4U);
}

// What was uploaded is used up, so that an event is sent again with other ids for the same objects.
TEST_F(ItemMakerObjectsTest, AnUploadedObjectIsTheSameByItsBytes) {
    const auto digest = [this](const std::string& id, const std::string& bytes) {
        (void)make(event("e", "u-1", R"(,"attachments":[{"id":"a1","object":")" + id + "\"}]"), {});
        snapshot_ = testing::snapshot({with_binary("LIID-1")});
        warrants::MatchScratch scratch;
        snapshot_->index->match(event_, {noon, noon}, scratch, matches_);
        std::array<ObjectSource, 1> sources;
        sources[0].sealed = store_.objects().seal(bytes);
        std::vector<store::NewItem> items;
        ItemMaker("local", store_.item_intake()).append(event_, matches_, *snapshot_, noon, items, sources);
        return items.at(0).event_digest;
    };
    const auto first = digest("upload-1", "a photograph");
    EXPECT_EQ(digest("upload-2", "a photograph"), first);
    EXPECT_NE(digest("upload-1", "another"), first) << "other bytes make another event";
}

TEST_F(ItemMakerObjectsTest, NobodyTakesThemWhereNoneIsOrderedOrTheDestinationHasNoWay) {
    EXPECT_EQ(make_with_objects({warrant("LIID-1", "u-1")}).at(0).objects, nullptr);
    EXPECT_FALSE(takes_);
    EXPECT_TRUE(make_with_objects({}).empty());
    EXPECT_FALSE(takes_);
    snapshot_ = testing::snapshot({with_binary("LIID-1")});
    snapshot_->routes[0].binary = nullptr;
    warrants::MatchScratch scratch;
    snapshot_->index->match(event_, {noon, noon}, scratch, matches_);
    EXPECT_FALSE(ItemMaker::takes_objects(event_, matches_, *snapshot_));
    std::vector<store::NewItem> items;
    ItemMaker("local", store_.item_intake()).append(event_, matches_, *snapshot_, noon, items, sources_);
    EXPECT_EQ(items.at(0).objects, nullptr);
}

TEST_F(ItemMakerObjectsTest, AWarrantForBinaryAloneGetsEventsThatHaveSome) {
    auto only = with_binary("LIID-1");
    only.deliver = {.metadata = false, .content = false, .binary = true, .location = false};
    EXPECT_EQ(make_with_objects({only}).size(), 1U);
    EXPECT_TRUE(make(event("e", "u-1"), {only}).empty());
}

// What leaves_something() says, compared with what a share then contains.
TEST_F(ItemMakerTest, LeavesSomethingExactlyWhenTheShareHoldsSomething) {
    const std::vector<std::string> metadata_parameters = {"m"};
    for (const std::string& rest :
         {std::string(), std::string(R"(,"content":{"text":""})"), std::string(R"(,"content":{"text":"x"})"),
          std::string(R"(,"conversation":{"id":"c"})"), std::string(R"(,"conversation":{"title":"t"})"),
          std::string(R"(,"conversation":{"previous_title":"t"})"),
          std::string(R"(,"conversation":{"thread_title":"t"})"),
          std::string(R"(,"actor":{"nickname":"n","identifiers":[{"type":"user_id","value":"u"}]})"),
          std::string(R"(,"parameters":{"m":1})"), std::string(R"(,"parameters":{"m":1,"c":2})"),
          std::string(R"(,"device":{"a":1})"), std::string(R"(,"location":{})"),
          std::string(R"(,"location":{"latitude":1,"longitude":2})")}) {
        json_ = event("e", "u-1", rest);
        ASSERT_FALSE(parser_.parse(json_, noon, event_)) << json_;
        for (unsigned bits = 0; bits < 16; ++bits) {
            const model::Deliver deliver{.metadata = (bits & 1) != 0,
                                         .content = (bits & 2) != 0,
                                         .binary = (bits & 4) != 0,
                                         .location = (bits & 8) != 0};
            std::string bytes;
            model::encode_share(event_, std::vector<std::uint64_t>{1}, deliver, noon, metadata_parameters, bytes);
            model::Share share;
            ASSERT_TRUE(model::decode_share(bytes, share));
            const model::Event& kept = share.event;
            const bool holds = !kept.event_id.empty() || !kept.parties.empty() || !kept.parameters.empty() ||
                               kept.has_content || kept.location || !kept.conversation.title.empty() ||
                               !kept.conversation.previous_title.empty() || !kept.conversation.thread_title.empty();
            EXPECT_EQ(leaves_something(event_, deliver, metadata_parameters), holds) << rest << ' ' << bits;
        }
    }
}

}  // namespace
}  // namespace lihandover::intake
