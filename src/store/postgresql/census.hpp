#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store::postgresql {

/// Counts what waits, on a thread of its own: where several daemons use the database none of them knows all that
/// changes, and the writer must not wait for a look at all that waits. For the writer's thread.
class Census {
  public:
    struct Items {
        LaneId lane = 0;
        ItemState state{};
        std::int64_t count = 0;
        std::int64_t bytes = 0;
    };
    struct Objects {
        LaneId lane = 0;
        ObjectState state{};
        std::int64_t count = 0;
    };
    struct Stock {
        std::vector<Items> items;
        std::vector<Objects> objects;
    };
    using Count = std::function<model::Result<Stock>()>;

    explicit Census(Count count) : count_(std::move(count)) {}
    ~Census() { stop(); }
    Census(const Census&) = delete;
    Census& operator=(const Census&) = delete;
    Census(Census&&) = delete;
    Census& operator=(Census&&) = delete;

    /// Begins to count, unless it does so already.
    void want();
    /// What was counted since the last call.
    [[nodiscard]] std::optional<Stock> take();
    /// Waits for a count that has begun.
    void stop();

  private:
    void run();

    const Count count_;
    std::mutex mutex_;
    std::condition_variable wake_;
    // Guarded by mutex_.
    bool wanted_ = false;
    bool stopping_ = false;
    std::optional<Stock> found_;
    std::thread thread_;  ///< from the first count on
};

}  // namespace lihandover::store::postgresql
