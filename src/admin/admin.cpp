#include "lihandover/admin/admin.hpp"

#include <algorithm>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "console/console.hpp"
#include "control_api.hpp"
#include "health_endpoint.hpp"
#include "words.hpp"

namespace lihandover::admin {

namespace {

/// Few clients, all of them local: small bounds.
http::Limits small_limits() {
    http::Limits limits;
    limits.max_connections = 64;
    return limits;
}

double seconds_between(model::Instant from, model::Instant until) {
    return static_cast<double>(until.seconds - from.seconds) + static_cast<double>(until.nanos - from.nanos) * 1e-9;
}

}  // namespace

class Admin::Impl {
  public:
    explicit Impl(const Parts& parts)
        : parts_(parts),
          worker_(boost::asio::make_strand(parts.workers)),
          people_worker_(boost::asio::make_strand(parts.workers)),
          health_endpoint_(
              parts.metrics, worker_, [this] { return readiness(); }, [this] { prepare_scrape(); }),
          control_api_(parts, people_worker_, [this] { return readiness(); }),
          console_(
              parts, people_worker_, [this] { return readiness(); },
              [this](const std::string& host) { return console_tls_ && console_tls_->names(host); }),
          console_tls_(parts.console_tls) {
        scraped_ = parts_.metrics.add_scraped([this](metrics::Scrape& scrape) { feed(scrape); });
    }
    ~Impl() { let_metrics_go(); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    [[nodiscard]] model::Status listen(const boost::asio::any_io_executor& executor, const config::Admin& options) {
        http::ServerOptions health;
        health.listen = options.listen.to_string();
        health.unix_mode = options.listen_mode;
        health.unix_group = options.listen_group;
        health.limits = small_limits();
        auto health_server = http::Server::listen(executor, std::move(health), health_endpoint_);
        if (!health_server) {
            return model::prefixed("admin.listen: ", health_server.error());
        }
        http::ServerOptions control;
        control.listen = "unix:" + options.control_socket;
        control.unix_mode = options.mode;
        control.unix_group = options.group;
        control.limits = small_limits();
        auto control_server = http::Server::listen(executor, std::move(control), control_api_);
        if (!control_server) {
            return model::prefixed("admin.control_socket: ", control_server.error());
        }
        if (const auto& page = options.console) {
            http::ServerOptions console;
            console.listen = page->listen.to_string();
            console.tls = console_tls_;
            console.limits = small_limits();
            auto console_server = http::Server::listen(executor, std::move(console), console_);
            if (!console_server) {
                return model::prefixed("admin.console.listen: ", console_server.error());
            }
            console_server_ = std::move(*console_server);
        }
        health_server_ = std::move(*health_server);
        control_server_ = std::move(*control_server);
        return {};
    }

    void start() {
        health_server_->start();
        control_server_->start();
        if (console_server_) {
            console_server_->start();
        }
    }

    void set_console_tls(std::shared_ptr<const tls::ServerContext> context) {
        if (console_server_ && context) {
            console_tls_ = context;
            console_server_->set_tls(std::move(context));
        }
    }

    [[nodiscard]] Readiness readiness() const {
        switch (parts_.control.stage()) {
            case Stage::starting:
                return Readiness::starting;
            case Stage::stopping:
                return Readiness::stopping;
            case Stage::running:
                break;
        }
        if (!parts_.intake.accepting()) {
            return Readiness::store;
        }
        return parts_.control.follows_warrants() ? Readiness::ready : Readiness::warrants;
    }

    void let_metrics_go() {
        if (scraped_) {
            parts_.metrics.remove_scraped(*std::exchange(scraped_, std::nullopt));
        }
    }

    /// Nobody could cut a connection short whose answer waits for one.
    void end_searches() { parts_.items.end_searches(); }

    [[nodiscard]] http::Server& health_server() { return *health_server_; }
    [[nodiscard]] http::Server& control_server() { return *control_server_; }
    [[nodiscard]] http::Server* console_server() { return console_server_.get(); }

  private:
    /// What a scrape tells of the rest of the daemon.
    struct Prepared {
        bool ready = false;
        std::vector<std::string> destinations;
        std::optional<std::chrono::milliseconds> review_alarm;
    };

    /// On the server's thread: Control may be asked only there. That thread takes events in, too, so it must not wait
    /// for a scrape that reads the store.
    void prepare_scrape() {
        auto status = parts_.control.status();
        Prepared next;
        next.ready = readiness() == Readiness::ready;
        next.review_alarm = status.review_alarm;
        for (auto& destination : status.destinations) {
            next.destinations.push_back(std::move(destination.name));
        }
        const std::lock_guard lock(prepared_mutex_);
        prepared_ = std::move(next);
    }

    [[nodiscard]] Prepared prepared() {
        const std::lock_guard lock(prepared_mutex_);
        return prepared_;
    }

    /// On whichever thread renders.
    void feed(metrics::Scrape& scrape) {
        const auto statistics = parts_.items.statistics();
        const Prepared prepared = this->prepared();
        const std::lock_guard lock(scrape_mutex_);
        read_oldest(statistics);
        // A destination without items counts zero, so that nobody has to guess what a missing series means.
        for (const auto& name : prepared.destinations) {
            store::Count none;
            none.destination = name;
            feed_counts(scrape, none);
            if (std::ranges::find(statistics.counts, name, &store::Count::destination) == statistics.counts.end()) {
                feed_ages(scrape, none);
            }
        }
        for (const auto& count : statistics.counts) {
            feed_counts(scrape, count);
            feed_ages(scrape, count);
        }
        feed_review(scrape, prepared.review_alarm);
        scrape.outbox_bytes(statistics.waiting_bytes);
        scrape.object_bytes(statistics.object_bytes);
        scrape.store_bytes(statistics.used_bytes, statistics.max_bytes);
        scrape.store_accepting(statistics.accepting);
        scrape.audit(parts_.audit.head().number, statistics.restore_unrecorded, !statistics.restored.empty());
        const store::SealingStatus sealing = parts_.sealing.status();
        scrape.sealing(sealing.on, sealing.working, sealing.unreadable);
        scrape.repeats(statistics.repeats, statistics.reused_ids);
        scrape.ready(prepared.ready);
    }

    void feed_review(metrics::Scrape& scrape, std::optional<std::chrono::milliseconds> alarm) {
        if (!alarm) {
            return;
        }
        const model::Instant now = parts_.clock.wall();
        if (const auto held = parts_.items.held_before(before(now, *alarm))) {
            held_ = *held;
        }
        if (held_) {
            scrape.review_oldest(held_->oldest ? std::max(0.0, seconds_between(*held_->oldest, now)) : 0);
            scrape.review_overdue(held_->items);
        }
    }

    static void feed_counts(metrics::Scrape& scrape, const store::Count& count) {
        using metrics::ObjectState;
        using metrics::WaitingState;
        for (const auto& [state, items] :
             {std::pair(WaitingState::held, count.held), std::pair(WaitingState::queued, count.queued),
              std::pair(WaitingState::refused, count.refused), std::pair(WaitingState::set_aside, count.set_aside)}) {
            scrape.outbox_items(count.destination, state, items);
        }
        for (const auto& [state, objects] : {std::pair(ObjectState::attached, count.objects_attached),
                                             std::pair(ObjectState::offered, count.objects_offered),
                                             std::pair(ObjectState::queued, count.objects_queued),
                                             std::pair(ObjectState::refused, count.objects_refused),
                                             std::pair(ObjectState::set_aside, count.objects_set_aside)}) {
            scrape.objects(count.destination, state, objects);
        }
    }

    /// Where the store cannot be read, the item that was the oldest waits on for all that is known: an alert on its age
    /// must not end by that.
    void read_oldest(const store::Statistics& statistics) {
        oldest_known_ = true;
        if (std::ranges::all_of(statistics.counts, [](const store::Count& count) { return count.queued == 0; })) {
            oldest_.clear();
        } else if (auto read = parts_.items.oldest()) {
            oldest_ = std::move(*read);
        } else {
            oldest_known_ = false;
        }
    }

    void feed_ages(metrics::Scrape& scrape, const store::Count& count) {
        if (count.queued == 0) {
            oldest_.erase(count.destination);
        }
        const auto found = oldest_.find(count.destination);
        const store::OldestQueued waiting = found != oldest_.end() ? found->second : store::OldestQueued{};
        for (const auto& [priority, since] : {std::pair(metrics::Priority::emergency, waiting.emergency),
                                              std::pair(metrics::Priority::routine, waiting.routine)}) {
            if (since) {
                const double age = std::max(0.0, seconds_between(*since, parts_.clock.wall()));
                scrape.outbox_oldest_age(count.destination, priority, age);
            } else if (oldest_known_ || count.queued == 0) {
                scrape.outbox_oldest_age(count.destination, priority, 0);
            }  // else no sample is better than a wrong one
        }
    }

    Parts parts_;
    boost::asio::any_io_executor worker_;  ///< of /metrics, which waits for nothing that people ask
    boost::asio::any_io_executor people_worker_;
    std::mutex prepared_mutex_;
    Prepared prepared_;        ///< under prepared_mutex_
    std::mutex scrape_mutex_;  ///< held while the store is read: only by threads that render
    // Under scrape_mutex_, as the store told it last: by destination since when its oldest queued items wait, and what
    // is held for too long.
    std::map<std::string, store::OldestQueued, std::less<>> oldest_;
    bool oldest_known_ = false;  ///< as of the last scrape, and not of an earlier one
    std::optional<store::HeldLong> held_;

    HealthEndpoint health_endpoint_;
    ControlApi control_api_;
    Console console_;
    std::shared_ptr<const tls::ServerContext> console_tls_;
    std::optional<std::uint64_t> scraped_;
    // Last: their connections use the interfaces.
    std::unique_ptr<http::Server> health_server_;
    std::unique_ptr<http::Server> control_server_;
    std::unique_ptr<http::Server> console_server_;  ///< null: the configuration has none
};

model::Result<std::unique_ptr<Admin>> Admin::listen(const boost::asio::any_io_executor& executor,
                                                    const config::Admin& options, const Parts& parts) {
    auto impl = std::make_unique<Impl>(parts);
    if (auto bound = impl->listen(executor, options); !bound) {
        return bound.error();
    }
    return std::unique_ptr<Admin>(new Admin(std::move(impl)));
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::~Admin() = default;

void Admin::start() {
    impl_->start();
}

boost::asio::awaitable<void> Admin::stop(std::chrono::milliseconds grace) {
    impl_->end_searches();
    if (http::Server* const console = impl_->console_server()) {
        co_await console->stop(grace);
    }
    co_await impl_->control_server().stop(grace);
    co_await impl_->health_server().stop(grace);
    impl_->let_metrics_go();
}

const std::string& Admin::metrics_address() const {
    return impl_->health_server().address();
}

std::uint16_t Admin::metrics_port() const {
    return impl_->health_server().port();
}

const std::string& Admin::control_address() const {
    return impl_->control_server().address();
}

std::string Admin::console_address() const {
    http::Server* const console = impl_->console_server();
    return console != nullptr ? console->address() : std::string();
}

void Admin::set_console_tls(std::shared_ptr<const tls::ServerContext> context) {
    impl_->set_console_tls(std::move(context));
}

Readiness Admin::readiness() const {
    return impl_->readiness();
}

}  // namespace lihandover::admin
