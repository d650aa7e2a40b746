#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "lihandover/admin/control.hpp"

namespace lihandover::admin {

/// Destination and LIID, which name a warrant.
using WarrantKey = std::tuple<const std::string&, const std::string&>;
/// One that is in force, was revoked, or waits for approval and would be new.
using WarrantRow = std::variant<const warrants::InForce*, const store::StoredRevocation*, const PendingWarrant*>;

[[nodiscard]] WarrantKey key_of(const WarrantRow& row);

/// What there is to list; any of it may be missing.
struct WarrantLists {
    std::shared_ptr<const WarrantList> in_force;
    std::shared_ptr<const RevocationList> revoked;
    std::shared_ptr<const PendingList> pending;

    [[nodiscard]] const PendingWarrant* find_pending(const WarrantKey& key) const;
};

/// At most `limit` of them behind `after`, in the order of their keys, and whether there are more. Refers to the lists.
[[nodiscard]] std::pair<std::vector<WarrantRow>, bool> page_of(const WarrantLists& lists, std::size_t limit,
                                                               const WarrantKey& after);

}  // namespace lihandover::admin
