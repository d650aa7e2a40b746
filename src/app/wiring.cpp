#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "lihandover/base/background.hpp"
#include "lihandover/base/thread_name.hpp"
#include "logging.hpp"
#include "parts.hpp"
#include "store_place.hpp"

namespace lihandover::app {

namespace {

namespace asio = boost::asio;

/// Bodies of all intake connections together. Each listener has a share, beyond which reading waits, so that no source
/// keeps another waiting.
constexpr std::size_t body_budget_bytes = std::size_t{64} << 20;
constexpr std::size_t least_body_budget = std::size_t{8} << 20;
/// How much of shutdown_timeout running intake requests may take before delivery gets the rest.
constexpr int intake_share_of_stop = 4;
constexpr std::size_t max_intake_connections = 4096;

/// The object server counts as two listeners, since a client that fetches also needs a file.
std::size_t connections_per_listener(std::size_t listeners) {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
        return max_intake_connections;
    }
    const std::size_t left = files.rlim_cur > 1024 ? files.rlim_cur - 512 : files.rlim_cur / 2;
    return std::clamp<std::size_t>(left / std::max<std::size_t>(listeners, 1), 16, max_intake_connections);
}

model::Status create_object_server(Parts& parts, const Assembly& assembly) {
    const auto& options = assembly.configuration.objectserver;
    if (!options) {
        return {};
    }
    auto serving = objectserver::ObjectServer::create(
        parts.delivery_io.get_executor(),
        {parts.store->object_downloads(), parts.store->warrant_register(), parts.metrics, parts.clock,
         parts.workers.get_executor(), [&parts] { return parts.delivery->store_commits(); }},
        {.listen = options->listen.to_string(), .max_connections = parts.connections_each}, *assembly.objectserver);
    if (!serving) {
        return model::prefixed("objectserver: ", serving.error());
    }
    parts.object_server = std::move(*serving);
    return {};
}

model::Status create_x2x3(Parts& parts, const Assembly& assembly) {
    parts.x2x3 = std::make_unique<X2x3Listeners>(
        parts.intake_io.get_executor(),
        intake::X2x3Services{parts.store->item_intake(), parts.store->object_intake(), parts.store->kept_copies(),
                             *parts.snapshot, parts.clock, parts.workers.get_executor(), parts.metrics.objects_lost()},
        parts.metrics);
    auto prepared = parts.x2x3->prepare(assembly, parts.connections_each);
    if (!prepared) {
        return prepared.error();
    }
    parts.x2x3_at_start = *prepared;
    const auto kept = parts.store->kept_copies().sources();
    if (!kept) {
        return kept.error();
    }
    parts.x2x3->adopt(*parts.x2x3_at_start, *kept);
    return X2x3Listeners::rebuild(*parts.x2x3_at_start);
}

model::Status create_listener(Parts& parts, const Assembly& assembly, const config::IntakeListener& options,
                              std::size_t connections) {
    IntakeListener listener;
    listener.name = options.name;
    listener.bodies = std::make_unique<intake::BodyBudget>(
        parts.intake_io.get_executor(),
        std::max(body_budget_bytes / assembly.configuration.intake.http.size(), least_body_budget));
    listener.events = std::make_unique<intake::EventsHandler>(
        options.name, parts.metrics.source(options.name),
        intake::Services{parts.store->item_intake(), parts.store->object_intake(), *parts.snapshot, *listener.bodies,
                         parts.clock, parts.workers.get_executor(), parts.copier.get(),
                         assembly.configuration.intake.http.size() + assembly.configuration.intake.x2x3.size() > 1});
    listener.gate = std::make_unique<ClientGate>(*listener.events);
    http::ServerOptions server;
    server.listen = options.listen.to_string();
    server.unix_mode = options.mode;
    server.unix_group = options.group;
    server.limits.max_connections = connections;
    if (options.tls) {
        server.tls = assembly.listener_tls(options.name);
        listener.gate->allow(options.tls->clients);
    }
    auto listening = http::Server::listen(parts.intake_io.get_executor(), std::move(server), *listener.gate);
    if (!listening) {
        return model::prefixed("intake " + options.name + ": ", listening.error());
    }
    listener.server = std::move(*listening);
    parts.listeners.push_back(std::move(listener));
    return {};
}

/// For what blocks: the thread that stops the parts has to go on with the next one.
asio::awaitable<void> on_worker(Parts& parts, std::function<void()> work) {
    return base::run_on(parts.workers.get_executor(), std::move(work));
}

/// On the delivery thread: both within the same time.
asio::awaitable<void> stop_handing_over(Parts& parts, std::chrono::milliseconds grace) {
    if (!parts.object_server) {
        co_await parts.delivery->stop(grace);
        co_return;
    }
    using boost::asio::experimental::awaitable_operators::operator&&;
    co_await (parts.delivery->stop(grace) && parts.object_server->stop(grace));
}

asio::awaitable<void> stop_delivery_thread(Parts& parts, StopTime time) {
    co_await asio::co_spawn(parts.delivery_io, stop_handing_over(parts, time.left()), asio::use_awaitable);
    parts.delivery_work.reset();
    auto joined = on_worker(parts, [&parts] { parts.delivery_thread.join(); });
    co_await std::move(joined);
}

asio::awaitable<void> stop_http(Parts& parts, StopTime time) {
    for (const IntakeListener& listener : parts.listeners) {
        co_await listener.server->stop(time.left_of_share(intake_share_of_stop));
        listener.events->stop();
    }
}

asio::awaitable<void> stop_intake(Parts& parts, StopTime time) {
    using boost::asio::experimental::awaitable_operators::operator&&;
    co_await (stop_http(parts, time) && parts.x2x3->stop(time));
}

model::Status run_parts(Parts& parts) {
    if (model::Status started = parts.delivery->start(); !started) {
        return started;
    }
    if (parts.copier) {
        if (model::Status started = parts.copier->start(parts.snapshot->get()->limits.attachment_grace); !started) {
            return started;
        }
    }
    if (parts.object_server) {
        parts.object_server->start();
        log_info("objectserver listens address=" + parts.object_server->address());
    }
    return {};
}

}  // namespace

Parts::~Parts() {
    if (delivery_thread.joinable()) {
        // Only if an exception ended the daemon before its stop.
        delivery_work.reset();
        delivery_io.stop();
        delivery_thread.join();
    }
    workers.join();
    if (store) {
        store->stop();
        store->outbox().set_listener(nullptr);
        store->upload_outbox().set_listener(nullptr);
    }
}

void Parts::tell_followed(const WarrantsLoaded& loaded) const {
    if (loaded.set) {
        keeper->sets()->follow(loaded.set->state);
        store->item_intake().submit({}, {}, {});  // which tells them
    }
}

store::AuditLog::Settings audit_settings(const Assembly& assembly) {
    const config::Audit& options = assembly.configuration.audit;
    return {options.checkpoint_entries, std::chrono::duration_cast<std::chrono::seconds>(options.checkpoint_interval),
            node_of(assembly.configuration), assembly.signing_key};
}

model::Status open_store(Parts& parts, const Assembly& assembly) {
    const config::Configuration& configuration = assembly.configuration;
    store::Options options;
    options.directory = configuration.state_dir;
    options.max_bytes = configuration.store.max_bytes;
    options.record_retention = std::chrono::duration_cast<std::chrono::seconds>(configuration.store.record_retention);
    options.commit_timeout = configuration.store.commit_timeout;
    options.audit = audit_settings(assembly);
    options.master_keys = assembly.master_keys;
    const auto database = database_of(configuration);
    auto opened =
        database ? store::open_postgresql(options, *database, parts.clock) : store::Store::open(options, parts.clock);
    if (!opened) {
        return opened.error();
    }
    parts.store = std::move(*opened);
    const metrics::Histogram commits = parts.metrics.store_commit_seconds();
    parts.store->set_commit_observer([commits](double seconds) { commits.observe(seconds); });
    parts.stops.add([&parts](StopTime) {
        return on_worker(parts, [&parts] {
            parts.store->stop();
            parts.store_closed = true;
        });
    });
    return {};
}

model::Status create_parts(Parts& parts, const Assembly& assembly, admin::Control& control) {
    for (const auto& [name, options] : assembly.configuration.destinations) {
        (void)parts.metrics.destination(name);
    }
    auto delivery = delivery::Delivery::create(
        parts.delivery_io.get_executor(),
        {parts.store->outbox(), parts.store->upload_outbox(), parts.store->warrant_register(), parts.metrics,
         parts.clock, parts.workers.get_executor()},
        assembly.delivery);
    if (!delivery) {
        return delivery.error();
    }
    parts.delivery = std::move(*delivery);
    parts.store->outbox().set_listener(parts.delivery.get());
    parts.store->upload_outbox().set_listener(parts.delivery.get());
    const config::Intake& intake = assembly.configuration.intake;
    parts.connections_each = connections_per_listener(intake.http.size() + intake.x2x3.size() +
                                                      (assembly.configuration.objectserver ? 2 : 0));
    if (model::Status created = create_object_server(parts, assembly); !created) {
        return created;
    }
    if (const std::string& root = intake.attachment_root; !root.empty()) {
        parts.copier = std::make_unique<intake::FileCopier>(root, parts.store->object_intake(),
                                                            parts.metrics.objects_lost(), parts.clock);
    }
    auto admin =
        admin::Admin::listen(parts.intake_io.get_executor(), assembly.configuration.admin,
                             {control, parts.store->operator_view(), parts.store->audit_log(), parts.store->sealing(),
                              parts.store->warrant_register(), parts.store->item_intake(), parts.metrics, parts.clock,
                              parts.workers.get_executor(), parts.store->object_downloads(), assembly.console_tls()});
    if (!admin) {
        return model::prefixed("admin: ", admin.error());
    }
    parts.admin = std::move(*admin);
    for (const config::IntakeListener& options : intake.http) {
        if (model::Status created = create_listener(parts, assembly, options, parts.connections_each); !created) {
            return created;
        }
    }
    return create_x2x3(parts, assembly);
}

void start_handing_over(Parts& parts, std::function<void(model::Status)> started) {
    parts.admin->start();
    parts.stops.add([&parts](StopTime time) { return parts.admin->stop(time.left()); });
    parts.delivery_thread = std::thread([&parts, started = std::move(started)] {
        base::name_thread("delivery");
        asio::post(parts.intake_io, [started, status = run_parts(parts)] { started(status); });
        parts.delivery_io.run();
    });
    parts.stops.add([&parts](StopTime time) { return stop_delivery_thread(parts, time); });
    if (parts.copier) {
        parts.stops.add([&parts](StopTime) { return on_worker(parts, [&parts] { parts.copier->stop(); }); });
    }
}

void start_intake(Parts& parts) {
    parts.stops.add([&parts](StopTime time) { return stop_intake(parts, time); });
    for (const IntakeListener& listener : parts.listeners) {
        listener.server->start();
        log_info("intake listens source=" + listener.name + " address=" + listener.server->address());
    }
    parts.x2x3->apply(std::exchange(parts.x2x3_at_start, nullptr));
}

}  // namespace lihandover::app
