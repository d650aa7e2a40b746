#include "directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace lihandover::store {

std::string system_words(int code) {
    return std::generic_category().message(code);
}

namespace {

constexpr std::uint64_t kibi = 1024;
constexpr std::uint64_t mebi = 1024 * kibi;

/// The process id in a lock file, or nothing.
std::string holder_of(int file) {
    std::array<char, 16> text{};
    const ssize_t size = pread(file, text.data(), text.size(), 0);
    std::string digits;
    for (ssize_t i = 0;
         i < size && text[static_cast<std::size_t>(i)] >= '0' && text[static_cast<std::size_t>(i)] <= '9'; ++i) {
        digits += text[static_cast<std::size_t>(i)];
    }
    return digits;
}

void write_own_id(int file) {
    std::array<char, 16> text{};
    auto [end, error] = std::to_chars(text.data(), text.data() + text.size() - 1, getpid());
    *end++ = '\n';
    const auto size = static_cast<std::size_t>(end - text.data());
    // For people only: the lock itself is what counts, so that a full disk is no reason to stop here.
    if (ftruncate(file, 0) != 0 || pwrite(file, text.data(), size, 0) != static_cast<ssize_t>(size)) {
        return;
    }
}

}  // namespace

SpacePlan SpacePlan::of(std::uint64_t file_system_bytes, std::uint64_t max_bytes) {
    SpacePlan plan;
    plan.reserve = std::clamp(file_system_bytes / 8, 1 * mebi, 64 * mebi) / (4 * kibi) * (4 * kibi);
    plan.low_water = plan.reserve;
    plan.wal_target = plan.reserve / 4;
    // The log counts towards max_bytes, of which it must not be a large part.
    if (max_bytes != 0) {
        plan.wal_target = std::min(plan.wal_target, std::max(max_bytes / 16, 256 * kibi));
    }
    // A checkpoint may have to write all of the log into the database once more, after it grew by the deletions.
    plan.wal_limit = plan.wal_target * 2;
    return plan;
}

model::Result<StateDirectory> StateDirectory::open(const std::filesystem::path& path) {
    const std::string name = path.string();
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return model::Error{"state_dir \"" + name + "\" cannot be created: " + system_words(errno)};
    }
    const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return model::Error{"state_dir \"" + name + "\" cannot be opened: " + system_words(errno)};
    }
    struct stat status {};
    const bool closed_to_others =
        fstat(directory, &status) == 0 && ((status.st_mode & 0077) == 0 || fchmod(directory, 0700) == 0);
    const int mode_error = errno;
    close(directory);
    if (!closed_to_others) {
        return model::Error{"state_dir \"" + name + "\" is open to other users and that cannot be changed (" +
                            system_words(mode_error) + "): give it to the daemon's user with mode 0700"};
    }
    const int lock = ::open((path / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) {
        return model::Error{"state_dir \"" + name + "\" cannot be locked: " + system_words(errno)};
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        const int code = errno;
        const std::string holder = holder_of(lock);
        close(lock);
        if (code != EWOULDBLOCK) {
            return model::Error{"state_dir \"" + name + "\" cannot be locked: " + system_words(code)};
        }
        return model::Error{"state_dir \"" + name + "\" is in use by another daemon" +
                            (holder.empty() ? std::string() : " (process " + holder + ")") +
                            ": stop that one, or give this one a state_dir of its own"};
    }
    write_own_id(lock);
    return StateDirectory(path, lock);
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

StateDirectory::~StateDirectory() {
    if (lock_ >= 0) {
        close(lock_);
    }
}

std::uint64_t StateDirectory::free_bytes() const {
    struct statvfs status {};
    if (statvfs(path_.c_str(), &status) != 0) {
        return 0;
    }
    return std::uint64_t{status.f_bavail} * status.f_frsize;
}

std::uint64_t StateDirectory::total_bytes() const {
    struct statvfs status {};
    if (statvfs(path_.c_str(), &status) != 0) {
        return 0;
    }
    return std::uint64_t{status.f_blocks} * status.f_frsize;
}

std::uint64_t StateDirectory::wal_bytes() const {
    struct stat status {};
    return stat((path_ / "store.db-wal").c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

bool StateDirectory::has_database() const {
    struct stat status {};
    return stat(database().c_str(), &status) == 0 && status.st_size > 0;
}

bool StateDirectory::sync() const {
    const int directory = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return false;
    }
    const bool synced = fsync(directory) == 0;
    close(directory);
    return synced;
}

model::Status StateDirectory::create_database() const {
    const int file = ::open(database().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        const int code = errno;
        return model::Error{"the store in state_dir \"" + path_.string() +
                            "\" cannot be opened for writing: " + system_words(code) +
                            (code == EROFS ? " (mount the file system read-write)" : " (see to owner and mode)")};
    }
    // Nobody has the database open yet, so closing it drops no locks of SQLite.
    const bool narrowed = fchmod(file, 0600) == 0;
    const int code = errno;
    close(file);
    if (!narrowed) {
        return model::Error{"the store's file mode cannot be set to 0600: " + system_words(code)};
    }
    return {};
}

bool StateDirectory::set_aside(std::uint64_t bytes) const {
    const int file = ::open(reserve().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return false;
    }
    struct stat status {};
    bool complete = fstat(file, &status) == 0 && static_cast<std::uint64_t>(status.st_size) == bytes &&
                    static_cast<std::uint64_t>(status.st_blocks) * 512 >= bytes;
    if (!complete) {
        complete = ftruncate(file, 0) == 0 && posix_fallocate(file, 0, static_cast<off_t>(bytes)) == 0;
        if (!complete) {
            unlink(reserve().c_str());
        }
    }
    close(file);
    return complete;
}

bool StateDirectory::release() const {
    struct stat status {};
    if (stat(reserve().c_str(), &status) != 0) {
        return false;
    }
    const bool held_any = status.st_blocks > 0;
    return unlink(reserve().c_str()) == 0 && held_any;
}

}  // namespace lihandover::store
