#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "pointers.hpp"

namespace lihandover::tls {

/// Sessions to resume, a few per host and port, each at most an hour after its full handshake. Thread-safe.
class SessionCache {
  public:
    void put(const std::string& key, SessionPtr session);
    /// nullptr if there is none. A TLS 1.3 session is returned only once (RFC 8446 C.4).
    [[nodiscard]] SessionPtr take(const std::string& key);

    /// Has the sessions of `context` stored here, until forget().
    [[nodiscard]] bool serve(SSL_CTX* context);
    /// A connection that outlives the cache may still receive a ticket.
    static void forget(SSL_CTX* context);
    /// Tells under which key the session of `ssl` will be stored. After the session was set that it offers, if any.
    static void name(SSL* ssl, std::string key);

  private:
    std::mutex mutex_;
    std::map<std::string, std::vector<SessionPtr>> sessions_;  ///< the newest last
};

}  // namespace lihandover::tls
