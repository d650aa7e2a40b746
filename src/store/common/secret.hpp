#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// The store's key for hashes (BLAKE2b), drawn once when the store was made. Thread-safe after set().
class Secret {
  public:
    static constexpr std::size_t size = 32;

    Secret() = default;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    Secret(Secret&&) = delete;
    Secret& operator=(Secret&&) = delete;
    ~Secret();

    /// False when `bytes` is not a key.
    [[nodiscard]] bool set(std::string_view bytes);
    /// Of the parts, each with its length in front.
    [[nodiscard]] Hash128 hash(std::span<const std::string_view> parts) const;

  private:
    std::array<unsigned char, size> key_{};
};

/// The applicationLevelID of a conversation: 53 bits. The number of the attempt keeps a lane's conversations apart when
/// two hashes agree in them.
[[nodiscard]] std::uint64_t level_of(const Secret& secret, LaneId lane, const Hash128& hash, std::uint32_t attempt);

/// Makes the library ready; false when the system has no source of random numbers.
[[nodiscard]] bool prepare_hashing();

}  // namespace lihandover::store
