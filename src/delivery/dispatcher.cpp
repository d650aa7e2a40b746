#include "dispatcher.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "backlog_ranking.hpp"
#include "connector_settings.hpp"

namespace lihandover::delivery {

namespace asio = boost::asio;

Dispatcher::Dispatcher(const asio::any_io_executor& executor, const Parts& parts)
    : executor_(executor),
      parts_(parts),
      object_events_(std::make_shared<ObjectEvents>()),
      tasks_(executor),
      loader_(parts.outbox, parts.lanes) {}

std::shared_ptr<Dispatcher> Dispatcher::create(const asio::any_io_executor& executor, const Parts& parts) {
    std::shared_ptr<Dispatcher> made(new Dispatcher(executor, parts));
    made->make_parts();
    return made;
}

void Dispatcher::make_parts() {
    // What these call may come after the dispatcher has gone.
    const auto weakly = [weak = weak_from_this()](auto call) {
        return [weak, call](const auto&... arguments) {
            if (const auto self = weak.lock()) {
                call(*self, arguments...);
            }
        };
    };
    const auto kick = weakly([](Dispatcher& self) { self.kick_all(); });
    const auto swept = weakly([](Dispatcher& self) { self.sweep(); });
    guard_ = std::make_shared<SendGuard>(executor_, parts_.outbox, parts_.clock, kick);
    outbox_ = std::make_shared<OutboxWriter>(executor_, parts_.outbox, kick, swept);
    stamps_ = std::make_shared<ExpiryStamps>(
        executor_, parts_.clock, parts_.outbox, object_events_,
        weakly([](Dispatcher& self, const store::QueuedItem& item) { self.look_again(item); }));
    uploads_ = std::make_unique<ObjectUploaders>(
        UploaderParts{executor_, parts_.workers, parts_.clock, parts_.metrics, tasks_, *guard_, *outbox_,
                      parts_.uploads, object_events_, weakly([](Dispatcher& self) { self.post_sweep(); })});
}

// -- Settings ---------------------------------------------------------------------------------------------------------

model::Result<Dispatcher::Targets> Dispatcher::plan(Settings settings) {
    Targets targets;
    if (settings.schema_validation != config::SchemaValidation::off && !settings.validator) {
        return model::Error{"schema validation is on, but no schemas are loaded"};
    }
    for (auto& destination : settings.destinations) {
        const auto where = "destination " + destination.name + ": ";
        auto connection = connector_settings(destination);
        if (!connection) {
            return model::prefixed(where, std::move(connection).error());
        }
        auto target = std::make_shared<Target>();
        target->urls = std::move(connection->urls);
        target->connection = std::move(connection->options);
        target->validation = settings.schema_validation;
        target->validator = settings.validator;
        target->objects_served = settings.objects_served;
        target->destination = std::move(destination);
        auto name = target->destination.name;
        if (!targets.emplace(std::move(name), std::move(target)).second) {
            return model::Error{where + "named twice"};
        }
    }
    return targets;
}

void Dispatcher::apply(Targets targets) {
    targets_ = std::move(targets);
    for (const auto& [name, target] : targets_) {
        uploads_->configure(name, target);
        sender(name).configure(target);
    }
    if (guard_->started()) {  // before, nobody knows what waits
        sweep();
    }
}

void Dispatcher::sweep() {
    if (std::ranges::all_of(senders_, [this](const auto& entry) { return targets_.contains(entry.first); })) {
        return;
    }
    // An acceptance brings objects to push once it is on disk, and a refusal may bring its item back.
    if (!outbox_->is_idle()) {
        return;  // it comes again
    }
    drain();  // what those brought was heard of before they ended
    drain_objects();
    std::erase_if(senders_, [this](const auto& entry) {
        auto& one = *entry.second;
        if (targets_.contains(entry.first)) {
            return false;
        }
        if (!one.is_empty() || !uploads_->is_empty(entry.first)) {
            one.leave();
            uploads_->leave(entry.first);
            return false;
        }
        forget(entry.first);
        one.retire();
        uploads_->forget(entry.first);
        return true;
    });
}

void Dispatcher::post_sweep() {
    asio::post(executor_, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
            self->sweep();
        }
    });
}

DestinationSender& Dispatcher::sender(const std::string& name) {
    const auto found = senders_.find(name);
    if (found != senders_.end()) {
        return *found->second;
    }
    auto made = std::make_shared<DestinationSender>(SenderParts{executor_, parts_.workers, parts_.clock, parts_.metrics,
                                                                tasks_, *guard_, *outbox_, loader_, *stamps_,
                                                                [weak = weak_from_this()] {
                                                                    if (const auto self = weak.lock()) {
                                                                        self->post_sweep();
                                                                    }
                                                                }},
                                                    name);
    {
        const std::lock_guard lock(boards_mutex_);
        boards_.emplace(name, made->board());
    }
    auto& added = *senders_.emplace(name, std::move(made)).first->second;
    if (paused_since_.contains(name)) {
        added.pause();
        uploads_->pause(name);
    }
    return added;
}

void Dispatcher::pause(const std::string& name, model::Instant since) {
    {
        const std::lock_guard lock(boards_mutex_);
        paused_since_.try_emplace(name, since);
    }
    if (const auto found = senders_.find(name); found != senders_.end()) {
        found->second->pause();
        uploads_->pause(name);
    }
}

void Dispatcher::resume(const std::string& name) {
    {
        const std::lock_guard lock(boards_mutex_);
        paused_since_.erase(name);
    }
    if (const auto found = senders_.find(name); found != senders_.end()) {
        found->second->resume();
        uploads_->resume(name);
    }
}

bool Dispatcher::knows(std::string_view destination) const {
    const std::lock_guard lock(boards_mutex_);
    return boards_.contains(destination);
}

void Dispatcher::forget(const std::string& name) {
    const std::lock_guard lock(boards_mutex_);
    boards_.erase(name);
}

void Dispatcher::post_targets(Targets targets) {
    // std::function is not involved: Asio moves handlers.
    asio::post(executor_, [self = shared_from_this(), moved = std::move(targets)]() mutable {
        if (!self->guard_->stopping()) {
            self->apply(std::move(moved));
        }
    });
}

bool Dispatcher::post(std::string_view destination, Wish wish) {
    if (!knows(destination)) {
        return false;
    }
    asio::post(executor_, [self = shared_from_this(), name = std::string(destination), wish] {
        switch (wish) {
            case Wish::probe:
                if (const auto found = self->senders_.find(name); found != self->senders_.end()) {
                    found->second->probe_now();
                    self->uploads_->probe_now(name);
                }
                break;
            case Wish::pause:
                self->pause(name, self->parts_.clock.wall());
                break;
            case Wish::resume:
                self->resume(name);
                break;
        }
    });
    return true;
}

std::vector<DestinationStatus> Dispatcher::status() const {
    std::vector<DestinationStatus> all;
    const std::lock_guard lock(boards_mutex_);
    all.reserve(boards_.size());
    for (const auto& [name, board] : boards_) {
        all.push_back(board->read());
        all.back().uploads = uploads_->status(name);
        // Since before a start, too.
        const auto since = paused_since_.find(name);
        if (since != paused_since_.end() && all.back().paused == metrics::Pause::by_operator) {
            all.back().paused_since = since->second;
        }
    }
    return all;
}

void Dispatcher::post_backlog(const BacklogRequest& request, BacklogDone done) {
    asio::post(executor_,
               [self = shared_from_this(), request, told = std::move(done)] { told(self->backlog(request)); });
}

Backlog Dispatcher::backlog(const BacklogRequest& request) const {
    BacklogRanking ranking(request);
    for (const auto& [name, one] : senders_) {
        one->queue().for_each_lane([&ranking](const Lane& lane) { ranking.add(lane); });
    }
    Backlog told;
    told.lanes_waiting = ranking.lanes_waiting();
    for (const BacklogRanking::Entry& entry : ranking.take()) {
        const auto details =
            entry.lane->details() != nullptr ? entry.lane->details() : parts_.lanes.find_lane(entry.lane->id());
        told.lanes.push_back(backlog_of(*entry.lane, details.get()));
    }
    return told;
}

// -- Start and stop ---------------------------------------------------------------------------------------------------

model::Status Dispatcher::start() {
    const auto pauses = parts_.lanes.pauses();
    if (!pauses) {
        return pauses.error();
    }
    for (const store::StoredPause& one : *pauses) {
        pause(one.destination, one.since);
    }
    auto& outbox = parts_.outbox;
    // Whatever waits may have been sent before: nobody knows what a crash has forgotten.
    auto read = outbox.for_each_queued([this](const store::QueuedItem& item) {
        if (const auto place = place_of(item.lane); place.sender != nullptr) {
            place.sender->add(place.lane, item, true);
        }
    });
    if (read) {
        read = outbox.for_each_set_aside([this](const store::QueuedItem& item) {
            if (const auto place = place_of(item.lane); place.sender != nullptr) {
                place.sender->add_set_aside(place.lane, item);
            }
        });
    }
    auto& objects = parts_.uploads;
    for (const bool aside : {false, true}) {
        const auto add = [this, aside](const store::QueuedObject& object) {
            if (const auto place = place_of(object.lane); place.sender != nullptr) {
                uploads_->add(place.sender->name(), object, aside);
            }
        };
        if (read) {
            read = aside ? objects.for_each_set_aside(add) : objects.for_each_queued(add);
        }
    }
    if (!read) {
        return read;
    }
    // What was heard while reading is in the lanes already; an item is added once.
    guard_->start();
    const auto waker = [this](void (Dispatcher::*drains)()) {
        return [weak = weak_from_this(), executor = executor_, drains] {
            asio::post(executor, [weak, drains] {
                if (const auto self = weak.lock()) {
                    ((*self).*drains)();
                }
            });
        };
    };
    outbox_events_.open(waker(&Dispatcher::drain));
    object_events_->open(waker(&Dispatcher::drain_objects));
    drain();
    drain_objects();
    for (const auto& [name, one] : senders_) {
        if (!targets_.contains(name) && !(one->is_empty() && uploads_->is_empty(name))) {
            spdlog::error("items wait for a destination that is not configured destination={}", name);
        }
    }
    kick_all();
    return {};
}

asio::awaitable<void> Dispatcher::stop(std::chrono::milliseconds grace) {
    guard_->stop();
    for (const auto& [name, one] : senders_) {
        one->wake_workers();
    }
    uploads_->cut(true);  // those that wait for `100 Continue` lose nothing
    if (!co_await tasks_.wait_for(grace)) {
        for (const auto& [name, one] : senders_) {
            one->cut_connections();
        }
        uploads_->cut(false);
        co_await tasks_.wait();  // validation cannot be cut, but it ends by itself
    }
    tasks_.close();
    for (const auto& [name, one] : senders_) {
        one->retire();
    }
    uploads_->retire();
    stamps_->stop();
    outbox_->close();
    outbox_events_.close();
    object_events_->close();
}

// -- What the store says ----------------------------------------------------------------------------------------------

Dispatcher::Place Dispatcher::place_of(store::LaneId id) {
    auto lane = parts_.lanes.find_lane(id);
    if (!lane) {
        spdlog::error("item of an unknown lane lane={}", id);
        return {};
    }
    auto& its_sender = sender(lane->destination);
    return {std::move(lane), &its_sender};
}

void Dispatcher::drain() {
    if (!guard_->started()) {
        return;  // start() has the reading to do first, and comes here itself
    }
    outbox_events_.take([this](const OutboxEvents::Event& event, store::StoredItem* handed) { take(event, handed); },
                        [this](const store::LostLanes& lost) {
                            for (const auto& [name, one] : senders_) {
                                one->lose(lost);
                            }
                        });
    kick_all();
}

void Dispatcher::take(const OutboxEvents::Event& event, store::StoredItem* handed) {
    const auto [lane, sender] = place_of(event.item.lane);
    if (sender == nullptr) {
        return;
    }
    switch (event.kind) {
        case OutboxEvents::Kind::queued:
            sender->count(metrics::ItemOutcome::queued);
            sender->add(lane, event.item, false);
            if (handed != nullptr && sender->sends_soon()) {
                loader_.offer(std::move(*handed));
            }
            break;
        case OutboxEvents::Kind::retried:
            sender->count(metrics::ItemOutcome::retried);
            sender->add(lane, event.item, true);
            break;
        case OutboxEvents::Kind::withdrawn:
            sender->withdraw(event.item);
            break;
        case OutboxEvents::Kind::lane_withdrawn:
            sender->withdraw_lane(event.item.lane);
            break;
        case OutboxEvents::Kind::taken_over:
            sender->add(lane, event.item, true);
            break;
        case OutboxEvents::Kind::set_aside_taken_over:
            sender->add_set_aside(lane, event.item);
            break;
        case OutboxEvents::Kind::lanes_lost:
            break;  // not about one lane: drain() has it
    }
}

void Dispatcher::drain_objects() {
    for (const auto& event : object_events_->take()) {
        switch (event.kind) {
            case ObjectEvent::Kind::prepared:
            case ObjectEvent::Kind::stamped:
                stamps_->event(event);
                break;
            case ObjectEvent::Kind::upload:
                if (const auto place = place_of(event.object.lane); place.sender != nullptr) {
                    uploads_->add(place.sender->name(), event.object, false);
                }
                break;
            case ObjectEvent::Kind::taken_over:
            case ObjectEvent::Kind::set_aside_taken_over:
                if (const auto place = place_of(event.object.lane); place.sender != nullptr) {
                    uploads_->take_over(place.sender->name(), event.object,
                                        event.kind == ObjectEvent::Kind::set_aside_taken_over);
                }
                break;
            case ObjectEvent::Kind::lanes_lost:
                uploads_->lose(event.lost);
                break;
            case ObjectEvent::Kind::withdrawn:
                uploads_->withdraw(event.object.id);
                break;
            case ObjectEvent::Kind::settled:
                uploads_->settled(event.object.id, event.outcome);
                break;
        }
    }
    kick_all();
}

void Dispatcher::look_again(const store::QueuedItem& item) {
    if (const auto place = place_of(item.lane); place.sender != nullptr) {
        place.sender->look_again(item);
        place.sender->kick();
    }
}

void Dispatcher::kick_all() {
    for (const auto& [name, one] : senders_) {
        one->kick();
    }
    uploads_->kick();
}

}  // namespace lihandover::delivery
