#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lihandover/model/clock.hpp"

namespace lihandover::delivery {

/// Which of a destination's uploads may send its next bytes: the small ones first, the large ones by weight, all of
/// them together within a limit. No I/O and no clock of its own.
///
/// An upload asks when it has bytes to send and its peer takes them, and is granted a quantum; one whose peer is slow
/// does not ask and so holds up nobody. Large ones share by start-time fair queueing: each has a virtual time that a
/// grant moves on by its bytes over its weight, and the one that is behind goes next.
class LinkShare {
  public:
    using Time = model::Clock::SteadyTime;

    /// What is granted at a time, and so how long an upload keeps the delivery thread from other work: some 100 µs.
    static constexpr std::size_t quantum = std::size_t{128} * 1024;
    /// Consecutive grants to small ones while a large one waits; then it gets one, so that a stream of small objects
    /// cannot make its peer give up.
    static constexpr unsigned small_run = 16;
    /// A large object of an emergency warrant gets that many times as much as another one.
    static constexpr unsigned emergency_weight = 8;

    /// One upload.
    struct Member {
        bool small = false;
        bool emergency = false;

        std::uint64_t wanted = 0;  ///< bytes, while it asks
        std::uint64_t virtual_time = 0;
        bool asking = false;
    };

    /// Bytes per second from now on; nullopt: no limit.
    void limit(std::optional<std::uint64_t> rate, Time now);
    /// `bytes` > 0. Calling it again while it asks has no effect.
    void ask(Member& member, std::uint64_t bytes);
    void leave(Member& member);

    struct Grant {
        Member* member = nullptr;  ///< null: nobody may send now
        std::size_t bytes = 0;
        /// If there is no member: when somebody may, in case the limit is what they wait for.
        std::optional<Time> due;
    };
    /// Who may send, and how much; that one no longer asks.
    Grant next(Time now);
    [[nodiscard]] bool asked() const { return !asking_.empty(); }

  private:
    [[nodiscard]] Member* small_one() const;
    [[nodiscard]] Member* large_one() const;

    std::vector<Member*> asking_;  ///< in the order of asking
    std::uint64_t virtual_now_ = 0;
    unsigned run_ = 0;

    std::optional<std::uint64_t> rate_;
    std::uint64_t step_ = quantum;
    double capacity_ = 0;
    double tokens_ = 0;  ///< bytes
    Time filled_at_;
};

}  // namespace lihandover::delivery
