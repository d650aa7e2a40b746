#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "audit_table.hpp"
#include "key_slots.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/store/types.hpp"
#include "transaction.hpp"

namespace lihandover::store::sqlite {

/// Lanes, profiles, the last good versions of warrants, and operators' revocations and pauses: the tables `lane`,
/// `profile`, `schema_identifier`, `warrant`, `revocation`, `pending_warrant`, `warrant_approval` and `pause`. Throws
/// SqlFailure.
class RegisterTable {
  public:
    RegisterTable(AuditTable& audit, std::shared_ptr<KeySlots> keys) : audit_(audit), keys_(std::move(keys)) {}

    void open(Connection& connection);
    void close() { statements_ = {}; }
    /// Writes up to which entry lanes were used, as the catalogue knows it.
    void save_uses(Catalogue& catalogue);
    /// Removes lanes and profiles that were last used before entry `below` and that nothing names. At a start, while
    /// nobody has their numbers in memory.
    ///   counters_upto  what was used after it, the rows do not say
    static void let_go(Connection& connection, RowId below, RowId counters_upto);
    /// All lanes and profiles, into the catalogue.
    static void load(Connection& connection, Catalogue& catalogue);

    /// Tells which slots of keys rows name.
    void find_slots(Connection& connection);

    LaneId lane(Transaction& transaction, std::string_view destination, std::string_view liid);
    ProfileId profile(Transaction& transaction, const model::Profile& profile);
    /// Those that can be opened; that there are others is said.
    [[nodiscard]] std::vector<StoredWarrant> warrants(Connection& connection) const;
    [[nodiscard]] static std::vector<StoredRevocation> revocations(Connection& connection);
    [[nodiscard]] static std::vector<StoredPendingWarrant> pending_warrants(Connection& connection);
    [[nodiscard]] std::optional<std::size_t> decide_warrant(Transaction& transaction, const WarrantDecision& decision);
    void change_warrants(Transaction& transaction, const WarrantChanges& changes);
    [[nodiscard]] static std::vector<StoredPause> pauses(Connection& connection);
    void pause(Transaction& transaction, std::string_view destination, std::string_view who);
    void resume(Transaction& transaction, std::string_view destination, std::string_view who);

  private:
    void tell(Transaction& transaction, audit::Kind kind, const StoredWarrant& warrant, std::string_view who);
    void tell(Transaction& transaction, audit::Kind kind, std::string_view destination, std::string_view who);
    void release_key(Transaction& transaction, std::string_view destination, std::string_view liid);
    void remove_warrant(Transaction& transaction, std::string_view destination, std::string_view liid);
    void put_warrant(Transaction& transaction, const StoredWarrant& warrant);
    void revoke(Transaction& transaction, const StoredRevocation& revocation);
    void put_pending(Transaction& transaction, const StoredPendingWarrant& pending, std::string_view who);
    void settle(std::string_view destination, std::string_view liid);
    /// About a warrant whose lane may be new.
    void tell(Transaction& transaction, audit::Kind kind, const std::pair<std::string_view, std::string_view>& warrant,
              std::string_view who, std::string_view why);

    AuditTable& audit_;
    std::shared_ptr<KeySlots> keys_;
    struct Statements {
        Statement find_lane, insert_lane, seal_lane, save_use, put_warrant, mark_warrant, find_warrant, remove_warrant,
            put_pause, remove_pause, put_revocation, remove_revocation, put_pending, find_pending, refuse_pending,
            remove_pending, put_approval, count_approvals, remove_approvals;
    } statements_;
};

}  // namespace lihandover::store::sqlite
