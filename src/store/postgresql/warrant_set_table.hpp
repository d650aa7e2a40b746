#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "audit_table.hpp"
#include "lihandover/store/warrant_sets.hpp"
#include "reader_pool.hpp"
#include "transaction.hpp"

namespace lihandover::store::postgresql {

/// The tables behind WarrantSets. Changed by the writer only, inside its transactions; throws PgFailure.
class WarrantSetTable {
  public:
    WarrantSetTable(AuditTable& audit, const Keyring& keyring) : audit_(audit), keyring_(keyring) {}

    /// Its version; nullopt: it was checked against another state than the newest, and nothing was changed.
    [[nodiscard]] std::optional<std::uint64_t> apply(Transaction& transaction, const NewSet& set);
    /// Something else than a set has changed what is in force, for all daemons.
    static void count_up(Transaction& transaction);

  private:
    void put_files(Transaction& transaction, std::int64_t version, const std::vector<SetFile>& files) const;
    void tell(Transaction& transaction, const NewSet& set, std::int64_t version);

    AuditTable& audit_;
    const Keyring& keyring_;
};

// What is read beside the writer.

[[nodiscard]] std::uint64_t state_of_warrants(Reader& from);
/// nullopt: a file of it cannot be opened.
[[nodiscard]] std::optional<AppliedSet> read_set(Reader& from);
[[nodiscard]] std::vector<SetPeer> peers_behind(Reader& from, std::int64_t node, std::uint64_t state);

}  // namespace lihandover::store::postgresql
