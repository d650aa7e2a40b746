#include "daemon_orders.hpp"

#include <string>
#include <string_view>

#include "lihandover/audit/verification.hpp"
#include "lihandover/base/background.hpp"
#include "status_resource.hpp"

namespace lihandover::admin {

namespace {

/// Unlike a failed commit, which may be on disk all the same.
constexpr std::string_view not_tried =
    "nothing was tried, and nothing changes: ask again; the daemon stops, or the store has not yet told whether "
    "another revocation is on disk";

/// As the control API says it.
Answer answer_of(const Ordered& ordered) {
    return ordered.status == 200 ? Answer{200, "{}\n"} : refuse(ordered.status, ordered.sentence);
}

}  // namespace

boost::asio::awaitable<std::string> DaemonOrders::who_of(const http::Exchange& exchange, const Order& order) const {
    auto look = [&order, &peer = exchange.peer()] { return name_of_peer(peer, order.operator_name); };
    co_return co_await base::run_on(worker_, std::move(look));
}

boost::asio::awaitable<Answer> DaemonOrders::reload(http::Exchange& exchange) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    if (!order.ids.empty() || !order.destination.empty() || !order.liid.empty() || order.code ||
        !order.reason.empty()) {
        co_return refuse(400, "reload takes confirm_ended and operator only");
    }
    ReloadRequest request;
    request.who = co_await who_of(exchange, order);
    request.confirm_ended = order.confirm_ended;
    auto start = [this, &request](auto done) {
        control_.reload(std::move(request), [done](ReloadReport report) { done(std::move(report)); });
    };
    const auto report = co_await base::await_callback<ReloadReport>(std::move(start));
    Answer result;
    JsonWriter json(result.body);
    write_report(json, report);
    result.body += '\n';
    co_return result;
}

boost::asio::awaitable<Answer> DaemonOrders::revoke(http::Exchange& exchange) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    const bool complete = !order.destination.empty() && !order.liid.empty() && !order.reason.empty();
    const bool known = order.queued.empty() || order.queued == "deliver" || order.queued == "hold";
    if (!complete || !known || !order.ids.empty() || order.code || order.confirm_ended) {
        co_return refuse(400, "revoke takes destination, liid and reason, and queued (deliver or hold) and operator");
    }
    RevokeRequest request{order.destination, order.liid, order.reason, {}, order.queued == "hold"};
    request.who = co_await who_of(exchange, order);
    co_return answer_of(co_await revoke(std::move(request)));
}

boost::asio::awaitable<Ordered> DaemonOrders::revoke(RevokeRequest request) const {
    auto start = [this, &request](auto done) {
        control_.revoke(std::move(request), [done](RevokeOutcome outcome) { done(outcome); });
    };
    switch (co_await base::await_callback<RevokeOutcome>(std::move(start))) {
        case RevokeOutcome::revoked:
            break;
        case RevokeOutcome::unknown:
            co_return Ordered{404, "no such warrant is in force"};
        case RevokeOutcome::failed:
            co_return Ordered{
                503,
                "the revocation could not be committed now: it counts only if it turns out to be on disk once the "
                "store works again; look with `lihandoverctl warrants`, and into the log"};
        case RevokeOutcome::not_tried:
            co_return Ordered{503, not_tried};
    }
    co_return Ordered{};
}

boost::asio::awaitable<Answer> DaemonOrders::decide_warrant(http::Exchange& exchange, Decision decision) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    const bool approve = decision == Decision::approve;
    if (order.destination.empty() || order.liid.empty() || order.reason.empty() != approve || !order.ids.empty() ||
        order.code || order.confirm_ended) {
        co_return refuse(400, approve ? "approve-warrant takes destination and liid, digest and operator"
                                      : "refuse-warrant takes destination, liid and reason, digest and operator");
    }
    // Who counts is the user that the kernel names.
    ApprovalRequest request{order.destination, order.liid, approve, order.reason, exchange.peer().process->uid, {},
                            order.digest};
    request.who = co_await who_of(exchange, order);
    auto start = [this, &request](auto done) {
        control_.decide_warrant(std::move(request), [done](ApprovalAnswer answer) { done(answer); });
    };
    const auto answer = co_await base::await_callback<ApprovalAnswer>(std::move(start));
    switch (answer.outcome) {
        case ApprovalAnswer::Outcome::counted:
        case ApprovalAnswer::Outcome::in_force:
        case ApprovalAnswer::Outcome::refused:
            break;
        case ApprovalAnswer::Outcome::unknown:
            co_return refuse(404, "no such warrant waits for approval, or its file has changed since");
        case ApprovalAnswer::Outcome::own_file:
            co_return refuse(403, "the warrant's file is yours: somebody else has to approve it");
        case ApprovalAnswer::Outcome::failed:
            co_return refuse(503, "the decision could not be stored; see the log");
        case ApprovalAnswer::Outcome::not_tried:
            co_return refuse(503, not_tried);
    }
    Answer result;
    JsonWriter json(result.body);
    json.open_object()
        .boolean("in_force", answer.outcome == ApprovalAnswer::Outcome::in_force)
        .number("approvals", answer.approvals)
        .number("needed", answer.needed)
        .close_object();
    result.body += '\n';
    co_return result;
}

boost::asio::awaitable<Answer> DaemonOrders::accept_clock(http::Exchange& exchange) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    if (!order.ids.empty() || !order.destination.empty() || !order.liid.empty() || order.code ||
        !order.reason.empty() || order.confirm_ended) {
        co_return refuse(400, "accept-clock takes operator only");
    }
    // On record first: what goes by the clock from now on cannot be undone.
    const std::string who = co_await who_of(exchange, order);
    const std::string why = "the wall clock is at " + model::to_microsecond_date_time(clock_.wall()) +
                            ", the trusted time was at " + model::to_microsecond_date_time(clock_.trusted());
    auto record = [this, &who, &why] { return decisions_.clock_accepted(who, why); };
    if (const model::Status recorded = co_await base::run_on(worker_, std::move(record)); !recorded) {
        co_return refuse(503, recorded.error().message + "; the clock is trusted no more than before");
    }
    control_.accept_clock();
    co_return Answer{200, "{}\n"};
}

boost::asio::awaitable<Answer> DaemonOrders::accept_restore(http::Exchange& exchange) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    if (!order.ids.empty() || !order.destination.empty() || !order.liid.empty() || order.code || order.reason.empty() ||
        order.confirm_ended) {
        co_return refuse(400, "accept-restore takes reason, and operator");
    }
    if (decisions_.statistics().restored.empty()) {
        co_return refuse(409, "the store is the one that was there last: there is nothing to accept");
    }
    const std::string who = co_await who_of(exchange, order);
    auto record = [this, &who, &why = order.reason] { return decisions_.accept_restore(who, why); };
    if (const model::Status recorded = co_await base::run_on(worker_, std::move(record)); !recorded) {
        co_return refuse(503, recorded.error().message);
    }
    co_return Answer{200, "{}\n"};
}

boost::asio::awaitable<Answer> DaemonOrders::record_head(http::Exchange& exchange) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    const auto named = audit::head_of_words(order.head);
    if (!named || !order.ids.empty() || !order.destination.empty() || order.code || !order.reason.empty() ||
        order.confirm_ended) {
        co_return refuse(400, "record-head takes head (`chain HASH head NUMBER:HASH`) and operator");
    }
    const std::string who = co_await who_of(exchange, order);
    auto record = [this, &who, &named] { return audit_.record_head(named->chain, named->head, who); };
    if (const model::Status recorded = co_await base::run_on(worker_, std::move(record)); !recorded) {
        co_return refuse(503, recorded.error().message);
    }
    co_return Answer{200, "{}\n"};
}

boost::asio::awaitable<Answer> DaemonOrders::rekey(http::Exchange& exchange) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    if (!order.ids.empty() || !order.destination.empty() || !order.liid.empty() || order.code ||
        !order.reason.empty() || order.confirm_ended) {
        co_return refuse(400, "rekey takes operator only");
    }
    if (!sealing_.status().on) {
        co_return refuse(409, "the store is not encrypted: encryption.key_files is not set");
    }
    std::string who = co_await who_of(exchange, order);
    auto start = [this, &who](auto done) {
        sealing_.rekey(std::move(who), [done](store::Outcome outcome) { done(outcome); });
    };
    const auto outcome = co_await base::await_callback<store::Outcome>(std::move(start));
    if (outcome != store::Outcome::committed) {
        co_return refuse(503, "the store cannot commit now; whether it has begun, the status says once it can");
    }
    co_return Answer{200, "{}\n"};
}

boost::asio::awaitable<Answer> DaemonOrders::deliver(http::Exchange& exchange, Delivery wish) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    if (!order.ids.empty() || order.destination.empty() || !order.liid.empty() || order.code || !order.reason.empty()) {
        co_return refuse(400, "pause and resume take destination and operator");
    }
    auto who = co_await who_of(exchange, order);
    co_return answer_of(co_await deliver(order.destination, wish, std::move(who)));
}

boost::asio::awaitable<Ordered> DaemonOrders::deliver(std::string destination, Delivery wish, std::string who) const {
    if (!control_.has_destination(destination)) {
        co_return Ordered{404, "no such destination"};
    }
    // Stored first, so that nobody is told of a pause that the next start forgets.
    auto start = [&](auto done) {
        auto told = [done](store::Outcome outcome) { done(outcome); };
        if (wish == Delivery::pause) {
            decisions_.pause(destination, std::move(who), std::move(told));
        } else {
            decisions_.resume(destination, std::move(who), std::move(told));
        }
    };
    const auto outcome = co_await base::await_callback<store::Outcome>(std::move(start));
    if (outcome != store::Outcome::committed) {
        co_return Ordered{503,
                          "not committed: delivery goes on as it was, and the next start may find it changed all the "
                          "same; say it again once the store works"};
    }
    if (wish == Delivery::pause) {
        control_.pause_destination(destination);
    } else {
        control_.resume_destination(destination);
    }
    co_return Ordered{};
}

}  // namespace lihandover::admin
