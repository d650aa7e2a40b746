#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>

#include "destination_health.hpp"

namespace lihandover::delivery {

/// The earliest of some times that are still to come. What is due already waits for something else than time.
class Earliest {
  public:
    explicit Earliest(DestinationHealth::Time now) : now_(now) {}

    void consider(DestinationHealth::Time at) {
        if (at > now_ && (!next_ || at < *next_)) {
            next_ = at;
        }
    }
    [[nodiscard]] DestinationHealth::Time now() const { return now_; }
    [[nodiscard]] const std::optional<DestinationHealth::Time>& next() const { return next_; }

  private:
    DestinationHealth::Time now_;
    std::optional<DestinationHealth::Time> next_;
};

/// Has its owner, of which it is a member, look again (`kick()`) when the time has come. On one thread.
class WakeTimer {
  public:
    explicit WakeTimer(const boost::asio::any_io_executor& executor) : timer_(executor) {}

    /// Nothing changes where it rings earlier anyway: who looks again sets it again.
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
    std::optional<DestinationHealth::Time> armed_;
};

}  // namespace lihandover::delivery
