#pragma once

#include <cstdint>

namespace lihandover::ims {

/// Numbers for what copies are kept for, each once.
class Owners {
  public:
    [[nodiscard]] std::uint64_t next() { return ++last_; }

  private:
    std::uint64_t last_ = 0;
};

}  // namespace lihandover::ims
