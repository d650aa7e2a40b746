#include "lihandover/http/server.hpp"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <stdexcept>
#include <utility>
#include <vector>

#include "listener.hpp"
#include "session.hpp"

namespace lihandover::http {

namespace asio = boost::asio;

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

std::optional<gid_t> group_id(const std::string& name) {
    std::vector<char> buffer(16384);
    group entry{};
    group* found = nullptr;
    while (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
           buffer.size() < (std::size_t{1} << 24U)) {
        buffer.resize(buffer.size() * 2);
    }
    return found != nullptr ? std::optional(found->gr_gid) : std::nullopt;
}

class Server::Impl {
  public:
    Impl(const Executor& executor, AcceptSocket socket, ServerOptions options, Handler& handler) {
        state->options = std::move(options);
        state->handler = &handler;
        state->tls = state->options.tls;
        state->handshake_timeout = state->options.timeouts.handshake;
        state->linger = state->options.timeouts.linger;
        listener = std::make_shared<Listener>(
            executor, std::move(socket), state, state->options.limits.max_connections,
            [executor, state = state] { return std::make_shared<Session>(executor, state); });
    }

    std::shared_ptr<ServerState> state = std::make_shared<ServerState>();
    std::shared_ptr<Listener> listener;
};

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
    impl_->listener->shut_down();
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
    impl_->listener->start();
}

const std::string& Server::address() const {
    return impl_->listener->address();
}

std::uint16_t Server::port() const {
    return impl_->listener->port();
}

void Server::set_tls(std::shared_ptr<const tls::ServerContext> context) {
    if (!impl_->state->tls || !context) {
        throw std::logic_error{"a listener does not change between TLS and none"};
    }
    impl_->listener->set_tls(std::move(context));
}

ServerStats Server::stats() const {
    ServerStats stats = impl_->state->stats;
    stats.connections = impl_->listener->connections();
    stats.accepted_total = impl_->listener->accepted();
    stats.evicted_total = impl_->listener->evicted();
    stats.handshake_failed_total = impl_->state->handshake_failed;
    return stats;
}

asio::awaitable<void> Server::stop(std::chrono::milliseconds grace) {
    return Listener::stop(impl_->listener, grace);
}

}  // namespace lihandover::http
