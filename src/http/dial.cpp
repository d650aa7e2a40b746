#include "dial.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <string_view>
#include <utility>

#include "answer_head.hpp"
#include "message.hpp"
#include "receive_buffer.hpp"

namespace lihandover::http {
Failure failure(Phase phase, FailureKind kind, std::string message) {
    Failure failure;
    failure.phase = phase;
    failure.kind = kind;
    failure.message = std::move(message);
    return failure;
}

namespace {

namespace asio = boost::asio;

constexpr std::size_t max_proxy_head = 8192;
constexpr unsigned max_proxy_interim = 10;

Failure failure_of(const Transport& transport, Phase phase, Io io) {
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
    switch (phase) {
        case Phase::handshake:
            // A load balancer without a server behind it, or one connection too many: it says nothing about
            // certificates.
            return failure(phase, FailureKind::closed, "the peer closed the connection during the TLS handshake");
        case Phase::proxy:
            return failure(phase, FailureKind::closed, "the proxy closed the connection instead of answering");
        default:
            return failure(phase, FailureKind::connect, "nobody there");
    }
}

Failure refused_by_proxy(unsigned status) {
    std::string message = "the proxy answered " + std::to_string(status);
    if (status == 407) {
        message += ": it wants other credentials";
    }
    return failure(Phase::proxy, FailureKind::proxy, std::move(message));
}

/// Has the proxy connect us to the server.
asio::awaitable<std::optional<Failure>> tunnel(Transport& transport, const Route& route) {
    std::string request = "CONNECT " + route.endpoint + " HTTP/1.1\r\nHost: " + route.endpoint + "\r\n";
    if (!route.proxy->authorization.empty()) {
        append_field(request, "Proxy-Authorization", route.proxy->authorization);
    }
    request += "\r\n";
    const std::array<std::string_view, 1> parts{request};
    const Io sent = co_await transport.write(parts, route.connect_timeout);
    if (sent != Io::ok) {
        co_return failure_of(transport, Phase::proxy, sent);
    }
    transport.expires_after(route.connect_timeout);
    ReceiveBuffer buffer;
    buffer.reserve(2 * max_proxy_head);
    AnswerHead answer{max_proxy_head, max_proxy_interim};
    for (;;) {
        const AnswerHead::State state = answer.parse(buffer);
        if (state == AnswerHead::State::final) {
            break;
        }
        if (state == AnswerHead::State::interim) {
            continue;
        }
        if (state != AnswerHead::State::partial) {
            co_return failure(Phase::proxy, FailureKind::proxy, "the proxy's answer is none of HTTP");
        }
        const auto room = buffer.room();
        const ReadOutcome outcome = co_await transport.read(room.data(), room.size());
        if (outcome.io != Io::ok) {
            co_return failure_of(transport, Phase::proxy, outcome.io);
        }
        buffer.received(outcome.size);
    }
    const unsigned status = answer.head().status;
    if (status < 200 || status > 299) {
        co_return refused_by_proxy(status);
    }
    if (!buffer.empty()) {
        co_return failure(Phase::proxy, FailureKind::proxy, "the proxy sent what nobody asked for");
    }
    co_return std::nullopt;
}

asio::awaitable<std::optional<Failure>> secure(Transport& transport, const Route& route) {
    ssl_st* ssl = transport.start_tls(route.context->native(), false);
    if (ssl == nullptr || !route.context->prepare(ssl, route.server_name, route.port)) {
        co_return failure(Phase::handshake, FailureKind::handshake, "TLS cannot be set up for this host name");
    }
    transport.expires_after(route.handshake_timeout);
    const Io io = co_await transport.handshake();
    if (io != Io::ok) {
        co_return failure_of(transport, Phase::handshake, io);
    }
    if (!tls::peer_is_current(ssl)) {
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
        co_return failure_of(*transport, Phase::connect, io);
    }
    if (route->tcp) {
        const int on = 1;
        setsockopt(transport->native(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (route->proxy) {
        auto failed = co_await tunnel(*transport, *route);
        if (failed) {
            co_return failed;
        }
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
