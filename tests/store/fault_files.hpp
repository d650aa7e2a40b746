#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>

namespace lihandover::store::test {

/// What goes wrong with the store's own files, `keys` and those in `objects/`: the program that this is linked into
/// writes, cuts and syncs files through it. A sync that fails is told once, to whoever called it, and what was written
/// before it ended is forgotten, as Linux does.
struct FileFaults {
    enum class File : std::uint8_t { keys, object, directory };
    /// Whose syncs fail; `times` is how often, negative: always.
    std::atomic<File> of{File::keys};
    std::atomic<std::int64_t> after{0};
    std::atomic<std::int64_t> times{0};
    /// Syncs of `of` wait while this is true; how many do.
    std::atomic<bool> hold{false};
    std::atomic<int> held{0};
    /// Reads of `keys` fail while this is true, or those of one place of it; how many did.
    std::atomic<bool> unreadable{false};
    std::atomic<std::int64_t> unreadable_at{-1};
    std::atomic<int> unread{0};

    void fail(File file, std::int64_t working = 0, std::int64_t how_often = 1) {
        of = file;
        after = working;
        times = how_often;
    }
    void none() {
        times = 0;
        hold = false;
        unreadable = false;
        unreadable_at = -1;
        unread = 0;
    }
};

FileFaults& file_faults();

/// From now on follows what of these files is on a disk that forgets what was not synced.
void follow_files(bool follow);
/// What the disk has of a followed file; empty where it has nothing, or no entry in the file's directory.
[[nodiscard]] std::string durable(const std::filesystem::path& file);

}  // namespace lihandover::store::test
