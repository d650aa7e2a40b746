#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "lihandover/model/time.hpp"
#include "lihandover/store/types.hpp"
#include "pq.hpp"

namespace lihandover::store::postgresql {

/// Remembers which items were made, so that an event told twice makes no second one; by the rules of the SQLite engine
/// (docs/store.md "Repeats"). Items of one lane come one transaction after the other, since its row is locked, and
/// their hashes are the lane's own: what is looked up here cannot change before the commit.
///
/// Used by the writer only, inside its transactions; throws PgFailure.
class Repeats {
  public:
    explicit Repeats(std::chrono::seconds memory) : memory_(memory.count()) {}

    void open(Connection& connection);
    /// Looks up all that remember() will want of these items.
    void ask(Connection& connection, std::span<const NewItem* const> items, model::Instant now);

    enum class Found : std::uint8_t {
        unknown,  ///< it is new, and remembered from now on
        repeat,   ///< it was remembered already
        other,    ///< it is new, and its id was another event's: remembered beside that one
    };
    [[nodiscard]] Found remember(Connection& connection, const NewItem& item, model::Instant now);
    /// Sends what was remembered.
    void flush(Connection& connection);
    void committed() { clear(); }
    void roll_back();

    [[nodiscard]] bool prune_due(model::Instant now) const {
        return oldest_event_ < event_cutoff(now) || oldest_period_ < period_cutoff(now);
    }
    /// What there is, also what other daemons remember.
    void learn(Connection& connection);
    /// Forgets at most about `limit` entries that are older than need be.
    void prune(Connection& connection, model::Instant now, std::int64_t limit);

  private:
    struct Places {
        std::vector<std::int64_t> at;
        std::vector<std::string> hash;
        std::vector<std::optional<std::int64_t>> digest;
    };
    [[nodiscard]] std::int64_t event_cutoff(model::Instant now) const;
    [[nodiscard]] std::int64_t period_cutoff(model::Instant now) const;
    [[nodiscard]] bool is_surely_fresh(const NewItem& item, model::Instant now) const;
    [[nodiscard]] Found remember(const NewItem& item, const Hash128& key, model::Instant now);
    [[nodiscard]] Found look(bool late, std::int64_t at, const Hash128& hash, const NewItem& item) const;
    void insert(bool late, std::int64_t at, const Hash128& hash, const NewItem& item);
    void know_period(std::int64_t period);
    void clear();

    std::int64_t memory_;
    std::int64_t oldest_event_ = std::numeric_limits<std::int64_t>::max();
    std::int64_t oldest_period_ = std::numeric_limits<std::int64_t>::max();
    std::vector<std::int64_t> periods_;  ///< that the table has, or had, in order

    // Of one transaction.
    Asked asked_;
    Asked asked_late_;
    bool wait_ = false;
    bool wait_late_ = false;
    std::unordered_map<std::string, std::optional<std::int64_t>> known_;  ///< digest by place
    Places fresh_;
    Places late_;
};

}  // namespace lihandover::store::postgresql
