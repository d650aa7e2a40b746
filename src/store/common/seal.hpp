#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "lihandover/model/item.hpp"

struct evp_cipher_ctx_st;

namespace lihandover::store {

// The sealed form of binary objects, which docs/store.md describes byte by byte: a header, then chunks of 64 KiB,
// each encrypted and authenticated by itself, so that any range can be read without the rest. An object always has a
// last chunk: that of an empty one is empty.

inline constexpr std::size_t seal_chunk = 65'536;  ///< bytes of the object in each chunk but the last
inline constexpr std::size_t seal_tag = 16;
inline constexpr std::size_t sealed_chunk = seal_chunk + seal_tag;
inline constexpr std::size_t seal_header = 16;

/// What a sealed file begins with: magic, version, chunk size.
[[nodiscard]] std::span<const char, seal_header> seal_header_bytes();

/// How many chunks an object of `size` bytes has.
[[nodiscard]] constexpr std::uint64_t chunks_of(std::uint64_t size) {
    return size == 0 ? 1 : (size - 1) / seal_chunk + 1;
}
/// How large its file is.
[[nodiscard]] constexpr std::uint64_t sealed_size_of(std::uint64_t size) {
    return seal_header + chunks_of(size) * seal_tag + size;
}
/// The largest object whose sealed file has no more than so many bytes; 0 also where none has.
[[nodiscard]] constexpr std::uint64_t largest_sealed_in(std::uint64_t bytes) {
    if (bytes <= seal_header + seal_tag) {
        return 0;
    }
    const std::uint64_t rest = (bytes - seal_header) % sealed_chunk;
    return (bytes - seal_header) / sealed_chunk * seal_chunk + (rest > seal_tag ? rest - seal_tag : 0);
}
/// Where a chunk begins in the file.
[[nodiscard]] constexpr std::uint64_t place_of_chunk(std::uint64_t number) {
    return seal_header + number * sealed_chunk;
}
/// How many bytes of the object are in a chunk.
[[nodiscard]] constexpr std::size_t bytes_in_chunk(std::uint64_t number, std::uint64_t size) {
    return number + 1 < chunks_of(size) ? seal_chunk : static_cast<std::size_t>(size - number * seal_chunk);
}

/// The key of one file, or of what is sealed in a row. Copies are wiped when they go.
class SealKey {
  public:
    static constexpr std::size_t size = 32;
    /// What rows are sealed with under it (key_slots.hpp).
    enum class Cipher : std::uint8_t { chacha20_poly1305, aes_256_gcm };

    SealKey() = default;
    SealKey(const SealKey&) = default;
    SealKey& operator=(const SealKey&) = default;
    SealKey(SealKey&&) = default;
    SealKey& operator=(SealKey&&) = default;
    ~SealKey();

    [[nodiscard]] static SealKey random();
    /// False when `bytes` is not a key.
    [[nodiscard]] bool set(std::string_view bytes);
    [[nodiscard]] std::span<const std::uint8_t, size> bytes() const { return bytes_; }
    [[nodiscard]] Cipher cipher() const { return cipher_; }
    void set_cipher(Cipher cipher) { cipher_ = cipher; }

  private:
    std::array<std::uint8_t, size> bytes_{};
    Cipher cipher_ = Cipher::chacha20_poly1305;
};

struct FreeCipher {
    void operator()(evp_cipher_ctx_st* context) const noexcept;
};

/// AES-256-GCM over the chunks of one file, in one direction. Not thread-safe. Every function says whether it worked;
/// what does not work when sealing is the library's fault (memory), and when unsealing the file's.
class ChunkCipher {
  public:
    enum class Direction : std::uint8_t { seal, unseal };

    ChunkCipher(const SealKey& key, Direction direction);
    [[nodiscard]] bool ready() const { return context_ != nullptr; }

    /// Writes the sealed chunk, tag included: `bytes.size() + seal_tag` bytes at `out`.
    [[nodiscard]] bool seal(std::uint64_t number, bool last, std::span<const char> bytes, char* out);
    /// Writes `sealed.size() - seal_tag` bytes at `out`; they are wiped again where the chunk is not authentic.
    [[nodiscard]] bool unseal(std::uint64_t number, bool last, std::span<const char> sealed, char* out);

  private:
    [[nodiscard]] bool begin(std::uint64_t number, bool last);

    std::unique_ptr<evp_cipher_ctx_st, FreeCipher> context_;
    Direction direction_;
};

/// Overwrites what must not stay in memory.
void wipe(std::span<char> bytes);

}  // namespace lihandover::store
