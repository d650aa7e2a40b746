// A store that an earlier version wrote: it opens, and its items are delivered as that version would have delivered
// them.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "lihandover/handover/writer.hpp"
#include "lihandover/model/item.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

const std::filesystem::path fixtures = std::filesystem::path(LIHANDOVER_SOURCE_DIR) / "tests/store/fixtures/schema-3";

std::string contents(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

class EarlierStore : public testing::Test {
  protected:
    void SetUp() override {
        std::filesystem::copy(fixtures / "state", state_, std::filesystem::copy_options::recursive);
        open();
    }
    void TearDown() override { store_.reset(); }
    void open() {
        store_.reset();
        auto opened = Store::open({state_, 0, std::chrono::seconds(0)}, clock_);
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
    }
    std::vector<StoredItem> queued() {
        std::vector<RowId> rows;
        EXPECT_TRUE(store_->outbox().for_each_queued([&](const QueuedItem& item) { rows.push_back(item.row); }));
        return store_->outbox().load(rows).value();
    }
    /// The DELIVER element of the item as it would be sent now.
    std::string rendered(const StoredItem& item) {
        model::Share share;
        EXPECT_TRUE(model::decode_share(item.share, share));
        const auto lane = store_->warrant_register().find_lane(item.lane);
        const auto profile = store_->warrant_register().find_profile(item.profile);
        std::vector<model::BinaryObject> objects;
        if (item.objects) {
            std::ranges::transform(*item.objects, std::back_inserter(objects), &StoredObject::described);
        }
        std::string out;
        EXPECT_TRUE(handover::append_deliver(
            out, share, {item.object_id, lane->liid, item.correlation, item.carries_schema}, *profile, objects));
        return out;
    }
    void expect_as_before() {
        const auto items = queued();
        ASSERT_THAT(items, SizeIs(6));
        for (const StoredItem& item : items) {
            SCOPED_TRACE(item.object_id.to_string());
            EXPECT_EQ(rendered(item), contents(fixtures / "delivers" / (item.object_id.to_string() + ".xml")));
        }
    }

    lihandover::test::TemporaryDirectory directory_;
    std::filesystem::path state_ = directory_.path() / "state";
    lihandover::test::ManualClock clock_;
    std::unique_ptr<Store> store_;
};

TEST_F(EarlierStore, HasItsItemsDeliveredByteForByte) {
    ASSERT_THAT(queued(), SizeIs(5));
    const auto refused = store_->operator_view().items(ItemState::refused, {}, 10).value();
    ASSERT_THAT(refused, SizeIs(1));
    EXPECT_EQ(refused[0].refusal->code, 3007U);
    Answer<std::pair<Outcome, std::size_t>> answer;
    store_->operator_view().retry({refused[0].object_id}, "alice",
                                  [told = answer.callback()](Outcome outcome, std::size_t count) {
                                      told({outcome, count});
                                  });
    EXPECT_EQ(answer.get(), std::pair(Outcome::committed, std::size_t{1}));
    // What may move between attempts is the objects' expiry: as it was stamped when the bytes were recorded.
    for (const StoredItem& item : queued()) {
        if (item.objects) {
            const std::string before = contents(fixtures / "delivers" / (item.object_id.to_string() + ".xml"));
            const std::string open_tag = "xpiry>";
            const auto at = before.find(open_tag) + open_tag.size();
            ASSERT_LT(at, before.size());
            const std::string text = before.substr(at, before.find('<', at) - at);
            const auto expiry = model::parse_rfc3339(text);
            ASSERT_TRUE(expiry);
            Answer<Outcome> stamped;
            store_->outbox().stamp(item.row, expiry->instant, stamped.callback());
            ASSERT_EQ(stamped.get(), Outcome::committed);
        }
    }
    expect_as_before();
    open();
    expect_as_before();
}

TEST_F(EarlierStore, KeepsItsRecordsObjectsAndWarrants) {
    std::vector<RecordKind> kinds;
    for (const Record& record : store_->operator_view().records(0, 100).value()) {
        kinds.push_back(record.kind);
    }
    EXPECT_EQ(std::ranges::count(kinds, RecordKind::warrant_in_force), 3);
    EXPECT_EQ(std::ranges::count(kinds, RecordKind::item_made), 8);
    EXPECT_EQ(std::ranges::count(kinds, RecordKind::item_delivered), 2);
    EXPECT_EQ(std::ranges::count(kinds, RecordKind::item_refused), 1);
    const auto warrants = store_->warrant_register().warrants().value();
    ASSERT_THAT(warrants, SizeIs(3));
    for (const StoredWarrant& warrant : warrants) {
        EXPECT_EQ(warrant.destination, "lea-one");
        EXPECT_FALSE(warrant.bytes.empty());
    }
    std::size_t objects = 0;
    for (const StoredItem& item : queued()) {
        if (item.objects) {
            ASSERT_THAT(*item.objects, SizeIs(1));
            const StoredObject& object = item.objects->front();
            auto reader = store_->upload_outbox().open(*object.sealed).value();
            std::string bytes(static_cast<std::size_t>(reader->size()), '\0');
            EXPECT_EQ(reader->read(0, bytes).value(), 3000U);
            ++objects;
        }
    }
    EXPECT_EQ(objects, 1U);
    // And its items go like any other.
    for (const StoredItem& item : queued()) {
        Answer<Outcome> answer;
        store_->outbox().accepted(
            {{item.row, item.lane, item.profile, item.object_id, item.carries_schema, item.objects != nullptr}},
            answer.callback());
        EXPECT_EQ(answer.get(), Outcome::committed);
    }
    EXPECT_THAT(queued(), IsEmpty());
}

}  // namespace
}  // namespace lihandover::store::test
