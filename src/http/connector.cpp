#include "lihandover/http/connector.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/intrusive/list.hpp>
#include <stdexcept>
#include <utility>

#include "addresses.hpp"
#include "connection_impl.hpp"
#include "dial.hpp"
#include "race.hpp"
#include "resolver.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

// Of one connect().
constexpr std::size_t max_attempts = 8;
constexpr std::size_t max_unix_path = 107;  // sockaddr_un

Failure failure(Phase phase, FailureKind kind, std::string message) {
    Failure failure;
    failure.phase = phase;
    failure.kind = kind;
    failure.message = std::move(message);
    return failure;
}

}  // namespace

class Connector::Impl : public std::enable_shared_from_this<Impl> {
  public:
    Impl(const Executor& executor, const Url& url, std::shared_ptr<const tls::ClientContext> context,
         ConnectorOptions options)
        : executor_(executor), options_(std::move(options)), port_(url.port), authority_(url.authority()) {
        if (url.secure() && !context) {
            throw std::logic_error{"an https connection needs a TLS context"};
        }
        auto route = make_route();
        if (url.secure()) {
            route->context = std::move(context);
        }
        route->host = url.host;
        route->port = std::to_string(url.port);
        route_ = std::move(route);
        boost::system::error_code error;
        const auto literal = asio::ip::make_address(url.host, error);
        if (error) {
            resolver_ = std::make_shared<Resolver>(executor, url.host, options_.lookup);
        } else {
            fixed_.emplace_back(asio::ip::tcp::endpoint{literal, port_});
        }
    }

    Impl(const Executor& executor, const UnixPath& path, ConnectorOptions options)
        : executor_(executor), options_(std::move(options)), authority_("localhost") {
        auto route = make_route();
        route->tcp = false;
        route_ = std::move(route);
        if (path.path.size() <= max_unix_path) {
            fixed_.emplace_back(asio::local::stream_protocol::endpoint{path.path});
        }
    }

    void cancel() {
        ++cancellations_;
        if (resolver_) {
            resolver_->cancel();
        }
        for (auto& race : races_) {
            race.cancel();
        }
    }

    static asio::awaitable<ClientResult<Connection>> connect(std::shared_ptr<Impl> self);

  private:
    std::shared_ptr<Route> make_route() const {
        auto route = std::make_shared<Route>();
        route->connect_timeout = options_.connect_timeout;
        route->handshake_timeout = options_.handshake_timeout;
        return route;
    }
    static asio::awaitable<ClientResult<std::vector<Endpoint>>> find_addresses(std::shared_ptr<Impl> self);
    void learn(const Race::Outcome& outcome);

    Executor executor_;
    ConnectorOptions options_;
    std::uint16_t port_ = 0;
    std::string authority_;
    std::shared_ptr<const Route> route_;
    std::vector<Endpoint> fixed_;  ///< where there is no name to look up
    std::shared_ptr<Resolver> resolver_;
    AddressOrder order_;
    boost::intrusive::list<Race, boost::intrusive::constant_time_size<false>> races_;
    std::uint64_t cancellations_ = 0;
};

asio::awaitable<ClientResult<std::vector<Endpoint>>> Connector::Impl::find_addresses(std::shared_ptr<Impl> self) {
    if (!self->resolver_) {
        if (self->fixed_.empty()) {
            co_return failure(Phase::resolve, FailureKind::dns, "the path of the Unix socket is too long");
        }
        co_return self->fixed_;
    }
    const Resolver::Outcome outcome = co_await self->resolver_->resolve(self->options_.resolve_timeout);
    switch (outcome.status) {
        case Resolver::Status::found:
            break;
        case Resolver::Status::no_address:
            co_return failure(Phase::resolve, FailureKind::dns, "the host name has no address");
        case Resolver::Status::timeout:
            co_return failure(Phase::resolve, FailureKind::timeout, "the name server did not answer in time");
        case Resolver::Status::cancelled:
            co_return failure(Phase::resolve, FailureKind::cancelled, "closed by us");
    }
    std::vector<Endpoint> endpoints;
    endpoints.reserve(outcome.addresses.size());
    for (const auto& address : outcome.addresses) {
        endpoints.emplace_back(asio::ip::tcp::endpoint{address, self->port_});
    }
    co_return endpoints;
}

void Connector::Impl::learn(const Race::Outcome& outcome) {
    const auto now = Race::Clock::now();
    for (const auto& address : outcome.failed) {
        order_.failed(address, now);
    }
    if (outcome.address) {
        order_.worked(*outcome.address);
    }
}

asio::awaitable<ClientResult<Connection>> Connector::Impl::connect(std::shared_ptr<Impl> self) {
    const auto cancellations = self->cancellations_;
    ClientResult<std::vector<Endpoint>> found = co_await find_addresses(self);
    if (!found) {
        co_return found.error();
    }
    if (self->cancellations_ != cancellations) {
        co_return failure(Phase::resolve, FailureKind::cancelled, "closed by us");
    }
    auto addresses = self->order_.sorted(*found, Race::Clock::now());
    addresses.resize(std::min(addresses.size(), max_attempts));
    const auto race =
        std::make_shared<Race>(self->executor_, self->route_, std::move(addresses), self->options_.attempt_delay);
    self->races_.push_back(*race);
    Race::Outcome outcome = co_await Race::run(race);
    self->learn(outcome);
    if (!outcome.winner) {
        co_return std::move(outcome.failure);
    }
    co_return Connection{
        std::make_shared<ConnectionImpl>(std::move(outcome.winner), self->authority_, self->options_.exchange)};
}

Connector::Connector(const asio::any_io_executor& executor, const Url& url,
                     std::shared_ptr<const tls::ClientContext> context, ConnectorOptions options)
    : impl_(std::make_shared<Impl>(concrete(executor), url, std::move(context), std::move(options))) {}

Connector::Connector(const asio::any_io_executor& executor, const UnixPath& path, ConnectorOptions options)
    : impl_(std::make_shared<Impl>(concrete(executor), path, std::move(options))) {}

Connector::~Connector() {
    impl_->cancel();
}

asio::awaitable<ClientResult<Connection>> Connector::connect() {
    return Impl::connect(impl_);
}

void Connector::cancel() {
    impl_->cancel();
}

}  // namespace lihandover::http
