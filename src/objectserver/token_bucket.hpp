#pragma once

#include <algorithm>
#include <chrono>

namespace lihandover::objectserver {

/// Allows so many a second on average, and a burst. Starts full.
class TokenBucket {
  public:
    using Time = std::chrono::steady_clock::time_point;

    TokenBucket(double per_second, double burst, Time now)
        : per_second_(per_second), burst_(burst), tokens_(burst), counted_at_(now) {}

    /// False if none is left.
    [[nodiscard]] bool take(Time now) {
        refill(now);
        if (tokens_ < 1) {
            return false;
        }
        tokens_ -= 1;
        return true;
    }

    /// Whether it has been unused for so long that a new one would be the same.
    [[nodiscard]] bool full(Time now) {
        refill(now);
        return tokens_ >= burst_;
    }

  private:
    void refill(Time now) {
        const double seconds = std::chrono::duration<double>(now - counted_at_).count();
        tokens_ = std::min(burst_, tokens_ + std::max(seconds, 0.0) * per_second_);
        counted_at_ = now;
    }

    double per_second_;
    double burst_;
    double tokens_;
    Time counted_at_;
};

}  // namespace lihandover::objectserver
