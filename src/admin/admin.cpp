#include "lihandover/admin/admin.hpp"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "control_api.hpp"
#include "machine_door.hpp"

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
    Impl(const Parts& parts, std::unique_ptr<store::Reader> api_reader, std::unique_ptr<store::Reader> scrape_reader)
        : parts_(parts),
          worker_(boost::asio::make_strand(parts.workers)),
          scrape_reader_(std::move(scrape_reader)),
          machine_door_(
              parts.metrics, worker_, [this] { return readiness(); }, [this] { prepare_scrape(); }),
          control_api_(parts, worker_, std::move(api_reader), [this] { return readiness(); }) {
        scraped_ = parts_.metrics.add_scraped([this](metrics::Scrape& scrape) { feed(scrape); });
    }
    ~Impl() { let_metrics_go(); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    [[nodiscard]] model::Status listen(const boost::asio::any_io_executor& executor, const config::Admin& options) {
        http::ServerOptions machine;
        machine.listen = options.listen.to_string();
        machine.limits = small_limits();
        auto machine_server = http::Server::listen(executor, std::move(machine), machine_door_);
        if (!machine_server) {
            return model::prefixed("admin.listen: ", machine_server.error());
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
        machine_server_ = std::move(*machine_server);
        control_server_ = std::move(*control_server);
        return {};
    }

    void start() {
        machine_server_->start();
        control_server_->start();
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
        return parts_.store.accepting() ? Readiness::ready : Readiness::store;
    }

    void let_metrics_go() {
        if (scraped_) {
            parts_.metrics.remove_scraped(*std::exchange(scraped_, std::nullopt));
        }
    }

    [[nodiscard]] http::Server& machine_server() { return *machine_server_; }
    [[nodiscard]] http::Server& control_server() { return *control_server_; }

  private:
    /// On the doors' thread: what Control may only be asked there.
    void prepare_scrape() {
        auto status = parts_.control.status();
        const std::lock_guard lock(scrape_mutex_);
        ready_ = readiness() == Readiness::ready;
        destinations_.clear();
        for (auto& destination : status.destinations) {
            destinations_.push_back(std::move(destination.name));
        }
    }

    /// On whichever thread renders.
    void feed(metrics::Scrape& scrape) {
        const auto statistics = parts_.store.statistics();
        const auto now = parts_.clock.wall();
        const std::lock_guard lock(scrape_mutex_);
        // A destination without items counts zero, so that nobody has to guess what a missing series means.
        for (const auto& name : destinations_) {
            for (const auto state :
                 {metrics::WaitingState::held, metrics::WaitingState::queued, metrics::WaitingState::refused}) {
                scrape.outbox_items(name, state, 0);
            }
            scrape.outbox_oldest_age(name, 0);
            for (const auto state : {metrics::ObjectState::attached, metrics::ObjectState::offered,
                                     metrics::ObjectState::queued, metrics::ObjectState::refused}) {
                scrape.objects(name, state, 0);
            }
        }
        for (const auto& count : statistics.counts) {
            scrape.outbox_items(count.destination, metrics::WaitingState::held, count.held);
            scrape.outbox_items(count.destination, metrics::WaitingState::queued, count.queued);
            scrape.outbox_items(count.destination, metrics::WaitingState::refused, count.refused);
            scrape.objects(count.destination, metrics::ObjectState::attached, count.objects_attached);
            scrape.objects(count.destination, metrics::ObjectState::offered, count.objects_offered);
            scrape.objects(count.destination, metrics::ObjectState::queued, count.objects_queued);
            scrape.objects(count.destination, metrics::ObjectState::refused, count.objects_refused);
            double age = 0;
            if (count.queued != 0) {
                const auto oldest = scrape_reader_->oldest(count.destination);
                if (!oldest) {
                    continue;  // no sample is truer than a wrong one
                }
                if (*oldest) {
                    age = std::max(0.0, seconds_between(**oldest, now));
                }
            }
            scrape.outbox_oldest_age(count.destination, age);
        }
        scrape.outbox_bytes(statistics.waiting_bytes);
        scrape.object_bytes(statistics.object_bytes);
        scrape.store_bytes(statistics.used_bytes, statistics.max_bytes);
        scrape.store_accepting(statistics.accepting);
        scrape.ready(ready_);
    }

    Parts parts_;
    WorkerStrand worker_;
    std::mutex scrape_mutex_;
    // Under scrape_mutex_:
    bool ready_ = false;
    std::vector<std::string> destinations_;
    std::unique_ptr<store::Reader> scrape_reader_;

    MachineDoor machine_door_;
    ControlApi control_api_;
    std::optional<std::uint64_t> scraped_;
    // Last: their connections use the doors.
    std::unique_ptr<http::Server> machine_server_;
    std::unique_ptr<http::Server> control_server_;
};

model::Result<std::unique_ptr<Admin>> Admin::listen(const boost::asio::any_io_executor& executor,
                                                    const config::Admin& options, const Parts& parts) {
    auto api_reader = parts.store.reader();
    if (!api_reader) {
        return api_reader.error();
    }
    auto scrape_reader = parts.store.reader();
    if (!scrape_reader) {
        return scrape_reader.error();
    }
    auto impl = std::make_unique<Impl>(parts, std::move(*api_reader), std::move(*scrape_reader));
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
    co_await impl_->control_server().stop(grace);
    co_await impl_->machine_server().stop(grace);
    impl_->let_metrics_go();
}

const std::string& Admin::metrics_address() const {
    return impl_->machine_server().address();
}

std::uint16_t Admin::metrics_port() const {
    return impl_->machine_server().port();
}

const std::string& Admin::control_address() const {
    return impl_->control_server().address();
}

Readiness Admin::readiness() const {
    return impl_->readiness();
}

}  // namespace lihandover::admin
