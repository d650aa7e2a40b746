#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/keyring.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store::postgresql {

// The names of rows that what is sealed in them is bound to, where they are made of more than a number or a token.

/// Of what is sealed of a held item's first word: by whom is bound to how many people it needs.
[[nodiscard]] inline std::string held_name(RowId row, std::int64_t review) {
    return row_name({row_name(row), row_name(review)});
}
[[nodiscard]] inline std::string held_name(RowId row, Review review) {
    return held_name(row, static_cast<std::int64_t>(review));
}

[[nodiscard]] inline std::string name_of_revocation(std::string_view token, std::int64_t seconds, std::int64_t nanos) {
    return row_name({row_name(token), row_name(seconds), row_name(nanos)});
}

/// Of who refused a warrant, and why.
[[nodiscard]] inline std::string name_of_pending(std::string_view token, bool refused) {
    return row_name({row_name(token), row_name(std::int64_t{refused})});
}

[[nodiscard]] inline std::string name_of_approval(std::string_view token, std::uint32_t uid, std::string_view digest) {
    return row_name({row_name(token), row_name(std::int64_t{uid}), row_name(digest)});
}

}  // namespace lihandover::store::postgresql
