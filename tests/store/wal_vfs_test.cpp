#include "wal_vfs.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "fault_vfs.hpp"
#include "schema.hpp"
#include "sqlite.hpp"
#include "support.hpp"

// The gathering file system lies above the failing one here: what it does not pass on is not counted, and what fails
// fails below it.

namespace lihandover::store::test {
namespace {

using namespace sqlite;

constexpr int rows = 200;
constexpr std::int64_t row_bytes = 3000;

class GatheredLog : public testing::Test {
  protected:
    void SetUp() override {
        faults().none();
        ASSERT_NE(wal_vfs(), nullptr);
        std::ofstream(file_).close();
        writer_ = Connection(file_, wal_vfs());
        set_up_writer(writer_);
        writer_.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, octets BLOB NOT NULL, round INTEGER NOT NULL)");
    }
    void TearDown() override { faults().none(); }

    void insert(int count, int round) {
        Statement statement = writer_.prepare("INSERT INTO t(octets, round) VALUES(zeroblob(?), ?)");
        for (int i = 0; i < count; ++i) {
            statement.bind(1, row_bytes).bind(2, std::int64_t{round}).run();
        }
    }
    /// Everything again, so that pages change that went to the log in the same transaction before.
    void change(int round) { writer_.execute("UPDATE t SET round=" + std::to_string(round)); }
    /// A cache of a few pages: the others go to the log before the commit, and are read back from it.
    void spill_early() {
        writer_.execute("PRAGMA cache_size=10");
        writer_.execute("PRAGMA cache_spill=10");
    }
    static std::int64_t rows_of(Connection& connection, int round) {
        return connection.integer("SELECT count(*) FROM t WHERE length(octets)=" + std::to_string(row_bytes) +
                                  " AND round=" + std::to_string(round));
    }
    static void expect_sound(Connection& connection) {
        Statement check = connection.prepare("PRAGMA integrity_check");
        Rows found(check);
        ASSERT_TRUE(found.next());
        EXPECT_EQ(found->bytes(0), "ok");
    }

    lihandover::test::TemporaryDirectory directory_;
    std::filesystem::path file_ = directory_.path() / "log.db";
    Connection writer_;
};

TEST_F(GatheredLog, ACommitIsOneWriteAndOneSync) {
    insert(1, 0);
    faults().seen = 0;
    writer_.execute("BEGIN IMMEDIATE");
    insert(20, 1);
    writer_.execute("COMMIT");
    EXPECT_EQ(faults().seen, 2);
}

TEST_F(GatheredLog, WhatWasCommittedIsInTheFilesThen) {
    for (int round = 0; round < 5; ++round) {
        writer_.execute("BEGIN IMMEDIATE");
        insert(rows, round);
        writer_.execute("COMMIT");
        // As a crash would leave them.
        const std::filesystem::path copy = directory_.path() / ("copy" + std::to_string(round));
        std::filesystem::copy_file(file_, copy);
        std::filesystem::copy_file(file_.string() + "-wal", copy.string() + "-wal");
        Connection after(copy);
        for (int each = 0; each <= round; ++each) {
            EXPECT_EQ(rows_of(after, each), rows);
        }
        expect_sound(after);
    }
}

TEST_F(GatheredLog, OthersSeeACommitAtOnceAndNothingBeforeIt) {
    Connection other(file_);
    writer_.execute("BEGIN IMMEDIATE");
    insert(rows, 1);
    EXPECT_EQ(rows_of(other, 1), 0);
    writer_.execute("COMMIT");
    EXPECT_EQ(rows_of(other, 1), rows);
}

TEST_F(GatheredLog, ReadsBackWhatLeftTheCache) {
    spill_early();
    Connection other(file_);
    writer_.execute("BEGIN IMMEDIATE");
    insert(rows, 1);
    EXPECT_EQ(rows_of(writer_, 1), rows);
    change(2);
    EXPECT_EQ(rows_of(writer_, 2), rows);
    EXPECT_EQ(rows_of(other, 2), 0);
    change(3);
    writer_.execute("COMMIT");
    EXPECT_EQ(rows_of(other, 3), rows);
    expect_sound(other);
}

TEST_F(GatheredLog, ForgetsWhatWasRolledBack) {
    spill_early();
    Connection other(file_);
    insert(10, 0);
    for (int round = 1; round < 5; ++round) {
        writer_.execute("BEGIN IMMEDIATE");
        insert(rows, round);
        change(round);
        writer_.execute("ROLLBACK");
        EXPECT_EQ(rows_of(other, round - 1), 10);
        change(round);
        EXPECT_EQ(rows_of(other, round), 10);
        EXPECT_EQ(rows_of(writer_, round), 10);
    }
    expect_sound(other);
}

TEST_F(GatheredLog, SurvivesTheLogBeingCutOffAndBegunAnew) {
    Connection other(file_);
    for (int round = 0; round < 6; ++round) {
        insert(rows, round);
        writer_.execute(round % 2 == 0 ? "PRAGMA wal_checkpoint(TRUNCATE)" : "PRAGMA wal_checkpoint(RESTART)");
        EXPECT_EQ(rows_of(other, round), rows);
    }
    expect_sound(other);
}

TEST_F(GatheredLog, AFailedWriteFailsItsTransactionAndNoOther) {
    spill_early();
    Connection other(file_);
    insert(10, 0);
    for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
        int failures = 0;
        for (std::int64_t operation = 0;; ++operation) {
            SCOPED_TRACE("code " + std::to_string(code) + ", operation " + std::to_string(operation));
            faults().fail(code, operation, 1);
            bool failed = false;
            try {
                writer_.execute("BEGIN IMMEDIATE");
                insert(rows, 1);
                change(1);
                writer_.execute("COMMIT");
            } catch (const SqlFailure&) {
                failed = true;
                writer_.roll_back();
            }
            faults().none();
            if (!failed) {
                EXPECT_EQ(rows_of(other, 1), rows + 10);
                writer_.execute("DELETE FROM t WHERE id > 10");
                change(0);
                break;
            }
            ++failures;
            EXPECT_EQ(rows_of(other, 0), 10);
            EXPECT_EQ(rows_of(other, 1), 0);
            EXPECT_EQ(rows_of(writer_, 0), 10);
            // The next one works, and has nothing of the failed one in it.
            writer_.execute("BEGIN IMMEDIATE");
            change(2);
            writer_.execute("COMMIT");
            EXPECT_EQ(rows_of(other, 2), 10);
            expect_sound(other);
            change(0);
        }
        EXPECT_GT(failures, 2);
    }
}

}  // namespace
}  // namespace lihandover::store::test
