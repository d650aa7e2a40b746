#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lihandover/audit/chain.hpp"
#include "lihandover/audit/verification.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/audit_log.hpp"
#include "lihandover/store/types.hpp"
#include "transaction.hpp"

namespace lihandover::store::sqlite {

/// The audit entries: the tables `record`, and `record_note` for what few entries have; and the chain that they form:
/// `chain`, which has its head, and `chain_checkpoint`. Used by the writer only, inside its transactions, unless said
/// otherwise; throws SqlFailure.
class AuditTable {
  public:
    void open(Connection& connection);
    void close() { statements_ = {}; }

    // The chain goes with the transaction. begin() makes a checkpoint of what was there before, where one is due.
    void begin(model::Instant now, model::Clock::SteadyTime steady);
    void save_head();
    void committed();
    void roll_back();
    /// Its row is written with this transaction whether there are entries or not: what is written must not tell
    /// (promise 7).
    void touch() { changed_ = true; }
    [[nodiscard]] bool checkpoint_due(model::Clock::SteadyTime steady) const;
    /// The next transaction makes one.
    void want_checkpoint() { next_checkpoint_ = model::Clock::SteadyTime::min(); }

    /// That an entry was there which is not: each transaction begins with an entry about it until one is committed.
    void want_restored(const audit::ChainHead& was) { restored_ = was; }
    [[nodiscard]] bool is_restore_unrecorded() const { return restored_.has_value() || !alarm_kept_; }
    /// At the beginning of a transaction.
    void record_restored(Transaction& transaction);
    /// What an operator has to know of that, or of why nobody can tell: kept with the next transaction, until accepted.
    void want_alarm(std::string alarm) { alarm_ = std::move(alarm), alarm_kept_ = false; }
    [[nodiscard]] const std::string& alarm() const { return alarm_; }
    /// An operator accepts it. False: there is nothing.
    bool accept_restore(Transaction& transaction, std::string_view who, std::string_view why);

    // For any thread:
    void configure(AuditLog::Settings settings);
    [[nodiscard]] audit::Head committed_head() const;
    [[nodiscard]] std::string node() const;
    /// Its name: the hash of number 0.
    [[nodiscard]] const audit::Hash& chain() const { return beginning_; }

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
    /// the correlation counters are read from. Of the chain, what is between two checkpoints goes once all of it is
    /// that old; the second stays, and stands for it. Times from the future do not count: where all are, the entries
    /// go with those that come after them. Looks at each entry once, however many steps there are, until the daemon
    /// starts anew.
    struct Pruned {
        std::int64_t removed = 0;  ///< entries
        bool needed_for_counters = false;
    };
    Pruned prune(const Transaction& transaction, std::chrono::seconds retention, std::int64_t limit,
                 RowId counters_upto);

  private:
    /// What goes next of the chain: all between the first checkpoint that is left and another, as far as is known.
    struct Stretch {
        RowId begin = -1;  ///< the entry of the first checkpoint
        RowId end = 0;     ///< that of the last one that was looked at
        std::int64_t end_number = 0;
        std::optional<std::int64_t> newest;  ///< of the times between, but for those from the future
        /// Of those from the future, the first that will be no more, where there are no others yet.
        std::int64_t future = std::numeric_limits<std::int64_t>::max();
        bool ended = false;  ///< it was the last checkpoint, and there were only times from the future
    };

    /// Entries that are older than `cutoff`, from the first on.
    struct Old {
        RowId edge = 0;                         ///< the last of them; 0: none
        std::optional<std::int64_t> last_seen;  ///< the time of the last one that was looked at; nullopt: there is none
        bool needed_for_counters = false;
    };
    [[nodiscard]] Old find_old(model::Instant trusted, std::int64_t cutoff, RowId upto, std::int64_t limit,
                               RowId counters_upto);

    /// One step; `gave_up`: the next has something to remove.
    Pruned prune_step(const Transaction& transaction, std::int64_t cutoff, std::int64_t limit, RowId counters_upto,
                      bool& gave_up);

    void link(RowId row, audit::Recorded& recorded);
    void make_checkpoint(model::Instant now);
    /// Looks at some of the stretch; whether there is nothing left to look at.
    [[nodiscard]] bool look_at_stretch(const Transaction& transaction);
    /// The last of the first `limit` entries up to that one; 0: there is none.
    [[nodiscard]] RowId first_ids(RowId upto, std::int64_t limit);
    Pruned remove_upto(const Transaction& transaction, RowId edge);

    /// Nothing goes before this time is old enough: of the oldest entry before the chain, or of the newest of its first
    /// stretch.
    std::int64_t oldest_ = std::numeric_limits<std::int64_t>::max();
    Stretch stretch_;
    std::optional<audit::ChainHead> restored_;
    bool recorded_restored_ = false;  ///< in this transaction
    std::string alarm_;
    bool alarm_kept_ = true;                                                   ///< it is on the disk
    enum class AlarmMove : std::uint8_t { none, keep, accept } alarm_move_{};  ///< of this transaction

    audit::Hasher hasher_;
    audit::Hash beginning_{};
    struct State {
        audit::Head head;
        RowId row = 0;                 ///< of the head
        std::uint64_t checkpoint = 0;  ///< the last one's number
        // Of the times of the entries since then.
        std::int64_t oldest = std::numeric_limits<std::int64_t>::max();
        std::int64_t newest = std::numeric_limits<std::int64_t>::min();
    };
    State state_;      ///< in this transaction
    State committed_;  ///< before it
    bool changed_ = false;
    bool made_checkpoint_ = false;
    model::Clock::SteadyTime next_checkpoint_ = model::Clock::SteadyTime::min();

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    AuditLog::Settings settings_;
    audit::Head published_;

    struct Statements {
        Statement insert, insert_made, insert_note, was_delivered, ended, first, remove, remove_notes;
        Statement save_head, checkpoint, first_checkpoint, next_checkpoint, newest_between, drop_checkpoint;
        Statement first_ids, keep_alarm, remove_alarm;
    } statements_;
};

}  // namespace lihandover::store::sqlite
