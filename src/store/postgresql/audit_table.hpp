#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/audit/chain.hpp"
#include "lihandover/audit/verification.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/audit_log.hpp"
#include "lihandover/store/types.hpp"
#include "transaction.hpp"

namespace lihandover::store::postgresql {

/// The audit entries, in the table `record`, and the chain that those of this daemon form: its head is in the daemon's
/// row of `node`, its checkpoints are in `chain_checkpoint`. Used by the writer only, inside its transactions, unless
/// said otherwise; throws PgFailure.
class AuditTable {
  public:
    explicit AuditTable(const Keyring& keyring) : keyring_(keyring) {}

    /// The daemon's chain, as its row of `node` has it.
    struct Known {
        audit::Hash beginning{};
        audit::Head head;
        RowId record = 0;
    };
    void open(Connection& connection, std::int64_t node, const Known& known);

    /// Makes a checkpoint of what was there before, where one is due.
    void begin(Transaction& transaction, model::Clock::SteadyTime steady);
    /// Sends the entries that were made so far.
    void flush(Connection& connection);
    /// As of this transaction.
    [[nodiscard]] const audit::Head& head() const { return state_.head; }
    [[nodiscard]] RowId head_record() const { return state_.row; }
    void committed();
    void roll_back();
    [[nodiscard]] bool checkpoint_due(model::Clock::SteadyTime steady) const;
    /// The next transaction makes one.
    void want_checkpoint() { next_checkpoint_ = model::Clock::SteadyTime::min(); }

    /// That an entry was there which is not: each transaction begins with an entry about it until one is committed.
    void want_restored(const audit::ChainHead& was) { restored_ = was; }
    [[nodiscard]] bool is_restore_unrecorded() const { return restored_.has_value() || !alarm_kept_; }
    /// What an operator has to know of that, or of why nobody can tell: kept with the next transaction, until accepted.
    void want_alarm(std::string alarm) { alarm_ = std::move(alarm), alarm_kept_ = false; }
    [[nodiscard]] const std::string& alarm() const { return alarm_; }
    /// An operator accepts it. False: there is nothing.
    bool accept_restore(Transaction& transaction, std::string_view who, std::string_view why);

    // For any thread:
    void configure(AuditLog::Settings settings);
    [[nodiscard]] audit::Head committed_head() const;
    [[nodiscard]] std::string node() const;
    [[nodiscard]] const audit::Hash& chain() const { return beginning_; }
    [[nodiscard]] std::int64_t node_number() const { return node_; }

    /// Makes an entry about a lane, under the next number.
    ///   item  the row of the item, or of the object's item; 0: about none
    void append(const Transaction& transaction, LaneId lane, RowId item, const audit::Entry& entry);
    /// The entry of an item's making has the number of its row.
    void append_made(LaneId lane, RowId row, const audit::Entry& entry);
    /// Those of the rows for which an item_delivered is there.
    [[nodiscard]] std::set<RowId> delivered(Connection& connection, const std::vector<RowId>& items);

    /// How an object ended, from the last such entry about it; `item` 0: no entry.
    struct Ended {
        audit::Kind kind{};
        LaneId lane = 0;
        RowId item = 0;
    };
    [[nodiscard]] Ended ended_object(Connection& connection, const model::Uuid& object);

    [[nodiscard]] bool prune_due(model::Instant now, std::chrono::seconds retention) const {
        return retention.count() > 0 && oldest_ < now.micros() - retention.count() * 1'000'000;
    }
    /// Deletes about `limit` of this daemon's entries that are older than `retention`: what is between two checkpoints
    /// goes once all of it is that old; the second stays, and stands for it. Times from the future do not count.
    void prune(const Transaction& transaction, std::chrono::seconds retention, std::int64_t limit);

  private:
    struct Columns;
    struct Pending {
        std::vector<std::int64_t> id, at, nanos, kind, lane;
        std::vector<std::optional<std::int64_t>> item, level_id, sequence, received, code, code_kind;
        std::vector<std::optional<std::string>> object_id, who, why, words;
    };
    struct State {
        audit::Head head;
        RowId row = 0;                 ///< of the head
        std::uint64_t checkpoint = 0;  ///< the last one's number
        // Of the times of the entries since then.
        std::int64_t oldest = std::numeric_limits<std::int64_t>::max();
        std::int64_t newest = std::numeric_limits<std::int64_t>::min();
    };
    void link(RowId row, audit::Recorded& recorded);
    void add(RowId row, LaneId lane, const audit::Entry& entry);
    void make_checkpoint(Transaction& transaction);
    void record_restored(Transaction& transaction);
    [[nodiscard]] std::string alarm_name() const { return "restored." + std::to_string(node_); }

    const Keyring& keyring_;
    std::int64_t node_ = 0;
    audit::Hash beginning_{};
    audit::Hasher hasher_;
    Pending pending_;
    State state_;      ///< in this transaction
    State committed_;  ///< before it
    bool made_checkpoint_ = false;
    std::optional<audit::ChainHead> restored_;
    bool recorded_restored_ = false;  ///< in this transaction
    std::string alarm_;
    bool alarm_kept_ = true;                                                   ///< it is in the database
    enum class AlarmMove : std::uint8_t { none, keep, accept } alarm_move_{};  ///< of this transaction
    model::Clock::SteadyTime next_checkpoint_ = model::Clock::SteadyTime::min();
    /// Nothing goes before this time is old enough.
    std::int64_t oldest_ = std::numeric_limits<std::int64_t>::min();

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    AuditLog::Settings settings_;
    audit::Head published_;
};

}  // namespace lihandover::store::postgresql
