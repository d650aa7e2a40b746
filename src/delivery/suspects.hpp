#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::delivery {

/// What is known of one item (or object) that failed alone.
struct Suspicion {
    model::Uuid id;
    /// Attempts that failed, all of them.
    unsigned tries = 0;
    /// The last of them, with nothing else accepted meanwhile.
    unsigned running = 0;
    /// Those of them that count against it: the first, and each one with something else accepted since the one before.
    unsigned counted = 0;
    /// Something else was accepted since it last failed.
    bool compared = false;
    /// Something else was ever accepted since it first failed: a suspect, where before it was merely a failure.
    bool suspect = false;
    /// It failed on a connection that had just worked.
    bool proven = false;
    /// Attempts of that number and later ones began after it last failed.
    std::uint64_t since = 0;
    store::LaneId lane = 0;
    /// When it is tried again: at `not_before` if something else is accepted meanwhile, otherwise at `due`.
    model::Clock::SteadyTime not_before;
    model::Clock::SteadyTime due;
    [[nodiscard]] model::Clock::SteadyTime next_try() const { return compared ? not_before : due; }
};

/// Which items of a destination are to blame for what failed, and not the destination: those that fail where others
/// succeed. An item is convicted once it has failed three times, each time with another one accepted in between, and
/// at least once on the connection that had just worked, or four times as often. Each suspect that is accepted after
/// all doubles the number for an hour, up to 24: then something else fails at random, a broken node behind a balancer
/// say, and it convicts nobody.
///
/// Also used for binary objects. `Key` is the item's row or the object's number. No I/O and no clock of its own.
class Suspects {
  public:
    using Time = model::Clock::SteadyTime;
    using Milliseconds = std::chrono::milliseconds;
    using Key = std::int64_t;

    static constexpr unsigned failures_to_convict = 3;
    static constexpr unsigned failures_at_most = 24;
    static constexpr std::chrono::hours acquittals_count_for{1};
    /// So many times as many where it never met a connection that had just worked: where few LIIDs have traffic, those
    /// connections may always be busy. A broken node is not met so often running by chance.
    static constexpr unsigned unproven_factor = 4;

    /// One failed attempt with nothing but this item.
    struct Failure {
        Key key = 0;
        model::Uuid id;
        store::LaneId lane = 0;
        /// Number of the next attempt of the destination: attempts from it on can be compared with this one.
        std::uint64_t next_attempt = 0;
        /// It went over a connection whose last exchange was an acceptance.
        bool on_proven_connection = false;
        /// There are such connections at all: a peer may close each after its answer.
        bool connections_last = true;
        /// With an error that is named worth retrying: takes more time, and twice as many failures.
        bool transient = false;
        /// How long the LEA asked to wait.
        Milliseconds patience{};
    };
    struct Finding {
        bool convicted = false;
        /// The failure says nothing new of the destination: it was to be expected of this item.
        bool expected = false;
        unsigned tries = 0;
    };
    [[nodiscard]] Finding failed(const Failure& failure, Milliseconds initial, Milliseconds maximum, Time now,
                                 double dice);

    /// The item `key` was accepted in the attempt of that number. Calls `visit(Key, const Suspicion&)` for each other
    /// item that is a suspect by it. Its own record, if there is one, ends by acquit(), which comes first.
    template <typename Visit>
    void accepted(std::uint64_t attempt, Visit visit) {
        while (!uncompared_.empty() && uncompared_.begin()->first <= attempt) {
            const auto key = uncompared_.begin()->second;
            uncompared_.erase(uncompared_.begin());
            auto& suspicion = all_.at(key);
            mark_compared(suspicion);
            visit(key, std::as_const(suspicion));
        }
    }
    /// The item itself was accepted. True when it was a suspect.
    bool acquit(Key key, Time now);
    /// It is gone, or goes on as something else.
    void forget(Key key);

    [[nodiscard]] const Suspicion* find(Key key) const;
    /// Failures that convict at present.
    [[nodiscard]] unsigned needed(Time now);
    /// Those that failed and were compared with another one.
    [[nodiscard]] std::size_t count() const { return suspects_; }
    /// Of these, at most `most`, in no particular order.
    [[nodiscard]] std::vector<model::Uuid> ids(std::size_t most) const;
    /// Changes when count() or ids() do.
    [[nodiscard]] std::uint64_t version() const { return version_; }

  private:
    void mark_compared(Suspicion& suspicion);
    void stop_waiting(Key key, const Suspicion& suspicion);

    std::unordered_map<Key, Suspicion> all_;
    /// Those not compared yet, by Suspicion::since.
    std::multimap<std::uint64_t, Key> uncompared_;
    std::deque<Time> acquittals_;
    std::size_t suspects_ = 0;
    std::uint64_t version_ = 0;
};

}  // namespace lihandover::delivery
