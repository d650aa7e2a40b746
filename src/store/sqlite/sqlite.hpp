#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lihandover::store::sqlite {

/// What kind of trouble a failed database call is in, by what an operator can do about it.
enum class Trouble : std::uint8_t {
    full,       ///< no space, quota or file size limit
    read_only,  ///< the disk or the files cannot be written
    corrupt,    ///< the file is not what SQLite wrote
    busy,       ///< somebody else holds the database's lock
    failing,    ///< input/output errors and whatever else
};

/// A database call failed, so that the transaction it belongs to is interrupted. Stays within this room: the writer and
/// the readers turn it into outcomes and model::Error.
class SqlFailure : public std::exception {
  public:
    /// Takes the code and the system's errno from the connection's last call.
    explicit SqlFailure(sqlite3* connection, int code);
    SqlFailure(Trouble trouble, int code) : trouble_(trouble), code_(code) {}

    [[nodiscard]] const char* what() const noexcept override { return sqlite3_errstr(code_); }
    [[nodiscard]] Trouble trouble() const { return trouble_; }
    [[nodiscard]] int code() const { return code_; }
    /// A sync failed: nobody knows what of the writes before it is on the disk, and the system says so once only.
    [[nodiscard]] bool of_sync() const { return code_ == SQLITE_IOERR_FSYNC || code_ == SQLITE_IOERR_DIR_FSYNC; }
    /// SQLite's own words and code, and the system's where it has any: `disk I/O error (SQLite 778, No space …)`.
    [[nodiscard]] std::string describe() const;

  private:
    Trouble trouble_ = Trouble::failing;
    int code_ = SQLITE_ERROR;
    int system_errno_ = 0;
};

/// A prepared statement. Text and blobs are bound without a copy: they must live until the statement was reset. Not
/// thread-safe, like the connection.
class Statement {
  public:
    Statement() = default;

    Statement& bind(int place, std::int64_t value);
    Statement& bind(int place, std::string_view text);
    Statement& bind(int place, std::span<const std::uint8_t> blob);
    Statement& bind_blob(int place, std::string_view bytes);
    Statement& bind_null(int place);

    /// Runs a statement that gives no rows, then resets it.
    void run();
    /// Goes to the next row; false at the end. Use within a Rows guard.
    [[nodiscard]] bool step();
    void reset() noexcept { sqlite3_reset(handle_.get()); }

    [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
    [[nodiscard]] bool is_null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }
    /// Views the row; valid until the next step or reset.
    [[nodiscard]] std::string_view bytes(int column) const;

  private:
    friend class Connection;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
    };
    void check(int code) const;

    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// Resets a statement at the end of a scope, whatever ended it: a statement left in mid-row holds a read transaction
/// open, and with it the write-ahead log.
class Rows {
  public:
    explicit Rows(Statement& statement) : statement_(statement) {}
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;
    Rows(Rows&&) = delete;
    Rows& operator=(Rows&&) = delete;
    ~Rows() { statement_.reset(); }
    [[nodiscard]] bool next() { return statement_.step(); }
    [[nodiscard]] const Statement* operator->() const { return &statement_; }

  private:
    Statement& statement_;
};

/// One connection. Used by one thread at a time.
class Connection {
  public:
    Connection() = default;
    /// Opens for reading and writing; the file must exist. Throws SqlFailure.
    ///   vfs  SQLite's name of a file system; nullptr for the default
    explicit Connection(const std::filesystem::path& file, const char* vfs = nullptr);

    void execute(const std::string& sql);
    /// For statements that are kept. Names of stored numbers in braces become the numbers (numbered.hpp).
    [[nodiscard]] Statement prepare(std::string_view sql);
    /// The first column of the only row, for pragmas and counts.
    [[nodiscard]] std::int64_t integer(std::string_view sql);

    [[nodiscard]] sqlite3* handle() const { return handle_.get(); }
    [[nodiscard]] explicit operator bool() const { return handle_ != nullptr; }
    [[nodiscard]] bool in_transaction() const { return handle_ && sqlite3_get_autocommit(handle_.get()) == 0; }
    [[nodiscard]] std::int64_t last_inserted() const { return sqlite3_last_insert_rowid(handle_.get()); }
    [[nodiscard]] std::int64_t changes() const { return sqlite3_changes64(handle_.get()); }
    /// Ends a transaction without effect, where one is open.
    void roll_back() noexcept;

  private:
    struct Close {
        // close_v2: statements that outlive it for a moment are no error.
        void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
    };
    std::unique_ptr<sqlite3, Close> handle_;
};

/// A transaction that is rolled back unless it was committed.
class ScopedTransaction {
  public:
    explicit ScopedTransaction(Connection& connection, const char* begin = "BEGIN IMMEDIATE")
        : connection_(connection) {
        connection_.execute(begin);
    }
    ScopedTransaction(const ScopedTransaction&) = delete;
    ScopedTransaction& operator=(const ScopedTransaction&) = delete;
    ScopedTransaction(ScopedTransaction&&) = delete;
    ScopedTransaction& operator=(ScopedTransaction&&) = delete;
    ~ScopedTransaction() { connection_.roll_back(); }
    void commit() { connection_.execute("COMMIT"); }

  private:
    Connection& connection_;
};

}  // namespace lihandover::store::sqlite
