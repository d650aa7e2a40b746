#include "application.hpp"

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "assembly.hpp"
#include "clock_record.hpp"
#include "lihandover/admin/control.hpp"
#include "lihandover/model/trusted_clock.hpp"
#include "logging.hpp"
#include "parts.hpp"
#include "process.hpp"
#include "reloader.hpp"
#include "signals.hpp"
#include "status_reporter.hpp"
#include "stop_deadline.hpp"
#include "store_place.hpp"

namespace lihandover::app {

namespace {

namespace asio = boost::asio;

/// The daemon's life: start, serve, stop. On the main thread, which is intake's, except for what admin asks.
class Application final : public admin::Control {
  public:
    Application(std::string config_file, StopDeadline& deadline)
        : config_file_(std::move(config_file)), deadline_(deadline), reloader_(config_file_, parts_, deadline) {}
    /// A reload may still run on a worker, and uses what is declared here.
    ~Application() override { parts_.workers.join(); }
    Application(const Application&) = delete;
    Application& operator=(const Application&) = delete;

    /// False when it could not start.
    [[nodiscard]] bool run();

    [[nodiscard]] admin::Stage stage() const override { return stage_.load(); }
    [[nodiscard]] admin::Status status() const override;
    [[nodiscard]] std::shared_ptr<const admin::WarrantList> warrants() const override {
        return parts_.in_force.get().warrants;
    }
    void reload(admin::ReloadRequest request, std::function<void(admin::ReloadReport)> done) override {
        reloader_.request(std::move(request), std::move(done));
    }
    [[nodiscard]] std::shared_ptr<const admin::RevocationList> revocations() const override {
        return parts_.in_force.get().revocations;
    }
    void revoke(admin::RevokeRequest request, std::function<void(admin::RevokeOutcome)> done) override {
        reloader_.revoke(std::move(request), std::move(done));
    }
    [[nodiscard]] std::shared_ptr<const admin::PendingList> pending_warrants() const override {
        return parts_.in_force.get().pending;
    }
    void decide_warrant(admin::ApprovalRequest request, std::function<void(admin::ApprovalAnswer)> done) override {
        reloader_.decide(std::move(request), std::move(done));
    }
    [[nodiscard]] std::shared_ptr<const admin::WarrantSet> warrant_set() const override {
        return parts_.in_force.get().set;
    }
    [[nodiscard]] bool follows_warrants() const override { return reloader_.follows_set(); }
    void take_warrant_set(admin::WarrantSetRequest request, bool apply,
                          std::function<void(admin::WarrantSetAnswer)> done) override {
        reloader_.take_set(std::move(request), apply, std::move(done));
    }
    [[nodiscard]] std::string reviewers() const override {
        return parts_.in_force.get().assembly->configuration.admin.reviewers;
    }
    [[nodiscard]] std::optional<config::Console> console() const override {
        return parts_.in_force.get().assembly->configuration.admin.console;
    }
    void accept_clock() override;
    [[nodiscard]] bool has_destination(const std::string& name) const override { return parts_.delivery->knows(name); }
    void backlog(const delivery::BacklogRequest& request, delivery::BacklogDone done) const override {
        parts_.delivery->backlog(request, std::move(done));
    }
    void pause_destination(const std::string& name) override { static_cast<void>(parts_.delivery->pause(name)); }
    void resume_destination(const std::string& name) override { static_cast<void>(parts_.delivery->resume(name)); }

  private:
    void hear(int signal);
    [[nodiscard]] model::Status start();
    [[nodiscard]] model::Status load_warrants(const std::shared_ptr<const Assembly>& assembly);
    void follow_clock(const config::Configuration& configuration);
    [[nodiscard]] asio::awaitable<void> record_clock();
    [[nodiscard]] asio::awaitable<void> watch_tls_files();
    [[nodiscard]] asio::awaitable<void> watch_store();
    [[nodiscard]] asio::awaitable<void> follow_warrants();
    void begin_serving(const model::Status& started);
    void fail(const model::Error& error);
    void begin_stop();
    [[nodiscard]] config::Duration shutdown_timeout() const;
    [[nodiscard]] asio::awaitable<void> stop();
    [[nodiscard]] asio::awaitable<void> feed_watchdog(std::chrono::microseconds interval);

    std::string config_file_;
    StopDeadline& deadline_;
    model::TrustedClock clock_{model::system_clock()};
    std::optional<ClockRecord> clock_record_;
    const model::Instant started_at_ = clock_.wall();
    std::atomic<admin::Stage> stage_ = admin::Stage::starting;
    std::atomic<bool> asked_to_stop_ = false;
    bool failed_ = false;

    Parts parts_{clock_};
    std::optional<StatusReporter> reporter_;
    Reloader reloader_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{parts_.intake_io.get_executor()};
    asio::steady_timer watchdog_timer_{parts_.intake_io};
    asio::steady_timer clock_timer_{parts_.intake_io};
    asio::steady_timer tls_timer_{parts_.intake_io};
    asio::steady_timer store_timer_{parts_.intake_io};
    asio::steady_timer warrants_timer_{parts_.intake_io};
    bool stopping_ = false;
    SignalThread signals_{[this](int signal) { hear(signal); }};
};

/// On the signal thread.
void Application::hear(int signal) {
    if (signal != SIGHUP) {
        log_info("stopping signal=" + std::to_string(signal));
        asked_to_stop_ = true;
        deadline_.begin();
    }
    asio::post(parts_.intake_io, [this, signal] {
        if (signal == SIGHUP) {
            reloader_.request({}, nullptr);
        } else {
            begin_stop();
        }
    });
}

bool Application::run() {
    if (const model::Status started = start(); !started) {
        fail(started.error());
    } else if (!asked_to_stop_) {
        if (const auto interval = watchdog_interval()) {
            asio::co_spawn(parts_.intake_io, feed_watchdog(*interval), asio::detached);
        }
        asio::co_spawn(parts_.intake_io, record_clock(), asio::detached);
        asio::co_spawn(parts_.intake_io, watch_tls_files(), asio::detached);
        asio::co_spawn(parts_.intake_io, watch_store(), asio::detached);
        asio::co_spawn(parts_.intake_io, follow_warrants(), asio::detached);
        asio::post(parts_.workers, [this] { clock_record_->write(clock_.passed()); });
        start_handing_over(parts_, [this](const model::Status& status) { begin_serving(status); });
    }
    parts_.intake_io.run();
    log_info("stopped");
    return !failed_;
}

/// Up to where threads are needed. If a stop is requested meanwhile, the remaining steps are skipped.
model::Status Application::start() {
    const Assembled assembled = assemble(config_file_, clock_.wall(), Strictness::start);
    if (!assembled.assembly) {
        log_problems(assembled.problems);
        return model::Error{config_file_ + ": not started; --check prints the values that are wrong"};
    }
    const config::Configuration& configuration = assembled.assembly->configuration;
    deadline_.set_timeout(std::chrono::duration_cast<std::chrono::milliseconds>(configuration.shutdown_timeout));
    set_log_level(configuration.log_level);
    log_warnings(assembled.assembly->warnings);
    follow_clock(configuration);
    for (const auto& step :
         {std::function<model::Status()>([&] { return open_store(parts_, *assembled.assembly); }),
          std::function<model::Status()>([&] { return load_warrants(assembled.assembly); }),
          std::function<model::Status()>([&] { return create_parts(parts_, *assembled.assembly, *this); })}) {
        if (asked_to_stop_) {
            return {};
        }
        if (model::Status done = step(); !done) {
            return done;
        }
    }
    reporter_.emplace(clock_, parts_.in_force, *parts_.delivery, parts_.store->operator_view(), *parts_.store,
                      *parts_.x2x3, parts_.metrics);
    return {};
}

void Application::follow_clock(const config::Configuration& configuration) {
    model::TrustedClock::Rules rules;
    rules.tolerance = configuration.clock_tolerance;
    if (configuration.clock_trust == config::ClockTrust::kernel) {
        rules.synchronised = [] { return !clock_unsynchronised(); };
    }
    clock_record_.emplace(configuration.state_dir);
    auto last = clock_record_->read();
    if (!last) {
        last = newest_entry(configuration);
        if (last) {
            log_warning(
                "trusted-time in state_dir is missing or damaged; the newest entry of the record is taken for it");
        }
    }
    clock_.follow(std::move(rules), last);
    if (!clock_.is_trusted()) {
        log_warning("the clock is not where it was when the daemon last ran; retention and expiry wait");
    }
}

/// Every minute, so that a start knows a time that has certainly passed.
asio::awaitable<void> Application::record_clock() {
    while (!stopping_) {
        clock_timer_.expires_after(std::chrono::minutes(1));
        boost::system::error_code error;
        co_await clock_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (error || stopping_) {
            co_return;
        }
        asio::post(parts_.workers, [this] { clock_record_->write(clock_.passed()); });
    }
}

/// Every tls_reload_interval, which a reload may change meanwhile.
asio::awaitable<void> Application::watch_tls_files() {
    auto last = clock_.steady();
    while (!stopping_) {
        constexpr config::Duration longest_wait = std::chrono::minutes(1);
        const config::Duration interval = parts_.in_force.get().assembly->configuration.tls_reload_interval;
        const bool off = interval == config::Duration::zero();
        tls_timer_.expires_at(std::min(last + (off ? longest_wait : interval), clock_.steady() + longest_wait));
        boost::system::error_code error;
        co_await tls_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (error || stopping_) {
            co_return;
        }
        if (off) {
            last = clock_.steady();
        } else if (clock_.steady() >= last + interval) {
            last = clock_.steady();
            reloader_.look_at_tls_files();
        }
    }
}

/// Who was turned out of the database ends as a failure, so that the service manager starts it again.
asio::awaitable<void> Application::watch_store() {
    while (!stopping_) {
        store_timer_.expires_after(std::chrono::seconds(1));
        boost::system::error_code error;
        co_await store_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (error || stopping_) {
            co_return;
        }
        if (parts_.store->turned_out()) {
            fail(
                model::Error{"another daemon has the database, since the lease of this one was over: it ends, and "
                             "waits for its turn once it is started again"});
        }
    }
}

/// A newer set of warrants comes into force within a second of its being applied, wherever that is.
asio::awaitable<void> Application::follow_warrants() {
    constexpr std::chrono::milliseconds interval{250};
    while (!stopping_ && parts_.keeper->sets() != nullptr) {
        warrants_timer_.expires_after(interval);
        boost::system::error_code error;
        co_await warrants_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (error || stopping_) {
            co_return;
        }
        reloader_.look_at_set();
    }
}

void Application::accept_clock() {
    clock_.accept();
    log_info("the wall clock is taken as right: an operator says so");
    asio::post(parts_.workers, [this] { clock_record_->write(clock_.passed()); });
}

model::Status Application::load_warrants(const std::shared_ptr<const Assembly>& assembly) {
    const std::string& directory = assembly->configuration.warrants_dir;
    if (auto* const sets = parts_.store->warrant_sets(); sets != nullptr && !directory.empty()) {
        // It goes by its directory, whatever set there is: nobody has to wait for it.
        sets->follow(std::numeric_limits<std::int64_t>::max());
    }
    parts_.keeper = std::make_unique<WarrantKeeper>(
        parts_.store->warrant_register(), parts_.store->sealing(),
        WarrantSource{directory, directory.empty() ? parts_.store->warrant_sets() : nullptr}, clock_);
    const auto restored = parts_.keeper->restore();
    if (!restored) {
        return restored.error();
    }
    if (!restored->empty()) {
        // The others were restored. The one that cannot be read comes back with its file, and its loss is an alarm.
        log_error(*restored);
    }
    auto loaded = parts_.keeper->load(*assembly, {});
    if (!loaded) {
        return loaded.error();
    }
    for (const store::Count& count : parts_.store->operator_view().statistics().counts) {
        if (count.any() && !assembly->profiles.contains(count.destination)) {
            return model::Error{config_file_ + ": destination " + count.destination +
                                " is missing, and items wait for it; put it back until they are delivered or rejected"};
        }
    }
    log_problems(loaded->problems);
    parts_.snapshot = std::make_unique<intake::CurrentSnapshot>(loaded->snapshot);
    admin::ReloadReport report = report_of(*loaded, clock_.wall());
    log_report(report);
    parts_.metrics.warrants_withdrawn().add(loaded->withdrawn);
    parts_.in_force.set(assembly, *loaded);
    parts_.tell_followed(*loaded);
    parts_.in_force.set_report(std::move(report));
    return {};
}

void Application::begin_serving(const model::Status& started) {
    if (!started) {
        fail(model::prefixed("delivery: ", started.error()));
        return;
    }
    if (stopping_) {
        return;
    }
    start_intake(parts_);
    stage_ = admin::Stage::running;
    log_info("ready version=" + std::string(version) + " admin=" + parts_.admin->metrics_address() +
             " control=" + parts_.admin->control_address() +
             (parts_.admin->console_address().empty() ? "" : " console=" + parts_.admin->console_address()));
    notify_ready();
    reloader_.open();
}

void Application::fail(const model::Error& error) {
    log_error(error.message);
    failed_ = true;
    deadline_.begin();
    begin_stop();
}

void Application::begin_stop() {
    if (std::exchange(stopping_, true)) {
        return;
    }
    stage_ = admin::Stage::stopping;
    // The deadline ends the process before that.
    notify_stopping(shutdown_timeout() + StopDeadline::beyond + std::chrono::seconds(10));
    watchdog_timer_.cancel();
    clock_timer_.cancel();
    tls_timer_.cancel();
    store_timer_.cancel();
    warrants_timer_.cancel();
    asio::co_spawn(parts_.intake_io, stop(), asio::detached);
}

/// 0 before the configuration is in force: then nothing is on its way.
config::Duration Application::shutdown_timeout() const {
    const InForce now = parts_.in_force.get();
    return now.assembly ? now.assembly->configuration.shutdown_timeout : config::Duration{};
}

asio::awaitable<void> Application::stop() {
    reloader_.close();
    const config::Duration timeout = shutdown_timeout();
    if (clock_record_) {
        asio::post(parts_.workers, [this] { clock_record_->write(clock_.passed()); });
    }
    const bool all = co_await parts_.stops.stop(StopTime(clock_, timeout));
    if (parts_.store_closed) {
        deadline_.nothing_left(failed_ ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    if (!all) {
        deadline_.cut();
    }
    work_.reset();
}

/// The watchdog is fed only when both I/O threads have run since the last time, and the store's writer does not hang.
asio::awaitable<void> Application::feed_watchdog(std::chrono::microseconds interval) {
    while (!stopping_) {
        watchdog_timer_.expires_after(interval);
        boost::system::error_code error;
        co_await watchdog_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (error || stopping_) {
            co_return;
        }
        co_await asio::post(parts_.delivery_io, asio::use_awaitable);
        co_await asio::post(parts_.intake_io, asio::use_awaitable);
        if (parts_.store->turns()) {
            notify_watchdog();
        }
    }
}

admin::Status Application::status() const {
    admin::Status status = reporter_->status();
    status.version = version;
    status.stage = stage();
    status.started_at = started_at_;
    return status;
}

}  // namespace

bool run_daemon(const std::string& config_file) {
    StopDeadline deadline;
    Application application(config_file, deadline);
    return application.run();
}

}  // namespace lihandover::app
