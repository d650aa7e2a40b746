#include "simulator.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "control.hpp"
#include "lea.hpp"
#include "lihandover/http/server.hpp"

namespace lihandover::lea_sim {

namespace {

constexpr std::chrono::milliseconds grace{1000};

/// A test LEA is patient: it misbehaves only if a rule says so.
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
    explicit Impl(const Options& options)
        : shared_(options.report_to), lea_(io_.get_executor(), shared_, options.seed) {
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
            if (!archive) {
                return archive.error();
            }
            shared_.archive.emplace(std::move(*archive));
        }
        if (!options.validate.empty()) {
            auto validator = handover::Validator::load(options.validate);
            if (!validator) {
                return model::prefixed("--validate: ", validator.error());
            }
            shared_.validator.emplace(std::move(*validator));
        }
        if (auto bound = bind(options); !bound) {
            return bound;
        }
        server_->start();
        if (control_) {
            control_->start();
        }
        thread_ = std::thread([this] { io_.run(); });
        Line line("listening");
        line.number("port", server_->port()).text("address", server_->address());
        if (control_) {
            line.text("control", control_->address());
        }
        shared_.reporter.write(line.finished());
        return {};
    }

    void stop() {
        if (!thread_.joinable()) {
            return;
        }
        boost::asio::post(io_, [this] { lea_.hurry(); });
        boost::asio::co_spawn(io_, stop_server(*server_), boost::asio::detached);
        if (control_) {
            boost::asio::co_spawn(io_, stop_server(*control_), boost::asio::detached);
        }
        work_.reset();
        thread_.join();
        shared_.reporter.write(shared_.totals.to_json("totals"));
    }

    void release() {
        boost::asio::post(io_, [this] { lea_.release(); });
    }

    [[nodiscard]] const http::Server& server() const { return *server_; }
    [[nodiscard]] std::string control_address() const { return control_ ? control_->address() : std::string(); }
    [[nodiscard]] Shared& shared() { return shared_; }

  private:
    [[nodiscard]] model::Status bind(const Options& options) {
        auto context = tls::ServerContext::load(options.tls);
        if (!context) {
            return context.error();
        }
        http::ServerOptions server;
        server.listen = options.listen;
        server.tls = *context;
        server.timeouts = patient();
        server.limits.max_connections = 4096;
        auto bound = http::Server::listen(io_.get_executor(), std::move(server), lea_);
        if (!bound) {
            return model::prefixed("--listen: ", bound.error());
        }
        server_ = std::move(*bound);
        if (options.control.empty()) {
            return {};
        }
        http::ServerOptions control;
        control.listen = options.control;
        control.unix_mode = 0600;
        control.timeouts = patient();
        auto control_bound = http::Server::listen(io_.get_executor(), std::move(control), control_handler_);
        if (!control_bound) {
            return model::prefixed("--control: ", control_bound.error());
        }
        control_ = std::move(*control_bound);
        return {};
    }

    Shared shared_;
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
    Lea lea_;
    ControlHandler control_handler_{shared_, [this] { release(); }};
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<http::Server> control_;
    std::thread thread_;
};

Simulator::Simulator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Simulator::~Simulator() = default;

model::Result<std::unique_ptr<Simulator>> Simulator::start(const Options& options) {
    auto impl = std::make_unique<Impl>(options);
    if (auto started = impl->start(options); !started) {
        return started.error();
    }
    return std::unique_ptr<Simulator>(new Simulator(std::move(impl)));
}

std::uint16_t Simulator::port() const {
    return impl_->server().port();
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
