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

constexpr std::chrono::seconds idle_close(50);
/// Deadlines are times of day: looked at so often at least, since that clock may be set.
constexpr std::chrono::minutes look_at_deadlines(1);
constexpr std::chrono::minutes look_at_slow(1);
constexpr std::chrono::seconds tell_again(1);
/// Told to the store and not on disk yet. Beyond, nothing begins.
constexpr std::size_t max_settling = 4096;
/// A body that was sent for nothing is sent again after so many times as long as it took, doubled each time.
constexpr int waste_distance = 4;
constexpr std::chrono::hours longest_distance(1);
/// Objects that are set aside are tried again at distances from so many times `retry.initial` on.
constexpr int set_aside_distance = 64;
/// Our own copy is read so often, running, before its object is set aside: a disk may fail once.
constexpr std::uint8_t most_unreadable = 3;
/// Objects that are put off are no failure; but where all of them are for so long, it is an alarm.
constexpr std::chrono::hours longest_put_off(1);
constexpr std::size_t named_at_most = 100;

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
      health_(DestinationHealth::Policy{}),
      report_(health_, *board_, parts_.clock,
              {"uploads resumed", "uploads back off", "uploads paused", "uploads told to wait"}),
      pump_(std::make_shared<Pump>(parts_.executor, parts_.clock)),
      wake_timer_(parts_.executor) {}

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
        cut(true);  // what has sent nothing of its object goes the new way
        connectors_.clear();
        health_.probe_now(now());
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

void ObjectUploader::add(const store::QueuedObject& object, bool set_aside) {
    auto& upload = queue_.add(object);
    if (set_aside && upload.state == Upload::State::ready) {
        upload.set_aside = true;
        set_aside_.emplace(upload.number, object.id);
        ++set_aside_version_;
    } else if (!upload.set_aside && set_aside_.erase(upload.number) > 0) {  // an operator's retry
        ++set_aside_version_;
    }
}

void ObjectUploader::forget(Upload& upload) {
    suspects_.forget(upload.number);
    if (set_aside_.erase(upload.number) > 0) {
        ++set_aside_version_;
    }
    queue_.erase(upload);
    if (queue_.empty()) {
        put_off_since_.reset();
    }
}

void ObjectUploader::left() {
    if (leaving_ && is_empty()) {
        parts_.emptied();
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
            forget(*upload);
            left();
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
    LIHANDOVER_INVARIANT(settling_ > 0, "what the store was told it answers once");
    --settling_;
    if (upload->withdrawn || (outcome == store::Outcome::committed && !upload->again)) {
        forget(*upload);
    } else if (upload->again) {
        queue_.again(*upload);  // a retry of the same commit was heard of before its answer
    } else {
        queue_.rest(*upload, now() + tell_again);
    }
    left();
}

void ObjectUploader::probe_now() {
    health_.probe_now(now());
    queue_.wake_all();
    kick();
}

void ObjectUploader::pause() {
    health_.pause();
    report_.log(name_, "an operator asked for it");
    publish();
}

void ObjectUploader::resume() {
    health_.resume(now());
    queue_.wake_all();
    queue_.wake_set_aside();
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
    return target_ && !retired_ && parts_.guard.may_send() && parts_.outbox.has_room();
}

bool ObjectUploader::is_stalled() const {
    return put_off_since_ && now() - *put_off_since_ >= longest_put_off;
}

void ObjectUploader::kick() {
    if (kicking_) {
        return;
    }
    if (queue_.empty() && slots_.empty()) {
        publish();
        return;
    }
    kicking_ = true;
    const auto at = now();
    queue_.wake(at);
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
    while (settling_ < max_settling) {
        auto* upload = queue_.expired(passed);
        if (upload == nullptr) {
            break;
        }
        metrics_.uploads(metrics::Upload::expired).add();
        refuse(*upload, {upload->last_status, store::Refusal::Kind::expired, {}});
    }
}

Upload* ObjectUploader::next_upload() {
    const auto most = target_->destination.options.upload_connections;
    const auto most_large = front_buffers_ ? 1 : most - reserved(most);
    auto* upload = queue_.take(running_large_ < most_large);
    if (health_.is_open() || (upload != nullptr && !upload->set_aside)) {
        return upload;
    }
    // A probe with one that is disliked anyway tells least.
    auto* other = queue_.take_resting();
    if (other != nullptr && upload != nullptr) {
        queue_.again(*upload);
    }
    return other != nullptr ? other : upload;
}

bool ObjectUploader::may_probe_early(Time at) const {
    return queue_.ready_small() + queue_.ready_large() > 0 && health_.may_probe_early(at, running_);
}

bool ObjectUploader::begin_one(Time at) {
    if (running_ >= target_->destination.options.upload_connections || settling_ >= max_settling ||
        !(health_.may_start(at, running_) || may_probe_early(at))) {
        return false;
    }
    auto* upload = next_upload();
    if (upload == nullptr) {
        return false;
    }
    auto& slot = idle_slot();
    slot.upload = upload;
    slot.body_wanted = false;
    slot.given = 0;
    slot.too_slow = false;
    ++running_;
    running_large_ += upload->small() ? 0 : 1;
    const auto ticket = health_.start(at);
    if (parts_.tasks.spawn(run(shared_from_this(), &slot, ticket))) {
        return true;
    }
    finish(slot, ticket, {});  // delivery is ending
    return false;
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

void ObjectUploader::drop_connection(Slot& slot) {
    if (slot.connection) {
        slot.connection->close();
        slot.connection.reset();
    }
    slot.proven = false;
    sync_connection(slot);
}

bool ObjectUploader::has_standing_connection() const {
    return std::ranges::any_of(
        slots_, [](const auto& slot) { return slot->connection && slot->connection->is_open() && slot->proven; });
}

void ObjectUploader::close_idle(Time at) {
    std::erase_if(slots_, [&](const auto& slot) {
        if (slot->upload != nullptr || (slot->connection && slot->connection->is_open() && !retired_ &&
                                        slot->generation == generation_ && at - slot->idle_since < idle_close)) {
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
    if (health_.mode() != DestinationHealth::Mode::open && queue_.waiting() > 0) {
        times.consider(health_.resume_at());
        times.consider(health_.early_at());
    }
    if (const auto due = queue_.next_due()) {
        times.consider(*due);
    }
    if (const auto deadline = queue_.next_deadline()) {
        const auto left = std::chrono::microseconds(deadline->micros() - parts_.clock.passed().micros());
        times.consider(at + std::min<std::chrono::microseconds>(left, look_at_deadlines));
    }
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
        self->finish(*slot, ticket, ended);
        self->kick();
    } catch (const std::exception&) {  // the object is left alone until the next start, where it is found again
        spdlog::error("upload failed destination={}", self->name_);
    }
    self->left();
}

bool ObjectUploader::may_go_on(const Slot& slot, const Ticket& ticket) const {
    return !slot.upload->withdrawn && may_send() && !health_.held() && (health_.is_open() || ticket.probe);
}

std::chrono::milliseconds ObjectUploader::continue_timeout(const Slot& slot, const Ticket& ticket) const {
    const auto left = slot.upload->object.deadline.micros() - parts_.clock.passed().micros();
    const auto& binary = slot.target->destination.options.binary;
    Milliseconds most = binary ? binary->continue_timeout : config::Binary{}.continue_timeout;
    if (ticket.probe && !is_stalled()) {  // all others wait for it
        most = std::min<Milliseconds>(most, slot.target->destination.options.timeout);
    }
    return std::max(std::min(most, Milliseconds(left / 1000)), Milliseconds(1));
}

asio::awaitable<ObjectUploader::Ended> ObjectUploader::attempt(Slot& slot, Ticket ticket) {
    Ended ended;
    slot.target = target_;
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
        ended.answer.outcome = UploadOutcome::unreadable;
        ended.answer.metric = metrics::Upload::unreadable;
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
                ended.kind = Ended::Kind::classified;
                ended.answer = classify_upload(connected.error());
            }
            co_return;
        }
        // Connecting takes its time: somebody may have learnt meanwhile that nothing should be sent.
        if (!may_go_on(slot, ticket)) {
            co_return;
        }
        ended.proven = ended.proven || slot.proven;
        const auto outcome = co_await post(slot, object, url, ticket);
        if (outcome && may_be_another_answer(*outcome)) {
            board_->wasted_bytes.fetch_add(slot.given, std::memory_order_relaxed);
            drop_connection(slot);
            continue;
        }
        if (outcome) {
            ended.kind = Ended::Kind::classified;
            ended.answer = classify_upload(*outcome, parts_.clock.wall());
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
            ended.kind = Ended::Kind::classified;
            ended.answer = classify_upload(failure);
            co_return;
        }
        // The LEA closed a connection that had been idle. A fresh one, which is not `reused`, and its failure counts.
        metrics_.uploads(metrics::Upload::disconnected).add();
        drop_connection(slot);
    }
}

asio::awaitable<http::ClientResult<void>> ObjectUploader::connect(Slot& slot, const http::Url& url) {
    if (slot.connection && slot.connection->is_open() && slot.generation == generation_ &&
        same_origin(slot.origin, url)) {
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
    slot.body_wanted = true;
    slot.wanted_at = now();
    if (!retired_ && !parts_.guard.stopping()) {
        arm(slot.wanted_at);
    }
    if (health_.asked_for_content(ticket)) {
        queue_.wake_all();
        report_.log(name_, {});
        asio::post(parts_.executor, [self = shared_from_this()] { self->kick(); });
    }
}

void ObjectUploader::waits_long(const Ticket& ticket) {
    health_.answered(ticket);  // no probe waits for so long
    kick();
}

// -- What came of it --------------------------------------------------------------------------------------------------

void ObjectUploader::finish(Slot& slot, const Ticket& ticket, const Ended& ended) {
    auto& upload = *slot.upload;
    slot.upload = nullptr;
    slot.target.reset();
    slot.idle_since = now();
    --running_;
    running_large_ -= upload.small() ? 0 : 1;
    switch (ended.kind) {
        case Ended::Kind::classified:
            settle(slot, upload, ticket, ended);
            break;
        case Ended::Kind::gone:
            forget(upload);
            break;
        case Ended::Kind::unusable:
            metrics_.uploads(metrics::Upload::refused).add();
            refuse(upload, {0, store::Refusal::Kind::invalid_document, "the object's URL cannot be used"});
            break;
        case Ended::Kind::put_back:
            if (upload.withdrawn) {
                forget(upload);
            } else {
                queue_.again(upload);
            }
            break;
    }
    health_.ended(ticket, now());
    sync_connection(slot);
    report_.log(name_, ended.answer.problem);
}

config::Retry ObjectUploader::retry() const {
    return target_ ? target_->destination.options.retry : config::Retry{};
}

ObjectUploader::Milliseconds ObjectUploader::patience(const UploadClass& answer) const {
    return answer.retry_after ? std::min<Milliseconds>(*answer.retry_after, retry().maximum) : Milliseconds(0);
}

void ObjectUploader::settle(Slot& slot, Upload& upload, const Ticket& ticket, const Ended& ended) {
    const auto& answer = ended.answer;
    if (upload.withdrawn && answer.outcome != UploadOutcome::delivered) {
        forget(upload);
        drop_connection(slot);
        return;
    }
    const auto outcome = outcome_for(upload, answer);
    if (outcome == UploadOutcome::delivered && is_there_already(upload, answer)) {
        metrics_.uploads(metrics::Upload::delivered).add();
        spdlog::info("the LEA has the binary object from an earlier attempt destination={} object={} code={}", name_,
                     upload.object.id.to_string(), answer.status);
    } else if (outcome != UploadOutcome::failed) {
        metrics_.uploads(answer.metric).add();
    }
    upload.sent_whole = upload.sent_whole || (answer.outcome == UploadOutcome::failed && answer.status == 0 &&
                                              slot.given > 0 && slot.given == upload.object.size);
    upload.last_status = static_cast<std::uint16_t>(answer.status);
    slot.proven = answer.outcome == UploadOutcome::delivered;
    if (!slot.proven) {
        drop_connection(slot);
    }
    if (answer.outcome != UploadOutcome::unreadable) {
        upload.unreadable = 0;
    }
    switch (outcome) {
        case UploadOutcome::delivered:
            if (answer.outcome == UploadOutcome::delivered) {
                connections_last_ = slot.connection && slot.connection->is_open();
                front_buffers_ = front_buffers_ && upload.small();
            }
            accepted(upload, ticket, ended);
            break;
        case UploadOutcome::not_yet:
            settle_unwanted(slot, upload, ticket, answer);
            break;
        case UploadOutcome::early:
        case UploadOutcome::failed:
            settle_failed(slot, upload, ticket, ended);
            break;
        case UploadOutcome::no_connection:
        case UploadOutcome::certificate:
            if (!has_standing_connection()) {
                health_.unreachable(ticket, answer.symptom, answer.outcome == UploadOutcome::certificate, now(),
                                    jitter_dice());
            }
            queue_.again(upload);
            break;
        case UploadOutcome::unreadable:
            settle_unreadable(upload, ticket, ended);
            break;
    }
}

UploadOutcome ObjectUploader::outcome_for(const Upload& upload, const UploadClass& answer) const {
    if (is_there_already(upload, answer)) {
        return UploadOutcome::delivered;
    }
    if (answer.outcome != UploadOutcome::early) {
        return answer.outcome;
    }
    // A page in front of the LEA may answer so to everything.
    const auto& binary = target_ ? target_->destination.options.binary : std::nullopt;
    const bool counts = binary && binary->early_success == config::EarlySuccess::delivered;
    return counts ? UploadOutcome::delivered : UploadOutcome::failed;
}

bool ObjectUploader::is_there_already(const Upload& upload, const UploadClass& answer) const {
    if (!upload.sent_whole || asked_in_vain_) {
        return false;
    }
    if (answer.outcome == UploadOutcome::early) {
        // Not what everything gets: another object was taken in the meantime.
        const auto* suspicion = suspects_.find(upload.number);
        return upload.set_aside ? health_.is_open() : suspicion != nullptr && suspicion->compared;
    }
    return answer.outcome == UploadOutcome::not_yet && answer.status == 409;
}

void ObjectUploader::settle_unwanted(Slot& slot, Upload& upload, const Ticket& ticket, const UploadClass& answer) {
    if (!put_off_since_) {
        put_off_since_ = now();
    }
    if (is_stalled()) {
        health_.stalled(ticket, metrics::Pause::refusals, now(), jitter_dice());
    } else if (health_.reached(ticket, now(), jitter_dice())) {
        queue_.wake_all();
    }
    later(upload, std::max(patience(answer), waste(slot, upload, answer)));
}

ObjectUploader::Milliseconds ObjectUploader::waste(const Slot& slot, Upload& upload, const UploadClass& answer) {
    if (slot.given == 0) {
        return Milliseconds(0);
    }
    board_->wasted_bytes.fetch_add(slot.given, std::memory_order_relaxed);
    if (answer.status == 0 && slot.given < upload.object.size) {
        return Milliseconds(0);  // a connection that broke
    }
    asked_in_vain_ = asked_in_vain_ || answer.status != 0;
    // Something before the LEA asked for the body, and the LEA does not want it. Bound what is wasted.
    front_buffers_ = front_buffers_ || !upload.small();
    const auto took = std::chrono::duration_cast<Milliseconds>(now() - slot.wanted_at) + Milliseconds(1);
    const auto distance = took * (waste_distance << std::min<unsigned>(upload.wasted, 16));
    upload.wasted = static_cast<std::uint16_t>(std::min(upload.wasted + 1, 1000));
    return std::min<Milliseconds>(distance, longest_distance);
}

void ObjectUploader::settle_failed(Slot& slot, Upload& upload, const Ticket& ticket, const Ended& ended) {
    const auto& answer = ended.answer;
    const auto at = now();
    const auto wasted = waste(slot, upload, answer);
    if (upload.set_aside) {  // as was to be expected
        if (ticket.probe) {
            health_.failed(ticket, answer.symptom, at, jitter_dice());  // or the next one begins at once
        }
        metrics_.uploads(answer.metric).add();
        rest_set_aside(upload, wasted);
        return;
    }
    const auto wish = patience(answer);
    const auto finding = suspects_.failed({upload.number, upload.object.id, upload.object.lane, health_.next_number(),
                                           ended.proven, connections_last_, false, std::max(wish, wasted)},
                                          retry().initial, retry().maximum, at, jitter_dice());
    if (!finding.expected && answer.retry_after) {
        health_.told_to_wait(ticket, upload.object.lane, at + wish);
    }
    if (!finding.expected || ticket.probe) {
        health_.failed(ticket, answer.symptom, at, jitter_dice());
    }
    metrics_.uploads(finding.convicted && answer.judges_content ? metrics::Upload::refused : answer.metric).add();
    if (finding.convicted) {
        store::Refusal refusal{answer.status, store::Refusal::Kind::http_status, {}};
        suspects_.forget(upload.number);
        answer.judges_content ? refuse(upload, std::move(refusal))
                              : set_aside(upload, std::move(refusal), "it fails where others are taken");
        return;
    }
    if (finding.expected) {
        spdlog::warn("binary object fails where others are taken destination={} object={}", name_,
                     upload.object.id.to_string());
    }
    queue_.rest(upload, suspects_.find(upload.number)->next_try());
}

void ObjectUploader::settle_unreadable(Upload& upload, const Ticket& ticket, const Ended& ended) {
    spdlog::error("binary object cannot be read destination={} item={}", name_, ended.item.to_string());
    if (ticket.probe) {
        health_.failed(ticket, ended.answer.symptom, now(), jitter_dice());  // or it would be the next one, at once
    }
    if (upload.set_aside) {
        rest_set_aside(upload, Milliseconds(0));
        return;
    }
    if (++upload.unreadable < most_unreadable) {
        later(upload, Milliseconds(0));
        return;
    }
    upload.unreadable = 0;
    suspects_.forget(upload.number);
    set_aside(upload, {0, store::Refusal::Kind::invalid_document, "its copy in state_dir/objects cannot be read"},
              "its copy in state_dir/objects cannot be read");
}

void ObjectUploader::accepted(Upload& upload, const Ticket& ticket, const Ended& ended) {
    health_.accepted(ticket, now());
    put_off_since_.reset();
    suspects_.acquit(upload.number, now());
    suspects_.accepted(ticket.number, [&](Suspects::Key number, const Suspicion& suspicion) {
        if (auto* other = queue_.find(number)) {
            queue_.hurry(*other, std::max(suspicion.not_before, now()));
        }
    });
    const auto wall = parts_.clock.wall();
    if (ended.item_taken) {
        const auto took = wall.micros() - ended.item_taken->micros();
        metrics_.object_seconds.observe(static_cast<double>(std::max<std::int64_t>(took, 0)) / 1e6);
    }
    board_->last_success_micros.store(wall.micros(), std::memory_order_relaxed);
    queue_.settle(upload);
    ++settling_;
    parts_.objects.pushed(upload.object.id, settled_event(upload));
}

store::Done ObjectUploader::settled_event(const Upload& upload) const {
    const ObjectEvent told{ObjectEvent::Kind::settled, {}, upload.object, {}};
    return [events = parts_.events, told](store::Outcome outcome) {
        auto event = told;
        event.outcome = outcome;
        events->put(event);
    };
}

void ObjectUploader::refuse(Upload& upload, store::Refusal refusal) {
    suspects_.forget(upload.number);
    queue_.settle(upload);
    ++settling_;
    parts_.objects.refused(upload.object.id, std::move(refusal), settled_event(upload));
}

void ObjectUploader::set_aside(Upload& upload, store::Refusal refusal, std::string_view why) {
    spdlog::warn("binary object set aside, {} destination={} object={} code={}", why, name_,
                 upload.object.id.to_string(), refusal.code);
    upload.set_aside = true;
    upload.failures = 0;
    set_aside_.emplace(upload.number, upload.object.id);
    ++set_aside_version_;
    rest_set_aside(upload, Milliseconds(0));
    // Where this does not reach the disk, the next start finds it queued, and it is convicted once more.
    parts_.objects.set_aside(upload.object.id, std::move(refusal), [](store::Outcome) {});
}

void ObjectUploader::rest_set_aside(Upload& upload, Milliseconds least) {
    upload.failures = static_cast<std::uint16_t>(std::min(upload.failures + 1, 1000));
    const auto longest = std::max<Milliseconds>(retry().maximum, longest_distance);
    const auto first = std::min<Milliseconds>(retry().initial * set_aside_distance, longest);
    queue_.rest(upload, now() + std::max(back_off(upload.failures, first, longest, jitter_dice()), least));
}

void ObjectUploader::later(Upload& upload, Milliseconds least) {
    upload.failures = static_cast<std::uint16_t>(std::min(upload.failures + 1, 1000));
    queue_.rest(upload,
                now() + std::max(back_off(upload.failures, retry().initial, retry().maximum, jitter_dice()), least));
}

// -- What others see --------------------------------------------------------------------------------------------------

void ObjectUploader::publish() {
    board_->waiting.store(queue_.waiting(), std::memory_order_relaxed);
    board_->in_flight.store(running_, std::memory_order_relaxed);
    if (const auto version = suspects_.version() + set_aside_version_; version != published_) {
        published_ = version;
        std::vector<model::Uuid> aside;
        for (const auto& [number, id] : set_aside_) {
            if (aside.size() < named_at_most) {
                aside.push_back(id);
            }
        }
        board_->set_suspects(suspects_.ids(named_at_most), suspects_.count(), std::move(aside), set_aside_.size());
    }
    report_.publish();
}

void ObjectUploader::sync_connection(Slot& slot) {
    slot.counted.note(slot.connection && slot.connection->is_open(), metrics_.connections, board_->connections);
}

}  // namespace lihandover::delivery
