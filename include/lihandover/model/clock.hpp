#pragma once

#include <chrono>

#include "lihandover/model/time.hpp"

namespace lihandover::model {

/// The one source of time, passed to whoever needs it, so that tests can control it. Wall time decides validity and
/// time stamps; trusted time decides what cannot be undone (retention, the memory of repeats, expiry of objects:
/// promise 13); steady time drives timers, deadlines and latencies. Implementations are thread-safe.
class Clock {
  public:
    using SteadyTime = std::chrono::steady_clock::time_point;

    virtual ~Clock() = default;
    [[nodiscard]] virtual Instant wall() const = 0;
    [[nodiscard]] virtual SteadyTime steady() const = 0;

    /// The wall time as far as it can be trusted: never ahead of it, and behind it after a jump.
    [[nodiscard]] virtual Instant trusted() const { return wall(); }
    /// A time that has passed, never before another one that is known to have: the wall time, or where it should be
    /// while it is not trusted. For times that are told to others and kept: with a clock that is behind they would lie
    /// in the past once it is right.
    [[nodiscard]] virtual Instant passed() const { return wall(); }
    /// Whether the wall time is the trusted time. While it is not, a time that a source gives may be right and our own
    /// wrong.
    [[nodiscard]] virtual bool is_trusted() const { return true; }
};

/// The machine's own clocks. Lives for the whole program.
[[nodiscard]] const Clock& system_clock();

}  // namespace lihandover::model
