#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/config/configuration.hpp"
#include "lihandover/delivery/backlog.hpp"
#include "lihandover/delivery/status.hpp"
#include "lihandover/handover/validator.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/register.hpp"
#include "lihandover/store/uploads.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::delivery {

/// A destination as the configuration has it, with its TLS files read. Delivery looks at url, max_actions_per_message,
/// max_message_size, connections, timeout and retry of `options`; what the documents say comes from the items'
/// profiles.
struct Destination {
    std::string name;
    config::Destination options;
    /// Needed for an https URL, unused for http (which the configuration does not allow: for tests).
    std::shared_ptr<const tls::ClientContext> tls;
};

/// What a reload may change.
struct Settings {
    std::vector<Destination> destinations;
    config::SchemaValidation schema_validation = config::SchemaValidation::sample;
    /// Needed unless schema_validation is off.
    std::shared_ptr<const handover::Validator> validator;
    /// Whether the object server can be connected to. While not, items whose objects are fetched there (Model A) wait:
    /// else an LEA would have URLs of what nobody can fetch until it has expired.
    bool objects_served = true;
};

/// What Delivery works with. All of it outlives the Delivery and the last handler of its io_context; the store also
/// what still runs on `workers` (an upload that was cut may be in the middle of reading its object).
struct Parts {
    store::Outbox& outbox;
    store::UploadOutbox& uploads;
    store::Register& lanes;
    metrics::Metrics& metrics;
    const model::Clock& clock;
    /// Where documents are validated and binary objects unsealed: a thread pool's.
    boost::asio::any_io_executor workers;
};

/// Takes what the store holds for each destination there: in order per lane, side by side across lanes, over kept-alive
/// connections, and judges the answers (promises 2 to 4, 11; docs/delivery.md). Nothing
/// waits here that is not in the store: it keeps row numbers (at most 24 bytes per item) and reads items when their
/// turn comes.
///
/// An item with binary objects goes once they are there (until then its lane, and no other, waits) and their expiry is
/// stamped: at its first attempt, and once more at a later one when less than half of the lifetime is left. Its
/// acceptance says that it has objects; those of Model B come back through on_uploads and are pushed to their URLs
/// (TS 103 707 annex C), over connections of their own and never before their item was accepted. Their bytes are
/// unsealed on `workers`, a few hundred kilobytes ahead per upload. The answer to an object is waited for as long as
/// the destination's timeout and a second for each 10 MiB of it.
///
/// Works on the one thread that runs `executor`'s io_context (the executor must be an io_context's own), and reads the
/// store on that thread, the bytes of objects excepted. Members are called on that thread, or while it does not run,
/// unless said otherwise.
///
/// Counts the items' outcomes queued, retried, delivered and refused; rejected ones are an operator's doing and are
/// counted where they are decided. Destinations' attempts, bytes, latencies, validated documents and connections are
/// counted here too.
class Delivery final : public store::OutboxListener, public store::ObjectListener {
  public:
    /// Errors: an URL that http::parse_url refuses, a missing TLS context or validator, a store that cannot be read.
    [[nodiscard]] static model::Result<std::unique_ptr<Delivery>> create(const boost::asio::any_io_executor& executor,
                                                                         const Parts& parts, Settings settings);
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;
    /// Only when stop() has completed or start() was never called. Neither outbox may call it as a listener any more.
    ~Delivery() override;

    /// Reads what is queued, items and objects, and which destinations are paused, and begins. To be called once, with
    /// this object already set as the listener of both outboxes, so that nothing falls between. Blocks on the disk.
    [[nodiscard]] model::Status start();

    /// Begins nothing new, lets messages and uploads on their way finish for at most `grace`, then drops their
    /// connections, and completes when every worker has ended and all acceptances are handed to the store (whose stop()
    /// commits them). What was not answered stays in the store; an upload that was cut starts over after the next
    /// start. May be called twice.
    [[nodiscard]] boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

    /// Takes over new settings: at once for limits and times, at the next message for address and TLS. A destination
    /// that is missing ends when no item or object of it waits; while something does (the caller refuses such a
    /// configuration), it stays as it was. A paused destination whose URL or TLS changed is tried at once, but for one
    /// that was told to wait. Errors as
    /// create(), and then nothing changed. Thread-safe; takes effect in the order of the calls.
    [[nodiscard]] model::Status reconfigure(Settings settings);

    /// Tries a paused or backing-off destination, messages and uploads, now rather than at its time; one that is held
    /// or was told to wait stays as it is. False when there is no such destination. Thread-safe.
    bool probe_now(std::string_view destination);
    [[nodiscard]] bool knows(std::string_view destination) const;  ///< Thread-safe.
    /// Stops a destination, messages and uploads, until resume(); what is on its way finishes. Keeping it in the store,
    /// so that the next start() finds it, is the caller's. False when there is no such destination. Thread-safe.
    bool pause(std::string_view destination);
    /// Ends pause(), any other pause, and whatever the LEA asked to wait for, and tries at once. False when there is no
    /// such destination. Thread-safe.
    bool resume(std::string_view destination);

    /// Whether the store can commit, as on_health last said; true before. Thread-safe.
    [[nodiscard]] bool store_commits() const;

    /// In order of names. Thread-safe.
    [[nodiscard]] std::vector<DestinationStatus> status() const;

    /// The LIIDs with the largest backlog. Looks at every lane, which takes the delivery thread some milliseconds for a
    /// hundred thousand of them; at none of their items. `done` is called on that thread, once. Thread-safe.
    void backlog(const BacklogRequest& request, BacklogDone done) const;

    // store::OutboxListener: called by the store's writer, hands over to the thread in bursts.
    void on_stored(std::span<store::StoredItem> items) noexcept override;
    void on_queued(std::span<const store::QueuedItem> items, bool retried) noexcept override;
    void on_withdrawn(std::span<const store::QueuedItem> items) noexcept override;
    void on_lane_withdrawn(store::LaneId lane) noexcept override;
    void on_taken_over(std::span<const store::QueuedItem> items, bool set_aside) noexcept override;
    void on_lanes_lost(const store::LostLanes& lost) noexcept override;
    void on_health(bool can_commit) noexcept override;

    // store::ObjectListener: the same.
    void on_prepared(std::span<const store::QueuedItem> items) noexcept override;
    void on_uploads(std::span<const store::QueuedObject> objects) noexcept override;
    void on_uploads_withdrawn(std::span<const model::Uuid> objects) noexcept override;
    void on_taken_over(std::span<const store::QueuedObject> objects, bool set_aside) noexcept override;
    void on_objects_lost(const store::LostLanes& lost) noexcept override;

  private:
    explicit Delivery(std::shared_ptr<class Dispatcher> dispatcher);
    std::shared_ptr<class Dispatcher> dispatcher_;
};

}  // namespace lihandover::delivery
