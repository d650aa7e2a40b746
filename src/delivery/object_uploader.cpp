#include "object_uploader.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <string_view>
#include <utility>

#include "answer_classifier.hpp"
#include "back_off.hpp"
#include "connector_settings.hpp"
#include "lihandover/base/invariant.hpp"

namespace lihandover::delivery {

namespace asio = boost::asio;

namespace {

/// Deadlines are times of day: looked at so often at least, since that clock may be set.
constexpr std::chrono::minutes look_at_deadlines(1);
constexpr std::chrono::minutes look_at_slow(1);

bool same_origin(const http::Url& a, const http::Url& b) {
    return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

/// It came before all of the object was sent, on a connection that had carried another: it may be a late double of the
/// answer to that one. A fresh connection has none.
bool may_be_another_answer(const http::ExpectOutcome& outcome) {
    const bool success = outcome.answer.status >= 200 && outcome.answer.status < 300;
    return outcome.answer.reused && (!outcome.body_sent || (success && !outcome.complete));
}

/// Calls back unless it has gone before.
class Patience {
  public:
    Patience(const asio::any_io_executor& executor, std::chrono::milliseconds wait, std::function<void()> call)
        : timer_(executor, wait), state_(std::make_shared<std::function<void()>>(std::move(call))) {
        // A timer that has rung cannot be called back: hence the state.
        timer_.async_wait([weak = std::weak_ptr(state_)](const boost::system::error_code& error) {
            if (const auto state = weak.lock(); state && !error) {
                (*state)();
            }
        });
    }
    Patience(const Patience&) = delete;
    Patience& operator=(const Patience&) = delete;
    ~Patience() = default;

  private:
    asio::steady_timer timer_;
    std::shared_ptr<std::function<void()>> state_;
};

}  // namespace

ObjectUploader::ObjectUploader(UploaderParts parts, std::string name)
    : parts_(std::move(parts)),
      name_(std::move(name)),
      metrics_(parts_.metrics.destination(name_)),
      board_(std::make_shared<StatusBoard>(name_)),
      report_(uploads_.health(), *board_, parts_.clock,
              {"uploads resumed", "uploads back off", "uploads paused", "uploads told to wait"}),
      pump_(std::make_shared<Pump>(parts_.executor, parts_.clock)),
      wake_timer_(parts_.executor) {}

ObjectUploader::~ObjectUploader() = default;

// -- Settings and events ----------------------------------------------------------------------------------------------

void ObjectUploader::configure(std::shared_ptr<const Target> target) {
    leaving_ = false;
    const auto& options = target->destination.options;
    const bool other_end = !target_ || !same_connections(target_->destination, target->destination);
    target_ = std::move(target);
    const bool early = options.binary && options.binary->early_success == config::EarlySuccess::delivered;
    uploads_.set_policy({options.retry.initial, options.retry.maximum, options.upload_connections, early});
    pump_->limit(options.upload_bandwidth);
    if (other_end) {
        ++generation_;
        cut(true);  // what has sent nothing of its object goes the new way
        connectors_.clear();
        uploads_.other_end(now());
    }
}

void ObjectUploader::retire() {
    retired_ = true;
    wake_timer_.cancel();
    for (const auto& slot : slots_) {
        if (slot->upload == nullptr) {
            drop_connection(*slot);
        }
    }
}

void ObjectUploader::left() {
    if (leaving_ && is_empty()) {
        parts_.emptied();
    }
}

void ObjectUploader::lose(const store::LostLanes& lost) {
    for (const model::Uuid& object : uploads_.of_lanes(lost)) {
        withdraw(object);
    }
}

bool ObjectUploader::withdraw(const model::Uuid& object) {
    auto* upload = uploads_.find(object);
    if (upload == nullptr) {
        return false;
    }
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
    uploads_.withdraw(*upload);
    left();
    return true;
}

void ObjectUploader::settled(const model::Uuid& object, store::Outcome outcome) {
    uploads_.settled(object, outcome, now());
    left();
}

void ObjectUploader::probe_now() {
    uploads_.probe_now(now());
    kick();
}

void ObjectUploader::pause() {
    uploads_.pause();
    report_.log(name_, "an operator asked for it");
    publish();
}

void ObjectUploader::resume() {
    uploads_.resume(now());
    report_.log(name_, {});
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

bool ObjectUploader::may_send() const {
    return target_ && !retired_ && parts_.guard.may_send() && parts_.outbox.has_room() && now() >= lapsed_until_;
}

void ObjectUploader::kick() {
    if (kicking_) {
        return;
    }
    if (uploads_.empty() && slots_.empty()) {
        publish();
        return;
    }
    kicking_ = true;
    const auto at = now();
    uploads_.wake(at);
    close_idle(at);
    cut_slow();
    if (!retired_ && parts_.guard.may_send() && parts_.outbox.has_room()) {
        expire();
        // An attempt may end before begin_one() returns, and with it the permission to send.
        while (may_send() && begin_one(at)) {
        }
    }
    kicking_ = false;
    publish();
    if (!retired_ && !parts_.guard.stopping()) {
        arm(at);
    }
}

void ObjectUploader::expire() {
    const auto passed = parts_.clock.passed();
    while (auto* upload = uploads_.expired(passed)) {
        uploads_.expire(*upload, *this);
    }
}

bool ObjectUploader::begin_one(Time at) {
    auto* slot = idle_slot();
    const bool connected = slot != nullptr && slot->is_open();
    if (!uploads_.may_begin(at) || !(connected || uploads_.may_connect(connections(), at))) {
        return false;
    }
    Ticket ticket;
    auto* upload = uploads_.next(at, ticket);
    if (upload == nullptr) {
        return false;
    }
    if (slot == nullptr) {
        slot = slots_.emplace_back(std::make_unique<Slot>()).get();
    }
    slot->upload = upload;
    slot->body_wanted = slot->asked = false;
    slot->given = 0;
    slot->too_slow = false;
    if (parts_.tasks.spawn(run(shared_from_this(), slot, ticket))) {
        return true;
    }
    finish(*slot, ticket, {});  // delivery is ending
    return false;
}

ObjectUploader::Slot* ObjectUploader::idle_slot() const {
    Slot* found = nullptr;
    for (const auto& slot : slots_) {
        if (slot->upload == nullptr && (found == nullptr || slot->is_open())) {
            found = slot.get();
        }
    }
    return found;
}

unsigned ObjectUploader::connections() const {
    return static_cast<unsigned>(
        std::ranges::count_if(slots_, [](const auto& slot) { return slot->upload != nullptr || slot->is_open(); }));
}

unsigned ObjectUploader::working(const Slot& but, bool busy) const {
    return static_cast<unsigned>(std::ranges::count_if(slots_, [&](const auto& slot) {
        return slot.get() != &but && slot->works() && (!busy || slot->source != nullptr);
    }));
}

void ObjectUploader::drop_connection(Slot& slot) {
    if (slot.connection) {
        slot.connection->close();
        slot.connection.reset();
    }
    slot.proven = false;
    sync_connection(slot);
}

void ObjectUploader::close_idle(Time at) {
    std::erase_if(slots_, [&](const auto& slot) {
        if (slot->upload != nullptr ||
            (slot->is_open() && !retired_ && slot->generation == generation_ && at - slot->idle_since < idle_close)) {
            return false;
        }
        drop_connection(*slot);
        return true;
    });
}

void ObjectUploader::cut_slow() {
    for (const auto& slot : slots_) {
        if (slot->source == nullptr || !slot->body_wanted || slot->too_slow) {
            continue;
        }
        const auto& options = slot->target->destination.options;
        auto time = std::max<Milliseconds>(PeerPace::window, options.timeout);
        if (slot->source->given_whole()) {  // it may be waited for with its answer
            time += answer_timeout(options.timeout, slot->source->given());
        }
        if (slot->source->is_too_slow(time)) {
            spdlog::warn("an upload was ended: the LEA took next to nothing of it destination={}", name_);
            slot->too_slow = true;
            slot->source->cancel();
            slot->connection->close();
        }
    }
}

void ObjectUploader::arm(Time at) {
    Earliest times(at);
    if (const auto next = uploads_.next_event(at)) {
        times.consider(*next);
    }
    if (const auto deadline = uploads_.next_deadline()) {
        const auto left = std::chrono::microseconds(deadline->micros() - parts_.clock.passed().micros());
        times.consider(at + std::min<std::chrono::microseconds>(left, look_at_deadlines));
    }
    times.consider(lapsed_until_);
    for (const auto& slot : slots_) {
        if (slot->upload == nullptr) {
            times.consider(slot->idle_since + idle_close);
        } else if (slot->source != nullptr && slot->body_wanted) {
            times.consider(at + look_at_slow);
        }
    }
    wake_timer_.set(times, weak_from_this());
}

// -- One attempt ------------------------------------------------------------------------------------------------------

asio::awaitable<void> ObjectUploader::run(std::shared_ptr<ObjectUploader> self, Slot* slot, Ticket ticket) {
    Ended ended;
    try {
        ended = co_await self->attempt(*slot, ticket);
    } catch (const std::exception&) {  // out of memory, most likely
        spdlog::error("upload failed destination={}", self->name_);
        slot->connection.reset();
        ended.kind = Ended::Kind::classified;
    }
    slot->source = nullptr;
    try {
        self->finish(*slot, ticket, std::move(ended));
        self->kick();
    } catch (const std::exception&) {  // the object is left alone until the next start, where it is found again
        spdlog::error("upload failed destination={}", self->name_);
    }
    self->left();
}

bool ObjectUploader::may_go_on(const Slot& slot, const Ticket& ticket) {
    return !slot.upload->withdrawn && may_send() && uploads_.is_wanted(ticket) && is_held(*slot.upload);
}

bool ObjectUploader::is_held(const Upload& upload) {
    const auto hold = parts_.guard.hold(upload.object.lane);
    if (hold != SendGuard::Hold::held) {
        // One that is lost is about to be told of.
        lapsed_until_ = now() + SendGuard::look_at_lapsed;
    }
    return hold == SendGuard::Hold::held;
}

std::chrono::milliseconds ObjectUploader::continue_timeout(const Slot& slot, const Ticket& ticket) const {
    const auto left = slot.upload->object.deadline.micros() - parts_.clock.passed().micros();
    const auto& binary = slot.target->destination.options.binary;
    Milliseconds most = binary ? binary->continue_timeout : config::Binary{}.continue_timeout;
    if (ticket.probe && !uploads_.is_stalled(now())) {  // all others wait for it
        most = std::min<Milliseconds>(most, slot.target->destination.options.timeout);
    }
    return std::max(std::min(most, Milliseconds(left / 1000)), Milliseconds(1));
}

asio::awaitable<ObjectUploader::Ended> ObjectUploader::attempt(Slot& slot, Ticket ticket) {
    Ended ended;
    slot.target = target_;
    if (!is_held(*slot.upload)) {
        co_return ended;
    }
    auto found = parts_.objects.find_object(slot.upload->object.id);
    if (!found) {
        parts_.guard.read_failed(name_, found.error());
        co_return ended;
    }
    if (!*found ||
        ((*found)->state != store::ObjectState::queued && (*found)->state != store::ObjectState::set_aside) ||
        (*found)->model != model::BinaryModel::b) {
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
        ended.kind = Ended::Kind::classified;
        ended.attempt.answer.outcome = UploadOutcome::unreadable;
        ended.attempt.not_now = object.unreadable_now;
        ended.attempt.answer.metric = metrics::Upload::unreadable;
        co_return ended;
    }
    const auto url = http::parse_url(object.described.url);
    if (!url) {
        ended.kind = Ended::Kind::unusable;
        co_return ended;
    }
    if (ticket.probe) {  // on a fresh connection: the one there is may lead to the one node that is broken
        drop_connection(slot);
    }
    co_await send(slot, ticket, object, *url, ended);
    co_return ended;
}

asio::awaitable<void> ObjectUploader::send(Slot& slot, Ticket ticket, const store::StoredObject& object,
                                           const http::Url& url, Ended& ended) {
    for (;;) {
        if (parts_.guard.stopping()) {
            co_return;
        }
        slot.target = target_;
        // What goes to an LEA over TLS goes over TLS, whatever the template became.
        if (url.secure() != (slot.target->destination.tls != nullptr)) {
            ended.kind = Ended::Kind::unusable;
            co_return;
        }
        if (object.sealed->size() == 0) {
            drop_connection(slot);  // no 100 shows that the answer is to this object
        }
        const auto connected = co_await connect(slot, url);
        if (slot.generation != generation_) {
            continue;  // a reload has changed where or as whom to connect
        }
        if (!connected) {
            if (!parts_.guard.stopping()) {
                classify(slot, connected.error(), ended);
            }
            co_return;
        }
        // Connecting takes its time: somebody may have learnt meanwhile that nothing should be sent.
        if (!may_go_on(slot, ticket)) {
            co_return;
        }
        ended.attempt.proven = ended.attempt.proven || slot.proven;
        ended.attempt.fresh = slot.connection->exchanges() == 0;
        ended.attempt.busy = working(slot, true);
        const auto outcome = co_await post(slot, object, url, ticket);
        if (outcome && may_be_another_answer(*outcome)) {
            wasted(slot.given);
            drop_connection(slot);
            continue;
        }
        if (outcome) {
            classify(slot, *outcome, ended);
            co_return;
        }
        auto failure = outcome.error();
        if (slot.too_slow && !slot.upload->withdrawn) {
            failure.kind = http::FailureKind::timeout;  // by ourselves, and all the same the LEA's fault
        }
        if (failure.kind == http::FailureKind::cancelled || slot.upload->withdrawn || parts_.guard.stopping()) {
            co_return;  // cut by ourselves: says nothing about the LEA
        }
        if (!failure.reused || failure.kind != http::FailureKind::closed || slot.given > 0) {
            classify(slot, failure, ended);
            co_return;
        }
        // The LEA closed a connection that had been idle. A fresh one, which is not `reused`, and its failure counts.
        metrics_.uploads(metrics::Upload::disconnected).add();
        drop_connection(slot);
    }
}

void ObjectUploader::classify(const Slot& slot, const http::ExpectOutcome& outcome, Ended& ended) const {
    ended.kind = Ended::Kind::classified;
    ended.attempt.answer = classify_upload(outcome, parts_.clock.wall());
    ended.attempt.keeps_connection = slot.is_open();
}

void ObjectUploader::classify(const Slot& slot, const http::Failure& failure, Ended& ended) const {
    ended.kind = Ended::Kind::classified;
    ended.attempt.answer = classify_upload(failure);
    ended.attempt.closed_at_once =
        ended.attempt.fresh && failure.kind == http::FailureKind::closed && !slot.asked && slot.given == 0;
}

asio::awaitable<http::ClientResult<void>> ObjectUploader::connect(Slot& slot, const http::Url& url) {
    if (slot.is_open() && slot.generation == generation_ && same_origin(slot.origin, url)) {
        co_return http::ClientResult<void>{};
    }
    drop_connection(slot);
    slot.origin = url;
    slot.generation = generation_;
    const auto connector = connector_to(*slot.target, url);  // kept: a reload may drop it meanwhile
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
        connector = std::make_shared<http::Connector>(parts_.executor, url, target.destination.tls, std::move(options));
    }
    return connector;
}

asio::awaitable<http::ClientResult<http::ExpectOutcome>> ObjectUploader::post(Slot& slot,
                                                                              const store::StoredObject& object,
                                                                              const http::Url& url, Ticket ticket) {
    UploadSource source({parts_.executor, parts_.workers, parts_.clock, parts_.objects, object.sealed, pump_,
                         slot.upload->small(), slot.upload->object.emergency, metrics_.upload_bytes,
                         [this, &slot, ticket] { wanted(slot, ticket); }});
    slot.source = &source;
    slot.body_wanted = object.sealed->size() == 0;
    slot.asked = false;
    slot.wanted_at = now();
    const std::array<http::Field, 1> fields = {{{"Content-Type", safe_content_type(object.described.content_type)}}};
    http::Request request;
    request.target = url.target;
    request.fields = fields;
    request.answer_timeout = answer_timeout(slot.target->destination.options.timeout, object.sealed->size());
    const auto wait = continue_timeout(slot, ticket);
    const Milliseconds timeout = slot.target->destination.options.timeout;
    std::optional<Patience> patience;
    if (!slot.body_wanted && wait > timeout) {
        patience.emplace(parts_.executor, timeout, [this, &slot, ticket] {
            if (!slot.body_wanted) {
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
    slot.body_wanted = slot.asked = true;
    slot.wanted_at = now();
    if (!retired_ && !parts_.guard.stopping()) {
        arm(slot.wanted_at);
    }
    if (uploads_.asked_for_body(ticket)) {
        report_.log(name_, {});
        asio::post(parts_.executor, [self = shared_from_this()] { self->kick(); });
    }
}

void ObjectUploader::waits_long(const Ticket& ticket) {
    uploads_.waits_long(ticket);
    kick();
}

// -- What came of it --------------------------------------------------------------------------------------------------

void ObjectUploader::finish(Slot& slot, const Ticket& ticket, Ended ended) {
    auto& upload = *slot.upload;
    slot.upload = nullptr;
    slot.target.reset();
    const auto at = slot.idle_since = now();
    switch (ended.kind) {
        case Ended::Kind::classified:
            ended.attempt.ticket = ticket;
            settle(slot, upload, ended);
            break;
        case Ended::Kind::gone:
            uploads_.gone(upload, ticket, at);
            break;
        case Ended::Kind::unusable:
            uploads_.unusable(upload, ticket, at, *this);
            break;
        case Ended::Kind::put_back:
            uploads_.put_back(upload, ticket, at);
            break;
    }
    sync_connection(slot);
    report_.log(name_, ended.attempt.answer.problem);
}

void ObjectUploader::settle(Slot& slot, Upload& upload, Ended& ended) {
    auto& attempt = ended.attempt;
    attempt.given = slot.given;
    attempt.took = std::chrono::duration_cast<Milliseconds>(slot.idle_since - slot.wanted_at);
    attempt.others = working(slot, false);
    attempt.busy = std::max(attempt.busy, working(slot, true));
    attempt.now = slot.idle_since;
    attempt.dice = jitter_dice();
    if (attempt.answer.outcome == UploadOutcome::unreadable && !upload.withdrawn) {
        spdlog::error("binary object cannot be read destination={} item={}", name_, ended.item.to_string());
    }
    slot.proven = attempt.answer.outcome == UploadOutcome::delivered;
    if (!slot.proven) {
        drop_connection(slot);
    }
    if (!uploads_.settle(upload, attempt, *this)) {
        return;
    }
    const auto wall = parts_.clock.wall();
    board_->last_success_micros.store(wall.micros(), std::memory_order_relaxed);
    if (ended.item_taken) {
        const auto took = wall.micros() - ended.item_taken->micros();
        metrics_.object_seconds.observe(static_cast<double>(std::max<std::int64_t>(took, 0)) / 1e6);
    }
}

void ObjectUploader::delivered(const Upload& upload, bool already_there) {
    if (already_there) {
        spdlog::info("the LEA has the binary object from an earlier attempt destination={} object={} code={}", name_,
                     upload.object.id.to_string(), upload.last_status);
    }
    parts_.objects.pushed(upload.object.id, settled_event(upload));
}

store::Done ObjectUploader::settled_event(const Upload& upload) const {
    const ObjectEvent told{ObjectEvent::Kind::settled, {}, upload.object, {}, {}};
    return [events = parts_.events, told](store::Outcome outcome) {
        auto event = told;
        event.outcome = outcome;
        events->put(event);
    };
}

void ObjectUploader::refused(const Upload& upload, store::Refusal refusal) {
    parts_.objects.refused(upload.object.id, std::move(refusal), settled_event(upload));
}

void ObjectUploader::set_aside(const Upload& upload, store::Refusal refusal, std::string_view why) {
    spdlog::warn("binary object set aside, {} destination={} object={} code={}", why, name_,
                 upload.object.id.to_string(), refusal.code);
    // Where this does not reach the disk, the next start finds it queued, and it is convicted once more.
    parts_.objects.set_aside(upload.object.id, std::move(refusal), [](store::Outcome) {});
}

void ObjectUploader::suspected(const Upload& upload) {
    spdlog::warn("binary object fails where others are taken destination={} object={}", name_,
                 upload.object.id.to_string());
}

// -- What others see --------------------------------------------------------------------------------------------------

void ObjectUploader::publish() {
    board_->waiting.store(uploads_.waiting(), std::memory_order_relaxed);
    board_->in_flight.store(uploads_.running(), std::memory_order_relaxed);
    board_->connection_limit.store(uploads_.connection_limit().limit(), std::memory_order_relaxed);
    if (const auto version = uploads_.version(); version != published_) {
        published_ = version;
        const auto& suspects = uploads_.suspects();
        board_->set_suspects(suspects.ids(StatusBoard::named_at_most), suspects.count(),
                             uploads_.set_aside_ids(StatusBoard::named_at_most), uploads_.set_aside_count());
    }
    report_.publish();
}

void ObjectUploader::sync_connection(Slot& slot) {
    slot.counted.note(slot.is_open(), metrics_.connections, board_->connections);
}

}  // namespace lihandover::delivery
