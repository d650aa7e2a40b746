#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "destination_health.hpp"
#include "health_report.hpp"
#include "lihandover/base/task_group.hpp"
#include "lihandover/http/client.hpp"
#include "object_events.hpp"
#include "open_connection.hpp"
#include "outbox_writer.hpp"
#include "send_guard.hpp"
#include "status_board.hpp"
#include "suspects.hpp"
#include "target.hpp"
#include "upload_classifier.hpp"
#include "upload_queue.hpp"
#include "upload_source.hpp"
#include "wake_timer.hpp"

namespace lihandover::delivery {

/// What uploaders work with. All of it outlives the tasks.
struct UploaderParts {
    boost::asio::any_io_executor executor;
    boost::asio::any_io_executor workers;  ///< for unsealing
    const model::Clock& clock;
    metrics::Metrics& metrics;
    base::TaskGroup& tasks;
    SendGuard& guard;
    OutboxWriter& outbox;
    store::UploadOutbox& objects;
    std::shared_ptr<ObjectEvents> events;
    /// Called when one that is leaving has become empty.
    std::function<void()> emptied;
};

/// Pushes binary objects to one destination (TS 103 707 annex C, Model B): what waits, a health of its own, and
/// connections of its own, so that messages and uploads do not wait for each other. Everything on the delivery thread.
/// Kept alive by its uploads' coroutines.
///
/// Nothing here needs to survive: an upload is done when the store has committed UploadOutbox::pushed, and until then
/// it starts over from the first byte, at the same URL.
class ObjectUploader : public std::enable_shared_from_this<ObjectUploader> {
  public:
    ObjectUploader(UploaderParts parts, std::string name);
    ObjectUploader(const ObjectUploader&) = delete;
    ObjectUploader& operator=(const ObjectUploader&) = delete;
    ~ObjectUploader();

    [[nodiscard]] std::shared_ptr<const StatusBoard> board() const { return board_; }

    /// The settings from now on. Without any, objects only wait and expire.
    void configure(std::shared_ptr<const Target> target);
    /// Not configured any more: goes on until it is empty, and says so then.
    void leave() { leaving_ = true; }
    /// Nothing waits, runs, or is on its way into the store.
    [[nodiscard]] bool is_empty() const { return queue_.empty(); }
    /// Ends what is idle; nothing begins any more.
    void retire();

    void add(const store::QueuedObject& object, bool set_aside);
    /// False when it is not known here.
    bool withdraw(const model::Uuid& object);
    /// The store's answer to pushed or refused.
    void settled(const model::Uuid& object, store::Outcome outcome);
    /// Begins what can begin. To be called after anything changed; cheap.
    void kick();
    void probe_now();
    void pause();
    void resume();
    /// What is on its way ends now.
    ///   waiting  only what has sent nothing of its object yet
    void cut(bool waiting);

    /// How many of so many connections large objects leave to small ones.
    [[nodiscard]] static unsigned reserved(unsigned connections);

  private:
    using Time = model::Clock::SteadyTime;
    using Milliseconds = std::chrono::milliseconds;

    /// A connection and the upload on it.
    struct Slot {
        std::optional<http::Connection> connection;
        http::Url origin;              ///< of `connection`
        std::uint64_t generation = 0;  ///< the uploader's when `connection` was made
        bool proven = false;           ///< the last exchange on `connection` was a delivery
        OpenConnection counted;
        Time idle_since;
        Upload* upload = nullptr;        ///< null: idle
        UploadSource* source = nullptr;  ///< while its bytes may be asked for
        std::uint64_t given = 0;         ///< bytes that the last exchange sent
        Time wanted_at;                  ///< when the body was asked for
        bool too_slow = false;           ///< the LEA took too little of it, and so it was cut
        bool body_wanted = false;        ///< the LEA has asked for the body of `upload`, or there is none to wait for
        std::shared_ptr<const Target> target;  ///< what `connection` was made with, or is to be made with
    };
    /// How an attempt ended.
    struct Ended {
        enum class Kind : std::uint8_t {
            classified,
            gone,      ///< the store no longer has it to push
            unusable,  ///< its URL is none that can be posted to
            put_back,  ///< it did not come to an attempt
        };
        Kind kind = Kind::put_back;
        UploadClass answer;
        model::Uuid item;                          ///< for the log
        std::optional<model::Instant> item_taken;  ///< when its item was accepted
        bool proven = false;                       ///< over a connection that had just worked
    };

    static boost::asio::awaitable<void> run(std::shared_ptr<ObjectUploader> self, Slot* slot, Ticket ticket);
    boost::asio::awaitable<Ended> attempt(Slot& slot, Ticket ticket);
    boost::asio::awaitable<void> send(Slot& slot, Ticket ticket, const store::StoredObject& object,
                                      const http::Url& url, Ended& ended);
    boost::asio::awaitable<http::ClientResult<void>> connect(Slot& slot, const http::Url& url);
    boost::asio::awaitable<http::ClientResult<http::ExpectOutcome>> post(Slot& slot, const store::StoredObject& object,
                                                                         const http::Url& url, Ticket ticket);
    [[nodiscard]] std::shared_ptr<http::Connector> connector_to(const Target& target, const http::Url& url);
    [[nodiscard]] Milliseconds continue_timeout(const Slot& slot, const Ticket& ticket) const;
    [[nodiscard]] bool may_send() const;
    /// Objects were put off for long, and none was delivered.
    [[nodiscard]] bool is_stalled() const;
    [[nodiscard]] bool may_go_on(const Slot& slot, const Ticket& ticket) const;

    [[nodiscard]] bool begin_one(Time now);
    [[nodiscard]] bool may_probe_early(Time at) const;
    [[nodiscard]] Upload* next_upload();
    [[nodiscard]] Slot& idle_slot();
    [[nodiscard]] bool has_standing_connection() const;
    void drop_connection(Slot& slot);
    /// The body is asked for.
    void wanted(Slot& slot, const Ticket& ticket);
    /// It has not been asked for all the time that an answer may take: the LEA is there all the same.
    void waits_long(const Ticket& ticket);
    void finish(Slot& slot, const Ticket& ticket, const Ended& ended);
    void settle(Slot& slot, Upload& upload, const Ticket& ticket, const Ended& ended);
    /// What the answer means for this object.
    [[nodiscard]] UploadOutcome outcome_for(const Upload& upload, const UploadClass& answer) const;
    /// The answer says that the LEA has it from an earlier attempt, whose answer was lost.
    [[nodiscard]] bool is_there_already(const Upload& upload, const UploadClass& answer) const;
    void settle_failed(Slot& slot, Upload& upload, const Ticket& ticket, const Ended& ended);
    void settle_unwanted(Slot& slot, Upload& upload, const Ticket& ticket, const UploadClass& answer);
    void settle_unreadable(Upload& upload, const Ticket& ticket, const Ended& ended);
    /// Counts what the last exchange sent for nothing. How long its object is to rest for that.
    [[nodiscard]] Milliseconds waste(const Slot& slot, Upload& upload, const UploadClass& answer);
    void accepted(Upload& upload, const Ticket& ticket, const Ended& ended);
    void refuse(Upload& upload, store::Refusal refusal);
    ///   why  for the log
    void set_aside(Upload& upload, store::Refusal refusal, std::string_view why);
    void rest_set_aside(Upload& upload, Milliseconds least);
    void forget(Upload& upload);
    /// Not before the usual distance has passed, nor before `least`.
    void later(Upload& upload, Milliseconds least);
    void expire();
    [[nodiscard]] Milliseconds patience(const UploadClass& answer) const;
    [[nodiscard]] config::Retry retry() const;
    [[nodiscard]] store::Done settled_event(const Upload& upload) const;
    void left();

    void close_idle(Time now);
    /// Cuts uploads of which the LEA takes next to nothing: each keeps a connection from all others.
    void cut_slow();
    void arm(Time now);
    void publish();
    void sync_connection(Slot& slot);
    [[nodiscard]] Time now() const { return parts_.clock.steady(); }

    UploaderParts parts_;
    std::string name_;
    const metrics::DestinationMetrics& metrics_;
    std::shared_ptr<StatusBoard> board_;
    std::shared_ptr<const Target> target_;
    std::uint64_t generation_ = 0;                                                     ///< of TLS and times
    std::map<std::string, std::shared_ptr<http::Connector>, std::less<>> connectors_;  ///< by scheme, host and port
    bool retired_ = false;
    bool leaving_ = false;
    bool kicking_ = false;
    bool connections_last_ = true;  ///< the LEA keeps connections open after a delivery

    UploadQueue queue_;
    DestinationHealth health_;
    HealthReport report_;
    Suspects suspects_;
    std::map<std::int64_t, model::Uuid> set_aside_;  ///< by Upload::number
    std::uint64_t set_aside_version_ = 0;
    std::uint64_t published_ = 0;
    std::shared_ptr<Pump> pump_;
    std::vector<std::unique_ptr<Slot>> slots_;
    unsigned running_ = 0;
    unsigned running_large_ = 0;
    std::size_t settling_ = 0;
    /// Whole bodies are taken and then not wanted: something before the LEA asks for them by itself. One large object
    /// at a time until one is delivered.
    bool front_buffers_ = false;
    /// A whole body was answered with something else than success: that all of an object was asked for does not mean
    /// that the LEA wants it.
    bool asked_in_vain_ = false;
    std::optional<Time> put_off_since_;  ///< since when objects were put off and none delivered

    WakeTimer wake_timer_;
};

}  // namespace lihandover::delivery
