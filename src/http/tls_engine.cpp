#include "tls_engine.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lihandover::http {
namespace {

// One TLS record of the largest size with its overhead, and a little more.
constexpr std::size_t cipher_room = std::size_t{17} * 1024;
constexpr std::size_t record_room = std::size_t{16} * 1024;

}  // namespace

void TlsEngine::SslFree::operator()(ssl_st* ssl) const {
    SSL_free(ssl);
}

const bio_method_st* TlsEngine::bio_methods() {
    static const BIO_METHOD* const methods = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lihandover socket");
        BIO_meth_set_write(made, &TlsEngine::bio_write);
        BIO_meth_set_read(made, &TlsEngine::bio_read);
        BIO_meth_set_ctrl(made, &TlsEngine::bio_control);
        return made;
    }();
    return methods;
}

int TlsEngine::bio_write(BIO* bio, const char* data, int size) {
    auto* self = static_cast<TlsEngine*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const auto count = ::send(self->descriptor_, data, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
        self->sent_ = true;
        return static_cast<int>(count);
    }
    if (errno == EAGAIN || errno == EINTR) {
        BIO_set_retry_write(bio);
    }
    return -1;
}

int TlsEngine::bio_read(BIO* bio, char* out, int size) {
    auto* self = static_cast<TlsEngine*>(BIO_get_data(bio));
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

long TlsEngine::bio_control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
    switch (command) {
        case BIO_CTRL_FLUSH:
            return 1;
        case BIO_CTRL_EOF: {
            const auto* self = static_cast<TlsEngine*>(BIO_get_data(bio));
            return self->cipher_eof_ && self->cipher_begin_ == self->cipher_end_ ? 1 : 0;
        }
        default:
            return 0;
    }
}

std::unique_ptr<TlsEngine> TlsEngine::make(ssl_ctx_st* context, bool server, int descriptor) {
    SSL* const ssl = SSL_new(context);
    BIO* const bio = ssl == nullptr ? nullptr : BIO_new(bio_methods());
    if (bio == nullptr) {
        SSL_free(ssl);
        return nullptr;
    }
    std::unique_ptr<TlsEngine> engine{new TlsEngine{ssl, descriptor}};
    BIO_set_data(bio, engine.get());
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    if (server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return engine;
}

/// The result of an OpenSSL call; notes in `broken` that no further call may follow.
TlsEngine::Step TlsEngine::step_of(int result, bool& broken) {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_NONE:
            return {};
        case SSL_ERROR_WANT_READ:
            return {cipher_eof_ ? Io::reset : Io::blocked};
        case SSL_ERROR_WANT_WRITE:
            return {Io::blocked, true};
        case SSL_ERROR_ZERO_RETURN:
            return {Io::eof};
        case SSL_ERROR_SYSCALL:
            broken = true;
            ERR_clear_error();
            return {Io::reset};
        default:
            break;
    }
    broken = true;
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return {Io::reset};
    }
    failure_ = tls::explain_failure(ssl_.get());
    return {Io::tls};
}

TlsEngine::Step TlsEngine::handshake() {
    ERR_clear_error();
    const Step step = step_of(SSL_do_handshake(ssl_.get()), broken_);
    handshake_done_ = step.io == Io::ok;
    return step;
}

TlsEngine::Step TlsEngine::read(char* out, std::size_t room) {
    if (broken_) {
        return {Io::reset};
    }
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), out, room, &count);
    return result == 1 ? Step{Io::ok, false, count} : step_of(result, broken_);
}

TlsEngine::Step TlsEngine::write(Gather& gather) {
    for (;;) {
        if (broken_ || send_broken_) {
            return {Io::reset};
        }
        std::string_view next = std::string_view{record_}.substr(record_sent_);
        bool direct = false;
        if (next.empty()) {
            explicit_bzero(record_.data(), record_.size());  // it may have been content
            record_.clear();
            record_sent_ = 0;
            if (gather.done()) {
                return {};
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
        const int result = SSL_write_ex(ssl_.get(), next.data(), next.size(), &count);
        if (result != 1) {
            // Without renegotiation a write never waits for incoming bytes.
            return step_of(result, send_broken_);
        }
        if (direct) {
            gather.advance(count);
        } else {
            record_sent_ += count;
        }
    }
}

void TlsEngine::shut_down() {
    if (handshake_done_ && !broken_ && !send_broken_) {
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
    }
}

std::span<char> TlsEngine::room() {
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
    return {cipher_.data() + cipher_end_, cipher_.size() - cipher_end_};
}

Io TlsEngine::try_receive() {
    if (cipher_eof_) {
        return Io::eof;
    }
    const auto free = room();
    if (free.empty()) {
        return Io::ok;
    }
    const auto count = ::recv(descriptor_, free.data(), free.size(), MSG_DONTWAIT);
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

void TlsEngine::release_memory() {
    if (cipher_begin_ == cipher_end_) {
        cipher_begin_ = cipher_end_ = 0;
        std::vector<char>{}.swap(cipher_);
    }
    if (record_sent_ == record_.size()) {
        record_sent_ = 0;
        std::string{}.swap(record_);
    }
}

}  // namespace lihandover::http
