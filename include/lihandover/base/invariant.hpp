#pragma once

#include <source_location>

namespace lihandover::base {

/// Writes one line to stderr (which is the journal under systemd) and ends the process with abort(). The line has the
/// place and `what`, which is a literal and never holds data. What was answered is in the store, and the next start
/// goes on from there: going on with broken state could lose it.
[[noreturn]] void invariant_broken(const char* what,
                                   std::source_location where = std::source_location::current()) noexcept;

}  // namespace lihandover::base

/// Checks, in release builds too, what must hold whatever the input: moves of state machines, counters that must not
/// go below zero, who owns what. `what` says what must hold: LIHANDOVER_INVARIANT(open > 0, "a commit ends once").
/// Never for anything that a source, an LEA, a file or the system can bring about.
#define LIHANDOVER_INVARIANT(condition, what)             \
    do {                                                  \
        if (!(condition)) [[unlikely]] {                  \
            ::lihandover::base::invariant_broken((what)); \
        }                                                 \
    } while (false)

/// For checks that cost more than a few comparisons: in debug builds only, which the tests are.
#ifdef NDEBUG
#define LIHANDOVER_DEBUG_INVARIANT(condition, what)     \
    do {                                                \
        static_cast<void>(sizeof((condition) ? 1 : 0)); \
    } while (false)
#else
#define LIHANDOVER_DEBUG_INVARIANT(condition, what) LIHANDOVER_INVARIANT(condition, what)
#endif
