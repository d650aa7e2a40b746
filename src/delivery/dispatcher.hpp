#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "destination_sender.hpp"
#include "expiry_stamps.hpp"
#include "item_loader.hpp"
#include "lihandover/base/task_group.hpp"
#include "lihandover/delivery/delivery.hpp"
#include "object_events.hpp"
#include "object_uploaders.hpp"
#include "outbox_events.hpp"
#include "outbox_writer.hpp"
#include "send_guard.hpp"
#include "target.hpp"

namespace lihandover::delivery {

/// The destinations, and what they share: takes the settings, brings what the store says to whose it is, starts and
/// stops. On the delivery thread, but for what says otherwise.
class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
  public:
    /// Settings taken apart and checked.
    using Targets = std::map<std::string, std::shared_ptr<const Target>, std::less<>>;
    [[nodiscard]] static model::Result<Targets> plan(Settings settings);

    [[nodiscard]] static std::shared_ptr<Dispatcher> create(const boost::asio::any_io_executor& executor,
                                                            const Parts& parts);
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;
    ~Dispatcher() = default;

    void apply(Targets targets);
    [[nodiscard]] model::Status start();
    boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

    // Any thread.
    [[nodiscard]] OutboxEvents& outbox_events() { return outbox_events_; }
    [[nodiscard]] const std::shared_ptr<ObjectEvents>& object_events() const { return object_events_; }
    void set_store_commits(bool commits) { guard_->set_store_commits(commits); }
    [[nodiscard]] bool store_commits() const { return guard_->store_commits(); }
    void post_targets(Targets targets);
    /// What an operator wants of a destination, on the delivery thread; false when there is none of that name.
    enum class Wish : std::uint8_t { probe, pause, resume };
    [[nodiscard]] bool post(std::string_view destination, Wish wish);
    [[nodiscard]] bool knows(std::string_view destination) const;
    [[nodiscard]] std::vector<DestinationStatus> status() const;
    /// As Delivery::backlog.
    void post_backlog(const BacklogRequest& request, BacklogDone done);

  private:
    Dispatcher(const boost::asio::any_io_executor& executor, const Parts& parts);
    void make_parts();

    void take(const OutboxEvents::Event& event, store::StoredItem* handed);
    void drain();
    void drain_objects();
    void look_again(const store::QueuedItem& item);
    /// The sender of the lane's destination; null when the lane is unknown.
    struct Place {
        std::shared_ptr<const store::Lane> lane;
        DestinationSender* sender = nullptr;
    };
    [[nodiscard]] Place place_of(store::LaneId id);
    [[nodiscard]] DestinationSender& sender(const std::string& name);
    [[nodiscard]] Backlog backlog(const BacklogRequest& request) const;
    /// Ends senders that are no longer configured and empty, once all that was made of items is on disk.
    void sweep();
    void forget(const std::string& name);
    /// An operator pauses it, or has: it may not be configured at present.
    void pause(const std::string& name, model::Instant since);
    void resume(const std::string& name);
    void post_sweep();
    void kick_all();

    boost::asio::any_io_executor executor_;
    Parts parts_;
    Targets targets_;
    OutboxEvents outbox_events_;
    std::shared_ptr<ObjectEvents> object_events_;
    base::TaskGroup tasks_;
    ItemLoader loader_;
    std::shared_ptr<SendGuard> guard_;
    std::shared_ptr<OutboxWriter> outbox_;
    std::shared_ptr<ExpiryStamps> stamps_;
    std::unique_ptr<ObjectUploaders> uploads_;
    std::map<std::string, std::shared_ptr<DestinationSender>, std::less<>> senders_;

    /// Written on the delivery thread only, with boards_mutex_ locked.
    std::map<std::string, model::Instant, std::less<>> paused_since_;
    mutable std::mutex boards_mutex_;
    std::map<std::string, std::shared_ptr<const StatusBoard>, std::less<>> boards_;
};

}  // namespace lihandover::delivery
