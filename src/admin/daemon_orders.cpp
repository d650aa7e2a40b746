#include "daemon_orders.hpp"

#include <string>

#include "lihandover/audit/verification.hpp"
#include "lihandover/base/background.hpp"
#include "status_resource.hpp"

namespace lihandover::admin {

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
    if (!order.ids.empty() || !order.destination.empty() || order.code || !order.reason.empty()) {
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

boost::asio::awaitable<Answer> DaemonOrders::accept_clock(http::Exchange& exchange) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    if (!order.ids.empty() || !order.destination.empty() || order.code || !order.reason.empty() ||
        order.confirm_ended) {
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

boost::asio::awaitable<Answer> DaemonOrders::deliver(http::Exchange& exchange, Delivery wish) const {
    const auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const Order& order = *read.order;
    if (!order.ids.empty() || order.destination.empty() || order.code || !order.reason.empty()) {
        co_return refuse(400, "pause and resume take destination and operator");
    }
    if (!control_.has_destination(order.destination)) {
        co_return refuse(404, "no such destination");
    }
    auto who = co_await who_of(exchange, order);
    // Stored first, so that nobody is told of a pause that the next start forgets.
    auto start = [&](auto done) {
        auto told = [done](store::Outcome outcome) { done(outcome); };
        if (wish == Delivery::pause) {
            decisions_.pause(order.destination, std::move(who), std::move(told));
        } else {
            decisions_.resume(order.destination, std::move(who), std::move(told));
        }
    };
    const auto outcome = co_await base::await_callback<store::Outcome>(std::move(start));
    if (outcome != store::Outcome::committed) {
        co_return refuse(503, "the store cannot commit now; nothing was changed");
    }
    if (wish == Delivery::pause) {
        control_.pause_destination(order.destination);
    } else {
        control_.resume_destination(order.destination);
    }
    co_return Answer{200, "{}\n"};
}

}  // namespace lihandover::admin
