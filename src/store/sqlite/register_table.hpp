#pragma once

#include <string_view>
#include <vector>

#include "audit_table.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/store/types.hpp"
#include "transaction.hpp"

namespace lihandover::store::sqlite {

/// Lanes, profiles and the last good versions of warrants: the tables `lane`, `profile`, `schema_identifier` and
/// `warrant`. Throws SqlFailure.
class RegisterTable {
  public:
    explicit RegisterTable(AuditTable& audit) : audit_(audit) {}

    void open(Connection& connection);
    void close() { statements_ = {}; }
    /// All lanes and profiles, into the catalogue.
    static void load(Connection& connection, Catalogue& catalogue);

    LaneId lane(Transaction& transaction, std::string_view destination, std::string_view liid);
    ProfileId profile(Transaction& transaction, const model::Profile& profile);
    [[nodiscard]] static std::vector<StoredWarrant> warrants(Connection& connection);
    void change_warrants(Transaction& transaction, const WarrantChanges& changes);

  private:
    void tell(Transaction& transaction, audit::Kind kind, const StoredWarrant& warrant, std::string_view who);

    AuditTable& audit_;
    struct Statements {
        Statement find_lane, insert_lane, put_warrant, remove_warrant;
    } statements_;
};

}  // namespace lihandover::store::sqlite
