#include "destination_sender.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <span>
#include <utility>

#include "back_off.hpp"
#include "connector_settings.hpp"
#include "lihandover/base/background.hpp"
#include "lihandover/base/invariant.hpp"
#include "lihandover/handover/validator.hpp"
#include "lihandover/hi1/error_codes.hpp"

namespace lihandover::delivery {

namespace asio = boost::asio;

namespace {

/// Items beyond these wait too long to be kept in memory.
constexpr std::size_t few_waiting = 256;
/// A suspect is logged when it has failed so often.
constexpr unsigned tries_to_log = 2;
/// A connection that took an item so lately was not closed for being idle.
constexpr std::chrono::seconds just_worked(1);

}  // namespace

// -- Settings and events ----------------------------------------------------------------------------------------------

DestinationSender::DestinationSender(SenderParts parts, std::string name)
    : parts_(std::move(parts)),
      name_(std::move(name)),
      metrics_(parts_.metrics.destination(name_)),
      board_(std::make_shared<StatusBoard>(name_)),
      report_(queue_.health(), *board_, parts_.clock,
              {"destination resumed", "destination unavailable", "destination paused", "destination told to wait"}),
      wake_timer_(parts_.executor) {}

DestinationSender::~DestinationSender() = default;

void DestinationSender::configure(std::shared_ptr<const Target> target) {
    leaving_ = false;
    const auto& options = target->destination.options;
    const bool other_end = !target_ || !same_connections(target_->destination, target->destination);
    target_ = std::move(target);
    queue_.set_policy(
        {options.retry.initial, options.retry.maximum, options.connections, options.max_actions_per_message});
    if (other_end) {
        ++generation_;
        if (connector_) {
            connector_->cancel();  // whoever connects there goes the new way
        }
        connector_ = std::make_shared<http::Connector>(parts_.executor, target_->urls, target_->destination.tls,
                                                       target_->connection);
        queue_.other_end(now());
    }
    wake_workers();  // there may be fewer of them now
    kick();
}

void DestinationSender::retire() {
    retired_ = true;
    wake_timer_.cancel();
    wake_workers();
}

void DestinationSender::add(std::shared_ptr<const store::Lane> lane, const store::QueuedItem& item, bool attempted) {
    auto& its_lane = queue_.lane(item.lane);
    its_lane.set_details(std::move(lane));
    queue_.add(its_lane, item.row, item.emergency, attempted);
}

void DestinationSender::add_set_aside(std::shared_ptr<const store::Lane> lane, const store::QueuedItem& item) {
    queue_.lane(item.lane).set_details(std::move(lane));
    queue_.add_set_aside(item, {}, now());
}

void DestinationSender::withdraw(const store::QueuedItem& item) {
    parts_.loader.forget(item.row);
    for (const auto& worker : workers_) {
        for (auto& sent : worker->items) {
            if (sent.row == item.row) {
                sent.withdrawn = true;
            }
        }
    }
    if (auto* lane = queue_.find_lane(item.lane)) {
        queue_.withdraw(*lane, item.row);
    }
}

void DestinationSender::withdraw_lane(store::LaneId id) {
    const Lane* const lane = queue_.find_lane(id);
    for (const auto& worker : workers_) {
        for (auto& sent : worker->items) {
            if (lane != nullptr && sent.lane == lane) {
                sent.withdrawn = true;
            }
        }
    }
    queue_.withdraw_lane(id, [this](store::RowId row) { parts_.loader.forget(row); });
    publish();
}

void DestinationSender::lose(const store::LostLanes& lost) {
    for (const store::LaneId lane : queue_.waiting_lanes(lost)) {
        withdraw_lane(lane);
    }
}

void DestinationSender::look_again(const store::QueuedItem& item) {
    parts_.loader.forget(item.row);
    if (auto* lane = queue_.find_lane(item.lane)) {
        queue_.look_again(*lane, item.row, now());
    }
}

bool DestinationSender::sends_soon() const {
    return target_ && queue_.health().is_open() && queue_.waiting() <= few_waiting;
}

void DestinationSender::probe_now() {
    queue_.probe_now(now());
    kick();
}

void DestinationSender::pause() {
    queue_.pause();
    report_.log(name_, "an operator asked for it");
    publish();
}

void DestinationSender::resume() {
    queue_.resume(now());
    report_.log(name_, {});
    kick();
}

void DestinationSender::wake_workers() {
    while (!idle_.empty()) {
        wake(*idle_.back());
    }
}

void DestinationSender::cut_connections() {
    if (connector_) {
        connector_->cancel();
    }
    for (const auto& worker : workers_) {
        if (worker->connection) {
            worker->connection->close();
        }
    }
}

// -- Who works when ---------------------------------------------------------------------------------------------------

bool DestinationSender::may_send() const {
    return target_ && !retired_ && parts_.guard.may_send() && parts_.outbox.has_room() && now() >= lapsed_until_;
}

void DestinationSender::set_empty_handed(Worker& worker, bool empty_handed) {
    if (worker.empty_handed != empty_handed) {
        worker.empty_handed = empty_handed;
        empty_handed ? ++empty_handed_ : --empty_handed_;
    }
}

unsigned DestinationSender::standing(const Worker* but) const {
    return static_cast<unsigned>(std::ranges::count_if(
        workers_, [&](const auto& one) { return one.get() != but && one->is_connected(generation_); }));
}

bool DestinationSender::may_connect() const {
    return !queue_.connection_limit().is_lowered() || queue_.may_connect(standing() + empty_handed_, now());
}

bool DestinationSender::may_begin(const Worker& worker) {
    return may_send() && queue_.choices(now()) > 0 && queue_.may_begin(now(), active_) &&
           (worker.is_connected(generation_) || may_connect());
}

DestinationSender::Worker* DestinationSender::next_idle() const {
    const auto connected = std::find_if(idle_.rbegin(), idle_.rend(),
                                        [this](const Worker* one) { return one->is_connected(generation_); });
    if (connected != idle_.rend()) {
        return *connected;
    }
    return idle_.empty() || !may_connect() ? nullptr : idle_.back();
}

void DestinationSender::wake(Worker& worker) {
    std::erase(idle_, &worker);
    worker.woken = true;
    worker.bell.cancel();
    ++woken_;
}

void DestinationSender::kick(unsigned claimed) {
    publish();
    if (!may_send()) {
        if (now() < lapsed_until_) {
            arm();
        }
        return;
    }
    const auto at = now();
    look_again_at_those_put_off(at);
    queue_.wake(at);
    const auto begun = [&] { return woken_ + claimed; };
    for (;;) {
        auto* idler = next_idle();
        // Those that connect leave their items to whoever can go at once, but no further connection is made for these.
        const bool connected = idler != nullptr && idler->is_connected(generation_);
        const auto spoken_for = begun() + (connected ? 0 : empty_handed_);
        if (queue_.choices(at) <= spoken_for || !queue_.may_begin(at, active_ + begun()) ||
            (!queue_.health().is_open() && begun() > 0)) {
            break;
        }
        if (idler != nullptr) {
            wake(*idler);
        } else if (workers_.size() < target_->destination.options.connections && may_connect()) {
            auto& worker = *workers_.emplace_back(std::make_unique<Worker>(parts_.executor));
            ++woken_;
            if (!parts_.tasks.spawn(run(shared_from_this(), &worker))) {
                --woken_;
                workers_.pop_back();
                break;
            }
        } else {
            break;
        }
    }
    arm();
}

void DestinationSender::arm() {
    Earliest times(now());
    if (const auto next = queue_.next_event(times.now())) {
        times.consider(*next);
    }
    times.consider(lapsed_until_);
    if (!put_off_.empty()) {
        times.consider(look_again_at_);
    }
    wake_timer_.set(times, weak_from_this());
}

asio::awaitable<void> DestinationSender::run(std::shared_ptr<DestinationSender> self, Worker* worker) {
    try {
        co_await self->work(*worker);
    } catch (const std::exception&) {
        spdlog::error("delivery worker failed destination={}", self->name_);
    }
    self->drop_connection(*worker);
    std::erase(self->idle_, worker);
    std::erase_if(self->workers_, [worker](const auto& one) { return one.get() == worker; });
    self->kick();
}

asio::awaitable<void> DestinationSender::work(Worker& worker) {
    LIHANDOVER_INVARIANT(woken_ > 0, "a worker that begins was woken");
    --woken_;
    while (!parts_.guard.stopping() && !retired_ && target_ &&
           workers_.size() <= target_->destination.options.connections) {
        if (!may_begin(worker)) {
            if (!co_await idle(worker)) {
                break;
            }
            continue;
        }
        worker.ticket = queue_.begin(now());
        ++active_;
        set_empty_handed(worker, true);
        bool broken = false;
        try {
            co_await attempt(worker);
        } catch (const std::exception&) {  // out of memory, most likely; nothing may be lost from the lanes
            broken = true;
        }
        if (broken) {
            spdlog::error("delivery attempt failed destination={}", name_);
            drop_connection(worker);
            put_back(worker);
            worker.answer.symptom = metrics::Pause::no_answer;
            worker.answer.reach = Reach::no_connection;
            queue_.not_connected(worker.answer, 0, result_of(worker));
        }
        end_attempt(worker);
    }
}

void DestinationSender::end_attempt(Worker& worker) {
    set_empty_handed(worker, false);
    in_flight_ -= std::exchange(worker.in_flight, 0);
    worker.items.clear();
    worker.message.clear();
    LIHANDOVER_INVARIANT(active_ > 0, "an attempt that ends has begun");
    --active_;
    queue_.end(worker.ticket, now());
    sync_connection(worker);
    report_.log(name_, worker.failure);
    kick(1);  // this worker goes on by itself
    if (leaving_ && is_empty()) {
        parts_.emptied();
    }
}

asio::awaitable<bool> DestinationSender::idle(Worker& worker) {
    worker.woken = false;
    idle_.push_back(&worker);
    worker.bell.expires_after(idle_close);
    co_await worker.bell.async_wait(asio::as_tuple(asio::use_awaitable));
    if (worker.woken) {
        LIHANDOVER_INVARIANT(woken_ > 0, "a worker that goes on was woken");
        --woken_;
        co_return true;
    }
    std::erase(idle_, &worker);
    co_return false;
}

// -- One attempt ------------------------------------------------------------------------------------------------------

unsigned DestinationSender::busy_beside(const Worker& worker) const {
    return static_cast<unsigned>(
        std::ranges::count_if(workers_, [&](const auto& one) { return one.get() != &worker && one->in_flight > 0; }));
}

DestinationQueue::Result DestinationSender::result_of(const Worker& worker) const {
    DestinationQueue::Result result{worker.ticket, worker.proven, connections_last_, now(), jitter_dice()};
    result.fresh = worker.fresh;
    result.others = standing(&worker);
    result.busy = std::max(worker.beside, busy_beside(worker));
    return result;
}

void DestinationSender::put_back(Worker& worker) {
    queue_.put_back(worker.items, now());
}

asio::awaitable<void> DestinationSender::attempt(Worker& worker) {
    worker.failure.clear();
    if (worker.ticket.probe) {  // on a fresh connection: the one there is may lead to the one node that is broken
        drop_connection(worker);
    }
    if (!co_await connect(worker)) {
        co_return;
    }
    // Connecting takes its time: somebody else may have learnt meanwhile that nothing should be sent.
    if (!may_send() || !queue_.is_wanted(worker.ticket)) {
        co_return;
    }
    fill(worker);
    arm();  // for what was put off: nobody looks while the exchange lasts
    set_empty_handed(worker, false);
    if (worker.items.empty()) {
        // Nothing above may have waited for anything: others get their turn before this is tried again.
        co_await asio::post(parts_.executor, asio::use_awaitable);
        co_return;
    }
    worker.in_flight = worker.items.size();
    in_flight_ += worker.in_flight;
    publish();
    bool valid = true;
    if (target_->validator && sample_.takes(target_->validation, worker.items, now())) {
        valid = co_await validate(worker);
        if (valid && !may_go_on(worker)) {
            put_back(worker);
            valid = false;
        }
    }
    if (valid) {
        co_await exchange(worker);
    }
}

/// Its message was made a while ago.
bool DestinationSender::may_go_on(const Worker& worker) const {
    return may_send() && worker.is_current(generation_) && queue_.is_wanted(worker.ticket) &&
           std::ranges::none_of(worker.items, [this](const SentItem& item) {
               return item.withdrawn || parts_.guard.hold(item.lane->id()) != SendGuard::Hold::held;
           });
}

void DestinationSender::drop_connection(Worker& worker) {
    if (worker.connection) {
        worker.connection->close();
        worker.connection.reset();
    }
    worker.proven = false;
    sync_connection(worker);
}

asio::awaitable<bool> DestinationSender::connect(Worker& worker) {
    if (worker.is_connected(generation_)) {
        worker.target = target_;  // what does not touch connections may have changed
        co_return true;
    }
    for (;;) {
        drop_connection(worker);
        worker.target = target_;
        worker.generation = generation_;
        const auto connector = connector_;
        auto connected = co_await connector->connect();
        if (parts_.guard.stopping()) {
            co_return false;
        }
        if (worker.generation != generation_) {
            continue;  // a reload changed meanwhile to whom to connect, or as whom
        }
        if (connected) {
            worker.connection = std::move(*connected);
            sync_connection(worker);
            co_return true;
        }
        classify_failure(connected.error(), worker.answer);
        worker.failure = connected.error().message;
        note(worker.answer.attempt);
        queue_.not_connected(worker.answer, standing(&worker), result_of(worker));
        co_return false;
    }
}

asio::awaitable<http::ClientResult<http::Answer>> DestinationSender::post(Worker& worker) {
    worker.fields = {{{"Content-Type", content_type(worker.target->destination.options)}}};
    worker.body = {worker.message.message()};
    worker.request = {"POST",
                      worker.connection->target(),
                      worker.fields,
                      worker.body,
                      {},
                      [this, &worker](const http::Answer& given) { return is_answer(worker, given); }};
    worker.begun = now();
    worker.beside = busy_beside(worker);
    for (auto& item : worker.items) {
        item.attempted = item.attempted || item.sent;
        item.sent = true;
    }
    return worker.connection->exchange(worker.request);
}

/// Whether it can be the answer to this message. One of a successful status that does not speak of it can be another
/// message's, sent twice.
bool DestinationSender::is_answer(const Worker& worker, const http::Answer& given) const {
    if (given.status < 200 || given.status > 299 ||
        given.body.find(worker.message.transaction().to_string()) != std::string::npos) {
        return true;
    }
    AnswerClass found;
    classify_answer(given.status, given.body, {}, {worker.message.transaction(), worker.message.objects()}, {},
                    parts_.clock.wall(), found);
    return found.reach == Reach::answered;
}

void DestinationSender::note_strays() {
    const bool expected = connector_->expects_strays();
    if (expected && !strays_logged_) {
        spdlog::warn("destination sends what nobody asked for, each connection carries one message destination={}",
                     name_);
    }
    strays_logged_ = expected;
}

void DestinationSender::classify(Worker& worker, const http::ClientResult<http::Answer>& answer) {
    const auto by_answer = [&](const http::Answer& given) {
        classify_answer(given.status, given.body, given.header("Retry-After"),
                        {worker.message.transaction(), worker.message.objects()},
                        {worker.target->destination.options.retry.error_codes, queue_.health().ever_accepted()},
                        parts_.clock.wall(), worker.answer);
        return worker.answer.reach == Reach::answered;
    };
    if (answer) {
        metrics_.sent_bytes.add(worker.message.message().size());
        if (!by_answer(*answer) && !answer->content_coding().empty()) {
            worker.failure = "the answer has a coding that nobody asked for";
        }
        return;
    }
    const auto& failure = answer.error();
    worker.failure = failure.message;
    // What is complete counts, however the connection ended.
    if (!failure.cut_off || !by_answer(*failure.cut_off)) {
        classify_failure(failure, worker.answer);
    }
}

asio::awaitable<void> DestinationSender::exchange(Worker& worker) {
    worker.fresh = worker.connection->exchanges() == 0;
    auto answer = co_await post(worker);
    if (!answer && !parts_.guard.stopping() && answer.error().reused &&
        answer.error().kind == http::FailureKind::closed) {
        // The LEA closed a connection that had been idle. A fresh one, and its next failure counts.
        metrics_.attempts(metrics::Attempt::disconnected).add();
        // One that took an item a moment ago was not idle: should a fresh one fail as well, it failed at this message.
        const bool had_just_worked = worker.proven && now() - worker.proven_at < just_worked;
        drop_connection(worker);
        for (auto& item : worker.items) {
            item.sent = item.sent && !answer.error().nothing_sent;
        }
        if (!co_await connect(worker) || !may_go_on(worker)) {
            put_back(worker);
            co_return;
        }
        worker.message.renew_head(parts_.clock.wall());
        worker.fresh = true;
        answer = co_await post(worker);
        worker.proven = had_just_worked;
    }
    metrics_.post_seconds.observe(std::chrono::duration<double>(now() - worker.begun).count());
    if (!answer && parts_.guard.stopping()) {  // cut: says nothing about the LEA
        put_back(worker);
        co_return;
    }
    note_strays();
    classify(worker, answer);
    if (worker.fresh && answer && !DestinationQueue::says_busy(worker.answer)) {
        queue_.connected(standing());
    }
    note(worker.answer.attempt);
    const auto result = result_of(worker);
    if (worker.answer.reach == Reach::certificate || worker.answer.reach == Reach::no_connection) {
        // With TLS 1.3 a server may refuse our certificate once the handshake is over for us.
        drop_connection(worker);
        queue_.not_connected(worker.answer, standing(), result);
        put_back(worker);
        co_return;
    }
    if (queue_.settle(worker.items, worker.answer, result, *this)) {
        worker.proven = worker.connection->is_open();
        worker.proven_at = now();
        connections_last_ = worker.proven;
        board_->last_success_micros.store(parts_.clock.wall().micros(), std::memory_order_relaxed);
    } else if (worker.answer.reach != Reach::answered) {
        if (!queue_.health().is_open() && worker.is_current(generation_)) {
            connector_->avoid(*worker.connection);  // what it leads to accepts nothing
        }
        drop_connection(worker);  // it may lead to the one node that is broken
    } else {
        worker.proven = false;
    }
}

asio::awaitable<bool> DestinationSender::validate(Worker& worker) {
    const auto check = [validator = target_->validator, message = worker.message.message()] {
        return validator->validate(message);
    };
    const auto status = co_await base::run_on(parts_.workers, check);
    (status ? metrics_.documents_valid : metrics_.documents_invalid).add();
    if (status) {
        co_return true;
    }
    spdlog::error("document invalid, not sent destination={} actions={} problem=\"{}\"", name_, worker.items.size(),
                  status.error().message);
    if (worker.items.size() > 1) {
        queue_.put_back_each_alone(worker.items, now());
        co_return false;
    }
    auto& item = worker.items.front();
    queue_.item_left(*item.lane, item.row);
    if (!item.withdrawn) {
        refused(item, {0, store::Refusal::Kind::invalid_document, status.error().message});
    }
    queue_.release(*item.lane, now());
    co_return false;
}

// -- A message --------------------------------------------------------------------------------------------------------

namespace {

bool has_objects_to_fetch(const store::StoredItem& item) {
    return item.objects && std::ranges::any_of(*item.objects, [](const store::StoredObject& object) {
               return object.model == model::BinaryModel::a && object.described.loss == model::ObjectLoss::none;
           });
}

}  // namespace

void DestinationSender::fill(Worker& worker) {
    worker.items.clear();
    worker.message.clear();
    const auto most = queue_.most_actions();
    const bool proven = worker.proven || !connections_last_;
    auto pick = queue_.pick(worker.ticket, proven, now());
    while (pick.lane != nullptr && is_held(pick)) {
        const auto before = worker.items.size();
        const auto taken = take_items(worker, pick, pick.alone ? 1 : most - before);
        const bool none = worker.items.size() == before;
        if (none && pick.set_aside) {
            queue_.put_off_set_aside(pick, now(), jitter_dice());
        } else if (taken == Taken::waits) {
            queue_.park(pick, now());
        } else if (taken == Taken::later) {
            look_later(pick);
        } else if (none) {
            queue_.release(*pick.lane, now());
        }
        if (taken == Taken::message_full || worker.items.size() >= most || (pick.alone && !worker.items.empty())) {
            break;
        }
        pick = worker.items.empty() ? queue_.pick(worker.ticket, proven, now()) : queue_.pick_more();
    }
    if (!worker.items.empty()) {
        worker.message.finish();
    }
}

bool DestinationSender::is_held(const DestinationQueue::Pick& pick) {
    switch (parts_.guard.hold(pick.lane->id())) {
        case SendGuard::Hold::held:
            return true;
        case SendGuard::Hold::lapsed:
            break;
        case SendGuard::Hold::lost:
            // As lose() is about to say.
            withdraw_lane(pick.lane->id());
            queue_.release(*pick.lane, now());
            return false;
    }
    // All that this process holds is renewed together, so that others have lapsed as well.
    lapsed_until_ = now() + SendGuard::look_at_lapsed;
    queue_.put_off(pick, lapsed_until_, now());
    return false;
}

DestinationSender::Taken DestinationSender::take_items(Worker& worker, const DestinationQueue::Pick& pick,
                                                       std::size_t most) {
    store::StoredItem item;
    std::size_t count = 0;
    auto next = pick;
    while (count < most) {
        const auto loaded = parts_.loader.has(next.row) ? std::optional(ItemLoader::Filled::there) : load(next);
        if (!loaded) {
            return Taken::message_full;
        }
        if (*loaded == ItemLoader::Filled::not_now) {
            return count > 0 ? Taken::something : Taken::later;
        }
        if (*loaded == ItemLoader::Filled::gone) {  // by an operator's decision that we have not heard of yet
            queue_.discard(next);
        } else {
            LIHANDOVER_INVARIANT(parts_.loader.take(next.row, item), "what was read is there");
            if (!target_->objects_served && has_objects_to_fetch(item)) {
                parts_.loader.put_back(std::move(item));
                return count > 0 ? Taken::something : Taken::later;
            }
            if ((item.preparing || item.objects) && !parts_.stamps.ready(item)) {
                return count > 0 ? Taken::something : Taken::waits;
            }
            switch (append_item(worker, next, item)) {
                case Taken::something:
                    ++count;
                    break;
                case Taken::nothing:
                case Taken::waits:
                case Taken::later:
                    break;
                case Taken::message_full:
                    parts_.loader.put_back(std::move(item));
                    return Taken::message_full;
            }
        }
        if (next.set_aside || pick.lane->empty()) {
            break;
        }
        next.row = pick.lane->rows().front().row();
    }
    return count > 0 ? Taken::something : Taken::nothing;
}

/// A place of the disk is damaged, or nobody could fetch the item's objects: its LIID waits, and no other.
void DestinationSender::look_later(const DestinationQueue::Pick& pick) {
    if (put_off_.empty()) {
        look_again_at_ = now() + SendGuard::read_again;
        if (now() >= put_off_told_ + told_apart) {
            put_off_told_ = now();
            spdlog::warn(
                "items cannot be read, or their objects not be served, at present: their LIIDs wait destination={}",
                name_);
        }
    }
    // Those before it may have left.
    put_off_.emplace_back(pick.lane->id(), pick.lane->rows().front().row());
    queue_.park(pick, now());
}

void DestinationSender::look_again_at_those_put_off(DestinationQueue::Time at) {
    if (put_off_.empty() || at < look_again_at_) {
        return;
    }
    for (const auto& [lane, row] : std::exchange(put_off_, {})) {
        if (auto* found = queue_.find_lane(lane)) {
            queue_.look_again(*found, row, at);
        }
    }
}

std::optional<ItemLoader::Filled> DestinationSender::load(const DestinationQueue::Pick& pick) {
    auto& loader = parts_.loader;
    const auto most = loader.ahead();
    const std::size_t per_lane = queue_.most_actions();
    std::array<store::RowId, ItemLoader::max_ahead> rows{pick.row};
    std::size_t count = 1;
    const auto ask = [&](const Lane& of, std::size_t from, std::size_t to) {
        for (auto i = from; i < std::min(to, of.rows().size()) && count < most; ++i) {
            if (const auto row = of.rows()[i].row(); row != pick.row && !loader.has(row)) {
                rows[count++] = row;
            }
        }
    };
    ask(*pick.lane, 0, per_lane);
    std::size_t seen = 0;
    queue_.for_each_ready([&](const Lane& next) {
        ask(next, 0, per_lane);
        return count < most && ++seen < ItemLoader::max_ahead;
    });
    ask(*pick.lane, per_lane, pick.lane->rows().size());
    const auto filled = loader.fill(std::span(rows).first(count));
    if (!filled) {
        parts_.guard.read_failed(name_, filled.error());
        return std::nullopt;
    }
    return *filled;
}

DestinationSender::Taken DestinationSender::append_item(Worker& worker, const DestinationQueue::Pick& pick,
                                                        store::StoredItem& item) {
    const auto added = worker.message.add(item, pick.lane->details()->liid, parts_.loader.profile(item.profile),
                                          target_->destination.options.max_message_size, parts_.clock.wall());
    if (added == MessageBuilder::Added::full) {
        return Taken::message_full;
    }
    const auto waiting = queue_.take(pick, item.row);
    const SentItem sent{.lane = pick.lane,
                        .row = item.row,
                        .emergency = waiting.emergency(),
                        .attempted = waiting.attempted(),
                        .sent = false,
                        .set_aside = pick.set_aside,
                        .carries_schema = item.carries_schema,
                        .has_objects = item.objects && !item.objects->empty(),
                        .withdrawn = false,
                        .profile = item.profile,
                        .id = item.object_id,
                        .received_at = item.received_at};
    if (added == MessageBuilder::Added::impossible) {
        metrics_.documents_invalid.add();
        spdlog::error("document cannot be written destination={} object={} problem=\"{}\"", name_,
                      item.object_id.to_string(), worker.message.problem());
        queue_.item_left(*pick.lane, item.row);
        refused(sent, {0, store::Refusal::Kind::invalid_document, worker.message.problem()});
        return Taken::nothing;
    }
    if (pick.set_aside) {
        queue_.name_set_aside(item.row, item.object_id);
    }
    worker.items.push_back(sent);
    return Taken::something;
}

// -- What became of items ---------------------------------------------------------------------------------------------

void DestinationSender::accepted(const SentItem& item, bool already_there) {
    metrics_.items(metrics::ItemOutcome::delivered).add();
    const auto took = parts_.clock.wall().micros() - item.received_at.micros();
    metrics_.delivery_seconds.observe(static_cast<double>(std::max<std::int64_t>(took, 0)) / 1e6);
    if (already_there) {
        spdlog::info("item was there from an earlier attempt destination={} item={}", name_, item.id.to_string());
    }
    parts_.outbox.accepted({item.row, item.lane->id(), item.profile, item.id, item.carries_schema, item.has_objects,
                            already_there ? hi1::object_already_exists : 0});
}

void DestinationSender::refused(const SentItem& item, store::Refusal refusal) {
    const store::QueuedItem queued{item.row, item.lane->id(), item.emergency};
    parts_.outbox.refused(item.row, std::move(refusal),
                          [weak = weak_from_this(), queued, lane = item.lane->details()](store::Outcome outcome) {
                              const auto self = weak.lock();
                              if (self && outcome == store::Outcome::committed) {
                                  self->count(metrics::ItemOutcome::refused);
                              } else if (self && self->parts_.guard.hold(queued.lane) != SendGuard::Hold::lost) {
                                  self->add(lane, queued, true);
                                  self->kick();
                              }
                          });
}

void DestinationSender::set_aside(const SentItem& item, store::Refusal refusal) {
    spdlog::warn("item set aside, it fails where others are accepted destination={} item={} code={}", name_,
                 item.id.to_string(), refusal.code);
    const store::QueuedItem queued{item.row, item.lane->id(), item.emergency};
    parts_.outbox.set_aside(item.row, std::move(refusal),
                            [weak = weak_from_this(), queued, lane = item.lane->details()](store::Outcome outcome) {
                                const auto self = weak.lock();
                                if (self && outcome != store::Outcome::committed &&
                                    self->parts_.guard.hold(queued.lane) != SendGuard::Hold::lost) {
                                    self->add(lane, queued, true);
                                    self->kick();
                                }
                            });
}

void DestinationSender::suspected(const SentItem& item, unsigned tries) {
    if (tries == tries_to_log) {
        spdlog::warn("item fails where others are accepted destination={} item={}", name_, item.id.to_string());
    }
}

// -- What others see --------------------------------------------------------------------------------------------------

void DestinationSender::publish() {
    board_->waiting.store(queue_.waiting(), std::memory_order_relaxed);
    board_->in_flight.store(in_flight_, std::memory_order_relaxed);
    board_->connection_limit.store(queue_.connection_limit().limit(), std::memory_order_relaxed);
    if (queue_.suspects().version() != published_suspects_ || queue_.set_aside().version() != published_set_aside_) {
        published_suspects_ = queue_.suspects().version();
        published_set_aside_ = queue_.set_aside().version();
        board_->set_suspects(queue_.suspects().ids(StatusBoard::named_at_most), queue_.suspects().count(),
                             queue_.set_aside().ids(StatusBoard::named_at_most), queue_.set_aside().size());
    }
    report_.publish();
}

void DestinationSender::note(metrics::Attempt attempt) {
    metrics_.attempts(attempt).add();
    if (attempt == metrics::Attempt::answered) {
        board_->clear_failure();
    } else {
        board_->set_failure(attempt, parts_.clock.wall());
    }
}

void DestinationSender::sync_connection(Worker& worker) {
    worker.counted.note(worker.connection && worker.connection->is_open(), metrics_.connections, board_->connections);
}

}  // namespace lihandover::delivery
