#include "sqlite.hpp"

#include <cerrno>
#include <system_error>

#include "common/numbered.hpp"

namespace lihandover::store::sqlite {

namespace {

Trouble trouble_of(int code, int system_errno) {
    if (system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG) {
        return Trouble::full;
    }
    // The index of the log, a file beside it, could not grow.
    if (code == SQLITE_IOERR_SHMSIZE) {
        return Trouble::full;
    }
    switch (code & 0xff) {
        case SQLITE_FULL:
            return Trouble::full;
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return Trouble::read_only;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return Trouble::corrupt;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
            return Trouble::busy;
        default:
            return system_errno == EROFS ? Trouble::read_only : Trouble::failing;
    }
}

/// What the system said to a failed write, which SQLite only keeps with the file: a quota or a file size limit comes as
/// a plain error otherwise.
int errno_of_write(sqlite3* connection) {
    for (const int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
        sqlite3_file* file = nullptr;
        int code = 0;
        if (sqlite3_file_control(connection, "main", which, static_cast<void*>(&file)) == SQLITE_OK &&
            file != nullptr && file->pMethods != nullptr &&
            file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &code) == SQLITE_OK && code != 0) {
            return code;
        }
    }
    return 0;
}

}  // namespace

SqlFailure::SqlFailure(sqlite3* connection, int code) : code_(code) {
    // The errno belongs to the last failed system call, which says something only for these.
    const int kind = code & 0xff;
    if (connection != nullptr && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_FULL)) {
        system_errno_ = sqlite3_system_errno(connection);
        if (code == SQLITE_IOERR_WRITE && system_errno_ == 0) {
            system_errno_ = errno_of_write(connection);
        }
    }
    trouble_ = trouble_of(code, system_errno_);
}

std::string SqlFailure::describe() const {
    std::string text = sqlite3_errstr(code_);
    text += " (SQLite " + std::to_string(code_);
    if (system_errno_ != 0) {
        text += ", " + std::generic_category().message(system_errno_);
    }
    text += ')';
    return text;
}

void Statement::check(int code) const {
    if (code != SQLITE_OK) {
        throw SqlFailure(sqlite3_db_handle(handle_.get()), code);
    }
}

Statement& Statement::bind(int place, std::int64_t value) {
    check(sqlite3_bind_int64(handle_.get(), place, value));
    return *this;
}

Statement& Statement::bind(int place, std::string_view text) {
    // A null pointer would bind NULL. nullptr as destructor is SQLITE_STATIC: no copy.
    check(sqlite3_bind_text64(handle_.get(), place, text.data() == nullptr ? "" : text.data(), text.size(), nullptr,
                              SQLITE_UTF8));
    return *this;
}

Statement& Statement::bind(int place, std::span<const std::uint8_t> blob) {
    check(sqlite3_bind_blob64(handle_.get(), place, blob.data(), blob.size(), nullptr));
    return *this;
}

Statement& Statement::bind_blob(int place, std::string_view bytes) {
    check(
        sqlite3_bind_blob64(handle_.get(), place, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(), nullptr));
    return *this;
}

Statement& Statement::bind_null(int place) {
    check(sqlite3_bind_null(handle_.get(), place));
    return *this;
}

void Statement::run() {
    const int code = sqlite3_step(handle_.get());
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        // Whoever catches it finds the statement reset, as after success.
        const Rows reset_at_the_end(*this);
        throw SqlFailure(sqlite3_db_handle(handle_.get()), code);
    }
    reset();
}

bool Statement::step() {
    const int code = sqlite3_step(handle_.get());
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code == SQLITE_DONE) {
        return false;
    }
    throw SqlFailure(sqlite3_db_handle(handle_.get()), code);
}

std::string_view Statement::bytes(int column) const {
    const void* data = sqlite3_column_blob(handle_.get(), column);
    const int size = sqlite3_column_bytes(handle_.get(), column);
    return size == 0 ? std::string_view{}
                     : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

Connection::Connection(const std::filesystem::path& file, const char* vfs) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);
    handle_.reset(raw);
    if (code != SQLITE_OK) {
        throw SqlFailure(raw, raw == nullptr ? code : sqlite3_extended_errcode(raw));
    }
    sqlite3_extended_result_codes(raw, 1);
    // Only this process uses the file; another one is an operator with the sqlite3 shell or a backup in a short lock.
    sqlite3_busy_timeout(raw, 5000);
    // The last one to close would copy the log into the database and remove it, whatever went wrong before.
    sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void Connection::execute(const std::string& sql) {
    const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        throw SqlFailure(handle_.get(), code);
    }
}

Statement Connection::prepare(std::string_view named) {
    const std::string sql = numbered(named);
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) {
        throw SqlFailure(handle_.get(), code);
    }
    Statement statement;
    statement.handle_.reset(raw);
    return statement;
}

std::int64_t Connection::integer(std::string_view sql) {
    Statement statement = prepare(sql);
    return statement.step() ? statement.integer(0) : 0;
}

void Connection::roll_back() noexcept {
    if (in_transaction()) {
        sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

}  // namespace lihandover::store::sqlite
