#include "pipeline/named_file.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace lihandover::intake {

namespace {

// A rename along the path makes the kernel ask for another attempt; nobody can make us retry forever.
constexpr int most_tries = 16;

int open_below(int directory, const std::string& path) {
    open_how how{};
    // Does not wait for the other end of a pipe, or become anybody's terminal. Reading must not change access times:
    // they would tell the file's owner that it was read (promise 7).
    how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOATIME;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    for (int tries = 1;; ++tries) {
        // glibc has no function for it.
        const auto descriptor = static_cast<int>(::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how));
        if (descriptor < 0 && errno == EPERM && (how.flags & O_NOATIME) != 0) {
            how.flags &= ~static_cast<decltype(how.flags)>(O_NOATIME);  // for the owner of the file alone
            continue;
        }
        if (descriptor >= 0 || (errno != EAGAIN && errno != EINTR) || tries >= most_tries) {
            return descriptor;
        }
    }
}

std::int64_t nanos(const timespec& time) {
    // The owner of a file can give it any time: one beyond the range wraps, which tells files apart just as well.
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
                                     static_cast<std::uint64_t>(time.tv_nsec));
}

std::optional<NamedFile::Identity> measure(int descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        return std::nullopt;
    }
    return NamedFile::Identity{status.st_ino, static_cast<std::uint64_t>(status.st_size), nanos(status.st_mtim),
                               nanos(status.st_ctim)};
}

}  // namespace

std::optional<NamedFile> NamedFile::open(const std::string& root, std::string_view path, model::ObjectLoss& why) {
    why = model::ObjectLoss::unreadable;
    // The system would see the name only up to there.
    if (path.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg,hicpp-vararg): what the system call is
    const base::Descriptor directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) {
        return std::nullopt;
    }
    base::Descriptor descriptor(open_below(directory.get(), std::string(path)));
    if (!descriptor) {
        if (errno == ENOENT || errno == ENOTDIR) {
            why = model::ObjectLoss::vanished;
        }
        return std::nullopt;
    }
    if (!measure(descriptor.get())) {
        return std::nullopt;
    }
    return NamedFile(std::move(descriptor));
}

std::optional<NamedFile::Identity> NamedFile::identity() const {
    return measure(descriptor_.get());
}

std::optional<std::size_t> NamedFile::read(std::span<char> out) {
    for (;;) {
        const auto got = ::read(descriptor_.get(), out.data(), out.size());
        if (got >= 0) {
            return static_cast<std::size_t>(got);
        }
        if (errno != EINTR) {
            return std::nullopt;
        }
    }
}

}  // namespace lihandover::intake
