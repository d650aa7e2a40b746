#include "service.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "lihandover/http/url.hpp"

namespace lihandover::objectserver {

namespace asio = boost::asio;

Service::Service(const asio::any_io_executor& executor, const Parts& parts, const Options& options)
    : executor_(executor),
      parts_(parts),
      record_wait_(options.record_wait),
      slots_(options.max_bodies),
      lookup_(parts.workers, parts.objects) {}

void Service::use(std::shared_ptr<const AccessList> access, const Bounds& bounds) {
    access_ = std::move(access);
    least_rate_ = {bounds.min_rate, bounds.min_rate_after};
    slots_.divide(access_->destinations());
    rate_.set(bounds.requests_per_second);
    quota_.set(bounds.store_bytes, bounds.record_retention, access_->destinations());
}

asio::awaitable<void> Service::handle(http::Exchange& exchange) {
    const auto came = std::chrono::steady_clock::now();
    if (too_many(exchange)) {
        parts_.metrics.downloads_limited().add();
        http::Response response;
        response.status = 429;
        response.fields.emplace_back("Cache-Control", "no-store");
        response.fields.emplace_back("Retry-After", "1");
        co_await exchange.respond(std::move(response));
        co_return;
    }
    const auto granted = co_await look_up(exchange);
    if (!granted) {
        co_await deny(exchange, came);
    } else if (granted->object.unreadable_now) {
        note_unreadable();
        co_await put_off(exchange, *granted);
    } else if (!can_commit()) {
        co_await put_off(exchange, *granted);
    } else {
        co_await serve(exchange, *granted);
    }
}

/// Decided before anything is looked up: the answer reveals nothing.
bool Service::too_many(const http::Exchange& exchange) {
    const auto& peer = exchange.peer().certificate;
    return peer && !rate_.admits(peer->name(), std::chrono::steady_clock::now());
}

asio::awaitable<void> Service::serve(http::Exchange& exchange, const Granted& granted) {
    DownloadParts shared{executor_, parts_, slots_, quota_, record_wait_, least_rate_, [this] { return can_commit(); }};
    Download download(std::move(shared), granted, exchange);
    co_await download.serve();
}

/// What cannot be put on record is not handed over (promise 11), nor what cannot be read at present.
asio::awaitable<void> Service::put_off(http::Exchange& exchange, const Granted& granted) {
    parts_.metrics.destination(granted.destination).downloads(metrics::Download::failed).add();
    http::Response response = sorry();
    co_await exchange.respond(std::move(response));
}

/// Logged when it starts and when it ends, not for each request.
bool Service::can_commit() {
    const bool can = !parts_.can_commit || parts_.can_commit();
    if (can == commits_fail_) {
        commits_fail_ = !can;
        if (can) {
            spdlog::info("binary objects are served again");
        } else {
            spdlog::error("the store cannot commit: no binary objects are served until it can");
        }
    }
    return can;
}

/// One lookup in the store, whatever was asked for, and then the same checks.
asio::awaitable<std::optional<Granted>> Service::look_up(const http::Exchange& exchange) {
    const std::string_view origin = origin_form(exchange.target());
    const auto id = object_id_of(origin);
    const model::Uuid nobodys = model::Uuid::random();
    Lookup::Found found = co_await lookup_.find(id ? *id : nobodys);
    note_lookup(found.has_value(), found ? std::string{} : found.error().message);
    const store::StoredObject* object = found && *found ? &**found : nullptr;
    std::string destination;
    if (!may_fetch(exchange, origin, object, destination)) {
        co_return std::nullopt;
    }
    co_return Granted{std::move(**found), std::move(destination), exchange.peer().certificate->name()};
}

bool Service::may_fetch(const http::Exchange& exchange, std::string_view origin, const store::StoredObject* object,
                        std::string& destination) const {
    const auto& peer = exchange.peer().certificate;
    if (!peer) {
        return false;  // never over TLS
    }
    const model::Instant now = parts_.clock.wall();
    const auto lane = parts_.lanes.find_lane(object != nullptr ? object->lane : 0);
    destination = lane ? lane->destination : std::string{};
    const bool allowed = access_->allows(destination, *peer);
    // A connection kept alive may outlive the certificate it started with.
    const bool current = now <= peer->not_after;
    const bool reading = exchange.method() == "GET" || exchange.method() == "HEAD";
    if (object == nullptr || !allowed || !current || !reading || !is_offered(*object, parts_.clock.trusted())) {
        return false;
    }
    if (object->unreadable_now) {
        return true;  // nor can its URL, which its id is the end of
    }
    const auto url = http::parse_url(object->described.url);
    return url && url->target == origin;
}

asio::awaitable<void> Service::deny(http::Exchange& exchange, std::chrono::steady_clock::time_point came) {
    parts_.metrics.downloads_denied().add();
    const auto spent = std::chrono::steady_clock::now() - came;
    asio::steady_timer timer{executor_, came + denial_step * (spent / denial_step + 1)};
    co_await timer.async_wait(asio::use_awaitable);
    http::Response response;
    response.status = 404;
    response.fields.emplace_back("Cache-Control", "no-store");
    co_await exchange.respond(std::move(response));
}

/// One object, or a few: how often they are asked for is the LEA's choice, and the log's size is not.
void Service::note_unreadable() {
    const auto now = std::chrono::steady_clock::now();
    if (!told_unreadable_ || now - *told_unreadable_ >= std::chrono::minutes(1)) {
        told_unreadable_ = now;
        spdlog::error(
            "a binary object cannot be read at present, and is answered 503: the disk does not give its key; others "
            "are "
            "served");
    }
}

/// Logged when it starts and when it ends, not for each request.
void Service::note_lookup(bool worked, const std::string& problem) {
    if (worked == lookups_fail_) {
        lookups_fail_ = !worked;
        if (worked) {
            spdlog::info("binary objects can be looked up again");
        } else {
            spdlog::error("binary objects cannot be looked up, all requests are answered 404: {}", problem);
        }
    }
}

}  // namespace lihandover::objectserver
