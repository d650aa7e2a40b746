#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lihandover/delivery/status.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"

namespace lihandover::delivery {

/// What other threads may see of a destination's sender or uploader.
class StatusBoard {
  public:
    /// Of suspects, and of what is set aside.
    static constexpr std::size_t named_at_most = 100;

    explicit StatusBoard(std::string name) { rare_.name = std::move(name); }
    [[nodiscard]] DestinationStatus read() const;

    std::atomic<std::uint64_t> waiting{0};
    std::atomic<std::uint64_t> in_flight{0};
    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> connection_limit{0};
    std::atomic<std::uint64_t> wasted_bytes{0};        ///< uploads only
    std::atomic<std::int64_t> last_success_micros{0};  ///< 0: never

    void set_pause(std::optional<metrics::Pause> reason, std::optional<model::Instant> next_attempt,
                   model::Instant now);
    void set_failure(metrics::Attempt attempt, model::Instant now);
    void clear_failure();
    void set_suspects(std::vector<model::Uuid> suspects, std::size_t suspect_count, std::vector<model::Uuid> set_aside,
                      std::size_t set_aside_count);

  private:
    mutable std::mutex mutex_;
    DestinationStatus rare_;
    bool has_failure_ = false;  // for the delivery thread only
};

}  // namespace lihandover::delivery
