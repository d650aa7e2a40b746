#include "lihandover/delivery/delivery.hpp"

#include <utility>
#include <vector>

#include "dispatcher.hpp"

namespace lihandover::delivery {

model::Result<std::unique_ptr<Delivery>> Delivery::create(const boost::asio::any_io_executor& executor,
                                                          const Parts& parts, Settings settings) {
    auto targets = Dispatcher::plan(std::move(settings));
    if (!targets) {
        return std::move(targets).error();
    }
    auto dispatcher = Dispatcher::create(executor, parts);
    dispatcher->apply(std::move(*targets));
    return std::unique_ptr<Delivery>(new Delivery(std::move(dispatcher)));
}

Delivery::Delivery(std::shared_ptr<Dispatcher> dispatcher) : dispatcher_(std::move(dispatcher)) {}

Delivery::~Delivery() = default;

model::Status Delivery::start() {
    return dispatcher_->start();
}

boost::asio::awaitable<void> Delivery::stop(std::chrono::milliseconds grace) {
    return dispatcher_->stop(grace);
}

model::Status Delivery::reconfigure(Settings settings) {
    auto targets = Dispatcher::plan(std::move(settings));
    if (!targets) {
        return std::move(targets).error();
    }
    dispatcher_->post_targets(std::move(*targets));
    return {};
}

bool Delivery::probe_now(std::string_view destination) {
    return dispatcher_->post(destination, Dispatcher::Wish::probe);
}

bool Delivery::knows(std::string_view destination) const {
    return dispatcher_->knows(destination);
}

bool Delivery::pause(std::string_view destination) {
    return dispatcher_->post(destination, Dispatcher::Wish::pause);
}

bool Delivery::resume(std::string_view destination) {
    return dispatcher_->post(destination, Dispatcher::Wish::resume);
}

bool Delivery::store_commits() const {
    return dispatcher_->store_commits();
}

std::vector<DestinationStatus> Delivery::status() const {
    return dispatcher_->status();
}

void Delivery::backlog(const BacklogRequest& request, BacklogDone done) const {
    dispatcher_->post_backlog(request, std::move(done));
}

void Delivery::on_stored(std::span<store::StoredItem> items) noexcept {
    dispatcher_->outbox_events().stored(items);
}

void Delivery::on_queued(std::span<const store::QueuedItem> items, bool retried) noexcept {
    dispatcher_->outbox_events().queued(items, retried);
}

void Delivery::on_withdrawn(std::span<const store::QueuedItem> items) noexcept {
    dispatcher_->outbox_events().withdrawn(items);
}

void Delivery::on_lane_withdrawn(store::LaneId lane) noexcept {
    dispatcher_->outbox_events().lane_withdrawn(lane);
}

void Delivery::on_taken_over(std::span<const store::QueuedItem> items, bool set_aside) noexcept {
    dispatcher_->outbox_events().taken_over(items, set_aside);
}

void Delivery::on_lanes_lost(const store::LostLanes& lost) noexcept {
    dispatcher_->outbox_events().lanes_lost(lost);
}

void Delivery::on_health(bool can_commit) noexcept {
    dispatcher_->set_store_commits(can_commit);
}

void Delivery::on_prepared(std::span<const store::QueuedItem> items) noexcept {
    std::vector<ObjectEvent> events;
    events.reserve(items.size());
    for (const auto& item : items) {
        events.push_back({ObjectEvent::Kind::prepared, item, {}, {}, {}});
    }
    dispatcher_->object_events()->put(events);
}

void Delivery::on_uploads(std::span<const store::QueuedObject> objects) noexcept {
    std::vector<ObjectEvent> events;
    events.reserve(objects.size());
    for (const auto& object : objects) {
        events.push_back({ObjectEvent::Kind::upload, {}, object, {}, {}});
    }
    dispatcher_->object_events()->put(events);
}

void Delivery::on_taken_over(std::span<const store::QueuedObject> objects, bool set_aside) noexcept {
    std::vector<ObjectEvent> events;
    events.reserve(objects.size());
    const auto kind = set_aside ? ObjectEvent::Kind::set_aside_taken_over : ObjectEvent::Kind::taken_over;
    for (const auto& object : objects) {
        events.push_back({kind, {}, object, {}, {}});
    }
    dispatcher_->object_events()->put(events);
}

void Delivery::on_objects_lost(const store::LostLanes& lost) noexcept {
    dispatcher_->object_events()->put({ObjectEvent::Kind::lanes_lost, {}, {}, {}, lost});
}

void Delivery::on_uploads_withdrawn(std::span<const model::Uuid> objects) noexcept {
    std::vector<ObjectEvent> events;
    events.reserve(objects.size());
    for (const auto& id : objects) {
        ObjectEvent event{ObjectEvent::Kind::withdrawn, {}, {}, {}, {}};
        event.object.id = id;
        events.push_back(event);
    }
    dispatcher_->object_events()->put(events);
}

}  // namespace lihandover::delivery
