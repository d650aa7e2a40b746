#include "application.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "assembly.hpp"
#include "client_gate.hpp"
#include "lihandover/admin/admin.hpp"
#include "lihandover/admin/control.hpp"
#include "lihandover/delivery/delivery.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/intake/http/body_budget.hpp"
#include "lihandover/intake/http/events_handler.hpp"
#include "lihandover/intake/pipeline/file_copier.hpp"
#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/objectserver/objectserver.hpp"
#include "lihandover/store/store.hpp"
#include "logging.hpp"
#include "process.hpp"
#include "warrant_keeper.hpp"

namespace lihandover::app {

namespace {

namespace asio = boost::asio;

/// Bodies of all intake connections together; beyond it reading waits.
constexpr std::size_t body_budget_bytes = std::size_t{64} << 20;
/// How much of shutdown_timeout running intake requests may take before delivery gets the rest.
constexpr int intake_share_of_stop = 4;
constexpr auto certificate_warning_time = std::chrono::days(14);
constexpr std::size_t max_intake_connections = 4096;

/// The object server counts as two listeners, since a client that fetches takes a file as well.
std::size_t connections_per_listener(std::size_t listeners) {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
        return max_intake_connections;
    }
    const std::size_t left = files.rlim_cur > 1024 ? files.rlim_cur - 512 : files.rlim_cur / 2;
    return std::clamp<std::size_t>(left / std::max<std::size_t>(listeners, 1), 16, max_intake_connections);
}

/// Whether the destination's LEA fetches from us (Model A).
bool serves(const config::Destination& destination) {
    return destination.binary && destination.binary->model == config::BinaryModel::a;
}

void log_problems(const config::Problems& problems) {
    constexpr std::size_t most = 100;
    for (std::size_t i = 0; i < problems.size() && i < most; ++i) {
        spdlog::error("{}", config::log_text(problems[i]));
    }
    if (problems.size() > most) {
        spdlog::error("{} more problems; --check prints all of them", problems.size() - most);
    }
}

void log_warnings(const config::Problems& warnings) {
    for (const config::Problem& warning : warnings) {
        spdlog::warn("{}", config::log_text(warning));
    }
}

/// One intake listener with what answers on it. Kept on the intake thread.
struct Listener {
    std::unique_ptr<intake::EventsHandler> events;
    std::unique_ptr<ClientGate> gate;
    std::unique_ptr<http::Server> server;
    std::string name;
};

/// The daemon's parts and threads. Members are declared in the order of their making, so that they go in the reverse:
/// whoever is used outlives its users.
class Application final : public admin::Control {
  public:
    explicit Application(std::string config_file) : config_file_(std::move(config_file)) {}
    ~Application() override;
    Application(const Application&) = delete;
    Application& operator=(const Application&) = delete;

    [[nodiscard]] bool run();

    [[nodiscard]] admin::Stage stage() const override { return stage_.load(); }
    [[nodiscard]] admin::Status status() const override;
    [[nodiscard]] std::shared_ptr<const admin::WarrantList> warrants() const override;
    void reload(std::string who, std::function<void(admin::ReloadReport)> done) override;

  private:
    /// What reloads replace; read by admin and by the metrics.
    struct InForce {
        std::shared_ptr<const Assembly> assembly;
        std::shared_ptr<const admin::WarrantList> warrants;
        std::size_t bad_files = 0;
        std::optional<admin::ReloadReport> last_reload;
    };
    struct WaitingReload {
        std::string who;
        std::function<void(admin::ReloadReport)> done;
    };

    // Start, on the main thread before any other runs.
    [[nodiscard]] bool prepare();
    [[nodiscard]] bool open_store(const Assembly& assembly);
    [[nodiscard]] bool load_warrants(const std::shared_ptr<const Assembly>& assembly);
    [[nodiscard]] bool create_parts(const Assembly& assembly);
    [[nodiscard]] bool listen(const Assembly& assembly);
    void scrape(metrics::Scrape& scrape) const;

    // Threads.
    void run_delivery();
    void begin_serving();
    [[nodiscard]] asio::awaitable<void> watch_signals();
    [[nodiscard]] asio::awaitable<void> feed_watchdog(std::chrono::microseconds interval);
    [[nodiscard]] asio::awaitable<void> stop();
    [[nodiscard]] asio::awaitable<void> stop_handing_over(std::chrono::milliseconds grace);

    // Reload.
    void start_next_reload();
    void finish_reload(const WaitingReload& request, admin::ReloadReport report,
                       std::shared_ptr<const Assembly> assembly);
    [[nodiscard]] admin::ReloadReport do_reload(const std::string& who, std::shared_ptr<const Assembly>& taken);
    [[nodiscard]] std::vector<std::string> objections(const Assembly& next) const;
    [[nodiscard]] InForce in_force() const {
        const std::lock_guard lock(in_force_mutex_);
        return in_force_;
    }
    void forget_removed_destinations(std::shared_ptr<const Assembly> assembly, std::function<void()> then);
    void end_reload(const WaitingReload& request, admin::ReloadReport report);
    void log_report(const admin::ReloadReport& report) const;

    const model::Clock& clock_ = model::system_clock();
    std::string config_file_;
    model::Instant started_at_ = clock_.wall();
    std::atomic<admin::Stage> stage_ = admin::Stage::starting;
    std::atomic<bool> failed_ = false;

    metrics::Metrics metrics_;
    std::uint64_t scraped_ = 0;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<WarrantKeeper> keeper_;
    std::unique_ptr<intake::CurrentSnapshot> snapshot_;
    mutable std::mutex in_force_mutex_;
    InForce in_force_;

    asio::thread_pool workers_{3};  ///< one more than there may be long tasks (a reload, a validation) at a time
    asio::io_context delivery_io_{1};
    asio::io_context intake_io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> delivery_work_{delivery_io_.get_executor()};
    std::unique_ptr<delivery::Delivery> delivery_;
    std::unique_ptr<objectserver::ObjectServer> object_server_;  ///< null without Model A; on the delivery thread
    std::unique_ptr<intake::FileCopier> copier_;                 ///< null without intake.attachment_root
    std::unique_ptr<admin::Admin> admin_;
    std::unique_ptr<intake::BodyBudget> body_budget_;
    std::vector<Listener> listeners_;
    asio::signal_set signals_{intake_io_, SIGTERM, SIGINT, SIGHUP};
    asio::steady_timer watchdog_timer_{intake_io_};
    std::thread delivery_thread_;

    // On the intake thread.
    std::deque<WaitingReload> waiting_reloads_;
    bool reloading_ = false;
    bool removes_destinations_ = false;  ///< of the reload that runs: written by its worker, read when that has ended
    bool stopping_ = false;
};

Application::~Application() {
    if (delivery_thread_.joinable()) {
        delivery_work_.reset();
        delivery_io_.stop();
        delivery_thread_.join();
    }
    if (copier_) {
        copier_->stop();
    }
    workers_.join();
    if (store_) {
        store_->stop();
        store_->set_listener(nullptr);
        store_->objects().set_listener(nullptr);
    }
    if (scraped_ != 0) {
        metrics_.remove_scraped(scraped_);
    }
}

bool Application::open_store(const Assembly& assembly) {
    const config::Configuration& configuration = assembly.configuration;
    store::Options options;
    options.directory = configuration.state_dir;
    options.max_bytes = configuration.store.max_bytes;
    options.record_retention = std::chrono::duration_cast<std::chrono::seconds>(configuration.store.record_retention);
    auto opened = store::Store::open(options, clock_);
    if (!opened) {
        spdlog::error("{}", opened.error().message);
        return false;
    }
    store_ = std::move(*opened);
    const metrics::Histogram commits = metrics_.store_commit_seconds();
    store_->set_commit_observer([commits](double seconds) { commits.observe(seconds); });
    return true;
}

bool Application::load_warrants(const std::shared_ptr<const Assembly>& assembly) {
    keeper_ = std::make_unique<WarrantKeeper>(*store_, assembly->configuration.warrants_dir);
    if (const model::Status restored = keeper_->restore(); !restored) {
        // The others were restored; the one that cannot be read comes back with its file, and its loss is an alarm.
        spdlog::error("{}", restored.error().message);
    }
    auto loaded = keeper_->load(*assembly, {});
    if (!loaded) {
        spdlog::error("{}", loaded.error().message);
        return false;
    }
    for (const store::Count& count : store_->statistics().counts) {
        if (count.any() && !assembly->profiles.contains(count.destination)) {
            spdlog::error(
                "{}: destination {} is missing, and items wait for it; put it back until they are delivered or "
                "rejected",
                config_file_, count.destination);
            return false;
        }
    }
    log_problems(loaded->problems);
    snapshot_ = std::make_unique<intake::CurrentSnapshot>(loaded->snapshot);
    admin::ReloadReport report;
    report.outcome = loaded->bad_files == 0 ? metrics::ReloadOutcome::done : metrics::ReloadOutcome::partial;
    report.at = clock_.wall();
    for (const config::Problem& problem : loaded->problems) {
        report.problems.push_back(config::check_text(problem));
    }
    report.warrants_added = loaded->added;
    report.warrants_changed = loaded->changed;
    report.warrants_ended = loaded->ended;
    report.warrant_files_bad = loaded->bad_files;
    log_report(report);
    in_force_ = {assembly, loaded->in_force, loaded->bad_files, std::move(report)};
    return true;
}

bool Application::create_parts(const Assembly& assembly) {
    for (const auto& [name, options] : assembly.configuration.destinations) {
        (void)metrics_.destination(name);
    }
    auto created = delivery::Delivery::create(delivery_io_.get_executor(),
                                              {*store_, metrics_, clock_, workers_.get_executor()}, assembly.delivery);
    if (!created) {
        spdlog::error("{}", created.error().message);
        return false;
    }
    delivery_ = std::move(*created);
    store_->set_listener(delivery_.get());
    store_->objects().set_listener(delivery_.get());
    if (const auto& options = assembly.configuration.objectserver) {
        auto serving = objectserver::ObjectServer::create(
            delivery_io_.get_executor(),
            {*store_, metrics_, clock_, workers_.get_executor(), [this] { return delivery_->store_commits(); }},
            {.listen = options->listen.to_string(),
             .max_connections = connections_per_listener(assembly.configuration.intake.http.size() + 2)},
            *assembly.objectserver);
        if (!serving) {
            spdlog::error("objectserver: {}", serving.error().message);
            return false;
        }
        object_server_ = std::move(*serving);
    }
    if (const std::string& root = assembly.configuration.intake.attachment_root; !root.empty()) {
        copier_ = std::make_unique<intake::FileCopier>(root, store_->binary_objects(), metrics_.objects_lost(), clock_);
    }
    auto listening = admin::Admin::listen(intake_io_.get_executor(), assembly.configuration.admin,
                                          {*this, *store_, metrics_, clock_, workers_});
    if (!listening) {
        spdlog::error("admin: {}", listening.error().message);
        return false;
    }
    admin_ = std::move(*listening);
    scraped_ = metrics_.add_scraped([this](metrics::Scrape& into) { scrape(into); });
    return true;
}

bool Application::listen(const Assembly& assembly) {
    const auto& configured = assembly.configuration.intake.http;
    body_budget_ = std::make_unique<intake::BodyBudget>(intake_io_.get_executor(), body_budget_bytes);
    const std::size_t connections = connections_per_listener(configured.size() + (object_server_ ? 2 : 0));
    for (const config::IntakeListener& options : configured) {
        Listener listener;
        listener.name = options.name;
        listener.events = std::make_unique<intake::EventsHandler>(
            options.name, metrics_.source(options.name),
            intake::Services{store_->item_intake(), store_->binary_objects(), *snapshot_, *body_budget_, clock_,
                             workers_.get_executor(), copier_.get()});
        listener.gate = std::make_unique<ClientGate>(*listener.events);
        http::ServerOptions server;
        server.listen = options.listen.to_string();
        server.unix_mode = options.mode;
        server.unix_group = options.group;
        server.limits.max_connections = connections;
        if (options.tls) {
            server.tls = assembly.intake_tls.at(options.name);
            listener.gate->allow(options.tls->clients);
        }
        auto listening = http::Server::listen(intake_io_.get_executor(), std::move(server), *listener.gate);
        if (!listening) {
            spdlog::error("intake {}: {}", options.name, listening.error().message);
            return false;
        }
        listener.server = std::move(*listening);
        listeners_.push_back(std::move(listener));
    }
    return true;
}

bool Application::prepare() {
    const Assembled assembled = assemble(config_file_, clock_.wall());
    if (!assembled.assembly) {
        log_problems(assembled.problems);
        spdlog::error("{}: not started; --check prints the values that are wrong", config_file_);
        return false;
    }
    set_log_level(assembled.assembly->configuration.log_level);
    log_warnings(assembled.assembly->warnings);
    return open_store(*assembled.assembly) && load_warrants(assembled.assembly) && create_parts(*assembled.assembly) &&
           listen(*assembled.assembly);
}

bool Application::run() {
    if (!prepare()) {
        return false;
    }
    asio::co_spawn(intake_io_, watch_signals(), asio::detached);
    if (const auto interval = watchdog_interval()) {
        asio::co_spawn(intake_io_, feed_watchdog(*interval), asio::detached);
    }
    admin_->start();
    delivery_thread_ = std::thread([this] { run_delivery(); });
    intake_io_.run();
    // The intake thread has nothing left to do once stop() is through.
    delivery_work_.reset();
    delivery_thread_.join();
    store_->stop();
    spdlog::info("stopped");
    return !failed_;
}

void Application::run_delivery() {
    model::Status started = delivery_->start();
    if (started && copier_) {
        started = copier_->start();
    }
    if (started && object_server_) {
        object_server_->start();
        spdlog::info("objectserver listens address={}", object_server_->address());
    }
    if (!started) {
        spdlog::error("delivery: {}", started.error().message);
        failed_ = true;
        asio::post(intake_io_, [this] { std::raise(SIGTERM); });
    } else {
        asio::post(intake_io_, [this] { begin_serving(); });
    }
    delivery_io_.run();
}

void Application::begin_serving() {
    if (stopping_) {
        return;
    }
    for (const Listener& listener : listeners_) {
        listener.server->start();
        spdlog::info("intake listens source={} address={}", listener.name, listener.server->address());
    }
    stage_ = admin::Stage::running;
    spdlog::info("ready version={} admin={} control={}", version, admin_->metrics_address(), admin_->control_address());
    notify_ready();
}

asio::awaitable<void> Application::watch_signals() {
    while (!stopping_) {
        const int signal = co_await signals_.async_wait(asio::use_awaitable);
        if (signal == SIGHUP) {
            reload({}, nullptr);
            continue;
        }
        stopping_ = true;
        stage_ = admin::Stage::stopping;
        notify_stopping();
        spdlog::info("stopping signal={}", signal);
        watchdog_timer_.cancel();
        co_await stop();
    }
}

// The watchdog hears of life only when both I/O threads have turned since the last time.
asio::awaitable<void> Application::feed_watchdog(std::chrono::microseconds interval) {
    while (!stopping_) {
        watchdog_timer_.expires_after(interval);
        boost::system::error_code error;
        co_await watchdog_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (error || stopping_) {
            co_return;
        }
        co_await asio::post(delivery_io_, asio::use_awaitable);
        co_await asio::post(intake_io_, asio::use_awaitable);
        notify_watchdog();
    }
}

// On the delivery thread: both within the same time.
asio::awaitable<void> Application::stop_handing_over(std::chrono::milliseconds grace) {
    if (!object_server_) {
        co_await delivery_->stop(grace);
        co_return;
    }
    using boost::asio::experimental::awaitable_operators::operator&&;
    co_await (delivery_->stop(grace) && object_server_->stop(grace));
}

asio::awaitable<void> Application::stop() {
    const auto timeout = in_force().assembly->configuration.shutdown_timeout;
    const auto deadline = clock_.steady() + timeout;
    const auto intake_deadline = clock_.steady() + timeout / intake_share_of_stop;
    const auto until = [this](model::Clock::SteadyTime time) {
        return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(time - clock_.steady()),
                        std::chrono::milliseconds(0));
    };
    for (const Listener& listener : listeners_) {
        co_await listener.server->stop(until(intake_deadline));
        listener.events->stop();
    }
    if (copier_) {
        copier_->stop();
    }
    co_await asio::co_spawn(delivery_io_, stop_handing_over(until(deadline)), asio::use_awaitable);
    co_await admin_->stop(until(deadline));
}

// -- Reload ----------------------------------------------------------------------------------------------------------

void Application::reload(std::string who, std::function<void(admin::ReloadReport)> done) {
    waiting_reloads_.push_back({std::move(who), std::move(done)});
    start_next_reload();
}

void Application::start_next_reload() {
    if (reloading_ || waiting_reloads_.empty()) {
        return;
    }
    WaitingReload request = std::move(waiting_reloads_.front());
    waiting_reloads_.pop_front();
    if (stage() != admin::Stage::running) {
        admin::ReloadReport report;
        report.at = clock_.wall();
        report.problems.emplace_back("the daemon is starting or stopping; nothing was reloaded");
        if (request.done) {
            request.done(std::move(report));
        }
        start_next_reload();
        return;
    }
    reloading_ = true;
    notify_reloading();
    asio::post(workers_, [this, request = std::move(request)] {
        std::shared_ptr<const Assembly> taken;
        admin::ReloadReport report = do_reload(request.who, taken);
        asio::post(intake_io_,
                   [this, request, report = std::move(report), taken] { finish_reload(request, report, taken); });
    });
}

std::vector<std::string> Application::objections(const Assembly& next) const {
    std::vector<std::string> found;
    const InForce now = in_force();
    for (const config::ChangedOption& option :
         config::changed_options(now.assembly->configuration, next.configuration)) {
        if (!option.reloadable) {
            found.push_back(config_file_ + ": " + option.path + " cannot be changed by a reload; restart the daemon");
        }
    }
    const store::Statistics statistics = store_->statistics();
    for (const auto& [name, options] : now.assembly->configuration.destinations) {
        if (const auto kept = next.configuration.destinations.find(name);
            kept != next.configuration.destinations.end()) {
            // What was offered has to stay where its document says that it is.
            const auto count = std::ranges::find(statistics.counts, name, &store::Count::destination);
            if (serves(options) && !serves(kept->second) && count != statistics.counts.end() &&
                count->objects_attached + count->objects_offered > 0) {
                found.push_back(config_file_ + ": destination " + name +
                                " still has binary objects to be fetched; its binary.model stays A until they expire");
            }
            continue;
        }
        const auto count = std::ranges::find(statistics.counts, name, &store::Count::destination);
        if (count != statistics.counts.end() && count->any()) {
            found.push_back(config_file_ + ": destination " + name + " still has items and cannot be removed");
        }
    }
    return found;
}

admin::ReloadReport Application::do_reload(const std::string& who, std::shared_ptr<const Assembly>& taken) {
    admin::ReloadReport report;
    report.at = clock_.wall();
    const Assembled assembled = assemble(config_file_, clock_.wall());
    if (!assembled.assembly) {
        log_problems(assembled.problems);
        for (const config::Problem& problem : assembled.problems) {
            report.problems.push_back(config::check_text(problem));
        }
        return report;
    }
    const Assembly& next = *assembled.assembly;
    report.problems = objections(next);
    if (!report.problems.empty()) {
        for (const std::string& objection : report.problems) {
            spdlog::error("{}", objection);
        }
        return report;
    }
    // Delivery learns of new destinations before intake can make items for them, and forgets removed ones only when it
    // no longer can (forget_removed_destinations).
    const std::shared_ptr<const Assembly> before = in_force().assembly;
    delivery::Settings united = next.delivery;
    for (const delivery::Destination& destination : before->delivery.destinations) {
        if (!next.configuration.destinations.contains(destination.name)) {
            united.destinations.push_back(destination);
        }
    }
    const bool removes = united.destinations.size() > next.delivery.destinations.size();
    const model::Status reconfigured = delivery_->reconfigure(std::move(united));
    auto loaded = reconfigured ? keeper_->load(next, who) : model::Result<WarrantsLoaded>(reconfigured.error());
    if (!loaded) {
        spdlog::error("{}", loaded.error().message);
        report.problems.push_back(loaded.error().message);
        if (reconfigured && !delivery_->reconfigure(before->delivery)) {
            spdlog::error("{}: the destinations could not be put back as they were", config_file_);
        }
        return report;
    }
    if (object_server_ && !object_server_->reconfigure(*next.objectserver)) {
        spdlog::error("{}: the object server goes on as it was", config_file_);
    }
    for (const auto& [name, options] : next.configuration.destinations) {
        (void)metrics_.destination(name);
    }
    store_->set_limits(next.configuration.store.max_bytes,
                       std::chrono::duration_cast<std::chrono::seconds>(next.configuration.store.record_retention));
    snapshot_->publish(loaded->snapshot);
    set_log_level(next.configuration.log_level);
    log_warnings(next.warnings);
    log_problems(loaded->problems);
    for (const config::Problem& problem : loaded->problems) {
        report.problems.push_back(config::check_text(problem));
    }
    report.outcome = loaded->bad_files == 0 ? metrics::ReloadOutcome::done : metrics::ReloadOutcome::partial;
    report.warrants_added = loaded->added;
    report.warrants_changed = loaded->changed;
    report.warrants_ended = loaded->ended;
    report.warrant_files_bad = loaded->bad_files;
    const std::lock_guard lock(in_force_mutex_);
    in_force_.assembly = assembled.assembly;
    in_force_.warrants = loaded->in_force;
    in_force_.bad_files = loaded->bad_files;
    taken = assembled.assembly;
    removes_destinations_ = removes;
    return report;
}

void Application::finish_reload(const WaitingReload& request, admin::ReloadReport report,
                                std::shared_ptr<const Assembly> assembly) {
    if (assembly) {
        for (const Listener& listener : listeners_) {
            const auto& configured = assembly->configuration.intake.http;
            const auto options = std::ranges::find(configured, listener.name, &config::IntakeListener::name);
            if (options != configured.end() && options->tls) {
                listener.server->set_tls(assembly->intake_tls.at(listener.name));
                listener.gate->allow(options->tls->clients);
            }
        }
    }
    metrics_.reloads(report.outcome).add();
    log_report(report);
    {
        const std::lock_guard lock(in_force_mutex_);
        in_force_.last_reload = report;
    }
    if (assembly && std::exchange(removes_destinations_, false)) {
        forget_removed_destinations(std::move(assembly), [this, request, report = std::move(report)]() mutable {
            end_reload(request, std::move(report));
        });
    } else {
        end_reload(request, std::move(report));
    }
}

void Application::forget_removed_destinations(std::shared_ptr<const Assembly> assembly, std::function<void()> then) {
    // What intake matched with the old warrants it has handed to the store by now, being on this thread; a filler's
    // commit comes after theirs. Should one of the removed destinations have got an item all the same, delivery keeps
    // it until the item is gone.
    store_->submit({}, [this, assembly = std::move(assembly), then = std::move(then)](store::Outcome) {
        if (!delivery_->reconfigure(assembly->delivery)) {
            spdlog::error("{}: the removed destinations could not be taken off", config_file_);
        }
        asio::post(intake_io_, then);
    });
}

void Application::end_reload(const WaitingReload& request, admin::ReloadReport report) {
    reloading_ = false;
    if (!stopping_) {
        notify_ready();
    }
    if (request.done) {
        request.done(std::move(report));
    }
    start_next_reload();
}

void Application::log_report(const admin::ReloadReport& report) const {
    const auto outcome = metrics::reload_outcome_names[static_cast<std::size_t>(report.outcome)];
    spdlog::log(report.outcome == metrics::ReloadOutcome::done ? spdlog::level::info : spdlog::level::err,
                "loaded outcome={} warrants_added={} warrants_changed={} warrants_ended={} warrant_files_bad={}",
                outcome, report.warrants_added, report.warrants_changed, report.warrants_ended,
                report.warrant_files_bad);
}

// -- What admin and the metrics ask ----------------------------------------------------------------------------------

std::shared_ptr<const admin::WarrantList> Application::warrants() const {
    return in_force().warrants;
}

admin::Status Application::status() const {
    const InForce now = in_force();
    const model::Instant time = clock_.wall();
    admin::Status status;
    status.version = version;
    status.stage = stage();
    status.started_at = started_at_;
    for (const delivery::DestinationStatus& from : delivery_->status()) {
        admin::DestinationStatus to;
        to.name = from.name;
        to.paused = from.paused;
        to.paused_since = from.paused_since;
        to.next_attempt = from.next_attempt;
        to.last_failure = from.last_failure;
        to.last_failure_at = from.last_failure_at;
        to.connections = from.connections;
        to.last_success = from.last_success;
        to.in_flight = from.in_flight;
        if (to.paused) {
            status.alarms.push_back("destination " + to.name + " is paused");
        }
        if (from.uploads.paused) {
            const auto reason = metrics::pause_names.at(static_cast<std::size_t>(*from.uploads.paused));
            status.alarms.push_back("uploads of binary objects to " + to.name + " are paused: " + std::string(reason));
        }
        status.destinations.push_back(std::move(to));
    }
    for (const warrants::InForce& entry : *now.warrants) {
        switch (warrants::state_at(*entry.warrant, time)) {
            case warrants::State::pending:
                ++status.warrants_pending;
                break;
            case warrants::State::active:
                ++status.warrants_active;
                break;
            case warrants::State::expired:
                ++status.warrants_expired;
                break;
        }
    }
    status.warrant_files_bad = now.bad_files;
    status.last_reload = now.last_reload;
    if (now.bad_files > 0) {
        status.alarms.push_back(std::to_string(now.bad_files) + " warrant file(s) are bad");
    }
    const std::int64_t soon =
        time.seconds + std::chrono::duration_cast<std::chrono::seconds>(certificate_warning_time).count();
    for (const WatchedCertificate& certificate : now.assembly->certificates) {
        if (certificate.not_after.seconds < soon) {
            status.alarms.push_back("the certificate of " + certificate.name + " ends at " +
                                    model::to_qualified_date_time(certificate.not_after));
        }
    }
    const store::Statistics statistics = store_->statistics();
    if (!statistics.accepting) {
        status.alarms.emplace_back("the store takes nothing: events are refused");
    } else if (statistics.max_bytes > 0 && statistics.used_bytes * 2 >= statistics.max_bytes) {
        status.alarms.push_back("the store is " + std::to_string(statistics.used_bytes * 100 / statistics.max_bytes) +
                                " % full");
    }
    if (clock_unsynchronised()) {
        status.alarms.emplace_back("the clock is not synchronised");
    }
    return status;
}

void Application::scrape(metrics::Scrape& scrape) const {
    const InForce now = in_force();
    for (const delivery::DestinationStatus& destination : delivery_->status()) {
        scrape.destination_paused(destination.name, destination.paused);
        scrape.uploads_paused(destination.name, destination.uploads.paused);
    }
    for (const WatchedCertificate& certificate : now.assembly->certificates) {
        scrape.certificate_expiry(certificate.role, certificate.name, certificate.not_after);
    }
    const model::Instant time = clock_.wall();
    std::array<std::uint64_t, metrics::warrant_state_names.size()> by_state{};
    for (const warrants::InForce& entry : *now.warrants) {
        ++by_state[static_cast<std::size_t>(warrants::state_at(*entry.warrant, time))];
    }
    scrape.warrants(metrics::WarrantState::pending, by_state[static_cast<std::size_t>(warrants::State::pending)]);
    scrape.warrants(metrics::WarrantState::active, by_state[static_cast<std::size_t>(warrants::State::active)]);
    scrape.warrants(metrics::WarrantState::expired, by_state[static_cast<std::size_t>(warrants::State::expired)]);
    scrape.warrant_files_bad(now.bad_files);
    scrape.clock_unsynchronised(clock_unsynchronised());
}

}  // namespace

bool run_daemon(const std::string& config_file) {
    Application application(config_file);
    return application.run();
}

}  // namespace lihandover::app
