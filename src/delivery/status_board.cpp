#include "status_board.hpp"

namespace lihandover::delivery {

DestinationStatus StatusBoard::read() const {
    DestinationStatus status;
    {
        const std::lock_guard lock(mutex_);
        status = rare_;
    }
    status.waiting = waiting.load(std::memory_order_relaxed);
    status.in_flight = in_flight.load(std::memory_order_relaxed);
    status.connections = connections.load(std::memory_order_relaxed);
    status.connection_limit = connection_limit.load(std::memory_order_relaxed);
    if (const auto micros = last_success_micros.load(std::memory_order_relaxed); micros != 0) {
        status.last_success = model::Instant::from_micros(micros);
    }
    return status;
}

void StatusBoard::set_pause(std::optional<metrics::Pause> reason, std::optional<model::Instant> next_attempt,
                            model::Instant now) {
    const std::lock_guard lock(mutex_);
    if (!reason) {
        rare_.paused_since.reset();
    } else if (!rare_.paused) {
        rare_.paused_since = now;
    }
    rare_.paused = reason;
    rare_.next_attempt = next_attempt;
}

void StatusBoard::set_failure(metrics::Attempt attempt, model::Instant now) {
    has_failure_ = true;
    const std::lock_guard lock(mutex_);
    rare_.last_failure = attempt;
    rare_.last_failure_at = now;
}

void StatusBoard::set_suspects(std::vector<model::Uuid> suspects, std::size_t suspect_count,
                               std::vector<model::Uuid> set_aside, std::size_t set_aside_count) {
    const std::lock_guard lock(mutex_);
    rare_.suspects = std::move(suspects);
    rare_.suspect_count = suspect_count;
    rare_.set_aside = std::move(set_aside);
    rare_.set_aside_count = set_aside_count;
}

void StatusBoard::clear_failure() {
    if (has_failure_) {
        has_failure_ = false;
        const std::lock_guard lock(mutex_);
        rare_.last_failure.reset();
        rare_.last_failure_at.reset();
    }
}

}  // namespace lihandover::delivery
