#include "client_gate.hpp"

namespace lihandover::app {

bool ClientGate::lets_through(const http::Peer& peer) const {
    if (allowed_.empty() || !peer.certificate) {
        return allowed_.empty();
    }
    return allowed_.contains(peer.certificate->certificate_sha256) ||
           allowed_.contains("spki:" + peer.certificate->spki_sha256);
}

boost::asio::awaitable<void> ClientGate::handle(http::Exchange& exchange) {
    if (lets_through(exchange.peer())) {
        co_await inner_.handle(exchange);
        co_return;
    }
    http::Response response;
    response.status = 403;
    response.close = true;
    co_await exchange.respond(std::move(response));
}

}  // namespace lihandover::app
