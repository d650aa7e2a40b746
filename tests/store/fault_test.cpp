#include <gmock/gmock.h>
#include <signal.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <fstream>
#include <set>
#include <sstream>

#include "database.hpp"
#include "fault_vfs.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Faulty : public StoreTest {
  protected:
    void SetUp() override {
        faults().none();
        before_ = spdlog::default_logger();
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
    }
    void TearDown() override {
        faults().none();
        close();
        spdlog::set_default_logger(before_);
    }
    /// What was logged so far; only when the store is closed.
    std::string log() { return log_.str(); }

    std::vector<NewItem> some(std::size_t count) {
        std::vector<NewItem> items;
        for (std::size_t i = 0; i < count; ++i) {
            items.push_back(item(std::string(300, 'a')));
            items.back().conversation_hash = hash_of(i % 3);
        }
        return items;
    }
    void expect_sequences_without_gap() {
        std::map<std::uint64_t, std::uint64_t> next;
        sqlite3* database = nullptr;
        ASSERT_EQ(sqlite3_open((options_.directory / "store.db").c_str(), &database), SQLITE_OK);
        sqlite3_stmt* select = nullptr;
        ASSERT_EQ(sqlite3_prepare_v2(database, "SELECT level_id, sequence FROM record WHERE kind=3 ORDER BY id", -1,
                                     &select, nullptr),
                  SQLITE_OK);
        while (sqlite3_step(select) == SQLITE_ROW) {
            const auto level = static_cast<std::uint64_t>(sqlite3_column_int64(select, 0));
            EXPECT_EQ(static_cast<std::uint64_t>(sqlite3_column_int64(select, 1)), next[level]++);
        }
        sqlite3_finalize(select);
        sqlite3_close(database);
    }

    std::uint64_t ask(const std::string& sql) {
        sqlite3* database = nullptr;
        EXPECT_EQ(sqlite3_open((options_.directory / "store.db").c_str(), &database), SQLITE_OK);
        sqlite3_stmt* select = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(database, sql.c_str(), -1, &select, nullptr), SQLITE_OK);
        EXPECT_EQ(sqlite3_step(select), SQLITE_ROW);
        const auto value = static_cast<std::uint64_t>(sqlite3_column_int64(select, 0));
        sqlite3_finalize(select);
        sqlite3_close(database);
        return value;
    }
    /// Opens the store, and has its lane and profile. Any of it may fail.
    [[nodiscard]] bool open_under_faults() {
        auto opened = Store::open(options_, clock_);
        if (!opened) {
            return false;
        }
        store_ = std::move(*opened);
        store_->outbox().set_listener(&listener_);
        store_->upload_outbox().set_listener(&object_listener_);
        const auto lane = store_->warrant_register().lane("lea", "LIID-1");
        const auto profile = store_->warrant_register().profile(some_profile());
        if (!lane || !profile) {
            return false;
        }
        lane_ = *lane;
        profile_ = *profile;
        return true;
    }
    /// Items with objects through all that can become of them, whatever fails. What was told to be kept is asserted.
    void run_through(std::map<model::Uuid, std::string>& content, std::set<model::Uuid>& made,
                     std::set<model::Uuid>& ended) {
        for (int round = 0; round < 3; ++round) {
            std::vector<NewItem> items;
            const auto source = source_file(4);
            auto sealed = store_->item_intake().accepting() ? seal("sealed " + std::to_string(round)) : nullptr;
            if (!sealed) {
                continue;
            }
            std::vector<NewObject> shared;
            for (int i = 0; i < 2; ++i) {
                std::vector<NewObject> list = {object_of(sealed, model::BinaryModel::b),
                                               object_of(source, model::BinaryModel::b)};
                content[list[0].id] = "sealed " + std::to_string(round);
                content[list[1].id] = "copied";
                shared.insert(shared.end(), list.begin(), list.end());
                items.push_back(item_with(std::move(list)));
            }
            sealed.reset();
            const bool committed = submit(std::move(items)) == Outcome::committed;
            for (NewObject& object : shared) {
                object.sealed.reset();
                if (committed) {
                    made.insert(object.id);
                }
            }
            if (!committed || round == 2) {
                continue;
            }
            auto copy = store_->item_intake().accepting() ? seal("copied") : nullptr;
            ASSERT_EQ(call([&](const auto& done) {
                          store_->object_intake().prepared(source->id, copy, model::ObjectLoss::vanished, done);
                      }),
                      Outcome::committed)
                << "never lost";
            const bool lost = copy == nullptr;
            copy.reset();
            if (round == 1) {
                continue;
            }
            const auto waiting = queued();
            for (const StoredItem& one : waiting) {
                EXPECT_FALSE(one.preparing);
                ASSERT_EQ(accept(one), Outcome::committed) << "never lost";
                for (const StoredObject& object : *one.objects) {
                    const model::Uuid id = object.described.id;
                    const auto told = std::ranges::count(object_listener_.uploads(), id, &QueuedObject::id);
                    EXPECT_EQ(told, object.sealed ? 1 : 0) << lost;
                    if (!object.sealed) {
                        ended.insert(id);
                    }
                }
            }
            for (const StoredObject& object : *waiting.front().objects) {
                const model::Uuid id = object.described.id;
                ASSERT_EQ(call([&](const auto& done) { store_->upload_outbox().pushed(id, done); }),
                          Outcome::committed);
                ended.insert(id);
            }
        }
    }

  private:
    std::ostringstream log_;
    std::shared_ptr<spdlog::logger> before_;
};

TEST_F(Faulty, FailsOneOperationAfterTheOtherWithoutLosingOrInventingAnything) {
    for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
        std::int64_t operation = 0;
        bool reached = true;
        // Every operation would take long: each of the first, then with growing steps.
        for (; reached; operation += 1 + operation / 15) {
            SCOPED_TRACE("code " + std::to_string(code) + ", operation " + std::to_string(operation));
            options_.directory = directory_.path() / (std::to_string(code) + "-" + std::to_string(operation));
            std::set<model::Uuid> expected;
            std::set<model::Uuid> failed_ones;
            std::set<model::Uuid> accepted_ones;
            faults().fail(code, operation, 1);
            auto opened = Store::open(options_, clock_);
            if (opened) {
                store_ = std::move(*opened);
                store_->outbox().set_listener(&listener_);
                const auto lane = store_->warrant_register().lane("lea", "LIID-1");
                const auto profile = store_->warrant_register().profile(some_profile());
                if (lane && profile) {
                    lane_ = *lane;
                    profile_ = *profile;
                    for (int round = 0; round < 3; ++round) {
                        auto items = some(10);
                        std::vector<model::Uuid> ids;
                        for (const NewItem& one : items) {
                            ids.push_back(one.object_id);
                        }
                        (submit(std::move(items)) == Outcome::committed ? expected : failed_ones)
                            .insert(ids.begin(), ids.end());
                        if (round != 1) {
                            continue;
                        }
                        for (const StoredItem& one : queued()) {
                            ASSERT_EQ(accept(one), Outcome::committed) << "an acceptance is never lost";
                            accepted_ones.insert(one.object_id);
                        }
                    }
                }
                close();
            }
            reached = faults().seen > operation;
            faults().none();

            open();
            ASSERT_NE(store_, nullptr);
            std::set<model::Uuid> found;
            for (const StoredItem& one : queued()) {
                EXPECT_FALSE(accepted_ones.contains(one.object_id)) << "accepted, and still here";
                found.insert(one.object_id);
            }
            for (const model::Uuid& id : expected) {
                EXPECT_TRUE(found.contains(id) || accepted_ones.contains(id)) << "committed, and gone";
            }
            for (const model::Uuid& id : found) {
                // A commit whose sync failed may be on the disk all the same (docs/store.md).
                EXPECT_TRUE(expected.contains(id) || failed_ones.contains(id)) << "never made, and here";
            }
            EXPECT_EQ(submit(some(5)), Outcome::committed);
            close();
            expect_sequences_without_gap();
            std::filesystem::remove_all(options_.directory);
            if (HasFailure()) {
                return;
            }
        }
        EXPECT_GT(operation, 40) << "the scenario ended before it began";
    }
}

TEST_F(Faulty, FailsOneOperationAfterTheOtherWithoutLosingAnObject) {
    // Two failures: the log's sync, and that of the close which would else throw away what the commit wrote. A commit
    // that failed is on the disk then.
    for (const auto& [code, times] : {std::pair(SQLITE_FULL, 1), std::pair(SQLITE_IOERR_WRITE, 2)}) {
        std::int64_t operation = 0;
        bool reached = true;
        for (; reached; operation += 1 + operation / 12) {
            SCOPED_TRACE("code " + std::to_string(code) + ", operation " + std::to_string(operation));
            options_.directory = directory_.path() / (std::to_string(code) + "-" + std::to_string(operation));
            faults().fail(code, operation, times);
            std::map<model::Uuid, std::string> content;  // by object
            std::set<model::Uuid> made;
            std::set<model::Uuid> ended;
            if (open_under_faults()) {
                run_through(content, made, ended);
            }
            close();
            reached = faults().seen > operation;
            faults().none();
            if (HasFailure()) {
                return;
            }

            open();
            ASSERT_NE(store_, nullptr);
            std::set<model::Uuid> found;
            const auto look_at = [&](const StoredObject& object) {
                found.insert(object.described.id);
                if (object.sealed) {
                    EXPECT_EQ(unseal(*object.sealed), content[object.described.id]);
                }
                return object.sealed != nullptr;
            };
            for (const StoredItem& one : queued()) {
                for (const StoredObject& object : *one.objects) {
                    look_at(object);
                }
            }
            std::vector<model::Uuid> uploads;
            ASSERT_TRUE(store_->upload_outbox().for_each_queued(
                [&](const QueuedObject& object) { uploads.push_back(object.id); }));
            for (const model::Uuid& id : uploads) {
                EXPECT_TRUE(look_at(*find_object(id)));
            }
            for (const model::Uuid& id : made) {
                EXPECT_NE(found.contains(id), ended.contains(id)) << "committed, and gone, or pushed, and still here";
            }
            for (const model::Uuid& id : found) {
                // A failed one that turned up is delivered: it is whole, as all of them.
                EXPECT_TRUE(times > 1 || made.contains(id)) << "failed, and here";
            }
            const Count count = counts();
            EXPECT_EQ(count.objects_attached + count.objects_queued, found.size());
            close();
            EXPECT_EQ(files(), ask("SELECT count(*) FROM blob WHERE file IS NOT NULL"));
            EXPECT_EQ(ask("SELECT count(*) FROM blob WHERE id NOT IN (SELECT blob FROM object)"), 0U);
            std::filesystem::remove_all(options_.directory);
            if (HasFailure()) {
                return;
            }
        }
        EXPECT_GT(operation, 40) << "the scenario ended before it began";
    }
}

TEST_F(Faulty, TellsOfObjectsWhoseCommitWasOnTheDiskAlthoughItFailed) {
    open();
    for (std::int64_t operation = 0; operation < 12; ++operation) {
        SCOPED_TRACE(operation);
        const auto source = source_file(4);
        const NewItem made = item_with({object_of(source, model::BinaryModel::b)});
        ASSERT_EQ(submit(made), Outcome::committed);
        const StoredItem stored = queued().back();
        // Whichever operation fails, a failed commit that turned up or one that did not: each is told in the end.
        faults().fail(SQLITE_IOERR_FSYNC, operation, 2);
        ASSERT_EQ(call([&](const auto& done) {
                      store_->object_intake().prepared(source->id, seal("copy"), model::ObjectLoss::none, done);
                  }),
                  Outcome::committed);
        const auto prepared = object_listener_.prepared();
        ASSERT_FALSE(prepared.empty());
        EXPECT_EQ(prepared.back().row, stored.row);
        EXPECT_EQ(unseal(*queued().back().objects->front().sealed), "copy");
        faults().fail(SQLITE_IOERR_FSYNC, operation, 2);
        ASSERT_EQ(accept(stored), Outcome::committed);
        const model::Uuid id = made.objects->front().id;
        EXPECT_EQ(std::ranges::count(object_listener_.uploads(), id, &QueuedObject::id), 1);
        faults().fail(SQLITE_IOERR_FSYNC, operation, 2);
        ASSERT_EQ(call([&](const auto& done) { store_->upload_outbox().pushed(id, done); }), Outcome::committed);
        faults().none();
        EXPECT_TRUE(eventually([&] { return files() == 0; }));
        ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    }
    EXPECT_EQ(std::ranges::count(record_kinds(), RecordKind::object_pushed), 12);
    EXPECT_EQ(object_listener_.prepared().size(), 12U);
}

TEST_F(Faulty, TellsOfRetriesWhoseCommitWasOnTheDiskAlthoughItFailed) {
    open();
    bool turned_up = false;
    for (std::int64_t operation = 0; operation < 12; ++operation) {
        SCOPED_TRACE(operation);
        ASSERT_EQ(submit(item("refused")), Outcome::committed);
        const StoredItem stored = queued().back();
        ASSERT_EQ(refuse(stored.row, {3007, Refusal::Kind::hi1_error, ""}), Outcome::committed);
        faults().fail(SQLITE_IOERR_FSYNC, operation, 2);
        const auto outcome = retry({stored.object_id}).first;
        faults().none();
        ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
        const auto waiting = queued();
        const bool waits = std::ranges::find(waiting, stored.row, &StoredItem::row) != waiting.end();
        turned_up = turned_up || (waits && outcome != Outcome::committed);
        EXPECT_EQ(std::ranges::count(listener_.retried(), stored.row, &QueuedItem::row), waits ? 1 : 0)
            << "or nobody delivers it before the next start";
    }
    EXPECT_TRUE(turned_up) << "the case that this is about";
}

// Else delivery would send what it has of it in memory.
TEST_F(Faulty, TellsOfRejectsWhoseCommitWasOnTheDiskAlthoughItFailed) {
    open();
    bool turned_up = false;
    for (std::int64_t operation = 0; operation < 12; ++operation) {
        SCOPED_TRACE(operation);
        ASSERT_EQ(submit(item("to be rejected")), Outcome::committed);
        const StoredItem stored = queued().back();
        faults().fail(SQLITE_IOERR_FSYNC, operation, 2);
        const auto outcome = reject({stored.object_id}).first;
        faults().none();
        ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
        const auto waiting = queued();
        const bool waits = std::ranges::find(waiting, stored.row, &StoredItem::row) != waiting.end();
        turned_up = turned_up || (!waits && outcome != Outcome::committed);
        EXPECT_EQ(std::ranges::count(listener_.withdrawn(), stored.row, &QueuedItem::row), waits ? 0 : 1);
    }
    EXPECT_TRUE(turned_up) << "the case that this is about";
}

/// Code of SQLite and a word that the operator has to find in the log.
class Trouble : public Faulty, public testing::WithParamInterface<std::pair<int, const char*>> {};

TEST_P(Trouble, StopsBothWaysKeepsAcceptancesAndEndsByItself) {
    open();
    ASSERT_EQ(submit(some(20)), Outcome::committed);
    const auto waiting = queued();
    EXPECT_TRUE(store_->item_intake().accepting());

    faults().fail(GetParam().first);
    EXPECT_EQ(submit(some(1)), Outcome::failed);
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::failed) << "nor is a filler committed";

    std::atomic<int> committed{0};
    for (const StoredItem& one : waiting) {
        store_->outbox().accepted({{one.row, one.lane, one.profile, one.object_id, false}}, [&](Outcome outcome) {
            EXPECT_EQ(outcome, Outcome::committed);
            ++committed;
        });
    }
    ASSERT_TRUE(eventually([&] { return listener_.health() == std::vector<bool>{false}; }));
    EXPECT_EQ(committed, 0);
    EXPECT_EQ(refuse(waiting[0].row, {}), Outcome::failed);
    EXPECT_EQ(retry({waiting[0].object_id}).first, Outcome::failed);
    EXPECT_FALSE(store_->warrant_register().lane("lea", "another"));

    faults().none();
    ASSERT_TRUE(eventually([&] { return committed == 20; }));
    EXPECT_THAT(listener_.health(), ElementsAre(false, true));
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_EQ(submit(some(3)), Outcome::committed);
    EXPECT_EQ(counts().queued, 3U);
    EXPECT_THAT(queued(), SizeIs(3));
    reopen();
    EXPECT_THAT(queued(), SizeIs(3));
    close();
    expect_sequences_without_gap();
    EXPECT_THAT(log(), HasSubstr(GetParam().second));
    EXPECT_THAT(log(), HasSubstr("commits work again"));
}

INSTANTIATE_TEST_SUITE_P(OfEachKind, Trouble,
                         testing::Values(std::pair(SQLITE_FULL, "free space"),
                                         std::pair(SQLITE_IOERR_WRITE, "disk errors"),
                                         std::pair(SQLITE_IOERR_FSYNC, "disk errors"),
                                         std::pair(SQLITE_READONLY, "read-write"),
                                         std::pair(SQLITE_CORRUPT, "restore a backup")));

TEST_F(Faulty, GivesUpKeptAcceptancesOnlyWhenItStops) {
    open();
    ASSERT_EQ(submit(some(1)), Outcome::committed);
    const auto waiting = queued();
    faults().fail(SQLITE_IOERR_WRITE);
    Answer<Outcome> answer;
    store_->outbox().accepted({{waiting[0].row, waiting[0].lane, waiting[0].profile, waiting[0].object_id, false}},
                              answer.callback());
    ASSERT_TRUE(eventually([&] { return !listener_.health().empty(); }));
    store_->stop();
    EXPECT_EQ(answer.get(), Outcome::failed);
    faults().none();
    reopen();
    EXPECT_THAT(queued(), SizeIs(1));
}

TEST_F(Faulty, NoticesADamagedFileWhileItRuns) {
    open();
    // More than the caches hold, so that the file has to be read.
    for (int i = 0; i < 10; ++i) {
        std::vector<NewItem> items;
        for (int j = 0; j < 400; ++j) {
            items.push_back(item(std::string(8000, 'b')));
        }
        ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    }
    std::vector<QueuedItem> waiting = listener_.queued();
    ASSERT_TRUE(eventually([&] { return std::filesystem::file_size(options_.directory / "store.db-wal") == 0; }));
    faults().garbage = true;
    EXPECT_FALSE(store_->outbox().load(std::vector<RowId>{waiting.front().row}));
    std::atomic<int> committed{0};
    for (const QueuedItem& one : waiting) {
        store_->outbox().accepted({{one.row, one.lane, profile_, {}, false}}, [&](Outcome) { ++committed; });
    }
    ASSERT_TRUE(eventually([&] { return !listener_.health().empty(); }));
    EXPECT_FALSE(store_->item_intake().accepting());
    faults().none();
    ASSERT_TRUE(eventually([&] { return committed == 4000; }));
    EXPECT_EQ(counts().queued, 0U);
    close();
    EXPECT_THAT(log(), HasSubstr("damaged"));
}

/// A file system of its own that can be filled up.
class SmallDisk : public StoreTest {
  protected:
    void SetUp() override {
        mounted_ = directory_.path() / "mounted";
        std::filesystem::create_directory(mounted_);
        if (mount("tmpfs", mounted_.c_str(), "tmpfs", 0, "size=24m,mode=0700") != 0) {
            GTEST_SKIP() << "a small file system cannot be mounted here (needs root); the file size limit stands in";
        }
        is_mounted_ = true;
        options_.directory = mounted_ / "state";
        open();
    }
    void TearDown() override {
        close();
        if (is_mounted_) {
            umount2(mounted_.c_str(), MNT_DETACH);
        }
    }
    /// Takes all space that is left.
    void fill_up() {
        std::ofstream ballast(mounted_ / "ballast", std::ios::binary | std::ios::app);
        const std::string block(4096, 'x');
        while (ballast.write(block.data(), 4096).flush()) {
        }
        struct statvfs status {};
        ASSERT_EQ(statvfs(mounted_.c_str(), &status), 0);
        EXPECT_EQ(status.f_bavail, 0U);
    }
    void free_up() { std::filesystem::remove(mounted_ / "ballast"); }

    /// Submits until the store takes no more.
    std::size_t submit_until_refused() {
        std::size_t made = 0;
        while (store_->item_intake().accepting() && made < 100'000) {
            std::vector<NewItem> items;
            for (int i = 0; i < 20; ++i) {
                items.push_back(item(std::string(2000, 'c')));
            }
            if (submit(std::move(items)) != Outcome::committed) {
                break;
            }
            made += 20;
        }
        return made;
    }
    std::filesystem::path mounted_;
    bool is_mounted_ = false;
};

TEST_F(SmallDisk, IsUsedUpToAMarginThatDeliveriesDoNotNeedToTouch) {
    const std::size_t made = submit_until_refused();
    EXPECT_GT(made, 2000U);
    EXPECT_LT(made, 12'000U);
    EXPECT_EQ(counts().queued, made);
    EXPECT_TRUE(std::filesystem::exists(options_.directory / "reserve"));
    for (const StoredItem& one : queued()) {
        store_->outbox().accepted({{one.row, one.lane, one.profile, one.object_id, false}}, {});
    }
    ASSERT_TRUE(eventually([&] { return counts().queued == 0; }));
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); })) << "the pages that became free count";
    EXPECT_THAT(listener_.health(), IsEmpty()) << "deletions worked all the time";
    // And once more, now within the file.
    EXPECT_GT(submit_until_refused(), 2000U);
}

TEST_F(SmallDisk, FullOfOtherThingsLetsDeliveriesThroughAndNothingIn) {
    ASSERT_EQ(submit({item("one"), item("two")}), Outcome::committed);
    const std::size_t made = submit_until_refused();
    fill_up();
    std::size_t accepted_ones = 0;
    auto waiting = queued();
    ASSERT_EQ(waiting.size(), made + 2);
    for (std::size_t i = 0; i < waiting.size() - 500; i += i < 30 ? 3 : 1) {
        ASSERT_EQ(accept(waiting[i]), Outcome::committed) << i;
        ++accepted_ones;
    }
    ASSERT_EQ(refuse(waiting[1].row, {1, Refusal::Kind::hi1_error, "no"}), Outcome::committed);
    EXPECT_EQ(submit(item()), Outcome::failed);
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_THAT(listener_.health(), IsEmpty());
    EXPECT_EQ(counts().queued, made + 2 - accepted_ones - 1);

    free_up();
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_EQ(submit(item("three")), Outcome::committed);
    EXPECT_TRUE(std::filesystem::exists(options_.directory / "reserve"));
    reopen();
    EXPECT_EQ(counts().queued, made + 2 - accepted_ones);
    EXPECT_EQ(queued().size(), made + 2 - accepted_ones);
}

TEST_F(SmallDisk, FilledInTheMiddleOfTheWorkTakesNothingHalf) {
    // No warning: the disk fills while items go in.
    ASSERT_EQ(submit(item()), Outcome::committed);
    fill_up();
    std::vector<NewItem> items;
    for (int i = 0; i < 500; ++i) {
        items.push_back(item(std::string(5000, 'd')));
    }
    EXPECT_EQ(submit(std::move(items)), Outcome::failed);
    EXPECT_EQ(counts().queued, 1U);
    ASSERT_EQ(accept(queued().front()), Outcome::committed);
    free_up();
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_EQ(submit(item()), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(1));
}

TEST_F(SmallDisk, IsNotFilledByObjects) {
    const std::string block(1 << 16, 'o');
    {
        auto writer = store_->object_intake().writer();
        ASSERT_TRUE(writer) << writer.error().message;
        model::Status written;
        while (written && (*writer)->size() < 1U << 30U) {
            written = (*writer)->write(block);
        }
        ASSERT_FALSE(written);
        EXPECT_THAT(written.error().message, HasSubstr("short of disk space"));
        EXPECT_GT((*writer)->size(), 4U << 20U);
        EXPECT_TRUE(store_->item_intake().accepting()) << "what is left is for events";
        EXPECT_EQ(submit(item()), Outcome::committed);
    }
    EXPECT_EQ(files(), 0U);

    // Filled by others in the middle.
    auto writer = store_->object_intake().writer();
    ASSERT_TRUE(writer);
    fill_up();
    model::Status written;
    for (int i = 0; written && i < 100; ++i) {
        written = (*writer)->write(block);
    }
    EXPECT_FALSE(written);
    EXPECT_FALSE((*writer)->finish());
    writer = model::Error{""};
    EXPECT_EQ(files(), 0U);
    free_up();
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting() && takes_object(1 << 20); }));
    EXPECT_EQ(submit(item()), Outcome::committed);
}

TEST_F(SmallDisk, FullOfOtherThingsLetsExpiredObjectsGo) {
    const NewItem made = item_with({object_of(seal("bytes"), model::BinaryModel::a)});
    ASSERT_EQ(submit(made), Outcome::committed);
    ASSERT_EQ(accept(queued().front()), Outcome::committed);
    ASSERT_EQ(counts().objects_offered, 1U);
    // Once the log was cut there is not a page left for it.
    ASSERT_TRUE(eventually([&] { return std::filesystem::file_size(options_.directory / "store.db-wal") == 0; }));
    fill_up();
    clock_.advance_wall(std::chrono::hours(100));
    ASSERT_TRUE(eventually([&] { return counts().objects_offered == 0; }));
    free_up();
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_EQ(submit(item()), Outcome::committed);
}

TEST_F(SmallDisk, FullAtTheStartIsNoReasonNotToDeliver) {
    const std::size_t made = submit_until_refused();
    close();
    fill_up();
    open();
    ASSERT_NE(store_, nullptr);
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_EQ(counts().queued, made);
    for (const StoredItem& one : queued()) {
        store_->outbox().accepted({{one.row, one.lane, one.profile, one.object_id, false}}, {});
    }
    ASSERT_TRUE(eventually([&] { return counts().queued == 0; }));
    free_up();
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
}

TEST_F(Faulty, ARestoreThatFindsNoSpaceIsRecordedLaterAndAnAlarmUntilThen) {
    open();
    ASSERT_EQ(submit(item()), Outcome::committed);
    close();
    const std::filesystem::path backup = directory_.path() / "backup";
    std::filesystem::copy_file(options_.directory / "store.db", backup);
    open();
    ASSERT_EQ(submit(item()), Outcome::committed);
    const audit::Head lost = store_->audit_log().head();
    close();
    std::filesystem::copy_file(backup, options_.directory / "store.db",
                               std::filesystem::copy_options::overwrite_existing);
    // Twice: what could not be recorded is known to the next start, too.
    for (int start = 0; start < 2; ++start) {
        close();
        // What opening itself writes succeeds, and nothing more.
        for (std::int64_t working = 0; working < 100 && !store_; ++working) {
            faults().fail(SQLITE_FULL, working);
            if (auto opened = Store::open(options_, clock_)) {
                store_ = std::move(*opened);
            }
        }
        ASSERT_NE(store_, nullptr);
        ASSERT_TRUE(store_->operator_view().statistics().restore_unrecorded) << start;
        EXPECT_EQ(submit(item()), Outcome::failed);
        EXPECT_TRUE(store_->operator_view().statistics().restore_unrecorded);
    }
    faults().none();
    ASSERT_TRUE(eventually([&] { return !store_->operator_view().statistics().restore_unrecorded; }));
    EXPECT_EQ(std::ranges::count(record_kinds(), RecordKind::store_restored), 1);
    const auto records = store_->operator_view().records(0, 100).value();
    const auto restored = std::ranges::find(records, RecordKind::store_restored, &Record::kind);
    ASSERT_NE(restored, records.end());
    EXPECT_EQ(restored->why, audit::words_of_head(store_->audit_log().range({}, {})->chain, lost));
    reopen();
    EXPECT_EQ(std::ranges::count(record_kinds(), RecordKind::store_restored), 1);
}

TEST_F(Faulty, KeysOfACommitThatFoundNoSpaceAreFreeOnceAnotherIsOnTheDisk) {
    const auto directory = StateDirectory::open(options_.directory).value();
    ASSERT_TRUE(directory.create_database());
    bool no_space = false;
    Secret secret;
    const auto keyring = std::make_shared<Keyring>(secret, std::vector<MasterKey>());
    const auto keys = sqlite::KeySlots::open(options_.directory, keyring, no_space).value();
    Catalogue catalogue;
    sqlite::Database database({&directory, &clock_, &secret, keyring.get(), &catalogue,
                               ObjectFiles::open(options_.directory, no_space).value(), keys, std::chrono::hours(24),
                               1U << 20U});
    ASSERT_TRUE(database.open());
    SealKey key;
    std::uint32_t slot = 0;
    {
        auto transaction = database.begin();
        slot = keys->take_slot(key);
        transaction.effects.taken_slots.push_back(slot);
        static_cast<void>(database.tables().registers.lane(transaction, "lea", "LIID-1"));
        faults().fail(SQLITE_FULL);
        EXPECT_THROW(database.commit(), sqlite::SqlFailure);
        database.roll_back();
        faults().none();
    }
    EXPECT_FALSE(keys->sync_due()) << "what is sealed under it may be on the disk";
    static_cast<void>(database.begin());
    database.commit();
    EXPECT_FALSE(keys->sync_due()) << "nothing was written over it";
    auto transaction = database.begin();
    static_cast<void>(database.tables().registers.lane(transaction, "lea", "LIID-2"));
    database.commit();
    EXPECT_TRUE(keys->sync_due());
    EXPECT_TRUE(keys->sync());
    EXPECT_EQ(keys->take_slot(key), slot);
}

// Old slots of content that was sealed anew are overwritten after a while. A database that is opened anew gives them to
// others before.
TEST_F(Faulty, SlotsThatWaitToBeOverwrittenAreNotOverwrittenUnderOthers) {
    options_.master_keys.emplace_back(std::array<std::uint8_t, MasterKey::size>{1});
    open();
    ASSERT_EQ(submit(some(300)), Outcome::committed);
    Answer<Outcome> begun;
    store_->sealing().rekey("ann", begun.callback());
    ASSERT_EQ(begun.get(), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return store_->sealing().status().part == store_->sealing().status().parts; }))
        << "the last part waits for the slots";
    faults().fail(SQLITE_IOERR_WRITE);
    EXPECT_EQ(submit(some(1)), Outcome::failed);
    faults().none();
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    ASSERT_EQ(submit(some(300)), Outcome::committed);
    ASSERT_TRUE(eventually([&] {
        clock_.advance(std::chrono::seconds(11));
        return !store_->sealing().status().working;
    }));
    ASSERT_EQ(submit(some(300)), Outcome::committed);
    for (const StoredItem& waiting : queued()) {
        ASSERT_EQ(waiting.share, std::string(300, 'a')) << waiting.row;
    }
}

// The commit of a new key may be on the disk although it was told to have failed. What was sealed before has to be
// sealed anew from its beginning then, and both master keys are needed until that is known.
TEST_F(Faulty, ANewKeyOfADoubtfulCommitLosesNothing) {
    const MasterKey first(std::array<std::uint8_t, MasterKey::size>{1});
    const MasterKey second(std::array<std::uint8_t, MasterKey::size>{2});
    options_.master_keys = {first};
    open();
    ASSERT_TRUE(store_->warrant_register().change_warrants({{{"w.yaml", "lea", "LIID-1", "bytes"}}, {}, {}, "ann"}));
    ASSERT_EQ(submit(some(100)), Outcome::committed);
    ASSERT_TRUE(store_->sealing().use({second, first}));
    const auto rekey = [&] { return call([&](Done done) { store_->sealing().rekey("ann", std::move(done)); }); };
    ASSERT_EQ(rekey(), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return store_->sealing().status().part == store_->sealing().status().parts; }));
    faults().fail(SQLITE_IOERR_FSYNC);
    EXPECT_EQ(rekey(), Outcome::failed);
    EXPECT_FALSE(store_->sealing().use({first})) << "the disk may need the second one";
    faults().none();
    ASSERT_TRUE(eventually([&] {
        clock_.advance(std::chrono::seconds(11));
        return !store_->sealing().status().working;
    }));
    options_.master_keys = {second};
    reopen();
    EXPECT_EQ(store_->warrant_register().warrants().value().size(), 1U);
    EXPECT_EQ(store_->sealing().status().unreadable, 0U);
    for (const StoredItem& waiting : queued()) {
        ASSERT_EQ(waiting.share, std::string(300, 'a')) << waiting.row;
    }
}

TEST_F(Faulty, AtAFileSizeLimitFailsItemsAndLetsDeliveriesThrough) {
    struct rlimit before {};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto signal_before = signal(SIGXFSZ, SIG_IGN);
    open();
    ASSERT_EQ(submit(some(50)), Outcome::committed);
    // The log's file may not grow beyond what it has.
    struct rlimit limited = before;
    limited.rlim_cur = std::max<rlim_t>(std::filesystem::file_size(options_.directory / "store.db-wal"),
                                        std::filesystem::file_size(options_.directory / "store.db")) +
                       (1 << 20);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
    std::vector<NewItem> large;
    for (int i = 0; i < 400; ++i) {
        large.push_back(item(std::string(8000, 'e')));
    }
    EXPECT_EQ(submit(std::move(large)), Outcome::failed);
    EXPECT_FALSE(store_->item_intake().accepting());
    for (const StoredItem& one : queued()) {
        EXPECT_EQ(accept(one), Outcome::committed);
    }
    EXPECT_THAT(listener_.health(), IsEmpty()) << log();
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, signal_before);
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_EQ(submit(some(1)), Outcome::committed);
    EXPECT_EQ(counts().queued, 1U);
}

}  // namespace
}  // namespace lihandover::store::test
