#include "digest.hpp"

#include <openssl/evp.h>

#include <stdexcept>

namespace lihandover::intake {

namespace {

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

void expect(int success) {
    if (success != 1) {
        throw std::runtime_error("the SHA-256 of the cryptographic library does not work");
    }
}

}  // namespace

struct Sha256Digest::State {
    std::unique_ptr<EVP_MD_CTX, FreeContext> context{EVP_MD_CTX_new()};
};

Sha256Digest::Sha256Digest() : state_(std::make_unique<State>()) {
    expect(EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr));
}
Sha256Digest::~Sha256Digest() = default;

void Sha256Digest::update(std::span<const char> octets) {
    expect(EVP_DigestUpdate(state_->context.get(), octets.data(), octets.size()));
}

model::Sha256 Sha256Digest::finish() {
    model::Sha256 digest{};
    unsigned size = 0;
    expect(EVP_DigestFinal_ex(state_->context.get(), digest.data(), &size));
    return digest;
}

}  // namespace lihandover::intake
