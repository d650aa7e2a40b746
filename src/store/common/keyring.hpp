#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/audit/chain.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/sealing.hpp"
#include "seal.hpp"
#include "secret.hpp"

namespace lihandover::store {

/// What sealed texts are bound to, as the name of their row: its number, its name, or several parts, none of which can
/// be taken for another (each is a row_name() of its own).
[[nodiscard]] std::string row_name(std::int64_t number);
[[nodiscard]] std::string row_name(std::string_view bytes);
[[nodiscard]] std::string row_name(std::initializer_list<std::string_view> parts);

/// The store's own keys: one for each time that everything was sealed anew, by number from 1 (a generation). They lie
/// in `meta`, wrapped by a master key (encryption.key_files), and in memory. Under the newest one, which the content's
/// key in its slot goes through, everything is sealed; the others open what has not been sealed anew yet. docs/store.md
/// has the formats.
///
/// Thread-safe but for what changes the generations, which is the writer's.
class Keyring {
  public:
    /// The first of the master keys wraps new keys of the store; none: the store is not to be encrypted.
    Keyring(const Secret& secret, std::vector<MasterKey> masters) : secret_(secret), masters_(std::move(masters)) {}

    /// 0: the store is not encrypted.
    [[nodiscard]] std::uint16_t generation() const { return newest_.load(std::memory_order_acquire); }
    [[nodiscard]] bool on() const { return generation() != 0; }
    /// The key of content whose slot holds `slot`; nullopt where there is no such generation, or where it is not to be
    /// trusted any more.
    [[nodiscard]] std::optional<SealKey> content_key(std::uint16_t generation, const SealKey& slot) const;

    [[nodiscard]] std::string seal(std::string_view place, std::string_view id, std::string_view text) const;
    [[nodiscard]] std::optional<std::string> unseal(std::string_view place, std::string_view id,
                                                    std::string_view sealed) const;
    /// Which generation a text was sealed under; nullopt where the bytes are no sealed text.
    [[nodiscard]] static std::optional<std::uint16_t> generation_of(std::string_view sealed);
    /// What takes the place of a text that nobody can open any more: it has the newest number, and stays what it is,
    /// not authentic.
    [[nodiscard]] std::string lost(std::string_view sealed) const;
    /// A record was not what was sealed: counts and says it, without the record.
    void note_unreadable(std::string_view place) const;
    /// What stands for the LIID in columns that are looked up by it; nullopt: the LIID itself.
    [[nodiscard]] std::optional<Hash128> token(std::string_view destination, std::string_view liid) const;

    /// `working` where there are older generations; without its progress.
    [[nodiscard]] SealingStatus status() const;
    [[nodiscard]] model::Status use(std::vector<MasterKey> keys);

    /// Whether what is not sealed may be there: the store is not encrypted, or was not when that was written.
    [[nodiscard]] bool takes_plain() const { return !on() || may_be_plain(); }
    [[nodiscard]] bool may_be_plain() const;

    // The writer's:

    /// Reads what generations there are. Whenever the database was opened.
    ///   store        names it: the beginning of its chain of audit entries
    ///   stored_keys  what the functions below gave last; nullopt: none of them was called yet
    [[nodiscard]] model::Status load(const audit::Hash& store, std::optional<std::string_view> stored_keys);
    [[nodiscard]] bool has_master_keys() const;
    /// Whether some of what the database has may be sealed under an older key, or not be sealed.
    [[nodiscard]] bool is_mixed() const;
    // Within a transaction, which stores what they return. They throw std::length_error where no number is left.

    /// The first generation, which counts at once.
    ///   plain  whether the store has something, which is not sealed yet
    [[nodiscard]] std::string turn_on(bool plain);
    /// A new generation, from committed() on. All are wrapped by the first master key.
    [[nodiscard]] std::string add_generation();
    /// Everything is sealed under the newest one, and the others go.
    [[nodiscard]] std::string drop_older();
    void committed();
    void rolled_back();

  private:
    struct Generation {
        std::uint16_t number = 0;
        SealKey key;
    };
    /// What `meta` has.
    struct Stored {
        bool plain = false;
        std::vector<std::uint16_t> numbers;
        std::string master;  ///< id of the key that wraps the newest
        std::set<std::string> masters;
    };
    struct Wrapped;

    [[nodiscard]] const SealKey* find(std::uint16_t number) const;
    [[nodiscard]] model::Status unwrap(const std::vector<Wrapped>& all, unsigned char flags);
    [[nodiscard]] std::string bound_to(unsigned char flags, std::uint16_t number) const;
    [[nodiscard]] std::string wrapped(Stored next, const MasterKey& master);
    [[nodiscard]] std::uint16_t draw();
    void count(Stored stored);
    [[nodiscard]] std::string seal_with(const Generation& generation, std::string_view place, std::string_view id,
                                        std::string_view text) const;

    const Secret& secret_;
    std::atomic<std::uint16_t> newest_{0};
    mutable std::shared_mutex mutex_;
    // Guarded by mutex_:
    std::vector<MasterKey> masters_;
    std::vector<Generation> known_;  ///< in order; those that went stay in memory, for who reads an older state
    Stored stored_;
    audit::Hash store_{};             ///< names the store: the beginning of its chain of audit entries
    std::optional<Stored> pending_;   ///< once the transaction is committed
    std::set<std::string> in_doubt_;  ///< master keys of a commit that failed, and that may be on the disk

    mutable std::atomic<std::uint64_t> unreadable_{0};
    mutable std::mutex said_mutex_;
    mutable std::set<std::string, std::less<>>
        said_;  ///< places about which the log has a line; guarded by said_mutex_
};

}  // namespace lihandover::store
