#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/contents.hpp"
#include "common/keyring.hpp"
#include "common/seal.hpp"
#include "key_place.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::store::sqlite {

/// The keys that items' content is sealed under, in a file of fixed slots of 32 bytes beside the database. Overwriting
/// a slot in place puts its content beyond recovery, wherever pages and logs still hold its sealed bytes (promise 12).
///
/// A free slot holds a fresh random key that is on disk already, so that sealing an item needs no sync of its own. A
/// slot whose item is gone gets a fresh key at once, and is free once that was synced. The system tells a sync that
/// failed to one caller, once, and forgets the pages: so syncs go one at a time, and one that fails frees nothing of
/// what was written before it ended. Those slots are written again for the next one.
///
/// take(), release() and the stocktaking are for the writer's thread; sync(), bytes() and read() for any.
class KeySlots {
  public:
    /// Opens or makes the file below the state directory, mode 0600.
    ///   no_space  set where the disk is too full for that
    [[nodiscard]] static model::Result<std::shared_ptr<KeySlots>> open(const std::filesystem::path& state_directory,
                                                                       std::shared_ptr<const Keyring> keyring,
                                                                       bool& no_space);
    KeySlots(const KeySlots&) = delete;
    KeySlots& operator=(const KeySlots&) = delete;
    KeySlots(KeySlots&&) = delete;
    KeySlots& operator=(KeySlots&&) = delete;
    ~KeySlots();

    /// Whenever the database was opened: forgets what was free, hears which slots rows name, and gives all others fresh
    /// keys, whatever a crash left in them. Those that cannot be written are not free until they were. Throws
    /// SqlFailure where that cannot be synced. Returns how many of those that rows name lie beyond the file's end: what
    /// was sealed under them is lost.
    void begin_stocktaking();
    void in_use(std::uint32_t slot);
    std::uint64_t end_stocktaking();

    /// A free slot, and the key of content that is sealed by it from now on. Throws SqlFailure where there is none and
    /// the file cannot grow.
    [[nodiscard]] KeyPlace take(SealKey& key);
    /// The same with the key that lies in the slot, which needs nothing to be opened.
    [[nodiscard]] std::uint32_t take_slot(SealKey& key);
    /// Overwrites the keys. What cannot be written now is written with the next sync.
    void release(std::span<const std::uint32_t> slots);
    /// Whether released slots wait for a sync.
    [[nodiscard]] bool sync_due() const;
    /// Blocks on the disk. False where it failed.
    bool sync();

    /// Of the file.
    [[nodiscard]] std::uint64_t bytes() const;

    /// nullopt where there is no such slot, or it cannot be read, or the key that it goes with is not the store's.
    [[nodiscard]] std::optional<SealKey> read(KeyPlace place) const;
    [[nodiscard]] std::optional<SealKey> read_slot(std::uint32_t slot) const;
    /// Whether a key that could not be read is there, so that it may be read another time.
    [[nodiscard]] bool cannot_be_read_now(KeyPlace place) const {
        return is_within(place.slot) && !read_slot(place.slot);
    }

    enum class State : std::uint8_t {
        known,     ///< it is there, or lost
        not_now,   ///< it is there, and the disk does not give it: to be asked for again a moment later
        none_now,  ///< the disk gives none of those that were tried
    };
    struct Found {
        std::optional<SealKey> key;
        State state = State::known;
        [[nodiscard]] bool not_now() const { return state != State::known; }
    };
    /// As read(), for whoever would act on its loss: what is taken for lost is handed over as lost, or refused. A place
    /// of the file that fails for as long as Options::damaged_after, whenever it is looked at, while other places can
    /// be read counts as damaged, and its keys as lost.
    [[nodiscard]] Found find(KeyPlace place) const { return find(place, damaged_after_); }
    /// The same, and throws SqlFailure where none can be read.
    [[nodiscard]] Found find_or_fail(KeyPlace place) const { return find_or_fail(place, damaged_after_); }
    /// The same for a start, which goes on without it: blocks until it is there or lost, for some seconds at most.
    [[nodiscard]] std::optional<SealKey> wait_for(KeyPlace place) const;
    /// Before other threads use it.
    void set_damaged_after(std::chrono::milliseconds time) { damaged_after_ = time; }
    [[nodiscard]] const Keyring& keyring() const { return *keyring_; }

  private:
    KeySlots(int file, std::uint64_t bytes, std::shared_ptr<const Keyring> keyring)
        : file_(file), keyring_(std::move(keyring)), slots_(bytes / SealKey::size) {}
    struct Slot {
        std::uint32_t number = 0;
        SealKey key;
    };
    using Time = std::chrono::steady_clock::time_point;
    /// A page of the file that could not be read, as far as somebody wanted something of it.
    struct Unread {
        Time first;
        Time last;
    };
    static constexpr std::uint32_t slots_of_a_page = 4096 / SealKey::size;  ///< a disk gives no less, or none of it
    static constexpr std::size_t most_unread = 4096;
    /// A disk may take long to say that it cannot.
    static constexpr std::chrono::milliseconds tried_apart{250};
    static constexpr std::chrono::seconds forgotten_after{10};
    static constexpr std::chrono::seconds waited_for{5};
    static constexpr std::chrono::seconds waited_in_all{20};  ///< of each hour

    [[nodiscard]] bool is_within(std::uint32_t slot) const;
    [[nodiscard]] Found find(KeyPlace place, std::chrono::milliseconds damaged_after) const;
    [[nodiscard]] Found find_or_fail(KeyPlace place, std::chrono::milliseconds damaged_after) const;
    /// Whether wait_for() may wait once more: many damaged places must not make a start last for ever.
    [[nodiscard]] bool may_wait() const;
    /// Since when a page fails that failed so lately that it is not worth another try.
    [[nodiscard]] std::optional<Time> failed_just_now(std::uint32_t slot,
                                                      std::chrono::milliseconds damaged_after) const;
    /// Returns since when it fails.
    Time note_unread(std::uint32_t slot) const;
    void forget_unread(std::uint32_t slot) const;  ///< with the mutex
    [[nodiscard]] bool others_can_be_read(std::uint32_t slot, std::uint64_t slots) const;
    /// With both mutexes.
    void grow();
    /// After a sync that failed, whoever began it.
    void distrust_fresh();
    /// Gives each slot a fresh key: neighbours by one write. Those that it could write are added to `written`, the
    /// others to `stale_`.
    void write_fresh(std::vector<std::uint32_t> slots, std::vector<Slot>& written);

    int file_;
    std::shared_ptr<const Keyring> keyring_;
    std::chrono::milliseconds damaged_after_{std::chrono::seconds(60)};
    std::mutex sync_mutex_;  ///< one sync at a time

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::uint64_t slots_;               ///< in the file
    std::vector<Slot> ready_;           ///< free ones whose fresh key, on disk, is known here as well
    std::vector<std::uint32_t> free_;   ///< free ones whose fresh key is on disk
    std::vector<Slot> fresh_;           ///< with a fresh key that was not synced
    std::vector<std::uint32_t> stale_;  ///< whose fresh key could not be written, or not be synced
    std::vector<bool> in_use_;          ///< while taking stock
    mutable std::atomic<bool> some_unread_{false};
    mutable std::map<std::uint32_t, Unread> unread_;  ///< by page
    mutable Time waits_since_;                        ///< the hour that `waited_` is of
    mutable std::chrono::milliseconds waited_{0};
    std::set<std::uint32_t> beyond_;  ///< that rows name beyond the end there was: nobody else may get the number
};

}  // namespace lihandover::store::sqlite
