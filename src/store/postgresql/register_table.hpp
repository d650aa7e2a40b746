#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit_table.hpp"
#include "common/catalogue.hpp"
#include "lihandover/store/types.hpp"
#include "transaction.hpp"

namespace lihandover::store::postgresql {

/// The tables behind Register: lanes, profiles, warrants and what was decided about them, pauses. Used by the writer
/// only, inside its transactions; throws PgFailure.
class RegisterTable {
  public:
    RegisterTable(AuditTable& audit, const Keyring& keyring) : audit_(audit), keyring_(keyring) {}

    /// Reads lanes and profiles.
    void load(Connection& connection, Catalogue& catalogue) const;
    /// Reads those of these lanes that are not known: other daemons made them.
    static void learn_lanes(Connection& connection, Catalogue& catalogue, const Keyring& keyring,
                            std::span<const LaneId> lanes);
    static void learn_profiles(Connection& connection, Catalogue& catalogue);
    /// The same for all profiles, and for lanes with larger numbers than `behind`. Gives the largest number.
    [[nodiscard]] static LaneId learn(Connection& connection, Catalogue& catalogue, const Keyring& keyring,
                                      LaneId behind);

    [[nodiscard]] std::vector<LaneId> lanes(Transaction& transaction,
                                            std::span<const std::pair<std::string, std::string>> pairs);
    LaneId lane(Transaction& transaction, std::string_view destination, std::string_view liid);
    static ProfileId profile(Transaction& transaction, const model::Profile& profile);

    [[nodiscard]] std::vector<StoredWarrant> warrants(Connection& connection) const;
    [[nodiscard]] std::vector<StoredRevocation> revocations(Connection& connection) const;
    [[nodiscard]] std::vector<StoredPendingWarrant> pending_warrants(Connection& connection) const;
    [[nodiscard]] std::vector<StoredPause> pauses(Connection& connection) const;
    void change_warrants(Transaction& transaction, const WarrantChanges& changes);
    std::optional<std::size_t> decide_warrant(Transaction& transaction, const WarrantDecision& decision);

    void pause(Transaction& transaction, std::string_view destination, std::string_view who);
    void resume(Transaction& transaction, std::string_view destination, std::string_view who);

  private:
    using Pair = std::pair<std::string_view, std::string_view>;  ///< that names a warrant
    void tell(Transaction& transaction, audit::Kind kind, const Pair& warrant, std::string_view who,
              std::string_view why);
    void put_warrant(Transaction& transaction, const StoredWarrant& warrant);
    void revoke(Transaction& transaction, const StoredRevocation& revocation);
    void put_pending(Transaction& transaction, const StoredPendingWarrant& pending, std::string_view who);
    void settle(Transaction& transaction, std::string_view token, std::string_view destination) const;
    [[nodiscard]] std::size_t count_approvals(Transaction& transaction, const WarrantDecision& decision,
                                              std::string_view token) const;
    void add_approvals(Connection& connection, StoredPendingWarrant& pending) const;

    AuditTable& audit_;
    const Keyring& keyring_;
};

}  // namespace lihandover::store::postgresql
