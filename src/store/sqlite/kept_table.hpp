#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "key_slots.hpp"
#include "lihandover/store/kept_copies.hpp"
#include "read_connection.hpp"
#include "transaction.hpp"

namespace lihandover::store::sqlite {

/// The tables `kept` and `kept_source`: copies that a door has not finished with, each sealed under the key of a slot
/// of its own. Used by the writer, inside its transactions; throws SqlFailure.
class KeptTable {
  public:
    explicit KeptTable(std::shared_ptr<KeySlots> keys) : keys_(std::move(keys)) {}

    void open(Connection& connection);
    void close() { s_ = {}; }
    /// Tells which slots of keys rows name.
    void find_slots(Connection& connection);

    void apply(Transaction& transaction, std::string_view source, const KeptChanges& changes);

  private:
    [[nodiscard]] std::optional<std::int64_t> find_source(std::string_view name);
    [[nodiscard]] std::optional<std::uint32_t> find_slot(std::int64_t source, std::int64_t id);
    void keep(Transaction& transaction, std::int64_t source, const KeptCopy& copy);
    void let_go(Transaction& transaction, std::int64_t source, std::uint64_t id);

    std::shared_ptr<KeySlots> keys_;
    struct Statements {
        Statement find_source, insert_source, find_slot, insert, replace, remove;
    } s_;
};

/// Some of the copies of a source, in the order of their ids.
struct KeptPage {
    std::vector<KeptCopy> copies;
    std::vector<std::uint64_t> lost;    ///< ids of those that cannot be unsealed any more
    std::optional<std::uint64_t> last;  ///< where the next page goes on; nullopt after the last
};
[[nodiscard]] model::Result<KeptPage> kept_page(ReadConnection& from, std::string_view source,
                                                std::optional<std::uint64_t> after);
[[nodiscard]] model::Result<std::vector<std::string>> kept_sources(ReadConnection& from);

}  // namespace lihandover::store::sqlite
