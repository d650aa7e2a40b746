#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "seal.hpp"

namespace lihandover::store {

/// Seals an item's content under a key of its own: ChaCha20-Poly1305 (RFC 8439), or AES-256-GCM where the store is
/// encrypted, with a nonce of zeros, since each key seals once. `row` is authenticated with it, and in an encrypted
/// store `bound`: what else says whose it is.
[[nodiscard]] std::string seal_content(const SealKey& key, std::int64_t row, std::string_view content,
                                       std::string_view bound);
/// nullopt where the bytes are not authentic.
[[nodiscard]] std::optional<std::string> unseal_content(const SealKey& key, std::int64_t row, std::string_view sealed,
                                                        std::string_view bound);
/// What goes with the bytes of binary objects: several pieces under one key, so each has a nonce of its own in front
/// (XChaCha20-Poly1305, 24 random bytes; or AES-256-GCM, 12). `place` is authenticated with it, and `bound` as above.
[[nodiscard]] std::string seal_piece(const SealKey& key, std::int64_t place, std::string_view content,
                                     std::string_view bound = {});
[[nodiscard]] std::optional<std::string> unseal_piece(const SealKey& key, std::int64_t place, std::string_view sealed,
                                                      std::string_view bound = {});
inline constexpr std::size_t seal_piece_overhead = 24 + 16;

/// What is bound to an item's content, and to what is said of its objects: without it, a row could be made another
/// warrant's, or one that is not held.
[[nodiscard]] std::string bound_of_item(std::int64_t lane, std::string_view object_id, bool held);
/// To a copy that a source's door keeps.
[[nodiscard]] std::string bound_of_copy(std::int64_t source);

}  // namespace lihandover::store
