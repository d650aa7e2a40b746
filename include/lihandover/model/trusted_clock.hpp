#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>

#include "lihandover/model/clock.hpp"

namespace lihandover::model {

/// The daemon's clock: a wall clock that may jump, and the time that is trusted meanwhile (promise 13).
///
/// Trusted time is the wall time, but never further ahead of the last time that was known to be right than the steady
/// clock has advanced since, plus a tolerance. It catches up with a wall clock that jumped ahead once the kernel
/// reports the clock as synchronised, or an operator confirms it. A wall clock that is behind blocks nothing: it only
/// delays what cannot be undone.
class TrustedClock final : public Clock {
  public:
    struct Rules {
        std::chrono::milliseconds tolerance{std::chrono::minutes(5)};
        /// Whether the kernel reports the wall clock as synchronised. Empty: it cannot know, and the wall clock is
        /// always trusted.
        std::function<bool()> synchronised;
    };

    /// `machine` outlives this object. Until follow(), the wall clock is trusted as it is.
    explicit TrustedClock(const Clock& machine) : machine_(machine) {}

    /// From now on trusted time follows `rules`. `last`: a time known to have passed, from before the start; nullopt on
    /// the first start, when there is nothing to lose yet.
    void follow(Rules rules, std::optional<Instant> last);
    /// The tolerance of new options; thread-safe like everything else.
    void set_tolerance(std::chrono::milliseconds tolerance);
    /// An operator confirms that the wall clock is right.
    void accept();

    [[nodiscard]] Instant wall() const override { return machine_.wall(); }
    [[nodiscard]] SteadyTime steady() const override { return machine_.steady(); }
    [[nodiscard]] Instant trusted() const override;
    /// Also for the next start.
    [[nodiscard]] Instant passed() const override;
    /// False while the wall clock is further from where it should be than the tolerance, in either direction.
    [[nodiscard]] bool is_trusted() const override;

  private:
    /// Where the clock should be, from the last time that was known to be right; under the lock.
    [[nodiscard]] Instant expected() const;
    /// Whether the wall clock is where it should be; under the lock.
    [[nodiscard]] bool within(Instant wall) const;
    /// Accepts the wall clock as right if the kernel reports it as such; under the lock.
    void look() const;

    const Clock& machine_;
    mutable std::mutex mutex_;
    Rules rules_;
    bool follows_ = false;
    mutable Instant right_;        ///< the last time known to be right,
    mutable SteadyTime right_at_;  ///< and when that was
};

}  // namespace lihandover::model
