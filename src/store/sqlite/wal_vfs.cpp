#include "wal_vfs.hpp"

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>

namespace lihandover::store::sqlite {

namespace {

constexpr const char* vfs_name = "lihandover-log";
/// SQLite's own file system takes less than 128 KiB at once: it masks what is beyond.
constexpr std::size_t most_gathered = std::size_t{120} << 10U;

/// What waits to be written: one run of bytes.
class Gathered {
  public:
    explicit Gathered(sqlite3_file* real) : real_(real) {}

    int write(const void* data, std::size_t size, std::int64_t offset) {
        if (const auto at = place(size, offset)) {  // a page that changed once more
            std::memcpy(bytes_.get() + *at, data, size);
            return SQLITE_OK;
        }
        if (size_ > 0 && (offset != begin_ + length() || size > most_gathered - size_)) {
            if (const int code = flush()) {
                return code;
            }
        }
        if (size > most_gathered || !make_buffer()) {
            return real_->pMethods->xWrite(real_, data, static_cast<int>(size), offset);
        }
        if (size_ == 0) {
            begin_ = offset;
        }
        std::memcpy(bytes_.get() + size_, data, size);
        size_ += size;
        return SQLITE_OK;
    }

    int read(void* out, std::size_t size, std::int64_t offset) {
        if (const auto at = place(size, offset)) {
            std::memcpy(out, bytes_.get() + *at, size);
            return SQLITE_OK;
        }
        if (size_ > 0 && offset < begin_ + length() && begin_ < offset + static_cast<std::int64_t>(size)) {
            // Neither inside nor outside: SQLite reads headers and pages as it wrote them, or all of a log that no
            // transaction is writing.
            // A full disk would fail but the statement that reads; this fails the transaction.
            if (flush() != SQLITE_OK) {
                return SQLITE_IOERR_READ;
            }
        }
        return real_->pMethods->xRead(real_, out, static_cast<int>(size), offset);
    }

    int flush() {
        if (size_ == 0) {
            return SQLITE_OK;
        }
        const int size = static_cast<int>(size_);
        size_ = 0;
        return real_->pMethods->xWrite(real_, bytes_.get(), size, begin_);
    }

    [[nodiscard]] sqlite3_file* real() const { return real_; }

  private:
    [[nodiscard]] std::int64_t length() const { return static_cast<std::int64_t>(size_); }

    /// Where in the buffer these bytes lie, all of them.
    [[nodiscard]] std::optional<std::size_t> place(std::size_t size, std::int64_t offset) const {
        if (size_ == 0 || offset < begin_ || offset + static_cast<std::int64_t>(size) > begin_ + length()) {
            return {};
        }
        return static_cast<std::size_t>(offset - begin_);
    }

    bool make_buffer() {
        if (!bytes_) {
            bytes_.reset(new (std::nothrow) char[most_gathered]);
        }
        return bytes_ != nullptr;
    }

    sqlite3_file* real_;
    std::unique_ptr<char[]> bytes_;
    std::int64_t begin_ = 0;
    std::size_t size_ = 0;
};

/// SQLite allots the memory of a file itself; the real file's follows ours.
struct File {
    sqlite3_file base;
    Gathered* gathered;
};
static_assert(sizeof(File) % alignof(sqlite3_int64) == 0);

Gathered& gathered_of(sqlite3_file* file) {
    return *static_cast<File*>(static_cast<void*>(file))->gathered;
}
sqlite3_file* real_of(sqlite3_file* file) {
    return gathered_of(file).real();
}
const sqlite3_io_methods* methods_of(sqlite3_file* file) {
    return real_of(file)->pMethods;
}

int close_log(sqlite3_file* file) {
    // What was not synced nobody was promised.
    const std::unique_ptr<Gathered> gathered(&gathered_of(file));
    return gathered->real()->pMethods->xClose(gathered->real());
}
int read_log(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
    return gathered_of(file).read(out, static_cast<std::size_t>(size), offset);
}
int write_log(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    return gathered_of(file).write(data, static_cast<std::size_t>(size), offset);
}
int truncate_log(sqlite3_file* file, sqlite3_int64 size) {
    if (const int code = gathered_of(file).flush()) {
        return code;
    }
    return methods_of(file)->xTruncate(real_of(file), size);
}
int sync_log(sqlite3_file* file, int flags) {
    if (const int code = gathered_of(file).flush()) {
        return code;
    }
    return methods_of(file)->xSync(real_of(file), flags);
}
int size_of_log(sqlite3_file* file, sqlite3_int64* size) {
    if (const int code = gathered_of(file).flush()) {
        return code;
    }
    return methods_of(file)->xFileSize(real_of(file), size);
}
int lock_log(sqlite3_file* file, int level) {
    return methods_of(file)->xLock(real_of(file), level);
}
int unlock_log(sqlite3_file* file, int level) {
    return methods_of(file)->xUnlock(real_of(file), level);
}
int check_reserved(sqlite3_file* file, int* out) {
    return methods_of(file)->xCheckReservedLock(real_of(file), out);
}
int control_log(sqlite3_file* file, int op, void* argument) {
    return methods_of(file)->xFileControl(real_of(file), op, argument);
}
int sector_size(sqlite3_file* file) {
    return methods_of(file)->xSectorSize(real_of(file));
}
int characteristics(sqlite3_file* file) {
    return methods_of(file)->xDeviceCharacteristics(real_of(file));
}

// Version 1: the methods of later ones are for database files.
const sqlite3_io_methods log_methods = {1,           close_log,   read_log,        write_log,  truncate_log,
                                        sync_log,    size_of_log, lock_log,        unlock_log, check_reserved,
                                        control_log, sector_size, characteristics, nullptr,    nullptr,
                                        nullptr,     nullptr,     nullptr,         nullptr};

struct Vfs {
    sqlite3_vfs* real = nullptr;
    sqlite3_vfs own{};
    bool registered = false;

    Vfs() noexcept;
};

Vfs& vfs() noexcept {
    static Vfs made;
    return made;
}

int open_file(sqlite3_vfs* /*own*/, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    sqlite3_vfs* const real = vfs().real;
    if ((flags & SQLITE_OPEN_WAL) == 0) {
        return real->xOpen(real, name, file, flags, out_flags);
    }
    file->pMethods = nullptr;  // as long as there is none, SQLite does not close it
    auto* opened = static_cast<File*>(static_cast<void*>(file));
    auto* inner = static_cast<sqlite3_file*>(static_cast<void*>(opened + 1));
    std::unique_ptr<Gathered> gathered(new (std::nothrow) Gathered(inner));
    if (!gathered) {
        return SQLITE_NOMEM;
    }
    const int code = real->xOpen(real, name, inner, flags, out_flags);
    if (inner->pMethods == nullptr) {
        return code;
    }
    opened->gathered = gathered.release();
    opened->base.pMethods = &log_methods;
    return code;
}

Vfs::Vfs() noexcept {
    real = sqlite3_vfs_find(nullptr);
    if (real == nullptr) {
        return;
    }
    own = *real;
    own.zName = vfs_name;
    own.pNext = nullptr;
    own.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
    own.xOpen = open_file;
    registered = sqlite3_vfs_register(&own, 0) == SQLITE_OK;
}

}  // namespace

const char* wal_vfs() noexcept {
    return vfs().registered ? vfs_name : nullptr;
}

}  // namespace lihandover::store::sqlite
