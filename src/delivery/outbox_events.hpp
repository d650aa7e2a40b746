#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "lihandover/store/outbox.hpp"

namespace lihandover::delivery {

/// Carries what the store says about items from its writer to the delivery thread, in order. Thread-safe, but stored()
/// and queued() are for the store's writer alone.
class OutboxEvents {
  public:
    enum class Kind : std::uint8_t {
        queued,
        retried,
        withdrawn,
        lane_withdrawn,
        taken_over,
        set_aside_taken_over,
        lanes_lost,
    };
    struct Event {
        store::QueuedItem item;  ///< of lane_withdrawn the lane alone, of lanes_lost nothing
        Kind kind{};
    };
    /// Bytes of the items on their way that the store passes on whole. Further ones are read back.
    static constexpr std::size_t max_handed_bytes = std::size_t{4} << 20;

    // As OutboxListener has them.
    void stored(std::span<store::StoredItem> items);
    void queued(std::span<const store::QueuedItem> items, bool retried);
    void withdrawn(std::span<const store::QueuedItem> items);
    void lane_withdrawn(store::LaneId lane);
    void taken_over(std::span<const store::QueuedItem> items, bool set_aside);
    void lanes_lost(const store::LostLanes& lost);

    /// Call once: `wake` is called when there is something to take, on any thread, under a lock.
    void open(std::function<void()> wake);
    /// `wake` is not called again once this has returned.
    void close();
    /// Calls `visit(const Event&, StoredItem*)` for what has arrived, with the item if it was passed on whole, and
    /// `lose(const LostLanes&)` for lanes that are lost. On one thread.
    template <typename Visit, typename Lose>
    void take(Visit visit, Lose lose) {
        swap_out();
        auto handed = taken_items_.begin();
        auto lost = taken_losses_.begin();
        for (const auto& event : taken_) {
            if (event.kind == Kind::lanes_lost) {
                lose(*lost++);
                continue;
            }
            const bool whole =
                event.kind == Kind::queued && handed != taken_items_.end() && handed->row == event.item.row;
            visit(event, whole ? &*handed++ : nullptr);
        }
        clear_taken();
    }

  private:
    void put(std::span<const store::QueuedItem> items, Kind kind);
    void wake();
    void swap_out();
    void clear_taken();

    std::vector<store::StoredItem> announced_;  ///< queued() comes next for them; of the store's writer

    std::mutex mutex_;
    std::vector<Event> events_;
    std::vector<store::StoredItem> handed_;  ///< of some of the items in `events_`, in that order
    std::size_t handed_bytes_ = 0;
    std::vector<store::LostLanes> losses_;  ///< one for each event of them
    std::function<void()> wake_;
    bool woken_ = false;

    std::vector<Event> taken_;  ///< of the taking thread
    std::vector<store::StoredItem> taken_items_;
    std::vector<store::LostLanes> taken_losses_;
};

}  // namespace lihandover::delivery
