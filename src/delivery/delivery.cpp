#include "lihandover/delivery/delivery.hpp"

#include <utility>
#include <vector>

#include "dispatcher.hpp"

namespace lihandover::delivery {

class Delivery::Impl : public Dispatcher {
  public:
    using Dispatcher::Dispatcher;
};

model::Result<std::unique_ptr<Delivery>> Delivery::create(const boost::asio::any_io_executor& executor,
                                                          const Parts& parts, Settings settings) {
    auto plan = Dispatcher::plan(std::move(settings));
    if (!plan) {
        return std::move(plan).error();
    }
    auto reader = parts.store.reader();
    if (!reader) {
        return std::move(reader).error();
    }
    auto impl = std::make_shared<Impl>(executor, parts, std::move(*reader));
    impl->apply(std::move(*plan));
    return std::unique_ptr<Delivery>(new Delivery(std::move(impl)));
}

Delivery::Delivery(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Delivery::~Delivery() = default;

model::Status Delivery::start() {
    return impl_->start();
}

boost::asio::awaitable<void> Delivery::stop(std::chrono::milliseconds grace) {
    return impl_->stop(grace);
}

model::Status Delivery::reconfigure(Settings settings) {
    auto plan = Dispatcher::plan(std::move(settings));
    if (!plan) {
        return std::move(plan).error();
    }
    impl_->post_plan(std::move(*plan));
    return {};
}

bool Delivery::probe_now(std::string_view destination) {
    return impl_->probe_now(destination);
}

bool Delivery::store_commits() const {
    return impl_->healthy();
}

std::vector<DestinationStatus> Delivery::status() const {
    return impl_->status();
}

void Delivery::on_stored(std::span<store::StoredItem> items) noexcept {
    impl_->stored(items);
}

void Delivery::on_queued(std::span<const store::QueuedItem> items, bool retried) noexcept {
    impl_->queued(items, retried);
}

void Delivery::on_withdrawn(std::span<const store::QueuedItem> items) noexcept {
    impl_->withdrawn(items);
}

void Delivery::on_health(bool can_commit) noexcept {
    impl_->health(can_commit);
}

void Delivery::on_prepared(std::span<const store::QueuedItem> items) noexcept {
    std::vector<ObjectEvent> events;
    events.reserve(items.size());
    for (const auto& item : items) {
        events.push_back({ObjectEvent::Kind::prepared, item, {}, {}});
    }
    impl_->object_events()->put(events);
}

void Delivery::on_uploads(std::span<const store::QueuedObject> objects) noexcept {
    std::vector<ObjectEvent> events;
    events.reserve(objects.size());
    for (const auto& object : objects) {
        events.push_back({ObjectEvent::Kind::upload, {}, object, {}});
    }
    impl_->object_events()->put(events);
}

void Delivery::on_uploads_withdrawn(std::span<const model::Uuid> objects) noexcept {
    std::vector<ObjectEvent> events;
    events.reserve(objects.size());
    for (const auto& id : objects) {
        ObjectEvent event{ObjectEvent::Kind::withdrawn, {}, {}, {}};
        event.object.id = id;
        events.push_back(event);
    }
    impl_->object_events()->put(events);
}

}  // namespace lihandover::delivery
