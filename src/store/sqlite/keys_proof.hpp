#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "key_slots.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

/// That the file of keys is the database's: `meta` holds a text sealed under one of its slots, which is never freed.
/// Nothing of that file may be written before this was looked at, since a start overwrites all keys that no row names.
class KeysProof {
  public:
    /// nullopt for a database that has none yet, of an earlier version or new.
    [[nodiscard]] static std::optional<KeysProof> read(Connection& connection);
    /// Takes a slot and writes what is sealed under it. Throws SqlFailure, then nothing was written.
    static void make(Connection& connection, KeySlots& keys);

    [[nodiscard]] std::uint32_t slot() const { return slot_; }
    /// Throws SqlFailure where the file cannot be read.
    [[nodiscard]] bool holds(const KeySlots& keys) const;

  private:
    KeysProof(std::uint32_t slot, std::string sealed) : slot_(slot), sealed_(std::move(sealed)) {}

    std::uint32_t slot_;
    std::string sealed_;
};

}  // namespace lihandover::store::sqlite
