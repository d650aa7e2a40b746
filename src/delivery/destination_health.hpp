#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::delivery {

/// Identifies one attempt: its number, counted per destination, and what was known when it started.
struct Ticket {
    std::uint64_t number = 0;
    /// Acceptances counted when it began.
    std::uint64_t acceptances = 0;
    /// It started while the destination was closed: one of the few that show its state.
    bool probe = false;
    /// A probe out of turn, for a LIID with no part in the closing.
    bool early = false;
    // What it may carry, if that is limited: DestinationQueue::pick, DestinationUploads::next.
    bool trial = false;
    bool set_aside = false;
    bool again = false;
};

/// Whether a destination as a whole may be sent to, and how many messages at a time: a circuit breaker. Which answers
/// are an item's fault is for Suspects to say; this class only knows whether anything is accepted.
///
///                three failures running and nothing accepted,       a probe fails: later, then later still
///                or no connection                    ┌──────────────┐
///     ┌──► open ───────────────────────────► backing off ◄──────────┘
///     │     │                                        │ it goes on failing, for longer than `initial`
///     │     │                                        ▼
///     │     │                                     paused: the same, and an alarm
///     │     │ told to wait, and so was another LIID
///     │     └──────────► waiting ──── the time has come: a probe, as when backing off
///     └──── anything is accepted
///
/// An operator's pause() holds all of it, whatever the mode, until resume().
///
/// A failure counts when nothing was accepted from the attempt's beginning to its end, and when the attempt began after
/// the failure that counted before: so that sixteen connections that fail together count once, and one item that fails
/// among others that are accepted counts not at all. No I/O and no clock of its own.
class DestinationHealth {
  public:
    using Time = model::Clock::SteadyTime;
    using Milliseconds = std::chrono::milliseconds;

    struct Policy {
        Milliseconds initial{1'000};
        Milliseconds maximum{300'000};
        unsigned connections = 1;
    };
    enum class Mode : std::uint8_t { open, backing_off, paused, waiting };

    static constexpr unsigned failures_to_close = 3;
    /// At most so many probes at a time: one that is not answered does not keep other LIIDs from being tried.
    static constexpr unsigned probes_at_once = 4;

    explicit DestinationHealth(const Policy& policy) { set_policy(policy); }
    void set_policy(const Policy& policy);

    [[nodiscard]] Mode mode() const { return mode_; }
    [[nodiscard]] bool is_open() const { return mode_ == Mode::open && !held_; }
    /// On purpose, by an operator.
    [[nodiscard]] bool held() const { return held_; }
    /// Why, while paused or held, or told to wait again and again: what failed last.
    [[nodiscard]] std::optional<metrics::Pause> pause_reason() const;
    /// Of a destination that is not open: when the next probe is due.
    [[nodiscard]] Time resume_at() const { return resume_at_; }
    /// Counts the closings: the number of the present one or, while open, of the next.
    [[nodiscard]] std::uint32_t closing() const { return closing_; }
    /// Changes whenever mode, reason or resume_at do.
    [[nodiscard]] std::uint32_t version() const { return version_; }

    /// Whether one more message may start besides `in_flight` others.
    [[nodiscard]] bool may_start(Time now, unsigned in_flight) const;
    /// Whether a LIID with no part in the closing may be tried out of turn.
    [[nodiscard]] bool may_probe_early(Time now, unsigned in_flight) const;
    [[nodiscard]] Time early_at() const { return early_at_; }
    /// How many may be in flight.
    [[nodiscard]] unsigned allowed() const { return mode_ == Mode::open ? allowed_ : 1; }
    /// An attempt starts.
    [[nodiscard]] Ticket start(Time now);
    /// The next ticket's number.
    [[nodiscard]] std::uint64_t next_number() const { return next_number_; }
    /// Every started ticket ends, after its outcome was reported below.
    void ended(const Ticket& ticket, Time now);
    [[nodiscard]] bool probing() const { return probes_ > 0; }
    /// Nothing was accepted since the attempt started.
    [[nodiscard]] bool is_quiet(const Ticket& ticket) const { return ticket.acceptances == acceptances_; }
    /// Open, and what counted last is a failure: a few more, and it closes.
    [[nodiscard]] bool is_doubtful() const { return mode_ == Mode::open && failures_ > 0; }
    /// Whether anything was ever accepted, as far as this process knows.
    [[nodiscard]] bool ever_accepted() const { return acceptances_ > 0; }

    /// The LEA asks for the content of an attempt that is still on its way: as reached(), except that nothing is over.
    bool asked_for_content(const Ticket& ticket);

    // The outcome of an attempt. `dice` is uniform in [0, 1).

    /// Something was accepted. True when that opened the destination.
    bool accepted(const Ticket& ticket, Time now);
    /// Answered well, though nothing was accepted: one action or object was refused for good. No failure.
    void answered(const Ticket& ticket);
    /// The LEA is reachable and took the request, but what it does with requests is not known. True if that opened the
    /// destination: once, until something is accepted. Should it close again before that, something in front of the
    /// LEA answers in its place.
    bool reached(const Ticket& ticket, Time now, double dice);
    /// Any other outcome of an attempt that reached the LEA, or should have.
    void failed(const Ticket& ticket, metrics::Pause symptom, Time now, double dice);
    /// No connection, and no other one works.
    ///   at_once  an alarm from the first time on: a wrong certificate does not get better
    void unreachable(const Ticket& ticket, metrics::Pause symptom, bool at_once, Time now, double dice);
    /// No failure, but nothing was accepted for so long that it is an alarm.
    void stalled(const Ticket& ticket, metrics::Pause symptom, Time now, double dice) {
        unreachable(ticket, symptom, true, now, dice);
    }
    /// The LEA asked to wait until then. `lane`: whose item it was.
    void told_to_wait(const Ticket& ticket, store::LaneId lane, Time until, metrics::Pause symptom);

    /// A reload changed where or how to connect, or somebody asks. True if the destination was not open. Does nothing
    /// if it was told to wait, or an operator holds it.
    bool probe_now(Time now);
    /// An operator's.
    void pause();
    void resume(Time now);

  private:
    [[nodiscard]] bool counts(const Ticket& ticket) const;
    void move(Mode mode);
    void count(metrics::Pause symptom);
    void close(bool alarm, Time now, double dice);
    void open_up();
    [[nodiscard]] bool recently_accepted(Time now) const;

    Policy policy_;
    Mode mode_ = Mode::open;
    bool held_ = false;
    metrics::Pause symptom_ = metrics::Pause::unavailable;
    Time resume_at_;
    Time early_at_;
    std::optional<Time> last_accepted_;
    std::uint64_t next_number_ = 1;
    std::uint64_t acceptances_ = 0;
    std::uint64_t counted_from_ = 0;  ///< failures of earlier attempts do not count
    unsigned allowed_ = 1;
    unsigned failures_ = 0;  ///< running
    unsigned closings_ = 0;  ///< since something was accepted: probes that failed, and failures that closed it
    unsigned waits_ = 0;     ///< since then: times that it was told to wait as a whole
    /// What reached() made of it since something was accepted.
    enum class Hope : std::uint8_t {
        none,
        open,  ///< opened it
        lost,  ///< opened it, and it closed again
    };
    Hope hope_ = Hope::none;
    unsigned early_ = 0;     ///< probes out of turn in this closing
    unsigned probes_ = 0;    ///< on their way
    unsigned attempts_ = 0;  ///< on their way, probes included
    /// Those of them that started before the failure that counted last. They may take long to end, and do not keep
    /// others from starting.
    unsigned older_ = 0;
    struct Told {
        store::LaneId lane = 0;
        std::uint64_t next_attempt = 0;
    };
    std::optional<Told> told_;
    std::uint32_t closing_ = 1;
    std::uint32_t version_ = 0;
};

}  // namespace lihandover::delivery
