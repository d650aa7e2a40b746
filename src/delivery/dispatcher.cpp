#include "dispatcher.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <limits>
#include <tuple>
#include <utility>

#include "connector_settings.hpp"

namespace lihandover::delivery {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds read_again(1);

}  // namespace

Dispatcher::Dispatcher(asio::any_io_executor executor, Parts parts, std::unique_ptr<store::Reader> reader)
    : executor_(std::move(executor)),
      parts_(std::move(parts)),
      loader_(parts_.store, std::move(reader)),
      object_events_(std::make_shared<ObjectEvents>()),
      stamps_(*this),
      uploads_(*this),
      read_pause_(executor_),
      commits_(std::make_shared<Commits>()) {}

// -- Settings ---------------------------------------------------------------------------------------------------------

model::Result<Dispatcher::Plan> Dispatcher::plan(Settings settings) {
    Plan plan;
    plan.validation = settings.schema_validation;
    plan.validator = std::move(settings.validator);
    if (plan.validation != config::SchemaValidation::off && !plan.validator) {
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
        target->destination = std::move(destination);
        auto name = target->destination.name;
        if (!plan.targets.emplace(std::move(name), std::move(target)).second) {
            return model::Error{where + "named twice"};
        }
    }
    return plan;
}

void Dispatcher::apply(Plan plan) {
    plan_ = std::move(plan);
    for (const auto& [name, target] : plan_.targets) {
        uploads_.configure(name, target);
        sender(name).configure(target);
    }
    if (started_) {  // before, nobody knows what waits
        sweep();
    }
}

void Dispatcher::sweep() {
    if (std::ranges::all_of(senders_, [this](const auto& entry) { return plan_.targets.contains(entry.first); })) {
        return;
    }
    // An acceptance brings objects to push once it is on disk, and a refusal may bring its item back.
    if (commits_->open > 0) {
        commits_->sweeps = true;
        if (commits_->open > 0) {  // it may have sunk before anybody saw the flag
            return;
        }
    }
    drain();  // what those brought was heard of before they ended
    drain_objects();
    std::erase_if(senders_, [this](const auto& entry) {
        auto& one = *entry.second;
        if (plan_.targets.contains(entry.first)) {
            return false;
        }
        if (!one.is_empty() || !uploads_.is_empty(entry.first)) {
            one.leave();
            uploads_.leave(entry.first);
            return false;
        }
        forget(one);
        one.retire();
        uploads_.forget(entry.first);
        return true;
    });
}

void Dispatcher::sender_emptied() {
    asio::post(executor_, [self = shared_from_this()] { self->sweep(); });
}

DestinationSender& Dispatcher::sender(const std::string& name) {
    const auto found = senders_.find(name);
    if (found != senders_.end()) {
        return *found->second;
    }
    auto made = std::make_shared<DestinationSender>(*this, name);
    {
        const std::lock_guard lock(boards_mutex_);
        boards_.emplace(name, made->board());
    }
    return *senders_.emplace(name, std::move(made)).first->second;
}

void Dispatcher::forget(const DestinationSender& sender) {
    std::erase_if(lanes_, [&sender](const auto& entry) { return entry.second.sender == &sender; });
    const std::lock_guard lock(boards_mutex_);
    boards_.erase(sender.name());
}

void Dispatcher::post_plan(Plan plan) {
    // std::function is not involved: Asio moves handlers.
    asio::post(executor_, [self = shared_from_this(), moved = std::move(plan)]() mutable {
        if (!self->stopping_) {
            self->apply(std::move(moved));
        }
    });
}

bool Dispatcher::probe_now(std::string_view destination) {
    {
        const std::lock_guard lock(boards_mutex_);
        if (!boards_.contains(destination)) {
            return false;
        }
    }
    asio::post(executor_, [self = shared_from_this(), name = std::string(destination)] {
        if (const auto found = self->senders_.find(name); found != self->senders_.end()) {
            found->second->probe_now();
            self->uploads_.probe_now(name);
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
        all.back().uploads = uploads_.status(name);
    }
    return all;
}

// -- Start and stop ---------------------------------------------------------------------------------------------------

model::Status Dispatcher::start() {
    const auto read = loader_.reader().for_each_queued([this](const store::QueuedItem& item) {
        if (auto* lane = find_lane(item.lane)) {
            lane->sender->add(*lane, item.row, item.emergency);
        }
    });
    if (!read) {
        return read.error();
    }
    const auto uploads = loader_.reader().for_each_upload([this](const store::QueuedObject& object) {
        if (auto* lane = find_lane(object.lane)) {
            uploads_.add(lane->sender->name(), object);
        }
    });
    if (!uploads) {
        return uploads.error();
    }
    // What was heard while reading is in the lanes already; an item is added once.
    started_ = true;
    object_events_->open([weak = weak_from_this(), executor = executor_] {
        asio::post(executor, [weak] {
            if (const auto self = weak.lock()) {
                self->drain_objects();
            }
        });
    });
    drain();
    drain_objects();
    for (const auto& [name, one] : senders_) {
        if (!plan_.targets.contains(name) && !(one->is_empty() && uploads_.is_empty(name))) {
            spdlog::error("items wait for a destination that is not configured destination={}", name);
        }
    }
    kick_all();
    return {};
}

asio::awaitable<void> Dispatcher::stop(std::chrono::milliseconds grace) {
    stopping_ = true;
    read_pause_.cancel();
    for (const auto& [name, one] : senders_) {
        one->wake_workers();
    }
    uploads_.cut(true);  // those that wait for `100 Continue` lose nothing
    asio::steady_timer ended(executor_);
    stoppers_.push_back(&ended);
    ended.expires_after(grace);
    while (workers_running_ > 0) {
        const auto [error] = co_await ended.async_wait(asio::as_tuple(asio::use_awaitable));
        if (!error) {
            for (const auto& [name, one] : senders_) {
                one->cut_connections();
            }
            uploads_.cut(false);
            // Validation cannot be cut, but it ends by itself.
            ended.expires_at(asio::steady_timer::time_point::max());
        }
    }
    std::erase(stoppers_, &ended);
    for (const auto& [name, one] : senders_) {
        one->retire();
    }
    uploads_.retire();
    stamps_.stop();
    flush();
    commits_->closed = true;
    object_events_->close();
}

void Dispatcher::worker_ended() {
    if (--workers_running_ == 0) {
        for (auto* stopper : stoppers_) {
            stopper->cancel();
        }
    }
}

// -- What the store says ----------------------------------------------------------------------------------------------

void Dispatcher::stored(std::span<store::StoredItem> items) {
    announced_.assign(std::move_iterator(items.begin()), std::move_iterator(items.end()));
}

void Dispatcher::queued(std::span<const store::QueuedItem> items, bool retried) {
    hear(items, retried ? Event::Kind::retried : Event::Kind::queued);
}

void Dispatcher::withdrawn(std::span<const store::QueuedItem> items) {
    hear(items, Event::Kind::withdrawn);
}

void Dispatcher::hear(std::span<const store::QueuedItem> items, Event::Kind kind) {
    bool post = false;
    {
        const std::lock_guard lock(incoming_mutex_);
        for (const auto& item : items) {
            incoming_.push_back({item, kind});
        }
        if (kind == Event::Kind::queued) {
            for (auto& item : announced_) {
                if (handed_bytes_ + item.share.size() > max_handed_bytes) {
                    break;
                }
                handed_bytes_ += item.share.size();
                handed_.push_back(std::move(item));
            }
            announced_.clear();
        }
        post = !items.empty() && !drain_posted_;
        drain_posted_ = drain_posted_ || post;
    }
    if (post) {
        asio::post(executor_, [self = shared_from_this()] { self->drain(); });
    }
}

void Dispatcher::drain() {
    if (!started_) {
        // start() has the reading to do first, and comes here itself. The flag stays set: no more posts until then.
        return;
    }
    {
        const std::lock_guard lock(incoming_mutex_);
        draining_.swap(incoming_);
        draining_items_.swap(handed_);
        handed_bytes_ = 0;
        drain_posted_ = false;
    }
    auto handed = draining_items_.begin();
    for (const auto& event : draining_) {
        const bool whole =
            event.kind == Event::Kind::queued && handed != draining_items_.end() && handed->row == event.item.row;
        take(event, whole ? &*handed++ : nullptr);
    }
    draining_items_.clear();
    draining_.clear();
    if (draining_.capacity() > 65'536) {
        draining_.shrink_to_fit();
    }
    kick_all();
}

void Dispatcher::take(const Event& event, store::StoredItem* handed) {
    auto* lane = find_lane(event.item.lane);
    if (lane == nullptr) {
        return;
    }
    auto& sender = *lane->sender;
    switch (event.kind) {
        case Event::Kind::queued:
            sender.count(metrics::ItemOutcome::queued);
            sender.add(*lane, event.item.row, event.item.emergency);
            if (handed != nullptr && sender.sends_soon()) {
                loader_.offer(std::move(*handed));
            }
            break;
        case Event::Kind::retried:
            sender.count(metrics::ItemOutcome::retried);
            sender.add(*lane, event.item.row, event.item.emergency);
            break;
        case Event::Kind::withdrawn:
            sender.withdraw(*lane, event.item.row);
            break;
    }
}

void Dispatcher::drain_objects() {
    for (const auto& event : object_events_->take()) {
        switch (event.kind) {
            case ObjectEvent::Kind::prepared:
            case ObjectEvent::Kind::stamped:
                stamps_.event(event);
                break;
            case ObjectEvent::Kind::upload:
                if (auto* lane = find_lane(event.object.lane)) {
                    uploads_.add(lane->sender->name(), event.object);
                }
                break;
            case ObjectEvent::Kind::withdrawn:
                uploads_.withdraw(event.object.id);
                break;
            case ObjectEvent::Kind::settled:
                uploads_.settled(event.object.id, event.outcome);
                break;
        }
    }
    kick_all();
}

void Dispatcher::look_again(const store::QueuedItem& item) {
    loader_.forget(item.row);
    if (const auto found = lanes_.find(item.lane); found != lanes_.end()) {
        found->second.sender->look_again(found->second, item.row);
    }
}

Lane* Dispatcher::find_lane(store::LaneId id) {
    if (const auto found = lanes_.find(id); found != lanes_.end()) {
        return &found->second;
    }
    auto details = parts_.store.find_lane(id);
    if (!details) {
        spdlog::error("item of an unknown lane lane={}", id);
        return nullptr;
    }
    auto& lane = lanes_.try_emplace(id, id, &sender(details->destination)).first->second;
    lane.details = std::move(details);
    return &lane;
}

void Dispatcher::health(bool can_commit) {
    healthy_ = can_commit;
    if (can_commit) {
        asio::post(executor_, [self = shared_from_this()] { self->kick_all(); });
    }
}

// -- For the senders --------------------------------------------------------------------------------------------------

bool Dispatcher::may_send() {
    if (!started_ || stopping_ || reads_off_ || !healthy_) {
        return false;
    }
    if (commits_->open < max_uncommitted) {
        return true;
    }
    commits_->starved = true;
    return commits_->open < max_uncommitted;  // they may have sunk before anybody saw the flag
}

void Dispatcher::accept(const store::Acceptance& acceptance) {
    acceptances_.push_back(acceptance);
    ++commits_->open;
    if (!flush_posted_) {
        // Comes after what this turn of the loop still has to do: the acceptances of all of it go together.
        flush_posted_ = true;
        asio::post(executor_, [self = shared_from_this()] { self->flush(); });
    }
}

void Dispatcher::committed(const std::shared_ptr<Commits>& commits, const std::weak_ptr<Dispatcher>& dispatcher,
                           std::size_t count) {
    const bool none = (commits->open -= count) == 0;
    const auto self = commits->closed ? nullptr : dispatcher.lock();
    if (!self) {
        return;
    }
    if (commits->starved.exchange(false)) {
        asio::post(self->executor_, [self] { self->kick_all(); });
    }
    if (none && commits->sweeps.exchange(false)) {
        asio::post(self->executor_, [self] { self->sweep(); });
    }
}

void Dispatcher::flush() {
    flush_posted_ = false;
    if (acceptances_.empty()) {
        return;
    }
    const auto count = acceptances_.size();
    parts_.store.accepted(std::exchange(acceptances_, {}),
                          [commits = commits_, dispatcher = weak_from_this(), count](store::Outcome) {
                              // `failed` comes when the store stops only: the LEA gets these items once more.
                              committed(commits, dispatcher, count);
                          });
}

void Dispatcher::refuse(const Lane& lane, store::RowId row, bool emergency, store::Refusal refusal) {
    ++commits_->open;
    parts_.store.refused(
        row, std::move(refusal),
        [commits = commits_, dispatcher = weak_from_this(), lane = lane.id, row, emergency](store::Outcome outcome) {
            if (const auto self = dispatcher.lock(); self && !commits->closed) {
                asio::post(self->executor_, [self, lane, row, emergency, outcome] {
                    self->refusal_ended(outcome, lane, row, emergency);
                    committed(self->commits_, self, 1);  // not before: its sender is needed till then
                });
            } else {
                committed(commits, dispatcher, 1);
            }
        });
}

void Dispatcher::refusal_ended(store::Outcome outcome, store::LaneId id, store::RowId row, bool emergency) {
    auto* lane = find_lane(id);
    if (lane == nullptr) {
        return;
    }
    auto& sender = *lane->sender;
    if (outcome == store::Outcome::committed) {
        sender.count(metrics::ItemOutcome::refused);
    } else {
        sender.add(*lane, row, emergency);
        sender.kick();
    }
}

const std::string& Dispatcher::liid(const Lane& lane) {
    return lane.details->liid;
}

void Dispatcher::lane_settled(Lane& lane) {
    if (lane.state == Lane::State::idle && lane.aside == 0 && lanes_.size() > max_idle_lanes) {
        lanes_.erase(lane.id);
    }
}

void Dispatcher::read_failed(std::string_view destination, const model::Error& error) {
    spdlog::error("store cannot be read, delivery waits destination={} problem=\"{}\"", destination, error.message);
    reads_off_ = true;
    read_pause_.expires_after(read_again);
    read_pause_.async_wait([weak = weak_from_this()](const boost::system::error_code& failed) {
        if (const auto self = weak.lock(); self && !failed) {
            self->reads_off_ = false;
            self->kick_all();
        }
    });
}

void Dispatcher::kick_all() {
    for (const auto& [name, one] : senders_) {
        one->kick();
    }
    uploads_.kick();
}

}  // namespace lihandover::delivery
