#pragma once

#include <cstdint>

namespace lihandover::store::sqlite {

/// Where the key of sealed content is, as the columns `key_slot` have it.
struct KeyPlace {
    std::uint32_t slot = 0;        ///< of KeySlots
    std::uint16_t generation = 0;  ///< of Keyring; 0: the slot's key seals by itself

    [[nodiscard]] std::int64_t column() const { return std::int64_t{generation} << 32U | std::int64_t{slot}; }
    [[nodiscard]] static KeyPlace of(std::int64_t column) {
        return {static_cast<std::uint32_t>(column), static_cast<std::uint16_t>(column >> 32U)};
    }
};

}  // namespace lihandover::store::sqlite
