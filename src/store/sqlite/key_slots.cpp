#include "key_slots.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <thread>
#include <utility>

#include "common/gcm.hpp"
#include "lihandover/base/invariant.hpp"
#include "lihandover/model/uuid.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

namespace {

constexpr std::uint64_t least_growth = 1024;  ///< slots
constexpr std::uint64_t most_growth = 65'536;
constexpr std::size_t most_ready = 16'384;  ///< beyond a growth
[[nodiscard]] bool is_full(int error) {
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

[[noreturn]] void fail(int error) {
    if (is_full(error)) {
        throw SqlFailure(Trouble::full, SQLITE_FULL);
    }
    throw SqlFailure(error == EROFS ? Trouble::read_only : Trouble::failing, SQLITE_IOERR);
}

/// 0, or why not.
int write_all(int file, std::span<const std::uint8_t> bytes, std::uint64_t at) noexcept {
    while (!bytes.empty()) {
        const ssize_t written = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        at += static_cast<std::uint64_t>(written);
    }
    return 0;
}

/// Leaves the error in errno.
bool sync_directory(const std::filesystem::path& path) {
    const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return false;
    }
    const bool synced = fsync(directory) == 0;
    const int error = errno;
    close(directory);
    errno = error;
    return synced;
}

std::string_view view_of(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

model::Result<std::shared_ptr<KeySlots>> KeySlots::open(const std::filesystem::path& state_directory,
                                                        std::shared_ptr<const Keyring> keyring, bool& no_space) {
    no_space = false;
    const std::filesystem::path path = state_directory / "keys";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat status {};
    // A new file is nothing yet before its directory is on the disk.
    if (file < 0 || fstat(file, &status) != 0 || (status.st_size == 0 && !sync_directory(state_directory))) {
        const int error = errno;
        no_space = is_full(error);
        if (file >= 0) {
            close(file);
        }
        return model::Error{"the keys of stored content in state_dir cannot be opened: " +
                            std::generic_category().message(error)};
    }
    return std::shared_ptr<KeySlots>(
        new KeySlots(file, static_cast<std::uint64_t>(status.st_size), std::move(keyring)));
}

KeySlots::~KeySlots() {
    close(file_);
}

void KeySlots::write_fresh(std::vector<std::uint32_t> slots, std::vector<Slot>& written) {
    if (slots.empty()) {
        return;
    }
    std::ranges::sort(slots);
    std::vector<std::uint8_t> keys(slots.size() * SealKey::size);
    model::random_bytes(keys.data(), keys.size());
    for (std::size_t begin = 0, end = 0; begin < slots.size(); begin = end) {
        end = begin + 1;
        while (end < slots.size() && slots[end] == slots[end - 1] + 1 &&
               slots[end] / slots_of_a_page == slots[begin] / slots_of_a_page) {
            ++end;
        }
        const auto run = std::span(keys).subspan(begin * SealKey::size, (end - begin) * SealKey::size);
        const bool done = write_all(file_, run, std::uint64_t{slots[begin]} * SealKey::size) == 0;
        for (std::size_t i = begin; i < end; ++i) {
            if (!done) {
                stale_.push_back(slots[i]);
                continue;
            }
            Slot& slot = written.emplace_back();
            slot.number = slots[i];
            static_cast<void>(slot.key.set(view_of(std::span(keys).subspan(i * SealKey::size, SealKey::size))));
        }
    }
    sodium_memzero(keys.data(), keys.size());
}

void KeySlots::begin_stocktaking() {
    const std::lock_guard lock(mutex_);
    ready_.clear();
    free_.clear();
    fresh_.clear();
    stale_.clear();
    in_use_.assign(static_cast<std::size_t>(slots_), false);
    beyond_.clear();
}

void KeySlots::in_use(std::uint32_t slot) {
    const std::lock_guard lock(mutex_);
    // Beyond the file's end: the file was lost, and with it what was sealed, or the row was altered.
    if (slot >= in_use_.size()) {
        beyond_.insert(slot);
        return;
    }
    in_use_[slot] = true;
}

std::uint64_t KeySlots::end_stocktaking() {
    const std::lock_guard one(sync_mutex_);
    const std::lock_guard lock(mutex_);
    // A sync that was under way when it began has handed back its batch since: these slots are counted below.
    ready_.clear();
    free_.clear();
    fresh_.clear();
    stale_.clear();
    const std::uint64_t lost = beyond_.size();
    // What lies behind the last slot in use goes with the file's end.
    slots_ = in_use_.size();
    while (slots_ > 0 && !in_use_[static_cast<std::size_t>(slots_) - 1]) {
        --slots_;
    }
    if (ftruncate(file_, static_cast<off_t>(slots_ * SealKey::size)) != 0) {
        fail(errno);
    }
    std::vector<std::uint32_t> unused;
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
        if (!in_use_[slot]) {
            unused.push_back(slot);
        }
    }
    free_.reserve(unused.size());
    for (std::size_t begin = 0; begin < unused.size(); begin += most_growth) {
        const auto end = std::min(unused.size(), begin + static_cast<std::size_t>(most_growth));
        std::vector<Slot> written;
        write_fresh(
            {unused.begin() + static_cast<std::ptrdiff_t>(begin), unused.begin() + static_cast<std::ptrdiff_t>(end)},
            written);
        std::ranges::transform(written, std::back_inserter(free_), &Slot::number);
    }
    if (fdatasync(file_) != 0) {
        fail(errno);
    }
    in_use_ = {};
    return lost;
}

void KeySlots::grow() {
    const std::uint64_t more = std::clamp(slots_ / 8, least_growth, most_growth);
    std::vector<std::uint8_t> keys(static_cast<std::size_t>(more) * SealKey::size);
    model::random_bytes(keys.data(), keys.size());
    int error = write_all(file_, keys, slots_ * SealKey::size);
    // Slots of a growth whose sync failed are not counted: the next growth writes them again.
    if (error == 0 && fdatasync(file_) != 0) {
        error = errno;
    }
    if (error != 0) {
        distrust_fresh();
        fail(error);
    }
    // The last one is taken first.
    for (std::uint64_t i = more; i > 0; --i) {
        const auto number = static_cast<std::uint32_t>(slots_ + i - 1);
        if (beyond_.contains(number)) {
            continue;
        }
        Slot& slot = ready_.emplace_back();
        slot.number = number;
        const auto place = static_cast<std::size_t>(i - 1) * SealKey::size;
        static_cast<void>(slot.key.set(view_of(std::span(keys).subspan(place, SealKey::size))));
    }
    sodium_memzero(keys.data(), keys.size());
    slots_ += more;
}

void KeySlots::distrust_fresh() {
    for (const Slot& slot : fresh_) {
        stale_.push_back(slot.number);
    }
    fresh_.clear();
}

KeyPlace KeySlots::take(SealKey& key) {
    KeyPlace place;
    place.generation = keyring_->generation();
    place.slot = take_slot(key);
    if (place.generation != 0) {
        auto content = keyring_->content_key(place.generation, key);
        LIHANDOVER_INVARIANT(content.has_value(), "the newest of the store's keys is known");
        key = std::move(*content);
    }
    return place;
}

std::uint32_t KeySlots::take_slot(SealKey& key) {
    std::unique_lock lock(mutex_);
    while (ready_.empty()) {
        if (free_.empty()) {
            // Nobody else takes slots: what a sync under way frees meanwhile is all that can change.
            lock.unlock();
            const std::lock_guard one(sync_mutex_);
            lock.lock();
            while (ready_.empty() && free_.empty()) {
                grow();
            }
            continue;
        }
        const std::uint32_t slot = free_.back();
        auto known = read_slot(slot);
        if (!known && !others_can_be_read(slot, slots_)) {
            fail(EIO);
        }
        if (known) {
            free_.pop_back();
            key = *known;
            return slot;
        }
        // A damaged place: it is written anew before anybody takes one of it.
        std::erase_if(free_, [&](std::uint32_t other) {
            const bool there = other / slots_of_a_page == slot / slots_of_a_page;
            if (there) {
                stale_.push_back(other);
            }
            return there;
        });
    }
    const std::uint32_t slot = ready_.back().number;
    key = ready_.back().key;
    ready_.pop_back();
    return slot;
}

void KeySlots::release(std::span<const std::uint32_t> slots) {
    if (slots.empty()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    std::vector<std::uint32_t> in_file;
    for (const std::uint32_t slot : slots) {
        beyond_.erase(slot);
        if (slot < slots_) {
            in_file.push_back(slot);
        }
    }
    write_fresh(std::move(in_file), fresh_);
}

bool KeySlots::sync_due() const {
    const std::lock_guard lock(mutex_);
    return !fresh_.empty() || !stale_.empty();
}

bool KeySlots::sync() {
    const std::lock_guard one(sync_mutex_);
    std::vector<Slot> batch;
    {
        const std::lock_guard lock(mutex_);
        batch.swap(fresh_);
        if (!stale_.empty()) {
            write_fresh(std::exchange(stale_, {}), batch);
        }
    }
    const bool synced = fdatasync(file_) == 0;
    const std::lock_guard lock(mutex_);
    if (!synced) {
        // Written while it ran: it may have been told of them.
        distrust_fresh();
    }
    for (Slot& slot : batch) {
        // After a failed sync nobody knows which pages are on disk: all of them are written once more.
        if (!synced) {
            stale_.push_back(slot.number);
        } else if (ready_.size() < most_ready) {
            ready_.push_back(std::move(slot));
        } else {
            free_.push_back(slot.number);
        }
    }
    return synced && stale_.empty();
}

std::uint64_t KeySlots::bytes() const {
    const std::lock_guard lock(mutex_);
    return slots_ * SealKey::size;
}

std::optional<SealKey> KeySlots::read(KeyPlace place) const {
    const auto slot = read_slot(place.slot);
    if (slot && some_unread_.load(std::memory_order_relaxed)) {
        const std::lock_guard lock(mutex_);
        forget_unread(place.slot);
    }
    return slot ? keyring_->content_key(place.generation, *slot) : std::nullopt;
}

std::optional<SealKey> KeySlots::read_slot(std::uint32_t slot) const {
    std::array<char, SealKey::size> bytes{};
    const ssize_t size =
        pread(file_, bytes.data(), bytes.size(), static_cast<off_t>(std::uint64_t{slot} * bytes.size()));
    SealKey key;
    const bool read = size == static_cast<ssize_t>(bytes.size()) && key.set({bytes.data(), bytes.size()});
    sodium_memzero(bytes.data(), bytes.size());
    return read ? std::optional(std::move(key)) : std::nullopt;
}

KeySlots::Found KeySlots::find(KeyPlace place, std::chrono::milliseconds damaged_after) const {
    if (!is_within(place.slot)) {
        return {};
    }
    auto since = failed_just_now(place.slot, damaged_after);
    if (!since) {
        if (auto slot = read_slot(place.slot)) {
            if (some_unread_.load(std::memory_order_relaxed)) {
                const std::lock_guard lock(mutex_);
                forget_unread(place.slot);
            }
            return {keyring_->content_key(place.generation, *slot), State::known};
        }
        since = note_unread(place.slot);
    }
    if (!others_can_be_read(place.slot, bytes() / SealKey::size)) {
        return {std::nullopt, State::none_now};
    }
    const bool damaged = std::chrono::steady_clock::now() - *since >= damaged_after;
    return {std::nullopt, damaged ? State::known : State::not_now};
}

KeySlots::Found KeySlots::find_or_fail(KeyPlace place, std::chrono::milliseconds damaged_after) const {
    Found found = find(place, damaged_after);
    if (found.state == State::none_now) {
        throw SqlFailure(Trouble::failing, SQLITE_IOERR_READ);
    }
    return found;
}

std::optional<SealKey> KeySlots::wait_for(KeyPlace place) const {
    const auto most = std::min<std::chrono::milliseconds>(damaged_after_, waited_for);
    Found found = find_or_fail(place, most);
    while (found.state == State::not_now && may_wait()) {
        std::this_thread::sleep_for(tried_apart);
        found = find_or_fail(place, most);
    }
    return std::move(found.key);
}

bool KeySlots::may_wait() const {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    if (now - waits_since_ > std::chrono::hours(1)) {
        waits_since_ = now;
        waited_ = {};
    }
    if (waited_ >= waited_in_all) {
        return false;
    }
    waited_ += tried_apart;
    return true;
}

bool KeySlots::is_within(std::uint32_t slot) const {
    return (std::uint64_t{slot} + 1) * SealKey::size <= bytes();
}

std::optional<KeySlots::Time> KeySlots::failed_just_now(std::uint32_t slot,
                                                        std::chrono::milliseconds damaged_after) const {
    if (!some_unread_.load(std::memory_order_relaxed)) {
        return std::nullopt;
    }
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    const auto found = unread_.find(slot / slots_of_a_page);
    if (found == unread_.end() || now - found->second.last >= tried_apart) {
        return std::nullopt;
    }
    // What is to count as damaged is looked at once more, when it has failed for so long.
    const Unread& page = found->second;
    const bool looked = now - page.first < damaged_after || page.last - page.first >= damaged_after;
    return looked ? std::optional(page.first) : std::nullopt;
}

KeySlots::Time KeySlots::note_unread(std::uint32_t slot) const {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    if (unread_.size() >= most_unread) {
        unread_.clear();  // of a disk that fails so much, each may be waited for once more
    }
    some_unread_ = true;
    Unread& page = unread_.try_emplace(slot / slots_of_a_page, Unread{now, now}).first->second;
    if (now - page.last > forgotten_after) {
        page.first = now;  // nobody knows what was in between
    }
    page.last = now;
    return page.first;
}

void KeySlots::forget_unread(std::uint32_t slot) const {
    unread_.erase(slot / slots_of_a_page);
    some_unread_ = !unread_.empty();
}

bool KeySlots::others_can_be_read(std::uint32_t slot, std::uint64_t slots) const {
    return std::ranges::any_of(std::array{std::uint64_t{0}, slots / 2, slots - 1}, [&](std::uint64_t other) {
        return other / slots_of_a_page != slot / slots_of_a_page && read_slot(static_cast<std::uint32_t>(other));
    });
}

}  // namespace lihandover::store::sqlite
