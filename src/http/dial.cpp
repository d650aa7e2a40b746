#include "dial.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

Failure failure(Phase phase, FailureKind kind, std::string message) {
    Failure failure;
    failure.phase = phase;
    failure.kind = kind;
    failure.message = std::move(message);
    return failure;
}

Failure failure(const Transport& transport, Phase phase, Io io) {
    switch (io) {
        case Io::timeout:
            return failure(phase, FailureKind::timeout, "the deadline passed");
        case Io::closed:
            return failure(phase, FailureKind::cancelled, "closed by us");
        case Io::tls: {
            const auto& explained = transport.tls_failure();
            return failure(phase, explained.certificate ? FailureKind::certificate : FailureKind::handshake,
                           explained.sentence);
        }
        default:
            break;
    }
    if (phase == Phase::handshake) {
        return failure(phase, FailureKind::handshake, "the peer closed the connection during the TLS handshake");
    }
    return failure(phase, FailureKind::connect, "nobody there");
}

asio::awaitable<std::optional<Failure>> secure(Transport& transport, const Route& route) {
    ssl_st* ssl = transport.start_tls(route.context->native(), false);
    if (ssl == nullptr || !route.context->prepare(ssl, route.host, route.port)) {
        co_return failure(Phase::handshake, FailureKind::handshake, "TLS cannot be set up for this host name");
    }
    transport.expires_after(route.handshake_timeout);
    const Io io = co_await transport.handshake();
    if (io != Io::ok) {
        co_return failure(transport, Phase::handshake, io);
    }
    if (!tls::peer_certificate_current(ssl)) {
        co_return failure(Phase::handshake, FailureKind::certificate,
                          "the peer's certificate is not within its validity");
    }
    co_return std::nullopt;
}

}  // namespace

asio::awaitable<std::optional<Failure>> dial(std::shared_ptr<Transport> transport, std::shared_ptr<const Route> route,
                                             Endpoint address) {
    transport->expires_after(route->connect_timeout);
    const Io io = co_await transport->connect(address, route->local_address);
    if (io != Io::ok) {
        co_return failure(*transport, Phase::connect, io);
    }
    if (route->tcp) {
        const int on = 1;
        setsockopt(transport->native(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (route->context) {
        auto failed = co_await secure(*transport, *route);
        if (failed) {
            co_return failed;
        }
    }
    transport->clear_deadline();
    co_return std::nullopt;
}

}  // namespace lihandover::http
