#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/secret.hpp"
#include "lihandover/store/types.hpp"
#include "pq.hpp"

namespace lihandover::store::postgresql {

/// Correlation counters, which live in the database alone: a lane's numbers are given by whichever daemon has its row
/// locked. Used by the writer only, inside its transactions; throws PgFailure.
class Conversations {
  public:
    explicit Conversations(const Secret& secret) : secret_(secret) {}

    /// Looks up those of these items.
    void ask(Connection& connection, std::span<const NewItem* const> items);
    /// The next number. The lane's row is locked.
    [[nodiscard]] model::ApplicationCorrelation next(Connection& connection, LaneId lane, const Hash128& hash);
    /// Sends the numbers that are next now.
    ///   used  the time of it
    void flush(Connection& connection, std::int64_t used);
    void clear();

    /// Removes some that were last used before that time.
    static void let_go(Connection& connection, std::int64_t before, std::int64_t limit);

  private:
    using Place = std::pair<LaneId, std::uint64_t>;  ///< with the level id
    struct Row {
        std::string hash;  ///< empty: there is none
        std::uint64_t next = 0;
    };
    struct Entry {
        std::uint64_t level_id = 0;
        std::uint64_t next = 0;
    };
    [[nodiscard]] const Row& row_of(Connection& connection, const Place& place);
    [[nodiscard]] Entry& find_or_make(Connection& connection, LaneId lane, const Hash128& hash);

    const Secret& secret_;
    // Of one transaction.
    Asked asked_;
    bool wait_ = false;
    std::map<Place, Row> rows_;
    std::map<std::pair<LaneId, Hash128>, Entry> entries_;
    std::map<std::pair<LaneId, Hash128>, Entry> changed_;
};

}  // namespace lihandover::store::postgresql
