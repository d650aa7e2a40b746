#include "connection.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "lihandover/base/descriptor.hpp"

namespace lihandover::x2x3_send {
namespace {

constexpr std::size_t record = 16384;

std::string tls_error() {
    std::array<char, 256> text{};
    const unsigned long code = ::ERR_get_error();
    ::ERR_clear_error();
    if (code == 0) {
        return "the connection ended";
    }
    ::ERR_error_string_n(code, text.data(), text.size());
    return text.data();
}

bool wait_for(int socket, short events, SteadyTime until) {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            return false;
        }
        pollfd waited{socket, events, 0};
        const int count = ::poll(&waited, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 1000)));
        if (count > 0) {
            return true;
        }
        if (count < 0 && errno != EINTR) {
            return false;
        }
    }
}

model::Result<base::Descriptor> connected_to(const addrinfo& address, SteadyTime until) {
    base::Descriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return model::Error{std::strerror(errno)};
    }
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) {
        return model::Error{std::strerror(errno)};
    }
    if (!wait_for(socket.get(), POLLOUT, until)) {
        return model::Error{"nobody answers"};
    }
    int error = 0;
    socklen_t size = sizeof error;
    (void)::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        return model::Error{std::strerror(error)};
    }
    const int on = 1;
    (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
}

model::Result<base::Descriptor> connected(const TlsOptions& options, SteadyTime until) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(options.port);
    if (const int error = ::getaddrinfo(options.host.c_str(), port.c_str(), &wanted, &found); error != 0) {
        return model::Error{options.host + ": " + ::gai_strerror(error)};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
    model::Error last{"no address"};
    for (const auto* each = found; each != nullptr; each = each->ai_next) {
        auto socket = connected_to(*each, until);
        if (socket) {
            return socket;
        }
        last = socket.error();
    }
    return model::prefixed(options.host + ":" + port + ": ", last);
}

bool shake_hands(ssl_st* ssl, int socket, SteadyTime until) {
    while (true) {
        const int done = ::SSL_connect(ssl);
        if (done == 1) {
            return true;
        }
        const int error = ::SSL_get_error(ssl, done);
        const bool writes = error == SSL_ERROR_WANT_WRITE;
        if ((error != SSL_ERROR_WANT_READ && !writes) || !wait_for(socket, writes ? POLLOUT : POLLIN, until)) {
            return false;
        }
    }
}

}  // namespace

Tls::Tls(ssl_ctx_st* context) : context_(context, &::SSL_CTX_free) {}

model::Result<Tls> Tls::load(const TlsOptions& options) {
    Tls tls(::SSL_CTX_new(::TLS_client_method()));
    ssl_ctx_st* const context = tls.native();
    if (context == nullptr) {
        return model::Error{tls_error()};
    }
    ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    (void)::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    (void)::SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (::SSL_CTX_load_verify_locations(context, options.ca.c_str(), nullptr) != 1) {
        return model::Error{options.ca + ": " + tls_error()};
    }
    // Without one, a test sees whether the receiver wants one.
    if (!options.certificate.empty() &&
        (::SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()) != 1 ||
         ::SSL_CTX_use_PrivateKey_file(context, options.private_key.c_str(), SSL_FILETYPE_PEM) != 1)) {
        return model::Error{options.certificate + ": " + tls_error()};
    }
    return tls;
}

Connection::Connection(int socket, ssl_st* ssl, const Cuts& cuts)
    : socket_(socket), ssl_(ssl), cuts_(cuts), random_(cuts.seed.value_or(0)) {}

Connection::~Connection() {
    ::SSL_free(ssl_);
    ::close(socket_);
}

model::Result<std::unique_ptr<Connection>> Connection::open(const TlsOptions& options, const Tls& tls,
                                                            const Cuts& cuts) {
    const auto until = std::chrono::steady_clock::now() + options.patience;
    auto socket = connected(options, until);
    if (!socket) {
        return socket.error();
    }
    ssl_st* const ssl = ::SSL_new(tls.native());
    if (ssl == nullptr) {
        return model::Error{tls_error()};
    }
    std::unique_ptr<Connection> connection(new Connection(socket->release(), ssl, cuts));
    const std::string& name = options.server_name.empty() ? options.host : options.server_name;
    std::array<unsigned char, 16> address{};
    const bool literal = ::inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
                         ::inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
    if (literal) {
        (void)::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), name.c_str());
    } else {
        (void)::SSL_set1_host(ssl, name.c_str());
        std::string told = name;  // the function wants to be able to write
        (void)::SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, told.data());
    }
    (void)::SSL_set_fd(ssl, connection->socket_);
    if (!shake_hands(ssl, connection->socket_, until)) {
        return model::Error{"TLS handshake: " + tls_error()};
    }
    return connection;
}

void Connection::lose(std::string why) {
    if (state_ == State::open) {
        state_ = State::lost;
        why_ = std::move(why);
    }
}

/// How much may be written before the next cut.
std::size_t Connection::next_piece() {
    std::uint64_t size = std::min<std::uint64_t>(waiting(), record);
    while (next_cut_ < cuts_.at.size() && cuts_.at[next_cut_] <= written_) {
        ++next_cut_;
    }
    if (next_cut_ < cuts_.at.size()) {
        size = std::min(size, cuts_.at[next_cut_] - written_);
    }
    if (cuts_.every != 0) {
        size = std::min(size, cuts_.every - written_ % cuts_.every);
    }
    if (cuts_.seed) {
        // As many short pieces as long ones.
        size = std::min(size, 1 + random_() % (std::uint64_t{1} << random_() % 15));
    }
    if (kill_at_) {
        size = std::min(size, *kill_at_ - std::min(*kill_at_, written_));
    }
    return static_cast<std::size_t>(size);
}

void Connection::write(SteadyTime now) {
    while (state_ == State::open && (waiting() > 0 || kill_at_ == written_) && now >= not_before_) {
        if (kill_at_ && *kill_at_ <= written_) {
            reset();
            state_ = State::killed;
            return;
        }
        piece_ = piece_ == 0 ? next_piece() : piece_;
        std::size_t done = 0;
        ::ERR_clear_error();
        const int good = ::SSL_write_ex(ssl_, waiting_.data() + begin_, piece_, &done);
        if (good != 1) {
            const int error = ::SSL_get_error(ssl_, good);
            if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) {
                lose("writing: " + tls_error());
            }
            return;
        }
        piece_ = 0;
        written_ += done;
        begin_ += done;
        if (cuts_.pause.count() > 0) {
            not_before_ = now + cuts_.pause;
        }
        if (begin_ == waiting_.size() || begin_ > std::size_t{1} << 20) {
            waiting_.erase(0, begin_);
            begin_ = 0;
        }
    }
}

std::optional<SteadyTime> Connection::due() const {
    return waiting() > 0 && not_before_ > SteadyTime() ? std::optional(not_before_) : std::nullopt;
}

void Connection::read(std::string& out) {
    std::array<char, 4096> bytes{};
    while (state_ == State::open) {
        std::size_t got = 0;
        ::ERR_clear_error();
        const int good = ::SSL_read_ex(ssl_, bytes.data(), bytes.size(), &got);
        if (good == 1) {
            out.append(bytes.data(), got);
            continue;
        }
        const int error = ::SSL_get_error(ssl_, good);
        if (error == SSL_ERROR_ZERO_RETURN) {
            lose("the receiver closed the connection");
        } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
            lose("reading: " + tls_error());
        }
        return;
    }
}

void Connection::close(std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    if (state_ != State::open) {
        return;
    }
    (void)::SSL_shutdown(ssl_);
    (void)::shutdown(socket_, SHUT_WR);
    std::array<char, 4096> bytes{};
    while (wait_for(socket_, POLLIN, until)) {
        const ssize_t got = ::recv(socket_, bytes.data(), bytes.size(), 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            return;
        }
    }
}

void Connection::reset() {
    const linger now{1, 0};
    (void)::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    // The socket's number stays taken until the object is gone; its connection ends here.
    const base::Descriptor other(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (other) {
        (void)::dup2(other.get(), socket_);
    }
}

}  // namespace lihandover::x2x3_send
