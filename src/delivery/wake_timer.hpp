#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>

#include "lihandover/model/clock.hpp"

namespace lihandover::delivery {

/// The earliest of some times that are still to come. What is due already waits for something else than time.
class Earliest {
  public:
    explicit Earliest(model::Clock::SteadyTime now) : now_(now) {}

    void consider(model::Clock::SteadyTime at) {
        if (at > now_ && (!next_ || at < *next_)) {
            next_ = at;
        }
    }
    [[nodiscard]] model::Clock::SteadyTime now() const { return now_; }
    [[nodiscard]] const std::optional<model::Clock::SteadyTime>& next() const { return next_; }

  private:
    model::Clock::SteadyTime now_;
    std::optional<model::Clock::SteadyTime> next_;
};

/// Has its owner, of which it is a member, look again (`kick()`) when the time has come. On one thread.
class WakeTimer {
  public:
    explicit WakeTimer(const boost::asio::any_io_executor& executor) : timer_(executor) {}

    /// Nothing changes where it rings earlier anyway: whoever looks again sets it again.
    template <class Owner>
    void set(const Earliest& times, std::weak_ptr<Owner> owner) {
        const auto& next = times.next();
        if (!next || (armed_ && *armed_ > times.now() && *armed_ <= *next)) {
            return;
        }
        armed_ = next;
        timer_.expires_after(*next - times.now());
        timer_.async_wait([this, owner = std::move(owner)](const boost::system::error_code& error) {
            if (const auto self = owner.lock(); self && !error) {
                armed_.reset();
                self->kick();
            }
        });
    }
    void cancel() { timer_.cancel(); }

  private:
    boost::asio::steady_timer timer_;
    std::optional<model::Clock::SteadyTime> armed_;
};

}  // namespace lihandover::delivery
