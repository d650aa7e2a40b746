#include "fault_vfs.hpp"

#include <sqlite3.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lihandover::store::test {

namespace {

sqlite3_vfs* real_vfs = nullptr;
sqlite3_vfs shim_vfs;

/// A file as the disk has it, and what the system only remembers.
struct DiskFile {
    struct Write {
        std::int64_t offset = 0;
        std::string bytes;
        std::int64_t cut_to = -1;  ///< a truncation instead
    };
    std::string durable;
    std::vector<Write> pending;

    void sync() {
        for (const Write& write : pending) {
            if (write.cut_to >= 0) {
                durable.resize(static_cast<std::size_t>(write.cut_to));
                continue;
            }
            const auto offset = static_cast<std::size_t>(write.offset);
            if (durable.size() < offset + write.bytes.size()) {
                durable.resize(offset + write.bytes.size());
            }
            durable.replace(offset, write.bytes.size(), write.bytes);
        }
        pending.clear();
    }
};

struct Disk {
    std::mutex mutex;
    bool follows = false;
    std::map<std::string, std::shared_ptr<DiskFile>> files;
};

Disk& disk() {
    static Disk state;
    return state;
}

struct File {
    sqlite3_file base;
    bool database;
    bool log;
    DiskFile* followed;  ///< owned by the disk
    sqlite3_file* real() { return static_cast<sqlite3_file*>(static_cast<void*>(this + 1)); }
};

File* file_of(sqlite3_file* file) {
    return static_cast<File*>(static_cast<void*>(file));
}
sqlite3_file* real_of(sqlite3_file* file) {
    return file_of(file)->real();
}
const sqlite3_io_methods* methods_of(sqlite3_file* file) {
    return real_of(file)->pMethods;
}

/// The code to fail with, or SQLITE_OK.
int code_for(sqlite3_file* file, bool sync) {
    Faults& state = faults();
    const Faults::File only = state.only;
    if ((only == Faults::File::database && !file_of(file)->database) ||
        (only == Faults::File::log && !file_of(file)->log) || (state.syncs_only && !sync)) {
        return SQLITE_OK;
    }
    ++state.seen;
    const int code = state.code;
    if (code == 0) {
        return SQLITE_OK;
    }
    if (state.after.fetch_sub(1) > 0) {
        return SQLITE_OK;
    }
    if (state.times >= 0 && state.times.fetch_sub(1) <= 0) {
        state.times = 0;
        return SQLITE_OK;
    }
    return code;
}

int close_file(sqlite3_file* file) {
    return methods_of(file)->xClose(real_of(file));
}
int read_file(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
    const int code = methods_of(file)->xRead(real_of(file), out, size, offset);
    if (code == SQLITE_OK && file_of(file)->database && faults().garbage) {
        std::memset(out, 0xa5, static_cast<std::size_t>(size));
    }
    return code;
}
int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    if (const int code = code_for(file, false)) {
        return code;
    }
    if (DiskFile* followed = file_of(file)->followed) {
        const std::lock_guard lock(disk().mutex);
        followed->pending.push_back(
            {offset, std::string(static_cast<const char*>(data), static_cast<std::size_t>(size)), -1});
    }
    return methods_of(file)->xWrite(real_of(file), data, size, offset);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
    if (const int code = code_for(file, false)) {
        return code;
    }
    if (DiskFile* followed = file_of(file)->followed) {
        const std::lock_guard lock(disk().mutex);
        followed->pending.push_back({0, {}, size});
    }
    return methods_of(file)->xTruncate(real_of(file), size);
}
int sync_file(sqlite3_file* file, int flags) {
    while (faults().hang_syncs) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    const int code = code_for(file, true);
    if (DiskFile* followed = file_of(file)->followed) {
        const std::lock_guard lock(disk().mutex);
        if (code == SQLITE_OK) {
            followed->sync();
        } else {
            followed->pending.clear();
        }
    }
    return code != SQLITE_OK ? code : methods_of(file)->xSync(real_of(file), flags);
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
    return methods_of(file)->xFileSize(real_of(file), size);
}
int lock_file(sqlite3_file* file, int level) {
    return methods_of(file)->xLock(real_of(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
    return methods_of(file)->xUnlock(real_of(file), level);
}
int check_reserved(sqlite3_file* file, int* out) {
    return methods_of(file)->xCheckReservedLock(real_of(file), out);
}
int control(sqlite3_file* file, int op, void* argument) {
    return methods_of(file)->xFileControl(real_of(file), op, argument);
}
int sector_size(sqlite3_file* file) {
    return methods_of(file)->xSectorSize(real_of(file));
}
int characteristics(sqlite3_file* file) {
    return methods_of(file)->xDeviceCharacteristics(real_of(file));
}
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
    return methods_of(file)->xShmMap(real_of(file), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    return methods_of(file)->xShmLock(real_of(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) {
    methods_of(file)->xShmBarrier(real_of(file));
}
int shm_unmap(sqlite3_file* file, int remove) {
    return methods_of(file)->xShmUnmap(real_of(file), remove);
}

const sqlite3_io_methods shim_methods = {2,           close_file,  read_file,       write_file,  truncate_file,
                                         sync_file,   file_size,   lock_file,       unlock_file, check_reserved,
                                         control,     sector_size, characteristics, shm_map,     shm_lock,
                                         shm_barrier, shm_unmap,   nullptr,         nullptr};

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    File* opened = file_of(file);
    opened->base.pMethods = nullptr;
    opened->database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    opened->log = (flags & SQLITE_OPEN_WAL) != 0;
    opened->followed = nullptr;
    if (opened->database || opened->log) {
        const std::lock_guard lock(disk().mutex);
        if (disk().follows) {
            auto& followed = disk().files[name];
            if (!followed) {
                followed = std::make_shared<DiskFile>();
            }
            opened->followed = followed.get();
        }
    }
    const int code = real_vfs->xOpen(real_vfs, name, opened->real(), flags, out_flags);
    if (opened->real()->pMethods != nullptr) {
        opened->base.pMethods = &shim_methods;
    }
    return code;
}

int last_error(sqlite3_vfs*, int, char*) {
    return 0;
}

}  // namespace

Faults& faults() {
    static Faults state;
    return state;
}

void follow_the_disk(bool follow) {
    const std::lock_guard lock(disk().mutex);
    disk().follows = follow;
    disk().files.clear();
}

void lose_power(const std::filesystem::path& from, const std::filesystem::path& to) {
    const std::lock_guard lock(disk().mutex);
    for (const auto& [name, file] : disk().files) {
        const std::filesystem::path file_path(name);
        if (file_path.parent_path() != from) {
            continue;
        }
        std::ofstream out(to / file_path.filename(), std::ios::binary);
        out << file->durable;
    }
}

namespace {

/// Before anything of the program asks SQLite for its file system: what lies above the default one keeps it.
[[maybe_unused]] const bool is_default = [] {
    real_vfs = sqlite3_vfs_find(nullptr);
    shim_vfs = *real_vfs;
    shim_vfs.zName = "faults";
    shim_vfs.pNext = nullptr;
    shim_vfs.szOsFile = static_cast<int>(sizeof(File)) + real_vfs->szOsFile;
    shim_vfs.xOpen = open_file;
    shim_vfs.xGetLastError = last_error;
    return sqlite3_vfs_register(&shim_vfs, 1) == SQLITE_OK;
}();

}  // namespace

}  // namespace lihandover::store::test
