#pragma once

#include <boost/asio/awaitable.hpp>
#include <set>
#include <string>
#include <vector>

#include "lihandover/http/server.hpp"

namespace lihandover::app {

/// Lets only the named clients of a TLS listener through to its handler (option `tls.clients`). Everybody else with a
/// certificate of the CA gets 403 before anything of the request is read. Used on the server's thread.
class ClientGate final : public http::Handler {
  public:
    explicit ClientGate(http::Handler& inner) : inner_(inner) {}

    /// SHA-256 of certificates, or of public keys after `spki:`; empty: everybody with a certificate of the CA.
    void allow(const std::vector<std::string>& clients) { allowed_ = {clients.begin(), clients.end()}; }

    [[nodiscard]] boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

  private:
    [[nodiscard]] bool lets_through(const http::Peer& peer) const;

    http::Handler& inner_;
    std::set<std::string> allowed_;
};

}  // namespace lihandover::app
