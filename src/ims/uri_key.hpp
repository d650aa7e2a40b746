#pragma once

#include <string>
#include <string_view>

namespace lihandover::ims {

// By what URIs of users and of conferences are found again. Parameters, headers and default ports are left out, and
// `sips` is `sip`: a Contact, a roster and a To write the same URI with and without them.

/// A URI that a user goes by: equal for two that name the same one as identifiers compare. A number where it is one.
[[nodiscard]] std::string user_key(std::string_view uri);
/// The URI in its one spelling: what a conference is called by, whichever way it was written. Two numbers at two hosts
/// are two conferences.
[[nodiscard]] std::string plain_uri(std::string_view uri);

/// The user part; empty where there is none.
[[nodiscard]] std::string_view user_of(std::string_view uri);

}  // namespace lihandover::ims
