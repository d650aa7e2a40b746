#include "destination_sender.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <span>
#include <string_view>
#include <utility>

#include "connector_settings.hpp"
#include "dispatcher.hpp"
#include "lihandover/handover/validator.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::delivery {

namespace asio = boost::asio;

namespace {

/// Kept-alive connections end before the usual 60 or 75 seconds of servers, so that a message rarely meets a connection
/// that is just being closed.
constexpr std::chrono::seconds idle_close(50);
/// Items beyond these wait too long to be kept in memory.
constexpr std::size_t few_waiting = 256;
/// Buffers that one huge message blew up are given back.
constexpr std::size_t kept_buffer = std::size_t{1} << 20;

asio::awaitable<model::Status> validate_document(std::shared_ptr<const handover::Validator> validator,
                                                 std::string_view document) {
    co_return validator->validate(document);
}

}  // namespace

// -- StatusBoard ------------------------------------------------------------------------------------------------------

// -- Settings and events ----------------------------------------------------------------------------------------------

DestinationSender::DestinationSender(Dispatcher& dispatcher, std::string name)
    : dispatcher_(dispatcher),
      name_(std::move(name)),
      metrics_(dispatcher.metrics().destination(name_)),
      board_(std::make_shared<StatusBoard>(name_)),
      health_(DestinationHealth::Policy{}),
      report_(health_, *board_, dispatcher.clock(),
              {"destination resumed", "destination unavailable", "destination paused"}),
      wake_timer_(dispatcher.executor()) {}

DestinationSender::~DestinationSender() = default;

void DestinationSender::configure(std::shared_ptr<const Target> target) {
    leaving_ = false;
    const auto& options = target->destination.options;
    const bool other_end = !target_ || !same_connections(target_->destination, target->destination);
    target_ = std::move(target);
    health_.set_policy({options.retry.initial, options.retry.maximum, options.connections});
    if (other_end) {
        ++generation_;
        connector_ = std::make_shared<http::Connector>(dispatcher_.executor(), target_->urls, target_->destination.tls,
                                                       target_->connection);
        health_.probe_now(dispatcher_.clock().steady());
    }
    wake_workers();  // there may be fewer of them now
    kick();
}

bool DestinationSender::is_empty() const {
    return scheduler_.waiting() == 0 && suspects_.empty() && active_ == 0;
}

void DestinationSender::retire() {
    retired_ = true;
    wake_timer_.cancel();
    wake_workers();
}

void DestinationSender::add(Lane& lane, store::RowId row, bool emergency) {
    scheduler_.add(lane, row, emergency);
}

bool DestinationSender::sends_soon() const {
    return target_ && health_.mode() == DestinationHealth::Mode::open && scheduler_.waiting() <= few_waiting;
}

void DestinationSender::withdraw(Lane& lane, store::RowId row) {
    dispatcher_.loader().forget(row);
    if (scheduler_.remove(lane, row)) {
        dispatcher_.lane_settled(lane);
        return;
    }
    const auto suspect = std::ranges::find(suspects_, row, &Suspect::row);
    if (suspect != suspects_.end()) {
        suspects_.erase(suspect);
        --lane.aside;
        dispatcher_.lane_settled(lane);
        return;
    }
    for (const auto& worker : workers_) {
        for (auto& item : worker->batch) {
            if (item.row == row) {
                item.withdrawn = true;
                return;
            }
        }
    }
}

void DestinationSender::look_again(Lane& lane, store::RowId row) {
    if (!lane.rows.empty() && lane.rows.front().row() == row) {
        scheduler_.unpark(lane);
    }
}

void DestinationSender::probe_now() {
    health_.probe_now(dispatcher_.clock().steady());
    scheduler_.wake_all();
    kick();
}

void DestinationSender::wake_workers() {
    for (auto* worker : idle_) {
        worker->woken = true;
        worker->bell.cancel();
        ++woken_;
    }
    idle_.clear();
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

unsigned DestinationSender::allowed() const {
    return suspects_.empty() ? health_.allowed() : 1;
}

std::size_t DestinationSender::choices() const {
    const auto ready = scheduler_.ready();
    if (health_.mode() == DestinationHealth::Mode::open) {
        return ready;
    }
    return ready + scheduler_.resting() > 0 ? 1 : 0;
}

void DestinationSender::set_empty_handed(Worker& worker, bool empty_handed) {
    if (worker.empty_handed != empty_handed) {
        worker.empty_handed = empty_handed;
        empty_handed ? ++empty_handed_ : --empty_handed_;
    }
}

bool DestinationSender::has_connected_idler() const {
    return !idle_.empty() && idle_.back()->connection && idle_.back()->generation == generation_ &&
           idle_.back()->connection->is_open();
}

bool DestinationSender::may_start(DestinationHealth::Time now) const {
    return target_ && !retired_ && dispatcher_.may_send() && choices() > 0 && health_.may_start(now, active_) &&
           (health_.mode() != DestinationHealth::Mode::open || active_ < allowed());
}

void DestinationSender::kick(unsigned claimed) {
    publish();
    if (!target_ || retired_ || !dispatcher_.may_send()) {
        return;
    }
    const auto now = dispatcher_.clock().steady();
    scheduler_.wake(now);
    restore_due_suspects(now);
    look_for_early_probe(now);
    const auto begun = [&] { return woken_ + claimed; };
    // Those that connect leave their items to whoever can go at once, but no further connection is made for these.
    const auto spoken_for = [&] { return begun() + (has_connected_idler() ? 0 : empty_handed_); };
    while (choices() > spoken_for() && health_.may_start(now, active_ + begun()) &&
           (health_.mode() == DestinationHealth::Mode::open ? active_ + begun() < allowed() : begun() == 0)) {
        if (!idle_.empty()) {
            auto* worker = idle_.back();
            idle_.pop_back();
            worker->woken = true;
            worker->bell.cancel();
        } else if (workers_.size() < target_->destination.options.connections) {
            auto& worker = *workers_.emplace_back(std::make_unique<Worker>(dispatcher_.executor()));
            dispatcher_.worker_began();
            asio::co_spawn(dispatcher_.executor(), run(dispatcher_.shared_from_this(), shared_from_this(), &worker),
                           asio::detached);
        } else {
            break;
        }
        ++woken_;
    }
    arm();
}

void DestinationSender::look_for_early_probe(DestinationHealth::Time now) {
    if (!health_.has_early_probes()) {
        return;
    }
    bool found = false;
    std::size_t seen = 0;
    scheduler_.for_each_ready([&](const Lane& lane) {
        found = lane.blamed != health_.pause_number();
        return !found && ++seen < 64;
    });
    if (found) {
        health_.probe_early(now);
    }
}

void DestinationSender::arm() {
    Earliest times(dispatcher_.clock().steady());
    if (health_.mode() != DestinationHealth::Mode::open && !health_.probing() &&
        (scheduler_.waiting() > 0 || !suspects_.empty())) {
        times.consider(health_.resume_at());
    }
    if (const auto due = scheduler_.next_due()) {
        times.consider(*due);
    }
    for (const auto& suspect : suspects_) {
        times.consider(suspect.due);
    }
    wake_timer_.set(times, weak_from_this());
}

asio::awaitable<void> DestinationSender::run(std::shared_ptr<Dispatcher> dispatcher,
                                             std::shared_ptr<DestinationSender> self, Worker* worker) {
    try {
        co_await self->work(*worker);
    } catch (const std::exception&) {
        spdlog::error("delivery worker failed destination={}", self->name_);
    }
    if (worker->connection) {
        worker->connection->close();
    }
    self->sync_connection(*worker);
    std::erase(self->idle_, worker);
    std::erase_if(self->workers_, [worker](const auto& one) { return one.get() == worker; });
    self->kick();
    dispatcher->worker_ended();
}

asio::awaitable<void> DestinationSender::work(Worker& worker) {
    --woken_;
    while (!dispatcher_.stopping() && !retired_ && target_ &&
           workers_.size() <= target_->destination.options.connections) {
        if (!may_start(dispatcher_.clock().steady())) {
            if (!co_await idle(worker)) {
                break;
            }
            continue;
        }
        const auto ticket = health_.start();
        ++active_;
        set_empty_handed(worker, true);
        bool broken = false;
        try {
            co_await attempt(worker, ticket);
        } catch (const std::exception&) {  // out of memory, most likely; nothing may be lost from the lanes
            broken = true;
        }
        if (broken) {
            spdlog::error("delivery attempt failed destination={}", name_);
            worker.connection.reset();
            return_all(worker, Then::rest);
            health_.unreachable(ticket, dispatcher_.clock().steady(), jitter_dice());
        }
        set_empty_handed(worker, false);
        in_flight_ -= std::exchange(worker.in_flight, 0);
        worker.batch.clear();
        if (worker.message.capacity() > kept_buffer) {
            worker.message = {};
        }
        --active_;
        health_.ended(ticket);
        if (health_.mode() == DestinationHealth::Mode::paused) {
            restore_all_suspects();
        }
        sync_connection(worker);
        report_.log(name_, worker.failure);
        kick(1);  // this worker goes on by itself
        if (leaving_ && is_empty()) {
            dispatcher_.sender_emptied();
        }
    }
}

asio::awaitable<bool> DestinationSender::idle(Worker& worker) {
    worker.woken = false;
    idle_.push_back(&worker);
    worker.bell.expires_after(idle_close);
    co_await worker.bell.async_wait(asio::as_tuple(asio::use_awaitable));
    if (worker.woken) {
        --woken_;
        co_return true;
    }
    std::erase(idle_, &worker);
    co_return false;
}

// -- One attempt ------------------------------------------------------------------------------------------------------

asio::awaitable<void> DestinationSender::attempt(Worker& worker, Ticket ticket) {
    worker.failure.clear();
    if (!co_await connect(worker, ticket)) {
        co_return;
    }
    // Connecting takes its time: somebody else may have learnt meanwhile that nothing should be sent.
    if (!dispatcher_.may_send() || retired_ || !health_.is_current(ticket)) {
        co_return;
    }
    fill(worker, ticket);
    set_empty_handed(worker, false);
    if (worker.batch.empty()) {
        co_return;
    }
    worker.in_flight = worker.batch.size();
    in_flight_ += worker.in_flight;
    publish();
    bool valid = true;
    if (wants_validation(worker)) {
        valid = co_await validate(worker);
        if (valid && !dispatcher_.may_send()) {
            return_all(worker, Then::ready);
            valid = false;
        }
    }
    if (valid) {
        co_await exchange(worker, ticket);
    }
}

asio::awaitable<bool> DestinationSender::connect(Worker& worker, Ticket ticket) {
    if (worker.connection && worker.generation == generation_ && worker.connection->is_open()) {
        co_return true;
    }
    worker.target = target_;
    worker.generation = generation_;
    worker.connection.reset();
    sync_connection(worker);
    const auto connector = connector_;  // a reload may bring another one meanwhile
    auto connected = co_await connector->connect();
    if (connected) {
        worker.connection = std::move(*connected);
        sync_connection(worker);
        co_return true;
    }
    if (dispatcher_.stopping()) {
        co_return false;
    }
    auto& answer_class = worker.answer_class;
    classify_failure(connected.error(), answer_class);
    worker.failure = connected.error().message;
    note(answer_class.attempt);
    const auto now = dispatcher_.clock().steady();
    if (answer_class.outcome == Outcome::tls) {
        health_.pause(ticket, DestinationHealth::Cause::tls, now);
    } else {
        health_.unreachable(ticket, now, jitter_dice());
    }
    co_return false;
}

asio::awaitable<http::ClientResult<http::Answer>> DestinationSender::post(Worker& worker) {
    worker.fields = {{{"Content-Type", content_type(worker.target->destination.options)}}};
    worker.body = {worker.message};
    worker.request = {"POST", worker.connection->target(), worker.fields, worker.body};
    worker.begun = dispatcher_.clock().steady();
    return worker.connection->exchange(worker.request);
}

asio::awaitable<void> DestinationSender::exchange(Worker& worker, Ticket ticket) {
    auto answer = co_await post(worker);
    if (!answer && !dispatcher_.stopping() && answer.error().reused &&
        answer.error().kind == http::FailureKind::closed) {
        // The LEA closed a connection that had been idle. A fresh one, and its next failure counts.
        metrics_.attempts(metrics::Attempt::disconnected).add();
        if (!co_await connect(worker, ticket)) {
            return_all(worker, Then::ready);
            co_return;
        }
        write_head(worker);
        answer = co_await post(worker);
    }
    metrics_.post_seconds.observe(std::chrono::duration<double>(dispatcher_.clock().steady() - worker.begun).count());
    auto& answer_class = worker.answer_class;
    if (answer) {
        metrics_.sent_bytes.add(worker.message.size());
        classify_answer(answer->status, answer->body, answer->header("Retry-After"),
                        {worker.transaction, worker.objects}, worker.target->destination.options.retry.error_codes,
                        dispatcher_.clock().wall(), answer_class);
    } else if (dispatcher_.stopping()) {  // cut: says nothing about the LEA
        return_all(worker, Then::ready);
        co_return;
    } else {
        classify_failure(answer.error(), answer_class);
        worker.failure = answer.error().message;
    }
    note(answer_class.attempt);
    settle(worker, ticket);
}

asio::awaitable<bool> DestinationSender::validate(Worker& worker) {
    const auto validator = dispatcher_.validator();
    const auto status = co_await asio::co_spawn(
        dispatcher_.workers(), validate_document(validator, std::string_view(worker.message)), asio::use_awaitable);
    (status ? metrics_.documents_valid : metrics_.documents_invalid).add();
    if (status) {
        co_return true;
    }
    spdlog::error("document invalid, not sent destination={} actions={} problem=\"{}\"", name_, worker.batch.size(),
                  status.error().message);
    if (worker.batch.size() > 1) {
        each_alone(worker);
        co_return false;
    }
    auto& item = worker.batch.front();
    auto& lane = *item.lane;
    if (!item.withdrawn) {
        dispatcher_.refuse(lane, item.row, item.emergency,
                           {0, store::Refusal::Kind::invalid_document, status.error().message});
    }
    left(lane);
    release(lane, false, 0);
    co_return false;
}

// -- What others see --------------------------------------------------------------------------------------------------

void DestinationSender::publish() {
    board_->waiting.store(scheduler_.waiting() + suspects_.size(), std::memory_order_relaxed);
    board_->in_flight.store(in_flight_, std::memory_order_relaxed);
    report_.publish();
}

void DestinationSender::note(metrics::Attempt attempt) {
    metrics_.attempts(attempt).add();
    if (attempt == metrics::Attempt::answered) {
        board_->clear_failure();
    } else {
        board_->set_failure(attempt, dispatcher_.clock().wall());
    }
}

void DestinationSender::sync_connection(Worker& worker) {
    worker.counted.note(worker.connection && worker.connection->is_open(), metrics_.connections, board_->connections);
}

}  // namespace lihandover::delivery
