#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lihandover/model/result.hpp"

namespace lihandover::http {

class Answer;

/// How far a connect or an exchange had come when it failed.
enum class Phase : std::uint8_t { resolve, connect, proxy, handshake, send, await_continue, receive };

enum class FailureKind : std::uint8_t {
    dns,          ///< the name has no address
    connect,      ///< nobody there, no route
    proxy,        ///< the proxy answers, but does not connect us
    certificate,  ///< the peer's certificate is not acceptable (chain, name, validity), or ours is not to the peer
    handshake,    ///< any other TLS failure (no common version or suite, …)
    timeout,      ///< the deadline of `phase` passed
    closed,       ///< the peer closed or reset the connection, in the handshake or before a byte of an answer
    truncated,    ///< the peer closed in the middle of an answer
    malformed,    ///< the answer is no HTTP/1.x response
    too_large,    ///< the answer exceeds a bound
    source,       ///< the body source failed (exchange_expect)
    cancelled,    ///< close() or Connector::cancel() was called meanwhile
};

/// Why there is no connection, or no answer. `phase` and `kind` decide, `message` is for the log.
struct Failure {
    Phase phase = Phase::connect;
    FailureKind kind = FailureKind::connect;
    /// The connection had carried an exchange before: with `closed`, the peer most likely closed it while idle, or
    /// bytes lay on it that nobody asked for, and a fresh connection is worth an immediate try.
    bool reused = false;
    /// Nothing of the request had been given to the kernel: the peer cannot have seen it.
    bool nothing_sent = true;
    /// A sentence without content, host or URL.
    std::string message;
    /// The answer as far as it came, where its head was whole and the exchange failed in its body: the peer may have
    /// said all it had to say, and only ended the connection or counted the bytes wrongly.
    std::shared_ptr<const Answer> cut_off{};
};
[[noreturn]] void throw_exception_from_error(const Failure& failure, const boost::source_location& location);

template <typename T>
using ClientResult = boost::system::result<T, Failure>;

}  // namespace lihandover::http
