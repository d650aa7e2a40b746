#include "secret.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>

namespace lihandover::store {

namespace {

const unsigned char* bytes_of(const void* data) {
    return static_cast<const unsigned char*>(data);
}

constexpr std::uint64_t level_mask = (std::uint64_t{1} << 53) - 1;

std::string_view as_text(const void* data, std::size_t size) {
    return {static_cast<const char*>(data), size};
}

}  // namespace

Secret::~Secret() {
    sodium_memzero(key_.data(), key_.size());
}

bool Secret::set(std::string_view bytes) {
    if (bytes.size() != key_.size()) {
        return false;
    }
    std::copy_n(bytes_of(bytes.data()), key_.size(), key_.begin());
    return true;
}

Hash128 Secret::hash(std::span<const std::string_view> parts) const {
    crypto_generichash_state state;
    Hash128 result{};
    crypto_generichash_init(&state, key_.data(), key_.size(), result.size());
    for (const std::string_view part : parts) {
        std::array<unsigned char, 8> length{};
        for (std::size_t i = 0; i < length.size(); ++i) {
            length[i] = static_cast<unsigned char>(std::uint64_t{part.size()} >> (8 * i));
        }
        crypto_generichash_update(&state, length.data(), length.size());
        crypto_generichash_update(&state, bytes_of(part.data()), part.size());
    }
    crypto_generichash_final(&state, result.data(), result.size());
    return result;
}

std::uint64_t level_of(const Secret& secret, LaneId lane, const Hash128& hash, std::uint32_t attempt) {
    const std::array<std::string_view, 4> parts = {
        "level", as_text(&lane, sizeof lane), as_text(hash.data(), hash.size()), as_text(&attempt, sizeof attempt)};
    const Hash128 level = secret.hash(parts);
    std::uint64_t number = 0;
    std::memcpy(&number, level.data(), sizeof number);
    return number & level_mask;
}

bool prepare_hashing() {
    return sodium_init() >= 0;
}

}  // namespace lihandover::store
