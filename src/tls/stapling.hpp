#pragma once

#include <openssl/ssl.h>

namespace lihandover::tls {

/// Has a client ask servers for the OCSP response on their certificate (RFC 6066), and ends the handshake where it says
/// that the certificate is revoked or not known, where it is not a response of the issuer's on that certificate, and,
/// if the certificate demands one (RFC 7633), where there is none that is up to date.
[[nodiscard]] bool ask_for_status(SSL_CTX* context);

}  // namespace lihandover::tls
