#pragma once

#include <string>

#include "lihandover/warrants/warrant.hpp"

namespace lihandover::warrants {

/// What a warrant orders, in one line like its file, with every key that is not at its default: `{valid_from:
/// 2026-01-01T00:00:00.000000Z, …, targets: [{msisdn: "447700900123"}], deliver: [metadata]}`. For the audit record, so
/// that it can be proved later what applied when. It names targets, so it is not for logs. ASCII control characters in
/// it are escaped.
[[nodiscard]] std::string terms_of(const Warrant& warrant);

}  // namespace lihandover::warrants
