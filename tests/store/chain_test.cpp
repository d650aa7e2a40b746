// The chain of audit entries as the engine keeps it: checkpoints, retention, and rows that somebody changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>

#include <atomic>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "lihandover/audit/lines.hpp"
#include "lihandover/audit/verification.hpp"
#include "sqlite.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using namespace sqlite;
using testing::HasSubstr;

constexpr std::string_view private_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";

class Chain : public StoreTest {
  protected:
    Chain() { open(); }

    void execute(const std::string& sql) const {
        Connection other(options_.directory / "store.db");
        other.execute(sql);
    }
    [[nodiscard]] std::int64_t number(const std::string& sql) const {
        Connection other(options_.directory / "store.db");
        return other.integer(sql.c_str());
    }
    /// With a checkpoint behind each `entries` and one at the end.
    void make(int entries, int checkpoints = 1) {
        for (int n = 0; n < checkpoints; ++n) {
            for (int i = 0; i < entries; ++i) {
                ASSERT_EQ(submit(item()), Outcome::committed);
            }
            clock_.advance(std::chrono::minutes(11));
        }
        reopen();
    }
    struct Lines final : AuditLog::Visitor {
        [[nodiscard]] bool entry(const audit::Recorded& recorded) override {
            audit::write_line(recorded, false, text);
            ++entries;
            return true;
        }
        void checkpoint(const audit::Checkpoint& checkpoint) override {
            audit::write_line(checkpoint, text);
            ++checkpoints;
        }
        std::string text;
        std::size_t entries = 0;
        std::size_t checkpoints = 0;
    };
    /// An export as the control API and lihandoverctl make it.
    std::string exported(std::optional<model::Instant> since = {}, std::optional<model::Instant> until = {}) {
        const auto range = store_->audit_log().range(since, until).value();
        Lines lines;
        audit::write_line(audit::Header{range.chain,
                                        "",
                                        "",
                                        clock_.wall(),
                                        {range.from.number, range.from.hash},
                                        range.to,
                                        range.head,
                                        since,
                                        until,
                                        "",
                                        ""},
                          lines.text);
        if (range.before) {
            audit::write_line(*range.before, lines.text);
        }
        AuditLog::Place place = range.from;
        for (bool more = true; more;) {
            const auto read = store_->audit_log().read(place, range.to.number, 3, lines);
            EXPECT_TRUE(read);
            more = read && !read->ended;
            place = read ? read->place : place;
        }
        entries_ = lines.entries;
        checkpoints_ = lines.checkpoints;
        audit::Hasher hasher;
        hasher.update(lines.text);
        const auto count = static_cast<std::uint64_t>(std::ranges::count(lines.text, '\n'));
        audit::write_line(audit::Closing{range.to, count, hasher.finish()}, lines.text);
        return lines.text;
    }
    static std::string findings(const std::vector<std::string>& files, audit::Verification::Options options = {}) {
        audit::Verification verification(std::move(options));
        const auto each = [](std::string_view text, const auto& visit) {
            while (!text.empty()) {
                const auto end = text.find('\n');
                visit(text.substr(0, end));
                text.remove_prefix(end + 1);
            }
        };
        for (const std::string& file : files) {
            verification.begin("file");
            each(file, [&](std::string_view line) { verification.line(line, true); });
            verification.end();
        }
        verification.compare();
        for (const std::string& file : files) {
            verification.begin_second();
            each(file, [&](std::string_view line) { verification.second_line(line); });
            verification.end_second();
        }
        verification.conclude();
        std::string all;
        for (const std::string& finding : verification.findings().told) {
            all += finding + '\n';
        }
        return all;
    }
    std::string findings() { return findings({exported()}); }

    std::size_t entries_ = 0;
    std::size_t checkpoints_ = 0;
};

TEST_F(Chain, AnExportOfItHolds) {
    make(4, 3);
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_EQ(findings(), "");
    EXPECT_EQ(entries_, 13U);
    EXPECT_EQ(checkpoints_, 4U) << "one behind the first entry, which no checkpoint was before";
}

TEST_F(Chain, AnEmptyOneHolds) {
    EXPECT_EQ(findings(), "");
}

TEST_F(Chain, ChangedRowsAreFoundBetweenTheirCheckpoints) {
    make(4, 3);
    const auto found_after = [&](const std::string& change, const std::string& undo) {
        execute(change);
        const std::string found = findings();
        execute(undo);
        EXPECT_EQ(findings(), "") << undo;
        return found;
    };
    EXPECT_THAT(found_after("UPDATE record SET at=at+1 WHERE id=6", "UPDATE record SET at=at-1 WHERE id=6"),
                HasSubstr("the checkpoint at entry 8"));
    EXPECT_THAT(
        found_after("UPDATE record SET nanos=nanos+1000 WHERE id=2", "UPDATE record SET nanos=nanos-1000 WHERE id=2"),
        HasSubstr("the checkpoint at entry 4"));
    EXPECT_THAT(found_after("INSERT INTO record_note(record, who, why) VALUES(3, 'eve', 'she says so')",
                            "DELETE FROM record_note WHERE record=3"),
                HasSubstr("the checkpoint at entry 4"));
    EXPECT_THAT(found_after("UPDATE lane SET liid='LIID-X'", "UPDATE lane SET liid='LIID-1'"),
                HasSubstr("the checkpoint at entry 4"));
    EXPECT_THAT(found_after("UPDATE record SET kind=7 WHERE id=12", "UPDATE record SET kind=3 WHERE id=12"),
                HasSubstr("the checkpoint at entry 12"));
}

TEST_F(Chain, RemovedAndAddedRowsAreFound) {
    make(4, 2);
    const std::string good = exported();
    execute("DELETE FROM record WHERE id=2");
    EXPECT_THAT(findings(), HasSubstr("entry 4 is missing")) << "some of those up to the checkpoint";
    execute(
        "INSERT INTO record SELECT 2, at, kind, lane, object_id, item, level_id, sequence, received, nanos FROM "
        "record WHERE id=3");
    EXPECT_NE(findings(), "") << "another in its place";
    EXPECT_THAT(findings({good, exported()}), HasSubstr("entry 4"));
    execute(
        "INSERT INTO record SELECT 100, at, kind, lane, object_id, item, level_id, sequence, received, nanos FROM "
        "record WHERE id=3");
    EXPECT_NE(findings(), "");
}

TEST_F(Chain, RowsBehindTheLastCheckpointAreFoundByTheHead) {
    make(2);
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_EQ(findings(), "");
    execute("UPDATE record SET at=at+1 WHERE id=3");
    EXPECT_THAT(findings(), HasSubstr("do not lead to the hash that the chain had"));
    execute("DELETE FROM record WHERE id=3");
    EXPECT_THAT(findings(), HasSubstr("entry 3 is missing"));
}

TEST_F(Chain, RetentionDropsWholeStretchesAndACheckpointStandsForThem) {
    options_.record_retention = std::chrono::hours(1);
    make(4, 10);  // 110 minutes
    const auto oldest = [&] { return store_->audit_log().range({}, {})->from.number; };
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
        return oldest() == 20;
    })) << oldest();
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
        return store_->operator_view().records(0, 100)->size() == 20;
    }));
    EXPECT_EQ(findings(), "");
    EXPECT_EQ(entries_, 20U);
    ASSERT_TRUE(store_->audit_log().range({}, {})->before);
    EXPECT_EQ(store_->audit_log().range({}, {})->before->head.number, 20U);
}

TEST_F(Chain, AnExportByTimeIsOfWholeStretches) {
    const model::Instant begun = clock_.wall();
    make(4, 5);
    const auto at = [&](int minutes) { return model::Instant{begun.seconds + minutes * 60, 0}; };
    EXPECT_EQ(findings({exported(at(23), at(25))}), "");
    EXPECT_EQ(entries_, 4U) << "the third";
    EXPECT_EQ(findings({exported(at(23), at(25)), exported()}), "");
    EXPECT_EQ(findings({exported(at(12))}), "");
    EXPECT_EQ(entries_, 16U);
    EXPECT_EQ(findings({exported({}, at(5))}), "");
    EXPECT_EQ(entries_, 4U);
}

/// Of all connections that are opened while one of them lives, in hundreds.
class CountedInstructions {
  public:
    CountedInstructions() { sqlite3_auto_extension(reinterpret_cast<void (*)()>(begin)); }
    CountedInstructions(const CountedInstructions&) = delete;
    CountedInstructions& operator=(const CountedInstructions&) = delete;
    CountedInstructions(CountedInstructions&&) = delete;
    CountedInstructions& operator=(CountedInstructions&&) = delete;
    ~CountedInstructions() { sqlite3_reset_auto_extension(); }

    [[nodiscard]] static std::int64_t since_last() { return count().exchange(0); }

  private:
    static std::atomic<std::int64_t>& count() {
        static std::atomic<std::int64_t> instructions{0};
        return instructions;
    }
    static int begin(sqlite3* connection, char** /*error*/, const void* /*api*/) {
        sqlite3_progress_handler(
            connection, 100,
            [](void*) {
                ++count();
                return 0;
            },
            nullptr);
        return SQLITE_OK;
    }
};

TEST_F(Chain, APageIsReadWithoutLookingAtTheCheckpointsBeforeIt) {
    close();
    options_.audit.checkpoint_entries = 1;
    const CountedInstructions instructions;
    open();
    constexpr std::uint64_t pages = 400;
    constexpr std::uint64_t some = 20;
    for (std::uint64_t i = 0; i < pages; ++i) {
        ASSERT_EQ(submit(item()), Outcome::committed);
    }
    const auto range = store_->audit_log().range({}, {}).value();
    ASSERT_EQ(range.head.number, pages);
    AuditLog::Place place = range.from;
    std::vector<std::int64_t> costs;
    for (std::uint64_t page = 0; page < pages; ++page) {
        Lines lines;
        const auto read = store_->audit_log().read(place, range.to.number, 1, lines);
        ASSERT_TRUE(read);
        ASSERT_EQ(lines.entries, 1U);
        place = read->place;
        if (page % some == 0) {
            costs.push_back(CountedInstructions::since_last());
        }
    }
    EXPECT_LT(costs.back(), 2 * costs[1] + 10) << "hundreds of instructions for " << some << " pages";
}

TEST_F(Chain, StretchesThatAreAllFromTheFutureDoNotStopRetention) {
    close();
    options_.record_retention = std::chrono::hours(1);
    options_.audit.checkpoint_entries = 1;
    open();
    const auto years = std::chrono::hours(24 * 365 * 10);
    clock_.advance_wall(years);
    clock_.distrust(years);
    constexpr int wrong = 150;
    for (int i = 0; i < wrong; ++i) {
        ASSERT_EQ(submit(item()), Outcome::committed);
    }
    clock_.advance_wall(-years);
    clock_.trust();
    // They go with those that come after them, once these are old.
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(submit(item()), Outcome::committed);
    }
    clock_.advance(std::chrono::minutes(61));
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(submit(item()), Outcome::committed);
    }
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
        return store_->operator_view().records(0, 1000)->size() <= 3;
    }));
    EXPECT_EQ(findings(), "");
    EXPECT_EQ(store_->audit_log().range({}, {})->before->head.number, wrong + 3U);
}

TEST_F(Chain, EntriesFromAFutureThatHasComeGoByTheirTimes) {
    close();
    options_.record_retention = std::chrono::hours(1);
    options_.audit.checkpoint_entries = 1;
    open();
    clock_.distrust(std::chrono::hours(2));
    for (int i = 0; i < 5; ++i) {
        ASSERT_EQ(submit(item()), Outcome::committed);
    }
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
        return number("SELECT count(*) FROM chain_checkpoint WHERE number=5") == 1;
    }));
    clock_.advance(std::chrono::minutes(90));
    clock_.trust();
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
        return store_->operator_view().records(0, 1000)->empty();
    }));
    EXPECT_EQ(findings(), "");
}

TEST_F(Chain, AnExportByTimeHasEveryEntryOfItWhateverTheClockDid) {
    const model::Instant begun = clock_.wall();
    const auto at = [&](int minutes) { return model::Instant{begun.seconds + minutes * 60, 0}; };
    make(4);  // at minute 0
    clock_.advance_wall(std::chrono::minutes(60));
    make(4);  // at minute 71
    clock_.advance_wall(std::chrono::minutes(-70));
    make(4);  // at minute 12
    make(4);  // at minute 23
    for (const bool upgraded : {false, true}) {
        EXPECT_EQ(findings({exported(at(60))}), "");
        EXPECT_EQ(entries_, 12U) << "those of minute 71 come before those of minutes 12 and 23";
        EXPECT_EQ(findings({exported({}, at(15))}), "");
        EXPECT_EQ(entries_, 12U) << "those of minute 12 come after those of minute 71";
        EXPECT_EQ(findings({exported(at(12), at(13))}), "");
        EXPECT_EQ(entries_, 8U);
        EXPECT_EQ(findings({exported(at(23), at(24))}), "");
        EXPECT_EQ(entries_, 16U - 4U) << "whose end is one of minute 71";
        if (!upgraded) {
            // What an earlier version left has the times once it is upgraded.
            close();
            execute(
                "ALTER TABLE lane DROP COLUMN sealed; ALTER TABLE warrant DROP COLUMN key_slot; ALTER TABLE revocation "
                "DROP COLUMN name; "
                "DROP TABLE withholding; DROP INDEX aside_state; DROP TABLE held; "
                "ALTER TABLE chain_checkpoint DROP COLUMN oldest; ALTER TABLE chain_checkpoint DROP COLUMN newest; "
                "PRAGMA user_version=12");
            open();
        }
    }
    // Behind the last checkpoint, too.
    ASSERT_EQ(submit(item()), Outcome::committed);
    clock_.advance_wall(std::chrono::minutes(-30));
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_EQ(findings({exported({}, at(8))}), "");
    EXPECT_EQ(entries_, 18U);
}

TEST_F(Chain, TheFirstCheckpointAfterAStartIsSigned) {
    make(5);
    close();
    // As a crash leaves it.
    execute("DELETE FROM chain_checkpoint WHERE number=5");
    const auto key = audit::SigningKey::from_pem(private_pem).value();
    options_.audit.key = key;
    options_.audit.node = "csp-a";
    open();
    ASSERT_TRUE(eventually([&] { return number("SELECT count(*) FROM chain_checkpoint WHERE number=5") == 1; }));
    EXPECT_EQ(number("SELECT count(*) FROM chain_checkpoint WHERE number=5 AND signature IS NOT NULL"), 1);
    audit::Verification::Options options;
    options.keys = {audit::VerifyingKey::from_pem(key->public_pem()).value()};
    EXPECT_EQ(findings({exported()}, options), "");
}

TEST_F(Chain, AHeadFileThatIsNoHelpIsSaid) {
    make(2);
    const audit::Head earlier = store_->audit_log().head();
    make(1);
    const std::filesystem::path file = options_.directory / "audit.head";
    const auto said = [&](const std::string& text) {
        close();
        std::filesystem::remove(file);
        if (!text.empty()) {
            std::ofstream(file) << text;
        }
        const auto before = spdlog::default_logger();
        std::ostringstream log;
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
        open();
        close();
        spdlog::set_default_logger(before);
        open();
        return log.str();
    };
    const auto range = store_->audit_log().range({}, {}).value();
    EXPECT_THAT(said(audit::words_of_head(range.chain, range.head)), testing::Not(HasSubstr("audit.head")));
    EXPECT_THAT(said(""), HasSubstr("audit.head, which names the newest audit entry, is missing"));
    EXPECT_THAT(said("nonsense"), HasSubstr("cannot be read: it does not name an entry"));
    EXPECT_THAT(said(audit::words_of_head(range.chain, earlier)), HasSubstr("as after a crash or a full disk"));
    EXPECT_THAT(record_kinds(), testing::Not(testing::Contains(RecordKind::store_restored)));
}

/// Ways in which what is in state_dir comes not to be what was there last.
class Restored : public Chain {
  protected:
    [[nodiscard]] std::filesystem::path state(const char* name) const { return options_.directory / name; }
    void copy(const std::filesystem::path& from, const std::filesystem::path& to) {
        std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
    }
    [[nodiscard]] std::string alarm() { return store_->operator_view().statistics().restored; }
    [[nodiscard]] std::ptrdiff_t recorded(RecordKind kind) { return std::ranges::count(record_kinds(), kind); }
};

TEST_F(Restored, ACrashIsNoAlarm) {
    EXPECT_TRUE(std::filesystem::exists(state("audit.head")))
        << "from the beginning, or one that is missing says nothing";
    // With nothing but what the beginning wrote.
    copy(state("audit.head"), directory_.path() / "head-0");
    make(3);
    close();
    copy(state("audit.head"), directory_.path() / "head-3");
    open();
    make(4, 3);
    for (const char* head : {"head-0", "head-3"}) {
        close();
        copy(directory_.path() / head, state("audit.head"));
        open();
        EXPECT_EQ(alarm(), "") << head;
    }
    EXPECT_EQ(recorded(RecordKind::store_restored), 0);
    EXPECT_FALSE(store_->operator_view().accept_restore("alice", "why not")) << "there is nothing";
    EXPECT_EQ(recorded(RecordKind::restore_accepted), 0);
}

TEST_F(Restored, WhatCannotBeLookedUpIsAnAlarmAndKeepsNothingFromStarting) {
    copy(state("audit.head"), directory_.path() / "head");
    make(3);
    close();
    copy(directory_.path() / "head", state("audit.head"));
    sqlite::Connection(state("store.db")).execute("UPDATE chain_checkpoint SET hash=x'00'");
    open();
    EXPECT_THAT(alarm(), HasSubstr("cannot be looked up"));
    EXPECT_EQ(submit(item()), Outcome::committed);
}

TEST_F(Restored, AnOlderStateIsAnAlarmUntilSomebodyAcceptsIt) {
    make(3);
    close();
    copy(state("store.db"), directory_.path() / "backup");
    open();
    ASSERT_EQ(submit(item()), Outcome::committed);
    close();
    copy(directory_.path() / "backup", state("store.db"));
    open();
    EXPECT_EQ(alarm(),
              "another state of the store was put in its place: it ends with audit entry 3, and entry 4 of it "
              "was there");
    EXPECT_FALSE(store_->operator_view().statistics().restore_unrecorded);
    ASSERT_EQ(submit(item()), Outcome::committed);
    reopen();
    EXPECT_THAT(alarm(), HasSubstr("another state of the store")) << "whatever comes after it";
    ASSERT_TRUE(store_->operator_view().accept_restore("alice", "the disk had died"));
    EXPECT_EQ(alarm(), "");
    reopen();
    EXPECT_EQ(alarm(), "");
    EXPECT_EQ(recorded(RecordKind::store_restored), 1);
    EXPECT_EQ(recorded(RecordKind::restore_accepted), 1);
    const Record last = store_->operator_view().records(0, 100).value().back();
    EXPECT_EQ(last.who, "alice");
    EXPECT_EQ(last.why, "the disk had died");
    EXPECT_EQ(findings({exported()}), "");
}

TEST_F(Restored, AnotherBranchIsAnAlarmHoweverLong) {
    for (const int more : {1, 2, 5}) {
        SCOPED_TRACE(more);
        make(3);
        const std::uint64_t fork = store_->audit_log().head().number;
        close();
        copy(state("store.db"), directory_.path() / "backup");
        copy(state("audit.head"), directory_.path() / "head");
        open();
        make(2);
        close();
        copy(state("audit.head"), directory_.path() / "head-of-this");
        // The whole is put back, and goes on in its own way.
        copy(directory_.path() / "backup", state("store.db"));
        copy(directory_.path() / "head", state("audit.head"));
        open();
        clock_.advance(std::chrono::minutes(1));
        make(more);
        EXPECT_EQ(alarm(), "");
        close();
        copy(directory_.path() / "head-of-this", state("audit.head"));
        open();
        EXPECT_THAT(alarm(), HasSubstr(std::string(more < 2 ? "and entry " : "and another entry ") +
                                       std::to_string(fork + 2) + " of it was there"));
        EXPECT_EQ(recorded(RecordKind::store_restored), 1);
        ASSERT_TRUE(store_->operator_view().accept_restore("alice", "a test"));
        close();
        std::filesystem::remove_all(options_.directory);
        open();
    }
}

TEST_F(Restored, AHeadThatIsGoneIsAnAlarmToo) {
    for (const char* text : {"", "nonsense"}) {
        make(2);
        close();
        std::filesystem::remove(state("audit.head"));
        if (*text != '\0') {
            std::ofstream(state("audit.head")) << text;
        }
        open();
        EXPECT_THAT(alarm(), HasSubstr("whether an older state of the store was put in its place cannot be known"));
        ASSERT_TRUE(store_->operator_view().accept_restore("alice", "I removed it"));
        reopen();
        EXPECT_EQ(alarm(), "");
    }
    EXPECT_EQ(recorded(RecordKind::store_restored), 0) << "nobody knows";
}

TEST_F(Chain, CheckpointsAreSigned) {
    const auto key = audit::SigningKey::from_pem(private_pem).value();
    store_->audit_log().configure({2, std::chrono::hours(1), "csp-a", key});
    for (int i = 0; i < 5; ++i) {
        ASSERT_EQ(submit(item()), Outcome::committed);
    }
    audit::Verification::Options options;
    options.keys = {audit::VerifyingKey::from_pem(key->public_pem()).value()};
    EXPECT_EQ(findings({exported()}, options), "");
    EXPECT_GE(checkpoints_, 2U);
    execute("UPDATE chain_checkpoint SET at=at+1 WHERE number=3");
    EXPECT_THAT(findings({exported()}, options), HasSubstr("was not made with this key"));
}

TEST_F(Chain, AStoreThatWentBackIsRecognised) {
    make(3);
    const std::string before = exported();
    close();
    std::filesystem::copy_file(options_.directory / "store.db", directory_.path() / "backup");
    open();
    ASSERT_EQ(submit(item()), Outcome::committed);
    clock_.advance(std::chrono::seconds(1));
    const std::string later = exported();
    EXPECT_EQ(findings({before, later}), "");
    close();
    std::filesystem::copy_file(directory_.path() / "backup", options_.directory / "store.db",
                               std::filesystem::copy_options::overwrite_existing);
    // The whole directory was put back, so that nothing beside the database knows.
    std::filesystem::rename(options_.directory / "audit.head", directory_.path() / "head");
    open();
    clock_.advance(std::chrono::seconds(1));
    EXPECT_THAT(record_kinds(), testing::Not(testing::Contains(RecordKind::store_restored)));
    EXPECT_THAT(findings({later, exported()}), HasSubstr("ends before entry 4"));
    close();
    // The database alone.
    std::filesystem::rename(directory_.path() / "head", options_.directory / "audit.head");
    open();
    clock_.advance(std::chrono::seconds(1));
    EXPECT_THAT(record_kinds(), testing::Contains(RecordKind::store_restored));
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_EQ(findings({exported()}), "") << "by itself it fits";
    reopen();
    EXPECT_THAT(record_kinds(), testing::Contains(RecordKind::store_restored).Times(1)) << "once";
    EXPECT_THAT(findings({later, exported()}), HasSubstr("forked"));
}

}  // namespace
}  // namespace lihandover::store::test
