#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store::postgresql {

/// Lanes are divided into buckets by their numbers, which the database gives one after the other: so they spread
/// evenly. A bucket is one daemon's at a time. The division is on disk: never change it.
inline constexpr std::size_t bucket_count = 256;
using Buckets = std::bitset<bucket_count>;
[[nodiscard]] constexpr std::size_t bucket_of(LaneId lane) {
    return static_cast<std::size_t>(lane) % bucket_count;
}
/// For statements.
[[nodiscard]] std::vector<std::int64_t> numbers_of(const Buckets& buckets);

/// The buckets that this daemon holds, and until when: what the writer last renewed. Changed by the writer's thread
/// alone.
class Holdings {
  public:
    /// For any thread.
    [[nodiscard]] LaneLease lease(LaneId lane) const {
        const bool held = held_[bucket_of(lane)].load(std::memory_order_acquire);
        using Time = model::Clock::SteadyTime;
        return {held, Time(Time::duration(until_.load(std::memory_order_acquire)))};
    }

    /// For any thread: until when the lease is known to last.
    [[nodiscard]] model::Clock::SteadyTime until() const {
        return model::Clock::SteadyTime(model::Clock::SteadyTime::duration(until_.load(std::memory_order_acquire)));
    }

    /// Nothing may be sent at that time and later, unless it is renewed before.
    void renew(model::Clock::SteadyTime until) {
        until_.store(until.time_since_epoch().count(), std::memory_order_release);
    }
    void set(const Buckets& buckets);
    [[nodiscard]] const Buckets& all() const { return buckets_; }
    [[nodiscard]] bool has(LaneId lane) const { return buckets_[bucket_of(lane)]; }

  private:
    Buckets buckets_;
    std::array<std::atomic<bool>, bucket_count> held_{};
    std::atomic<model::Clock::SteadyTime::rep> until_{model::Clock::SteadyTime::min().time_since_epoch().count()};
};

}  // namespace lihandover::store::postgresql
