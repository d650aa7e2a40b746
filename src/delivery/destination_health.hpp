#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::delivery {

/// Names one attempt: its number, counted per destination, and whether it is the probe of a destination that is not
/// open.
struct Ticket {
    std::uint64_t number = 0;
    bool probe = false;
};

/// Whether a destination as a whole may be sent to, and how many messages at a time: the part of "Answers of an LEA"
/// that looks at the destination rather than at one lane. No I/O and no clock of its own.
///
///            three lanes failing running,                 a probe fails: later, then later still
///            no connection, Retry-After    ┌──────────┐
///     ┌────► open ───────────────────────► backing off ◄┘
///     │       │                               │
///     │       │ TLS, credentials, redirect,   │ the same
///     │       │ senseless answers, ten        ▼
///     │       └─ refusals or rejections ──► paused: an alarm, probed every `maximum`
///     └──── a probe is answered well ─────────┘
///
/// After a probe went well the number of messages in flight doubles with each good answer, from two. ObjectUploaders
/// that are not asked for their body in time count as well, but for a pause that answers brought about.
///
/// Attempts that began before the state last moved are late: what they say about the destination is out of date, so
/// their failures move nothing.
class DestinationHealth {
  public:
    using Time = model::Clock::SteadyTime;
    using Milliseconds = std::chrono::milliseconds;

    struct Policy {
        Milliseconds initial{1'000};
        Milliseconds maximum{300'000};
        unsigned connections = 1;
    };
    enum class Mode : std::uint8_t { open, backing_off, paused };
    enum class Cause : std::uint8_t {
        tls,
        credentials,
        redirect,
        senseless,
        refusals,    ///< ten actions running refused with one code
        rejections,  ///< lone messages rejected running, or that of a suspect's comparison
    };

    static constexpr unsigned refusals_to_pause = 10;
    static constexpr unsigned rejections_to_pause = 10;
    static constexpr unsigned senseless_to_pause = 3;
    static constexpr unsigned lanes_to_back_off = 3;
    /// Probes out of turn per pause, for lanes that had no part in it.
    static constexpr unsigned eager_probes = 3;

    explicit DestinationHealth(const Policy& policy) { set_policy(policy); }
    void set_policy(const Policy& policy);

    [[nodiscard]] Mode mode() const { return mode_; }
    /// While paused.
    [[nodiscard]] metrics::Pause reason() const;
    [[nodiscard]] Cause cause() const { return cause_; }
    /// Of a state that is not open: when the next probe is due.
    [[nodiscard]] Time resume_at() const { return resume_at_; }
    /// Counts the pauses; the number of the present or, while there is none, of the next one.
    [[nodiscard]] std::uint32_t pause_number() const { return pause_number_; }
    /// Changes whenever mode, cause or resume_at do.
    [[nodiscard]] std::uint32_t version() const { return version_; }
    [[nodiscard]] bool probing() const { return probing_; }

    /// Whether one more message may begin beside `in_flight` others.
    [[nodiscard]] bool may_start(Time now, unsigned in_flight) const;
    /// How many may be in flight.
    [[nodiscard]] unsigned allowed() const { return mode_ == Mode::open ? allowed_ : 1; }
    [[nodiscard]] Ticket start();
    /// The next ticket's number.
    [[nodiscard]] std::uint64_t next_number() const { return next_number_; }
    /// Every started ticket ends, after what came of it was told below.
    void ended(const Ticket& ticket);
    /// Whether the state stands as it did when the attempt began.
    [[nodiscard]] bool is_current(const Ticket& ticket) const { return ticket.number >= epoch_; }

    // What came of an attempt. `dice` is uniform in [0, 1).

    /// An action was accepted. True when that opened the state.
    bool accepted(const Ticket& ticket);
    /// Answered with sense, though nothing was accepted. True when that opened the state.
    bool answered(const Ticket& ticket, Time now);
    /// Connected and the request taken, but no answer that tells more: nothing good is known of what it does with
    /// requests, only that it is there. True when that opened the state.
    bool reached(const Ticket& ticket, Time now);
    /// One action refused. `beside_accepted`: another action of its message was accepted. False: not to be taken as
    /// final, the state was closed for such refusals.
    [[nodiscard]] bool refused(const Ticket& ticket, std::uint64_t code, bool beside_accepted, Time now);
    /// A lone message rejected (message-level error or 4xx). `known`: its item is under suspicion already, so that this
    /// says nothing new about the destination. False: the state is closed and the item not to blame.
    [[nodiscard]] bool rejected(const Ticket& ticket, bool known, Time now);
    /// No answer, 5xx, or only errors worth retrying. True: the state closed or stays closed.
    bool failed(const Ticket& ticket, store::LaneId lane, Time now, double dice);
    void senseless(const Ticket& ticket, store::LaneId lane, Time now, double dice);
    void unreachable(const Ticket& ticket, Time now, double dice);
    /// The LEA asked for `patience`.
    void held(const Ticket& ticket, std::chrono::seconds patience, Time now, double dice);
    void pause(const Ticket& ticket, Cause cause, Time now);

    /// An operator or a reload wants to know now. True when the state was not open.
    bool probe_now(Time now);
    [[nodiscard]] bool has_early_probes() const { return mode_ == Mode::paused && eager_ > 0; }
    /// A lane that had no part in the pause has something to send: true when a probe out of turn is due for it.
    bool probe_early(Time now);

  private:
    void move(Mode mode);
    void back_off_for(Milliseconds least, Time now, double dice);
    void open_up();
    void probe_later(Time now) { set_resume(now + policy_.maximum); }
    void set_resume(Time at);
    void close_paused(Cause cause, Time now);
    void forget_failures();

    Policy policy_;
    Mode mode_ = Mode::open;
    Cause cause_ = Cause::tls;
    Time resume_at_;
    std::uint64_t next_number_ = 1;
    std::uint64_t epoch_ = 0;
    unsigned allowed_ = 1;
    unsigned closings_ = 0;  ///< running, without a good answer
    unsigned senseless_ = 0;
    unsigned rejections_ = 0;
    unsigned refusals_ = 0;
    std::uint64_t refusal_code_ = 0;
    std::array<store::LaneId, lanes_to_back_off> failing_{};
    unsigned failing_count_ = 0;
    unsigned eager_ = 0;
    std::uint32_t pause_number_ = 1;
    std::uint32_t version_ = 0;
    bool probing_ = false;
};

}  // namespace lihandover::delivery
