#pragma once

#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/catalogue.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// What OldestPlaces asks of an engine; each may throw.
class QueueReads {
  public:
    virtual ~QueueReads() = default;
    [[nodiscard]] virtual bool is_queued(RowId row) = 0;
    /// When an item got its place in the queue, as OldestQueued has it; nullopt when nothing is known of it any more.
    [[nodiscard]] virtual std::optional<model::Instant> queued_at(RowId row) = 0;
    /// The next queued items behind a row, in order; none at the end.
    [[nodiscard]] virtual std::vector<QueuedItem> queued_after(RowId row) = 0;
};

/// Where the oldest queued item of each destination and priority is. The engines have no index of that, which each item
/// would pay for: what was seen once is remembered instead. An item comes behind all others, so that a read has to look
/// at what is new, and where an item that was the oldest has gone, at what follows it. Only the first read looks at all
/// that waits. Thread-safe.
class OldestPlaces {
  public:
    /// By destination; those of which nothing waits are left out. Passes on what `from` throws.
    [[nodiscard]] std::map<std::string, OldestQueued, std::less<>> read(const Catalogue& catalogue, QueueReads& from);
    /// Such an item went back to its old place. For the writer, after the commit; waits for no read.
    void put_back(RowId row) noexcept;

  private:
    static constexpr RowId none = std::numeric_limits<RowId>::max();

    struct Place {
        RowId row = 0;       ///< none of them waits before it
        bool found = false;  ///< it is this row
        std::optional<model::Instant> since;
    };
    using Key = std::pair<std::string, bool>;  ///< a destination, and whether it is about its emergencies

    void take_put_back();
    /// Where the search begins: behind this row.
    [[nodiscard]] RowId check_found(QueueReads& from);
    void search(RowId behind, const Catalogue& catalogue, QueueReads& from);

    std::atomic<RowId> put_back_{none};  ///< the first such row since the last read
    std::mutex mutex_;
    // Guarded by mutex_.
    std::map<Key, Place> places_;  ///< of what ever waited: twice as many as destinations at most
    RowId seen_ = 0;               ///< all rows up to here were looked at
};

}  // namespace lihandover::store
