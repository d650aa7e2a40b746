#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::delivery {

/// The items of a destination that are set aside. Each is skipped and tried again at growing intervals, from 64 times
/// `retry.initial` up to an hour, or `retry.maximum` if that is longer. It does no I/O and has no clock.
class SetAsideItems {
  public:
    using Time = model::Clock::SteadyTime;
    using Milliseconds = std::chrono::milliseconds;

    static constexpr std::size_t looked_at = 256;

    struct Item {
        store::RowId row = 0;
        store::LaneId lane = 0;
        bool emergency = false;
        unsigned tries = 0;
        Time due;
        model::Uuid id;  ///< nil until it was read
    };

    /// Adds one; does nothing if it is known.
    void add(const store::QueuedItem& item, const model::Uuid& id, Time due);
    /// False if it is not known.
    bool erase(store::RowId row);
    [[nodiscard]] const Item* find(store::RowId row) const;
    [[nodiscard]] std::vector<store::RowId> rows_of(store::LaneId lane) const;
    /// Of all items.
    [[nodiscard]] std::vector<store::LaneId> lanes() const;
    /// The first that is due and that `wanted(const Item&)` takes, of the `looked_at` that have been due longest;
    /// nullptr if there is none.
    template <typename Wanted>
    [[nodiscard]] const Item* due(Time now, Wanted wanted) const {
        std::size_t left = looked_at;
        for (auto next = by_due_.begin(); next != by_due_.end() && next->first <= now && left > 0; ++next, --left) {
            if (const Item& item = items_.at(next->second); wanted(item)) {
                return &item;
            }
        }
        return nullptr;
    }
    /// It failed once more, or could not be tried.
    void later(store::RowId row, Milliseconds initial, Milliseconds maximum, Time now, double dice);
    void set_id(store::RowId row, const model::Uuid& id);
    /// It is due if it is known.
    void wake(store::RowId row, Time now);
    /// All of them are due: an operator asked.
    void wake_all(Time now);

    [[nodiscard]] std::optional<Time> next_due() const;
    [[nodiscard]] std::size_t size() const { return items_.size(); }
    [[nodiscard]] std::vector<model::Uuid> ids(std::size_t most) const;
    /// Changes when size() or ids() do.
    [[nodiscard]] std::uint64_t version() const { return version_; }

  private:
    void set_due(Item& item, Time due);

    std::unordered_map<store::RowId, Item> items_;
    std::unordered_map<store::LaneId, std::set<store::RowId>> by_lane_;
    std::set<std::pair<Time, store::RowId>> by_due_;
    std::uint64_t version_ = 0;
};

}  // namespace lihandover::delivery
