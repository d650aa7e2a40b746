#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "contents.hpp"
#include "lihandover/model/item.hpp"

namespace lihandover::store {

/// What an item's document says of a binary object, as the object's row keeps it: sealed under the key that goes with
/// the object's bytes.
struct ObjectDetails {
    std::string url;
    std::string content_type;
    std::string filename;
    std::string csp_identifier;
};

/// For the row of that number; `bound` as bound_of_item() has it.
[[nodiscard]] std::string seal_details(const SealKey& key, std::int64_t object, const ObjectDetails& details,
                                       std::string_view bound);
/// nullopt where the key is not theirs.
[[nodiscard]] std::optional<ObjectDetails> unseal_details(const SealKey& key, std::int64_t object,
                                                          std::string_view sealed, std::string_view bound);

/// What an object's row has of the SHA-256 of its bytes: sealed where the store is encrypted, since it tells of a known
/// file that somebody got it.
[[nodiscard]] std::string seal_sha256(const SealKey& key, const model::Sha256& sha256);
/// nullopt where it is not authentic.
[[nodiscard]] std::optional<model::Sha256> unseal_sha256(const SealKey& key, std::string_view stored);

}  // namespace lihandover::store
