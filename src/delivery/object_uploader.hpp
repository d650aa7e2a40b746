#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "destination_health.hpp"
#include "destination_sender.hpp"
#include "health_report.hpp"
#include "lihandover/http/client.hpp"
#include "open_connection.hpp"
#include "status_board.hpp"
#include "upload_classifier.hpp"
#include "upload_queue.hpp"
#include "upload_source.hpp"
#include "wake_timer.hpp"

namespace lihandover::delivery {

/// Pushes binary objects to one destination (TS 103 707 annex C, Model B): what waits, a gate of its own, and
/// connections of its own, so that messages and uploads do not wait for each other. Everything on the delivery thread.
/// Kept alive by its uploads' coroutines.
///
/// Nothing here needs to survive: an upload is done when the store has committed Objects::pushed, and until then it
/// starts over from the first byte, at the same URL.
class ObjectUploader : public std::enable_shared_from_this<ObjectUploader> {
  public:
    ObjectUploader(Dispatcher& dispatcher, std::string name);
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

    void add(const store::QueuedObject& object) { queue_.add(object); }
    /// False when it is not known here.
    bool withdraw(const model::Uuid& object);
    /// The store's answer to pushed or refused.
    void settled(const model::Uuid& object, store::Outcome outcome);
    /// Begins what can begin. To be called after anything changed; cheap.
    void kick();
    void probe_now();
    /// What is on its way ends now.
    ///   waiting  only what has sent nothing of its object yet
    void cut(bool waiting);

    /// How many of so many connections large objects leave to small ones.
    [[nodiscard]] static unsigned reserved(unsigned connections);

  private:
    /// A connection and the upload on it.
    struct Slot {
        std::optional<http::Connection> connection;
        http::Url origin;              ///< of `connection`
        std::uint64_t generation = 0;  ///< the uploader's when `connection` was made
        OpenConnection counted;
        DestinationHealth::Time idle_since;
        Upload* upload = nullptr;        ///< null: idle
        UploadSource* source = nullptr;  ///< while its bytes may be asked for
        std::uint64_t given = 0;         ///< bytes that the last exchange sent
        bool body_wanted = false;        ///< the LEA has asked for the body of `upload`, or there is none to wait for
        std::shared_ptr<const Target> target;
    };
    /// How an attempt ended.
    struct Ended {
        enum class Kind : std::uint8_t {
            judged,
            gone,      ///< the store no longer has it to push
            unusable,  ///< its URL is none that can be posted to
            put_back,  ///< it did not come to an attempt
        };
        Kind kind = Kind::put_back;
        UploadClass verdict;
        model::Uuid item;                          ///< for the log
        std::optional<model::Instant> item_taken;  ///< when its item was accepted
    };

    static boost::asio::awaitable<void> run(std::shared_ptr<Dispatcher> dispatcher,
                                            std::shared_ptr<ObjectUploader> self, Slot* slot, Ticket ticket);
    boost::asio::awaitable<Ended> attempt(Slot& slot, Ticket ticket);
    boost::asio::awaitable<http::ClientResult<void>> connect(Slot& slot, const http::Url& url);
    boost::asio::awaitable<http::ClientResult<http::ExpectOutcome>> post(Slot& slot, const store::StoredObject& object,
                                                                         const http::Url& url, Ticket ticket);
    std::shared_ptr<http::Connector> connector_to(const Target& target, const http::Url& url);
    [[nodiscard]] std::chrono::milliseconds continue_timeout(const Slot& slot, const Ticket& ticket) const;
    [[nodiscard]] bool may_go_on(const Slot& slot, const Ticket& ticket) const;

    [[nodiscard]] bool begin_one(DestinationHealth::Time now);
    [[nodiscard]] Slot& idle_slot();
    /// The body is asked for.
    void wanted(Slot& slot, const Ticket& ticket);
    /// It has not been asked for all the time that an answer may take: the LEA is there all the same.
    void waits_long(const Ticket& ticket);
    void finish(Slot& slot, const Ticket& ticket, const Ended& ended);
    void settle(Upload& upload, const Ticket& ticket, const Ended& ended);
    void delivered(Upload& upload, const Ended& ended);
    void refused(Upload& upload, const Ticket& ticket, const UploadClass& verdict);
    void refuse(Upload& upload, store::Refusal refusal);
    void later(Upload& upload, const UploadClass& verdict);
    void expire();

    void close_idle(DestinationHealth::Time now);
    void arm(DestinationHealth::Time now);
    void publish();
    void sync_connection(Slot& slot);

    Dispatcher& dispatcher_;
    std::string name_;
    const metrics::DestinationMetrics& metrics_;
    std::shared_ptr<StatusBoard> board_;
    std::shared_ptr<const Target> target_;
    std::uint64_t generation_ = 0;                                        ///< of TLS and times
    std::map<std::string, std::shared_ptr<http::Connector>> connectors_;  ///< by origin, of this generation
    bool retired_ = false;
    bool leaving_ = false;
    bool kicking_ = false;

    UploadQueue queue_;
    DestinationHealth health_;
    HealthReport report_;
    std::shared_ptr<Pump> pump_;
    std::vector<std::unique_ptr<Slot>> slots_;
    unsigned running_ = 0;
    unsigned running_large_ = 0;
    std::size_t settling_ = 0;

    WakeTimer wake_timer_;
};

}  // namespace lihandover::delivery
