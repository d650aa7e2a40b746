#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>

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
    /// Which files, and whether their syncs alone.
    enum class File : std::uint8_t { any, database, log };
    std::atomic<File> only{File::any};
    std::atomic<bool> syncs_only{false};
    /// Reads of the database give garbage.
    std::atomic<bool> garbage{false};
    /// Syncs wait while this is true.
    std::atomic<bool> hang_syncs{false};

    void none() {
        garbage = false;
        hang_syncs = false;
        only = File::any;
        syncs_only = false;
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

/// From now on follows what of each file opened from here on is on a disk that forgets what was not synced, and drops
/// all of it when a sync fails, as Linux does.
void follow_the_disk(bool follow);
/// Writes the files of one directory as a loss of power now would leave them into another.
void lose_power(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace lihandover::store::test
