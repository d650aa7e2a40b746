#pragma once

#include <atomic>
#include <cstdint>

namespace lihandover::store::test {

/// What goes wrong beneath SQLite in this process. The shim is the default VFS of the program it is linked into.
struct Faults {
    /// The code that fails: SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_READONLY …; 0 for none.
    std::atomic<int> code{0};
    /// How many writes, syncs and truncations still work before it does.
    std::atomic<std::int64_t> after{0};
    /// How many fail then; negative: all.
    std::atomic<std::int64_t> times{-1};
    /// Operations since it was last set to 0.
    std::atomic<std::int64_t> seen{0};
    /// Reads of the database give garbage.
    std::atomic<bool> garbage{false};

    void none() {
        garbage = false;
        code = 0;
    }
    void fail(int with, std::int64_t working = 0, std::int64_t how_often = -1) {
        after = working;
        times = how_often;
        seen = 0;
        code = with;
    }
};

Faults& faults();
void install_fault_vfs();

}  // namespace lihandover::store::test
