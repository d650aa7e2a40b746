#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "lane_scheduler.hpp"
#include "lihandover/delivery/backlog.hpp"

namespace lihandover::delivery {

/// Finds the lanes with the largest backlog among all of them: keeps no more than are asked for, and no names.
class BacklogRanking {
  public:
    struct Entry {
        const Lane* lane = nullptr;
        std::uint64_t items = 0;
        store::RowId first = 0;
    };

    explicit BacklogRanking(const BacklogRequest& request) : request_(request) {}

    /// A lane that stays as it is until take(). One without items is passed over.
    void add(const Lane& lane);
    /// Those that come first, in order.
    [[nodiscard]] std::vector<Entry> take();
    [[nodiscard]] std::uint64_t lanes_waiting() const { return lanes_waiting_; }

  private:
    /// Whether `one` comes before `other`.
    [[nodiscard]] bool before(const Entry& one, const Entry& other) const;

    BacklogRequest request_;
    std::uint64_t lanes_waiting_ = 0;
    std::vector<Entry> best_;  ///< a heap, with the last of them in front
};

/// What is told of a lane; `details` may be null.
[[nodiscard]] LaneBacklog backlog_of(const Lane& lane, const store::Lane* details);

}  // namespace lihandover::delivery
