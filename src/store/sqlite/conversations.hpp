#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/secret.hpp"
#include "lihandover/store/types.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

/// Correlation numbers: for each conversation of a lane a level_id and the next sequence number.
///
/// The numbers given out are durable with the items, since the records in the same transaction hold them; the counters
/// in the table are only brought up to date now and then, sorted by key, because touching a page per item would cost as
/// much as all the rest. `counters_upto` says up to which record the table is right: what was given out since is read
/// from the records at start. Memory is bounded: an entry is forgotten once the table knows it.
///
/// The level_id is the keyed hash of lane and conversation, cut to 53 bits; on the rare collision within a lane the
/// next such hash. So it is as random as the store's secret, unique in its lane, and found without an index of its own.
///
/// Used by the writer only, inside its transactions: commit() or roll_back() says how each ended.
class Conversations {
  public:
    /// Entries in memory before they are written back.
    static constexpr std::size_t capacity = 16'384;
    /// Records to read at start at most, plus one group.
    static constexpr std::int64_t max_behind = 65'536;

    explicit Conversations(const Secret& secret) : secret_(secret) {}

    /// Prepares statements and reads what the table does not know yet.
    void open(Connection& connection);
    /// Forgets everything, for a new connection.
    void close();

    /// The next numbers for an item that is written in this transaction under record `record`.
    [[nodiscard]] model::ApplicationCorrelation next(LaneId lane, const Hash128& hash);

    /// Whether flush() is due before the next group.
    [[nodiscard]] bool flush_due(std::int64_t last_record) const {
        return young_.size() >= capacity || (!dirty_.empty() && last_record - upto_ >= max_behind);
    }
    /// Writes the counters to the table; `last_record` is the last record written by this or an earlier transaction.
    void flush(std::int64_t last_record);
    /// Records up to here are no longer needed to know the counters.
    [[nodiscard]] std::int64_t upto() const { return upto_; }

    /// Removes conversations that were last used before entry `below`, of some rows from where the last step ended.
    /// True when that was the last row.
    bool let_go(RowId below, std::int64_t rows);

    void commit();
    void roll_back();

  private:
    struct Key {
        LaneId lane;
        Hash128 hash;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept;
    };
    struct Entry {
        Key key{};
        std::uint64_t level_id = 0;
        std::uint64_t next = 0;
        std::uint64_t committed = 0;  ///< `next` as of the last commit
        bool dirty = false;           ///< the table is behind
        bool touched = false;         ///< in this transaction
        bool fresh = false;           ///< its row was made in this transaction
    };
    using Map = std::unordered_map<Key, Entry, KeyHash>;

    Entry& find_or_make(const Key& key);
    Entry& add(const Key& key, std::uint64_t level_id, std::uint64_t next);

    const Secret& secret_;
    // Two generations: what was not used since the last write-back goes with the next one. Nodes do not move, so
    // entries can be pointed at.
    Map young_;
    Map old_;
    std::vector<Entry*> touched_;
    std::vector<Entry*> dirty_;
    std::int64_t upto_ = 0;
    std::optional<std::int64_t> flushing_upto_;  ///< set while a flush awaits its commit
    LaneId looked_at_lane_ = 0;                  ///< where let_go() was
    std::int64_t looked_at_level_ = -1;

    Statement select_;
    Statement insert_;
    Statement update_;
    Statement set_upto_;
    Statement page_;
    Statement remove_;
};

}  // namespace lihandover::store::sqlite
