#include "lihandover/http/stream_server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "listener.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

struct StreamState : ListenerState {
    StreamHandler* handler = nullptr;
    std::chrono::milliseconds write_stall{};
    std::chrono::milliseconds last_words{};
};

StreamEnd end_of(Io io) {
    switch (io) {
        case Io::ok:
        case Io::blocked:
            return StreamEnd::none;
        case Io::eof:
            return StreamEnd::closed;
        case Io::timeout:
            return StreamEnd::timeout;
        case Io::reset:
        case Io::tls:
        case Io::closed:
            break;
    }
    return StreamEnd::broken;
}

/// A peer that vanished without a word is noticed by the kernel, whether or not its protocol has keepalives.
void watch_peer(int descriptor) {
    const int on = 1;
    const int idle_seconds = 60;
    const int probe_seconds = 20;
    const int probes = 5;
    setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
    setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &probe_seconds, sizeof probe_seconds);
    setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

class ServedStream final : public ServerConnection, public Stream {
  public:
    ServedStream(const Executor& executor, std::shared_ptr<StreamState> state)
        : ServerConnection(executor, *state), state_(std::move(state)) {}

    void end() override {
        if (is_known()) {
            ending_ = true;
            transport().shutdown_send();
        } else {
            transport().close();
        }
        // Whatever it waits for now, it waits for no longer than that.
        transport().set_deadline(std::min(deadline_, Clock::now() + state_->last_words));
    }

    [[nodiscard]] const Peer& peer() const override { return known_peer(); }
    [[nodiscard]] bool ending() const override { return ending_; }

    asio::awaitable<StreamRead> read_some(std::span<char> buffer, Clock::time_point deadline) override {
        // What is here needs no waiting.
        std::size_t size = 0;
        Io io = take(buffer, size);
        if (size == 0 && io == Io::blocked) {
            set_deadline(deadline);
            const ReadOutcome first = co_await transport().read(buffer.data(), buffer.size());
            transport().clear_deadline();
            io = first.io;
            size = first.size;
            if (io == Io::ok) {
                static_cast<void>(take(buffer, size));
            }
        }
        if (size > 0) {
            co_return StreamRead{size, StreamEnd::none};
        }
        co_return StreamRead{0, ended(io)};
    }

    asio::awaitable<StreamEnd> wait_readable(Clock::time_point deadline) override {
        transport().release_memory();
        set_deadline(deadline);
        const Io io = co_await transport().wait_readable();
        transport().clear_deadline();
        co_return ended(io);
    }

    asio::awaitable<bool> write(std::string_view bytes) override {
        if (ending_) {
            co_return false;
        }
        const std::array<std::string_view, 1> parts{bytes};
        const Io io = co_await transport().write(parts, state_->write_stall);
        co_return io == Io::ok;
    }

  protected:
    asio::awaitable<void> serve() override {
        watch_peer(transport().native());
        co_await state_->handler->serve(*this);
        transport().shutdown_send();
    }

  private:
    /// Fills the buffer with what is here, from `size` on.
    Io take(std::span<char> buffer, std::size_t& size) {
        Io io = Io::ok;
        while (io == Io::ok && size < buffer.size()) {
            const ReadOutcome outcome = transport().try_read(buffer.data() + size, buffer.size() - size);
            io = outcome.io;
            size += outcome.size;
        }
        return io;
    }

    void set_deadline(Clock::time_point deadline) {
        deadline_ = deadline;
        transport().set_deadline(ending_ ? std::min(deadline, Clock::now() + state_->last_words) : deadline);
    }

    /// A peer that has been told of the stop, and says nothing more, has ended.
    [[nodiscard]] StreamEnd ended(Io io) const {
        const StreamEnd end = end_of(io);
        return end == StreamEnd::timeout && ending_ ? StreamEnd::closed : end;
    }

    std::shared_ptr<StreamState> state_;
    Clock::time_point deadline_ = Clock::time_point::max();
    bool ending_ = false;
};

}  // namespace

class StreamServer::Impl {
  public:
    Impl(const Executor& executor, AcceptSocket socket, StreamOptions options, StreamHandler& handler) {
        state->tls = std::move(options.tls);
        state->handshake_timeout = options.handshake_timeout;
        state->handler = &handler;
        state->write_stall = options.write_stall;
        state->last_words = options.last_words;
        listener = std::make_shared<Listener>(
            executor, std::move(socket), state, options.max_connections,
            [executor, state = state] { return std::make_shared<ServedStream>(executor, state); });
    }

    std::shared_ptr<StreamState> state = std::make_shared<StreamState>();
    std::shared_ptr<Listener> listener;
};

StreamServer::StreamServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

StreamServer::~StreamServer() {
    impl_->listener->shut_down();
}

model::Result<std::unique_ptr<StreamServer>> StreamServer::listen(const asio::any_io_executor& executor,
                                                                  StreamOptions options, StreamHandler& handler) {
    if (options.listen.starts_with("unix:")) {
        return model::Error{options.listen + ": TLS is not for Unix sockets"};
    }
    auto socket = AcceptSocket::open(options.listen, 0, {});
    if (!socket) {
        return socket.error();
    }
    auto impl = std::make_unique<Impl>(concrete(executor), std::move(*socket), std::move(options), handler);
    return std::unique_ptr<StreamServer>{new StreamServer{std::move(impl)}};
}

void StreamServer::start() {
    impl_->listener->start();
}

const std::string& StreamServer::address() const {
    return impl_->listener->address();
}

std::uint16_t StreamServer::port() const {
    return impl_->listener->port();
}

void StreamServer::set_tls(std::shared_ptr<const tls::ServerContext> context) {
    impl_->listener->set_tls(std::move(context));
}

void StreamServer::set_max_connections(std::size_t most) {
    impl_->listener->set_max_connections(most);
}

StreamStats StreamServer::stats() const {
    return {impl_->listener->connections(), impl_->listener->accepted(), impl_->listener->evicted(),
            impl_->state->handshake_failed};
}

asio::awaitable<void> StreamServer::stop(std::chrono::milliseconds grace) {
    return Listener::stop(impl_->listener, grace);
}

}  // namespace lihandover::http
