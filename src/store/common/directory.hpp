#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "lihandover/model/result.hpp"

namespace lihandover::store {

/// How much space things may take, by what the file system is like: a store on a small file system has to be content
/// with less, so that it still has room for items.
struct SpacePlan {
    std::uint64_t reserve = 0;     ///< bytes of the reserve file
    std::uint64_t low_water = 0;   ///< room for new pages below which no new items are taken
    std::uint64_t wal_target = 0;  ///< the write-ahead log is checkpointed from here on
    std::uint64_t wal_limit = 0;   ///< and the writer waits for that from here on

    [[nodiscard]] static SpacePlan of(std::uint64_t file_system_bytes, std::uint64_t max_bytes);
};

/// How the system says it: of an errno.
[[nodiscard]] std::string system_words(int code);

/// The state directory: private to one daemon, with a file of set-aside space that makes room for deletions when the
/// disk is full. Not thread-safe but for free_bytes().
class StateDirectory {
  public:
    /// Makes the directory where only its last part is missing, closes it to others (mode 0700) and locks it. The lock
    /// goes with the object.
    [[nodiscard]] static model::Result<StateDirectory> open(const std::filesystem::path& path);

    StateDirectory(StateDirectory&& other) noexcept;
    StateDirectory& operator=(StateDirectory&&) = delete;
    StateDirectory(const StateDirectory&) = delete;
    StateDirectory& operator=(const StateDirectory&) = delete;
    ~StateDirectory();

    [[nodiscard]] std::filesystem::path database() const { return path_ / "store.db"; }
    [[nodiscard]] std::filesystem::path audit_head() const { return path_ / "audit.head"; }
    [[nodiscard]] std::filesystem::path reserve() const { return path_ / "reserve"; }

    /// Bytes an unprivileged process may still write there; 0 when that cannot be learnt.
    [[nodiscard]] std::uint64_t free_bytes() const;
    [[nodiscard]] std::uint64_t total_bytes() const;
    /// What the write-ahead log's file takes.
    [[nodiscard]] std::uint64_t wal_bytes() const;

    [[nodiscard]] bool has_database() const;
    /// Creates the database file with mode 0600 where it is missing: SQLite gives the files beside it the same mode.
    [[nodiscard]] model::Status create_database() const;
    /// The names in it are on the disk.
    [[nodiscard]] bool sync() const;
    /// Takes `bytes` of disk. True when it stands in full afterwards.
    [[nodiscard]] bool set_aside(std::uint64_t bytes) const;
    /// Gives the space back; true when there was any.
    bool release() const;

  private:
    StateDirectory(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

    std::filesystem::path path_;
    int lock_ = -1;
};

}  // namespace lihandover::store
