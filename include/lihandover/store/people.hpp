#pragma once

#include <string_view>

namespace lihandover::store {

/// Whether two identities (Reviewer::identity: `uid:1001`, `certificate:CN=Ann Example`) are certainly two people's.
/// Those of different kinds may be one person's, who comes by two doors: then the second word counts as a repeated one.
[[nodiscard]] constexpr bool are_two_people(std::string_view one, std::string_view other) {
    return one != other && one.substr(0, one.find(':')) == other.substr(0, other.find(':'));
}

}  // namespace lihandover::store
