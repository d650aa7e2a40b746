#include "control.hpp"

#include <utility>

namespace lihandover::lea_sim {

namespace {

constexpr std::size_t max_body = std::size_t{1} << 20;

}  // namespace

std::string ControlHandler::behaviour_json() const {
    const auto behaviour = shared_.behaviour();
    std::string rules = "[";
    for (std::size_t i = 0; i < behaviour->size(); ++i) {
        auto line = Line("rule")
                        .text("kind", name_of(behaviour->rule(i).kind))
                        .number("applied", behaviour->applied(i))
                        .finished();
        line.pop_back();
        rules += (i == 0 ? "" : ",") + line;
    }
    return Line("behaviour").raw("rules", rules + "]").finished();
}

boost::asio::awaitable<void> ControlHandler::handle(http::Exchange& exchange) {
    const auto path = exchange.path();
    const bool post = exchange.method() == "POST";
    const bool get = exchange.method() == "GET";
    http::Response response;
    response.content_type = "application/json";
    if (path == "/totals" && get) {
        response.body = shared_.totals.to_json("totals");
    } else if (path == "/behaviour" && get) {
        response.body = behaviour_json();
    } else if (path == "/release" && post) {
        release_();
        response.body = Line("released").finished();
    } else if (path == "/behaviour" && post) {
        std::string body;
        const auto read = co_await exchange.read_body(body, max_body);
        if (!read) {
            response.status = 400;
        } else if (auto rules = rules_from_json(body)) {
            shared_.set_behaviour(std::make_shared<Behaviour>(std::move(*rules)));
            response.body = behaviour_json();
        } else {
            response.status = 400;
            response.body = Line("problem").text("reason", rules.error().message).finished();
        }
    } else {
        response.status = 404;
    }
    (void)co_await exchange.respond(std::move(response));
}

}  // namespace lihandover::lea_sim
