#include "health_endpoint.hpp"

#include <string>
#include <utility>

#include "lihandover/base/background.hpp"

namespace lihandover::admin {

std::string_view word_of(Readiness readiness) {
    switch (readiness) {
        case Readiness::ready:
            return "ready";
        case Readiness::starting:
            return "starting";
        case Readiness::store:
            return "store";
        case Readiness::stopping:
            return "stopping";
        case Readiness::warrants:
            return "warrants";
    }
    return "";
}

boost::asio::awaitable<void> HealthEndpoint::handle(http::Exchange& exchange) {
    const auto path = exchange.path();
    http::Response response;
    response.content_type = "text/plain; charset=utf-8";
    const bool known = path == "/metrics" || path == "/healthz" || path == "/readyz";
    if (!known) {
        response.status = 404;
        response.body = "not found\n";
    } else if (exchange.method() != "GET") {
        response.status = 405;
        response.fields.emplace_back("Allow", "GET");
        response.body = "method not allowed\n";
    } else if (path == "/healthz") {
        response.body = "ok\n";
    } else if (path == "/readyz") {
        const auto readiness = readiness_();
        response.status = readiness == Readiness::ready ? 200 : 503;
        response.body = word_of(readiness);
        response.body += '\n';
    } else {
        before_scrape_();
        auto render = [metrics = &metrics_] { return metrics->render(); };
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        response.body = co_await base::run_on(worker_, std::move(render));
    }
    (void)co_await exchange.respond(std::move(response));
}

}  // namespace lihandover::admin
