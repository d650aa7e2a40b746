#pragma once

#include <chrono>
#include <cstdint>
#include <unordered_map>

#include "lihandover/model/clock.hpp"

namespace lihandover::delivery {

/// How many connections a destination takes. An LEA, or what stands before it, may take fewer than are configured: then
/// those that are open go on, and a further one is tried now and then. No I/O and no clock of its own.
class ConnectionLimit {
  public:
    using Time = model::Clock::SteadyTime;
    using Milliseconds = std::chrono::milliseconds;

    ///   most  connections as configured
    void configure(unsigned most, Milliseconds initial, Milliseconds maximum);
    /// Whether one more may be tried beside `open` others, those that connect included.
    [[nodiscard]] bool may_connect(unsigned open, Time now) const {
        return open < limit_ || (open < most_ && now >= next_try_);
    }
    /// When one above the limit may be tried.
    [[nodiscard]] Time next_try() const { return next_try_; }
    [[nodiscard]] bool is_lowered() const { return limit_ < most_; }
    [[nodiscard]] unsigned limit() const { return limit_; }

    /// One that was to be new failed, while `working` others stand.
    void newcomer_failed(unsigned working, Time now, double dice);
    /// One that was new carried a request.
    ///   open  connections, this one included
    void newcomer_worked(unsigned open);
    /// Nothing is known any more: none stands.
    void reset();

    /// A request that failed at the LEA, not for want of a connection.
    struct Failed {
        std::int64_t key = 0;         ///< of what it carried
        bool says_busy = false;       ///< answered 503 or 429, without a time to wait
        bool closed_at_once = false;  ///< a new connection was closed at this, its first request
        unsigned others = 0;          ///< other connections that stand
        unsigned busy = 0;            ///< of them, those with a request on its way when this one went or failed
        bool expected = false;        ///< it is a suspect, a probe, or set aside: it would have failed by itself
    };
    /// Whether it came over the number of connections, or of requests at once, that the LEA takes: then it says nothing
    /// about what was sent, and the limit is lowered. Of each key that is believed a few times only.
    [[nodiscard]] bool was_too_many(const Failed& failed, Time now, double dice);
    /// What has that key was answered, or is gone.
    void forget(std::int64_t key) {
        if (!crowded_out_.empty()) {
            crowded_out_.erase(key);
        }
    }

  private:
    unsigned most_ = 1;
    unsigned limit_ = 1;
    unsigned failures_ = 0;  ///< newcomers, running
    Milliseconds initial_{1'000};
    Milliseconds maximum_{300'000};
    Time next_try_;
    Time busy_is_no_limit_until_;                             ///< it said so to a single request, too
    std::unordered_map<std::int64_t, unsigned> crowded_out_;  ///< keys, and how often
};

}  // namespace lihandover::delivery
