#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include "lihandover/model/clock.hpp"

namespace lihandover::app {

/// The time that a stop has.
class StopTime {
  public:
    StopTime(const model::Clock& clock, std::chrono::milliseconds timeout)
        : clock_(&clock), begun_(clock.steady()), timeout_(timeout) {}

    /// What is left of it; never below zero.
    [[nodiscard]] std::chrono::milliseconds left() const { return left_of(timeout_); }
    /// What is left of it plus that much.
    [[nodiscard]] std::chrono::milliseconds left_and(std::chrono::milliseconds beyond) const {
        return left_of(timeout_ + beyond);
    }
    /// What is left of its first `divisor`th.
    [[nodiscard]] std::chrono::milliseconds left_of_share(int divisor) const { return left_of(timeout_ / divisor); }

  private:
    [[nodiscard]] std::chrono::milliseconds left_of(std::chrono::milliseconds whole) const {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(begun_ + whole - clock_->steady());
        return std::max(left, std::chrono::milliseconds(0));
    }

    const model::Clock* clock_;
    model::Clock::SteadyTime begun_;
    std::chrono::milliseconds timeout_;
};

/// How the running parts are stopped. Each part that starts adds its own way, and they are stopped in reverse order. So
/// a start that fails half way stops what had started, and nothing else. On one thread.
class StopList {
  public:
    /// To be awaited on that thread, which it must not block.
    using Stop = std::function<boost::asio::awaitable<void>(StopTime)>;

    /// How long a part may exceed the stop's time before the next one is stopped all the same,
    static constexpr std::chrono::milliseconds patience{200};
    /// and how long the stop may go on beyond its time for the last part: the store, which closes with a commit.
    static constexpr std::chrono::milliseconds beyond{1400};

    void add(Stop stop) { stops_.push_back(std::move(stop)); }

    /// Completes when all have stopped or were abandoned. False if one was abandoned: it may still run and use what it
    /// always did, so nothing may be destroyed any more.
    [[nodiscard]] boost::asio::awaitable<bool> stop(StopTime time);

  private:
    std::vector<Stop> stops_;
};

}  // namespace lihandover::app
