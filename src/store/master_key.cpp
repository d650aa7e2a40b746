#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "lihandover/base/hex.hpp"
#include "lihandover/base/invariant.hpp"
#include "lihandover/base/key_file.hpp"
#include "lihandover/store/sealing.hpp"

namespace lihandover::store {

namespace {

constexpr std::size_t id_size = 8;

/// The digest of a key is a secret as good as the key only for who knows a key to try: these are random.
std::string id_of(std::span<const std::uint8_t> key) {
    constexpr std::string_view purpose = "lihandoverd master key id";
    std::string text(purpose);
    text.append(reinterpret_cast<const char*>(key.data()), key.size());
    std::array<std::uint8_t, 32> digest{};
    unsigned size = 0;
    const bool done = EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1;
    OPENSSL_cleanse(text.data(), text.size());
    LIHANDOVER_INVARIANT(done, "SHA-256 of memory works");
    return base::to_hex(std::span(digest).first(id_size));
}

}  // namespace

MasterKey::MasterKey(std::span<const std::uint8_t, size> bytes) : id_(id_of(bytes)) {
    std::ranges::copy(bytes, bytes_.begin());
}

MasterKey::~MasterKey() {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

model::Result<MasterKey> MasterKey::read(const std::string& path) {
    std::vector<unsigned char> bytes;
    if (const std::string objection = base::read_key_file(path, size, size, bytes); !objection.empty()) {
        return model::Error{path + ": " + objection};
    }
    MasterKey key{std::span<const std::uint8_t, size>(bytes)};
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return key;
}

}  // namespace lihandover::store
