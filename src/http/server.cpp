#include "lihandover/http/server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <unordered_set>
#include <utility>

#include "accept_socket.hpp"
#include "lihandover/base/invariant.hpp"
#include "session.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;
using Clock = Transport::Clock;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

// Accepted at once, before running sessions get their turn again.
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

}  // namespace

std::string user_name(uid_t uid) {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    while (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
           buffer.size() < (std::size_t{1} << 20U)) {
        buffer.resize(buffer.size() * 2);
    }
    return found != nullptr ? found->pw_name : std::to_string(uid);
}

class Server::Impl : public std::enable_shared_from_this<Impl> {
  public:
    Impl(const Executor& executor, AcceptSocket socket, ServerOptions options, Handler& handler)
        : executor_(executor),
          socket_(std::move(socket)),
          acceptor_(executor),
          retry_(executor),
          state_(std::make_shared<ServerState>()) {
        state_->options = std::move(options);
        state_->handler = &handler;
    }

    void start() {
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
        wait();
    }

    void close_socket() {
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        retry_.cancel();
        socket_.close();
    }

    void cut_all() {
        // Cutting may run handlers to their end, which changes the set.
        const std::vector<std::shared_ptr<Session>> sessions(sessions_.begin(), sessions_.end());
        for (const auto& session : sessions) {
            session->cut();
        }
    }

    void shut_down() {
        state_->stopping = true;
        close_socket();
        cut_all();
    }

    static asio::awaitable<void> stop(std::shared_ptr<Impl> self, std::chrono::milliseconds grace) {
        self->state_->stopping = true;
        self->close_socket();
        const std::vector<std::shared_ptr<Session>> sessions(self->sessions_.begin(), self->sessions_.end());
        for (const auto& session : sessions) {
            if (!session->busy()) {
                session->transport().close();
            }
        }
        Timer timer{self->executor_, Clock::now() + grace};
        self->stoppers_.insert(&timer);
        const Unregister unregister{self->stoppers_, timer};
        bool cut = false;
        while (!self->sessions_.empty()) {
            boost::system::error_code error;
            co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
            if (!cut && Clock::now() >= timer.expiry()) {
                cut = true;
                self->cut_all();
                timer.expires_at(Clock::time_point::max());
            }
        }
    }

    void set_tls(std::shared_ptr<const tls::ServerContext> context) {
        state_->options.tls = std::move(context);
        const std::vector<std::shared_ptr<Session>> sessions(sessions_.begin(), sessions_.end());
        for (const auto& session : sessions) {
            if (!session->is_acceptable_to(*state_->options.tls)) {
                session->cut();
            }
        }
    }

    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    ServerState& state() { return *state_; }
    [[nodiscard]] ServerStats stats() const {
        ServerStats stats = state_->stats;
        stats.connections = sessions_.size();
        return stats;
    }

  private:
    struct Unregister {
        Unregister(std::unordered_set<Timer*>& timers, Timer& timer) : timers_(timers), timer_(timer) {}
        Unregister(const Unregister&) = delete;
        Unregister& operator=(const Unregister&) = delete;
        ~Unregister() { timers_.erase(&timer_); }
        std::unordered_set<Timer*>& timers_;
        Timer& timer_;
    };

    void wait() {
        acceptor_.async_wait(Acceptor::wait_read, [weak = weak_from_this()](const boost::system::error_code& error) {
            if (const auto self = weak.lock(); self && !error) {
                self->accept_some();
            }
        });
    }

    void pause(Clock::duration duration) {
        retry_.expires_after(duration);
        retry_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            if (const auto self = weak.lock(); self && !error) {
                self->accept_some();
            }
        });
    }

    void accept_some() {
        if (state_->stopping) {
            return;
        }
        for (int count = 0; count < accepts_at_once; ++count) {
            if (open_ >= state_->options.limits.max_connections && !someone_waits()) {
                break;
            }
            if (open_ >= state_->options.limits.max_connections && !evict()) {
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
                evict();
                pause(no_descriptor_pause);
                return;
            }
            // Any other error concerns only that one connection, which is gone already.
        }
        wait();
    }

    /// Whether a connection waits to be accepted: without one, no session has to go.
    bool someone_waits() const {
        pollfd entry{socket_.descriptor(), POLLIN, 0};
        return poll(&entry, 1, 0) > 0;
    }

    /// Closes the session that has waited longest for its peer.
    bool evict() {
        std::shared_ptr<Session> oldest;
        for (const auto& session : sessions_) {
            const auto since = session->stalled_since();
            if (since && session->transport().is_open() && (!oldest || *since < *oldest->stalled_since())) {
                oldest = session;
            }
        }
        if (!oldest) {
            return false;
        }
        ++state_->stats.evicted_total;
        oldest->transport().close();
        closed_one();
        evicted_.insert(oldest.get());
        return true;
    }

    void admit(int descriptor, std::string address) {
        auto session = std::make_shared<Session>(executor_, state_);
        Peer peer;
        peer.address = std::move(address);
        if (socket_.is_unix()) {
            ucred credentials{};
            socklen_t size = sizeof credentials;
            if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
                ::close(descriptor);
                return;
            }
            peer.process = Peer::Process{credentials.uid, credentials.gid, credentials.pid};
        } else {
            const int on = 1;
            setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
        if (!session->transport().adopt(descriptor, socket_.family())) {
            ::close(descriptor);
            return;
        }
        session->set_peer(std::move(peer));
        session->set_tls(state_->options.tls);
        ++state_->stats.accepted_total;
        ++open_;
        sessions_.insert(session);
        asio::co_spawn(executor_, Session::run(session),
                       asio::bind_cancellation_slot(
                           session->slot(), [weak = weak_from_this(), session](const std::exception_ptr& /*failure*/) {
                               session->transport().close();
                               if (const auto self = weak.lock()) {
                                   self->forget(session);
                               }
                           }));
    }

    void closed_one() {
        LIHANDOVER_INVARIANT(open_ > 0, "a connection that closes was open");
        --open_;
    }

    void forget(const std::shared_ptr<Session>& session) {
        sessions_.erase(session);
        if (evicted_.erase(session.get()) == 0) {
            closed_one();
        }
        if (sessions_.empty()) {
            for (Timer* timer : stoppers_) {
                timer->cancel();
            }
        }
    }

    using Acceptor = asio::posix::basic_stream_descriptor<Executor>;

    Executor executor_;
    AcceptSocket socket_;
    std::string address_ = socket_.address();
    std::uint16_t port_ = socket_.port();
    Acceptor acceptor_;
    Timer retry_;
    std::shared_ptr<ServerState> state_;
    std::unordered_set<std::shared_ptr<Session>> sessions_;
    // Closed already, but their coroutines have not ended.
    std::unordered_set<const Session*> evicted_;
    std::size_t open_ = 0;
    std::unordered_set<Timer*> stoppers_;
};

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
    impl_->shut_down();
}

model::Result<std::unique_ptr<Server>> Server::listen(const asio::any_io_executor& executor, ServerOptions options,
                                                      Handler& handler) {
    if (options.tls && options.listen.starts_with("unix:")) {
        return model::Error{options.listen + ": TLS is not for Unix sockets"};
    }
    auto socket = AcceptSocket::open(options.listen, options.unix_mode, options.unix_group);
    if (!socket) {
        return socket.error();
    }
    auto impl = std::make_shared<Impl>(concrete(executor), std::move(*socket), std::move(options), handler);
    return std::unique_ptr<Server>{new Server{std::move(impl)}};
}

void Server::start() {
    impl_->start();
}

const std::string& Server::address() const {
    return impl_->address();
}

std::uint16_t Server::port() const {
    return impl_->port();
}

void Server::set_tls(std::shared_ptr<const tls::ServerContext> context) {
    if (!impl_->state().options.tls || !context) {
        throw std::logic_error{"a listener does not change between TLS and none"};
    }
    impl_->set_tls(std::move(context));
}

ServerStats Server::stats() const {
    return impl_->stats();
}

asio::awaitable<void> Server::stop(std::chrono::milliseconds grace) {
    return Impl::stop(impl_, grace);
}

}  // namespace lihandover::http
