#pragma once

#include <atomic>
#include <cstdint>

#include "lihandover/metrics/metrics.hpp"

namespace lihandover::delivery {

/// Whether one connection is counted among the open ones. On the delivery thread; the count is read from any.
class OpenConnection {
  public:
    /// Brings metric and count up to date with what the connection is now.
    void note(bool open, const metrics::Gauge& gauge, std::atomic<std::uint64_t>& count) {
        if (open == counted_) {
            return;
        }
        counted_ = open;
        gauge.add(open ? 1 : -1);
        if (open) {
            count.fetch_add(1, std::memory_order_relaxed);
        } else {
            count.fetch_sub(1, std::memory_order_relaxed);
        }
    }

  private:
    bool counted_ = false;
};

}  // namespace lihandover::delivery
