// Disks that fail under the keys of content and under sealed objects.
#include <gmock/gmock.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/object_files.hpp"
#include "fault_files.hpp"
#include "fault_vfs.hpp"
#include "key_slots.hpp"
#include "sqlite.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using namespace sqlite;

class FileFaultTest : public testing::Test {
  protected:
    void SetUp() override {
        file_faults().none();
        follow_files(true);
    }
    void TearDown() override {
        file_faults().none();
        follow_files(false);
    }
    template <typename Condition>
    static void wait_for(const Condition& condition) {
        while (!condition()) {
            std::this_thread::yield();
        }
    }

    lihandover::test::TemporaryDirectory directory_;
};

class KeysOnAFailingDisk : public FileFaultTest {
  protected:
    void SetUp() override {
        FileFaultTest::SetUp();
        bool no_space = false;
        keys_ =
            KeySlots::open(directory_.path(), std::make_shared<Keyring>(secret_, std::vector<MasterKey>()), no_space)
                .value();
        keys_->begin_stocktaking();
        keys_->end_stocktaking();
    }
    /// Takes every slot that is free, and expects the disk to have its key.
    void expect_free_slots_on_the_disk(std::size_t at_least) {
        std::size_t found = 0;
        file_faults().fail(FileFaults::File::keys, 0, -1);  // no growth
        while (true) {
            SealKey key;
            std::uint32_t slot = 0;
            try {
                slot = keys_->take_slot(key);
            } catch (const SqlFailure&) {
                break;
            }
            ++found;
            const std::string disk = durable(directory_.path() / "keys");
            ASSERT_LE((slot + 1) * SealKey::size, disk.size());
            ASSERT_TRUE(std::ranges::equal(std::string_view(disk).substr(slot * SealKey::size, SealKey::size),
                                           key.bytes(), {}, [](char c) { return static_cast<std::uint8_t>(c); }))
                << "what is sealed under slot " << slot << " cannot be opened once the power was lost";
        }
        EXPECT_GE(found, at_least);
    }
    std::uint32_t take() {
        SealKey key;
        return keys_->take_slot(key);
    }
    void use_up_what_is_ready() {
        file_faults().fail(FileFaults::File::keys, 0, -1);
        try {
            while (true) {
                taken_.push_back(take());
            }
        } catch (const SqlFailure&) {
            file_faults().none();
        }
    }

    Secret secret_;
    std::shared_ptr<KeySlots> keys_;
    std::vector<std::uint32_t> taken_;
};

TEST_F(KeysOnAFailingDisk, AreFreeOnlyOnceASyncOfThemWorked) {
    const std::uint32_t slot = take();
    keys_->release(std::span(&slot, 1));
    file_faults().fail(FileFaults::File::keys);
    EXPECT_FALSE(keys_->sync());
    EXPECT_TRUE(keys_->sync_due());
    EXPECT_TRUE(keys_->sync());
    expect_free_slots_on_the_disk(1000);
}

TEST_F(KeysOnAFailingDisk, WrittenWhileASyncFailedAreWrittenOnceMore) {
    const std::uint32_t first = take();
    const std::uint32_t second = take();
    keys_->release(std::span(&first, 1));
    file_faults().fail(FileFaults::File::keys);
    file_faults().hold = true;
    bool synced = true;
    std::thread syncing([&] { synced = keys_->sync(); });
    wait_for([] { return file_faults().held == 1; });
    keys_->release(std::span(&second, 1));
    file_faults().hold = false;
    syncing.join();
    EXPECT_FALSE(synced);
    EXPECT_TRUE(keys_->sync());
    expect_free_slots_on_the_disk(1000);
}

TEST_F(KeysOnAFailingDisk, ThatWaitForASyncAreNotBelievedAfterTheFailureOfAGrowth) {
    static_cast<void>(take());
    use_up_what_is_ready();
    keys_->release(std::span(taken_).first(3));
    file_faults().fail(FileFaults::File::keys);
    EXPECT_THROW(static_cast<void>(take()), SqlFailure);
    EXPECT_TRUE(keys_->sync());
    expect_free_slots_on_the_disk(3);
}

TEST_F(KeysOnAFailingDisk, GrowWhenNoOtherSyncCanBeToldOfTheirFailure) {
    const std::uint32_t first = take();
    use_up_what_is_ready();
    keys_->release(std::span(&first, 1));
    file_faults().fail(FileFaults::File::keys);
    file_faults().hold = true;
    std::thread syncing([&] { EXPECT_FALSE(keys_->sync()); });
    wait_for([] { return file_faults().held == 1; });
    SealKey key;
    std::uint32_t slot = 0;
    std::thread growing([&] { slot = keys_->take_slot(key); });
    file_faults().hold = false;
    syncing.join();
    growing.join();
    const std::string disk = durable(directory_.path() / "keys");
    ASSERT_LE((slot + 1) * SealKey::size, disk.size());
    EXPECT_TRUE(std::ranges::equal(std::string_view(disk).substr(slot * SealKey::size, SealKey::size), key.bytes(), {},
                                   [](char c) { return static_cast<std::uint8_t>(c); }));
}

TEST_F(KeysOnAFailingDisk, AreGivenToOneEachWhereTheDatabaseIsOpenedAgainDuringASync) {
    const std::uint32_t kept = take();
    std::vector<std::uint32_t> released;
    for (int i = 0; i < 10; ++i) {
        released.push_back(take());
    }
    // Once with all rows gone that named the slots, and once with some that a failed commit left there after all.
    for (const bool some_left : {false, true}) {
        keys_->release(released);
        file_faults().of = FileFaults::File::keys;
        file_faults().hold = true;
        std::thread syncing([&] { EXPECT_TRUE(keys_->sync()); });
        wait_for([] { return file_faults().held == 1; });
        keys_->begin_stocktaking();
        keys_->in_use(kept);
        if (some_left) {
            keys_->in_use(released.front());
        }
        file_faults().hold = false;
        syncing.join();
        keys_->end_stocktaking();
        std::set<std::uint32_t> taken = {kept};
        if (some_left) {
            taken.insert(released.front());
        }
        for (int i = 0; i < 3000; ++i) {
            SealKey key;
            const std::uint32_t slot = keys_->take_slot(key);
            ASSERT_TRUE(taken.insert(slot).second) << "slot " << slot << " was given out twice";
            const auto there = keys_->read_slot(slot);
            ASSERT_TRUE(there && std::ranges::equal(there->bytes(), key.bytes())) << "slot " << slot;
        }
        keys_->begin_stocktaking();
        keys_->in_use(kept);
        for (const std::uint32_t slot : released) {
            keys_->in_use(slot);
        }
        keys_->end_stocktaking();
    }
}

class KeysOfAStore : public StoreTest {
  protected:
    void SetUp() override {
        faults().none();
        file_faults().none();
        follow_files(true);
        open();
    }
    void TearDown() override {
        close();
        follow_files(false);
    }
    [[nodiscard]] std::string now() const {
        std::ifstream file(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    /// Queues so many items that their keys fill several pages of the disk.
    std::vector<RowId> fill_pages() {
        std::vector<NewItem> many;
        for (int i = 0; i < 300; ++i) {
            many.push_back(item(std::to_string(i)));
        }
        EXPECT_EQ(submit(std::move(many)), Outcome::committed);
        std::vector<RowId> rows;
        for (const StoredItem& one : queued()) {
            rows.push_back(one.row);
        }
        return rows;
    }
    void revoke_and_hold(Review review) {
        const auto lane = store_->warrant_register().find_lane(lane_);
        WarrantChanges changes;
        changes.revoked.push_back(
            {lane->destination, lane->liid, clock_.wall(), "file", {}, "operator-carol", "why", review});
        EXPECT_TRUE(store_->warrant_register().change_warrants(changes));
        EXPECT_TRUE(store_->warrant_register().nothing_more_of(lane->destination, lane->liid));
    }

    const std::filesystem::path path_ = options_.directory / "keys";
};

// Nothing else may be committed for long.
TEST_F(KeysOfAStore, AreOverwrittenOnTheDiskOnceTheirObjectExpired) {
    ASSERT_EQ(submit(item_with({object_of(seal("picture"), model::BinaryModel::a)})), Outcome::committed);
    ASSERT_EQ(accept(queued().back()), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return durable(path_) == now(); })) << "as those of items are";
    const std::string before = now();
    ASSERT_FALSE(before.empty());
    clock_.advance_wall(std::chrono::hours(73));
    EXPECT_TRUE(eventually([&] { return durable(path_) != before; }));
}

TEST_F(KeysOfAStore, ThatCannotBeReadForAWhileHoldUpNothingElse) {
    ASSERT_EQ(submit(item()), Outcome::committed);
    ASSERT_EQ(submit(item()), Outcome::committed);
    const auto lane = store_->warrant_register().find_lane(queued().at(0).lane);
    file_faults().unreadable = true;
    WarrantChanges changes;
    changes.revoked.push_back(
        {lane->destination, lane->liid, clock_.wall(), "f", {}, "operator-carol", "why", Review::required});
    ASSERT_TRUE(store_->warrant_register().change_warrants(changes));
    ASSERT_TRUE(store_->warrant_register().nothing_more_of(lane->destination, lane->liid));
    ASSERT_TRUE(eventually([] { return file_faults().unread > 0; }));
    lane_ = store_->warrant_register().lane("lea", "LIID-ANOTHER").value();
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(submit(item()), Outcome::committed) << i;
        EXPECT_TRUE(store_->operator_view().statistics().accepting) << i;
    }
    EXPECT_EQ(store_->operator_view().statistics().withholding, 1U) << "they are held once they can be";
    file_faults().unreadable = false;
    EXPECT_TRUE(eventually([&] { return store_->operator_view().statistics().withholding == 0; }));
    EXPECT_EQ(store_->operator_view().statistics().counts.at(0).held, 2U);
}

TEST_F(KeysOfAStore, ThatCannotBeReadForAWhileLoseNothing) {
    ASSERT_EQ(submit(item("a text")), Outcome::committed);
    ASSERT_EQ(submit(item_with({object_of(seal("picture"), model::BinaryModel::a)})), Outcome::committed);
    const std::vector<StoredItem> before = queued();
    std::vector<RowId> rows;
    for (const StoredItem& one : before) {
        rows.push_back(one.row);
    }
    file_faults().unreadable = true;
    EXPECT_FALSE(store_->outbox().load(rows)) << "what cannot be read is not lost";
    file_faults().unreadable = false;
    auto after = store_->outbox().load(rows);
    ASSERT_TRUE(eventually([&] {
        after = store_->outbox().load(rows);
        return after && std::ranges::none_of(*after, &StoredItem::unreadable_now);
    }));
    ASSERT_EQ(after->size(), 2U);
    EXPECT_EQ(after->at(0).share, before[0].share);
    ASSERT_EQ(after->at(1).objects->size(), 1U);
    EXPECT_EQ(after->at(1).objects->front().described.loss, model::ObjectLoss::none);
}

TEST_F(KeysOfAStore, OfOneDamagedPlaceHoldUpNothingElse) {
    const std::vector<RowId> rows = fill_pages();
    file_faults().unreadable_at = 0;
    const auto some = store_->outbox().load(rows);
    ASSERT_TRUE(some);
    ASSERT_EQ(some->size(), rows.size()) << "none is gone";
    const auto unreadable = std::ranges::count_if(*some, &StoredItem::unreadable_now);
    EXPECT_GT(unreadable, 0);
    EXPECT_LT(unreadable, 300);
    for (const StoredItem& one : *some) {
        EXPECT_EQ(one.share.empty(), one.unreadable_now);
    }
    file_faults().unreadable_at = -1;
    EXPECT_TRUE(eventually([&] {
        const auto all = store_->outbox().load(rows);
        return all && std::ranges::none_of(*all, &StoredItem::unreadable_now);
    }));
}

TEST_F(KeysOnAFailingDisk, InADamagedPlaceAreNotWaitedForForEver) {
    const std::uint32_t slot = take();
    const KeyPlace place{.slot = slot, .generation = 0};
    file_faults().unreadable_at = static_cast<std::int64_t>(std::uint64_t{slot} * SealKey::size);
    EXPECT_EQ(keys_->find(place).state, KeySlots::State::not_now);
    EXPECT_TRUE(eventually([&] {
        EXPECT_EQ(keys_->find(place).state, KeySlots::State::not_now);
        const int asked = file_faults().unread;
        EXPECT_EQ(keys_->find(place).state, KeySlots::State::not_now);
        return file_faults().unread == asked;
    })) << "the disk is not asked twice in a moment";
    keys_->set_damaged_after(std::chrono::milliseconds(0));
    EXPECT_EQ(keys_->find(place).state, KeySlots::State::known) << "others can be read";
    file_faults().unreadable = true;
    EXPECT_EQ(keys_->find(place).state, KeySlots::State::none_now);
    EXPECT_THROW(static_cast<void>(keys_->find_or_fail(place)), SqlFailure);
}

TEST_F(KeysOnAFailingDisk, AreThereAsSoonAsTheyCanBeRead) {
    const std::uint32_t slot = take();
    const KeyPlace place{.slot = slot, .generation = 0};
    file_faults().unreadable_at = static_cast<std::int64_t>(std::uint64_t{slot} * SealKey::size);
    ASSERT_TRUE(keys_->find(place).not_now());
    file_faults().unreadable_at = -1;
    EXPECT_TRUE(eventually([&] { return keys_->find(place).key.has_value(); }));
}

TEST_F(KeysOnAFailingDisk, AreWaitedForByAStartThatGoesOnWithoutThem) {
    keys_->set_damaged_after(std::chrono::milliseconds(100));
    const std::uint32_t slot = take();
    const KeyPlace place{.slot = slot, .generation = 0};
    file_faults().unreadable_at = static_cast<std::int64_t>(std::uint64_t{slot} * SealKey::size);
    EXPECT_FALSE(keys_->wait_for(place));
    file_faults().unreadable_at = -1;
    EXPECT_TRUE(eventually([&] { return keys_->wait_for(place).has_value(); }));
}

TEST_F(KeysOnAFailingDisk, OfADamagedPlaceAreGivenToNobody) {
    const std::uint32_t first = take();
    use_up_what_is_ready();
    const std::size_t all = taken_.size();
    keys_->begin_stocktaking();
    keys_->in_use(taken_.back());  // the last
    keys_->end_stocktaking();      // the others are free, and none is known
    file_faults().unreadable_at = static_cast<std::int64_t>(std::uint64_t{first} * SealKey::size);
    for (std::size_t i = 0; i < all; ++i) {
        EXPECT_NE(take() / 128, first / 128);
    }
}

// One who may not review would end what two people are to decide about.
TEST_F(KeysOfAStore, OfWhatIsToBeHeldAreRejectedByNobodyBefore) {
    ASSERT_EQ(submit(item()), Outcome::committed);
    const StoredItem stored = queued().at(0);
    file_faults().unreadable = true;  // so that it stays queued
    revoke_and_hold(Review::dual);
    ASSERT_TRUE(eventually([] { return file_faults().unread > 0; }));
    Answer<Decided> answer;
    store_->operator_view().reject(
        {Meant{stored.object_id, {ItemState::queued, ItemState::refused, ItemState::set_aside}, stored.row}},
        Reviewer{"", "nobody in particular"}, "gone",
        [told = answer.callback()](Outcome, const Decided& decided) { told(decided); });
    EXPECT_EQ(answer.get().done, 0U);
    file_faults().unreadable = false;
    EXPECT_TRUE(eventually([&] { return store_->operator_view().statistics().counts.at(0).held == 1; }));
}

TEST_F(KeysOfAStore, OfADamagedPlaceKeepNoRevokedWarrantFromBeingHeld) {
    options_.damaged_after = std::chrono::seconds(1);
    close();
    open();
    static_cast<void>(fill_pages());
    file_faults().unreadable_at = 0;
    revoke_and_hold(Review::required);
    EXPECT_TRUE(eventually([&] { return store_->operator_view().statistics().withholding == 0; }));
    EXPECT_EQ(store_->operator_view().statistics().counts.at(0).held, 300U);
}

TEST_F(KeysOfAStore, OfADamagedPlaceStopNoStart) {
    const std::vector<RowId> rows = fill_pages();
    for (const StoredItem& one : queued()) {
        if (one.row != rows.back()) {
            ASSERT_EQ(accept(one), Outcome::committed);
        }
    }
    close();
    file_faults().unreadable_at = 4096;  // free ones, which are to be overwritten
    open();
    ASSERT_TRUE(store_);
    EXPECT_EQ(submit(item("goes on")), Outcome::committed);
}

TEST_F(KeysOfAStore, OfANamedFileInADamagedPlaceStopNothing) {
    options_.damaged_after = std::chrono::seconds(1);
    close();
    open();
    static_cast<void>(fill_pages());
    const auto file = source_file(10);
    ASSERT_EQ(submit(item_with({object_of(file, model::BinaryModel::b)})), Outcome::committed);
    static_cast<void>(fill_pages());
    for (std::int64_t at = 4096; at < static_cast<std::int64_t>(now().size()); at += 4096) {  // wherever its key is
        file_faults().unreadable_at = at;
        close();
        open();
        ASSERT_TRUE(store_);
        const auto pending = store_->object_intake().pending_files();
        ASSERT_TRUE(pending);
        EXPECT_EQ(pending->size(), 1U);
    }
    for (std::int64_t at = 4096; at < static_cast<std::int64_t>(now().size()); at += 4096) {
        file_faults().unreadable_at = at;
        Answer<Outcome> told;
        store_->object_intake().prepared(file->id, nullptr, model::ObjectLoss::changed, told.callback());
        EXPECT_EQ(told.get(), Outcome::committed);
        EXPECT_TRUE(store_->item_intake().accepting());
    }
}

// A start in front of a damaged place tells of files that it cannot find.
TEST_F(KeysOfAStore, OfANamedFileThatIsLostKeepNothingElseFromBeingCommitted) {
    const auto file = source_file(10);
    ASSERT_EQ(submit(item_with({object_of(file, model::BinaryModel::b)})), Outcome::committed);
    file_faults().unreadable = true;
    Answer<Outcome> told;
    store_->object_intake().prepared(file->id, nullptr, model::ObjectLoss::vanished, told.callback());
    EXPECT_EQ(submit(item()), Outcome::committed);
    EXPECT_EQ(told.get(), Outcome::committed);
    EXPECT_EQ(record_kinds().back(), RecordKind::item_made);
    file_faults().unreadable = false;
    EXPECT_EQ(queued().at(0).objects->front().described.loss, model::ObjectLoss::vanished);
}

TEST_F(KeysOfAStore, ThatAStartCouldNotOverwriteAreOverwrittenSoon) {
    const std::vector<RowId> rows = fill_pages();
    for (const StoredItem& one : queued()) {
        if (one.row != rows.back()) {
            ASSERT_EQ(accept(one), Outcome::committed);
        }
    }
    close();
    file_faults().unreadable_at = 4096;
    open();
    ASSERT_TRUE(store_);
    const std::string before = now().substr(4096, 4096);
    file_faults().unreadable_at = -1;
    EXPECT_TRUE(eventually([&] { return now().substr(4096, 4096) != before; }));
}

class ObjectsOnAFailingDisk : public FileFaultTest {
  protected:
    void SetUp() override {
        FileFaultTest::SetUp();
        bool no_space = false;
        files_ = ObjectFiles::open(directory_.path(), no_space).value();
    }
    std::unique_ptr<ObjectWriter> begin(std::string_view bytes) {
        auto writer = std::move(*files_->writer());
        EXPECT_TRUE(writer->write(bytes));
        return writer;
    }
    bool is_on_the_disk(const SealedObject& object) {
        const auto& file = dynamic_cast<const SealedFile&>(object);
        const std::string disk = durable(directory_.path() / "objects" / file.name().to_string());
        return disk.size() == sealed_size_of(object.size());
    }

    std::shared_ptr<ObjectFiles> files_;
};

TEST_F(ObjectsOnAFailingDisk, AreNotThereWhereTheirSyncFailedHoweverOftenItIsTried) {
    for (const auto which : {FileFaults::File::object, FileFaults::File::directory}) {
        const auto writer = begin("a photograph");
        file_faults().fail(which);
        EXPECT_FALSE(writer->finish());
        EXPECT_FALSE(writer->finish()) << "the system forgot its pages";
        const auto next = begin("another")->finish();
        ASSERT_TRUE(next) << next.error().message;
        EXPECT_TRUE(is_on_the_disk(**next));
    }
}

TEST_F(ObjectsOnAFailingDisk, AreNotThereWhereAnotherWasToldThatTheirDirectoryCannotBeWritten) {
    const auto first = begin("one");
    const auto second = begin("two");
    file_faults().fail(FileFaults::File::directory);
    EXPECT_FALSE(first->finish());
    const auto finished = second->finish();
    EXPECT_FALSE(finished && !is_on_the_disk(**finished)) << "answered, and gone with the power";
    const auto third = begin("three")->finish();
    ASSERT_TRUE(third) << third.error().message;
    EXPECT_TRUE(is_on_the_disk(**third));
}

TEST_F(ObjectsOnAFailingDisk, ShareSyncsOfTheirDirectoryWithoutBelievingOnesThatBeganBefore) {
    constexpr int many = 8;
    std::vector<std::unique_ptr<ObjectWriter>> writers;
    for (int i = 0; i < many; ++i) {
        writers.push_back(begin(std::string(1000, static_cast<char>('a' + i))));
    }
    file_faults().of = FileFaults::File::directory;
    file_faults().hold = true;
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (const auto& writer : writers) {
        threads.emplace_back([&] {
            const auto finished = writer->finish();
            good += finished && is_on_the_disk(**finished) ? 1 : 0;
        });
    }
    wait_for([] { return file_faults().held == 1; });
    file_faults().hold = false;
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(good, many);
}

TEST(KeysCount, TowardsTheLimit) {
    class Limited : public StoreTest {
      public:
        void TestBody() override {
            options_.max_bytes = 64U << 20U;
            open();
            const auto before = store_->operator_view().statistics().used_bytes;
            std::vector<NewItem> items;
            for (int i = 0; i < 3000; ++i) {
                items.push_back(item("x"));
            }
            ASSERT_EQ(submit(std::move(items)), Outcome::committed);
            const auto keys = std::filesystem::file_size(options_.directory / "keys");
            ASSERT_GE(keys, 3000U * 32U);
            Connection look(options_.directory / "store.db");
            const auto pages = static_cast<std::uint64_t>(look.integer("PRAGMA page_count") * 4096);
            EXPECT_GT(store_->operator_view().statistics().used_bytes, before);
            // The log counts with its allotment, at the least.
            EXPECT_GE(store_->operator_view().statistics().used_bytes,
                      pages - look.integer("PRAGMA freelist_count") * 4096 + keys);
        }
    };
    Limited().TestBody();
}

}  // namespace
}  // namespace lihandover::store::test
