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

#include "destination_uploads.hpp"
#include "health_report.hpp"
#include "lihandover/base/task_group.hpp"
#include "lihandover/http/client.hpp"
#include "object_events.hpp"
#include "open_connection.hpp"
#include "outbox_writer.hpp"
#include "send_guard.hpp"
#include "status_board.hpp"
#include "target.hpp"
#include "upload_classifier.hpp"
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

/// Pushes binary objects to one destination (TS 103 707 annex C, Model B): connections of its own, so that messages and
/// uploads do not wait for each other. What goes next and what follows from an answer is for its DestinationUploads to
/// say. Everything on the delivery thread. Kept alive by its uploads' coroutines.
///
/// Nothing here needs to survive: an upload is done when the store has committed UploadOutbox::pushed, and until then
/// it starts over from the first byte, at the same URL.
class ObjectUploader : public std::enable_shared_from_this<ObjectUploader>, private UploadOutcomes {
  public:
    ObjectUploader(UploaderParts parts, std::string name);
    ObjectUploader(const ObjectUploader&) = delete;
    ObjectUploader& operator=(const ObjectUploader&) = delete;
    ~ObjectUploader() override;

    [[nodiscard]] std::shared_ptr<const StatusBoard> board() const { return board_; }

    /// The settings from now on. Without any, objects only wait and expire.
    void configure(std::shared_ptr<const Target> target);
    /// Not configured any more: goes on until it is empty, and says so then.
    void leave() { leaving_ = true; }
    /// Nothing waits, runs, or is on its way into the store.
    [[nodiscard]] bool is_empty() const { return uploads_.empty(); }
    /// Ends what is idle; nothing begins any more.
    void retire();

    void add(const store::QueuedObject& object, bool set_aside) { uploads_.add(object, set_aside); }
    /// As add(), of a lane that this process has taken over.
    void take_over(const store::QueuedObject& object, bool set_aside) { uploads_.take_over(object, set_aside); }
    /// Of lanes that this process holds no longer: what is on its way is cut.
    void lose(const store::LostLanes& lost);
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
        Upload* upload = nullptr;              ///< null: idle
        UploadSource* source = nullptr;        ///< while its bytes may be asked for
        std::uint64_t given = 0;               ///< bytes that the last exchange sent
        Time wanted_at;                        ///< when the body was asked for
        bool asked = false;                    ///< the LEA has asked for the body of `upload`
        bool body_wanted = false;              ///< the same, or there is none to wait for
        bool too_slow = false;                 ///< the LEA took too little of it, and so it was cut
        std::shared_ptr<const Target> target;  ///< what `connection` was made with, or is to be made with

        [[nodiscard]] bool is_open() const { return connection && connection->is_open(); }
        /// It leads to an LEA that takes uploads, as far as that is known.
        [[nodiscard]] bool works() const { return is_open() && (proven || asked); }
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
        DestinationUploads::Attempt attempt;       ///< if classified
        model::Uuid item;                          ///< for the log
        std::optional<model::Instant> item_taken;  ///< when its item was accepted
    };

    static boost::asio::awaitable<void> run(std::shared_ptr<ObjectUploader> self, Slot* slot, Ticket ticket);
    boost::asio::awaitable<Ended> attempt(Slot& slot, Ticket ticket);
    boost::asio::awaitable<void> send(Slot& slot, Ticket ticket, const store::StoredObject& object,
                                      const http::Url& url, Ended& ended);
    boost::asio::awaitable<http::ClientResult<void>> connect(Slot& slot, const http::Url& url);
    boost::asio::awaitable<http::ClientResult<http::ExpectOutcome>> post(Slot& slot, const store::StoredObject& object,
                                                                         const http::Url& url, Ticket ticket);
    void classify(const Slot& slot, const http::ExpectOutcome& outcome, Ended& ended) const;
    void classify(const Slot& slot, const http::Failure& failure, Ended& ended) const;
    [[nodiscard]] std::shared_ptr<http::Connector> connector_to(const Target& target, const http::Url& url);
    [[nodiscard]] Milliseconds continue_timeout(const Slot& slot, const Ticket& ticket) const;
    [[nodiscard]] bool may_send() const;
    [[nodiscard]] bool may_go_on(const Slot& slot, const Ticket& ticket);
    /// Whether the upload's lane is this process's to send; where it has lapsed, nothing begins for a moment.
    [[nodiscard]] bool is_held(const Upload& upload);

    [[nodiscard]] bool begin_one(Time now);
    /// An idle one: one with an open connection, if there is one. Null where none is idle.
    [[nodiscard]] Slot* idle_slot() const;
    /// Slots that have a connection or are to get one.
    [[nodiscard]] unsigned connections() const;
    /// Connections that work, but that of one slot.
    ///   busy  only those with an upload on its way
    [[nodiscard]] unsigned working(const Slot& but, bool busy) const;
    void drop_connection(Slot& slot);
    /// The body is asked for.
    void wanted(Slot& slot, const Ticket& ticket);
    /// It has not been asked for all the time that an answer may take.
    void waits_long(const Ticket& ticket);
    void finish(Slot& slot, const Ticket& ticket, Ended ended);
    void settle(Slot& slot, Upload& upload, Ended& ended);
    void expire();
    [[nodiscard]] store::Done settled_event(const Upload& upload) const;
    void left();

    // UploadOutcomes
    void delivered(const Upload& upload, bool already_there) override;
    void refused(const Upload& upload, store::Refusal refusal) override;
    void set_aside(const Upload& upload, store::Refusal refusal, std::string_view why) override;
    void suspected(const Upload& upload) override;
    void count(metrics::Upload outcome) override { metrics_.uploads(outcome).add(); }
    void wasted(std::uint64_t bytes) override { board_->wasted_bytes.fetch_add(bytes, std::memory_order_relaxed); }

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
    Time lapsed_until_ = Time::min();  ///< nothing begins before

    DestinationUploads uploads_;
    HealthReport report_;
    std::uint64_t published_ = 0;
    std::shared_ptr<Pump> pump_;
    std::vector<std::unique_ptr<Slot>> slots_;

    WakeTimer wake_timer_;
};

}  // namespace lihandover::delivery
