#pragma once

#include <chrono>

namespace lihandover::delivery {

/// How long to wait after `failures` consecutive failures (from 1): `initial`, doubled each time, at most `maximum`.
/// `dice` (uniform in [0, 1)) subtracts up to half, so that what failed together does not come back together.
[[nodiscard]] std::chrono::milliseconds back_off(unsigned failures, std::chrono::milliseconds initial,
                                                 std::chrono::milliseconds maximum, double dice);

/// A random number from 0 to 1, for functions that take a `dice`.
[[nodiscard]] double jitter_dice();

}  // namespace lihandover::delivery
