#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "destination_sender.hpp"
#include "expiry_stamps.hpp"
#include "item_loader.hpp"
#include "lane_scheduler.hpp"
#include "lihandover/delivery/delivery.hpp"
#include "lihandover/model/item.hpp"
#include "object_events.hpp"
#include "object_uploaders.hpp"

namespace lihandover::delivery {

/// What the destinations share: the store on both sides, the lanes by number, starting and stopping. On the delivery
/// thread, but for what says otherwise.
class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
  public:
    /// Acceptances handed to the store and not on disk yet. Beyond, nothing is sent until the store has caught up.
    static constexpr std::size_t max_uncommitted = 8'192;
    /// Of items that the store hands over whole, on their way to this thread. What is beyond is read back.
    static constexpr std::size_t max_handed_bytes = std::size_t{4} << 20;
    /// Lanes kept for what was seen of them; beyond, those without items are forgotten as they empty.
    static constexpr std::size_t max_idle_lanes = 16'384;

    Dispatcher(boost::asio::any_io_executor executor, Parts parts, std::unique_ptr<store::Reader> reader);
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;
    ~Dispatcher() = default;

    /// Settings taken apart and checked.
    struct Plan {
        std::map<std::string, std::shared_ptr<const Target>, std::less<>> targets;
        config::SchemaValidation validation{};
        std::shared_ptr<const handover::Validator> validator;
    };
    [[nodiscard]] static model::Result<Plan> plan(Settings settings);

    void apply(Plan plan);
    [[nodiscard]] model::Status start();
    boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

    // Any thread; stored() and queued() the store's writer alone.
    void stored(std::span<store::StoredItem> items);
    void queued(std::span<const store::QueuedItem> items, bool retried);
    void withdrawn(std::span<const store::QueuedItem> items);
    void health(bool can_commit);
    void post_plan(Plan plan);
    bool probe_now(std::string_view destination);
    [[nodiscard]] bool healthy() const { return healthy_; }
    [[nodiscard]] std::vector<DestinationStatus> status() const;

    // For the senders.
    [[nodiscard]] const boost::asio::any_io_executor& executor() const { return executor_; }
    [[nodiscard]] const model::Clock& clock() const { return parts_.clock; }
    [[nodiscard]] metrics::Metrics& metrics() const { return parts_.metrics; }
    [[nodiscard]] const boost::asio::any_io_executor& workers() const { return parts_.workers; }
    [[nodiscard]] ItemLoader& loader() { return loader_; }
    [[nodiscard]] store::Objects& objects() const { return parts_.store.objects(); }
    /// Any thread, and beyond the dispatcher's life.
    [[nodiscard]] const std::shared_ptr<ObjectEvents>& object_events() const { return object_events_; }
    [[nodiscard]] ExpiryStamps& stamps() { return stamps_; }
    [[nodiscard]] const config::SchemaValidation& validation() const { return plan_.validation; }
    [[nodiscard]] const std::shared_ptr<const handover::Validator>& validator() const { return plan_.validator; }
    /// For decoding, between two suspensions.
    [[nodiscard]] model::Share& share() { return share_; }
    [[nodiscard]] static const std::string& liid(const Lane& lane);
    [[nodiscard]] bool stopping() const { return stopping_; }
    /// Whether messages may begin. False: kick() comes when they may again.
    [[nodiscard]] bool may_send();
    void accept(const store::Acceptance& acceptance);
    /// The item is out of memory; should the store not take the refusal, it waits again.
    void refuse(const Lane& lane, store::RowId row, bool emergency, store::Refusal refusal);
    void lane_settled(Lane& lane);
    /// What is known of the item is out of date; its lane goes on where it was parked for it.
    void look_again(const store::QueuedItem& item);
    void kick_all();
    /// One that is leaving.
    void sender_emptied();
    void worker_began() { ++workers_running_; }
    void worker_ended();
    /// The store could not be read: nothing is sent for a moment.
    void read_failed(std::string_view destination, const model::Error& error);

  private:
    /// What the store's callbacks touch, on its writer thread and perhaps after the dispatcher is gone.
    struct Commits {
        std::atomic<std::size_t> open{0};  ///< acceptances and refusals on their way to the disk
        std::atomic<bool> starved{false};  ///< somebody waits for `open` to sink
        std::atomic<bool> sweeps{false};   ///< sweep() waits for `open` to be none
        std::atomic<bool> closed{false};   ///< stopped: nothing is posted any more
    };
    struct Event {
        enum class Kind : std::uint8_t { queued, retried, withdrawn };
        store::QueuedItem item;
        Kind kind{};
    };

    void hear(std::span<const store::QueuedItem> items, Event::Kind kind);
    void drain();
    void take(const Event& event, store::StoredItem* handed);
    [[nodiscard]] Lane* find_lane(store::LaneId id);
    [[nodiscard]] DestinationSender& sender(const std::string& name);
    /// Ends senders that are no longer configured and empty, once all that was made of items is on disk.
    void sweep();
    void forget(const DestinationSender& sender);
    void flush();
    void refusal_ended(store::Outcome outcome, store::LaneId id, store::RowId row, bool emergency);
    void drain_objects();
    /// Any thread.
    static void committed(const std::shared_ptr<Commits>& commits, const std::weak_ptr<Dispatcher>& dispatcher,
                          std::size_t count);

    boost::asio::any_io_executor executor_;
    Parts parts_;
    ItemLoader loader_;
    Plan plan_;
    model::Share share_;
    std::shared_ptr<ObjectEvents> object_events_;
    ExpiryStamps stamps_;
    ObjectUploaders uploads_;
    std::map<std::string, std::shared_ptr<DestinationSender>, std::less<>> senders_;
    std::unordered_map<store::LaneId, Lane> lanes_;
    std::vector<store::Acceptance> acceptances_;
    bool flush_posted_ = false;
    bool started_ = false;
    bool stopping_ = false;
    std::size_t workers_running_ = 0;
    std::vector<boost::asio::steady_timer*> stoppers_;
    boost::asio::steady_timer read_pause_;
    bool reads_off_ = false;

    std::atomic<bool> healthy_{true};
    std::shared_ptr<Commits> commits_;

    std::vector<store::StoredItem> announced_;  ///< on_queued() comes next for them; of the store's writer

    std::mutex incoming_mutex_;
    std::vector<Event> incoming_;
    std::vector<store::StoredItem> handed_;  ///< of some of the items in `incoming_`, in that order
    std::size_t handed_bytes_ = 0;
    bool drain_posted_ = false;

    std::vector<Event> draining_;
    std::vector<store::StoredItem> draining_items_;

    mutable std::mutex boards_mutex_;
    std::map<std::string, std::shared_ptr<const StatusBoard>, std::less<>> boards_;
};

}  // namespace lihandover::delivery
