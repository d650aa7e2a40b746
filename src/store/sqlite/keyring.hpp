#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/store/sealing.hpp"
#include "seal.hpp"
#include "secret.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

/// Where the key of sealed content is, as the columns `key_slot` have it.
struct KeyPlace {
    std::uint32_t slot = 0;        ///< of KeySlots
    std::uint16_t generation = 0;  ///< of Keyring; 0: the slot's key seals by itself

    [[nodiscard]] std::int64_t column() const { return std::int64_t{generation} << 32U | std::int64_t{slot}; }
    [[nodiscard]] static KeyPlace of(std::int64_t column) {
        return {static_cast<std::uint32_t>(column), static_cast<std::uint16_t>(column >> 32U)};
    }
};

/// The store's own keys: one for each time that everything was sealed anew, by number from 1 (a generation). They lie
/// in `meta`, wrapped by a master key (encryption.key_files), and in memory. Under the newest one, which the content's
/// key in its slot goes through, everything is sealed; the others open what has not been sealed anew yet. docs/store.md
/// has the formats.
///
/// Texts in columns are sealed and opened by SQL functions:
///   sealed(place, id, text)    what is written: sealed, or the text where the store is not encrypted
///   opened(place, id, value)   what was sealed, or the value where it may be there unsealed; NULL where it is not
///                              authentic. `place` is table and column, `id` names the row: both are bound.
///   stale(place, id, value)    1 where the value is to be sealed anew
///   resealed(place, id, value) the value sealed under the newest key
///   keyed(destination, liid)   what stands for the LIID in columns that are looked up by it
///   named(part, …)             a row's name of several parts, none of which can be taken for another
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
    /// A record was not what was sealed: counts and says it, without the record.
    void note_unreadable(std::string_view place) const;
    void add_functions(Connection& connection) const;
    /// As sealed() has it; what stands for a LIID.
    [[nodiscard]] std::optional<Hash128> token(std::string_view destination, std::string_view liid) const;

    /// `working` where there are older generations; without its progress.
    [[nodiscard]] SealingStatus status() const;
    [[nodiscard]] model::Status use(std::vector<MasterKey> keys);

    /// Whether what is not sealed may be there: the store is not encrypted, or was not when that was written.
    [[nodiscard]] bool takes_plain() const { return !on() || may_be_plain(); }
    [[nodiscard]] bool may_be_plain() const;

    // The writer's:

    /// Reads what generations there are. Whenever the database was opened. Throws SqlFailure.
    [[nodiscard]] model::Status load(Connection& connection);
    [[nodiscard]] bool has_master_keys() const;
    /// Whether some of what the database has may be sealed under an older key, or not be sealed.
    [[nodiscard]] bool is_mixed() const;
    /// In a transaction: the first generation, which counts at once.
    ///   plain  whether the store has something, which is not sealed yet
    void turn_on(Connection& connection, bool plain);
    /// In a transaction: a new generation, from committed() on. All are wrapped by the first master key.
    void add_generation(Connection& connection);
    /// In a transaction: everything is sealed under the newest one, and the others go.
    void drop_older(Connection& connection);
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
    void write(Connection& connection, Stored next, const MasterKey& master);
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
    std::array<std::uint8_t, 32> store_{};  ///< names the store: the beginning of its chain of audit entries
    std::optional<Stored> pending_;         ///< once the transaction is committed
    std::set<std::string> in_doubt_;        ///< master keys of a commit that failed, and that may be on the disk

    mutable std::atomic<std::uint64_t> unreadable_{0};
    mutable std::mutex said_mutex_;
    mutable std::set<std::string, std::less<>>
        said_;  ///< places about which the log has a line; guarded by said_mutex_
};

}  // namespace lihandover::store::sqlite
