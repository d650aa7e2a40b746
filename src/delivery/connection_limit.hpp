#pragma once

#include <algorithm>
#include <chrono>

#include "back_off.hpp"
#include "lihandover/model/clock.hpp"

namespace lihandover::delivery {

/// How many connections a destination takes. An LEA, or what stands before it, may take fewer than are configured: then
/// those that are open go on, and a further one is tried now and then. No I/O and no clock of its own.
class ConnectionLimit {
  public:
    using Time = model::Clock::SteadyTime;
    using Milliseconds = std::chrono::milliseconds;

    ///   most  connections as configured
    void configure(unsigned most, Milliseconds initial, Milliseconds maximum) {
        limit_ = limit_ >= most_ ? most : std::min(limit_, most);
        most_ = most;
        initial_ = initial;
        maximum_ = maximum;
    }
    /// Whether one more may be tried beside `open` others, those that connect included.
    [[nodiscard]] bool may_connect(unsigned open, Time now) const {
        return open < limit_ || (open < most_ && now >= next_try_);
    }
    /// When one above the limit may be tried.
    [[nodiscard]] Time next_try() const { return next_try_; }
    [[nodiscard]] bool is_lowered() const { return limit_ < most_; }
    [[nodiscard]] unsigned limit() const { return limit_; }

    /// One that was to be new failed, while `working` others stand.
    void newcomer_failed(unsigned working, Time now, double dice) {
        limit_ = std::clamp(working, 1U, std::max(limit_, 1U));
        next_try_ = now + back_off(++failures_, initial_, maximum_, dice);
    }
    /// One that was new carried a message.
    ///   open  connections, this one included
    void newcomer_worked(unsigned open) {
        if (open >= limit_) {
            limit_ = std::min(std::max(limit_ * 2, open), most_);
        }
        if (limit_ == most_) {  // before, the next one may fail again: the distances go on growing
            failures_ = 0;
        }
    }
    /// Nothing is known any more: none stands.
    void reset() {
        limit_ = most_;
        failures_ = 0;
    }

  private:
    unsigned most_ = 1;
    unsigned limit_ = 1;
    unsigned failures_ = 0;  ///< newcomers, running
    Milliseconds initial_{1'000};
    Milliseconds maximum_{300'000};
    Time next_try_;
};

}  // namespace lihandover::delivery
