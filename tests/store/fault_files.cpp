#include "fault_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace lihandover::store::test {

namespace {

namespace fs = std::filesystem;

struct Followed {
    struct Write {
        std::uint64_t offset = 0;
        std::string bytes;
        bool cut = false;  ///< a truncation to `offset` instead
    };
    std::string durable;
    std::vector<Write> pending;

    void sync() {
        for (const Write& write : pending) {
            if (write.cut) {
                durable.resize(write.offset);
                continue;
            }
            if (durable.size() < write.offset + write.bytes.size()) {
                durable.resize(write.offset + write.bytes.size());
            }
            durable.replace(write.offset, write.bytes.size(), write.bytes);
        }
        pending.clear();
    }
};

struct State {
    std::mutex mutex;
    std::atomic<bool> follows = false;
    std::map<std::string, Followed> files;
    std::set<std::string> entries;  ///< of directories of objects, on the disk
    std::set<std::string> lost;     ///< those that no later sync brings there
};

State& state() {
    static State one;
    return one;
}

struct Known {
    FileFaults::File kind;
    std::string path;
};

std::optional<Known> known(int descriptor) {
    if (!state().follows) {
        return std::nullopt;
    }
    std::array<char, 4096> path{};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    const ssize_t size = readlink(link.c_str(), path.data(), path.size());
    if (size <= 0) {
        return std::nullopt;
    }
    const fs::path file(std::string(path.data(), static_cast<std::size_t>(size)));
    if (file.filename() == "keys") {
        return Known{FileFaults::File::keys, file.string()};
    }
    if (file.filename() == "objects") {
        return Known{FileFaults::File::directory, file.string()};
    }
    if (file.parent_path().filename() == "objects") {
        return Known{FileFaults::File::object, file.string()};
    }
    return std::nullopt;
}

bool fails(FileFaults::File kind) {
    FileFaults& faults = file_faults();
    if (faults.of != kind || faults.times == 0) {
        return false;
    }
    if (faults.after.fetch_sub(1) > 0) {
        return false;
    }
    if (faults.times > 0) {
        --faults.times;
    }
    return true;
}

std::set<std::string> names_in(const std::string& directory) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) {
        names.insert(entry.path().string());
    }
    return names;
}

int sync_known(const Known& file) {
    FileFaults& faults = file_faults();
    if (faults.of == file.kind && faults.hold) {
        ++faults.held;
        while (faults.hold) {
            std::this_thread::yield();
        }
        --faults.held;
    }
    const bool failed = fails(file.kind);
    State& now = state();
    const std::lock_guard lock(now.mutex);
    if (file.kind == FileFaults::File::directory) {
        for (const std::string& name : names_in(file.path)) {
            if (failed && !now.entries.contains(name)) {
                now.lost.insert(name);
            }
            if (!failed && !now.lost.contains(name)) {
                now.entries.insert(name);
            }
        }
    } else if (failed) {
        now.files[file.path].pending.clear();
    } else {
        now.files[file.path].sync();
    }
    if (failed) {
        errno = EIO;
        return -1;
    }
    return 0;
}

}  // namespace

FileFaults& file_faults() {
    static FileFaults one;
    return one;
}

void follow_files(bool follow) {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    now.follows = follow;
    now.files.clear();
    now.entries.clear();
    now.lost.clear();
}

std::string durable(const std::filesystem::path& file) {
    State& now = state();
    const std::lock_guard lock(now.mutex);
    const bool has_entry = file.parent_path().filename() != "objects" || now.entries.contains(file.string());
    const auto found = now.files.find(file.string());
    return has_entry && found != now.files.end() ? found->second.durable : std::string();
}

}  // namespace lihandover::store::test

namespace lihandover::store::test {
namespace {

/// It cannot be written in part either: the kernel reads it first.
bool is_in_damaged_page(off_t at) {
    constexpr off_t page = 4096;
    const std::int64_t damaged = file_faults().unreadable_at;
    return damaged >= 0 && damaged / page == at / page;
}

}  // namespace
}  // namespace lihandover::store::test

// In place of the C library's.
extern "C" {

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t at) {
    using namespace lihandover::store::test;
    if (const auto file = known(descriptor)) {
        if (file->kind == FileFaults::File::keys && is_in_damaged_page(at)) {
            errno = EIO;
            return -1;
        }
        const std::lock_guard lock(state().mutex);
        state().files[file->path].pending.push_back(
            {static_cast<std::uint64_t>(at), std::string(static_cast<const char*>(bytes), size), false});
    }
    return syscall(SYS_pwrite64, descriptor, bytes, size, at);
}

ssize_t pread(int descriptor, void* bytes, size_t size, off_t at) {
    using namespace lihandover::store::test;
    FileFaults& faults = file_faults();
    if (faults.unreadable || is_in_damaged_page(at)) {
        if (const auto file = known(descriptor); file && file->kind == FileFaults::File::keys) {
            ++faults.unread;
            errno = EIO;
            return -1;
        }
    }
    return syscall(SYS_pread64, descriptor, bytes, size, at);
}

int ftruncate(int descriptor, off_t size) noexcept {
    using namespace lihandover::store::test;
    if (const auto file = known(descriptor)) {
        const std::lock_guard lock(state().mutex);
        state().files[file->path].pending.push_back({static_cast<std::uint64_t>(size), {}, true});
    }
    return static_cast<int>(syscall(SYS_ftruncate, descriptor, size));
}

int fdatasync(int descriptor) {
    using namespace lihandover::store::test;
    const auto file = known(descriptor);
    return file ? sync_known(*file) : static_cast<int>(syscall(SYS_fdatasync, descriptor));
}

int fsync(int descriptor) {
    using namespace lihandover::store::test;
    const auto file = known(descriptor);
    return file ? sync_known(*file) : static_cast<int>(syscall(SYS_fsync, descriptor));
}

}  // extern "C"
