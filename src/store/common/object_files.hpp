#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/objects.hpp"
#include "seal.hpp"

namespace lihandover::store {

class ObjectFiles;

/// A sealed file, its key and what was measured of its bytes.
///
/// One that was just written (an owner) unlinks its file when it goes, unless a row has it: the writer keeps and
/// releases it as rows come and go. One that was read from a row leaves the file alone.
class SealedFile final : public SealedObject {
  public:
    SealedFile(std::shared_ptr<ObjectFiles> files, const model::Uuid& name, SealKey key, std::uint64_t size,
               const model::Sha256& sha256, bool owner);
    SealedFile(const SealedFile&) = delete;
    SealedFile& operator=(const SealedFile&) = delete;
    SealedFile(SealedFile&&) = delete;
    SealedFile& operator=(SealedFile&&) = delete;
    ~SealedFile() override;

    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] const model::Sha256& sha256() const override { return sha256_; }
    [[nodiscard]] const model::Uuid& name() const { return name_; }
    [[nodiscard]] const SealKey& key() const { return key_; }
    [[nodiscard]] bool in(const ObjectFiles& files) const { return files_.get() == &files; }

    /// Whether the file outlives this handle.
    void keep(bool kept) const { kept_.store(kept, std::memory_order_release); }

  private:
    std::shared_ptr<ObjectFiles> files_;
    model::Uuid name_;
    SealKey key_;
    std::uint64_t size_;
    model::Sha256 sha256_;
    bool owner_;
    mutable std::atomic<bool> kept_;
};

/// Syncs of one directory for all who made entries in it. The system tells a failure to one caller, once, and forgets
/// what was not written: so one sync at a time serves all that asked before it began, and a failure counts for every
/// entry that was there. Thread-safe.
class DirectorySync {
  public:
    /// Before an entry is made: what sync() is told of it later.
    [[nodiscard]] std::uint64_t failures() const {
        const std::lock_guard lock(mutex_);
        return failures_;
    }
    /// Whether an entry that was made after `failures` is on the disk; blocks on it. errno says why not.
    [[nodiscard]] bool sync(int directory, std::uint64_t failures);

  private:
    mutable std::mutex mutex_;
    std::condition_variable ended_;
    // Guarded by mutex_.
    bool running_ = false;
    std::uint64_t asked_ = 0;   ///< how many asked
    std::uint64_t served_ = 0;  ///< so many of them asked before the last sync that ended began
    std::uint64_t failures_ = 0;
    int last_error_ = 0;
};

/// The directory of sealed files, and how much of the disk they may take. Thread-safe. Shared with handles, writers and
/// readers, which may outlive the store by a little.
class ObjectFiles : public std::enable_shared_from_this<ObjectFiles> {
  public:
    /// Opens or makes `objects` below the state directory, mode 0700.
    ///   no_space  set where the disk is too full for that
    [[nodiscard]] static model::Result<std::shared_ptr<ObjectFiles>> open(const std::filesystem::path& state_directory,
                                                                          bool& no_space);
    ObjectFiles(const ObjectFiles&) = delete;
    ObjectFiles& operator=(const ObjectFiles&) = delete;
    ObjectFiles(ObjectFiles&&) = delete;
    ObjectFiles& operator=(ObjectFiles&&) = delete;
    ~ObjectFiles();

    [[nodiscard]] model::Result<std::unique_ptr<ObjectWriter>> writer();
    /// Room for an object of so many bytes is held until the writer finished it or is gone.
    [[nodiscard]] model::Result<std::unique_ptr<ObjectWriter>> copy_writer(std::uint64_t size);
    [[nodiscard]] bool copy_fits(std::uint64_t size) const;
    /// As ObjectIntake has them.
    [[nodiscard]] std::uint64_t largest() const;
    [[nodiscard]] std::uint64_t free_room() const;
    [[nodiscard]] model::Result<std::unique_ptr<ObjectReader>> reader(const SealedFile& file) const;

    /// The handle of a file that a row names.
    [[nodiscard]] std::shared_ptr<const SealedFile> of_row(const model::Uuid& name, SealKey key, std::uint64_t size,
                                                           const model::Sha256& sha256);
    /// The row of this file is gone: the file goes too, now or with its owner's last handle (which may give it a row
    /// again).
    ///   bytes  of the file
    void release(const model::Uuid& name, std::uint64_t bytes);
    /// Who unlinks: removing a large file takes long on some file systems. Runs the work at some time, on any thread.
    void set_remover(std::function<void(std::function<void()>)> remover);

    /// Removes files whose names are like ours and that no row has, as a crash leaves them, and takes stock. Before
    /// anything is written. Gives how many of those that rows name are there. Where it fails, take_stock() has to say
    /// how much there is.
    ///   least_age  younger files stay, since other processes write to the directory as well
    [[nodiscard]] model::Result<std::uint64_t> sweep(const std::function<bool(const model::Uuid&)>& has_row,
                                                     std::chrono::seconds least_age = {});
    void take_stock(std::uint64_t bytes) { bytes_.store(bytes, std::memory_order_relaxed); }

    /// What may be written.
    struct Budget {
        std::uint64_t max_bytes = 0;             ///< the store's limit; 0: none
        std::uint64_t other_bytes = 0;           ///< what else counts towards it now,
        std::uint64_t room = 0;                  ///< on the disk that has to stay free,
        std::uint64_t copy_room = 0;             ///< and that copies have to leave
        std::uint64_t least_bytes = 0;           ///< what else counts in an empty store
        std::uint64_t disk = ~std::uint64_t{0};  ///< free on the disk now
    };
    void set_budget(const Budget& budget);
    /// Of all files, unfinished ones included.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  private:
    friend class SealedFile;
    friend class FileWriter;

    explicit ObjectFiles(int directory) : directory_(directory) {}
    /// Counts `bytes` more, or says why they cannot be had.
    ///   most  that the store may have then; 0: any
    ///   room  on the disk that has to stay free
    [[nodiscard]] model::Status admit(std::uint64_t bytes, std::uint64_t most, std::uint64_t room);
    /// Of an object that no committed item waits for.
    [[nodiscard]] model::Status admit(std::uint64_t bytes) {
        return admit(bytes, share(), room_.load(std::memory_order_relaxed));
    }
    /// What there may be of everything once such an object is there: the last eighth of max_bytes is for events, which
    /// objects that no event ever names must not shut out.
    [[nodiscard]] std::uint64_t share() const {
        const std::uint64_t most = max_bytes_.load(std::memory_order_relaxed);
        return most - most / 8;
    }
    void give_back(std::uint64_t bytes) noexcept;
    void unlink(const model::Uuid& name, std::uint64_t bytes) noexcept;
    void add_owner(const std::shared_ptr<const SealedFile>& owner);
    void owner_gone(const model::Uuid& name) noexcept;

    int directory_;
    DirectorySync entries_;
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> max_bytes_{0};
    std::atomic<std::uint64_t> other_bytes_{0};
    std::atomic<std::uint64_t> room_{0};
    std::atomic<std::uint64_t> copy_room_{0};
    std::atomic<std::uint64_t> least_bytes_{0};
    /// bytes() at which the disk would be as full as objects may make it.
    std::atomic<std::uint64_t> disk_end_{~std::uint64_t{0}};
    std::atomic<std::uint64_t> promised_{
        0};  ///< admitted for copies and not written yet, so that the disk has it still

    std::mutex mutex_;
    // Guarded by mutex_.
    std::unordered_map<model::Uuid, std::weak_ptr<const SealedFile>> owners_;
    std::function<void(std::function<void()>)> remover_;
};

}  // namespace lihandover::store
