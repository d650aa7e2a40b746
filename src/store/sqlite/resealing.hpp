#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit_table.hpp"
#include "common/keyring.hpp"
#include "common/object_details.hpp"
#include "key_slots.hpp"
#include "transaction.hpp"

namespace lihandover::store::sqlite {

/// Turning encryption on, and sealing everything anew under the newest of the store's keys, in steps between the
/// writer's other work. Where it was when the daemon stopped does not matter: it looks through all rows once more.
///
/// Content gets a new slot, and its row names that. The old slots are overwritten some seconds later: somebody who has
/// read the old row may be about to open it.
///
/// The writer's, but for tell(). Functions that take a connection or a transaction throw SqlFailure.
class Resealing {
  public:
    Resealing(Keyring& keyring, std::shared_ptr<KeySlots> keys, AuditTable& audit)
        : keyring_(keyring), keys_(std::move(keys)), audit_(audit) {}

    /// At a start with master keys and a store that is not encrypted: from now on it is, and what names and orders
    /// warrants is sealed at once, since rows are found by it.
    void turn_on(Connection& connection);
    /// Whenever the database was opened: what it was at may be lost, and slots were overwritten in taking stock.
    void opened();
    /// Begins, or begins anew, under a new key of the store.
    void begin(Transaction& transaction, std::string_view who);

    /// Whether there is something to do; a step does some milliseconds' work. The last one waits for the slots.
    [[nodiscard]] bool due(std::chrono::steady_clock::time_point now) const {
        return keyring_.is_mixed() && now >= not_before_ && (place_.part < parts || replaced_.empty());
    }
    void step(Transaction& transaction);
    void committed(std::chrono::steady_clock::time_point now);
    void rolled_back();

    /// Old slots that nobody can be about to read any more.
    [[nodiscard]] std::vector<std::uint32_t> overdue(std::chrono::steady_clock::time_point now);

    /// How far it is.
    void tell(SealingStatus& status) const;

    static constexpr std::size_t parts = 15;
    struct Texts;

  private:
    /// Behind which row of which part it is.
    struct Place {
        std::size_t part = 0;
        std::int64_t first = 0;   ///< row or source
        std::int64_t second = 0;  ///< of a source
        std::string destination, liid;
    };
    /// A piece of content and where its key is.
    struct Sealed {
        std::int64_t row = 0;
        std::optional<KeyPlace> key;
        std::string bytes;
        std::string bound;  ///< to it
    };
    using Pair = std::pair<std::string, std::string>;  ///< destination, and what stands for the LIID

    void next_part();
    void at_row(std::int64_t row, std::int64_t last);
    void at_pair(std::optional<Pair> end);
    /// The last one of the next rows; nullopt: all that are left.
    [[nodiscard]] std::optional<Pair> end_of_pairs(Connection& connection, std::string_view table,
                                                   std::size_t most) const;
    void contents(Transaction& transaction, std::string_view table);
    void kept(Transaction& transaction);
    void blobs(Transaction& transaction);
    void blob(Transaction& transaction, std::int64_t blob, std::optional<KeyPlace> place, std::string_view key,
              std::optional<std::string> sha256);
    void objects_of(Connection& connection, std::int64_t blob, const std::optional<SealKey>& before,
                    const SealKey& now);
    void warrants(Transaction& transaction);
    void texts(Transaction& transaction);
    void texts_by_number(Connection& connection, const Texts& texts);
    void texts_by_pair(Connection& connection, const Texts& texts);
    void finish(Transaction& transaction);
    void tell_entry(Transaction& transaction, std::string_view who, std::string_view why);
    /// Whether the key of a row cannot be read now: the row is passed over in this pass.
    [[nodiscard]] bool has_to_wait(const std::optional<KeyPlace>& place);
    /// The key of a row from before; nullopt where it has none, or where that is lost.
    [[nodiscard]] std::optional<SealKey> key_before(const std::optional<KeyPlace>& place) const;
    /// A new key; the slot of the old one goes once this is committed.
    KeyPlace take(Transaction& transaction, const std::optional<KeyPlace>& before, SealKey& key);
    /// The content sealed under a new key, whose place is set; as it is where it cannot be opened.
    [[nodiscard]] std::string anew(Transaction& transaction, Sealed& sealed, std::string_view what);
    [[nodiscard]] bool any_older(Connection& connection) const;

    Keyring& keyring_;
    std::shared_ptr<KeySlots> keys_;
    AuditTable& audit_;
    Place place_;
    std::size_t unread_ = 0;  ///< keys, in this pass
    std::chrono::steady_clock::time_point not_before_;
    std::optional<Place> next_;                ///< once the transaction is committed
    std::vector<std::uint32_t> replaced_now_;  ///< slots, once it is
    struct Replaced {
        std::chrono::steady_clock::time_point at;
        std::vector<std::uint32_t> slots;
    };
    std::deque<Replaced> replaced_;
    std::atomic<std::size_t> part_{0};  ///< for whoever asks
    std::atomic<unsigned> percent_{0};  ///< of the part
};

}  // namespace lihandover::store::sqlite
