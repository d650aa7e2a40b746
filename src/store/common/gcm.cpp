#include "gcm.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "seal.hpp"

namespace lihandover::store {

namespace {

/// OpenSSL takes lengths as int.
constexpr std::size_t most_at_once = std::size_t{1} << 30U;

using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

/// Looked up once: it takes as long as sealing a short text.
const EVP_CIPHER* cipher() {
    static const EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    return fetched;
}

/// With the key, the nonce and what is bound; null where that fails.
Context begin(std::span<const std::uint8_t, gcm_key> key, std::span<const std::uint8_t, gcm_nonce> nonce,
              std::string_view bound, bool seals) {
    Context context(EVP_CIPHER_CTX_new());
    int size = 0;
    if (!context ||
        EVP_CipherInit_ex2(context.get(), cipher(), key.data(), nonce.data(), seals ? 1 : 0, nullptr) != 1 ||
        (!bound.empty() &&
         EVP_CipherUpdate(context.get(), nullptr, &size, raw_bytes(bound), static_cast<int>(bound.size())) != 1)) {
        return nullptr;
    }
    return context;
}

bool update(EVP_CIPHER_CTX* context, unsigned char* out, std::string_view in) {
    while (!in.empty()) {
        const std::string_view piece = in.substr(0, most_at_once);
        int size = 0;
        if (EVP_CipherUpdate(context, out, &size, raw_bytes(piece), static_cast<int>(piece.size())) != 1) {
            return false;
        }
        out += size;
        in.remove_prefix(piece.size());
    }
    return true;
}

}  // namespace

void gcm_seal(std::span<const std::uint8_t, gcm_key> key, std::span<const std::uint8_t, gcm_nonce> nonce,
              std::string_view bound, std::string_view plain, std::string& out) {
    const std::size_t before = out.size();
    out.resize(before + plain.size() + gcm_tag);
    auto* const sealed = reinterpret_cast<unsigned char*>(out.data()) + before;
    unsigned char* const tag = sealed + plain.size();
    const Context context = begin(key, nonce, bound, true);
    int size = 0;
    if (!context || !update(context.get(), sealed, plain) || EVP_CipherFinal_ex(context.get(), tag, &size) != 1 ||
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, gcm_tag, tag) != 1) {
        throw std::bad_alloc();
    }
}

std::optional<std::string> gcm_unseal(std::span<const std::uint8_t, gcm_key> key,
                                      std::span<const std::uint8_t, gcm_nonce> nonce, std::string_view bound,
                                      std::string_view sealed) {
    if (sealed.size() < gcm_tag) {
        return std::nullopt;
    }
    std::string plain(sealed.size() - gcm_tag, '\0');
    std::array<unsigned char, gcm_tag> tag{};
    std::copy_n(raw_bytes(sealed) + plain.size(), gcm_tag, tag.begin());
    const Context context = begin(key, nonce, bound, false);
    // Nothing is written at the end: it only compares the tag.
    std::array<unsigned char, gcm_tag> rest{};
    int size = 0;
    if (!context ||
        !update(context.get(), reinterpret_cast<unsigned char*>(plain.data()), sealed.substr(0, plain.size())) ||
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, gcm_tag, tag.data()) != 1 ||
        EVP_CipherFinal_ex(context.get(), rest.data(), &size) != 1) {
        wipe(plain);
        return std::nullopt;
    }
    return plain;
}

}  // namespace lihandover::store
