#include "lihandover/base/invariant.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace lihandover::base {

namespace {

iovec part(const char* text, std::size_t size) {
    return {const_cast<char*>(text), size};  // NOLINT(cppcoreguidelines-pro-type-const-cast): writev only reads
}

}  // namespace

// Allocates nothing and takes no lock: memory may be what is broken.
void invariant_broken(const char* what, std::source_location where) noexcept {
    constexpr const char* prefix = "<2>broken invariant: ";  // sd-daemon's "critical"
    constexpr const char* at = " at ";
    std::array<char, 16> line{':'};
    char* const end = std::to_chars(line.data() + 1, line.data() + line.size() - 1, where.line()).ptr;
    *end = '\n';
    const std::array<iovec, 5> parts{part(prefix, std::strlen(prefix)), part(what, std::strlen(what)),
                                     part(at, std::strlen(at)), part(where.file_name(), std::strlen(where.file_name())),
                                     part(line.data(), static_cast<std::size_t>(end - line.data()) + 1)};
    static_cast<void>(!::writev(STDERR_FILENO, parts.data(), static_cast<int>(parts.size())));
    std::abort();
}

}  // namespace lihandover::base
