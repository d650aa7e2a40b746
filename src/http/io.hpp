#pragma once

#include <cstddef>
#include <cstdint>

namespace lihandover::http {

/// How a step on the network ended.
enum class Io : std::uint8_t {
    ok,
    blocked,  ///< only from calls that do not wait: nothing can be done without waiting
    eof,      ///< the peer has closed, over TLS with a close_notify
    reset,    ///< it broke off: a reset, an error, over TLS an end without close_notify
    tls,      ///< TLS failed: see Transport::tls_failure()
    timeout,  ///< the deadline passed
    closed,   ///< we closed it meanwhile
};

struct ReadOutcome {
    std::size_t size = 0;
    Io io = Io::ok;
};

}  // namespace lihandover::http
