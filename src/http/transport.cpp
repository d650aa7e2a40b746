#include "transport.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
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
#include <cstring>
#include <limits>

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

// One TLS record of the largest size with its overhead, and a little more.
constexpr std::size_t cipher_room = std::size_t{17} * 1024;
constexpr std::size_t record_room = std::size_t{16} * 1024;
constexpr std::size_t pieces_at_once = 16;
constexpr std::chrono::milliseconds first_confirm_pause{1};
constexpr std::chrono::milliseconds last_confirm_pause{64};

[[noreturn]] void throw_cancelled() {
    throw boost::system::system_error{asio::error::make_error_code(asio::error::operation_aborted)};
}

}  // namespace

std::size_t Gather::pieces(std::span<std::string_view> pieces) const {
    std::size_t count = 0;
    for (std::size_t index = 0; index < parts_.size() && count < pieces.size(); ++index) {
        const auto piece = index == 0 ? front() : parts_[index];
        if (!piece.empty()) {
            pieces[count++] = piece;
        }
    }
    return count;
}

void Gather::advance(std::size_t count) {
    while (count > 0) {
        const std::size_t step = std::min(count, front().size());
        offset_ += step;
        count -= step;
        skip_empty();
    }
}

void Gather::skip_empty() {
    while (!parts_.empty() && offset_ == parts_.front().size()) {
        parts_ = parts_.subspan(1);
        offset_ = 0;
    }
}

class Transport::Waiting {
  public:
    explicit Waiting(Transport& transport) : transport_(&transport), alive_(transport.alive_) {
        transport.waiting_since_ = Clock::now();
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() {
        if (!alive_.expired()) {
            transport_->waiting_since_.reset();
        }
    }

  private:
    Transport* transport_;
    std::weak_ptr<char> alive_;
};

void Transport::SslFree::operator()(ssl_st* ssl) const {
    SSL_free(ssl);
}

Transport::Transport(const Executor& executor) : executor_(executor), socket_(executor), timer_(executor) {}

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
        const Waiting waiting{*this};
        co_await socket_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    }
    co_return judge(error);
}

const bio_method_st* Transport::bio_methods() {
    static const BIO_METHOD* const methods = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lihandover transport");
        BIO_meth_set_write(made, &Transport::bio_write);
        BIO_meth_set_read(made, &Transport::bio_read);
        BIO_meth_set_ctrl(made, &Transport::bio_control);
        return made;
    }();
    return methods;
}

int Transport::bio_write(BIO* bio, const char* data, int size) {
    auto* self = static_cast<Transport*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const auto count =
        ::send(self->socket_.native_handle(), data, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
        self->sent_ = true;
        return static_cast<int>(count);
    }
    if (errno == EAGAIN || errno == EINTR) {
        BIO_set_retry_write(bio);
    }
    return -1;
}

int Transport::bio_read(BIO* bio, char* out, int size) {
    auto* self = static_cast<Transport*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const std::size_t count = std::min(self->cipher_end_ - self->cipher_begin_, static_cast<std::size_t>(size));
    if (count == 0) {
        if (self->cipher_eof_) {
            return 0;
        }
        BIO_set_retry_read(bio);
        return -1;
    }
    std::memcpy(out, self->cipher_.data() + self->cipher_begin_, count);
    self->cipher_begin_ += count;
    return static_cast<int>(count);
}

long Transport::bio_control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
    switch (command) {
        case BIO_CTRL_FLUSH:
            return 1;
        case BIO_CTRL_EOF: {
            const auto* self = static_cast<Transport*>(BIO_get_data(bio));
            return self->cipher_eof_ && self->cipher_begin_ == self->cipher_end_ ? 1 : 0;
        }
        default:
            return 0;
    }
}

ssl_st* Transport::start_tls(ssl_ctx_st* context, bool server) {
    ssl_.reset(SSL_new(context));
    BIO* bio = ssl_ ? BIO_new(bio_methods()) : nullptr;
    if (bio == nullptr) {
        ssl_.reset();
        tls_failure_ = tls::explain_failure(nullptr);
        return nullptr;
    }
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    if (server) {
        SSL_set_accept_state(ssl_.get());
    } else {
        SSL_set_connect_state(ssl_.get());
    }
    cipher_begin_ = cipher_end_ = 0;
    cipher_eof_ = handshake_done_ = tls_broken_ = send_broken_ = false;
    record_.clear();
    record_sent_ = 0;
    return ssl_.get();
}

/// What an OpenSSL call came to; notes in `broken` that no other is to follow. `blocked` with `wants_write` set means
/// waiting for the peer to take bytes.
Io Transport::tls_result(int result, bool& wants_write, bool& broken) {
    wants_write = false;
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_NONE:
            return Io::ok;
        case SSL_ERROR_WANT_READ:
            return Io::blocked;
        case SSL_ERROR_WANT_WRITE:
            wants_write = true;
            return Io::blocked;
        case SSL_ERROR_ZERO_RETURN:
            return Io::eof;
        case SSL_ERROR_SYSCALL:
            broken = true;
            ERR_clear_error();
            return Io::reset;
        default:
            break;
    }
    broken = true;
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return Io::reset;
    }
    tls_failure_ = tls::explain_failure(ssl_.get());
    return Io::tls;
}

asio::awaitable<Io> Transport::handshake() {
    for (;;) {
        if (closed_) {
            co_return Io::closed;
        }
        ERR_clear_error();
        bool wants_write = false;
        const int result = SSL_do_handshake(ssl_.get());
        Io io = tls_result(result, wants_write, tls_broken_);
        if (io == Io::ok) {
            handshake_done_ = true;
            co_return io;
        }
        if (io == Io::blocked) {
            if (cipher_eof_ && !wants_write) {
                co_return Io::reset;
            }
            io = wants_write ? co_await wait_writable() : co_await fill();
            if (io == Io::eof) {
                continue;  // OpenSSL says what the end means
            }
        }
        if (io != Io::ok) {
            co_return io;
        }
    }
}

Io Transport::judge(const boost::system::error_code& error) const {
    if (closed_) {
        return Io::closed;
    }
    if (!error) {
        return Io::ok;
    }
    if (error == asio::error::operation_aborted) {
        if (expired_) {
            return Io::timeout;
        }
        throw_cancelled();
    }
    return error == asio::error::eof ? Io::eof : Io::reset;
}

/// Behind the ciphertext that there is.
void Transport::make_room() {
    if (cipher_.empty()) {
        cipher_.resize(cipher_room);
    }
    if (cipher_begin_ == cipher_end_) {
        cipher_begin_ = cipher_end_ = 0;
    } else if (cipher_end_ == cipher_.size()) {
        std::memmove(cipher_.data(), cipher_.data() + cipher_begin_, cipher_end_ - cipher_begin_);
        cipher_end_ -= cipher_begin_;
        cipher_begin_ = 0;
    }
}

void Transport::release_memory() {
    if (cipher_begin_ == cipher_end_) {
        cipher_begin_ = cipher_end_ = 0;
        std::vector<char>{}.swap(cipher_);
    }
    if (record_sent_ == record_.size()) {
        record_sent_ = 0;
        std::string{}.swap(record_);
    }
}

/// Receives ciphertext. `eof` is noted for OpenSSL to judge.
asio::awaitable<Io> Transport::fill() {
    if (cipher_eof_) {
        co_return Io::eof;
    }
    if (expired_) {
        co_return Io::timeout;
    }
    make_room();
    boost::system::error_code error;
    std::size_t count = 0;
    {
        const Waiting waiting{*this};
        const asio::mutable_buffer room{cipher_.data() + cipher_end_, cipher_.size() - cipher_end_};
        count = co_await socket_.async_receive(room, asio::redirect_error(asio::use_awaitable, error));
    }
    const Io io = judge(error);
    if (io == Io::ok) {
        cipher_end_ += count;
    } else if (io == Io::eof) {
        cipher_eof_ = true;
    }
    co_return io;
}

/// The same without waiting.
Io Transport::try_fill() {
    if (cipher_eof_) {
        return Io::eof;
    }
    make_room();
    if (cipher_end_ == cipher_.size()) {
        return Io::ok;
    }
    const auto count =
        ::recv(socket_.native_handle(), cipher_.data() + cipher_end_, cipher_.size() - cipher_end_, MSG_DONTWAIT);
    if (count > 0) {
        cipher_end_ += static_cast<std::size_t>(count);
        return Io::ok;
    }
    if (count == 0) {
        cipher_eof_ = true;
        return Io::eof;
    }
    return errno == EAGAIN || errno == EINTR ? Io::blocked : Io::reset;
}

asio::awaitable<ReadOutcome> Transport::read_raw(char* out, std::size_t room) {
    if (closed_) {
        co_return ReadOutcome{0, Io::closed};
    }
    if (expired_) {
        co_return ReadOutcome{0, Io::timeout};
    }
    boost::system::error_code error;
    std::size_t count = 0;
    {
        const Waiting waiting{*this};
        const asio::mutable_buffer buffer{out, room};
        count = co_await socket_.async_receive(buffer, asio::redirect_error(asio::use_awaitable, error));
    }
    co_return ReadOutcome{count, judge(error)};
}

asio::awaitable<ReadOutcome> Transport::read(char* out, std::size_t room) {
    if (!ssl_) {
        co_return co_await read_raw(out, room);
    }
    for (;;) {
        if (closed_) {
            co_return ReadOutcome{0, Io::closed};
        }
        if (tls_broken_) {
            co_return ReadOutcome{0, Io::reset};
        }
        ERR_clear_error();
        std::size_t count = 0;
        bool wants_write = false;
        const int result = SSL_read_ex(ssl_.get(), out, room, &count);
        if (result == 1) {
            co_return ReadOutcome{count, Io::ok};
        }
        Io io = tls_result(result, wants_write, tls_broken_);
        if (io == Io::blocked) {
            if (cipher_eof_ && !wants_write) {
                co_return ReadOutcome{0, Io::reset};
            }
            io = wants_write ? co_await wait_writable() : co_await fill();
            if (io == Io::eof) {
                continue;  // OpenSSL tells a clean end from a cut one
            }
        }
        if (io != Io::ok) {
            co_return ReadOutcome{0, io};
        }
    }
}

ReadOutcome Transport::try_read(char* out, std::size_t room) {
    if (closed_) {
        return {0, Io::closed};
    }
    if (!ssl_) {
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
        if (tls_broken_) {
            return {0, Io::reset};
        }
        ERR_clear_error();
        std::size_t count = 0;
        bool wants_write = false;
        const int result = SSL_read_ex(ssl_.get(), out, room, &count);
        if (result == 1) {
            return {count, Io::ok};
        }
        Io io = tls_result(result, wants_write, tls_broken_);
        if (io != Io::blocked || wants_write) {
            return {0, io};
        }
        if (cipher_eof_) {
            return {0, Io::reset};
        }
        io = try_fill();
        if (io != Io::ok && io != Io::eof) {
            return {0, io};
        }
    }
}

Io Transport::try_write(Gather& gather) {
    if (closed_) {
        return Io::closed;
    }
    return ssl_ ? try_write_tls(gather) : try_write_plain(gather);
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

/// Pieces are joined to records of up to 16 KiB; longer ones are encrypted from where they lie.
Io Transport::try_write_tls(Gather& gather) {
    for (;;) {
        if (tls_broken_ || send_broken_) {
            return Io::reset;
        }
        std::string_view next = std::string_view{record_}.substr(record_sent_);
        bool direct = false;
        if (next.empty()) {
            record_.clear();
            record_sent_ = 0;
            if (gather.done()) {
                return Io::ok;
            }
            if (gather.front().size() >= record_room) {
                direct = true;
                next = gather.front().substr(0, record_room);
            } else {
                while (!gather.done() && record_.size() < record_room) {
                    const auto piece = gather.front().substr(0, record_room - record_.size());
                    record_ += piece;
                    gather.advance(piece.size());
                }
                next = record_;
            }
        }
        ERR_clear_error();
        std::size_t count = 0;
        bool wants_write = false;
        const int result = SSL_write_ex(ssl_.get(), next.data(), next.size(), &count);
        if (result != 1) {
            // Without renegotiation a write never waits for bytes to come in.
            return tls_result(result, wants_write, send_broken_);
        }
        if (direct) {
            gather.advance(count);
        } else {
            record_sent_ += count;
        }
    }
}

asio::awaitable<Io> Transport::wait_readable() {
    if (closed_) {
        co_return Io::closed;
    }
    if (expired_) {
        co_return Io::timeout;
    }
    boost::system::error_code error;
    {
        const Waiting waiting{*this};
        co_await socket_.async_wait(Socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
    }
    co_return judge(error);
}

asio::awaitable<Io> Transport::wait_writable() {
    if (closed_) {
        co_return Io::closed;
    }
    if (expired_) {
        co_return Io::timeout;
    }
    boost::system::error_code error;
    {
        const Waiting waiting{*this};
        co_await socket_.async_wait(Socket::wait_write, asio::redirect_error(asio::use_awaitable, error));
    }
    co_return judge(error);
}

asio::awaitable<Io> Transport::wait_either() {
    if (closed_) {
        co_return Io::closed;
    }
    if (expired_) {
        co_return Io::timeout;
    }
    boost::system::error_code error;
    {
        const Waiting waiting{*this};
        auto group = asio::experimental::make_parallel_group(socket_.async_wait(Socket::wait_write, asio::deferred),
                                                             socket_.async_wait(Socket::wait_read, asio::deferred));
        auto [order, write_error, read_error] =
            co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
        error = order.front() == 0 ? write_error : read_error;
    }
    co_return judge(error);
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
        // Asked after the queue, which is empty too once a reset has thrown it away.
        if (is_reset()) {
            send_broken_ = true;
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
        const Waiting waiting{*this};
        timer.expires_at(now + pause);
        co_await timer.async_wait(asio::use_awaitable);
        pause = std::min<Clock::duration>(pause * 2, last_confirm_pause);
    }
}

bool Transport::is_reset() {
    pollfd entry{socket_.native_handle(), 0, 0};
    return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLERR | POLLHUP)) != 0;
}

void Transport::set_deadline(Clock::time_point when) {
    deadline_ = when;
    expired_ = false;
    if (when < timer_at_) {
        arm(when);
    }
}

void Transport::clear_deadline() {
    deadline_ = Clock::time_point::max();
    expired_ = false;
}

void Transport::arm(Clock::time_point when) {
    timer_at_ = when;
    ++timer_generation_;
    timer_.expires_at(when);
    timer_.async_wait([this, alive = std::weak_ptr<char>{alive_},
                       generation = timer_generation_](const boost::system::error_code& /*error*/) {
        if (!alive.expired()) {
            on_timer(generation);
        }
    });
}

void Transport::on_timer(std::uint64_t generation) {
    if (generation != timer_generation_ || closed_) {
        return;
    }
    timer_at_ = Clock::time_point::max();
    if (deadline_ == Clock::time_point::max()) {
        return;
    }
    if (Clock::now() < deadline_) {
        arm(deadline_);
        return;
    }
    expired_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

bool Transport::gone() {
    if (closed_) {
        return true;
    }
    // Not by reading: what the peer sent before it went may lie in front of the end.
    pollfd entry{socket_.native_handle(), POLLRDHUP, 0};
    return ::poll(&entry, 1, 0) > 0;
}

void Transport::shutdown_send() {
    if (closed_ || shut_) {
        return;
    }
    shut_ = true;
    if (ssl_ && handshake_done_ && !tls_broken_ && !send_broken_) {
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
    }
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
}

void Transport::close() {
    if (closed_) {
        return;
    }
    if (socket_.is_open() && ssl_ && handshake_done_ && !tls_broken_ && !send_broken_ && !shut_) {
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
    }
    closed_ = true;
    deadline_ = Clock::time_point::max();
    ++timer_generation_;
    timer_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

}  // namespace lihandover::http
