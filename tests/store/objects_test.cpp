// Binary objects from their item's making to their end.
#include "lihandover/store/objects.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "sqlite.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using namespace sqlite;

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr auto model_a = model::BinaryModel::a;
constexpr auto model_b = model::BinaryModel::b;

class ObjectsTest : public StoreTest {
  protected:
    void SetUp() override { open(); }

    /// Makes an item with these objects, and gives it as the store has it.
    StoredItem made(std::vector<NewObject> list) {
        EXPECT_EQ(submit(item_with(std::move(list))), Outcome::committed);
        return queued().back();
    }
    /// One object of model B whose item was accepted.
    model::Uuid waiting_upload(std::string_view bytes = "bytes") {
        NewObject object = object_of(seal(bytes), model_b);
        const model::Uuid id = object.id;
        EXPECT_EQ(accept(made({object})), Outcome::committed);
        return id;
    }
    model::Uuid offered(bool remove_when_fetched = false, std::string_view bytes = "bytes") {
        NewObject object = object_of(seal(bytes), model_a);
        object.remove_when_fetched = remove_when_fetched;
        const model::Uuid id = object.id;
        EXPECT_EQ(accept(made({object})), Outcome::committed);
        return id;
    }
    Outcome stamp(RowId item, model::Instant expiry) {
        return call([&](const auto& done) { store_->outbox().stamp(item, expiry, done); });
    }
    Outcome pushed(const model::Uuid& id) {
        return call([&](const auto& done) { store_->upload_outbox().pushed(id, done); });
    }
    Outcome refuse_object(const model::Uuid& id, Refusal refusal) {
        return call([&](const auto& done) { store_->upload_outbox().refused(id, refusal, done); });
    }
    Outcome fetched(Fetch fetch) {
        return call([&](const auto& done) { store_->object_downloads().fetched(fetch, done); });
    }
    Outcome prepared(const SourceFile& file, std::shared_ptr<const SealedObject> copy,
                     model::ObjectLoss loss = model::ObjectLoss::none) {
        return call([&](const auto& done) { store_->object_intake().prepared(file.id, copy, loss, done); });
    }
    bool no_files() {
        return eventually([this] { return files() == 0; });
    }
    std::vector<ItemView> views(std::optional<ItemState> state) {
        auto page = store_->operator_view().items(state, {}, 100);
        EXPECT_TRUE(page) << page.error().message;
        return *page;
    }
    std::int64_t ask(const char* sql) {
        Connection connection(options_.directory / "store.db");
        return connection.integer(sql);
    }
    model::Instant after(std::chrono::seconds by) {
        model::Instant later = clock_.wall();
        later.seconds += by.count();
        return later;
    }
};

TEST_F(ObjectsTest, KeepAllThatWasSaidOfThem) {
    const std::string bytes = some_bytes(100'000);
    NewObject one = object_of(seal(bytes), model_b);
    one.original_filename = std::string("zero\0and\xed\xa0\x80", 11);
    one.content_type = "";
    NewObject two = object_of(seal(""), model_a);
    two.remove_when_fetched = true;
    two.lifetime = std::chrono::seconds(7);
    NewItem item = item_with({one, two});
    item.emergency = true;
    ASSERT_EQ(submit(item), Outcome::committed);

    for (int round = 0; round < 2; ++round) {
        const auto items = queued();
        ASSERT_THAT(items, SizeIs(1));
        EXPECT_FALSE(items[0].preparing);
        ASSERT_NE(items[0].objects, nullptr);
        ASSERT_THAT(*items[0].objects, SizeIs(2));
        const StoredObject& first = items[0].objects->at(0);
        EXPECT_EQ(first.described.id, one.id);
        EXPECT_EQ(first.described.url, one.url);
        EXPECT_EQ(first.described.content_length, 100'000U);
        EXPECT_EQ(first.described.content_type, "");
        EXPECT_FALSE(first.described.expiry);
        EXPECT_EQ(first.described.checksum, one.sealed->sha256());
        EXPECT_EQ(first.described.original_filename, one.original_filename);
        EXPECT_EQ(first.described.csp_defined_identifier, "a1");
        EXPECT_EQ(first.described.loss, model::ObjectLoss::none);
        EXPECT_EQ(first.item, items[0].row);
        EXPECT_EQ(first.item_id, item.object_id);
        EXPECT_EQ(first.lane, lane_);
        EXPECT_EQ(first.model, model_b);
        EXPECT_EQ(first.state, ObjectState::attached);
        EXPECT_TRUE(first.emergency);
        EXPECT_FALSE(first.remove_when_fetched);
        EXPECT_EQ(first.lifetime, std::chrono::hours(72));
        EXPECT_FALSE(first.refusal);
        ASSERT_NE(first.sealed, nullptr);
        EXPECT_EQ(unseal(*first.sealed), bytes);
        const StoredObject& second = items[0].objects->at(1);
        EXPECT_EQ(second.model, model_a);
        EXPECT_TRUE(second.remove_when_fetched);
        EXPECT_EQ(second.lifetime, std::chrono::seconds(7));
        EXPECT_EQ(second.described.content_length, 0U);
        EXPECT_EQ(unseal(*second.sealed), "");
        EXPECT_EQ(counts().objects_attached, 2U);
        const auto found = find_object(two.id);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->described.url, two.url);
        if (round == 0) {
            reopen();
        }
    }
}

TEST_F(ObjectsTest, OfAnItemWithoutAnyTouchNothing) {
    ASSERT_EQ(submit(item()), Outcome::committed);
    NewItem empty = item_with({});
    ASSERT_EQ(submit(empty), Outcome::committed);
    for (const StoredItem& one : queued()) {
        EXPECT_EQ(one.objects, nullptr);
        EXPECT_EQ(accept(one), Outcome::committed);
    }
    EXPECT_EQ(ask("SELECT max(flags) FROM item"), 0);
    EXPECT_EQ(ask("SELECT count(*) FROM object"), 0);
}

TEST_F(ObjectsTest, OfModelBArePushedOnceTheirItemWasAccepted) {
    const std::string bytes = some_bytes(70'000);
    NewObject object = object_of(seal(bytes), model_b);
    NewItem item = item_with({object});
    item.emergency = true;
    ASSERT_EQ(submit(item), Outcome::committed);
    EXPECT_THAT(object_listener_.uploads(), IsEmpty()) << "promise 5";
    item.objects.reset();
    object.sealed.reset();
    const auto items = queued();
    const model::Instant expiry = after(std::chrono::hours(72));
    ASSERT_EQ(stamp(items[0].row, expiry), Outcome::committed);
    EXPECT_EQ(queued()[0].objects->at(0).described.expiry->micros(), expiry.micros());
    clock_.advance_wall(std::chrono::hours(1));
    ASSERT_EQ(accept(items[0]), Outcome::committed);

    const auto uploads = object_listener_.uploads();
    ASSERT_THAT(uploads, SizeIs(1));
    EXPECT_EQ(uploads[0].id, object.id);
    EXPECT_EQ(uploads[0].lane, lane_);
    EXPECT_TRUE(uploads[0].emergency);
    EXPECT_EQ(uploads[0].size, 70'000U);
    EXPECT_EQ(uploads[0].deadline.micros(), after(std::chrono::hours(72)).micros());
    EXPECT_EQ(counts().objects_attached, 0U);
    EXPECT_EQ(counts().objects_queued, 1U);
    EXPECT_EQ(counts().queued, 0U);

    reopen();
    std::vector<QueuedObject> begun;
    ASSERT_TRUE(store_->upload_outbox().for_each_queued([&](const QueuedObject& one) { begun.push_back(one); }));
    ASSERT_THAT(begun, SizeIs(1));
    EXPECT_EQ(begun[0].id, object.id);
    EXPECT_EQ(begun[0].size, 70'000U);
    EXPECT_TRUE(begun[0].emergency);
    EXPECT_EQ(begun[0].deadline.micros(), uploads[0].deadline.micros());
    const auto found = find_object(object.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->state, ObjectState::queued);
    EXPECT_EQ(found->described.expiry->micros(), expiry.micros());
    EXPECT_EQ(unseal(*found->sealed), bytes);

    ASSERT_EQ(pushed(object.id), Outcome::committed);
    EXPECT_FALSE(find_object(object.id));
    EXPECT_TRUE(no_files());
    EXPECT_EQ(counts().objects_queued, 0U);
    EXPECT_EQ(ask("SELECT count(*) FROM blob"), 0) << "the key goes with it";
    ASSERT_TRUE(eventually([&] { return store_->operator_view().statistics().object_bytes == 0; }));
    EXPECT_THAT(record_kinds(),
                ElementsAre(RecordKind::item_made, RecordKind::item_delivered, RecordKind::object_pushed));
    ASSERT_EQ(pushed(object.id), Outcome::committed) << "told a second time";
    EXPECT_THAT(record_kinds(), SizeIs(3));
}

TEST_F(ObjectsTest, OfModelAAreOfferedUntilTheyExpire) {
    NewObject object = object_of(seal("picture"), model_a);
    const StoredItem item = made({object});
    object.sealed.reset();
    const model::Instant expiry = after(std::chrono::hours(72));
    ASSERT_EQ(stamp(item.row, expiry), Outcome::committed);
    ASSERT_EQ(accept(item), Outcome::committed);
    EXPECT_THAT(object_listener_.uploads(), IsEmpty());
    EXPECT_EQ(counts().objects_offered, 1U);
    auto found = find_object(object.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->state, ObjectState::offered);
    EXPECT_EQ(unseal(*found->sealed), "picture");

    clock_.advance_wall(std::chrono::hours(72) - std::chrono::microseconds(1));
    EXPECT_TRUE(find_object(object.id));
    clock_.advance_wall(std::chrono::microseconds(1));
    EXPECT_FALSE(find_object(object.id)) << "at once, whenever the row goes";
    EXPECT_TRUE(no_files());
    ASSERT_TRUE(eventually([&] { return counts().objects_offered == 0; }));
    EXPECT_THAT(record_kinds(),
                ElementsAre(RecordKind::item_made, RecordKind::item_delivered, RecordKind::object_expired));
    EXPECT_EQ(ask("SELECT count(*) FROM object"), 0);
}

TEST_F(ObjectsTest, LastAsLongAsTheyShouldWhereTheClockIsBehind) {
    const model::Instant now = clock_.wall();
    clock_.fall_behind(std::chrono::hours(24 * 100));
    NewObject picture = object_of(seal("picture"), model_a);
    NewObject film = object_of(seal("film"), model_b);
    ASSERT_EQ(accept(made({picture, film})), Outcome::committed);
    const auto uploads = object_listener_.uploads();
    ASSERT_THAT(uploads, SizeIs(1));
    EXPECT_EQ(uploads[0].deadline.seconds, now.seconds + film.lifetime.count());
    clock_.catch_up();
    close();
    open();
    const auto found = find_object(picture.id);
    ASSERT_TRUE(found) << "it counted from the wrong time";
    ASSERT_TRUE(found->described.expiry);
    EXPECT_EQ(found->described.expiry->seconds, now.seconds + picture.lifetime.count());
    // A refused one that an operator retries has its time anew.
    ASSERT_EQ(refuse_object(film.id, {0, Refusal::Kind::expired, ""}), Outcome::committed);
    clock_.fall_behind(std::chrono::hours(24 * 100));
    ASSERT_EQ(retry({film.id}).second, 1U);
    ASSERT_TRUE(eventually([&] { return object_listener_.uploads().size() == 2; }));
    EXPECT_EQ(object_listener_.uploads()[1].deadline.seconds, now.seconds + film.lifetime.count());
}

TEST_F(ObjectsTest, ThatExpiredWhileTheDaemonWasDownGoAtTheStart) {
    const model::Uuid id = offered();
    close();
    clock_.advance_wall(std::chrono::hours(73));
    open();
    EXPECT_FALSE(find_object(id));
    EXPECT_TRUE(no_files());
}

TEST_F(ObjectsTest, OfAnItemThatWaitsLongOnlyRestTillTheNextAttempt) {
    NewObject object = object_of(seal("picture"), model_a);
    const StoredItem item = made({object});
    ASSERT_EQ(stamp(item.row, after(std::chrono::seconds(10))), Outcome::committed);
    EXPECT_TRUE(find_object(object.id));
    clock_.advance_wall(std::chrono::seconds(10));
    EXPECT_FALSE(find_object(object.id));
    reopen();
    ASSERT_EQ(stamp(item.row, after(std::chrono::seconds(10))), Outcome::committed);
    EXPECT_TRUE(find_object(object.id)) << "nothing is dropped that was not accepted";
}

TEST_F(ObjectsTest, FetchedAreOnRecordAndGoWhereTheyAreToGo) {
    const model::Uuid stays = offered(false);
    const model::Uuid goes = offered(true);
    ASSERT_EQ(fetched({stays, "ab12", 0, 3, Fetch::Extent::complete}), Outcome::committed);
    ASSERT_EQ(fetched({stays, "ab12", 0, 6, Fetch::Extent::whole}), Outcome::committed);
    ASSERT_EQ(fetched({goes, "cd34", 0, 0, Fetch::Extent::complete}), Outcome::committed);
    ASSERT_EQ(fetched({goes, "cd34", 2, 6, Fetch::Extent::begun}), Outcome::committed);
    ASSERT_EQ(fetched({goes, "cd34", 2, 6, Fetch::Extent::broken_off}), Outcome::committed);
    EXPECT_TRUE(find_object(goes));
    ASSERT_EQ(fetched({goes, "cd34", 0, 6, Fetch::Extent::whole}), Outcome::committed);
    EXPECT_FALSE(find_object(goes));
    EXPECT_TRUE(find_object(stays));
    EXPECT_TRUE(eventually([&] { return files() == 1; }));
    // One that was under way when the object went.
    ASSERT_EQ(fetched({goes, "ef56", 0, 6, Fetch::Extent::whole}), Outcome::committed);

    const auto records = store_->operator_view().records(0, 100);
    ASSERT_TRUE(records);
    std::vector<std::string> told;
    for (const Record& record : *records) {
        if (record.kind != RecordKind::object_fetched && record.kind != RecordKind::object_expired) {
            continue;
        }
        EXPECT_EQ(record.lane, lane_);
        EXPECT_TRUE(record.object_id == stays || record.object_id == goes);
        told.push_back(record.who + ": " + record.why);
    }
    EXPECT_THAT(told, ElementsAre("ab12: bytes 0 to 3, complete", "ab12: bytes 0 to 6, the whole object",
                                  "cd34: no bytes, complete", "cd34: bytes 2 to 6, begun",
                                  "cd34: bytes 2 to 6, broken off", "cd34: bytes 0 to 6, the whole object",
                                  ": it was fetched", "ef56: bytes 0 to 6, the whole object"));
}

TEST_F(ObjectsTest, FetchedBeforeTheirItemWasAcceptedGoWithItsAcceptance) {
    NewObject object = object_of(seal("picture"), model_a);
    object.remove_when_fetched = true;
    const StoredItem item = made({object});
    object.sealed.reset();
    ASSERT_EQ(fetched({object.id, "ab12", 0, 7, Fetch::Extent::whole}), Outcome::committed);
    EXPECT_TRUE(find_object(object.id)) << "the next attempt names it again";
    ASSERT_EQ(accept(item), Outcome::committed);
    EXPECT_FALSE(find_object(object.id));
    EXPECT_TRUE(no_files());
}

TEST_F(ObjectsTest, RefusedKeepTheirBytesUntilAnOperatorDecides) {
    const model::Uuid one = waiting_upload("one");
    const model::Uuid two = waiting_upload("two");
    ASSERT_EQ(refuse_object(one, {404, Refusal::Kind::http_status, "gone"}), Outcome::committed);
    ASSERT_EQ(refuse_object(two, {0, Refusal::Kind::expired, ""}), Outcome::committed);
    EXPECT_EQ(counts().objects_queued, 0U);
    EXPECT_EQ(counts().objects_refused, 2U);
    EXPECT_EQ(files(), 2U);
    const auto found = find_object(one);
    ASSERT_TRUE(found);
    ASSERT_TRUE(found->refusal);
    EXPECT_EQ(found->refusal->code, 404U);
    EXPECT_EQ(found->refusal->words, "gone");
    EXPECT_EQ(unseal(*found->sealed), "one");
    std::size_t begun = 0;
    ASSERT_TRUE(store_->upload_outbox().for_each_queued([&](const QueuedObject&) { ++begun; }));
    EXPECT_EQ(begun, 0U);

    clock_.advance_wall(std::chrono::hours(80));
    EXPECT_EQ(retry({two, model::Uuid::random()}), std::pair(Outcome::committed, std::size_t{1}));
    auto uploads = object_listener_.uploads();
    ASSERT_THAT(uploads, SizeIs(3));
    EXPECT_EQ(uploads[2].id, two);
    EXPECT_EQ(uploads[2].deadline.micros(), after(std::chrono::hours(72)).micros());
    EXPECT_EQ(retry({two}).second, 0U) << "it waits already";
    EXPECT_EQ(reject({one}), std::pair(Outcome::committed, std::size_t{1}));
    EXPECT_THAT(object_listener_.withdrawn(), IsEmpty());
    EXPECT_EQ(reject({two}), std::pair(Outcome::committed, std::size_t{1}));
    EXPECT_THAT(object_listener_.withdrawn(), ElementsAre(two));
    EXPECT_EQ(reject({two}).second, 0U);
    EXPECT_TRUE(no_files());
    EXPECT_THAT(record_kinds(),
                ElementsAre(RecordKind::item_made, RecordKind::item_delivered, RecordKind::item_made,
                            RecordKind::item_delivered, RecordKind::object_refused, RecordKind::object_refused,
                            RecordKind::object_retried, RecordKind::object_rejected, RecordKind::object_rejected));
    // The LEA took it in the same moment.
    ASSERT_EQ(pushed(two), Outcome::committed);
    EXPECT_EQ(record_kinds().back(), RecordKind::object_pushed);
    ASSERT_EQ(pushed(two), Outcome::committed);
    EXPECT_THAT(record_kinds(), SizeIs(10));
}

TEST_F(ObjectsTest, KeepTheirDeadlineWhenTheyAreRetriedInTime) {
    const model::Uuid id = waiting_upload();
    const auto deadline = object_listener_.uploads().at(0).deadline;
    ASSERT_EQ(refuse_object(id, {400, Refusal::Kind::http_status, ""}), Outcome::committed);
    clock_.advance_wall(std::chrono::hours(1));
    ASSERT_EQ(retry({id}).second, 1U);
    EXPECT_EQ(object_listener_.uploads().at(1).deadline.micros(), deadline.micros());
}

TEST_F(ObjectsTest, AreRetriedAndRejectedByTheirItem) {
    NewObject one = object_of(seal("1"), model_b);
    NewObject two = object_of(seal("2"), model_b);
    NewObject three = object_of(seal("3"), model_b);
    const StoredItem item = made({one, two, three});
    one.sealed = two.sealed = three.sealed = nullptr;
    ASSERT_EQ(accept(item), Outcome::committed);
    ASSERT_EQ(refuse_object(one.id, {404, Refusal::Kind::http_status, ""}), Outcome::committed);
    ASSERT_EQ(refuse_object(three.id, {404, Refusal::Kind::http_status, ""}), Outcome::committed);
    EXPECT_EQ(retry({item.object_id}), std::pair(Outcome::committed, std::size_t{1})) << "one id, one answer";
    EXPECT_EQ(counts().objects_queued, 3U);
    ASSERT_EQ(pushed(two.id), Outcome::committed);
    EXPECT_EQ(reject({item.object_id}), std::pair(Outcome::committed, std::size_t{1}));
    EXPECT_THAT(object_listener_.withdrawn(), ElementsAre(one.id, three.id));
    EXPECT_EQ(counts().objects_queued, 0U);
    EXPECT_TRUE(no_files());
}

TEST_F(ObjectsTest, RefusedAreRetriedInBulkBesideItems) {
    const LaneId other = store_->warrant_register().lane("another", "LIID-1").value();
    std::vector<model::Uuid> refused_ones;
    for (int i = 0; i < 5; ++i) {
        refused_ones.push_back(waiting_upload());
        ASSERT_EQ(refuse_object(refused_ones.back(), {i == 2 ? 400U : 404U, Refusal::Kind::http_status, ""}),
                  Outcome::committed);
    }
    NewItem elsewhere = item_with({object_of(seal("x"), model_b)});
    elsewhere.lane = other;
    ASSERT_EQ(submit(elsewhere), Outcome::committed);
    ASSERT_EQ(accept(queued().front()), Outcome::committed);
    ASSERT_EQ(refuse_object(elsewhere.objects->front().id, {404, Refusal::Kind::http_status, ""}), Outcome::committed);
    ASSERT_EQ(submit(item()), Outcome::committed);
    ASSERT_EQ(refuse(queued().front().row, {404, Refusal::Kind::http_status, ""}), Outcome::committed);

    EXPECT_EQ(retry_all("lea", 404), std::pair(Outcome::committed, std::size_t{5}));
    EXPECT_EQ(counts().objects_refused, 1U);
    EXPECT_EQ(counts().objects_queued, 4U);
    EXPECT_EQ(counts().queued, 1U);
    EXPECT_EQ(counts("another").objects_refused, 1U);
    EXPECT_EQ(retry_all("lea", std::nullopt), std::pair(Outcome::committed, std::size_t{1}));
}

TEST_F(ObjectsTest, BulkRetriesTakeManyStepsWhereThereIsMuch) {
    // More than one step looks at, items and objects mixed.
    std::vector<NewItem> items;
    std::vector<NewObject> list;
    const auto sealed = seal("shared");
    for (int i = 0; i < 1500; ++i) {
        list.push_back(object_of(sealed, model_b));
    }
    ASSERT_EQ(accept(made(list)), Outcome::committed);
    for (int i = 0; i < 1500; ++i) {
        items.push_back(item());
    }
    ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    std::atomic<int> pending{0};
    const auto counted = [&](Outcome outcome) {
        EXPECT_EQ(outcome, Outcome::committed);
        --pending;
    };
    for (const StoredItem& one : queued()) {
        ++pending;
        store_->outbox().refused(one.row, {1, Refusal::Kind::hi1_error, ""}, counted);
    }
    for (const NewObject& object : list) {
        ++pending;
        store_->upload_outbox().refused(object.id, {404, Refusal::Kind::http_status, ""}, counted);
    }
    ASSERT_TRUE(eventually([&] { return pending == 0; }));
    EXPECT_EQ(retry_all("lea", std::nullopt), std::pair(Outcome::committed, std::size_t{3000}));
    EXPECT_EQ(counts().queued, 1500U);
    EXPECT_EQ(counts().objects_queued, 1500U);
    EXPECT_EQ(files(), 1U);
}

TEST_F(ObjectsTest, ThatWaitAreListedWithTheItemsInAStableOrder) {
    NewItem first = item_with({object_of(seal("1"), model_b), object_of(seal("2"), model_b)});
    first.conversation_hash = hash_of(5);
    const StoredItem one = [&] {
        EXPECT_EQ(submit(first), Outcome::committed);
        return queued().back();
    }();
    ASSERT_EQ(submit(item()), Outcome::committed);
    ASSERT_EQ(accept(one), Outcome::committed);
    const model::Uuid a = one.objects->at(0).described.id;
    const model::Uuid b = one.objects->at(1).described.id;
    clock_.advance_wall(std::chrono::seconds(3));
    ASSERT_EQ(refuse_object(b, {404, Refusal::Kind::http_status, "no"}), Outcome::committed);

    const auto all = views(std::nullopt);
    ASSERT_THAT(all, SizeIs(3));
    EXPECT_EQ(all[0].object_id, a);
    EXPECT_EQ(all[0].object_of, one.object_id);
    EXPECT_EQ(all[0].state, ItemState::queued);
    EXPECT_EQ(all[0].destination, "lea");
    EXPECT_EQ(all[0].liid, "LIID-1");
    EXPECT_EQ(all[0].received_at.micros(), first.received_at.micros());
    ASSERT_TRUE(all[0].correlation);
    EXPECT_EQ(all[1].object_id, b);
    EXPECT_EQ(all[1].state, ItemState::refused);
    ASSERT_TRUE(all[1].refusal);
    EXPECT_EQ(all[1].refusal->words, "no");
    EXPECT_EQ(all[1].changed_at.micros(), clock_.wall().micros());
    EXPECT_FALSE(all[2].object_of);
    EXPECT_LT(one.row, all[0].row);
    EXPECT_THAT(views(ItemState::queued), SizeIs(2));
    EXPECT_THAT(views(ItemState::refused), SizeIs(1));
    EXPECT_THAT(views(ItemState::held), IsEmpty());

    // Pages of one, as a caller walks them.
    auto& view = store_->operator_view();
    std::vector<RowId> walked;
    for (ListPlace at;;) {
        const auto page = view.items(std::nullopt, at, 1);
        ASSERT_TRUE(page);
        if (page->empty()) {
            break;
        }
        at = page->front().place();
        walked.push_back(at.row);
    }
    EXPECT_THAT(walked, ElementsAre(all[0].row, all[1].row, all[2].row));

    auto found = view.find(b);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->object_of, one.object_id);
    EXPECT_EQ((*found)->state, ItemState::refused);
    ASSERT_EQ(pushed(a), Outcome::committed);
    ASSERT_EQ(reject({b}).second, 1U);
    found = view.find(a);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->state, ItemState::delivered);
    EXPECT_EQ((*found)->object_of, one.object_id);
    found = view.find(b);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->state, ItemState::rejected);
    EXPECT_EQ((*found)->who, "bob");
}

TEST_F(ObjectsTest, OfARejectedItemGoWithIt) {
    NewObject one = object_of(seal("1"), model_a);
    NewObject two = object_of(source_file(5), model_b);
    const StoredItem queued_one = made({one, two});
    EXPECT_TRUE(queued_one.preparing);
    one.sealed.reset();
    ASSERT_EQ(reject({queued_one.object_id}).second, 1U);
    const StoredItem refused_one = made({object_of(seal("2"), model_a)});
    ASSERT_EQ(refuse(refused_one.row, {1, Refusal::Kind::hi1_error, ""}), Outcome::committed);
    EXPECT_EQ(counts().objects_attached, 1U);
    EXPECT_EQ(retry({refused_one.objects->front().described.id}).second, 0U) << "it does not wait by itself";
    EXPECT_EQ(reject({refused_one.objects->front().described.id}).second, 0U);
    ASSERT_EQ(reject({refused_one.object_id}).second, 1U);
    EXPECT_TRUE(no_files());
    EXPECT_EQ(counts().objects_attached, 0U);
    EXPECT_EQ(ask("SELECT (SELECT count(*) FROM object) + (SELECT count(*) FROM blob) + (SELECT count(*) FROM "
                  "source_file)"),
              0);
    EXPECT_EQ(std::ranges::count(record_kinds(), RecordKind::object_rejected), 3);
    // The LEA accepted it in the same moment: there is nothing left to push.
    ASSERT_EQ(accept(queued_one), Outcome::committed);
    EXPECT_THAT(object_listener_.uploads(), IsEmpty());
}

TEST_F(ObjectsTest, SharedByTwoItemsAreStoredOnceAndGoWithTheLast) {
    const auto sealed = seal("shared");
    NewObject one = object_of(sealed, model_a);
    NewObject two = object_of(sealed, model_b);
    ASSERT_EQ(submit({item_with({one}), item_with({two})}), Outcome::committed);
    EXPECT_EQ(ask("SELECT count(*) FROM blob"), 1);
    EXPECT_EQ(files(), 1U);
    const auto items = queued();
    ASSERT_EQ(accept(items[0]), Outcome::committed);
    ASSERT_EQ(accept(items[1]), Outcome::committed);
    ASSERT_EQ(pushed(two.id), Outcome::committed);
    EXPECT_EQ(unseal(*find_object(one.id)->sealed), "shared");
    clock_.advance_wall(std::chrono::hours(100));
    ASSERT_TRUE(eventually([&] { return counts().objects_offered == 0; }));
    EXPECT_EQ(files(), 1U) << "whoever holds it may still commit it";
    const auto kept = std::weak_ptr<const SealedObject>(sealed);
    NewObject three = object_of(sealed, model_b);
    ASSERT_EQ(submit(item_with({three})), Outcome::committed);
    EXPECT_EQ(unseal(*find_object(three.id)->sealed), "shared");
}

TEST_F(ObjectsTest, ThatAreStillReadCanBeReadToTheEnd) {
    const std::string bytes = some_bytes(1'000'000);
    const model::Uuid id = waiting_upload(bytes);
    const auto found = find_object(id);
    auto reader = store_->upload_outbox().open(*found->sealed);
    ASSERT_TRUE(reader);
    ASSERT_EQ(pushed(id), Outcome::committed);
    EXPECT_TRUE(no_files());
    EXPECT_FALSE(store_->upload_outbox().open(*found->sealed));
    std::string all(bytes.size(), '\0');
    ASSERT_EQ((*reader)->read(0, all).value(), bytes.size());
    EXPECT_EQ(all, bytes);
}

TEST_F(ObjectsTest, ThatNoItemNamesAreGoneWithTheirLastHandle) {
    auto sealed = seal("nobody's");
    EXPECT_EQ(files(), 1U);
    sealed.reset();
    EXPECT_EQ(files(), 0U);
    {
        auto writer = store_->object_intake().writer();
        ASSERT_TRUE(writer);
        ASSERT_TRUE((*writer)->write(some_bytes(1'000'000)));
        EXPECT_EQ(files(), 1U);
        EXPECT_EQ((*writer)->size(), 1'000'000U);
    }
    EXPECT_EQ(files(), 0U);
    // A repeat makes no item, and keeps no bytes.
    NewItem first = item_with({object_of(seal("1"), model_b)});
    NewItem again = item_with({object_of(seal("2"), model_b)});
    again.repeat_hash = first.repeat_hash;
    ASSERT_EQ(submit(std::move(first)), Outcome::committed);
    ASSERT_EQ(submit(std::move(again)), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return files() == 1; }));
    EXPECT_EQ(ask("SELECT count(*) FROM blob"), 1);
    EXPECT_EQ(store_->operator_view().statistics().repeats, 1U);
}

TEST_F(ObjectsTest, OutliveTheStoreAsHandlesOnly) {
    auto kept = seal("kept");
    auto dropped = seal("dropped");
    ASSERT_EQ(submit(item_with({object_of(kept, model_b)})), Outcome::committed);
    close();
    kept.reset();
    dropped.reset();
    EXPECT_EQ(files(), 1U);
    open();
    EXPECT_EQ(unseal(*queued().front().objects->front().sealed), "kept");
}

TEST_F(ObjectsTest, OfACrashAreRemovedAtTheStart) {
    ASSERT_EQ(submit(item_with({object_of(seal("kept"), model_b)})), Outcome::committed);
    close();
    const auto directory = options_.directory / "objects";
    std::ofstream(directory / model::Uuid::random().to_string()) << "left behind";
    std::ofstream(directory / "README") << "somebody's";
    std::filesystem::create_symlink("/etc/passwd", directory / model::Uuid::random().to_string());
    ASSERT_EQ(files(), 4U);
    open();
    EXPECT_EQ(files(), 2U);
    EXPECT_TRUE(std::filesystem::exists(directory / "README"));
    EXPECT_EQ(unseal(*queued().front().objects->front().sealed), "kept");
    EXPECT_TRUE(std::filesystem::exists("/etc/passwd"));
}

TEST_F(ObjectsTest, LieInFilesThatAreClosedToOthers) {
    const auto sealed = seal("x");
    struct stat status {};
    ASSERT_EQ(stat((options_.directory / "objects").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    for (const auto& entry : std::filesystem::directory_iterator(options_.directory / "objects")) {
        ASSERT_EQ(stat(entry.path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, 0600U);
        EXPECT_TRUE(model::Uuid::parse(entry.path().filename().string()));
    }
    close();
    std::filesystem::permissions(options_.directory / "objects", std::filesystem::perms(0755));
    open();
    ASSERT_EQ(stat((options_.directory / "objects").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(ObjectsTest, FromElsewhereAreTurnedAway) {
    NewObject neither = object_of(std::shared_ptr<const SealedObject>(), model_b);
    EXPECT_EQ(submit(item_with({neither})), Outcome::failed);
    NewObject both = object_of(seal("x"), model_b);
    both.file = source_file(1);
    EXPECT_EQ(submit(item_with({both})), Outcome::failed);
    Options other = options_;
    other.directory = directory_.path() / "other";
    auto opened = Store::open(other, clock_);
    ASSERT_TRUE(opened);
    auto writer = (*opened)->object_intake().writer();
    ASSERT_TRUE(writer);
    const auto foreign = (*writer)->finish().value();
    EXPECT_EQ(submit(item_with({object_of(foreign, model_b)})), Outcome::failed);
    EXPECT_FALSE(store_->upload_outbox().open(*foreign));
    EXPECT_EQ(submit(item()), Outcome::committed) << "the store goes on";
}

void expect_same(const SourceFile& file, const SourceFile& expected) {
    EXPECT_EQ(file.id, expected.id);
    EXPECT_EQ(file.path, expected.path);
    EXPECT_EQ(file.inode, expected.inode);
    EXPECT_EQ(file.size, expected.size);
    EXPECT_EQ(file.modified_nanos, expected.modified_nanos);
    EXPECT_EQ(file.changed_nanos, expected.changed_nanos);
    EXPECT_EQ(file.sha256, expected.sha256);
    EXPECT_EQ(file.give_up_at.micros(), expected.give_up_at.micros());
}

TEST_F(ObjectsTest, NamedAsFilesHoldTheirItemUntilTheyAreCopied) {
    auto expected = std::make_shared<SourceFile>(*source_file(9));
    expected->sha256 = model::Sha256{1, 2, 3};
    NewObject one = object_of(std::shared_ptr<const SourceFile>(expected), model_b);
    NewObject two = object_of(std::shared_ptr<const SourceFile>(expected), model_b);
    NewObject sealed = object_of(seal("there"), model_b);
    const auto other = source_file(4);
    NewObject three = object_of(other, model_b);
    // Two warrants on one message, and one of them has another file too.
    ASSERT_EQ(submit({item_with({one}), item_with({sealed, two, three})}), Outcome::committed);
    const auto items = queued();
    ASSERT_THAT(items, SizeIs(2));
    EXPECT_TRUE(items[0].preparing);
    EXPECT_TRUE(items[1].preparing);
    const StoredObject& waiting = items[0].objects->front();
    EXPECT_EQ(waiting.sealed, nullptr);
    EXPECT_EQ(waiting.described.content_length, 9U);
    EXPECT_EQ(waiting.described.checksum, expected->sha256);
    EXPECT_NE(items[1].objects->at(0).sealed, nullptr);

    for (int round = 0; round < 2; ++round) {
        const auto pending = store_->object_intake().pending_files();
        ASSERT_TRUE(pending) << pending.error().message;
        ASSERT_THAT(*pending, SizeIs(2));
        expect_same(*pending->front(), *expected);
        EXPECT_FALSE(pending->back()->sha256);
        if (round == 0) {
            reopen();
        }
    }

    const auto copy = seal("the video");
    ASSERT_EQ(prepared(*expected, copy), Outcome::committed);
    auto heard = object_listener_.prepared();
    ASSERT_THAT(heard, SizeIs(1));
    EXPECT_EQ(heard[0].row, items[0].row);
    EXPECT_EQ(heard[0].lane, lane_);
    EXPECT_FALSE(queued()[0].preparing);
    EXPECT_TRUE(queued()[1].preparing);
    EXPECT_EQ(unseal(*queued()[0].objects->front().sealed), "the video");
    EXPECT_EQ(queued()[0].objects->front().described.checksum, copy->sha256());
    ASSERT_EQ(prepared(*expected, seal("again")), Outcome::committed);
    EXPECT_THAT(object_listener_.prepared(), SizeIs(1)) << "told a second time";

    ASSERT_EQ(prepared(*other, nullptr, model::ObjectLoss::changed), Outcome::committed);
    heard = object_listener_.prepared();
    ASSERT_THAT(heard, SizeIs(2));
    EXPECT_EQ(heard[1].row, items[1].row);
    const auto known = queued()[1];
    EXPECT_FALSE(known.preparing);
    EXPECT_EQ(known.objects->at(2).described.loss, model::ObjectLoss::changed);
    EXPECT_EQ(known.objects->at(2).described.content_length, 4U);
    EXPECT_EQ(known.objects->at(2).sealed, nullptr);
    EXPECT_EQ(store_->object_intake().pending_files().value().size(), 0U);
    const auto records = store_->operator_view().records(0, 100);
    ASSERT_TRUE(records);
    EXPECT_EQ(records->back().kind, RecordKind::object_lost);
    EXPECT_EQ(records->back().object_id, three.id);
    EXPECT_EQ(records->back().why, "changed");

    EXPECT_EQ(ask("SELECT count(*) FROM blob"), 3);
    ASSERT_EQ(accept(known), Outcome::committed);
    EXPECT_FALSE(find_object(three.id)) << "nothing to push";
    EXPECT_EQ(counts().objects_queued, 2U);
    EXPECT_THAT(object_listener_.uploads(), SizeIs(2));
}

TEST_F(ObjectsTest, GivenUpForARejectedItemLeaveNothing) {
    const auto file = source_file(4);
    const StoredItem item = made({object_of(file, model_a)});
    ASSERT_EQ(reject({item.object_id}).second, 1U);
    ASSERT_EQ(prepared(*file, seal("late")), Outcome::committed);
    EXPECT_TRUE(no_files());
    EXPECT_THAT(object_listener_.prepared(), IsEmpty());
}

TEST_F(ObjectsTest, CountTowardsTheLimit) {
    close();
    options_.max_bytes = 16U << 20U;
    open();
    const std::uint64_t before = store_->operator_view().statistics().used_bytes;
    const std::string mebi = some_bytes(1 << 20);
    ASSERT_EQ(submit(item_with({object_of(seal(mebi), model_b)})), Outcome::committed);
    const Statistics with = store_->operator_view().statistics();
    EXPECT_GE(with.object_bytes, 1U << 20U);
    EXPECT_LT(with.object_bytes, (1U << 20U) + 4096);
    EXPECT_GE(with.used_bytes, before + (1 << 20));
    reopen();
    const Statistics again = store_->operator_view().statistics();
    EXPECT_EQ(again.object_bytes, with.object_bytes);

    // Room for half a mebibyte stays, beside the last eighth, which is for events.
    const std::uint64_t share = options_.max_bytes - options_.max_bytes / 8;
    auto held = seal(some_bytes(static_cast<std::size_t>(share - again.used_bytes - (1U << 19U))));
    ASSERT_NE(held, nullptr);
    {
        auto writer = store_->object_intake().writer();
        ASSERT_TRUE(writer) << writer.error().message;
        const auto refused_write = (*writer)->write(mebi);
        ASSERT_FALSE(refused_write);
        EXPECT_THAT(refused_write.error().message, HasSubstr("max_bytes"));
        EXPECT_FALSE((*writer)->write("x")) << "it stays so";
        EXPECT_FALSE((*writer)->finish());
    }
    EXPECT_EQ(files(), 2U);
    EXPECT_FALSE(takes_object(1 << 20));
    EXPECT_TRUE(takes_object(1000)) << "what fits is taken";
    EXPECT_EQ(submit(item()), Outcome::committed) << "and events are";
    held.reset();
    EXPECT_TRUE(takes_object(1 << 20));
    EXPECT_EQ(files(), 1U);

    store_->set_limits(1, options_.record_retention);
    ASSERT_TRUE(eventually([&] { return !store_->item_intake().accepting(); }));
    EXPECT_FALSE(store_->object_intake().writer());
    EXPECT_FALSE(takes_object(1));
}

TEST_F(ObjectsTest, ThatNoEventNamesShutOutNoEvents) {
    close();
    options_.max_bytes = 16U << 20U;
    open();
    std::vector<std::shared_ptr<const SealedObject>> held;
    std::size_t bytes = 0;
    for (std::size_t size = 1U << 20U; size >= 1U << 12U; size /= 2) {
        while (true) {
            auto writer = store_->object_intake().writer();
            if (!writer || !(*writer)->write(some_bytes(size))) {
                break;
            }
            auto sealed = (*writer)->finish();
            if (!sealed) {
                break;
            }
            held.push_back(std::move(*sealed));
            bytes += size;
        }
    }
    EXPECT_GE(bytes, 12U << 20U);
    // Looked at anew with each commit.
    for (int i = 0; i < 50; ++i) {
        ASSERT_EQ(submit(item(std::string(10'000, 'x'))), Outcome::committed) << i;
        ASSERT_TRUE(store_->item_intake().accepting()) << i;
    }
    EXPECT_FALSE(takes_object(1U << 19U));
    held.clear();
    EXPECT_TRUE(takes_object(1U << 19U));
}

TEST_F(ObjectsTest, SayHowManyBytesOneMayHave) {
    close();
    options_.max_bytes = 16U << 20U;
    open();
    const auto& objects = store_->object_intake();
    ASSERT_TRUE(eventually([&] { return objects.largest() > (12U << 20U) && objects.largest() < (14U << 20U); }));
    EXPECT_LE(objects.room(), objects.largest() + (1U << 16U));
    const auto before = objects.room();
    const auto held = seal(some_bytes(2 << 20));
    EXPECT_LE(objects.room(), before - (2U << 20U));
}

TEST_F(ObjectsTest, AreCopiedForCommittedItemsWhereNewOnesAreNotTaken) {
    close();
    options_.max_bytes = 16U << 20U;
    open();
    auto held = seal(some_bytes(2 << 20));
    store_->set_limits(1, options_.record_retention);
    ASSERT_TRUE(eventually([&] { return !store_->item_intake().accepting(); }));
    EXPECT_FALSE(store_->object_intake().copy_writer(1));
    EXPECT_FALSE(store_->object_intake().copy_fits(1));
    // Without what is in the log: a little below the limit, which is no reason yet to take new items again.
    std::uint64_t used = 0;
    ASSERT_TRUE(eventually([&] {
        const std::int64_t pages = ask("PRAGMA page_count") - ask("PRAGMA freelist_count");
        const Statistics now = store_->operator_view().statistics();
        used = now.used_bytes;
        return used == static_cast<std::uint64_t>(pages) * 4096 + (256U << 10U) + now.object_bytes +
                           std::filesystem::file_size(options_.directory / "keys");
    }));
    store_->set_limits(used + (32U << 10U), options_.record_retention);
    ASSERT_TRUE(eventually([&] { return store_->object_intake().copy_writer(1000).has_value(); }));
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_FALSE(store_->object_intake().writer());
    EXPECT_TRUE(store_->object_intake().copy_fits(1 << 20)) << "once there is room";
    EXPECT_FALSE(store_->object_intake().copy_fits(16U << 20U)) << "never";
    store_->stop();
    EXPECT_FALSE(store_->object_intake().copy_writer(1));
}

TEST_F(ObjectsTest, ComeWithAStoreThatHadNone) {
    ASSERT_EQ(submit({item("one"), item("two")}), Outcome::committed);
    const auto before = queued();
    ASSERT_EQ(refuse(before[1].row, {1, Refusal::Kind::hi1_error, ""}), Outcome::committed);
    close();
    {
        // As the first version left it.
        Connection connection(options_.directory / "store.db");
        connection.execute(
            "DROP TABLE chain; DROP TABLE chain_checkpoint; ALTER TABLE record DROP COLUMN nanos;"
            "ALTER TABLE lane DROP COLUMN sealed; ALTER TABLE warrant DROP COLUMN key_slot; ALTER TABLE revocation "
            "DROP COLUMN name; "
            "DROP TABLE withholding; DROP INDEX aside_state; DROP TABLE held; DROP TABLE pending_warrant; DROP TABLE "
            "warrant_approval; DROP "
            "TABLE revocation; DROP TABLE kept; DROP "
            "TABLE kept_source; DROP TABLE pause; DROP TABLE object; DROP TABLE blob; DROP TABLE "
            "source_file; DROP INDEX "
            "record_object_ended;"
            "ALTER TABLE lane DROP COLUMN last; ALTER TABLE profile DROP COLUMN last; ALTER TABLE conversation DROP "
            "COLUMN last; DELETE FROM meta WHERE name='last_known_from';"
            "ALTER TABLE warrant DROP COLUMN missing; ALTER TABLE item DROP COLUMN key_slot; ALTER TABLE aside DROP "
            "COLUMN key_slot;"
            "ALTER TABLE repeats DROP COLUMN digest; ALTER TABLE late_repeats DROP COLUMN digest;"
            "UPDATE share SET octets=x'6f6e65'; PRAGMA user_version=1");
    }
    std::filesystem::remove(options_.directory / "objects");
    open();
    ASSERT_NE(store_, nullptr);
    const auto kept = queued();
    ASSERT_THAT(kept, SizeIs(1));
    EXPECT_EQ(kept[0].object_id, before[0].object_id);
    EXPECT_EQ(kept[0].share, "one");
    EXPECT_EQ(counts().refused, 1U);
    const model::Uuid id = waiting_upload("new");
    EXPECT_EQ(unseal(*find_object(id)->sealed), "new");
    EXPECT_EQ(accept(kept[0]), Outcome::committed);
}

}  // namespace
}  // namespace lihandover::store::test
