#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// What a file of encryption.key_files holds: 32 random bytes, written as 64 hex digits. The store's own keys are
/// wrapped by it. Copies are wiped when they go.
class MasterKey {
  public:
    static constexpr std::size_t size = 32;

    explicit MasterKey(std::span<const std::uint8_t, size> bytes);
    MasterKey(const MasterKey&) = default;
    MasterKey& operator=(const MasterKey&) = default;
    MasterKey(MasterKey&&) = default;
    MasterKey& operator=(MasterKey&&) = default;
    ~MasterKey();

    /// The error names the file, and what is wrong with it.
    [[nodiscard]] static model::Result<MasterKey> read(const std::string& path);

    [[nodiscard]] std::span<const std::uint8_t, size> bytes() const { return bytes_; }
    /// What people and records call it: sixteen hex digits that follow from the key and do not tell it.
    [[nodiscard]] const std::string& id() const { return id_; }

  private:
    std::array<std::uint8_t, size> bytes_{};
    std::string id_;
};

struct SealingStatus {
    bool on = false;
    std::string key;     ///< the id of the master key that wraps the store's keys
    std::string newest;  ///< that of the first one given; another one: rekey() is due
    /// What was sealed before is being sealed anew, or for the first time.
    bool working = false;
    std::size_t part = 0;  ///< of `parts`, the one that it is at
    std::size_t parts = 0;
    unsigned percent = 0;  ///< of all, about
    /// Pages with what was deleted before encryption was turned on may still be in the files.
    bool remains = false;
    std::uint64_t unreadable = 0;  ///< how often a record was not what was sealed, since the start
};

/// Encryption at rest (TS 103 707 clause 7; encryption.key_files): content and identifiers in the store, with keys that
/// are not in it. Thread-safe.
class Sealing {
  public:
    virtual ~Sealing() = default;

    [[nodiscard]] virtual SealingStatus status() const = 0;
    /// The master keys from now on: the first one seals with the next rekey(), all of them open. Changes nothing on the
    /// disk. An error where the store cannot be opened with them, or is not encrypted: then those from before stay.
    [[nodiscard]] virtual model::Status use(std::vector<MasterKey> keys) = 0;
    /// Draws a new key of the store, wraps it and those before it by the first master key, on record, and begins to
    /// seal everything anew. `done` is told once that has begun; failed also where the store is not encrypted. While
    /// one runs, another begins it anew.
    virtual void rekey(std::string who, Done done) = 0;

    /// For files of others beside the store: their bytes, sealed, or as they are where the store is not encrypted.
    ///   name  of the file; bytes of one are not taken for those of another
    [[nodiscard]] virtual std::string seal(std::string_view name, std::string_view bytes) const = 0;
    /// nullopt where they are not authentic.
    [[nodiscard]] virtual std::optional<std::string> unseal(std::string_view name, std::string_view bytes) const = 0;
};

}  // namespace lihandover::store
