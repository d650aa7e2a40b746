#include "seal.hpp"

#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>

#include "gcm.hpp"

namespace lihandover::store {

namespace {

constexpr std::array<char, seal_header> header_bytes = {'L', 'I', 'H', 'O', 'S', 'E', 'A', 'L',  // magic
                                                        0,   0,   0,   1,                        // version
                                                        0,   1,   0,   0};                       // chunk size

// Header, number of the chunk, and whether it is the last.
using AdditionalData = std::array<unsigned char, seal_header + 8 + 1>;

const unsigned char* unsigned_bytes(const char* bytes) {
    return static_cast<const unsigned char*>(static_cast<const void*>(bytes));
}
unsigned char* unsigned_bytes(char* bytes) {
    return static_cast<unsigned char*>(static_cast<void*>(bytes));
}

void put_big_endian(std::uint64_t value, unsigned char* out) {
    for (unsigned i = 0; i < 8; ++i) {
        out[i] = static_cast<unsigned char>(value >> (56U - 8U * i));
    }
}

}  // namespace

std::span<const char, seal_header> seal_header_bytes() {
    return header_bytes;
}

SealKey::~SealKey() {
    sodium_memzero(bytes_.data(), bytes_.size());
}

SealKey SealKey::random() {
    SealKey key;
    // Straight from the kernel: no buffer of what was drawn in advance keeps a copy.
    randombytes_buf(key.bytes_.data(), key.bytes_.size());
    return key;
}

bool SealKey::set(std::string_view bytes) {
    if (bytes.size() != bytes_.size()) {
        return false;
    }
    std::copy_n(unsigned_bytes(bytes.data()), bytes_.size(), bytes_.begin());
    return true;
}

void FreeCipher::operator()(evp_cipher_ctx_st* context) const noexcept {
    EVP_CIPHER_CTX_free(context);  // wipes the key schedule
}

ChunkCipher::ChunkCipher(const SealKey& key, Direction direction)
    : context_(EVP_CIPHER_CTX_new()), direction_(direction) {
    if (context_ == nullptr) {
        return;
    }
    // The key once, each chunk only sets its nonce: the schedule and the powers of GCM's hash key are kept.
    if (EVP_CipherInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, key.bytes().data(), nullptr,
                          direction == Direction::seal ? 1 : 0) != 1) {
        context_.reset();
    }
}

bool ChunkCipher::begin(std::uint64_t number, bool last) {
    GcmNonce nonce{};
    put_big_endian(number, nonce.data() + 4);
    AdditionalData additional{};
    std::copy_n(unsigned_bytes(header_bytes.data()), seal_header, additional.begin());
    put_big_endian(number, additional.data() + seal_header);
    additional.back() = last ? 1 : 0;
    int size = 0;
    return EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce.data(), -1) == 1 &&
           EVP_CipherUpdate(context_.get(), nullptr, &size, additional.data(), static_cast<int>(additional.size())) ==
               1;
}

bool ChunkCipher::seal(std::uint64_t number, bool last, std::span<const char> bytes, char* out) {
    if (direction_ != Direction::seal || bytes.size() > seal_chunk || !begin(number, last)) {
        return false;
    }
    int size = 0;
    int rest = 0;
    unsigned char* sealed = unsigned_bytes(out);
    if (!bytes.empty() && EVP_CipherUpdate(context_.get(), sealed, &size, unsigned_bytes(bytes.data()),
                                           static_cast<int>(bytes.size())) != 1) {
        return false;
    }
    return EVP_CipherFinal_ex(context_.get(), sealed + size, &rest) == 1 &&
           EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, seal_tag, sealed + bytes.size()) == 1;
}

bool ChunkCipher::unseal(std::uint64_t number, bool last, std::span<const char> sealed, char* out) {
    if (direction_ != Direction::unseal || sealed.size() < seal_tag || sealed.size() > sealed_chunk) {
        return false;
    }
    const std::size_t bytes = sealed.size() - seal_tag;
    std::array<unsigned char, seal_tag> tag{};
    std::copy_n(unsigned_bytes(sealed.data()) + bytes, seal_tag, tag.begin());
    int size = 0;
    int rest = 0;
    unsigned char* plain = unsigned_bytes(out);
    // An empty output would be taken for additional data.
    std::array<unsigned char, seal_tag> nothing{};
    if (begin(number, last) &&
        (bytes == 0 ||
         EVP_CipherUpdate(context_.get(), plain, &size, unsigned_bytes(sealed.data()), static_cast<int>(bytes)) == 1) &&
        EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, seal_tag, tag.data()) == 1 &&
        EVP_CipherFinal_ex(context_.get(), bytes == 0 ? nothing.data() : plain + size, &rest) == 1) {
        return true;
    }
    if (bytes != 0) {
        sodium_memzero(out, bytes);
    }
    return false;
}

void wipe(std::span<char> bytes) {
    if (!bytes.empty()) {
        sodium_memzero(bytes.data(), bytes.size());
    }
}

}  // namespace lihandover::store
