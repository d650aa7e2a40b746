#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit_table.hpp"
#include "common/keyring.hpp"
#include "transaction.hpp"

namespace lihandover::store::postgresql {

/// Sealing everything anew under the newest of the store's keys, in steps between the writer's other work. Where it was
/// when the daemon stopped does not matter: it looks through all rows once more. What is inserted meanwhile has the
/// newest key; items move between `item` and `aside` under their number, by which both are gone through together.
///
/// The writer's, but for tell(). Functions that take a transaction throw PgFailure.
class Resealing {
  public:
    Resealing(Keyring& keyring, AuditTable& audit) : keyring_(keyring), audit_(audit) {}

    /// Begins, or begins anew, under a new key of the store.
    void begin(Transaction& transaction, std::string_view who);
    /// Whether there is something to do; a step does some milliseconds' work.
    [[nodiscard]] bool due() const { return keyring_.is_mixed(); }
    void step(Transaction& transaction);
    void committed();
    void rolled_back() { next_.reset(); }
    /// Whenever there is a new connection.
    void opened();

    /// How far it is.
    void tell(SealingStatus& status) const;

    /// Behind which row it is: as many of these as the table's key has.
    struct Place {
        std::size_t part = 0;
        std::int64_t first = 0;
        std::int64_t second = 0;
        std::string destination;
        std::string liid;  ///< what stands for it
    };
    struct Texts;
    static constexpr std::size_t parts = 16;

  private:
    /// A piece of content in a row.
    struct Content {
        std::string key;
        std::string octets;
    };
    void next_part();
    void at(Place place);
    void items(Transaction& transaction);
    void items(Connection& connection, std::string_view table, const std::vector<RowId>& rows, std::size_t& bytes);
    void kept(Transaction& transaction);
    void blobs(Transaction& transaction);
    void blob(Connection& connection, const Rows& rows, int row);
    void objects_of(Connection& connection, std::int64_t blob, const SealKey& before, const SealKey& now);
    void warrants(Transaction& transaction);
    void texts(Transaction& transaction, const Texts& texts);
    void finish(Transaction& transaction);
    void tell_entry(Transaction& transaction, std::string_view who, std::string_view why);
    void put_keys(Connection& connection, std::string_view keys);
    /// What rows of the newest key begin with.
    [[nodiscard]] std::string newest() const;
    [[nodiscard]] bool is_older(std::string_view key) const { return key.substr(0, 2) != newest(); }
    /// The content sealed under a new key; as it is where it cannot be opened.
    [[nodiscard]] Content anew(std::string_view key, std::string_view octets, std::int64_t row, std::string_view bound,
                               std::string_view what) const;
    /// nullopt: it is sealed under the newest key, or NULL.
    [[nodiscard]] std::optional<std::string> anew(const Rows& rows, int row, int column, std::string_view place,
                                                  std::string_view name) const;

    Keyring& keyring_;
    AuditTable& audit_;
    Place place_;
    std::optional<Place> next_;         ///< once the transaction is committed
    std::atomic<std::size_t> part_{0};  ///< for whoever asks
};

}  // namespace lihandover::store::postgresql
