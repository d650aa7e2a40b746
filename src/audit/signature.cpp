#include "lihandover/audit/signature.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstddef>
#include <limits>
#include <stdexcept>

#include "lihandover/base/free_with.hpp"

namespace lihandover::audit {

namespace {

constexpr std::size_t largest_pem = 64U << 10U;
constexpr std::size_t signature_size = 64;

using Bio = std::unique_ptr<BIO, base::FreeWith<BIO_free_all>>;
using Context = std::unique_ptr<EVP_MD_CTX, base::FreeWith<EVP_MD_CTX_free>>;

/// An encrypted key asks for its password here, and gets none: nobody is there to type one.
int no_password(char* /*out*/, int /*size*/, int /*writing*/, void* /*data*/) {
    return -1;
}

template <typename Read>
model::Result<std::shared_ptr<EVP_PKEY>> read_key(std::string_view pem, const Read& read, const char* what) {
    if (pem.size() > largest_pem) {
        return model::Error{"the file is too large for a key"};
    }
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    std::shared_ptr<EVP_PKEY> key(bio ? read(bio.get()) : nullptr, EVP_PKEY_free);
    ERR_clear_error();
    if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) {
        return model::Error{std::string("it is not ") + what + " of Ed25519 in PEM"};
    }
    return key;
}

const unsigned char* octets(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

model::Result<std::shared_ptr<const SigningKey>> SigningKey::from_pem(std::string_view pem) {
    auto key = read_key(
        pem, [](BIO* bio) { return PEM_read_bio_PrivateKey(bio, nullptr, no_password, nullptr); },
        "an unencrypted private key");
    if (!key) {
        return key.error();
    }
    return std::shared_ptr<const SigningKey>(new SigningKey(std::move(*key)));
}

std::string SigningKey::sign(std::string_view bytes) const {
    const Context context(EVP_MD_CTX_new());
    std::string signature(signature_size, '\0');
    std::size_t size = signature.size();
    if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, octets(bytes),
                       bytes.size()) != 1 ||
        size != signature.size()) {
        throw std::runtime_error("the Ed25519 of the cryptographic library does not work");
    }
    return signature;
}

std::string SigningKey::public_pem() const {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_PUBKEY(bio.get(), key_.get()) != 1) {
        throw std::runtime_error("the public key cannot be written");
    }
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

model::Result<VerifyingKey> VerifyingKey::from_pem(std::string_view pem) {
    auto key = read_key(
        pem, [](BIO* bio) { return PEM_read_bio_PUBKEY(bio, nullptr, no_password, nullptr); }, "a public key");
    if (!key) {
        return key.error();
    }
    return VerifyingKey(std::move(*key));
}

bool VerifyingKey::holds(std::string_view bytes, std::string_view signature) const {
    const Context context(EVP_MD_CTX_new());
    const bool holds =
        context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
        EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(bytes), bytes.size()) == 1;
    ERR_clear_error();
    return holds;
}

}  // namespace lihandover::audit
