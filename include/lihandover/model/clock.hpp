#pragma once

#include <chrono>

#include "lihandover/model/time.hpp"

namespace lihandover::model {

/// The one source of time, handed to whoever needs it, so that tests can move it. Wall time decides validity, expiry
/// and time stamps; steady time drives timers, deadlines and latencies. Implementations are thread-safe.
class Clock {
  public:
    using SteadyTime = std::chrono::steady_clock::time_point;

    virtual ~Clock() = default;
    [[nodiscard]] virtual Instant wall() const = 0;
    [[nodiscard]] virtual SteadyTime steady() const = 0;
};

/// The machine's own clocks. Lives for the whole program.
[[nodiscard]] const Clock& system_clock();

}  // namespace lihandover::model
