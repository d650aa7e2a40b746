#include "simulator.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <deque>
#include <thread>
#include <utility>

#include "control.hpp"
#include "lea.hpp"
#include "lihandover/http/server.hpp"

namespace lihandover::lea_sim {

namespace {

constexpr std::chrono::milliseconds grace{1000};

/// A test LEA is patient: it is the one who misbehaves, and only where a rule says so.
http::Timeouts patient() {
    http::Timeouts timeouts;
    timeouts.header = std::chrono::minutes(10);
    timeouts.idle = std::chrono::hours(1);
    timeouts.body_stall = std::chrono::minutes(10);
    timeouts.min_body_rate = 0;
    timeouts.write_stall = std::chrono::minutes(10);
    return timeouts;
}

boost::asio::awaitable<void> stop_server(http::Server& server) {
    co_await server.stop(grace);
}

}  // namespace

class Simulator::Impl {
  public:
    explicit Impl(const Options& options) : shared_(options.report_to) {
        shared_.quiet = options.quiet;
        shared_.upload_prefix = options.upload_prefix;
        shared_.set_behaviour(std::make_shared<Behaviour>(options.rules));
    }
    ~Impl() { stop(); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    [[nodiscard]] model::Status start(const Options& options) {
        if (!options.output.empty()) {
            auto archive = Archive::open(options.output);
            if (!archive) return archive.error();
            shared_.archive.emplace(std::move(*archive));
        }
        if (!options.validate.empty()) {
            auto validator = etsi::Validator::load(options.validate);
            if (!validator) return model::prefixed("--validate: ", validator.error());
            shared_.validator.emplace(std::move(*validator));
        }
        auto context = tls::ServerContext::load(options.tls);
        if (!context) return context.error();
        if (auto bound = bind(options, *context); !bound) return bound;
        for (auto& worker : workers_)
            worker.run();
        started_ = true;
        Line line("listening");
        line.number("port", port()).text("address", workers_.front().server->address());
        if (control_) line.text("control", control_->address());
        shared_.reporter.write(line.finished());
        return {};
    }

    void stop() {
        if (!std::exchange(started_, false)) return;
        for (auto& worker : workers_) {
            boost::asio::post(worker.io, [&worker] { worker.lea.hurry(); });
            boost::asio::co_spawn(worker.io, stop_server(*worker.server), boost::asio::detached);
        }
        if (control_) boost::asio::co_spawn(workers_.front().io, stop_server(*control_), boost::asio::detached);
        for (auto& worker : workers_)
            worker.work.reset();
        for (auto& worker : workers_)
            worker.thread.join();
        shared_.reporter.write(shared_.totals.to_json("totals"));
    }

    void release() {
        for (auto& worker : workers_)
            boost::asio::post(worker.io, [&worker] { worker.lea.release(); });
    }

    [[nodiscard]] std::uint16_t port() const { return workers_.front().server->port(); }
    [[nodiscard]] std::string control_address() const { return control_ ? control_->address() : std::string(); }
    [[nodiscard]] Shared& shared() { return shared_; }

  private:
    struct Worker {
        Worker(Shared& shared, std::uint64_t seed) : lea(io.get_executor(), shared, seed) {}
        void run() {
            server->start();
            thread = std::thread([this] { io.run(); });
        }
        boost::asio::io_context io{1};
        boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
        Lea lea;
        std::unique_ptr<http::Server> server;
        std::thread thread;
    };

    [[nodiscard]] model::Status bind(const Options& options, const std::shared_ptr<const tls::ServerContext>& context) {
        http::ServerOptions server;
        server.listen = options.listen;
        server.tls = context;
        server.timeouts = patient();
        server.limits.max_connections = 4096;
        auto& worker = workers_.emplace_back(shared_, options.seed);
        auto bound = http::Server::listen(worker.io.get_executor(), server, worker.lea);
        if (!bound) return model::prefixed("--listen: ", bound.error());
        worker.server = std::move(*bound);
        if (options.control.empty()) return {};
        http::ServerOptions control;
        control.listen = options.control;
        control.unix_mode = 0600;
        control.timeouts = patient();
        auto control_bound = http::Server::listen(workers_.front().io.get_executor(), control, door_);
        if (!control_bound) return model::prefixed("--control: ", control_bound.error());
        control_ = std::move(*control_bound);
        control_->start();
        return {};
    }

    Shared shared_;
    ControlDoor door_{shared_, [this] { release(); }};
    std::deque<Worker> workers_;  ///< addresses of workers stay
    std::unique_ptr<http::Server> control_;
    bool started_ = false;
};

Simulator::Simulator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Simulator::~Simulator() = default;

model::Result<std::unique_ptr<Simulator>> Simulator::start(const Options& options) {
    auto impl = std::make_unique<Impl>(options);
    if (auto started = impl->start(options); !started) return started.error();
    return std::unique_ptr<Simulator>(new Simulator(std::move(impl)));
}

std::uint16_t Simulator::port() const {
    return impl_->port();
}

std::string Simulator::control_address() const {
    return impl_->control_address();
}

void Simulator::set_rules(std::vector<Rule> rules) {
    impl_->shared().set_behaviour(std::make_shared<Behaviour>(std::move(rules)));
}

void Simulator::release() {
    impl_->release();
}

void Simulator::stop() {
    impl_->stop();
}

}  // namespace lihandover::lea_sim
