#include "secret.hpp"

#include <sodium.h>

#include <algorithm>

namespace lihandover::store::sqlite {

namespace {

const unsigned char* bytes_of(const void* data) {
    return static_cast<const unsigned char*>(data);
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

bool prepare_hashing() {
    return sodium_init() >= 0;
}

}  // namespace lihandover::store::sqlite
