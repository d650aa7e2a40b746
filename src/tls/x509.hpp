#pragma once

#include <string>

#include "lihandover/model/time.hpp"
#include "pointers.hpp"

namespace lihandover::tls {

[[nodiscard]] model::Instant instant_of(const ASN1_TIME* time);
/// SHA-256 of the certificate (DER), in lower-case hex.
[[nodiscard]] std::string sha256_of_certificate(const X509* certificate);

}  // namespace lihandover::tls
