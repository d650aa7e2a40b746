#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "lihandover/admin/control.hpp"
#include "lihandover/model/clock.hpp"

namespace lihandover::app {

/// After revocations that hold what is queued: tells the store once nothing can come any more that was matched with the
/// revoked warrant. Until then what comes in its lane is held. What was matched may wait for as long as the store takes
/// nothing; no revocation and, after `patience`, no reload waits with it. On one thread.
class HeldCloser {
  public:
    /// How long a reload waits.
    static constexpr std::chrono::seconds patience{10};

    struct Surroundings {
        boost::asio::io_context& io;  ///< of that thread
        const model::Clock& clock;
        /// Whether no work goes on that was begun before the last revocation.
        std::function<bool()> none_before;
        /// Calls back on that thread when all that was handed to the store before is committed; false: it failed.
        std::function<void(std::function<void(bool)>)> settle;
        /// Tells the store of these, and calls back on that thread with those of which it was told.
        std::function<void(std::vector<admin::RevokeRequest>, std::function<void(std::vector<admin::RevokeRequest>)>)>
            tell;
        /// What waits here may go on.
        std::function<void()> changed;
    };

    /// What the functions use outlives their work; the closer has to outlive it, too.
    ///   waits  for the store, before `changed` is called in any case; for tests
    explicit HeldCloser(Surroundings surroundings, std::chrono::milliseconds waits = patience);

    /// A revocation begins: until its end() the store is told nothing of its LIID.
    void begin(const admin::RevokeRequest& request) { begun_ = request; }
    ///   holds  it is in force, and holds what is queued
    void end(bool holds);
    /// Whether warrants may be loaded: one that uses such a LIID again comes into force after what is held of it is
    /// closed. After a while they may in any case; what comes for that one until then is held, which the log says.
    [[nodiscard]] bool may_load() const;
    [[nodiscard]] bool closes_some() const { return !closing_.empty(); }
    /// Not while the store is told, which would count for a revocation that begins meanwhile.
    [[nodiscard]] bool may_revoke() const { return !telling_; }
    /// A start closes what is left.
    void stop();

  private:
    struct Closing {
        admin::RevokeRequest of;
        model::Clock::SteadyTime since;
    };

    void look();
    void look_after(std::chrono::milliseconds time);
    void tell();
    void told(const std::vector<admin::RevokeRequest>& done);

    Surroundings around_;
    std::chrono::milliseconds waits_;
    boost::asio::steady_timer timer_;
    std::vector<Closing> closing_;
    std::optional<admin::RevokeRequest> begun_;
    bool looking_ = false;
    bool telling_ = false;
    bool stopped_ = false;
};

}  // namespace lihandover::app
