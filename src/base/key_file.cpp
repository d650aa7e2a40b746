#include "lihandover/base/key_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

#include "lihandover/base/descriptor.hpp"
#include "lihandover/base/hex.hpp"

namespace lihandover::base {

namespace {

constexpr std::size_t max_key_file = 1024;

/// Whether the file may hold a key; the reason if not.
std::string objection_to(int descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        return "is no regular file";
    }
    if ((status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        return "is open to others, or its group may write to it; mode 0640 at most is needed";
    }
    if (status.st_size > static_cast<off_t>(max_key_file)) {
        return "is larger than a key is";
    }
    return {};
}

}  // namespace

std::string read_key_file(const std::string& path, std::size_t least, std::size_t most,
                          std::vector<unsigned char>& key) {
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};  // NOLINT(*-vararg)
    if (!file) {
        return "cannot be opened: " + std::generic_category().message(errno);
    }
    if (std::string objection = objection_to(file.get()); !objection.empty()) {
        return objection;
    }
    std::array<char, max_key_file> buffer{};
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    std::string_view digits{buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
    while (!digits.empty() && (digits.back() == '\n' || digits.back() == '\r' || digits.back() == ' ')) {
        digits.remove_suffix(1);
    }
    const bool good =
        digits.size() % 2 == 0 && digits.size() >= 2 * least && digits.size() <= 2 * most && is_hex(digits);
    key.clear();
    key.reserve(most);
    for (; good && !digits.empty(); digits.remove_prefix(2)) {
        key.push_back(static_cast<unsigned char>(hex_byte(digits)));
    }
    ::explicit_bzero(buffer.data(), buffer.size());
    if (good) {
        return {};
    }
    const std::string needed =
        least == most ? std::to_string(2 * least) : std::to_string(2 * least) + " to " + std::to_string(2 * most);
    return "holds no key; " + needed + " hex digits on one line are needed";
}

}  // namespace lihandover::base
