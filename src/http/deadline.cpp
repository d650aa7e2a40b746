#include "deadline.hpp"

#include <utility>

namespace lihandover::http {

Deadline::Deadline(const Executor& executor, std::function<void()> on_expiry)
    : state_(std::make_shared<State>(executor)) {
    state_->on_expiry = std::move(on_expiry);
}

Deadline::~Deadline() {
    stop();
}

void Deadline::set(Clock::time_point when) {
    state_->when = when;
    state_->expired = false;
    if (when < state_->timer_at) {
        arm(state_, when);
    }
}

void Deadline::clear() {
    state_->when = Clock::time_point::max();
    state_->expired = false;
}

void Deadline::stop() {
    state_->on_expiry = nullptr;
    state_->when = Clock::time_point::max();
    ++state_->generation;
    state_->timer.cancel();
}

void Deadline::arm(const std::shared_ptr<State>& state, Clock::time_point when) {
    state->timer_at = when;
    ++state->generation;
    state->timer.expires_at(when);
    // Weak: the timer would own its own handler.
    state->timer.async_wait([weak = std::weak_ptr<State>{state},
                             generation = state->generation](const boost::system::error_code& /*error*/) {
        if (const auto kept = weak.lock()) {
            on_timer(kept, generation);
        }
    });
}

void Deadline::on_timer(const std::shared_ptr<State>& state, std::uint64_t generation) {
    if (generation != state->generation) {
        return;
    }
    state->timer_at = Clock::time_point::max();
    if (state->when == Clock::time_point::max()) {
        return;
    }
    if (Clock::now() < state->when) {
        arm(state, state->when);
        return;
    }
    state->expired = true;
    if (state->on_expiry) {
        state->on_expiry();
    }
}

}  // namespace lihandover::http
