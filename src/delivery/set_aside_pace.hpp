#pragma once

#include "lihandover/model/clock.hpp"

namespace lihandover::delivery {

/// When one of what is set aside may be tried beside others that wait: one at a time, and in an eighth of the time at
/// most. Each may take until a timeout, and there may be only one connection. No clock of its own.
class SetAsidePace {
  public:
    using Time = model::Clock::SteadyTime;

    /// Of the time that an attempt took, so much is for the others.
    static constexpr int share_of_others = 7;

    [[nodiscard]] bool is_running() const { return running_; }
    /// Without others that wait, it may go whenever none runs.
    [[nodiscard]] bool may_begin(Time now, bool others_wait) const {
        return !running_ && (!others_wait || now >= next_);
    }
    /// When one may go in any case.
    [[nodiscard]] Time next() const { return next_; }

    void begin(Time now) {
        running_ = true;
        begun_ = now;
    }
    void end(Time now) {
        running_ = false;
        next_ = now + (now - begun_) * share_of_others;
    }

  private:
    bool running_ = false;
    Time begun_;
    Time next_;
};

}  // namespace lihandover::delivery
