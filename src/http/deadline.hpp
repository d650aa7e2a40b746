#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "message.hpp"

namespace lihandover::http {

/// A time at which waiting ends, and since when somebody waits. Cheap to move: the timer behind it is set again only
/// for an earlier time.
class Deadline {
  public:
    using Clock = std::chrono::steady_clock;

    /// `on_expiry` ends the wait; not called after this object is destroyed.
    Deadline(const Executor& executor, std::function<void()> on_expiry);
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    ~Deadline();

    void set(Clock::time_point when);
    void clear();
    [[nodiscard]] bool expired() const { return state_->expired; }
    /// Stops the timer for good.
    void stop();

    /// While it lives, it marks that somebody waits for the peer, which may be longer than the deadline.
    class Waiting;
    [[nodiscard]] std::optional<Clock::time_point> waiting_since() const { return state_->waiting_since; }

  private:
    /// Shared with the timer's handler, which may run after stop().
    struct State {
        explicit State(const Executor& executor) : timer(executor) {}
        boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor> timer;
        std::function<void()> on_expiry;
        Clock::time_point when = Clock::time_point::max();
        Clock::time_point timer_at = Clock::time_point::max();
        std::uint64_t generation = 0;  ///< of the timer's settings
        bool expired = false;
        std::optional<Clock::time_point> waiting_since;
    };

    static void arm(const std::shared_ptr<State>& state, Clock::time_point when);
    static void on_timer(const std::shared_ptr<State>& state, std::uint64_t generation);

    std::shared_ptr<State> state_;
};

class Deadline::Waiting {
  public:
    explicit Waiting(const Deadline& deadline) : state_(deadline.state_) { state_->waiting_since = Clock::now(); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { state_->waiting_since.reset(); }

  private:
    std::shared_ptr<State> state_;
};

}  // namespace lihandover::http
