// Disks that lose what they were given, that hang, and what can be found on them afterwards.
#include <gmock/gmock.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include "fault_files.hpp"
#include "fault_vfs.hpp"
#include "key_slots.hpp"
#include "sqlite.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using namespace sqlite;

std::string contents(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

class Disks : public StoreTest {
  protected:
    void SetUp() override {
        faults().none();
        file_faults().none();
        // A log of 256 KiB, which is copied and begun anew all the time.
        options_.max_bytes = 4U << 20U;
        before_ = spdlog::default_logger();
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>()));
    }
    void TearDown() override {
        faults().none();
        file_faults().none();
        close();
        follow_the_disk(false);
        follow_files(false);
        spdlog::set_default_logger(before_);
    }

    /// Items come and go; what was answered with success is in `expected`.
    void work(int rounds) {
        for (int round = 0; round < rounds; ++round) {
            std::vector<NewItem> items;
            std::map<model::Uuid, std::string> shares;
            for (int i = 0; i < 12; ++i) {
                items.push_back(item(some_bytes(200 + random_() % 1500, random_())));
                shares[items.back().object_id] = items.back().share;
            }
            (submit(std::move(items)) == Outcome::committed ? expected_ : perhaps_).merge(shares);
            if (round % 2 == 0 || expected_.size() < 60) {
                continue;
            }
            std::vector<Acceptance> accepted;
            for (const QueuedItem& queued : listener_.queued()) {
                if (told_.insert(queued.row).second) {
                    rows_.push_back(queued.row);
                }
            }
            std::ranges::shuffle(rows_, random_);
            const auto loaded = store_->outbox().load(std::span(rows_).first(std::min<std::size_t>(rows_.size(), 25)));
            if (!loaded) {
                continue;
            }
            for (const StoredItem& stored : *loaded) {
                accepted.push_back({stored.row, stored.lane, stored.profile, stored.object_id, false, false});
                expected_.erase(stored.object_id);
                perhaps_.erase(stored.object_id);
                std::erase(rows_, stored.row);
            }
            ASSERT_EQ(call([&](auto done) { store_->outbox().accepted(accepted, done); }), Outcome::committed);
        }
    }
    /// What waits in the store of `directory` is what was answered, byte by byte, and its database is sound.
    void expect_all_in(const std::filesystem::path& directory) {
        {
            Connection look(directory / "store.db");
            Statement check = look.prepare("PRAGMA integrity_check");
            Rows rows(check);
            ASSERT_TRUE(rows.next());
            ASSERT_EQ(rows->bytes(0), "ok");
        }
        Options options = options_;
        options.directory = directory;
        auto opened = Store::open(options, clock_);
        ASSERT_TRUE(opened) << opened.error().message;
        std::vector<RowId> rows;
        ASSERT_TRUE((*opened)->outbox().for_each_queued([&](const QueuedItem& queued) { rows.push_back(queued.row); }));
        const auto items = (*opened)->outbox().load(rows);
        ASSERT_TRUE(items) << items.error().message;
        std::map<model::Uuid, std::string> found;
        for (const StoredItem& stored : *items) {
            found[stored.object_id] = stored.share;
        }
        for (const auto& [id, share] : expected_) {
            ASSERT_TRUE(found.contains(id)) << "answered, and gone; " << found.size() << " of " << expected_.size();
            ASSERT_TRUE(found[id] == share) << "another one than was answered";
            found.erase(id);
        }
        // A commit that failed may be on the disk all the same.
        for (const auto& [id, share] : found) {
            ASSERT_TRUE(perhaps_.contains(id)) << "accepted, and still here";
            ASSERT_TRUE(perhaps_[id] == share);
        }
    }
    void start_over(const std::string& name) {
        close();
        follow_the_disk(false);
        follow_the_disk(true);
        follow_files(true);
        expected_.clear();
        perhaps_.clear();
        told_.clear();
        rows_.clear();
        options_.directory = directory_.path() / name;
        open();
        for (const QueuedItem& queued : listener_.queued()) {
            told_.insert(queued.row);
        }
    }
    /// The machine loses its power now; what its disk has then.
    std::filesystem::path without_power(const std::string& name) {
        auto place = directory_.path() / (name + "-disk");
        std::filesystem::create_directories(place);
        std::filesystem::permissions(place, std::filesystem::perms::owner_all);
        lose_power(options_.directory, place);
        std::ofstream(place / "keys", std::ios::binary) << durable(options_.directory / "keys");
        return place;
    }

    std::mt19937 random_{20261127};
    std::map<model::Uuid, std::string> expected_;
    std::map<model::Uuid, std::string> perhaps_;  ///< answered with failure, and not accepted by the LEA
    std::set<RowId> told_;
    std::vector<RowId> rows_;

  private:
    std::shared_ptr<spdlog::logger> before_;
};

TEST_F(Disks, ThatForgetKeysKeepEveryItem) {
    for (const int times : {1, -1}) {
        for (std::int64_t working = 0; working < 3; ++working) {
            SCOPED_TRACE(std::to_string(times) + " times after " + std::to_string(working) + " that worked");
            const std::string name = "keys" + std::to_string(times) + "-" + std::to_string(working);
            start_over(name);
            work(12);
            file_faults().fail(FileFaults::File::keys, working, times);
            work(60);
            file_faults().none();
            ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
            work(1);
            expect_all_in(without_power(name + "-at-once"));
            work(40);
            expect_all_in(without_power(name));
            if (HasFailure()) {
                return;
            }
        }
    }
}

struct Failure {
    const char* name;
    Faults::File file;
    int code;
    bool syncs_only;
    int times;  ///< negative: until it is mended
};

void PrintTo(const Failure& failure, std::ostream* out) {
    *out << failure.name;
}

class FailingDisks : public Disks, public testing::WithParamInterface<Failure> {};

TEST_P(FailingDisks, NeverMakeTheStoreGiveUpWhatIsNotOnTheDisk) {
    const Failure& failure = GetParam();
    for (std::int64_t working = 0; working < 24; working += 1 + working / 3) {
        SCOPED_TRACE("after " + std::to_string(working) + " that worked");
        const std::string name = std::to_string(working);
        start_over(name);
        work(12);
        faults().only = failure.file;
        faults().syncs_only = failure.syncs_only;
        faults().fail(failure.code, working, failure.times);
        if (failure.times > 0) {
            work(40);
        } else {
            // Nothing is committed until it is mended, acceptances least of all.
            for (int i = 0; i < 30; ++i) {
                std::map<model::Uuid, std::string> shares;
                NewItem one = item(some_bytes(1500, random_()));
                shares[one.object_id] = one.share;
                (submit(std::move(one)) == Outcome::committed ? expected_ : perhaps_).merge(shares);
            }
        }
        faults().none();
        ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
        work(1);
        expect_all_in(without_power(name + "-at-once"));
        work(12);
        expect_all_in(without_power(name));
        if (HasFailure()) {
            return;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Each, FailingDisks,
    testing::Values(Failure{"DatabaseSyncOnce", Faults::File::database, SQLITE_IOERR_FSYNC, true, 1},
                    Failure{"DatabaseSyncAlways", Faults::File::database, SQLITE_IOERR_FSYNC, true, -1},
                    Failure{"DatabaseWriteOnce", Faults::File::database, SQLITE_IOERR_WRITE, false, 1},
                    Failure{"LogSyncOnce", Faults::File::log, SQLITE_IOERR_FSYNC, true, 1},
                    Failure{"LogSyncAlways", Faults::File::log, SQLITE_IOERR_FSYNC, true, -1},
                    Failure{"LogWriteOnce", Faults::File::log, SQLITE_IOERR_WRITE, false, 1},
                    Failure{"AnySyncTwice", Faults::File::any, SQLITE_IOERR_FSYNC, true, 2}),
    [](const auto& which) { return std::string(which.param.name); });

/// How long it goes on at the least: LIHANDOVER_TINY_LOG_SECONDS, for a run that looks for what happens rarely.
std::chrono::seconds wanted_time() {
    const char* const wanted = std::getenv("LIHANDOVER_TINY_LOG_SECONDS");
    return std::chrono::seconds(wanted != nullptr ? std::strtol(wanted, nullptr, 10) : 0);
}

TEST_F(Disks, WithTinyLogsAndConstantCopyingKeepEveryItem) {
    start_over("tiny");
    const auto until = std::chrono::steady_clock::now() + wanted_time();
    // Readers hold the log open at all times.
    std::jthread reader([&](const std::stop_token& ended) {
        while (!ended.stop_requested()) {
            static_cast<void>(store_->operator_view().items(std::nullopt, {}, 500));
        }
    });
    int runs = 0;
    do {
        work(500);
        const auto disk = without_power("tiny" + std::to_string(runs++));
        expect_all_in(disk);
        std::filesystem::remove_all(disk);
    } while (!HasFailure() && std::chrono::steady_clock::now() < until);
    reader.request_stop();
    reader.join();
    RecordProperty("rounds", runs * 500);
    close();
    expect_all_in(options_.directory);
}

TEST_F(Disks, ThatHangRefuseSourcesAndSaySo) {
    options_.commit_timeout = std::chrono::milliseconds(300);
    open();
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_TRUE(store_->turns());
    faults().hang_syncs = true;
    Answer<Outcome> held;
    std::vector<NewItem> one;
    one.push_back(item());
    submit_to(store_->item_intake(), std::move(one), held.callback());
    ASSERT_TRUE(eventually([&] { return !store_->turns(); }));
    EXPECT_FALSE(store_->item_intake().accepting());
    // What nobody began fails at once, so that its source can be told.
    EXPECT_EQ(submit(item()), Outcome::failed);
    ASSERT_TRUE(eventually([&] { return listener_.health() == std::vector<bool>{false}; }));
    faults().hang_syncs = false;
    EXPECT_EQ(held.get(), Outcome::committed) << "it was begun, and its disk came back";
    ASSERT_TRUE(eventually([&] { return store_->turns() && store_->item_intake().accepting(); }));
    ASSERT_TRUE(eventually([&] { return listener_.health() == std::vector<bool>{false, true}; }));
    EXPECT_EQ(counts().queued, 2U);
}

class Remains : public Disks {
  protected:
    /// The state directory's files, one after the other.
    std::string all_files() const {
        std::string all;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.directory)) {
            if (entry.is_regular_file()) {
                all += contents(entry.path());
            }
        }
        return all;
    }
    /// What is stored of each item's content, by row.
    std::map<RowId, std::string> sealed() {
        std::map<RowId, std::string> found;
        Connection look(options_.directory / "store.db");
        Statement select = look.prepare("SELECT id, octets FROM share");
        for (Rows rows(select); rows.next();) {
            found[rows->integer(0)] = rows->bytes(1);
        }
        return found;
    }
};

TEST_F(Remains, OfDeletedContentCannotBeFoundNorOpened) {
    options_.max_bytes = 0;
    open();
    std::map<model::Uuid, std::string> marks;
    for (int group = 0; group < 14; ++group) {
        std::vector<NewItem> items;
        for (int i = 0; i < 100; ++i) {
            const auto mark = "mark-" + model::Uuid::random().to_string();
            items.push_back(item(mark + some_bytes(random_() % 400, random_())));
            marks[items.back().object_id] = mark;
        }
        ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    }
    const auto before = sealed();
    ASSERT_EQ(before.size(), 1400U);
    auto waiting = queued();
    ASSERT_EQ(waiting.size(), 1400U);
    std::ranges::shuffle(waiting, random_);
    std::vector<model::Uuid> rejected;
    for (std::size_t i = 0; i < 1200; ++i) {
        if (i % 3 == 0) {
            ASSERT_EQ(refuse(waiting[i].row, {3005, Refusal::Kind::hi1_error, "no"}), Outcome::committed);
            rejected.push_back(waiting[i].object_id);
        } else if (i % 3 == 1) {
            ASSERT_EQ(call([&](auto done) { store_->outbox().set_aside(waiting[i].row, {}, done); }),
                      Outcome::committed);
            ASSERT_EQ(accept(waiting[i]), Outcome::committed);
        } else {
            ASSERT_EQ(accept(waiting[i]), Outcome::committed);
        }
    }
    EXPECT_EQ(reject(rejected).second, rejected.size());
    // Content is never there as it is, while it waits no more than afterwards.
    const std::string running = all_files();
    for (const auto& [id, mark] : marks) {
        ASSERT_EQ(running.find(mark), std::string::npos);
    }
    close();
    // Whatever remains of the sealed bytes somewhere: no key that is left opens any of them.
    const std::string keys = contents(options_.directory / "keys");
    const std::size_t slots = keys.size() / SealKey::size;
    const auto opens = [&](RowId row, const std::string& bytes) {
        for (std::size_t slot = 0; slot < slots; ++slot) {
            SealKey key;
            EXPECT_TRUE(key.set(std::string_view(keys).substr(slot * SealKey::size, SealKey::size)));
            if (unseal_content(key, row, bytes, "")) {
                return true;
            }
        }
        return false;
    };
    for (std::size_t i = 0; i < 300; ++i) {
        ASSERT_FALSE(opens(waiting[i * 4].row, before.at(waiting[i * 4].row)));
    }
    for (std::size_t i = 1200; i < 1220; ++i) {
        EXPECT_TRUE(opens(waiting[i].row, before.at(waiting[i].row))) << "the test itself works";
    }
    open();
    EXPECT_THAT(queued(), testing::SizeIs(200));
}

TEST_F(Remains, OfBinaryObjectsNothingCanBeReadInTheFilesAtAnyTime) {
    options_.max_bytes = 0;
    open();
    NewObject whole = object_of(seal("a photograph"), model::BinaryModel::b);
    auto source = std::make_shared<SourceFile>(*source_file(100));
    source->path = "a-telling/path.jpg";
    NewObject named = object_of(source, model::BinaryModel::b);
    for (NewObject* object : {&whole, &named}) {
        object->url = "https://lea.example.com/telling-url";
        object->original_filename = "telling-name.jpg";
        object->content_type = "image/telling";
        object->csp_defined_identifier = "telling-id";
    }
    ASSERT_EQ(submit(item_with({whole, named})), Outcome::committed);
    EXPECT_EQ(all_files().find("telling"), std::string::npos) << "in the log";
    reopen();
    EXPECT_EQ(all_files().find("telling"), std::string::npos) << "in the database";
    const auto files = store_->object_intake().pending_files().value();
    ASSERT_EQ(files.size(), 1U);
    EXPECT_EQ(files[0]->path, "a-telling/path.jpg");
    const auto found = find_object(whole.id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->described.url, whole.url);
    EXPECT_EQ(found->described.original_filename, whole.original_filename);
    EXPECT_EQ(found->described.content_type, whole.content_type);
    EXPECT_EQ(found->described.csp_defined_identifier, whole.csp_defined_identifier);
    EXPECT_EQ(unseal(*found->sealed), "a photograph");
    // Without their keys nothing is known of them, and nothing stops. The first one is the proof's.
    close();
    std::filesystem::resize_file(options_.directory / "keys", 32);
    open();
    EXPECT_EQ(find_object(whole.id)->sealed, nullptr);
    EXPECT_EQ(store_->object_intake().pending_files().value().at(0)->path, "");
    ASSERT_EQ(submit(item("next")), Outcome::committed);
}

TEST_F(Remains, KeysOfItemsThatGoAreOverwrittenAlsoWhenTheirSyncComesLate) {
    open();
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    const std::string before = contents(options_.directory / "keys");
    const auto waiting = queued();
    ASSERT_EQ(waiting.size(), 1U);
    ASSERT_EQ(accept(waiting[0]), Outcome::committed);
    const std::string after = contents(options_.directory / "keys");
    ASSERT_EQ(before.size(), after.size());
    EXPECT_NE(before, after) << "overwritten by the time that the acceptance is answered";
}

TEST_F(Remains, ContentWithoutItsKeyStopsNothing) {
    open();
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    close();
    std::filesystem::resize_file(options_.directory / "keys", 32);
    open();
    ASSERT_EQ(submit(item("second")), Outcome::committed);
    const auto waiting = queued();
    ASSERT_EQ(waiting.size(), 2U);
    EXPECT_EQ(waiting[0].share, "") << "which is no share: its delivery says so";
    EXPECT_EQ(waiting[1].share, "second");
    // Its slot is nobody else's until it goes.
    ASSERT_EQ(accept(waiting[0]), Outcome::committed);
    EXPECT_EQ(queued().at(0).share, "second");
}

}  // namespace
}  // namespace lihandover::store::test
