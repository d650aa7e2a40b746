#pragma once

#include <openssl/ssl.h>

#include "lihandover/model/result.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::tls {

/// What the ends of a context may prove themselves with.
struct Keys {
    bool certificate = false;
    bool shared = false;
};

/// Sets versions, suites and groups. Errors: a choice that leaves one of the keys without a suite, or suites without a
/// group.
[[nodiscard]] model::Status apply_choice(SSL_CTX* context, const Choice& choice, Keys keys);

}  // namespace lihandover::tls
