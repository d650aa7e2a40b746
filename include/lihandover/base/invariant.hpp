#pragma once

#include <source_location>

namespace lihandover::base {

/// Writes one line to stderr (the journal under systemd) and ends the process with abort(). The line has the place and
/// `what`, which is a literal and never contains data. Everything that was answered is in the store, and the next start
/// continues from there. Going on with broken state could lose it.
[[noreturn]] void invariant_broken(const char* what,
                                   std::source_location where = std::source_location::current()) noexcept;

}  // namespace lihandover::base

/// Checks, in release builds too, what must hold whatever the input: transitions of state machines, counters that must
/// not go below zero, ownership. `what` says what must hold: LIHANDOVER_INVARIANT(open > 0, "a commit ends once").
/// Never for anything that a source, an LEA, a file or the system can cause.
#define LIHANDOVER_INVARIANT(condition, what)             \
    do {                                                  \
        if (!(condition)) [[unlikely]] {                  \
            ::lihandover::base::invariant_broken((what)); \
        }                                                 \
    } while (false)

/// For checks that cost more than a few comparisons: only in debug builds, which the tests use.
#ifdef NDEBUG
#define LIHANDOVER_DEBUG_INVARIANT(condition, what)     \
    do {                                                \
        static_cast<void>(sizeof((condition) ? 1 : 0)); \
    } while (false)
#else
#define LIHANDOVER_DEBUG_INVARIANT(condition, what) LIHANDOVER_INVARIANT(condition, what)
#endif
