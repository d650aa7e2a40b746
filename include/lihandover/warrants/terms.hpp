#pragma once

#include <string>
#include <vector>

#include "lihandover/warrants/warrant.hpp"

namespace lihandover::warrants {

/// What a warrant orders, in one line like its file, with every key that is not at its default: `{valid_from:
/// 2026-01-01T00:00:00.000000Z, …, targets: [{msisdn: "447700900123"}], deliver: [metadata]}`. For the audit record, so
/// that it can be proved later what applied when. It names targets, so it is not for logs. ASCII control characters in
/// it are escaped.
[[nodiscard]] std::string terms_of(const Warrant& warrant);

/// How the terms of a warrant differ from those of the one before it, a line for each (`targets: + {user_id: u-2}`),
/// for whoever is to approve it. Without one before: all of them. In the order of the file's keys.
[[nodiscard]] std::vector<std::string> difference_of(const Warrant* before, const Warrant& now);

}  // namespace lihandover::warrants
