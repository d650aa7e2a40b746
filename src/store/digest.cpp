#include "lihandover/store/digest.hpp"

#include <openssl/evp.h>

#include <stdexcept>

namespace lihandover::store {

namespace {

void expect(int success) {
    if (success != 1) {
        throw std::runtime_error("the SHA-256 of the cryptographic library does not work");
    }
}

}  // namespace

void Sha256Digest::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}

Sha256Digest::Sha256Digest() : context_(EVP_MD_CTX_new()) {
    expect(context_ != nullptr ? EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) : 0);
}

void Sha256Digest::update(std::span<const char> bytes) {
    expect(bytes.empty() ? 1 : EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

model::Sha256 Sha256Digest::finish() {
    model::Sha256 digest{};
    unsigned size = 0;
    expect(EVP_DigestFinal_ex(context_.get(), digest.data(), &size));
    return digest;
}

}  // namespace lihandover::store
