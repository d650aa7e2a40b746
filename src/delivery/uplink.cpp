#include "uplink.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <string_view>
#include <utility>

#include "engine.hpp"
#include "judge.hpp"

namespace lihandover::delivery {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds idle_close(50);
/// Deadlines are times of day: looked at so often at least, since that clock may be set.
constexpr std::chrono::minutes look_at_deadlines(1);
constexpr std::chrono::seconds tell_again(1);
/// Told to the store and not on disk yet. Beyond, nothing begins.
constexpr std::size_t max_settling = 4096;

/// Gate wants to know whether different ones fail; of items it is told the lane, of objects the object.
store::LaneId key_of(const Upload& upload) {
    return static_cast<store::LaneId>(std::hash<model::Uuid>{}(upload.object.id));
}

bool same_origin(const http::Url& a, const http::Url& b) {
    return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

}  // namespace

Uplink::Uplink(Engine& engine, std::string name)
    : engine_(engine),
      name_(std::move(name)),
      metrics_(engine.metrics().destination(name_)),
      board_(std::make_shared<StatusBoard>(name_)),
      gate_(Gate::Policy{}),
      report_(gate_, *board_, engine.clock(), {"uploads resumed", "uploads back off", "uploads paused"}),
      pump_(std::make_shared<Pump>(engine.executor(), engine.clock())),
      alarm_(engine.executor()) {}

Uplink::~Uplink() = default;

unsigned Uplink::reserved(unsigned connections) {
    return connections < 2 ? 0 : std::max(connections / 4, 1U);
}

// -- Settings and events ----------------------------------------------------------------------------------------------

void Uplink::configure(std::shared_ptr<const Target> target) {
    leaving_ = false;
    const auto& options = target->destination.options;
    const bool other_end = !target_ || target_->destination.tls != target->destination.tls ||
                           target_->destination.options.timeout != options.timeout;
    target_ = std::move(target);
    gate_.set_policy({options.retry.initial, options.retry.maximum, options.upload_connections});
    pump_->limit(options.upload_bandwidth);
    if (other_end) {
        ++generation_;
        gate_.probe_now(engine_.clock().steady());
    }
}

void Uplink::retire() {
    retired_ = true;
    alarm_.cancel();
    for (const auto& slot : slots_) {
        if (slot->upload == nullptr && slot->connection) {
            slot->connection->close();
            sync_connection(*slot);
        }
    }
}

bool Uplink::withdraw(const model::Uuid& object) {
    auto* upload = queue_.find(object);
    if (upload == nullptr) {
        return false;
    }
    switch (upload->state) {
        case Upload::State::ready:
        case Upload::State::resting:
            queue_.erase(*upload);
            if (leaving_ && is_empty()) {
                engine_.outlet_emptied();
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

void Uplink::settled(const model::Uuid& object, store::Outcome outcome) {
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
        queue_.rest(*upload, engine_.clock().steady() + tell_again);
    }
    if (leaving_ && is_empty()) {
        engine_.outlet_emptied();
    }
}

void Uplink::probe_now() {
    gate_.probe_now(engine_.clock().steady());
    queue_.wake_all();
    kick();
}

void Uplink::cut(bool waiting) {
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

void Uplink::kick() {
    if (kicking_) {
        return;
    }
    if (queue_.empty() && slots_.empty()) {
        publish();
        return;
    }
    kicking_ = true;
    const auto now = engine_.clock().steady();
    queue_.wake(now);
    close_idle(now);
    if (!retired_ && engine_.may_send()) {
        expire();
        // An attempt may end before begin_one() returns, and with it the permission to send.
        while (target_ && engine_.may_send() && begin_one(now)) {
        }
    }
    kicking_ = false;
    publish();
    if (!retired_ && !engine_.stopping()) {
        arm(now);
    }
}

void Uplink::expire() {
    const auto now = engine_.clock().wall();
    while (settling_ < max_settling) {
        auto* upload = queue_.expired(now);
        if (upload == nullptr) {
            break;
        }
        metrics_.uploads(metrics::Upload::expired).add();
        refuse(*upload, {upload->last_status, store::Refusal::Kind::expired, {}});
    }
}

bool Uplink::begin_one(Gate::Time now) {
    const auto most = target_->destination.options.upload_connections;
    if (running_ >= most || settling_ >= max_settling || !gate_.may_start(now, running_)) {
        return false;
    }
    auto* upload = queue_.take(running_large_ < most - reserved(most));
    if (upload == nullptr && gate_.mode() != Gate::Mode::open) {
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
    engine_.worker_began();
    asio::co_spawn(engine_.executor(), run(engine_.shared_from_this(), shared_from_this(), &slot, gate_.start()),
                   asio::detached);
    return true;
}

Uplink::Slot& Uplink::idle_slot() {
    Slot* found = nullptr;
    for (const auto& slot : slots_) {
        if (slot->upload == nullptr && (found == nullptr || (slot->connection && slot->connection->is_open()))) {
            found = slot.get();
        }
    }
    return found != nullptr ? *found : *slots_.emplace_back(std::make_unique<Slot>());
}

void Uplink::close_idle(Gate::Time now) {
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

void Uplink::arm(Gate::Time now) {
    Earliest times(now);
    if (gate_.mode() != Gate::Mode::open && !gate_.probing() && queue_.waiting() > 0) {
        times.consider(gate_.resume_at());
    }
    if (const auto due = queue_.next_due()) {
        times.consider(*due);
    }
    if (const auto deadline = queue_.next_deadline()) {
        const auto left = std::chrono::microseconds(deadline->micros() - engine_.clock().wall().micros());
        times.consider(now + std::min<std::chrono::microseconds>(left, look_at_deadlines));
    }
    for (const auto& slot : slots_) {
        if (slot->upload == nullptr) {
            times.consider(slot->idle_since + idle_close);
        }
    }
    alarm_.set(times, weak_from_this());
}

// -- One attempt ------------------------------------------------------------------------------------------------------

asio::awaitable<void> Uplink::run(std::shared_ptr<Engine> engine, std::shared_ptr<Uplink> self, Slot* slot,
                                  Ticket ticket) {
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
        engine->outlet_emptied();
    }
    engine->worker_ended();
}

bool Uplink::may_go_on(const Slot& slot, const Ticket& ticket) const {
    return !slot.upload->withdrawn && !retired_ && engine_.may_send() && gate_.is_current(ticket);
}

std::chrono::milliseconds Uplink::continue_timeout(const Slot& slot, const Ticket& ticket) const {
    const auto left = slot.upload->object.deadline.micros() - engine_.clock().wall().micros();
    const auto& binary = slot.target->destination.options.binary;
    std::chrono::milliseconds most = binary ? binary->continue_timeout : config::Binary{}.continue_timeout;
    if (ticket.probe) {  // all others wait for it
        most = std::min<std::chrono::milliseconds>(most, slot.target->destination.options.timeout);
    }
    return std::max(std::min(most, std::chrono::milliseconds(left / 1000)), std::chrono::milliseconds(1));
}

asio::awaitable<Uplink::Ended> Uplink::attempt(Slot& slot, Ticket ticket) {
    Ended ended;
    slot.target = target_;
    auto found = engine_.loader().reader().object(slot.upload->object.id);
    if (!found) {
        engine_.read_failed(name_, found.error());
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
        if (engine_.stopping()) {
            co_return ended;
        }
        const auto connected = co_await connect(slot, *url);
        if (!connected) {
            if (!engine_.stopping()) {
                ended.kind = Ended::Kind::judged;
                ended.verdict = judge_upload(connected.error());
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
            ended.verdict = judge_upload(*outcome, engine_.clock().wall());
            co_return ended;
        }
        const auto& failure = outcome.error();
        if (failure.kind == http::FailureKind::cancelled || slot.upload->withdrawn || engine_.stopping()) {
            co_return ended;  // cut by ourselves: says nothing about the LEA
        }
        if (!failure.reused || failure.kind != http::FailureKind::closed || slot.given > 0) {
            ended.kind = Ended::Kind::judged;
            ended.verdict = judge_upload(failure);
            co_return ended;
        }
        // The LEA closed a connection that had been idle. A fresh one, which is not `reused`, and its failure counts.
        metrics_.uploads(metrics::Upload::disconnected).add();
    }
}

asio::awaitable<http::ClientResult<void>> Uplink::connect(Slot& slot, const http::Url& url) {
    if (!slot.connection || slot.generation != generation_ || !same_origin(slot.origin, url)) {
        if (slot.connection) {
            slot.connection->close();
            sync_connection(slot);
        }
        slot.origin = url;
        slot.generation = generation_;
        slot.connection.emplace(engine_.executor(), url, slot.target->destination.tls, slot.target->connection);
    }
    auto connected = co_await slot.connection->connect();
    sync_connection(slot);
    co_return connected;
}

asio::awaitable<http::ClientResult<http::ExpectOutcome>> Uplink::post(Slot& slot, const store::StoredObject& object,
                                                                      const http::Url& url, Ticket ticket) {
    UploadSource source({engine_.executor(), engine_.workers(), engine_.objects(), object.sealed, pump_,
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
    asio::steady_timer patience(engine_.executor());
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

void Uplink::wanted(Slot& slot, const Ticket& ticket) {
    slot.body_wanted = true;
    if (gate_.answered(ticket, engine_.clock().steady())) {
        queue_.wake_all();
        report_.log(name_, {});
        asio::post(engine_.executor(),
                   [self = shared_from_this(), engine = engine_.shared_from_this()] { self->kick(); });
    }
}

void Uplink::waits_long(const Ticket& ticket) {
    gate_.reached(ticket, engine_.clock().steady());  // no probe waits for so long: opens nothing
    kick();
}

// -- What came of it --------------------------------------------------------------------------------------------------

void Uplink::finish(Slot& slot, const Ticket& ticket, const Ended& ended) {
    auto& upload = *slot.upload;
    slot.upload = nullptr;
    slot.target.reset();
    slot.idle_since = engine_.clock().steady();
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
    gate_.ended(ticket);
    report_.log(name_, ended.verdict.problem);
}

void Uplink::settle(Upload& upload, const Ticket& ticket, const Ended& ended) {
    const auto now = engine_.clock().steady();
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
            opened = gate_.accepted(ticket);
            delivered(upload, ended);
            break;
        case UploadOutcome::early:
            if (const auto& binary = target_ ? target_->destination.options.binary : std::nullopt;
                binary && binary->early_success == config::EarlySuccess::delivered) {
                opened = gate_.accepted(ticket);
                delivered(upload, ended);
                break;
            }
            [[fallthrough]];
        case UploadOutcome::refused:
            opened = gate_.answered(ticket, now);
            refused(upload, ticket, verdict);
            break;
        case UploadOutcome::later:
            opened = verdict.status != 0 ? gate_.answered(ticket, now) : gate_.reached(ticket, now);
            later(upload, verdict);
            break;
        case UploadOutcome::unavailable:
            gate_.failed(ticket, key_of(upload), now, jitter_dice());
            later(upload, verdict);
            break;
        case UploadOutcome::busy:
            gate_.held(ticket, verdict.retry_after.value_or(std::chrono::seconds(0)), now, jitter_dice());
            queue_.again(upload);
            break;
        case UploadOutcome::unreachable:
            gate_.unreachable(ticket, now, jitter_dice());
            queue_.again(upload);
            break;
        case UploadOutcome::credentials:
            gate_.pause(ticket, Gate::Cause::credentials, now);
            queue_.again(upload);
            break;
        case UploadOutcome::tls:
            gate_.pause(ticket, Gate::Cause::tls, now);
            queue_.again(upload);
            break;
        case UploadOutcome::unreadable:
            spdlog::error("binary object cannot be read destination={} item={}", name_, ended.item.to_string());
            if (ticket.probe) {
                gate_.unreachable(ticket, now, jitter_dice());  // or it would be the next probe, at once
            }
            later(upload, verdict);
            break;
    }
    if (opened) {
        queue_.wake_all();
    }
}

void Uplink::delivered(Upload& upload, const Ended& ended) {
    const auto now = engine_.clock().wall();
    if (ended.item_taken) {
        const auto took = now.micros() - ended.item_taken->micros();
        metrics_.object_seconds.observe(static_cast<double>(std::max<std::int64_t>(took, 0)) / 1e6);
    }
    board_->last_success_micros.store(now.micros(), std::memory_order_relaxed);
    queue_.settle(upload);
    ++settling_;
    const ObjectEvent told{ObjectEvent::Kind::settled, {}, upload.object, {}};
    engine_.objects().pushed(upload.object.id, [events = engine_.object_events(), told](store::Outcome outcome) {
        auto event = told;
        event.outcome = outcome;
        events->put(event);
    });
}

void Uplink::refused(Upload& upload, const Ticket& ticket, const UploadVerdict& verdict) {
    if (gate_.refused(ticket, verdict.status, false, engine_.clock().steady())) {
        refuse(upload, {verdict.status, store::Refusal::Kind::http_status, {}});
    } else {  // all are refused so: the LEA is to blame, not the object
        queue_.again(upload);
    }
}

void Uplink::refuse(Upload& upload, store::Refusal refusal) {
    queue_.settle(upload);
    ++settling_;
    const ObjectEvent told{ObjectEvent::Kind::settled, {}, upload.object, {}};
    engine_.objects().refused(upload.object.id, std::move(refusal),
                              [events = engine_.object_events(), told](store::Outcome outcome) {
                                  auto event = told;
                                  event.outcome = outcome;
                                  events->put(event);
                              });
}

void Uplink::later(Upload& upload, const UploadVerdict& verdict) {
    upload.failures = static_cast<std::uint16_t>(std::min(upload.failures + 1, 1000));
    const auto retry = target_ ? target_->destination.options.retry : config::Retry{};
    const std::chrono::milliseconds wait =
        std::max<std::chrono::milliseconds>(back_off(upload.failures, retry.initial, retry.maximum, jitter_dice()),
                                            verdict.retry_after.value_or(std::chrono::seconds(0)));
    queue_.rest(upload, engine_.clock().steady() + wait);
}

// -- What others see --------------------------------------------------------------------------------------------------

void Uplink::publish() {
    board_->waiting.store(queue_.waiting(), std::memory_order_relaxed);
    board_->in_flight.store(running_, std::memory_order_relaxed);
    report_.publish();
}

void Uplink::sync_connection(Slot& slot) {
    slot.counted.note(slot.connection && slot.connection->is_open(), metrics_.connections, board_->connections);
}

}  // namespace lihandover::delivery
