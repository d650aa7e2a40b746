// A small library for LD_PRELOAD: makes the daemon's disk fail and its name resolution lie, as a control file says
// while it runs. It knows nothing of the daemon. See README.md beside tests/faults.
//
//   LIHANDOVER_FAULTS_CONTROL  file that is mapped and read at each call; see struct Control
//   LIHANDOVER_FAULTS_ROOT     only files below this directory are touched
//   LIHANDOVER_FAULTS_NAMES    text file, read at each look-up of a name that ends with .test:
//                              NAME address ADDRESS [MILLISECONDS] | NAME nxdomain | NAME again
//
// Without the control file every call goes through untouched.

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <tuple>

namespace {

/// What tests/faults/disk.py writes: chances out of 65536 for each call, all 32 bits wide, of this machine's byte
/// order.
struct Control {
    std::uint32_t magic;
    std::uint32_t seed;
    std::uint32_t write_eio;
    std::uint32_t write_enospc;
    std::uint32_t write_short;
    std::uint32_t sync_eio;
    std::uint32_t read_eio;
    std::uint32_t grow_enospc;    ///< posix_fallocate, ftruncate that makes a file longer
    std::uint32_t create_emfile;  ///< open of a file, as if descriptors had run out
    std::uint32_t unlink_eio;
    std::uint32_t slow_sync_ms;  ///< each sync takes so long
    std::uint32_t sync_forgets;  ///< a sync that fails and, as Linux does, drops what was written since the last one
    std::uint32_t syncs_hang;    ///< not 0: no sync returns
    std::uint32_t kernel_clock;  ///< what the kernel says of the clock: 0 the truth, 1 not synchronised, 2 synchronised
    std::uint32_t calls;         ///< counted here, so that a fresh process goes on where the last one ended
    std::uint32_t injected;      ///< how many calls failed
    std::uint32_t hung;          ///< the process whose sync hung last
};

constexpr std::uint32_t expected_magic = 0x4c49464b;
constexpr std::size_t path_room = 4096;

Control* map_control() {
    const char* path = std::getenv("LIHANDOVER_FAULTS_CONTROL");
    if (path == nullptr) {
        return nullptr;
    }
    // Not by open(): that is the one below, which would ask for the control file again.
    const int file = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC));
    if (file < 0) {
        return nullptr;
    }
    void* mapped = ::mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (mapped == MAP_FAILED) {
        return nullptr;
    }
    auto* control = static_cast<Control*>(mapped);
    return control->magic == expected_magic ? control : nullptr;
}

Control* control() {
    static Control* const mapped = map_control();
    return mapped;
}

bool below_root(const char* path) {
    static const char* const root = std::getenv("LIHANDOVER_FAULTS_ROOT");
    if (root == nullptr) {
        return false;
    }
    const auto size = std::strlen(root);
    return std::strncmp(path, root, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

bool below_root(int file) {
    char link[64];
    char path[path_room];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const auto size = ::readlink(link, path, sizeof path - 1);
    if (size <= 0) {
        return false;
    }
    path[size] = '\0';
    return below_root(path);
}

std::uint32_t load(const std::uint32_t& field) {
    return __atomic_load_n(&field, __ATOMIC_RELAXED);
}

/// A number that seed and call give, the same each time the calls come in the same order.
std::uint32_t draw() {
    auto* shared = control();
    std::uint64_t x =
        (std::uint64_t{load(shared->seed)} << 32U) | __atomic_fetch_add(&shared->calls, 1, __ATOMIC_RELAXED);
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
    return static_cast<std::uint32_t>(x ^ (x >> 31U));
}

bool happens(std::uint32_t chance) {
    if (chance == 0 || (draw() & 0xffffU) >= chance) {
        return false;
    }
    __atomic_fetch_add(&control()->injected, 1, __ATOMIC_RELAXED);
    return true;
}

template <typename Function>
Function real(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));  // NOLINT: what dlsym is for
}
#define REAL(name) \
    static const auto next = real<decltype(&name)>(#name)  // NOLINT(cppcoreguidelines-macro-usage): one name, twice

/// What files held before the writes that were not synced yet, so that a sync that fails can drop these, as Linux drops
/// pages that it could not write: it says so once, and a later sync succeeds without them. Kept while `sync_forgets` is
/// set; what was written before that counts as synced.
class Unsynced {
  public:
    static constexpr off64_t page = 4096;
    using Page = std::array<char, page>;

    /// Before a write.
    void note(int file, off64_t offset, std::size_t size) {
        if (load(control()->sync_forgets) == 0) {
            if (any_.exchange(false)) {
                const std::lock_guard lock(mutex_);
                files_.clear();
            }
            return;
        }
        if (size == 0 || !below_root(file)) {
            return;
        }
        const std::lock_guard lock(mutex_);
        auto& pages = files_[name_of(file)];
        any_ = true;
        const off64_t last = (offset + static_cast<off64_t>(size) - 1) / page;
        for (off64_t at = offset / page; at <= last; ++at) {
            if (const auto [found, is_new] = pages.try_emplace(at); is_new) {
                found->second.fill(0);
                static_cast<void>(::syscall(SYS_pread64, file, found->second.data(), page, at * page));
            }
        }
    }
    void synced(int file) {
        if (any_) {
            const std::lock_guard lock(mutex_);
            files_.erase(name_of(file));
        }
    }
    /// Some pages were written before the error came, others were not.
    void drop(int file) {
        const std::lock_guard lock(mutex_);
        const auto found = files_.find(name_of(file));
        if (found == files_.end()) {
            return;
        }
        struct stat now {};
        ::fstat(file, &now);
        for (const auto& [at, before] : found->second) {
            const off64_t left = now.st_size - at * page;
            if (left > 0 && draw() % 4 != 0) {
                static_cast<void>(::syscall(SYS_pwrite64, file, before.data(), std::min(left, page), at * page));
            }
        }
        files_.erase(found);
    }

  private:
    /// Numbers of files are used again: the time of birth tells them apart.
    using Name = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::uint32_t>;
    static Name name_of(int file) {
        struct statx found {};
        ::statx(file, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &found);
        return {std::uint64_t{found.stx_dev_major} << 32U | found.stx_dev_minor, found.stx_ino, found.stx_btime.tv_sec,
                found.stx_btime.tv_nsec};
    }

    std::atomic<bool> any_ = false;
    std::mutex mutex_;
    std::map<Name, std::map<off64_t, Page>> files_;
};

Unsynced& unsynced() {
    static auto* const kept = new Unsynced;  // needed until the last thread has ended
    return *kept;
}

void note_write(int file, std::size_t size, off64_t offset) {
    if (control() != nullptr) {
        unsynced().note(file, offset, size);
    }
}

void note_write(int file, std::size_t size) {
    if (control() != nullptr && load(control()->sync_forgets) != 0) {
        const bool at_end = (::fcntl(file, F_GETFL) & O_APPEND) != 0;
        unsynced().note(file, std::max<off64_t>(0, ::lseek64(file, 0, at_end ? SEEK_END : SEEK_CUR)), size);
    }
}

std::size_t size_of(const iovec* parts, int count) {
    std::size_t size = 0;
    for (int i = 0; i < count; ++i) {
        size += parts[i].iov_len;
    }
    return size;
}

void hang() {
    auto* shared = control();
    __atomic_store_n(&shared->hung, static_cast<std::uint32_t>(::getpid()), __ATOMIC_RELAXED);
    const timespec time = {0, 10'000'000};
    while (load(shared->syncs_hang) != 0) {
        ::nanosleep(&time, nullptr);
    }
}

/// What a write comes to: 0 goes on, -1 fails with errno set, else the bytes that it is cut to.
ssize_t fate_of_write(int file, std::size_t size) {
    const auto* shared = control();
    if (shared == nullptr) {
        return 0;
    }
    const auto eio = load(shared->write_eio);
    const auto enospc = load(shared->write_enospc);
    const auto cut = load(shared->write_short);
    if ((eio | enospc | cut) == 0 || !below_root(file)) {
        return 0;
    }
    if (happens(eio)) {
        errno = EIO;
        return -1;
    }
    if (happens(enospc)) {
        errno = ENOSPC;
        return -1;
    }
    if (size > 1 && happens(cut)) {
        return static_cast<ssize_t>(1 + draw() % (size - 1));
    }
    return 0;
}

bool sync_fails(int file) {
    const auto* shared = control();
    if (shared == nullptr) {
        return false;
    }
    const auto eio = load(shared->sync_eio);
    const auto slow = load(shared->slow_sync_ms);
    const auto forgets = load(shared->sync_forgets);
    if ((eio | slow | forgets | load(shared->syncs_hang)) == 0 || !below_root(file)) {
        return false;
    }
    if (load(shared->syncs_hang) != 0) {
        hang();
    }
    if (slow != 0) {
        const timespec time = {static_cast<time_t>(slow / 1000), static_cast<long>(slow % 1000) * 1'000'000};
        ::nanosleep(&time, nullptr);
    }
    if (happens(forgets)) {
        unsynced().drop(file);
    } else if (!happens(eio)) {
        return false;
    }
    errno = EIO;
    return true;
}

/// A sync, as the system does it where nothing fails.
template <typename Sync>
int sync_by(Sync next, int file) {
    if (sync_fails(file)) {
        return -1;
    }
    const int result = next(file);
    if (result == 0 && control() != nullptr) {
        unsynced().synced(file);
    }
    return result;
}

bool read_fails(int file) {
    const auto* shared = control();
    if (shared == nullptr) {
        return false;
    }
    const auto eio = load(shared->read_eio);
    if (eio == 0 || !below_root(file) || !happens(eio)) {
        return false;
    }
    errno = EIO;
    return true;
}

bool grow_fails(int file) {
    const auto* shared = control();
    if (shared == nullptr) {
        return false;
    }
    const auto enospc = load(shared->grow_enospc);
    return enospc != 0 && below_root(file) && happens(enospc);
}

bool open_fails(const char* path, int flags) {
    const auto* shared = control();
    if (shared == nullptr || (flags & O_PATH) != 0) {
        return false;
    }
    const auto chance = load(shared->create_emfile);
    if (chance == 0 || path[0] != '/' || !below_root(path) || !happens(chance)) {
        return false;
    }
    errno = EMFILE;
    return true;
}

bool unlink_fails(const char* path) {
    const auto* shared = control();
    if (shared == nullptr) {
        return false;
    }
    const auto chance = load(shared->unlink_eio);
    if (chance == 0 || path[0] != '/' || !below_root(path) || !happens(chance)) {
        return false;
    }
    errno = EIO;
    return true;
}

mode_t mode_of(int flags, va_list arguments) {
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

/// What the table of names says: 0 and the address, or an error of getaddrinfo.
int look_up(const char* node, char* address, std::size_t room) {
    const char* path = std::getenv("LIHANDOVER_FAULTS_NAMES");
    std::FILE* file = path != nullptr ? std::fopen(path, "re") : nullptr;
    if (file == nullptr) {
        return EAI_NONAME;
    }
    char line[512];
    int result = EAI_NONAME;
    while (std::fgets(line, sizeof line, file) != nullptr) {
        char name[128] = "";
        char kind[32] = "";
        char where[64] = "";
        unsigned milliseconds = 0;
        std::sscanf(line, "%127s %31s %63s %u", name, kind, where, &milliseconds);
        if (std::strcmp(name, node) != 0) {
            continue;
        }
        if (std::strcmp(kind, "again") == 0) {
            result = EAI_AGAIN;
        }
        if (std::strcmp(kind, "address") == 0) {
            std::snprintf(address, room, "%s", where);
            const timespec time = {static_cast<time_t>(milliseconds / 1000),
                                   static_cast<long>(milliseconds % 1000) * 1'000'000};
            ::nanosleep(&time, nullptr);
            result = 0;
        }
        break;
    }
    std::fclose(file);
    return result;
}

}  // namespace

// The parameters are named as in POSIX; declarations of libc that differ in attributes only are satisfied by these.
extern "C" {

ssize_t write(int file, const void* data, std::size_t size) {
    REAL(write);
    const auto fate = fate_of_write(file, size);
    note_write(file, size);
    return fate < 0 ? -1 : next(file, data, fate > 0 ? static_cast<std::size_t>(fate) : size);
}

ssize_t pwrite(int file, const void* data, std::size_t size, off_t offset) {
    REAL(pwrite);
    const auto fate = fate_of_write(file, size);
    note_write(file, size, offset);
    return fate < 0 ? -1 : next(file, data, fate > 0 ? static_cast<std::size_t>(fate) : size, offset);
}

ssize_t pwrite64(int file, const void* data, std::size_t size, off64_t offset) {
    REAL(pwrite64);
    const auto fate = fate_of_write(file, size);
    note_write(file, size, offset);
    return fate < 0 ? -1 : next(file, data, fate > 0 ? static_cast<std::size_t>(fate) : size, offset);
}

ssize_t writev(int file, const iovec* parts, int count) {
    REAL(writev);
    if (fate_of_write(file, 2) < 0) {
        return -1;
    }
    note_write(file, size_of(parts, count));
    return next(file, parts, count);
}

ssize_t pwritev(int file, const iovec* parts, int count, off_t offset) {
    REAL(pwritev);
    if (fate_of_write(file, 2) < 0) {
        return -1;
    }
    note_write(file, size_of(parts, count), offset);
    return next(file, parts, count, offset);
}

ssize_t read(int file, void* data, std::size_t size) {
    REAL(read);
    return read_fails(file) ? -1 : next(file, data, size);
}

ssize_t pread(int file, void* data, std::size_t size, off_t offset) {
    REAL(pread);
    return read_fails(file) ? -1 : next(file, data, size, offset);
}

ssize_t pread64(int file, void* data, std::size_t size, off64_t offset) {
    REAL(pread64);
    return read_fails(file) ? -1 : next(file, data, size, offset);
}

int fsync(int file) {
    REAL(fsync);
    return sync_by(next, file);
}

int fdatasync(int file) {
    REAL(fdatasync);
    return sync_by(next, file);
}

int posix_fallocate(int file, off_t offset, off_t size) {
    REAL(posix_fallocate);
    return grow_fails(file) ? ENOSPC : next(file, offset, size);
}

int open(const char* path, int flags, ...) {
    REAL(open);
    va_list arguments;
    va_start(arguments, flags);
    const auto mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_fails(path, flags) ? -1 : next(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    REAL(open64);
    va_list arguments;
    va_start(arguments, flags);
    const auto mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_fails(path, flags) ? -1 : next(path, flags, mode);
}

int unlink(const char* path) noexcept {
    REAL(unlink);
    return unlink_fails(path) ? -1 : next(path);
}

int adjtimex(timex* state) noexcept {
    REAL(adjtimex);
    const auto says = control() != nullptr ? load(control()->kernel_clock) : 0;
    if (says == 0) {
        return next(state);
    }
    *state = {};
    state->status = says == 1 ? STA_UNSYNC : 0;
    return says == 1 ? TIME_ERROR : TIME_OK;
}

int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
    REAL(getaddrinfo);
    const auto size = node != nullptr ? std::strlen(node) : 0;
    if (size < 6 || std::strcmp(node + size - 5, ".test") != 0) {
        return next(node, service, hints, result);
    }
    char address[64];
    const int error = look_up(node, address, sizeof address);
    return error != 0 ? error : next(address, service, hints, result);
}
}
