#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "connection_limit.hpp"
#include "destination_health.hpp"
#include "lihandover/config/configuration.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/types.hpp"
#include "set_aside_pace.hpp"
#include "suspects.hpp"
#include "upload_classifier.hpp"
#include "upload_queue.hpp"

namespace lihandover::delivery {

/// Hears what became of objects. Called from DestinationUploads.
class UploadOutcomes {
  public:
    virtual ~UploadOutcomes() = default;
    ///   already_there  the LEA has it from an earlier attempt, whose answer was lost
    virtual void delivered(const Upload& upload, bool already_there) = 0;
    virtual void refused(const Upload& upload, store::Refusal refusal) = 0;
    ///   why  for the log
    virtual void set_aside(const Upload& upload, store::Refusal refusal, std::string_view why) = 0;
    /// It failed where another one was taken, and is tried on.
    virtual void suspected(const Upload& upload) = 0;
    virtual void count(metrics::Upload outcome) = 0;
    /// So many bytes were sent for nothing.
    virtual void wasted(std::uint64_t bytes) = 0;
};

/// What waits to be uploaded to one destination, and what was learnt of it: which object goes next, and what follows
/// from an answer (docs/delivery.md). No I/O and no clock of its own.
///
/// Whoever may_begin() asks next() for an upload, and says how it went: settle(), unusable(), gone() or put_back().
class DestinationUploads {
  public:
    using Time = model::Clock::SteadyTime;
    using Milliseconds = std::chrono::milliseconds;

    struct Policy {
        Milliseconds initial{1'000};
        Milliseconds maximum{300'000};
        unsigned connections = 1;
        bool early_success_counts = false;
    };
    /// Told to the store and not on disk yet. Beyond, nothing begins.
    static constexpr std::size_t max_settling = 4096;

    DestinationUploads() = default;
    DestinationUploads(const DestinationUploads&) = delete;
    DestinationUploads& operator=(const DestinationUploads&) = delete;
    ~DestinationUploads() = default;

    void set_policy(const Policy& policy);

    // -- What waits

    void add(const store::QueuedObject& object, bool set_aside);
    /// The same, of a lane that this process has taken over. One that was lost while it ran or settled goes on, and
    /// is looked at once more.
    void take_over(const store::QueuedObject& object, bool set_aside);
    /// All that is known of these lanes.
    [[nodiscard]] std::vector<model::Uuid> of_lanes(const store::LostLanes& lanes) const;
    [[nodiscard]] Upload* find(const model::Uuid& object) { return queue_.find(object); }
    /// An operator ended it. One that waits is gone; one that runs or settles is marked.
    void withdraw(Upload& upload);
    /// The store's answer to what UploadOutcomes was told of.
    void settled(const model::Uuid& object, store::Outcome outcome, Time now);
    /// One that waits and whose deadline has come; nullptr when there is none, or nothing more can settle.
    [[nodiscard]] Upload* expired(model::Instant now) const;
    void expire(Upload& upload, UploadOutcomes& outcomes);

    [[nodiscard]] std::size_t waiting() const { return queue_.waiting(); }
    [[nodiscard]] bool empty() const { return queue_.empty(); }
    [[nodiscard]] unsigned running() const { return running_; }
    [[nodiscard]] std::optional<model::Instant> next_deadline() const { return queue_.next_deadline(); }
    [[nodiscard]] const DestinationHealth& health() const { return health_; }
    [[nodiscard]] const Suspects& suspects() const { return suspects_; }
    [[nodiscard]] const ConnectionLimit& connection_limit() const { return connections_; }
    /// Of those set aside, at most `most`.
    [[nodiscard]] std::vector<model::Uuid> set_aside_ids(std::size_t most) const;
    [[nodiscard]] std::size_t set_aside_count() const { return set_aside_.size(); }
    /// Changes when suspects() or the ids of those set aside do.
    [[nodiscard]] std::uint64_t version() const { return suspects_.version() + set_aside_version_; }

    // -- Which is next

    /// What is due by now becomes ready. When to look again: next_event().
    void wake(Time now) { queue_.wake(now); }
    /// When something changes by time alone, deadlines apart.
    [[nodiscard]] std::optional<Time> next_event(Time now) const;
    [[nodiscard]] bool may_begin(Time now) const;
    /// Whether one more connection may be made beside `open` others, those that connect included.
    [[nodiscard]] bool may_connect(unsigned open, Time now) const { return connections_.may_connect(open, now); }
    /// Null: none may go. After may_begin().
    [[nodiscard]] Upload* next(Time now, Ticket& ticket);
    /// Whether the ticket's attempt should still be made.
    [[nodiscard]] bool is_wanted(const Ticket& ticket) const {
        return !health_.held() && (health_.is_open() || ticket.probe);
    }
    /// Objects were put off for long, and none was delivered.
    [[nodiscard]] bool is_stalled(Time now) const;
    /// The LEA asks for the body. True when that opened the destination.
    bool asked_for_body(const Ticket& ticket);
    /// The LEA has not asked for it for as long as an answer may take: it is there all the same, and no probe waits for
    /// so long.
    void waits_long(const Ticket& ticket) { health_.answered(ticket); }

    // -- What came of it

    struct Attempt {
        Ticket ticket;
        UploadClass answer;
        bool proven = false;            ///< over a connection whose last exchange was a delivery
        bool fresh = false;             ///< over a new one
        bool closed_at_once = false;    ///< which was closed before anything was asked for or answered
        bool keeps_connection = false;  ///< the LEA keeps it open after its answer
        bool not_now = false;           ///< our own copy is not lost: it cannot be read at present
        std::uint64_t given = 0;        ///< bytes of the object that went
        Milliseconds took{};            ///< since they were asked for
        unsigned others = 0;            ///< other connections that are known to work
        unsigned busy = 0;              ///< of them, those with an upload on its way
        Time now;
        double dice = 0;  ///< uniform in [0, 1)
    };
    /// True when the object was delivered.
    bool settle(Upload& upload, const Attempt& attempt, UploadOutcomes& outcomes);
    /// Its URL is none that can be posted to.
    void unusable(Upload& upload, const Ticket& ticket, Time now, UploadOutcomes& outcomes);
    /// The store no longer has it to push.
    void gone(Upload& upload, const Ticket& ticket, Time now);
    /// It did not come to an attempt.
    void put_back(Upload& upload, const Ticket& ticket, Time now);

    // -- Operators and reloads

    /// Somebody wants to know how things are.
    void probe_now(Time now);
    /// A reload changed where or how to connect. What an LEA asked to wait for is waited for all the same.
    void other_end(Time now);
    void pause() { health_.pause(); }
    void resume(Time now);

  private:
    /// It runs no longer: before what it brought is settled. end() comes after that.
    void stop_running(const Upload& upload, const Ticket& ticket, Time now);
    void end(const Ticket& ticket, Time now) { health_.ended(ticket, now); }
    /// What the answer means for this object.
    [[nodiscard]] UploadOutcome outcome_for(const Upload& upload, const UploadClass& answer) const;
    /// The answer says that the LEA has it from an earlier attempt, whose answer was lost.
    [[nodiscard]] bool is_there_already(const Upload& upload, const UploadClass& answer) const;
    /// The upload came over the number of connections, or of uploads at once, that the LEA takes.
    [[nodiscard]] bool is_too_many(const Upload& upload, const Attempt& attempt);
    bool settle_answer(Upload& upload, const Attempt& attempt, UploadOutcomes& outcomes);
    void settle_delivered(Upload& upload, const Attempt& attempt);
    void settle_unwanted(Upload& upload, const Attempt& attempt, UploadOutcomes& outcomes);
    void settle_failed(Upload& upload, const Attempt& attempt, UploadOutcomes& outcomes);
    void settle_unconnected(Upload& upload, const Attempt& attempt);
    void settle_unreadable(Upload& upload, const Attempt& attempt, UploadOutcomes& outcomes);
    /// Counts what the attempt sent for nothing. How long its object is to rest for that.
    [[nodiscard]] Milliseconds waste(const Attempt& attempt, Upload& upload, UploadOutcomes& outcomes);
    void refuse(Upload& upload, store::Refusal refusal, UploadOutcomes& outcomes);
    void set_aside(Upload& upload, store::Refusal refusal, std::string_view why, const Attempt& attempt,
                   UploadOutcomes& outcomes);
    void rest_set_aside(Upload& upload, Milliseconds least, const Attempt& attempt);
    /// Not before the usual distance has passed, nor before `least`.
    void later(Upload& upload, Milliseconds least, const Attempt& attempt);
    void forget(Upload& upload);
    [[nodiscard]] Milliseconds patience(const UploadClass& answer) const;
    /// Whether one that is set aside may go beside what is ready.
    [[nodiscard]] bool may_try_set_aside(Time now) const;

    Policy policy_;
    UploadQueue queue_;
    DestinationHealth health_{DestinationHealth::Policy{}};
    ConnectionLimit connections_;
    Suspects suspects_;
    SetAsidePace aside_pace_;
    std::map<std::int64_t, model::Uuid> set_aside_;  ///< by Upload::number
    std::uint64_t set_aside_version_ = 0;
    unsigned running_ = 0;
    unsigned running_large_ = 0;
    unsigned running_again_ = 0;  ///< that were put off before
    std::size_t settling_ = 0;
    bool connections_last_ = true;  ///< the LEA keeps connections open after a delivery
    /// Whole bodies are taken and then not wanted: something before the LEA asks for them by itself. One large object
    /// at a time until one is delivered.
    bool front_buffers_ = false;
    /// A whole body was answered with something else than success: that all of an object was asked for does not mean
    /// that the LEA wants it.
    bool asked_in_vain_ = false;
    std::optional<Time> put_off_since_;  ///< since when objects were put off and none delivered
};

/// How many of so many connections large objects leave to small ones, and those that were put off to others.
[[nodiscard]] unsigned reserved_share(unsigned connections);

}  // namespace lihandover::delivery
