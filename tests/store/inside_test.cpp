// The parts inside the room: migrations, counters, the state directory, the wrapper.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "common/directory.hpp"
#include "common/keyring.hpp"
#include "common/secret.hpp"
#include "conversations.hpp"
#include "lihandover/store/look.hpp"
#include "lihandover/store/newest_entry.hpp"
#include "operator_reads.hpp"
#include "outbox_reads.hpp"
#include "schema.hpp"
#include "sealing_functions.hpp"
#include "sqlite.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using namespace sqlite;

using testing::HasSubstr;

class Database : public testing::Test {
  protected:
    Connection connect() {
        std::ofstream(file_, std::ios::app).flush();
        Connection connection(file_);
        set_up_writer(connection);
        add_sealing_functions(connection, keyring_);
        return connection;
    }
    Secret nothing_secret_;
    Keyring keyring_{nothing_secret_, {}};
    lihandover::test::TemporaryDirectory directory_;
    std::filesystem::path file_ = directory_.path() / "some.db";
};

TEST_F(Database, IsLookedThroughInStepsForWhatIsQueued) {
    std::ofstream(file_, std::ios::app).flush();
    Connection connection(file_);
    connection.execute("CREATE TABLE item(id INTEGER PRIMARY KEY, object_id BLOB NOT NULL)");
    std::vector<model::Uuid> ids;
    Statement insert = connection.prepare("INSERT INTO item(id, object_id) VALUES(?, ?)");
    for (const RowId row : {2, 4, 6}) {
        ids.push_back(model::Uuid::random());
        insert.bind(1, row).bind(2, std::span<const std::uint8_t>(ids.back().bytes)).run();
    }
    const Locator::Step first = locate(connection, {ids[0], ids[2], model::Uuid::random()}, 0, 2);
    EXPECT_THAT(first.found, testing::ElementsAre(std::pair(ids[0], RowId{2})));
    EXPECT_EQ(first.last, RowId{4});
    const Locator::Step second = locate(connection, {ids[2]}, 4, 2);
    EXPECT_THAT(second.found, testing::ElementsAre(std::pair(ids[2], RowId{6})));
    EXPECT_EQ(second.last, RowId{6});
    EXPECT_FALSE(locate(connection, {ids[2]}, 6, 2).last);
}

constexpr const char* synthetic_step =
    "ALTER TABLE lane ADD COLUMN note TEXT; CREATE TABLE added(id INTEGER PRIMARY KEY)";

std::vector<MigrationStep> with_synthetic_step() {
    std::vector<MigrationStep> steps(migration_steps().begin(), migration_steps().end());
    steps.push_back({steps.back().version + 1, synthetic_step});
    return steps;
}

TEST_F(Database, HasStepsWithoutGaps) {
    std::int64_t expected = 1;
    for (const MigrationStep& step : migration_steps()) {
        EXPECT_EQ(step.version, expected++);
    }
}

TEST_F(Database, IsBroughtToTheNewestVersionKeepingItsRows) {
    const auto steps = with_synthetic_step();
    {
        Connection connection = connect();
        ASSERT_TRUE(migrate(connection, migration_steps()));
        connection.execute("INSERT INTO lane(destination, liid, provided) VALUES('lea', 'LIID-1', 0)");
    }
    Connection connection = connect();
    ASSERT_TRUE(migrate(connection, steps));
    EXPECT_EQ(connection.integer("PRAGMA user_version"), steps.back().version);
    EXPECT_EQ(connection.integer("SELECT count(*) FROM lane WHERE note IS NULL"), 1);
    EXPECT_EQ(connection.integer("SELECT count(*) FROM added"), 0);
    ASSERT_TRUE(migrate(connection, steps)) << "a second time does nothing";
}

/// The operations that SQLite makes of a statement.
std::vector<std::string> operations(Connection& connection, const std::string& sql) {
    std::vector<std::string> out;
    Statement explain = connection.prepare("EXPLAIN " + sql);
    for (Rows rows(explain); rows.next();) {
        out.emplace_back(rows->bytes(1));
    }
    return out;
}

TEST_F(Database, MakesNoTableForEachRowThatIsInserted) {
    Connection connection = connect();
    ASSERT_TRUE(migrate(connection, migration_steps()));
    std::vector<std::string> tables;
    {
        Statement names = connection.prepare("SELECT name FROM sqlite_schema WHERE type='table'");
        for (Rows rows(names); rows.next();) {
            tables.emplace_back(rows->bytes(0));
        }
    }
    ASSERT_THAT(tables, testing::IsSupersetOf({"record", "object", "item", "aside"}));
    for (const std::string& table : tables) {
        const auto made = operations(connection, "INSERT INTO " + table + " DEFAULT VALUES");
        EXPECT_FALSE(made.empty()) << table;
        EXPECT_THAT(made, testing::Not(testing::Contains("OpenEphemeral"))) << table;
    }
}

TEST_F(Database, FindsEndedObjectsByAnIndex) {
    Connection connection = connect();
    ASSERT_TRUE(migrate(connection, migration_steps()));
    const auto plan = [&](const std::string& sql) {
        Statement explain = connection.prepare("EXPLAIN QUERY PLAN " + sql);
        Rows rows(explain);
        return rows.next() ? std::string(rows->bytes(3)) : std::string();
    };
    EXPECT_THAT(plan("SELECT item FROM record WHERE (kind=9 OR kind=13 OR kind=14) AND object_id=?"),
                testing::HasSubstr("record_object_ended"));
    EXPECT_THAT(plan("SELECT id FROM object WHERE (state=1 OR state=2 OR state=3 OR state=4) AND item_uuid=?"),
                testing::HasSubstr("object_item_uuid"));
}

TEST_F(Database, PagesThroughOneStateByAnIndex) {
    Connection connection = connect();
    ASSERT_TRUE(migrate(connection, migration_steps()));
    Statement explain = connection.prepare(std::string("EXPLAIN QUERY PLAN ") + aside_page_of_state);
    std::vector<std::string> plan;
    for (Rows rows(explain); rows.next();) {
        plan.emplace_back(rows->bytes(3));
    }
    // Nothing is scanned, and nothing sorted.
    EXPECT_THAT(plan,
                testing::ElementsAre(testing::HasSubstr("USING INDEX aside_state (state=? AND <expr>=? AND id>?)"),
                                     testing::HasSubstr("USING INTEGER PRIMARY KEY")));
}

TEST_F(Database, ReadsWhatIsSetAsideInTheOrderOfItsRows) {
    Connection connection = connect();
    ASSERT_TRUE(migrate(connection, migration_steps()));
    Statement explain = connection.prepare(std::string("EXPLAIN QUERY PLAN ") + set_aside_items);
    Rows rows(explain);
    ASSERT_TRUE(rows.next());
    EXPECT_THAT(std::string(rows->bytes(3)), testing::HasSubstr("USING INTEGER PRIMARY KEY (rowid>?)"));
    EXPECT_FALSE(rows.next()) << "nothing is sorted";
}

TEST_F(Database, KeepsTheOldVersionWhenAStepFailsHalfway) {
    auto steps = with_synthetic_step();
    steps.push_back(
        {steps.back().version + 1, "CREATE TABLE half(id INTEGER PRIMARY KEY); INSERT INTO nowhere VALUES(1)"});
    Connection connection = connect();
    EXPECT_THROW(static_cast<void>(migrate(connection, steps)), SqlFailure);
    EXPECT_EQ(connection.integer("PRAGMA user_version"), steps.back().version - 1);
    EXPECT_EQ(connection.integer("SELECT count(*) FROM sqlite_schema WHERE name='half'"), 0);
    steps.back().sql = "CREATE TABLE half(id INTEGER PRIMARY KEY)";
    EXPECT_TRUE(migrate(connection, steps));
    EXPECT_EQ(connection.integer("PRAGMA user_version"), steps.back().version);
}

TEST_F(Database, OfANewerVersionIsRefused) {
    Connection connection = connect();
    ASSERT_TRUE(migrate(connection, with_synthetic_step()));
    const auto status = migrate(connection, migration_steps());
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("newer version"));
}

TEST_F(Database, OfSomebodyElseIsRefused) {
    Connection connection = connect();
    connection.execute("CREATE TABLE cookies(id INTEGER)");
    const auto status = migrate(connection, migration_steps());
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("not a store"));
}

class Counters : public Database {
  protected:
    void SetUp() override {
        ASSERT_TRUE(prepare_hashing());
        ASSERT_TRUE(secret_.set(std::string(32, 'k')));
        connection_ = connect();
        ASSERT_TRUE(migrate(connection_, migration_steps()));
        conversations_.open(connection_);
        insert_record_ =
            connection_.prepare("INSERT INTO record(id, at, kind, lane, level_id, sequence) VALUES(?, 0, 3, ?, ?, ?)");
    }
    /// Gives the next number and writes the record that goes with it.
    model::ApplicationCorrelation take(LaneId lane, std::uint64_t conversation) {
        const auto correlation = conversations_.next(lane, hash_of(conversation));
        insert_record_.bind(1, ++record_)
            .bind(2, lane)
            .bind(3, static_cast<std::int64_t>(correlation.level_id))
            .bind(4, static_cast<std::int64_t>(correlation.sequence_number))
            .run();
        return correlation;
    }
    void restart() {
        conversations_.close();
        conversations_.open(connection_);
    }
    Secret secret_;
    Connection connection_;
    Statement insert_record_;
    Conversations conversations_{secret_};
    std::int64_t record_ = 0;
};

TEST_F(Counters, CountEachConversationOfEachLaneFromZero) {
    ScopedTransaction transaction(connection_);
    const auto first = take(1, 10);
    EXPECT_EQ(first.sequence_number, 0U);
    EXPECT_LT(first.level_id, std::uint64_t{1} << 53);
    EXPECT_EQ(take(1, 10).sequence_number, 1U);
    EXPECT_EQ(take(1, 10).level_id, first.level_id);
    EXPECT_EQ(take(1, 11).sequence_number, 0U);
    EXPECT_EQ(take(2, 10).sequence_number, 0U);
    EXPECT_NE(take(2, 10).level_id, first.level_id);
}

TEST_F(Counters, AreKnownFromTheRecordsWhenTheTableIsBehind) {
    {
        ScopedTransaction transaction(connection_);
        for (int i = 0; i < 10; ++i) {
            static_cast<void>(take(1, 10));
        }
        transaction.commit();
        conversations_.commit();
    }
    EXPECT_EQ(connection_.integer("SELECT max(next_sequence) FROM conversation"), 0);
    restart();
    ScopedTransaction transaction(connection_);
    EXPECT_EQ(take(1, 10).sequence_number, 10U);
    conversations_.flush(record_);
    transaction.commit();
    conversations_.commit();
    EXPECT_EQ(conversations_.upto(), record_);
    EXPECT_EQ(connection_.integer("SELECT max(next_sequence) FROM conversation"), 11);
    restart();
    EXPECT_EQ(conversations_.next(1, hash_of(10)).sequence_number, 11U);
}

TEST_F(Counters, GoBackWithARolledBackTransaction) {
    {
        ScopedTransaction transaction(connection_);
        EXPECT_EQ(take(1, 10).sequence_number, 0U);
        transaction.commit();
        conversations_.commit();
    }
    {
        ScopedTransaction transaction(connection_);
        EXPECT_EQ(take(1, 10).sequence_number, 1U);
        EXPECT_EQ(take(1, 10).sequence_number, 2U);
        EXPECT_EQ(take(1, 12).sequence_number, 0U);
        conversations_.flush(record_);
    }
    conversations_.roll_back();
    record_ = 1;
    ScopedTransaction transaction(connection_);
    EXPECT_EQ(take(1, 10).sequence_number, 1U);
    EXPECT_EQ(take(1, 12).sequence_number, 0U);
    transaction.commit();
    conversations_.commit();
    EXPECT_EQ(connection_.integer("SELECT count(*) FROM conversation"), 2);
    restart();
    EXPECT_EQ(conversations_.next(1, hash_of(10)).sequence_number, 2U);
    EXPECT_EQ(conversations_.next(1, hash_of(12)).sequence_number, 1U);
}

TEST_F(Counters, StayRightThroughManyConversationsFlushesAndRestarts) {
    std::map<std::pair<LaneId, std::uint64_t>, std::uint64_t> expected;
    std::map<std::pair<LaneId, std::uint64_t>, std::uint64_t> levels;
    std::set<std::pair<LaneId, std::uint64_t>> seen_levels;
    std::uint64_t state = 1;
    for (int group = 0; group < 120; ++group) {
        ScopedTransaction transaction(connection_);
        auto before = expected;
        for (int i = 0; i < 200; ++i) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            const std::pair place(static_cast<LaneId>(1 + (state >> 33U) % 5), (state >> 40U) % 20'000);
            const auto correlation = take(place.first, place.second);
            ASSERT_EQ(correlation.sequence_number, expected[place]++);
            const auto [known, added] = levels.try_emplace(place, correlation.level_id);
            ASSERT_EQ(known->second, correlation.level_id);
            if (added) {
                seen_levels.emplace(place.first, correlation.level_id);
            }
        }
        if (conversations_.flush_due(record_)) {
            conversations_.flush(record_);
        }
        if (group % 7 == 3) {
            connection_.roll_back();
            conversations_.roll_back();
            record_ -= 200;
            expected = before;
        } else {
            transaction.commit();
            conversations_.commit();
        }
        if (group % 50 == 49) {
            restart();
        }
    }
    EXPECT_EQ(seen_levels.size(), levels.size()) << "no two conversations of a lane share a level_id";
}

TEST(TheStateDirectory, IsMadeAndClosedToOthers) {
    const lihandover::test::TemporaryDirectory parent;
    const auto path = parent.path() / "made";
    const mode_t mask = umask(0);
    {
        const auto directory = StateDirectory::open(path);
        ASSERT_TRUE(directory) << directory.error().message;
        ASSERT_TRUE(directory->create_database());
        struct stat status {};
        ASSERT_EQ(stat(path.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, 0700U);
        ASSERT_EQ(stat(directory->database().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, 0600U);
    }
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
    EXPECT_TRUE(StateDirectory::open(path));
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    umask(mask);
}

TEST(TheStateDirectory, IsHeldByOneAtATime) {
    const lihandover::test::TemporaryDirectory parent;
    auto first = std::make_unique<model::Result<StateDirectory>>(StateDirectory::open(parent.path()));
    ASSERT_TRUE(*first);
    const auto second = StateDirectory::open(parent.path());
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr("in use by another daemon"));
    EXPECT_THAT(second.error().message, HasSubstr(std::to_string(getpid())));
    first.reset();
    EXPECT_TRUE(StateDirectory::open(parent.path()));
}

TEST(TheStateDirectory, HasToBeADirectory) {
    const lihandover::test::TemporaryDirectory parent;
    std::ofstream(parent.path() / "file") << "x";
    EXPECT_FALSE(StateDirectory::open(parent.path() / "file"));
    EXPECT_FALSE(StateDirectory::open(parent.path() / "no" / "such"));
}

TEST(TheStateDirectory, SetsSpaceAsideAndGivesItBack) {
    const lihandover::test::TemporaryDirectory parent;
    const auto directory = StateDirectory::open(parent.path());
    ASSERT_TRUE(directory);
    EXPECT_FALSE(directory->release());
    ASSERT_TRUE(directory->set_aside(1 << 20));
    struct stat status {};
    ASSERT_EQ(stat(directory->reserve().c_str(), &status), 0);
    EXPECT_GE(status.st_blocks * 512, 1 << 20);
    EXPECT_TRUE(directory->set_aside(1 << 20));
    EXPECT_TRUE(directory->release());
    EXPECT_FALSE(std::filesystem::exists(directory->reserve()));
}

TEST(TheSpacePlan, FitsTheFileSystemAndTheLimit) {
    constexpr std::uint64_t mebi = 1 << 20;
    const auto large = SpacePlan::of(1000ULL << 30, 0);
    EXPECT_EQ(large.reserve, 64 * mebi);
    EXPECT_EQ(large.wal_target, 16 * mebi);
    const auto small = SpacePlan::of(16 * mebi, 0);
    EXPECT_EQ(small.reserve, 2 * mebi);
    EXPECT_LE(small.wal_limit, small.reserve / 2);
    EXPECT_EQ(SpacePlan::of(1000ULL << 30, 8 * mebi).wal_target, mebi / 2);
    EXPECT_GE(SpacePlan::of(0, 1).wal_target, 256U * 1024);
}

class Opening : public StoreTest {
  protected:
    std::string refusal() {
        auto opened = Store::open(options_, clock_);
        return opened ? std::string() : opened.error().message;
    }
    void change(const char* sql) {
        Connection connection(options_.directory / "store.db");
        connection.execute(sql);
    }
};

TEST_F(Opening, RefusesANewerStore) {
    open();
    close();
    change("PRAGMA user_version=999");
    EXPECT_THAT(refusal(), HasSubstr("newer version"));
    change(("PRAGMA user_version=" + std::to_string(migration_steps().back().version)).c_str());
    EXPECT_EQ(refusal(), "");
}

TEST_F(Opening, RefusesAStoreThatIsInUse) {
    open();
    EXPECT_THAT(refusal(), HasSubstr("in use by another daemon"));
}

TEST_F(Opening, RefusesAFileThatIsNoDatabase) {
    open();
    close();
    std::ofstream(options_.directory / "store.db", std::ios::binary) << std::string(8192, '?');
    EXPECT_THAT(refusal(), HasSubstr("restore a backup"));
}

TEST_F(Opening, RefusesADamagedDatabase) {
    open();
    std::vector<NewItem> items;
    for (int i = 0; i < 2000; ++i) {
        items.push_back(item(std::string(500, 'x')));
    }
    ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    close();
    {
        std::fstream file(options_.directory / "store.db", std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(4096);
        file << std::string(std::filesystem::file_size(options_.directory / "store.db") - 4096, '\x55');
    }
    EXPECT_THAT(refusal(), HasSubstr("restore a backup"));
}

TEST_F(Opening, RefusesAReadOnlyFileSystemWithAdvice) {
    const auto mounted = directory_.path() / "mounted";
    std::filesystem::create_directory(mounted);
    if (mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=24m,mode=0700") != 0) {
        GTEST_SKIP() << "a small file system cannot be mounted here";
    }
    options_.directory = mounted;
    open();
    close();
    EXPECT_EQ(mount("tmpfs", mounted.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=24m"), 0);
    EXPECT_THAT(refusal(), HasSubstr("Read-only file system"));
    EXPECT_EQ(umount(mounted.c_str()), 0);
}

TEST_F(Opening, IsPrecededByALookAtWhatTimeHasPassed) {
    EXPECT_FALSE(newest_entry(options_.directory)) << "there is none";
    open();
    const model::Instant made = clock_.wall();
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_EQ(newest_entry(options_.directory).value().micros(), made.micros()) << "also while it is in the log";
    clock_.advance_wall(std::chrono::hours(1));
    ASSERT_EQ(accept(queued().at(0)), Outcome::committed);
    close();
    EXPECT_EQ(newest_entry(options_.directory).value().micros(), clock_.wall().micros());
    std::ofstream(options_.directory / "store.db", std::ios::binary) << std::string(8192, '?');
    EXPECT_FALSE(newest_entry(options_.directory)) << "none that can be read";
}

TEST_F(Opening, IsForeseenByALookBesideWhoeverHasItOpen) {
    EXPECT_EQ(look_at_store(options_.directory, {}).value(), std::set<std::string>{}) << "there is none";
    open();
    EXPECT_EQ(look_at_store(options_.directory, {}).value(), std::set<std::string>{});
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_EQ(look_at_store(options_.directory, {}).value(), std::set<std::string>{"lea"});
    change("PRAGMA user_version=999");
    EXPECT_THAT(look_at_store(options_.directory, {}).error().message, HasSubstr("newer version"));
    change("PRAGMA user_version=1");
    EXPECT_EQ(look_at_store(options_.directory, {}).value(), std::set<std::string>{}) << "would be migrated";
    close();
    std::ofstream(options_.directory / "store.db", std::ios::binary) << std::string(8192, '?');
    EXPECT_FALSE(look_at_store(options_.directory, {}));
}

/// Where the keys of content are not those that the database names.
class KeysOfAStore : public Opening {
  protected:
    void SetUp() override {
        before_ = spdlog::default_logger();
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
        open();
        for (int i = 0; i < 5; ++i) {
            ASSERT_EQ(submit(item("share " + std::to_string(i))), Outcome::committed);
        }
        close();
        keys_ = content(keys());
        ASSERT_FALSE(keys_.empty());
    }
    void TearDown() override {
        close();
        spdlog::set_default_logger(before_);
    }
    [[nodiscard]] std::filesystem::path keys() const { return options_.directory / "keys"; }
    static std::string content(const std::filesystem::path& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static void put(const std::filesystem::path& path, std::string_view bytes) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    }
    void move_database(const std::filesystem::path& from, const std::filesystem::path& to) {
        for (const char* name : {"store.db", "store.db-wal", "store.db-shm"}) {
            if (std::filesystem::exists(from / name)) {
                std::filesystem::rename(from / name, to / name);
            }
        }
    }
    void expect_all_items() {
        open();
        const auto items = queued();
        ASSERT_EQ(items.size(), 5U);
        for (std::size_t i = 0; i < items.size(); ++i) {
            EXPECT_EQ(items[i].share, "share " + std::to_string(i));
        }
    }

    std::string keys_;
    std::ostringstream log_;

  private:
    std::shared_ptr<spdlog::logger> before_;
};

TEST_F(KeysOfAStore, AreNotOverwrittenWhereTheDatabaseIsGone) {
    const auto aside = directory_.path() / "aside";
    std::filesystem::create_directory(aside);
    move_database(options_.directory, aside);
    EXPECT_THAT(refusal(), HasSubstr("no store.db"));
    EXPECT_FALSE(std::filesystem::exists(options_.directory / "store.db"));
    put(options_.directory / "store.db", "");
    EXPECT_THAT(refusal(), HasSubstr("no store.db"));
    EXPECT_TRUE(content(keys()) == keys_);
    move_database(aside, options_.directory);
    expect_all_items();
}

TEST_F(KeysOfAStore, AreNotOverwrittenByAnotherStore) {
    const auto first = options_.directory;
    options_.directory = directory_.path() / "other";
    open();
    ASSERT_EQ(submit(item("of the other")), Outcome::committed);
    close();
    put(keys(), keys_);
    EXPECT_THAT(refusal(), HasSubstr("not the file of this store's keys"));
    EXPECT_TRUE(content(keys()) == keys_);
    options_.directory = first;
    expect_all_items();
}

TEST_F(KeysOfAStore, ThatKnewOfNoProofGetOne) {
    change("DELETE FROM meta WHERE name IN ('keys_slot', 'keys_proof')");
    expect_all_items();
    close();
    put(keys(), std::string(keys_.size(), 'k'));
    EXPECT_THAT(refusal(), HasSubstr("not the file of this store's keys"));
}

TEST_F(KeysOfAStore, ThatAreCutOffAreCountedInTheLog) {
    // The first slot is that of the proof, then come those of the items.
    std::filesystem::resize_file(keys(), 3 * 32);
    open();
    const auto items = queued();
    ASSERT_EQ(items.size(), 5U);
    EXPECT_EQ(std::ranges::count(items, "", &StoredItem::share), 3);
    close();
    EXPECT_THAT(log_.str(), HasSubstr("3 keys of stored content are missing"));
}

TEST_F(KeysOfAStore, AreMadeAnewWhereAllAreLostAndSomebodySaysSo) {
    std::filesystem::remove(keys());
    for (int i = 0; i < 2; ++i) {
        EXPECT_THAT(refusal(), HasSubstr("not the file of this store's keys"));
    }
    change("DELETE FROM meta WHERE name='keys_proof'");
    open();
    EXPECT_EQ(std::ranges::count(queued(), "", &StoredItem::share), 5);
    ASSERT_EQ(submit(item("later")), Outcome::committed);
    reopen();
    EXPECT_EQ(queued().back().share, "later");
    close();
    EXPECT_THAT(log_.str(), HasSubstr("5 keys of stored content are missing"));
}

TEST_F(Opening, ClosesItsFilesToOthers) {
    const mode_t mask = umask(0);
    open();
    ASSERT_EQ(submit(item()), Outcome::committed);
    umask(mask);
    for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
        struct stat status {};
        ASSERT_EQ(stat(entry.path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, entry.is_directory() ? 0700U : 0600U) << entry.path();
    }
}

}  // namespace
}  // namespace lihandover::store::test
