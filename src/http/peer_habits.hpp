#pragma once

#include <chrono>

namespace lihandover::http {

/// What a server was seen to do on its connections, which share it.
class PeerHabits {
  public:
    using Clock = std::chrono::steady_clock;

    /// It sent what nobody asked for.
    void strayed(Clock::time_point now) {
        expects_strays_until_ = now + memory;
        waits_in_vain_ = 0;
    }
    /// Connections carry one exchange each.
    [[nodiscard]] bool expects_strays(Clock::time_point now) const { return now < expects_strays_until_; }

    /// Whether an answer that is none to its request is worth waiting for another one.
    [[nodiscard]] bool worth_waiting(Clock::time_point now) const {
        return waits_in_vain_ < most_waits_in_vain || now >= waits_again_at_;
    }
    void waited_in_vain(Clock::time_point now) {
        ++waits_in_vain_;
        waits_again_at_ = now + memory;
    }

  private:
    static constexpr std::chrono::minutes memory{10};
    /// A server whose answers are bad is not waited for at each of them.
    static constexpr unsigned most_waits_in_vain = 2;

    Clock::time_point expects_strays_until_;
    Clock::time_point waits_again_at_;
    unsigned waits_in_vain_ = 0;
};

}  // namespace lihandover::http
