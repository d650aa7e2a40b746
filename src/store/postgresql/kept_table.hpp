#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/store/kept_copies.hpp"
#include "transaction.hpp"

namespace lihandover::store::postgresql {

/// Copies that doors have not finished with: `kept_source` and `kept`. Used by the writer only, inside its
/// transactions; throws PgFailure.
class KeptTable {
  public:
    static void apply(Transaction& transaction, std::string_view source, const KeptChanges& changes);
};

/// Some of a source's copies of this daemon, in the order of their ids.
struct KeptPage {
    std::vector<KeptCopy> copies;
    std::vector<std::uint64_t> lost;    ///< ids of those that cannot be unsealed
    std::optional<std::uint64_t> last;  ///< where it goes on; nullopt: that was all
};
[[nodiscard]] KeptPage kept_page(Connection& connection, const Keyring& keyring, std::int64_t node,
                                 std::string_view source, std::optional<std::uint64_t> after);
[[nodiscard]] std::vector<std::string> kept_sources(Connection& connection, std::int64_t node);

}  // namespace lihandover::store::postgresql
