#include "lihandover/objectserver/objectserver.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "access.hpp"
#include "service.hpp"

namespace lihandover::objectserver {

namespace asio = boost::asio;

namespace {

/// Settings, parsed and checked.
struct Plan {
    std::shared_ptr<const AccessList> access;
    std::shared_ptr<const tls::ServerContext> tls;
    Bounds bounds;
};

model::Result<Plan> plan_of(const Settings& settings) {
    if (!settings.tls) {
        return model::Error{"binary objects are served over TLS only"};
    }
    auto access = AccessList::make(settings.certificates, settings.clients);
    if (!access) {
        return std::move(access).error();
    }
    return Plan{std::make_shared<const AccessList>(std::move(*access)), settings.tls, settings.bounds};
}

}  // namespace

class ObjectServer::Impl {
  public:
    Impl(const asio::any_io_executor& executor, const Parts& parts, const Options& options)
        : executor_(executor), service_(executor, parts, options) {}

    model::Status listen(const Options& options, Plan plan) {
        service_.use(std::move(plan.access), plan.bounds);
        http::ServerOptions server;
        server.listen = options.listen;
        server.tls = std::move(plan.tls);
        server.limits.max_connections = options.max_connections;
        auto made = http::Server::listen(executor_, std::move(server), service_);
        if (!made) {
            return std::move(made).error();
        }
        server_ = std::move(*made);
        return {};
    }

    static void post(const std::shared_ptr<Impl>& self, Plan plan) {
        asio::post(self->executor_, [weak = std::weak_ptr{self}, plan = std::move(plan)]() mutable {
            if (const auto impl = weak.lock()) {
                impl->service_.use(std::move(plan.access), plan.bounds);
                impl->server_->set_tls(std::move(plan.tls));
            }
        });
    }

    http::Server& server() { return *server_; }
    [[nodiscard]] const Service& service() const { return service_; }

  private:
    asio::any_io_executor executor_;
    Service service_;
    std::unique_ptr<http::Server> server_;
};

ObjectServer::ObjectServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

ObjectServer::~ObjectServer() = default;

model::Result<std::unique_ptr<ObjectServer>> ObjectServer::create(const asio::any_io_executor& executor,
                                                                  const Parts& parts, const Options& options,
                                                                  const Settings& settings) {
    auto plan = plan_of(settings);
    if (!plan) {
        return std::move(plan).error();
    }
    if (options.max_bodies == 0) {
        return model::Error{"the object server must be able to send one body at least"};
    }
    auto impl = std::make_shared<Impl>(executor, parts, options);
    if (auto status = impl->listen(options, std::move(*plan)); !status) {
        return std::move(status).error();
    }
    return std::unique_ptr<ObjectServer>{new ObjectServer{std::move(impl)}};
}

void ObjectServer::start() {
    impl_->server().start();
}

asio::awaitable<void> ObjectServer::stop(std::chrono::milliseconds grace) {
    return impl_->server().stop(grace);
}

model::Status ObjectServer::reconfigure(const Settings& settings) {
    auto plan = plan_of(settings);
    if (!plan) {
        return std::move(plan).error();
    }
    Impl::post(impl_, std::move(*plan));
    return {};
}

const std::string& ObjectServer::address() const {
    return impl_->server().address();
}

std::uint16_t ObjectServer::port() const {
    return impl_->server().port();
}

Load ObjectServer::load() const {
    return impl_->service().load();
}

http::ServerStats ObjectServer::stats() const {
    return impl_->server().stats();
}

}  // namespace lihandover::objectserver
