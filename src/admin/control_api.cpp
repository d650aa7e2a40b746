#include "control_api.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace lihandover::admin {

namespace {

constexpr std::string_view one_item = "/v1/items/";

constexpr std::array<std::string_view, 4> reads = {"/v1/status", "/v1/warrants", "/v1/items", "/v1/audit"};
constexpr std::array<std::string_view, 11> orders = {
    "/v1/retry",  "/v1/reject", "/v1/approve",     "/v1/reload",          "/v1/accept-clock",  "/v1/pause",
    "/v1/resume", "/v1/revoke", "/v1/record-head", "/v1/approve-warrant", "/v1/refuse-warrant"};

}  // namespace

ControlApi::ControlApi(const Parts& parts, const boost::asio::any_io_executor& worker,
                       const std::function<Readiness()>& readiness)
    : status_(parts, worker, readiness),
      warrants_(parts, worker),
      items_(parts.items, worker),
      audit_(parts, worker),
      decisions_(parts, worker),
      orders_(parts, worker) {}

boost::asio::awaitable<void> ControlApi::handle(http::Exchange& exchange) {
    auto result = co_await answer(exchange);
    http::Response response;
    response.status = result.status;
    response.content_type = result.content_type;
    response.body = std::move(result.body);
    if (result.status == 503) {
        response.fields.emplace_back("Retry-After", "1");
    }
    (void)co_await exchange.respond(std::move(response));
}

boost::asio::awaitable<Answer> ControlApi::answer(http::Exchange& exchange) const {
    const auto path = exchange.path();
    const bool reading = std::ranges::find(reads, path) != reads.end() || path.starts_with(one_item);
    if (!reading && std::ranges::find(orders, path) == orders.end()) {
        co_return refuse(404, "no such resource");
    }
    if (exchange.method() != (reading ? "GET" : "POST")) {
        co_return refuse(405, reading ? "only GET is known here" : "only POST is known here");
    }
    // The socket's mode decides who may connect; a peer that the kernel does not vouch for may do nothing.
    if (!exchange.peer().process) {
        co_return refuse(403, "the peer has no user");
    }
    if (reading) {
        co_return co_await read(exchange);
    }
    co_return co_await order(exchange);
}

boost::asio::awaitable<Answer> ControlApi::read(const http::Exchange& exchange) const {
    const auto path = exchange.path();
    if (path == "/v1/status") {
        co_return co_await status_.get();
    }
    if (path == "/v1/warrants") {
        co_return co_await warrants_.list(exchange.query());
    }
    if (path == "/v1/items") {
        co_return co_await items_.list(exchange.query());
    }
    if (path == "/v1/audit") {
        co_return co_await audit_.list(exchange.query());
    }
    co_return co_await items_.show(path.substr(one_item.size()));
}

boost::asio::awaitable<Answer> ControlApi::order(http::Exchange& exchange) const {
    const auto path = exchange.path();
    if (path == "/v1/retry") {
        co_return co_await decisions_.decide(exchange, ItemDecisions::Kind::retry);
    }
    if (path == "/v1/reject") {
        co_return co_await decisions_.decide(exchange, ItemDecisions::Kind::reject);
    }
    if (path == "/v1/approve") {
        co_return co_await decisions_.decide(exchange, ItemDecisions::Kind::approve);
    }
    if (path == "/v1/accept-clock") {
        co_return co_await orders_.accept_clock(exchange);
    }
    if (path == "/v1/record-head") {
        co_return co_await orders_.record_head(exchange);
    }
    if (path == "/v1/approve-warrant") {
        co_return co_await orders_.decide_warrant(exchange, DaemonOrders::Decision::approve);
    }
    if (path == "/v1/refuse-warrant") {
        co_return co_await orders_.decide_warrant(exchange, DaemonOrders::Decision::refuse);
    }
    if (path == "/v1/revoke") {
        co_return co_await orders_.revoke(exchange);
    }
    if (path == "/v1/pause") {
        co_return co_await orders_.deliver(exchange, DaemonOrders::Delivery::pause);
    }
    if (path == "/v1/resume") {
        co_return co_await orders_.deliver(exchange, DaemonOrders::Delivery::resume);
    }
    co_return co_await orders_.reload(exchange);
}

}  // namespace lihandover::admin
