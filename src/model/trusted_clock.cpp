#include "lihandover/model/trusted_clock.hpp"

#include <algorithm>
#include <utility>

namespace lihandover::model {

namespace {

Instant later(Instant time, std::chrono::nanoseconds by) {
    constexpr std::int64_t per_second = 1'000'000'000;
    const std::int64_t nanos = static_cast<std::int64_t>(time.nanos) + by.count() % per_second;
    time.seconds += by.count() / per_second + (nanos < 0 ? -1 : nanos / per_second);
    time.nanos = static_cast<decltype(time.nanos)>(nanos < 0 ? nanos + per_second : nanos % per_second);
    return time;
}

}  // namespace

void TrustedClock::follow(Rules rules, std::optional<Instant> last) {
    const std::lock_guard lock(mutex_);
    rules_ = std::move(rules);
    follows_ = true;
    right_ = last.value_or(machine_.wall());
    right_at_ = machine_.steady();
    look();
}

void TrustedClock::set_tolerance(std::chrono::milliseconds tolerance) {
    const std::lock_guard lock(mutex_);
    rules_.tolerance = tolerance;
}

void TrustedClock::accept() {
    const std::lock_guard lock(mutex_);
    right_ = machine_.wall();
    right_at_ = machine_.steady();
}

Instant TrustedClock::expected() const {
    return later(right_, machine_.steady() - right_at_);
}

void TrustedClock::look() const {
    if (!rules_.synchronised || rules_.synchronised()) {
        right_ = machine_.wall();
        right_at_ = machine_.steady();
    }
}

Instant TrustedClock::trusted() const {
    const std::lock_guard lock(mutex_);
    const Instant wall = machine_.wall();
    if (!follows_ || wall <= later(expected(), rules_.tolerance)) {
        return wall;  // whatever the kernel says, and so it is asked only where that counts
    }
    look();
    return std::min(machine_.wall(), later(expected(), rules_.tolerance));
}

bool TrustedClock::within(Instant wall) const {
    return wall <= later(expected(), rules_.tolerance) && expected() <= later(wall, rules_.tolerance);
}

bool TrustedClock::is_trusted() const {
    const std::lock_guard lock(mutex_);
    if (!follows_) {
        return true;
    }
    look();
    return within(machine_.wall());
}

Instant TrustedClock::passed() const {
    const std::lock_guard lock(mutex_);
    const Instant wall = machine_.wall();
    if (!follows_) {
        return wall;
    }
    look();
    return within(wall) ? wall : expected();
}

}  // namespace lihandover::model
