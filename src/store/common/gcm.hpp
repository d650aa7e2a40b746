#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lihandover::store {

// AES-256-GCM of whole texts, each with a tag of 16 bytes behind it. What fails in sealing is memory, which ends the
// program as elsewhere.

inline constexpr std::size_t gcm_key = 32;
inline constexpr std::size_t gcm_nonce = 12;
inline constexpr std::size_t gcm_tag = 16;

using GcmNonce = std::array<std::uint8_t, gcm_nonce>;

[[nodiscard]] inline const unsigned char* raw_bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// Appends the sealed text to `out`. One key seals once with one nonce.
void gcm_seal(std::span<const std::uint8_t, gcm_key> key, std::span<const std::uint8_t, gcm_nonce> nonce,
              std::string_view bound, std::string_view plain, std::string& out);
/// nullopt where it is not authentic.
[[nodiscard]] std::optional<std::string> gcm_unseal(std::span<const std::uint8_t, gcm_key> key,
                                                    std::span<const std::uint8_t, gcm_nonce> nonce,
                                                    std::string_view bound, std::string_view sealed);

}  // namespace lihandover::store
