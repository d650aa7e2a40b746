#include "control_api.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "wiped_body.hpp"

namespace lihandover::admin {

namespace {

constexpr std::string_view one_item = "/v1/items/";

constexpr std::array<std::string_view, 5> reads = {"/v1/status", "/v1/warrants", "/v1/items", "/v1/audit",
                                                   "/v1/backlog"};

}  // namespace

/// What a POST does, by its path.
struct ControlApi::OrderPath {
    std::string_view path;
    boost::asio::awaitable<Answer> (*answer)(const ControlApi&, http::Exchange&);
};

const std::array<ControlApi::OrderPath, 16> ControlApi::orders = {{
    {"/v1/retry",
     [](const ControlApi& api, http::Exchange& on) { return api.decisions_.decide(on, ItemDecisions::Kind::retry); }},
    {"/v1/reject",
     [](const ControlApi& api, http::Exchange& on) { return api.decisions_.decide(on, ItemDecisions::Kind::reject); }},
    {"/v1/approve",
     [](const ControlApi& api, http::Exchange& on) { return api.decisions_.decide(on, ItemDecisions::Kind::approve); }},
    {"/v1/content", [](const ControlApi& api, http::Exchange& on) { return api.content_.show(on); }},
    {"/v1/reload", [](const ControlApi& api, http::Exchange& on) { return api.orders_.reload(on); }},
    {"/v1/revoke", [](const ControlApi& api, http::Exchange& on) { return api.orders_.revoke(on); }},
    {"/v1/approve-warrant",
     [](const ControlApi& api, http::Exchange& on) {
         return api.orders_.decide_warrant(on, DaemonOrders::Decision::approve);
     }},
    {"/v1/refuse-warrant",
     [](const ControlApi& api,
        http::Exchange& on) { return api.orders_.decide_warrant(on, DaemonOrders::Decision::refuse); }},
    {"/v1/apply-warrants", [](const ControlApi& api, http::Exchange& on) { return api.warrant_sets_.take(on, true); }},
    {"/v1/compare-warrants",
     [](const ControlApi& api, http::Exchange& on) { return api.warrant_sets_.take(on, false); }},
    {"/v1/accept-clock", [](const ControlApi& api, http::Exchange& on) { return api.orders_.accept_clock(on); }},
    {"/v1/accept-restore", [](const ControlApi& api, http::Exchange& on) { return api.orders_.accept_restore(on); }},
    {"/v1/record-head", [](const ControlApi& api, http::Exchange& on) { return api.orders_.record_head(on); }},
    {"/v1/rekey", [](const ControlApi& api, http::Exchange& on) { return api.orders_.rekey(on); }},
    {"/v1/pause",
     [](const ControlApi& api, http::Exchange& on) { return api.orders_.deliver(on, DaemonOrders::Delivery::pause); }},
    {"/v1/resume",
     [](const ControlApi& api, http::Exchange& on) { return api.orders_.deliver(on, DaemonOrders::Delivery::resume); }},
}};

ControlApi::ControlApi(const Parts& parts, const boost::asio::any_io_executor& worker,
                       const std::function<Readiness()>& readiness)
    : status_(parts, worker, readiness),
      warrants_(parts, worker),
      items_(parts.items, worker),
      audit_(parts, worker),
      backlog_(parts, worker),
      decisions_(parts, worker),
      orders_(parts, worker),
      content_(parts, worker),
      warrant_sets_(parts, worker) {}

boost::asio::awaitable<void> ControlApi::handle(http::Exchange& exchange) {
    auto result = co_await answer(exchange);
    http::Response response;
    response.status = result.status;
    response.content_type = result.content_type;
    if (result.status == 503) {
        response.fields.emplace_back("Retry-After", "1");
    }
    if (result.content) {
        WipedBody body(result.body);
        (void)co_await exchange.respond(std::move(response), body);
        co_return;
    }
    response.body = std::move(result.body);
    (void)co_await exchange.respond(std::move(response));
}

boost::asio::awaitable<Answer> ControlApi::answer(http::Exchange& exchange) const {
    const auto path = exchange.path();
    const bool reading = std::ranges::find(reads, path) != reads.end() || path.starts_with(one_item);
    if (!reading && std::ranges::find(orders, path, &OrderPath::path) == orders.end()) {
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
    if (path == "/v1/backlog") {
        co_return co_await backlog_.list(exchange.query());
    }
    if (path == "/v1/audit") {
        co_return co_await audit_.list(exchange.query());
    }
    co_return co_await items_.show(path.substr(one_item.size()));
}

boost::asio::awaitable<Answer> ControlApi::order(http::Exchange& exchange) const {
    const auto found = std::ranges::find(orders, exchange.path(), &OrderPath::path);
    co_return co_await found->answer(*this, exchange);
}

}  // namespace lihandover::admin
