#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "key_slots.hpp"

namespace lihandover::store::sqlite {

/// What an item's document says of a binary object, as the object's row keeps it: sealed under the key that goes with
/// the object's bytes.
struct ObjectDetails {
    std::string url;
    std::string content_type;
    std::string filename;
    std::string csp_identifier;
};

/// For the row of that number.
[[nodiscard]] std::string seal_details(const SealKey& key, std::int64_t object, const ObjectDetails& details);
/// nullopt where the key is not theirs.
[[nodiscard]] std::optional<ObjectDetails> unseal_details(const SealKey& key, std::int64_t object,
                                                          std::string_view sealed);

}  // namespace lihandover::store::sqlite
