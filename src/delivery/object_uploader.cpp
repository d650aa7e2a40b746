#include "object_uploader.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <string_view>
#include <utility>

#include "answer_classifier.hpp"
#include "connector_settings.hpp"
#include "dispatcher.hpp"

namespace lihandover::delivery {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds idle_close(50);
/// Deadlines are times of day: looked at so often at least, since that clock may be set.
constexpr std::chrono::minutes look_at_deadlines(1);
constexpr std::chrono::seconds tell_again(1);
/// Told to the store and not on disk yet. Beyond, nothing begins.
constexpr std::size_t max_settling = 4096;

/// DestinationHealth wants to know whether different ones fail; of items it is told the lane, of objects the object.
store::LaneId key_of(const Upload& upload) {
    return static_cast<store::LaneId>(std::hash<model::Uuid>{}(upload.object.id));
}

bool same_origin(const http::Url& a, const http::Url& b) {
    return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

}  // namespace

ObjectUploader::ObjectUploader(Dispatcher& dispatcher, std::string name)
    : dispatcher_(dispatcher),
      name_(std::move(name)),
      metrics_(dispatcher.metrics().destination(name_)),
      board_(std::make_shared<StatusBoard>(name_)),
      health_(DestinationHealth::Policy{}),
      report_(health_, *board_, dispatcher.clock(), {"uploads resumed", "uploads back off", "uploads paused"}),
      pump_(std::make_shared<Pump>(dispatcher.executor(), dispatcher.clock())),
      wake_timer_(dispatcher.executor()) {}

ObjectUploader::~ObjectUploader() = default;

unsigned ObjectUploader::reserved(unsigned connections) {
    return connections < 2 ? 0 : std::max(connections / 4, 1U);
}

// -- Settings and events ----------------------------------------------------------------------------------------------

void ObjectUploader::configure(std::shared_ptr<const Target> target) {
    leaving_ = false;
    const auto& options = target->destination.options;
    const bool other_end = !target_ || !same_connections(target_->destination, target->destination);
    target_ = std::move(target);
    health_.set_policy({options.retry.initial, options.retry.maximum, options.upload_connections});
    pump_->limit(options.upload_bandwidth);
    if (other_end) {
        ++generation_;
        connectors_.clear();
        health_.probe_now(dispatcher_.clock().steady());
    }
}

void ObjectUploader::retire() {
    retired_ = true;
    wake_timer_.cancel();
    for (const auto& slot : slots_) {
        if (slot->upload == nullptr && slot->connection) {
            slot->connection->close();
            sync_connection(*slot);
        }
    }
}

bool ObjectUploader::withdraw(const model::Uuid& object) {
    auto* upload = queue_.find(object);
    if (upload == nullptr) {
        return false;
    }
    switch (upload->state) {
        case Upload::State::ready:
        case Upload::State::resting:
            queue_.erase(*upload);
            if (leaving_ && is_empty()) {
                dispatcher_.sender_emptied();
            }
            break;
        case Upload::State::running:
            upload->withdrawn = true;
            for (const auto& slot : slots_) {
                if (slot->upload == upload) {
                    if (slot->connection) {
                        slot->connection->close();
                    }
                    if (slot->source != nullptr) {
                        slot->source->cancel();
                    }
                }
            }
            break;
        case Upload::State::settling:
            upload->withdrawn = true;
            break;
    }
    return true;
}

void ObjectUploader::settled(const model::Uuid& object, store::Outcome outcome) {
    auto* upload = queue_.find(object);
    if (upload == nullptr || upload->state != Upload::State::settling) {
        return;
    }
    --settling_;
    if (upload->withdrawn || (outcome == store::Outcome::committed && !upload->again)) {
        queue_.erase(*upload);
    } else if (upload->again) {
        queue_.again(*upload);  // a retry of the same commit was heard of before its answer
    } else {
        queue_.rest(*upload, dispatcher_.clock().steady() + tell_again);
    }
    if (leaving_ && is_empty()) {
        dispatcher_.sender_emptied();
    }
}

void ObjectUploader::probe_now() {
    health_.probe_now(dispatcher_.clock().steady());
    queue_.wake_all();
    kick();
}

void ObjectUploader::cut(bool waiting) {
    for (const auto& [origin, connector] : connectors_) {
        connector->cancel();
    }
    for (const auto& slot : slots_) {
        if (slot->upload != nullptr && !(waiting && slot->body_wanted)) {
            if (slot->connection) {
                slot->connection->close();
            }
            if (slot->source != nullptr) {
                slot->source->cancel();
            }
        }
    }
}

// -- What runs when ---------------------------------------------------------------------------------------------------

void ObjectUploader::kick() {
    if (kicking_) {
        return;
    }
    if (queue_.empty() && slots_.empty()) {
        publish();
        return;
    }
    kicking_ = true;
    const auto now = dispatcher_.clock().steady();
    queue_.wake(now);
    close_idle(now);
    if (!retired_ && dispatcher_.may_send()) {
        expire();
        // An attempt may end before begin_one() returns, and with it the permission to send.
        while (target_ && dispatcher_.may_send() && begin_one(now)) {
        }
    }
    kicking_ = false;
    publish();
    if (!retired_ && !dispatcher_.stopping()) {
        arm(now);
    }
}

void ObjectUploader::expire() {
    const auto now = dispatcher_.clock().wall();
    while (settling_ < max_settling) {
        auto* upload = queue_.expired(now);
        if (upload == nullptr) {
            break;
        }
        metrics_.uploads(metrics::Upload::expired).add();
        refuse(*upload, {upload->last_status, store::Refusal::Kind::expired, {}});
    }
}

bool ObjectUploader::begin_one(DestinationHealth::Time now) {
    const auto most = target_->destination.options.upload_connections;
    if (running_ >= most || settling_ >= max_settling || !health_.may_start(now, running_)) {
        return false;
    }
    auto* upload = queue_.take(running_large_ < most - reserved(most));
    if (upload == nullptr && health_.mode() != DestinationHealth::Mode::open) {
        upload = queue_.take_resting();
    }
    if (upload == nullptr) {
        return false;
    }
    auto& slot = idle_slot();
    slot.upload = upload;
    slot.body_wanted = false;
    ++running_;
    running_large_ += upload->small() ? 0 : 1;
    dispatcher_.worker_began();
    asio::co_spawn(dispatcher_.executor(),
                   run(dispatcher_.shared_from_this(), shared_from_this(), &slot, health_.start()), asio::detached);
    return true;
}

ObjectUploader::Slot& ObjectUploader::idle_slot() {
    Slot* found = nullptr;
    for (const auto& slot : slots_) {
        if (slot->upload == nullptr && (found == nullptr || (slot->connection && slot->connection->is_open()))) {
            found = slot.get();
        }
    }
    return found != nullptr ? *found : *slots_.emplace_back(std::make_unique<Slot>());
}

void ObjectUploader::close_idle(DestinationHealth::Time now) {
    std::erase_if(slots_, [&](const auto& slot) {
        if (slot->upload != nullptr || (slot->connection && slot->connection->is_open() && !retired_ &&
                                        slot->generation == generation_ && now - slot->idle_since < idle_close)) {
            return false;
        }
        if (slot->connection) {
            slot->connection->close();
            sync_connection(*slot);
        }
        return true;
    });
}

void ObjectUploader::arm(DestinationHealth::Time now) {
    Earliest times(now);
    if (health_.mode() != DestinationHealth::Mode::open && !health_.probing() && queue_.waiting() > 0) {
        times.consider(health_.resume_at());
    }
    if (const auto due = queue_.next_due()) {
        times.consider(*due);
    }
    if (const auto deadline = queue_.next_deadline()) {
        const auto left = std::chrono::microseconds(deadline->micros() - dispatcher_.clock().wall().micros());
        times.consider(now + std::min<std::chrono::microseconds>(left, look_at_deadlines));
    }
    for (const auto& slot : slots_) {
        if (slot->upload == nullptr) {
            times.consider(slot->idle_since + idle_close);
        }
    }
    wake_timer_.set(times, weak_from_this());
}

// -- One attempt ------------------------------------------------------------------------------------------------------

asio::awaitable<void> ObjectUploader::run(std::shared_ptr<Dispatcher> dispatcher, std::shared_ptr<ObjectUploader> self,
                                          Slot* slot, Ticket ticket) {
    Ended ended;
    try {
        ended = co_await self->attempt(*slot, ticket);
    } catch (const std::exception&) {  // out of memory, most likely
        spdlog::error("upload failed destination={}", self->name_);
        slot->connection.reset();
        ended.kind = Ended::Kind::judged;
    }
    slot->source = nullptr;
    try {
        self->finish(*slot, ticket, ended);
        self->kick();
    } catch (const std::exception&) {  // the object is left alone until the next start, where it is found again
        spdlog::error("upload failed destination={}", self->name_);
    }
    if (self->leaving_ && self->is_empty()) {
        dispatcher->sender_emptied();
    }
    dispatcher->worker_ended();
}

bool ObjectUploader::may_go_on(const Slot& slot, const Ticket& ticket) const {
    return !slot.upload->withdrawn && !retired_ && dispatcher_.may_send() && health_.is_current(ticket);
}

std::chrono::milliseconds ObjectUploader::continue_timeout(const Slot& slot, const Ticket& ticket) const {
    const auto left = slot.upload->object.deadline.micros() - dispatcher_.clock().wall().micros();
    const auto& binary = slot.target->destination.options.binary;
    std::chrono::milliseconds most = binary ? binary->continue_timeout : config::Binary{}.continue_timeout;
    if (ticket.probe) {  // all others wait for it
        most = std::min<std::chrono::milliseconds>(most, slot.target->destination.options.timeout);
    }
    return std::max(std::min(most, std::chrono::milliseconds(left / 1000)), std::chrono::milliseconds(1));
}

asio::awaitable<ObjectUploader::Ended> ObjectUploader::attempt(Slot& slot, Ticket ticket) {
    Ended ended;
    slot.target = target_;
    auto found = dispatcher_.loader().reader().object(slot.upload->object.id);
    if (!found) {
        dispatcher_.read_failed(name_, found.error());
        co_return ended;
    }
    if (!*found || (*found)->state != store::ObjectState::queued || (*found)->model != model::BinaryModel::b) {
        ended.kind = Ended::Kind::gone;
        co_return ended;
    }
    const store::StoredObject object = std::move(**found);
    ended.item = object.item_id;
    ended.item_taken =
        object.lifetime.count() > 0
            ? std::optional(model::Instant{slot.upload->object.deadline.seconds - object.lifetime.count(),
                                           slot.upload->object.deadline.nanos})
            : std::nullopt;
    if (!object.sealed) {
        ended.kind = Ended::Kind::judged;
        ended.verdict.outcome = UploadOutcome::unreadable;
        ended.verdict.metric = metrics::Upload::unreadable;
        co_return ended;
    }
    const auto url = http::parse_url(object.described.url);
    // What goes to an LEA over TLS goes over TLS, whatever the template became.
    if (!url || url->secure() != (slot.target->destination.tls != nullptr)) {
        ended.kind = Ended::Kind::unusable;
        co_return ended;
    }
    for (;;) {
        if (dispatcher_.stopping()) {
            co_return ended;
        }
        const auto connected = co_await connect(slot, *url);
        if (!connected) {
            if (!dispatcher_.stopping()) {
                ended.kind = Ended::Kind::judged;
                ended.verdict = classify_upload(connected.error());
            }
            co_return ended;
        }
        // Connecting takes its time: somebody may have learnt meanwhile that nothing should be sent.
        if (!may_go_on(slot, ticket)) {
            co_return ended;
        }
        const auto outcome = co_await post(slot, object, *url, ticket);
        if (outcome) {
            ended.kind = Ended::Kind::judged;
            ended.verdict = classify_upload(*outcome, dispatcher_.clock().wall());
            co_return ended;
        }
        const auto& failure = outcome.error();
        if (failure.kind == http::FailureKind::cancelled || slot.upload->withdrawn || dispatcher_.stopping()) {
            co_return ended;  // cut by ourselves: says nothing about the LEA
        }
        if (!failure.reused || failure.kind != http::FailureKind::closed || slot.given > 0) {
            ended.kind = Ended::Kind::judged;
            ended.verdict = classify_upload(failure);
            co_return ended;
        }
        // The LEA closed a connection that had been idle. A fresh one, which is not `reused`, and its failure counts.
        metrics_.uploads(metrics::Upload::disconnected).add();
    }
}

asio::awaitable<http::ClientResult<void>> ObjectUploader::connect(Slot& slot, const http::Url& url) {
    if (slot.connection && slot.connection->is_open() && slot.generation == generation_ &&
        same_origin(slot.origin, url)) {
        co_return http::ClientResult<void>{};
    }
    slot.connection.reset();
    sync_connection(slot);
    slot.origin = url;
    slot.generation = generation_;
    const auto connector = connector_to(*slot.target, url);  // a reload may bring another one meanwhile
    auto connected = co_await connector->connect();
    if (!connected) {
        co_return connected.error();
    }
    slot.connection = std::move(*connected);
    sync_connection(slot);
    co_return http::ClientResult<void>{};
}

std::shared_ptr<http::Connector> ObjectUploader::connector_to(const Target& target, const http::Url& url) {
    auto& connector = connectors_[url.scheme + "://" + url.endpoint()];
    if (!connector) {
        auto options = target.connection;
        if (std::ranges::none_of(target.urls, [&](const auto& other) { return other.host == url.host; })) {
            options.server_name.clear();  // objects go to another server, which has its own name
        }
        connector =
            std::make_shared<http::Connector>(dispatcher_.executor(), url, target.destination.tls, std::move(options));
    }
    return connector;
}

asio::awaitable<http::ClientResult<http::ExpectOutcome>> ObjectUploader::post(Slot& slot,
                                                                              const store::StoredObject& object,
                                                                              const http::Url& url, Ticket ticket) {
    UploadSource source({dispatcher_.executor(), dispatcher_.workers(), dispatcher_.objects(), object.sealed, pump_,
                         slot.upload->small(), slot.upload->object.emergency, metrics_.upload_bytes,
                         [this, &slot, ticket] { wanted(slot, ticket); }});
    slot.source = &source;
    slot.body_wanted = object.sealed->size() == 0;
    const std::array<http::Field, 1> fields = {{{"Content-Type", safe_content_type(object.described.content_type)}}};
    http::Request request;
    request.target = url.target;
    request.fields = fields;
    request.answer_timeout = answer_timeout(slot.target->destination.options.timeout, object.sealed->size());
    const auto wait = continue_timeout(slot, ticket);
    const auto& timeout = slot.target->destination.options.timeout;
    const auto here = std::make_shared<char>();  // a timer that has rung cannot be called back
    asio::steady_timer patience(dispatcher_.executor());
    if (!slot.body_wanted && wait > timeout) {
        patience.expires_after(timeout);
        patience.async_wait([this, &slot, ticket, still = std::weak_ptr(here)](const boost::system::error_code& error) {
            if (!error && !still.expired() && !slot.body_wanted) {
                waits_long(ticket);
            }
        });
    }
    auto outcome = co_await slot.connection->exchange_expect(request, source, wait);
    slot.source = nullptr;
    slot.given = source.given();
    co_return outcome;
}

void ObjectUploader::wanted(Slot& slot, const Ticket& ticket) {
    slot.body_wanted = true;
    if (health_.answered(ticket, dispatcher_.clock().steady())) {
        queue_.wake_all();
        report_.log(name_, {});
        asio::post(dispatcher_.executor(),
                   [self = shared_from_this(), dispatcher = dispatcher_.shared_from_this()] { self->kick(); });
    }
}

void ObjectUploader::waits_long(const Ticket& ticket) {
    health_.reached(ticket, dispatcher_.clock().steady());  // no probe waits for so long: opens nothing
    kick();
}

// -- What came of it --------------------------------------------------------------------------------------------------

void ObjectUploader::finish(Slot& slot, const Ticket& ticket, const Ended& ended) {
    auto& upload = *slot.upload;
    slot.upload = nullptr;
    slot.target.reset();
    slot.idle_since = dispatcher_.clock().steady();
    sync_connection(slot);
    --running_;
    running_large_ -= upload.small() ? 0 : 1;
    switch (ended.kind) {
        case Ended::Kind::judged:
            settle(upload, ticket, ended);
            break;
        case Ended::Kind::gone:
            queue_.erase(upload);
            break;
        case Ended::Kind::unusable:
            metrics_.uploads(metrics::Upload::refused).add();
            refuse(upload, {0, store::Refusal::Kind::invalid_document, "the object's URL cannot be used"});
            break;
        case Ended::Kind::put_back:
            if (upload.withdrawn) {
                queue_.erase(upload);
            } else {
                queue_.again(upload);
            }
            break;
    }
    health_.ended(ticket);
    report_.log(name_, ended.verdict.problem);
}

void ObjectUploader::settle(Upload& upload, const Ticket& ticket, const Ended& ended) {
    const auto now = dispatcher_.clock().steady();
    const auto& verdict = ended.verdict;
    if (upload.withdrawn && verdict.outcome != UploadOutcome::delivered) {
        queue_.erase(upload);
        return;
    }
    metrics_.uploads(verdict.metric).add();
    upload.last_status = static_cast<std::uint16_t>(verdict.status);
    bool opened = false;
    switch (verdict.outcome) {
        case UploadOutcome::delivered:
            opened = health_.accepted(ticket);
            delivered(upload, ended);
            break;
        case UploadOutcome::early:
            if (const auto& binary = target_ ? target_->destination.options.binary : std::nullopt;
                binary && binary->early_success == config::EarlySuccess::delivered) {
                opened = health_.accepted(ticket);
                delivered(upload, ended);
                break;
            }
            [[fallthrough]];
        case UploadOutcome::refused:
            opened = health_.answered(ticket, now);
            refused(upload, ticket, verdict);
            break;
        case UploadOutcome::later:
            opened = verdict.status != 0 ? health_.answered(ticket, now) : health_.reached(ticket, now);
            later(upload, verdict);
            break;
        case UploadOutcome::unavailable:
            health_.failed(ticket, key_of(upload), now, jitter_dice());
            later(upload, verdict);
            break;
        case UploadOutcome::busy:
            health_.held(ticket, verdict.retry_after.value_or(std::chrono::seconds(0)), now, jitter_dice());
            queue_.again(upload);
            break;
        case UploadOutcome::unreachable:
            health_.unreachable(ticket, now, jitter_dice());
            queue_.again(upload);
            break;
        case UploadOutcome::credentials:
            health_.pause(ticket, DestinationHealth::Cause::credentials, now);
            queue_.again(upload);
            break;
        case UploadOutcome::tls:
            health_.pause(ticket, DestinationHealth::Cause::tls, now);
            queue_.again(upload);
            break;
        case UploadOutcome::unreadable:
            spdlog::error("binary object cannot be read destination={} item={}", name_, ended.item.to_string());
            if (ticket.probe) {
                health_.unreachable(ticket, now, jitter_dice());  // or it would be the next probe, at once
            }
            later(upload, verdict);
            break;
    }
    if (opened) {
        queue_.wake_all();
    }
}

void ObjectUploader::delivered(Upload& upload, const Ended& ended) {
    const auto now = dispatcher_.clock().wall();
    if (ended.item_taken) {
        const auto took = now.micros() - ended.item_taken->micros();
        metrics_.object_seconds.observe(static_cast<double>(std::max<std::int64_t>(took, 0)) / 1e6);
    }
    board_->last_success_micros.store(now.micros(), std::memory_order_relaxed);
    queue_.settle(upload);
    ++settling_;
    const ObjectEvent told{ObjectEvent::Kind::settled, {}, upload.object, {}};
    dispatcher_.objects().pushed(upload.object.id,
                                 [events = dispatcher_.object_events(), told](store::Outcome outcome) {
                                     auto event = told;
                                     event.outcome = outcome;
                                     events->put(event);
                                 });
}

void ObjectUploader::refused(Upload& upload, const Ticket& ticket, const UploadClass& verdict) {
    if (health_.refused(ticket, verdict.status, false, dispatcher_.clock().steady())) {
        refuse(upload, {verdict.status, store::Refusal::Kind::http_status, {}});
    } else {  // all are refused so: the LEA is to blame, not the object
        queue_.again(upload);
    }
}

void ObjectUploader::refuse(Upload& upload, store::Refusal refusal) {
    queue_.settle(upload);
    ++settling_;
    const ObjectEvent told{ObjectEvent::Kind::settled, {}, upload.object, {}};
    dispatcher_.objects().refused(upload.object.id, std::move(refusal),
                                  [events = dispatcher_.object_events(), told](store::Outcome outcome) {
                                      auto event = told;
                                      event.outcome = outcome;
                                      events->put(event);
                                  });
}

void ObjectUploader::later(Upload& upload, const UploadClass& verdict) {
    upload.failures = static_cast<std::uint16_t>(std::min(upload.failures + 1, 1000));
    const auto retry = target_ ? target_->destination.options.retry : config::Retry{};
    const std::chrono::milliseconds wait =
        std::max<std::chrono::milliseconds>(back_off(upload.failures, retry.initial, retry.maximum, jitter_dice()),
                                            verdict.retry_after.value_or(std::chrono::seconds(0)));
    queue_.rest(upload, dispatcher_.clock().steady() + wait);
}

// -- What others see --------------------------------------------------------------------------------------------------

void ObjectUploader::publish() {
    board_->waiting.store(queue_.waiting(), std::memory_order_relaxed);
    board_->in_flight.store(running_, std::memory_order_relaxed);
    report_.publish();
}

void ObjectUploader::sync_connection(Slot& slot) {
    slot.counted.note(slot.connection && slot.connection->is_open(), metrics_.connections, board_->connections);
}

}  // namespace lihandover::delivery
