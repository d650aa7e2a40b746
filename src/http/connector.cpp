#include "lihandover/http/connector.hpp"

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/intrusive/list.hpp>
#include <random>
#include <stdexcept>
#include <utility>

#include "addresses.hpp"
#include "connection_impl.hpp"
#include "dial.hpp"
#include "message.hpp"
#include "race.hpp"
#include "resolver.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;
using Clock = Transport::Clock;

// Of one connect() and URL.
constexpr std::size_t max_attempts = 8;
constexpr std::size_t max_unix_path = 107;  // sockaddr_un
/// How long a URL that was down is tried last.
constexpr std::chrono::minutes url_memory{1};

/// One URL of the server, and what is known about it.
struct Site {
    std::shared_ptr<const Route> route;
    std::shared_ptr<const Origin> origin;
    std::uint16_t port = 0;              ///< of the addresses
    std::vector<Endpoint> fixed;         ///< where there is no name to look up
    std::shared_ptr<Resolver> resolver;  ///< else
    AddressOrder order;
    std::vector<Endpoint> addresses;  ///< as found last
    Clock::time_point out_until;      ///< tried after the others until then
};

/// The lines that go with every request.
std::string fixed_fields(const ConnectorOptions& options) {
    std::string lines;
    bool codings = false;
    for (const auto& [name, value] : options.fields) {
        codings = codings || same_name(name, "Accept-Encoding");
        append_field(lines, name, value);
    }
    if (!codings) {
        append_field(lines, "Accept-Encoding", "identity");
    }
    return lines;
}

/// When a connection made now should end.
Clock::time_point end_of_life(std::chrono::milliseconds lifetime) {
    if (lifetime.count() <= 0) {
        return Clock::time_point::max();
    }
    thread_local std::minstd_rand dice{std::random_device{}()};
    std::uniform_int_distribution<std::int64_t> taken_off{0, lifetime.count() / 10};
    return Clock::now() + lifetime - std::chrono::milliseconds{taken_off(dice)};
}

}  // namespace

class Connector::Impl : public std::enable_shared_from_this<Impl> {
  public:
    Impl(const Executor& executor, std::span<const Url> urls, const std::shared_ptr<const tls::ClientContext>& context,
         ConnectorOptions options)
        : executor_(executor), options_(std::move(options)), fields_(fixed_fields(options_)) {
        if (urls.empty()) {
            throw std::logic_error{"a connector needs a URL"};
        }
        for (const auto& url : urls) {
            if (url.secure() && !context) {
                throw std::logic_error{"an https connection needs a TLS context"};
            }
            add_site(url, url.secure() ? context : nullptr);
        }
    }

    Impl(const Executor& executor, const UnixPath& path, ConnectorOptions options)
        : executor_(executor), options_(std::move(options)), fields_(fixed_fields(options_)) {
        auto site = std::make_shared<Site>();
        auto route = make_route();
        route->tcp = false;
        route->proxy.reset();
        route->local_address.reset();
        site->route = std::move(route);
        site->origin = std::make_shared<const Origin>(Origin{"localhost", fields_, "/"});
        if (path.path.size() <= max_unix_path) {
            site->fixed.emplace_back(asio::local::stream_protocol::endpoint{path.path});
        }
        sites_.push_back(std::move(site));
    }

    void cancel() {
        ++cancellations_;
        for (const auto& site : sites_) {
            if (site->resolver) {
                site->resolver->cancel();
            }
        }
        for (auto& race : races_) {
            race.cancel();
        }
    }

    void avoid(const ConnectionImpl& connection) {
        for (const auto& site : sites_) {
            if (site->origin.get() == &connection.origin()) {
                const auto now = Clock::now();
                site->order.failed(connection.address(), now);
                if (site->order.all_failed(site->addresses)) {
                    site->out_until = now + url_memory;
                }
            }
        }
    }

    static asio::awaitable<ClientResult<Connection>> connect(std::shared_ptr<Impl> self);
    [[nodiscard]] bool expects_strays() const { return habits_->expects_strays(Clock::now()); }

  private:
    void add_site(const Url& url, std::shared_ptr<const tls::ClientContext> context);
    [[nodiscard]] std::shared_ptr<Route> make_route() const;
    [[nodiscard]] std::vector<std::shared_ptr<Site>> sites_in_order();
    static asio::awaitable<ClientResult<std::vector<Endpoint>>> find_addresses(std::shared_ptr<Impl> self,
                                                                               std::shared_ptr<Site> site);
    static asio::awaitable<ClientResult<Connection>> connect_to(std::shared_ptr<Impl> self, std::shared_ptr<Site> site);
    static void learn(Site& site, const Race::Outcome& outcome);

    Executor executor_;
    ConnectorOptions options_;
    std::string fields_;
    std::vector<std::shared_ptr<Site>> sites_;
    boost::intrusive::list<Race, boost::intrusive::constant_time_size<false>> races_;
    std::uint64_t cancellations_ = 0;
    std::shared_ptr<PeerHabits> habits_ = std::make_shared<PeerHabits>();
};

std::shared_ptr<Route> Connector::Impl::make_route() const {
    auto route = std::make_shared<Route>();
    route->connect_timeout = options_.connect_timeout;
    route->handshake_timeout = options_.handshake_timeout;
    route->proxy = options_.proxy;
    if (!options_.local_address.empty()) {
        boost::system::error_code error;
        route->local_address = asio::ip::make_address(options_.local_address, error);
        if (error) {
            throw std::invalid_argument{"the local address of connections is not a numeric one"};
        }
    }
    return route;
}

void Connector::Impl::add_site(const Url& url, std::shared_ptr<const tls::ClientContext> context) {
    auto site = std::make_shared<Site>();
    auto route = make_route();
    route->context = std::move(context);
    route->server_name = options_.server_name.empty() ? url.host : options_.server_name;
    route->port = std::to_string(url.port);
    route->endpoint = url.endpoint();
    const std::string& host = route->proxy ? route->proxy->host : url.host;
    site->port = route->proxy ? route->proxy->port : url.port;
    boost::system::error_code error;
    const auto literal = asio::ip::make_address(host, error);
    if (error) {
        site->resolver = std::make_shared<Resolver>(executor_, host, options_.lookup, options_.lookup_again);
    } else {
        site->fixed.emplace_back(asio::ip::tcp::endpoint{literal, site->port});
    }
    site->route = std::move(route);
    site->origin = std::make_shared<const Origin>(Origin{url.authority(), fields_, url.target});
    sites_.push_back(std::move(site));
}

/// As configured, with those that were down last. One that is due again is left to whoever asks now: the others wait
/// for its result.
std::vector<std::shared_ptr<Site>> Connector::Impl::sites_in_order() {
    auto sites = sites_;
    if (sites.size() > 1) {
        const auto now = Clock::now();
        std::ranges::stable_sort(sites, {}, [&](const auto& site) { return site->out_until > now; });
        auto& first = *sites.front();
        if (first.out_until != Clock::time_point{}) {
            first.out_until = now + url_memory;
        }
    }
    return sites;
}

asio::awaitable<ClientResult<std::vector<Endpoint>>> Connector::Impl::find_addresses(std::shared_ptr<Impl> self,
                                                                                     std::shared_ptr<Site> site) {
    if (!site->resolver) {
        if (site->fixed.empty()) {
            co_return failure(Phase::resolve, FailureKind::dns, "the path of the Unix socket is too long");
        }
        co_return site->fixed;
    }
    const Resolver::Outcome outcome = co_await site->resolver->resolve(self->options_.resolve_timeout);
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
    const auto& local = site->route->local_address;
    std::vector<Endpoint> endpoints;
    for (const auto& address : outcome.addresses) {
        if (!local || local->is_v6() == address.is_v6()) {
            endpoints.emplace_back(asio::ip::tcp::endpoint{address, site->port});
        }
    }
    if (endpoints.empty()) {
        co_return failure(Phase::resolve, FailureKind::dns, "the host name has no address of the local address's kind");
    }
    co_return endpoints;
}

void Connector::Impl::learn(Site& site, const Race::Outcome& outcome) {
    const auto now = Clock::now();
    for (const auto& address : outcome.failed) {
        site.order.failed(address, now);
    }
    for (const auto& address : outcome.overtaken) {
        site.order.overtaken(address, now);
    }
    if (outcome.address) {
        site.order.worked(*outcome.address);
    }
}

asio::awaitable<ClientResult<Connection>> Connector::Impl::connect_to(std::shared_ptr<Impl> self,
                                                                      std::shared_ptr<Site> site) {
    const auto cancellations = self->cancellations_;
    ClientResult<std::vector<Endpoint>> found = co_await find_addresses(self, site);
    if (!found) {
        co_return found.error();
    }
    if (self->cancellations_ != cancellations) {
        co_return failure(Phase::resolve, FailureKind::cancelled, "closed by us");
    }
    site->addresses = *found;
    auto addresses = site->order.sorted(*found, Clock::now());
    addresses.resize(std::min(addresses.size(), max_attempts));
    const auto race =
        std::make_shared<Race>(self->executor_, site->route, std::move(addresses), self->options_.attempt_delay);
    self->races_.push_back(*race);
    Race::Outcome outcome = co_await Race::run(race);
    learn(*site, outcome);
    if (!outcome.winner) {
        co_return std::move(outcome.failure);
    }
    co_return Connection{std::make_shared<ConnectionImpl>(std::move(outcome.winner), site->origin, *outcome.address,
                                                          self->options_.exchange, end_of_life(self->options_.lifetime),
                                                          self->habits_)};
}

asio::awaitable<ClientResult<Connection>> Connector::Impl::connect(std::shared_ptr<Impl> self) {
    std::optional<Failure> first;
    for (const auto& site : self->sites_in_order()) {
        ClientResult<Connection> connected = co_await connect_to(self, site);
        if (connected) {
            site->out_until = {};
            co_return connected;
        }
        if (connected.error().kind == FailureKind::cancelled) {
            co_return connected;
        }
        site->out_until = Clock::now() + url_memory;
        if (!first) {
            first = connected.error();
        }
    }
    co_return std::move(*first);
}

Connector::Connector(const asio::any_io_executor& executor, std::span<const Url> urls,
                     std::shared_ptr<const tls::ClientContext> context, ConnectorOptions options)
    : impl_(std::make_shared<Impl>(concrete(executor), urls, context, std::move(options))) {}

Connector::Connector(const asio::any_io_executor& executor, const Url& url,
                     std::shared_ptr<const tls::ClientContext> context, ConnectorOptions options)
    : Connector(executor, std::span{&url, 1}, std::move(context), std::move(options)) {}

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

void Connector::avoid(const Connection& connection) {
    if (connection.impl_) {
        impl_->avoid(*connection.impl_);
    }
}

bool Connector::expects_strays() const {
    return impl_->expects_strays();
}

}  // namespace lihandover::http
