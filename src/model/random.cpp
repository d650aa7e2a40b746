#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <exception>

#include "lihandover/model/uuid.hpp"

namespace lihandover::model {

namespace {

void fill_from_kernel(unsigned char* out, std::size_t size) {
    while (size > 0) {
        const ssize_t got = ::getrandom(out, size, 0);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            std::terminate();  // without randomness URLs could be guessed and ids could repeat
        }
        out += got;
        size -= static_cast<std::size_t>(got);
    }
}

// One system call for many small draws. Bytes are wiped as they are used, so that neither a core dump nor a later read
// of the pool reveals an id that was drawn from it.
class Pool {
  public:
    void draw(unsigned char* out, std::size_t size) {
        if (size > sizeof bytes_) {
            fill_from_kernel(out, size);
            return;
        }
        if (size > sizeof bytes_ - used_) {
            fill_from_kernel(bytes_, sizeof bytes_);
            used_ = 0;
        }
        std::memcpy(out, bytes_ + used_, size);
        explicit_bzero(bytes_ + used_, size);
        used_ += size;
    }

  private:
    unsigned char bytes_[1024];
    std::size_t used_ = sizeof bytes_;
};

}  // namespace

void random_bytes(void* out, std::size_t size) {
    thread_local Pool pool;
    pool.draw(static_cast<unsigned char*>(out), size);
}

std::uint64_t random_below(std::uint64_t bound) {
    // Draws above the largest multiple of bound are discarded: the remainder would favour small values.
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t value = 0;
    do {
        random_bytes(&value, sizeof value);
    } while (value >= limit);
    return value % bound;
}

}  // namespace lihandover::model
