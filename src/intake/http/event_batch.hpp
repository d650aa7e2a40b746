#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/answers.hpp"
#include "http/body_format.hpp"
#include "http/event_lines.hpp"
#include "http/pending_uploads.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/intake/http/event_parser.hpp"
#include "lihandover/intake/pipeline/pipeline.hpp"
#include "lihandover/metrics/metrics.hpp"

namespace lihandover::intake {

/// What the batches of one listener work with; all of it outlives them.
struct BatchParts {
    Pipeline& pipeline;
    PendingUploads& uploads;
    const metrics::SourceMetrics& metrics;
    boost::asio::any_io_executor workers;    ///< where blocking calls run
    boost::asio::any_io_executor examiners;  ///< and where named files are examined
    const std::string* attachment_root;      ///< null: no files can be named
    // Shared by all batches, and used within one slice only: nothing is allocated for an event under no warrant.
    EventParser& parser;
    model::Event& event;
};

/// The events of one request's body: reads them, passes them to the pipeline, and makes the answer from their outcomes.
/// Works in slices, between which the thread serves others.
class EventBatch {
  public:
    /// `body` outlives it, with room after it as EventParser needs.
    EventBatch(const BatchParts& parts, std::string_view body, BodyFormat format);

    [[nodiscard]] bool empty() const { return lines_.done(); }
    /// Call it once. Every group of events is durable before the next starts.
    [[nodiscard]] boost::asio::awaitable<http::Response> take_in();
    /// Nobody waits for the answer any more: nothing starts after what is under way.
    void abandon() { abandoned_ = true; }

  private:
    /// What there was before the group's first event.
    struct Before {
        EventLines lines;
        std::uint64_t accepted = 0;
        std::uint64_t refused = 0;
        std::size_t listed = 0;
        std::size_t inline_objects = 0;
        bool malformed = false;
        bool too_large = false;
    };

    struct Times {
        model::Instant received_at;
        model::Instant trusted_at;
        bool clock_trusted = true;
    };

    [[nodiscard]] Moment now();
    void begin_group();
    /// Goes back to the group's first event, once it can be matched with the warrants that count by now. False if
    /// nobody waits for that any more, or it was tried too often.
    [[nodiscard]] boost::asio::awaitable<bool> rewind();
    /// Whether the last event was read before.
    [[nodiscard]] bool comes_again() const { return lines_.number() <= again_upto_; }
    /// Takes some events, without yielding the thread. Ends early at an event with attachments, which it leaves in
    /// `attached`. False if the whole request has to be sent again.
    [[nodiscard]] bool take_slice(std::string_view& attached);
    /// Takes one event with attachments, which was read without a fault. False as above.
    [[nodiscard]] boost::asio::awaitable<bool> take_attached(std::string_view line);
    /// False if it is not the source's mistake.
    [[nodiscard]] bool refuse(Fault fault, const Moment& moment);
    /// Whether it is known when the event happened. If not, the whole request has to be sent again.
    [[nodiscard]] bool has_time(const model::Event& event, const Moment& moment);
    [[nodiscard]] unsigned status_if_refused() const;
    [[nodiscard]] http::Response unavailable() const;
    [[nodiscard]] http::Response too_many_objects() const;

    BatchParts parts_;
    EventLines lines_;
    BodyFormat format_;
    Group group_;
    /// Uploaded objects that events of the group name.
    PendingUploads::Claims claims_;
    Tally tally_;
    bool malformed_ = false;
    bool too_large_ = false;
    std::size_t inline_objects_ = 0;  ///< that the events so far carry
    bool too_many_objects_ = false;
    bool abandoned_ = false;
    Before before_group_{lines_};
    std::optional<Times> group_began_;
    std::size_t rewinds_ = 0;       ///< of the group
    std::uint64_t again_upto_ = 0;  ///< lines up to this one were read before
};

}  // namespace lihandover::intake
