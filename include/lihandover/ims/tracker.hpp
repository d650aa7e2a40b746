#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "lihandover/ims/assembly.hpp"
#include "lihandover/ims/event.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::ims {

using Tasks = std::unordered_set<model::Uuid>;

/// Which way a copy went (TS 103 221-2, payload direction).
enum class Direction : std::uint8_t { unknown = 1, to_target = 2, from_target = 3, several = 4, not_applicable = 5 };

/// A copy of signalling or content, of one task, as a point of interception handed it over. Texts live as long as the
/// call that takes it.
struct Copy {
    model::Uuid xid;
    std::uint64_t correlation = 0;  ///< 0: not correlated
    enum class Kind : std::uint8_t { sip = 1, msrp = 2, mime = 3 } kind = Kind::sip;
    Direction direction = Direction::unknown;
    std::optional<model::Instant> at;  ///< when it was intercepted, as the point of interception says
    model::Instant received_at;        ///< by our clock; its events have this time where it has no other
    /// Matched target identifiers: the text of each, without the element around it.
    std::vector<std::string_view> matched;
    std::string_view mime_type;               ///< of kind mime
    std::string_view mime_transfer_encoding;  ///< of kind mime
    std::string_view sdp;                     ///< where a description came beside the payload
    std::string_view point;                   ///< the interception point's id; empty when absent
    std::string_view payload;
};

/// What taking a copy, or waiting, led to.
struct Made {
    enum class Outcome : std::uint8_t { event, no_event, repeat, malformed };
    Outcome outcome = Outcome::no_event;
    std::vector<MadeEvent> events;
    /// The copy just taken is needed to rebuild what this owner (a session, an unfinished message) is, should the
    /// process end: keep it, in the order of taking, until the owner is let go. 0: it is not needed.
    std::uint64_t kept_by = 0;
    /// The same where only parts of its payload are needed (frames of MSRP): each is kept as a copy of its own, with
    /// the same attributes, that part as its payload, and in this order. Payloads that hold frames of several messages
    /// are so each kept as long as they are needed, and none that is finished comes back.
    struct Part {
        std::uint64_t owner = 0;
        std::size_t first = 0;  ///< of the payload
        std::size_t size = 0;
        bool of_message = false;  ///< give_out_oldest() lets it go, sooner or later
    };
    std::vector<Part> kept_parts;
    std::vector<std::uint64_t> let_go;  ///< owners whose copies are not needed any more
    /// Phrases for the log, without values, each worth saying once per source.
    std::vector<std::string_view> remarks;

    void clear();
};

struct TrackerOptions {
    std::string service;                                               ///< Event::service of its events
    std::chrono::milliseconds partial_message_timeout{60'000};         ///< from the last chunk
    std::chrono::milliseconds session_idle{std::chrono::hours(24)};    ///< without a copy of it
    std::chrono::milliseconds session_limit{std::chrono::hours(168)};  ///< from its beginning
    std::size_t max_sessions = 200'000;                                ///< the one idle longest ends for another
    std::size_t max_text = std::size_t{1} << 20;                       ///< longer text is an object
    std::size_t in_memory = std::size_t{1} << 20;  ///< bytes of one unfinished message in memory, the rest spooled
    std::size_t memory = std::size_t{256} << 20;   ///< bytes of all unfinished messages in memory
};

/// Makes events of the copies that one source hands over (TS 24.247): page-mode
/// messages, sessions and what is said in them, conferences. Every task (XID) is apart from every other.
///
/// Deterministic: the same copies in the same order give the same events with the same ids, so that after a restart the
/// copies that were kept rebuild what was open, and what they make again is a repeat to the store.
///
/// One thread at a time. Blocks on the disk where messages are spooled.
class Tracker {
  public:
    using SteadyTime = std::chrono::steady_clock::time_point;

    Tracker(TrackerOptions options, Spools& spools);
    Tracker(const Tracker&) = delete;
    Tracker& operator=(const Tracker&) = delete;
    ~Tracker();

    /// `out` is emptied first. Fails only where a spool does: the copy was not taken as a whole, and may be again; what
    /// `out` has by then stands, and is not made again.
    [[nodiscard]] model::Status take(const Copy& copy, SteadyTime now, Made& out);
    /// What is due: messages that stayed incomplete, sessions that were idle. Call at due().
    [[nodiscard]] model::Status expire(SteadyTime now, Made& out);
    [[nodiscard]] std::optional<SteadyTime> due() const;
    /// Forgets tasks whose last warrant has gone: what is open of them ends without an event, and nothing that came
    /// makes what comes a repeat. The same copies make events with the same ids again. Costs a look at all that is
    /// open.
    void forget(const Tasks& tasks, SteadyTime now, Made& out);
    /// Makes room: lets go of what is only kept to recognise copies of other hops after a restart, and where there is
    /// no more of that, gives out, as it is, the unfinished message of which nothing has come for longest. False if
    /// there is none.
    [[nodiscard]] model::Result<bool> give_out_oldest(SteadyTime now, Made& out);

    /// Options of a reload; sessions that are open follow them.
    void set_options(TrackerOptions options);

    [[nodiscard]] std::size_t sessions() const;            ///< open now
    [[nodiscard]] std::uint64_t unfinished_bytes() const;  ///< of messages, in memory and spooled

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lihandover::ims
