#include "server_connection.hpp"

#include <array>

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

constexpr std::size_t max_lingered = std::size_t{1024} * 1024;

}  // namespace

void ServerConnection::cut() {
    transport_.close();
    cancel_.emit(asio::cancellation_type::terminal);
}

bool ServerConnection::is_acceptable_to(const tls::ServerContext& context) const {
    return !peer_.certificate || context.accepts(transport_.ssl());
}

asio::awaitable<void> ServerConnection::run(std::shared_ptr<ServerConnection> self) {
    const bool secured = co_await self->secure();
    if (secured) {
        co_await self->serve();
    }
    self->transport_.close();
}

asio::awaitable<bool> ServerConnection::secure() {
    if (!tls_) {
        co_return true;
    }
    ssl_st* ssl = transport_.start_tls(tls_->native(), true);
    if (ssl == nullptr) {
        ++listener_.handshake_failed;
        co_return false;
    }
    transport_.expires_after(listener_.handshake_timeout);
    const Io io = co_await transport_.handshake();
    if (io == Io::ok) {
        auto certificate = tls::peer_identity(ssl);
        // The handshake may have started before the current context applied.
        if (certificate && tls::peer_is_current(ssl) && (tls_ == listener_.tls || listener_.tls->accepts(ssl))) {
            peer_.certificate = std::move(certificate);
            co_return !listener_.let_in || listener_.let_in(*this);
        }
    }
    ++listener_.handshake_failed;
    if (io == Io::tls) {
        // The peer still has to read our alert.
        co_await linger();
    }
    co_return false;
}

asio::awaitable<void> ServerConnection::linger() {
    transport_.shutdown_send();
    transport_.expires_after(listener_.linger);
    std::array<char, 4096> passed_over{};
    std::size_t total = 0;
    while (total < max_lingered) {
        const ReadOutcome outcome = co_await transport_.read_raw(passed_over.data(), passed_over.size());
        if (outcome.io != Io::ok) {
            co_return;
        }
        total += outcome.size;
    }
}

}  // namespace lihandover::http
