#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include "lihandover/audit/entry.hpp"
#include "lihandover/store/types.hpp"
#include "transaction.hpp"

namespace lihandover::store::sqlite {

/// The audit entries: the tables `record`, and `record_note` for what few entries have. Used by the writer only, inside
/// its transactions; throws SqlFailure.
class AuditTable {
  public:
    void open(Connection& connection);
    void close() { statements_ = {}; }

    /// Stores an entry about a lane, under the next number.
    ///   item  the row of the item, or of the object's item; 0: about none
    void append(Transaction& transaction, LaneId lane, RowId item, const audit::Entry& entry);
    /// The entry of an item's making has the number of its row.
    void append_made(Transaction& transaction, LaneId lane, RowId row, const audit::Entry& entry);
    /// Whether an item_delivered was stored for that row.
    [[nodiscard]] bool was_delivered(RowId item);

    /// How an object ended, from the last such entry about it; `item` 0: no entry.
    struct Ended {
        audit::Kind kind{};
        LaneId lane = 0;
        RowId item = 0;
    };
    [[nodiscard]] Ended ended_object(const model::Uuid& object);

    [[nodiscard]] bool prune_due(model::Instant now, std::chrono::seconds retention) const {
        return retention.count() > 0 && oldest_ < now.micros() - retention.count() * 1'000'000;
    }
    /// Deletes about `limit` of the entries that are older than `retention`, and none from `counters_upto` on, which
    /// the correlation counters are read from. True where these stood in the way.
    bool prune(const Transaction& transaction, std::chrono::seconds retention, std::int64_t limit, RowId counters_upto);

  private:
    void insert(RowId number, LaneId lane, RowId item, const audit::Entry& entry);

    /// A lower bound of the entries' times; those from the future count for nothing.
    std::int64_t oldest_ = std::numeric_limits<std::int64_t>::max();
    struct Statements {
        Statement insert, insert_made, insert_note, was_delivered, ended, first, remove, remove_notes;
    } statements_;
};

}  // namespace lihandover::store::sqlite
