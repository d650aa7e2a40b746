#pragma once

#include <unistd.h>

#include <utility>

namespace lihandover::base {

/// Owns a file descriptor and closes it. Empty (-1) if none was opened; test with `if (descriptor)`. Closing ignores
/// errors: whoever writes syncs first and checks that result.
class Descriptor {
  public:
    explicit Descriptor(int number = -1) noexcept : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        reset(other.release());
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { reset(); }

    [[nodiscard]] int get() const noexcept { return number_; }
    explicit operator bool() const noexcept { return number_ >= 0; }

    /// Gives the descriptor away without closing it.
    [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

    /// Closes its descriptor and owns `number` from now on.
    void reset(int number = -1) noexcept {
        const int old = std::exchange(number_, number);
        if (old >= 0) {
            ::close(old);
        }
    }

  private:
    int number_;
};

}  // namespace lihandover::base
