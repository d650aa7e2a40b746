#include "contents.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <span>

#include "gcm.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::store {

namespace {

constexpr std::size_t tag_size = crypto_aead_chacha20poly1305_ietf_ABYTES;
static_assert(SealKey::size == crypto_aead_chacha20poly1305_ietf_KEYBYTES);
constexpr std::size_t nonce_size = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
static_assert(seal_piece_overhead == nonce_size + crypto_aead_xchacha20poly1305_ietf_ABYTES);
static_assert(SealKey::size == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

using ChachaNonce = std::array<unsigned char, crypto_aead_chacha20poly1305_ietf_NPUBBYTES>;

std::array<unsigned char, 8> bytes_of(std::int64_t row) {
    std::array<unsigned char, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<unsigned char>(static_cast<std::uint64_t>(row) >> (8 * i));
    }
    return bytes;
}

std::string_view view_of(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::array<std::uint8_t, gcm_nonce> no_nonce{};

std::string joined(std::int64_t place, std::string_view bound) {
    std::string all(view_of(bytes_of(place)));
    all += bound;
    return all;
}

}  // namespace

std::string seal_content(const SealKey& key, std::int64_t row, std::string_view content, std::string_view bound) {
    if (key.cipher() == SealKey::Cipher::aes_256_gcm) {
        std::string sealed;
        gcm_seal(key.bytes(), no_nonce, joined(row, bound), content, sealed);
        return sealed;
    }
    std::string sealed(content.size() + tag_size, '\0');
    const ChachaNonce nonce{};
    const auto place = bytes_of(row);
    unsigned long long size = 0;
    crypto_aead_chacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(sealed.data()), &size,
                                              raw_bytes(content), content.size(), place.data(), place.size(), nullptr,
                                              nonce.data(), key.bytes().data());
    return sealed;
}

std::optional<std::string> unseal_content(const SealKey& key, std::int64_t row, std::string_view sealed,
                                          std::string_view bound) {
    if (key.cipher() == SealKey::Cipher::aes_256_gcm) {
        return gcm_unseal(key.bytes(), no_nonce, joined(row, bound), sealed);
    }
    if (sealed.size() < tag_size) {
        return std::nullopt;
    }
    std::string content(sealed.size() - tag_size, '\0');
    const ChachaNonce nonce{};
    const auto place = bytes_of(row);
    unsigned long long size = 0;
    if (crypto_aead_chacha20poly1305_ietf_decrypt(reinterpret_cast<unsigned char*>(content.data()), &size, nullptr,
                                                  raw_bytes(sealed), sealed.size(), place.data(), place.size(),
                                                  nonce.data(), key.bytes().data()) != 0) {
        return std::nullopt;
    }
    return content;
}

std::string seal_piece(const SealKey& key, std::int64_t place, std::string_view content, std::string_view bound) {
    if (key.cipher() == SealKey::Cipher::aes_256_gcm) {
        std::array<std::uint8_t, gcm_nonce> nonce{};
        model::random_bytes(nonce.data(), nonce.size());
        std::string sealed(view_of(nonce));
        gcm_seal(key.bytes(), nonce, joined(place, bound), content, sealed);
        return sealed;
    }
    std::string sealed(nonce_size + content.size() + tag_size, '\0');
    auto* const nonce = reinterpret_cast<unsigned char*>(sealed.data());
    model::random_bytes(nonce, nonce_size);
    const auto number = bytes_of(place);
    unsigned long long size = 0;
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + nonce_size, &size, raw_bytes(content), content.size(),
                                               number.data(), number.size(), nullptr, nonce, key.bytes().data());
    return sealed;
}

std::optional<std::string> unseal_piece(const SealKey& key, std::int64_t place, std::string_view sealed,
                                        std::string_view bound) {
    if (key.cipher() == SealKey::Cipher::aes_256_gcm) {
        std::array<std::uint8_t, gcm_nonce> nonce{};
        if (sealed.size() < nonce.size()) {
            return std::nullopt;
        }
        std::copy_n(raw_bytes(sealed), nonce.size(), nonce.begin());
        return gcm_unseal(key.bytes(), nonce, joined(place, bound), sealed.substr(nonce.size()));
    }
    if (sealed.size() < nonce_size + tag_size) {
        return std::nullopt;
    }
    std::string content(sealed.size() - nonce_size - tag_size, '\0');
    const auto number = bytes_of(place);
    unsigned long long size = 0;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            reinterpret_cast<unsigned char*>(content.data()), &size, nullptr, raw_bytes(sealed.substr(nonce_size)),
            sealed.size() - nonce_size, number.data(), number.size(), raw_bytes(sealed), key.bytes().data()) != 0) {
        return std::nullopt;
    }
    return content;
}

std::string bound_of_item(std::int64_t lane, std::string_view object_id, bool held) {
    std::string bound = held ? "held" : "item";
    bound += view_of(bytes_of(lane));
    bound += object_id;
    return bound;
}

std::string bound_of_copy(std::int64_t source) {
    return "copy" + std::string(view_of(bytes_of(source)));
}

}  // namespace lihandover::store
