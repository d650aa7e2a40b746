#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "lihandover/model/clock.hpp"

namespace lihandover::delivery {

/// Whether a peer takes an object fast enough. What counts is the time spent waiting for it, and none that the object
/// waits for its turn on the link. No clock of its own.
class PeerPace {
  public:
    using Time = model::Clock::SteadyTime;
    using Duration = Time::duration;

    /// So many bytes at least in so long.
    static constexpr std::uint64_t least = std::uint64_t{64} << 10;
    static constexpr std::chrono::minutes window{4};

    /// It is given more, and is waited for from now on.
    void gave(std::uint64_t bytes, Time now) {
        bytes_ += bytes;
        waits_since_ = now;
    }
    /// It has taken all of that.
    void taken(Time now) {
        if (waits_since_) {
            waited_ += now - *waits_since_;
            waits_since_.reset();
        }
    }
    /// It took too little in `time` of waiting. Begins anew where it took enough.
    [[nodiscard]] bool too_slow(Time now, Duration time) {
        const auto waited = waited_ + (waits_since_ ? now - *waits_since_ : Duration{});
        if (waited - waited_before_ < time) {
            return false;
        }
        if (bytes_ - bytes_before_ < least) {
            return true;
        }
        waited_before_ = waited;
        bytes_before_ = bytes_;
        return false;
    }

  private:
    std::uint64_t bytes_ = 0;
    Duration waited_{};
    std::optional<Time> waits_since_;
    std::uint64_t bytes_before_ = 0;
    Duration waited_before_{};
};

}  // namespace lihandover::delivery
