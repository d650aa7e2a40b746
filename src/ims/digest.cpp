#include "digest.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "lihandover/base/hex.hpp"

namespace lihandover::ims {

namespace {

void expect(int success) {
    if (success != 1) {
        throw std::runtime_error("the SHA-256 of the cryptographic library does not work");
    }
}

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

// Fetched once: looking an algorithm up costs more than a short digest.
const EVP_MD* sha256() {
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    expect(algorithm != nullptr ? 1 : 0);
    return algorithm;
}

void begin(EVP_MD_CTX* context) {
    expect(context != nullptr ? EVP_DigestInit_ex2(context, sha256(), nullptr) : 0);
}

void update(EVP_MD_CTX* context, const void* bytes, std::size_t size) {
    expect(size == 0 ? 1 : EVP_DigestUpdate(context, bytes, size));
}

Digest finish(EVP_MD_CTX* context) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> whole{};
    expect(EVP_DigestFinal_ex(context, whole.data(), nullptr));
    Digest digest{};
    std::copy_n(whole.begin(), digest.size(), digest.begin());
    return digest;
}

EVP_MD_CTX* of_thread() {
    static thread_local const Context context(EVP_MD_CTX_new());
    return context.get();
}

}  // namespace

std::string text_of(const Digest& digest) {
    return base::to_hex(digest);
}

Naming::Naming(std::string_view kind) {
    begin(of_thread());
    add(kind);
}

Naming& Naming::add(std::string_view part) {
    add(std::uint64_t{part.size()});
    update(of_thread(), part.data(), part.size());
    return *this;
}

Naming& Naming::add(std::uint64_t part) {
    std::array<std::uint8_t, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(part >> (8 * i));
    }
    update(of_thread(), bytes.data(), bytes.size());
    return *this;
}

Naming& Naming::add(const model::Uuid& part) {
    update(of_thread(), part.bytes.data(), part.bytes.size());
    return *this;
}

Naming& Naming::add(const Digest& part) {
    update(of_thread(), part.data(), part.size());
    return *this;
}

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): the end of one name
Digest Naming::finish() {
    return ims::finish(of_thread());
}

ContentDigest::ContentDigest() : context_(EVP_MD_CTX_new()) {
    begin(static_cast<EVP_MD_CTX*>(context_));
}

ContentDigest::ContentDigest(ContentDigest&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}

ContentDigest& ContentDigest::operator=(ContentDigest&& other) noexcept {
    std::swap(context_, other.context_);
    return *this;
}

ContentDigest::~ContentDigest() {
    EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
}

void ContentDigest::update(std::string_view bytes) {
    ims::update(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size());
}

Digest ContentDigest::finish() {
    return ims::finish(static_cast<EVP_MD_CTX*>(context_));
}

Digest digest_of(std::string_view bytes) {
    begin(of_thread());
    update(of_thread(), bytes.data(), bytes.size());
    return finish(of_thread());
}

}  // namespace lihandover::ims
