#include "transport.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <limits>

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

constexpr std::size_t pieces_at_once = 16;
constexpr std::chrono::milliseconds first_confirm_pause{1};
constexpr std::chrono::milliseconds last_confirm_pause{64};

[[noreturn]] void throw_cancelled() {
    throw boost::system::system_error{asio::error::make_error_code(asio::error::operation_aborted)};
}

}  // namespace

Transport::Transport(const Executor& executor)
    : executor_(executor), socket_(executor), deadline_(executor, [this] {
          boost::system::error_code ignored;
          socket_.cancel(ignored);
      }) {}

Transport::~Transport() {
    close();
}

bool Transport::adopt(int descriptor, int family) {
    boost::system::error_code error;
    socket_.assign(asio::generic::stream_protocol{family, 0}, descriptor, error);
    return !error;
}

asio::awaitable<Io> Transport::connect(const asio::generic::stream_protocol::endpoint& endpoint,
                                       const std::optional<asio::ip::address>& source) {
    if (closed_) {
        co_return Io::closed;
    }
    boost::system::error_code error;
    if (socket_.is_open()) {
        socket_.close(error);
    }
    socket_.open(endpoint.protocol(), error);
    if (!error && source) {
        // The port is chosen on connecting, so that connections to several peers can share one.
        const int on = 1;
        setsockopt(socket_.native_handle(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        socket_.bind(asio::ip::tcp::endpoint{*source, 0}, error);
    }
    if (error) {
        co_return Io::reset;
    }
    {
        const Deadline::Waiting waiting{deadline_};
        co_await socket_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    }
    co_return outcome_of(error);
}

ssl_st* Transport::start_tls(ssl_ctx_st* context, bool server) {
    tls_ = TlsEngine::make(context, server, socket_.native_handle());
    if (!tls_) {
        no_tls_ = tls::explain_failure(nullptr);
        return nullptr;
    }
    return tls_->ssl();
}

const tls::Explanation& Transport::tls_failure() const {
    return tls_ ? tls_->failure() : no_tls_;
}

Io Transport::obstacle() const {
    if (closed_) {
        return Io::closed;
    }
    return deadline_.expired() ? Io::timeout : Io::ok;
}

Io Transport::outcome_of(const boost::system::error_code& error) const {
    if (closed_) {
        return Io::closed;
    }
    if (!error) {
        return Io::ok;
    }
    if (error == asio::error::operation_aborted) {
        if (deadline_.expired()) {
            return Io::timeout;
        }
        throw_cancelled();
    }
    return error == asio::error::eof ? Io::eof : Io::reset;
}

asio::awaitable<Io> Transport::satisfy(TlsEngine::Step step) {
    if (step.wants_write) {
        co_return co_await wait_writable();
    }
    const auto room = tls_->room();
    const ReadOutcome outcome = co_await read_raw(room.data(), room.size());
    tls_->received(outcome.size);
    if (outcome.io == Io::eof) {
        tls_->end();
        co_return Io::ok;  // OpenSSL tells a clean end from a cut one
    }
    co_return outcome.io;
}

asio::awaitable<Io> Transport::handshake() {
    for (;;) {
        if (closed_) {
            co_return Io::closed;
        }
        const TlsEngine::Step step = tls_->handshake();
        const Io io = step.io == Io::blocked ? co_await satisfy(step) : step.io;
        if (io != Io::ok || step.io == Io::ok) {
            co_return io;
        }
    }
}

asio::awaitable<ReadOutcome> Transport::read_raw(char* out, std::size_t room) {
    if (const Io io = obstacle(); io != Io::ok) {
        co_return ReadOutcome{0, io};
    }
    boost::system::error_code error;
    std::size_t count = 0;
    {
        const Deadline::Waiting waiting{deadline_};
        const asio::mutable_buffer buffer{out, room};
        count = co_await socket_.async_receive(buffer, asio::redirect_error(asio::use_awaitable, error));
    }
    co_return ReadOutcome{count, outcome_of(error)};
}

asio::awaitable<ReadOutcome> Transport::read(char* out, std::size_t room) {
    if (!tls_) {
        co_return co_await read_raw(out, room);
    }
    for (;;) {
        if (closed_) {
            co_return ReadOutcome{0, Io::closed};
        }
        const TlsEngine::Step step = tls_->read(out, room);
        if (step.io != Io::blocked) {
            co_return ReadOutcome{step.size, step.io};
        }
        if (const Io io = co_await satisfy(step); io != Io::ok) {
            co_return ReadOutcome{0, io};
        }
    }
}

ReadOutcome Transport::try_read(char* out, std::size_t room) {
    if (closed_) {
        return {0, Io::closed};
    }
    if (!tls_) {
        const auto count = ::recv(socket_.native_handle(), out, room, MSG_DONTWAIT);
        if (count > 0) {
            return {static_cast<std::size_t>(count), Io::ok};
        }
        if (count == 0) {
            return {0, Io::eof};
        }
        return {0, errno == EAGAIN || errno == EINTR ? Io::blocked : Io::reset};
    }
    for (;;) {
        const TlsEngine::Step step = tls_->read(out, room);
        if (step.io != Io::blocked || step.wants_write) {
            return {step.size, step.io};
        }
        const Io io = tls_->try_receive();
        if (io != Io::ok && io != Io::eof) {
            return {0, io};
        }
    }
}

Io Transport::try_write(Gather& gather) {
    if (closed_) {
        return Io::closed;
    }
    return tls_ ? tls_->write(gather).io : try_write_plain(gather);
}

Io Transport::try_write_plain(Gather& gather) {
    while (!gather.done()) {
        std::array<std::string_view, pieces_at_once> pieces;
        std::array<iovec, pieces_at_once> vectors{};
        const std::size_t count = gather.pieces(pieces);
        for (std::size_t index = 0; index < count; ++index) {
            vectors.at(index) = {const_cast<char*>(pieces.at(index).data()), pieces.at(index).size()};
        }
        msghdr message{};
        message.msg_iov = vectors.data();
        message.msg_iovlen = count;
        const auto sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == EAGAIN ? Io::blocked : Io::reset;
        }
        sent_ = true;
        gather.advance(static_cast<std::size_t>(sent));
    }
    return Io::ok;
}

asio::awaitable<Io> Transport::wait_for(Socket::wait_type what) {
    if (const Io io = obstacle(); io != Io::ok) {
        co_return io;
    }
    boost::system::error_code error;
    {
        const Deadline::Waiting waiting{deadline_};
        co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, error));
    }
    co_return outcome_of(error);
}

asio::awaitable<Io> Transport::wait_readable() {
    return wait_for(Socket::wait_read);
}

asio::awaitable<Io> Transport::wait_writable() {
    return wait_for(Socket::wait_write);
}

asio::awaitable<Io> Transport::wait_either() {
    if (const Io io = obstacle(); io != Io::ok) {
        co_return io;
    }
    boost::system::error_code error;
    {
        const Deadline::Waiting waiting{deadline_};
        auto group = asio::experimental::make_parallel_group(socket_.async_wait(Socket::wait_write, asio::deferred),
                                                             socket_.async_wait(Socket::wait_read, asio::deferred));
        auto [order, write_error, read_error] =
            co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
        error = order.front() == 0 ? write_error : read_error;
    }
    co_return outcome_of(error);
}

asio::awaitable<Io> Transport::write(std::span<const std::string_view> parts, Clock::duration stall) {
    Gather gather{parts};
    Io io = try_write(gather);
    while (io == Io::blocked) {
        expires_after(stall);
        io = co_await wait_writable();
        clear_deadline();
        if (io == Io::ok) {
            io = try_write(gather);
        }
    }
    co_return io;
}

asio::awaitable<Io> Transport::wait_confirmed(Clock::duration stall) {
    asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer{executor_};
    Clock::duration pause = first_confirm_pause;
    auto moved_at = Clock::now();
    int least = std::numeric_limits<int>::max();
    for (;;) {
        int left = 0;
        if (closed_) {
            co_return Io::closed;
        }
        if (::ioctl(socket_.native_handle(), SIOCOUTQ, &left) != 0) {
            co_return Io::reset;
        }
        // Asked after the queue, which is also empty once a reset has discarded it.
        if (is_reset()) {
            if (tls_) {
                tls_->break_sending();
            }
            co_return Io::reset;
        }
        if (left == 0) {
            co_return Io::ok;
        }
        const auto now = Clock::now();
        if (left < least) {
            least = left;
            moved_at = now;
        } else if (now - moved_at >= stall) {
            co_return Io::timeout;
        }
        const Deadline::Waiting waiting{deadline_};
        timer.expires_at(now + pause);
        co_await timer.async_wait(asio::use_awaitable);
        pause = std::min<Clock::duration>(pause * 2, last_confirm_pause);
    }
}

bool Transport::is_reset() {
    pollfd entry{socket_.native_handle(), 0, 0};
    return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLERR | POLLHUP)) != 0;
}

bool Transport::gone() {
    if (closed_) {
        return true;
    }
    // Not by reading: what the peer sent before it went may precede the end.
    pollfd entry{socket_.native_handle(), POLLRDHUP, 0};
    return ::poll(&entry, 1, 0) > 0;
}

void Transport::release_memory() {
    if (tls_) {
        tls_->release_memory();
    }
}

void Transport::reset_sent() {
    sent_ = false;
    if (tls_) {
        tls_->reset_sent();
    }
}

void Transport::shutdown_send() {
    if (closed_ || shut_) {
        return;
    }
    shut_ = true;
    if (tls_) {
        tls_->shut_down();
    }
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
}

void Transport::close() {
    if (closed_) {
        return;
    }
    if (socket_.is_open() && tls_ && !shut_) {
        tls_->shut_down();
    }
    closed_ = true;
    deadline_.stop();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

}  // namespace lihandover::http
