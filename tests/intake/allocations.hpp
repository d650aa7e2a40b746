#pragma once

#include <cstddef>

namespace lihandover::intake::testing {

/// How many times this thread has allocated memory with operator new.
[[nodiscard]] std::size_t allocations();

}  // namespace lihandover::intake::testing
