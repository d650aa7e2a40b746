#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "lihandover/model/clock.hpp"

namespace lihandover::test {

/// The clock of a test. Wall time stands still and steady time runs, unless a test says otherwise; each is set by hand.
/// Thread-safe, except for the two settings before anybody uses it. Timers that are already running do not notice that
/// steady time was changed.
class ManualClock : public model::Clock {
  public:
    explicit ManualClock(model::Instant wall = {1'795'342'530, 123'456'000}) : wall_(nanoseconds_of(wall)) {}

    // Before anybody uses it.
    /// Wall time goes on with the machine's.
    void let_wall_run() { wall_runs_ = true; }
    /// Both stand still until they are moved.
    void stop() { wall_runs_ = steady_runs_ = false; }

    [[nodiscard]] model::Instant wall() const override {
        const auto nanos = wall_.load() + (wall_runs_ ? since_begun() : std::chrono::nanoseconds{});
        const auto seconds = std::chrono::floor<std::chrono::seconds>(nanos);
        return {seconds.count(), static_cast<std::int32_t>((nanos - seconds).count())};
    }
    [[nodiscard]] SteadyTime steady() const override {
        return begun_ + steady_moved_.load() + (steady_runs_ ? since_begun() : std::chrono::nanoseconds{});
    }
    /// Behind the wall time by what distrust() said.
    [[nodiscard]] model::Instant trusted() const override {
        return model::Instant::from_micros(wall().micros() - behind_.load().count());
    }
    [[nodiscard]] bool is_trusted() const override { return trusted_; }
    [[nodiscard]] model::Instant passed() const override {
        return model::Instant::from_micros(wall().micros() + late_.load().count());
    }

    /// Lets time pass.
    void advance(std::chrono::nanoseconds by) {
        advance_wall(by);
        advance_steady(by);
    }
    /// Makes the wall clock jump.
    void advance_wall(std::chrono::nanoseconds by) { wall_ = wall_.load() + by; }
    void advance_steady(std::chrono::nanoseconds by) { steady_moved_ = steady_moved_.load() + by; }
    /// Wall time is this now.
    void set_wall(model::Instant now) { wall_ = nanoseconds_of(now); }
    /// The wall time is not the trusted time, which is behind it by so much.
    void distrust(std::chrono::microseconds behind = {}) {
        behind_ = behind;
        trusted_ = false;
    }
    /// The wall clock goes back, to be that much behind where it should be.
    void fall_behind(std::chrono::microseconds by) {
        late_ = by;
        trusted_ = false;
        advance_wall(-by);
    }
    /// And is right again.
    void catch_up() {
        advance_wall(late_.load());
        late_ = std::chrono::microseconds{};
        trusted_ = true;
    }
    void trust() {
        behind_ = std::chrono::microseconds{};
        trusted_ = true;
    }

  private:
    static std::chrono::nanoseconds nanoseconds_of(model::Instant at) {
        return std::chrono::seconds(at.seconds) + std::chrono::nanoseconds(at.nanos);
    }
    [[nodiscard]] std::chrono::nanoseconds since_begun() const { return std::chrono::steady_clock::now() - begun_; }

    const SteadyTime begun_ = std::chrono::steady_clock::now();
    std::atomic<std::chrono::nanoseconds> wall_;
    std::atomic<std::chrono::nanoseconds> steady_moved_{};
    std::atomic<std::chrono::microseconds> behind_{};
    std::atomic<std::chrono::microseconds> late_{};
    std::atomic<bool> trusted_{true};
    bool wall_runs_ = false;
    bool steady_runs_ = true;
};

}  // namespace lihandover::test
