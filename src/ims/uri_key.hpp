#pragma once

#include <string>
#include <string_view>

namespace lihandover::ims {

// By what URIs of users and of conferences are found again. Headers and default ports are left out, and `sips` is
// `sip`: a Contact, a roster and a To write the same URI with and without them.

/// A URI that a user goes by: equal for two that name the same one as identifiers compare, whatever their parameters. A
/// number where it is one.
[[nodiscard]] std::string user_key(std::string_view uri);
/// The URI in its one spelling: what a conference is called by, whichever way it was written. Parameters that only
/// say how to reach it (transport, lr, gr …) are left out, others may tell two conferences apart; and so do hosts,
/// where the user is a number.
[[nodiscard]] std::string plain_uri(std::string_view uri);

/// The user part; empty where there is none.
[[nodiscard]] std::string_view user_of(std::string_view uri);

}  // namespace lihandover::ims
