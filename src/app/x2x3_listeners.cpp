#include "x2x3_listeners.hpp"

#include <algorithm>
#include <chrono>

#include "logging.hpp"

namespace lihandover::app {

namespace asio = boost::asio;

namespace {

/// How much of shutdown_timeout connections may take to end, and then what was read to become durable.
constexpr int connections_share_of_stop = 4;
constexpr int events_share_of_stop = 2;
/// For a listener that a reload took away.
constexpr std::chrono::seconds last_reading{2};
constexpr std::chrono::minutes last_commits{10};

intake::X2x3Settings settings_of(const config::X2x3Listener& options, const config::Configuration& configuration) {
    intake::X2x3Settings settings;
    settings.tracker.service = options.service;
    settings.tracker.partial_message_timeout = options.partial_message_timeout;
    settings.tracker.session_idle = options.session_idle;
    settings.tracker.session_limit = options.session_limit;
    settings.tracker.max_sessions = options.max_sessions;
    settings.tracker.max_text = configuration.intake.max_event_size;
    settings.bounds.max_payload = options.max_payload;
    settings.keepalive_timeout = options.keepalive_timeout;
    settings.clients = {options.tls.clients.begin(), options.tls.clients.end()};
    // With what of them is spooled that is an eighth: the rest is for what can be delivered, which makes room.
    settings.most_kept = configuration.store.max_bytes / 16 / configuration.intake.x2x3.size();
    settings.memory = std::max<std::size_t>(settings.memory, 4 * options.max_payload);
    return settings;
}

}  // namespace

/// One listener. Its server goes first, and then its door.
struct X2x3Listeners::Listener {
    std::string name;
    std::string address;  ///< as configured; empty: it has no server
    std::unique_ptr<intake::X2x3Door> door;
    std::unique_ptr<http::StreamServer> server;
};

class X2x3Listeners::Prepared {
  public:
    struct Change {
        std::shared_ptr<Listener> listener;
        bool is_new = false;
        intake::X2x3Settings settings;
        std::shared_ptr<const tls::ServerContext> tls;
        std::size_t max_connections = 0;
        std::string address;                         ///< of `server`
        std::unique_ptr<http::StreamServer> server;  ///< null: the one it has stays
    };
    std::vector<Change> changes;
    std::vector<std::shared_ptr<Listener>> adopted;
};

X2x3Listeners::X2x3Listeners(asio::any_io_executor executor, intake::X2x3Services services, metrics::Metrics& metrics)
    : executor_(executor), services_(std::move(services)), metrics_(metrics), background_(std::move(executor)) {}

X2x3Listeners::~X2x3Listeners() = default;

std::shared_ptr<X2x3Listeners::Listener> X2x3Listeners::make(const std::string& name,
                                                             intake::X2x3Settings settings) const {
    auto listener = std::make_shared<Listener>();
    listener->name = name;
    listener->door =
        std::make_unique<intake::X2x3Door>(executor_, name, metrics_.x2x3(name), services_, std::move(settings));
    return listener;
}

model::Result<std::shared_ptr<X2x3Listeners::Prepared>> X2x3Listeners::prepare(const Assembly& next, std::size_t most) {
    auto prepared = std::make_shared<Prepared>();
    for (const config::X2x3Listener& options : next.configuration.intake.x2x3) {
        const std::string context = "intake " + options.name + ": ";
        if (std::ranges::find(gone_, options.name, &Listener::name) != gone_.end()) {
            return model::Error{context + "the listener of this name is still closing; reload again"};
        }
        Prepared::Change& change = prepared->changes.emplace_back();
        const auto found = std::ranges::find(listeners_, options.name, &Listener::name);
        change.is_new = found == listeners_.end();
        change.settings = settings_of(options, next.configuration);
        change.listener = change.is_new ? make(options.name, change.settings) : *found;
        change.tls = next.listener_tls(options.name);
        change.max_connections = std::min<std::size_t>(options.max_connections, most);
        change.address = options.listen.to_string();
        if (change.listener->address == change.address) {
            continue;
        }
        http::StreamOptions server;
        server.listen = change.address;
        server.tls = change.tls;
        server.max_connections = change.max_connections;
        auto listening = http::StreamServer::listen(executor_, std::move(server), *change.listener->door);
        if (!listening) {
            return model::prefixed(context, listening.error());
        }
        change.server = std::move(*listening);
    }
    return prepared;
}

void X2x3Listeners::adopt(Prepared& prepared, const std::vector<std::string>& kept_sources) {
    for (const std::string& source : kept_sources) {
        const bool configured = std::ranges::any_of(
            prepared.changes, [&](const Prepared::Change& change) { return change.listener->name == source; });
        if (!configured) {
            log_warning("a listener of before is gone; what it had not finished goes out source=" + source);
            prepared.adopted.push_back(make(source, {}));
        }
    }
}

model::Status X2x3Listeners::rebuild(Prepared& prepared) {
    for (const Prepared::Change& change : prepared.changes) {
        if (change.is_new) {
            if (model::Status rebuilt = change.listener->door->rebuild(); !rebuilt) {
                return model::prefixed("intake " + change.listener->name + ": ", rebuilt.error());
            }
        }
    }
    for (const auto& listener : prepared.adopted) {
        if (model::Status rebuilt = listener->door->rebuild(); !rebuilt) {
            return model::prefixed("intake " + listener->name + ": ", rebuilt.error());
        }
    }
    return {};
}

void X2x3Listeners::apply(std::shared_ptr<Prepared> prepared) {
    std::vector<std::shared_ptr<Listener>> next;
    for (Prepared::Change& change : prepared->changes) {
        Listener& listener = *change.listener;
        next.push_back(change.listener);
        if (change.is_new) {
            listener.door->start();
        } else {
            listener.door->reconfigure(std::move(change.settings));
        }
        if (change.server) {
            listener.address = std::move(change.address);
            if (auto old = std::exchange(listener.server, std::move(change.server))) {
                background_.spawn(close(std::move(old), change.listener));
            }
            listener.server->start();
            log_info("intake listens source=" + listener.name + " address=" + listener.server->address());
        } else {
            listener.server->set_tls(std::move(change.tls));
            listener.server->set_max_connections(change.max_connections);
        }
    }
    for (const auto& listener : prepared->adopted) {
        listener->door->start();
        background_.spawn(retire(listener));
    }
    std::vector<std::shared_ptr<Listener>> before;
    {
        const std::lock_guard lock(mutex_);
        before = std::exchange(listeners_, next);
    }
    for (const auto& listener : before) {
        if (std::ranges::find(next, listener) == next.end()) {
            log_info("intake no longer listens source=" + listener->name);
            background_.spawn(retire(listener));
        }
    }
}

void X2x3Listeners::renew_tls(const std::string& name, const std::shared_ptr<const tls::ServerContext>& tls) {
    for (const auto& listener : listeners_) {
        if (listener->name == name && listener->server) {
            listener->server->set_tls(tls);
        }
    }
}

asio::awaitable<void> X2x3Listeners::close(std::unique_ptr<http::StreamServer> server, std::shared_ptr<Listener> of) {
    co_await server->stop(last_reading);
    server.reset();
    of.reset();  // its door was needed until now
}

asio::awaitable<void> X2x3Listeners::retire(std::shared_ptr<Listener> listener) {
    gone_.push_back(listener);
    if (listener->server) {
        co_await listener->server->stop(last_reading);
    }
    co_await listener->door->finish(last_commits);
    std::erase(gone_, listener);
}

asio::awaitable<void> X2x3Listeners::stop_one(std::shared_ptr<Listener> listener, StopTime time) {
    if (listener->server) {
        co_await listener->server->stop(time.left_of_share(connections_share_of_stop));
    }
    co_await listener->door->stop(time.left_of_share(events_share_of_stop));
}

asio::awaitable<void> X2x3Listeners::stop(StopTime time) {
    std::vector<std::shared_ptr<Listener>> all = listeners_;
    all.insert(all.end(), gone_.begin(), gone_.end());
    for (const auto& listener : all) {
        background_.spawn(stop_one(listener, time));
    }
    // None of it is cancelled: each has its time, and a door is not let go while it works.
    co_await background_.wait();
}

std::vector<std::pair<std::string, std::uint64_t>> X2x3Listeners::sequence_gaps() const {
    std::vector<std::pair<std::string, std::uint64_t>> gaps;
    const std::lock_guard lock(mutex_);
    for (const auto& listener : listeners_) {
        if (const std::uint64_t count = listener->door->sequence_gaps(); count > 0) {
            gaps.emplace_back(listener->name, count);
        }
    }
    return gaps;
}

}  // namespace lihandover::app
