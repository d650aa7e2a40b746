#include "listener.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

#include "lihandover/base/invariant.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

// Accepted at once, before running connections get their turn again.
constexpr int accepts_at_once = 64;
constexpr std::chrono::milliseconds full_pause{20};
constexpr std::chrono::milliseconds no_descriptor_pause{100};

std::string text_of(const sockaddr_storage& address, socklen_t size) {
    if (address.ss_family != AF_INET && address.ss_family != AF_INET6) {
        return {};
    }
    asio::ip::tcp::endpoint endpoint;
    if (size > endpoint.capacity()) {
        return {};
    }
    endpoint.resize(size);
    std::memcpy(endpoint.data(), &address, size);
    const std::string host = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? '[' + host + ']' : host) + ':' + std::to_string(endpoint.port());
}

bool out_of_descriptors(int number) {
    return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

/// The supplementary groups of the process at the other end of a Unix socket, as it connected.
std::vector<gid_t> groups_of_peer(int descriptor) {
    std::vector<gid_t> groups(64);
    while (true) {
        auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
        const bool got = getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0;
        const bool longer = !got && errno == ERANGE && size > groups.size() * sizeof(gid_t);
        groups.resize(got || longer ? size / sizeof(gid_t) : 0);
        if (!longer) {
            return groups;
        }
    }
}

}  // namespace

struct Listener::Unregister {
    Unregister(std::unordered_set<Timer*>& timers, Timer& timer) : timers_(timers), timer_(timer) {}
    Unregister(const Unregister&) = delete;
    Unregister& operator=(const Unregister&) = delete;
    ~Unregister() { timers_.erase(&timer_); }
    std::unordered_set<Timer*>& timers_;
    Timer& timer_;
};

Listener::Listener(const Executor& executor, AcceptSocket socket, std::shared_ptr<ListenerState> state,
                   std::size_t max_connections, Make make)
    : executor_(executor),
      socket_(std::move(socket)),
      acceptor_(executor),
      retry_(executor),
      state_(std::move(state)),
      max_connections_(max_connections),
      make_(std::move(make)) {}

void Listener::start() {
    // A second descriptor, so that `socket_` can go on owning the first.
    boost::system::error_code error;
    const int copy = dup(socket_.descriptor());
    if (copy < 0) {
        throw std::runtime_error{"no descriptor left for the listener"};
    }
    acceptor_.assign(copy, error);
    if (error) {
        ::close(copy);
        throw boost::system::system_error{error};
    }
    state_->let_in = [weak = weak_from_this()](const ServerConnection& newcomer) {
        const auto self = weak.lock();
        return self && self->let_in(newcomer);
    };
    wait();
}

void Listener::close_socket() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
    socket_.close();
}

void Listener::cut_all() {
    // Cutting may run handlers to their end, which changes the set.
    const std::vector<std::shared_ptr<ServerConnection>> all(connections_.begin(), connections_.end());
    for (const auto& connection : all) {
        connection->cut();
    }
}

void Listener::shut_down() {
    state_->stopping = true;
    close_socket();
    cut_all();
}

asio::awaitable<void> Listener::stop(std::shared_ptr<Listener> self, std::chrono::milliseconds grace) {
    self->state_->stopping = true;
    self->close_socket();
    const std::vector<std::shared_ptr<ServerConnection>> all(self->connections_.begin(), self->connections_.end());
    for (const auto& connection : all) {
        connection->end();
    }
    Timer timer{self->executor_, Clock::now() + grace};
    self->stoppers_.insert(&timer);
    const Unregister unregister{self->stoppers_, timer};
    bool cut = false;
    while (!self->connections_.empty()) {
        boost::system::error_code error;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (!cut && Clock::now() >= timer.expiry()) {
            cut = true;
            self->cut_all();
            timer.expires_at(Clock::time_point::max());
        }
    }
}

void Listener::set_tls(std::shared_ptr<const tls::ServerContext> context) {
    state_->tls = std::move(context);
    const std::vector<std::shared_ptr<ServerConnection>> all(connections_.begin(), connections_.end());
    for (const auto& connection : all) {
        if (!connection->is_acceptable_to(*state_->tls)) {
            connection->cut();
        }
    }
}

void Listener::wait() {
    acceptor_.async_wait(Acceptor::wait_read, [weak = weak_from_this()](const boost::system::error_code& error) {
        if (const auto self = weak.lock(); self && !error) {
            self->accept_some();
        }
    });
}

void Listener::pause(Clock::duration duration) {
    retry_.expires_after(duration);
    retry_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        if (const auto self = weak.lock(); self && !error) {
            self->accept_some();
        }
    });
}

void Listener::accept_some() {
    if (state_->stopping) {
        return;
    }
    for (int count = 0; count < accepts_at_once; ++count) {
        if (open_ >= max_connections_ && !someone_waits()) {
            break;
        }
        if (open_ >= max_connections_ && !make_place()) {
            // Every connection is busy. The kernel keeps the new one meanwhile.
            pause(full_pause);
            return;
        }
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        auto* generic = reinterpret_cast<sockaddr*>(&from);
        const int descriptor = accept4(socket_.descriptor(), generic, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (descriptor >= 0) {
            admit(descriptor, text_of(from, size));
        } else if (errno == EAGAIN) {
            break;
        } else if (out_of_descriptors(errno)) {
            if (!evict(stalled_longest(false))) {
                evict(stalled_longest(true));
            }
            pause(no_descriptor_pause);
            return;
        }
        // Any other error concerns only that one connection, which is gone already.
    }
    wait();
}

/// Whether a connection waits to be accepted: without one, none has to go.
bool Listener::someone_waits() const {
    pollfd entry{socket_.descriptor(), POLLIN, 0};
    return poll(&entry, 1, 0) > 0;
}

/// Makes a place for one more, where all are taken. Whoever comes over TLS has proved nothing yet, and so pushes out
/// nobody who has: a few such candidates may be there beyond the places, the latest ones, until they are known.
bool Listener::make_place() {
    if (!state_->tls) {
        return evict(stalled_longest(true));
    }
    if (count(false) < most_candidates() && stalled_longest(true)) {
        return true;
    }
    return evict(stalled_longest(false));
}

/// One that has proved who it is takes the place of the known one that has waited for its peer longest.
bool Listener::let_in(const ServerConnection& newcomer) {
    return open_ <= max_connections_ || count(true) <= max_connections_ || evict(stalled_longest(true, &newcomer));
}

std::size_t Listener::most_candidates() const {
    constexpr std::size_t most = 16;
    return std::min(most, max_connections_ / 4 + 1);
}

/// Those that are open, and whose peers are known, or are not.
std::size_t Listener::count(bool known) const {
    return static_cast<std::size_t>(std::ranges::count_if(connections_, [known](const auto& connection) {
        return connection->is_known() == known && connection->transport().is_open();
    }));
}

/// Of those the one that has waited for its peer longest; null if none does.
std::shared_ptr<ServerConnection> Listener::stalled_longest(bool known, const ServerConnection* except) const {
    std::shared_ptr<ServerConnection> chosen;
    for (const auto& connection : connections_) {
        if (connection->is_known() == known && connection.get() != except && connection->stalled_since() &&
            connection->transport().is_open() && (!chosen || *connection->stalled_since() < *chosen->stalled_since())) {
            chosen = connection;
        }
    }
    return chosen;
}

bool Listener::evict(const std::shared_ptr<ServerConnection>& chosen) {
    if (!chosen) {
        return false;
    }
    ++evicted_total_;
    chosen->transport().close();
    closed_one();
    evicted_.insert(chosen.get());
    return true;
}

void Listener::admit(int descriptor, std::string address) {
    auto connection = make_();
    Peer peer;
    peer.address = std::move(address);
    if (socket_.is_unix()) {
        ucred credentials{};
        socklen_t size = sizeof credentials;
        if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
            ::close(descriptor);
            return;
        }
        peer.process = Peer::Process{credentials.uid, credentials.gid, credentials.pid, groups_of_peer(descriptor)};
    } else {
        const int on = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (!connection->transport().adopt(descriptor, socket_.family())) {
        ::close(descriptor);
        return;
    }
    connection->set_peer(std::move(peer));
    connection->set_tls(state_->tls);
    ++accepted_;
    ++open_;
    connections_.insert(connection);
    asio::co_spawn(executor_, ServerConnection::run(connection),
                   asio::bind_cancellation_slot(connection->slot(), [weak = weak_from_this(), connection](
                                                                        const std::exception_ptr& /*failure*/) {
                       connection->transport().close();
                       if (const auto self = weak.lock()) {
                           self->forget(connection);
                       }
                   }));
}

void Listener::closed_one() {
    LIHANDOVER_INVARIANT(open_ > 0, "a connection that closes was open");
    --open_;
}

void Listener::forget(const std::shared_ptr<ServerConnection>& connection) {
    connections_.erase(connection);
    if (evicted_.erase(connection.get()) == 0) {
        closed_one();
    }
    if (connections_.empty()) {
        for (Timer* timer : stoppers_) {
            timer->cancel();
        }
    }
}

}  // namespace lihandover::http
