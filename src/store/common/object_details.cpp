#include "object_details.hpp"

#include <cstring>
#include <tuple>
#include <utility>

namespace lihandover::store {

namespace {

constexpr std::size_t length_bytes = 4;
constexpr std::int64_t place_of_sha256 = -4;

void append(std::string& out, std::string_view text) {
    for (std::size_t i = 0; i < length_bytes; ++i) {
        out.push_back(static_cast<char>(text.size() >> (8 * i) & 0xffU));
    }
    out += text;
}

/// False where the bytes end before.
bool take(std::string_view& in, std::string& text) {
    if (in.size() < length_bytes) {
        return false;
    }
    std::size_t size = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) {
        size |= static_cast<std::size_t>(static_cast<unsigned char>(in[i])) << (8 * i);
    }
    in.remove_prefix(length_bytes);
    if (in.size() < size) {
        return false;
    }
    text = in.substr(0, size);
    in.remove_prefix(size);
    return true;
}

}  // namespace

std::string seal_details(const SealKey& key, std::int64_t object, const ObjectDetails& details,
                         std::string_view bound) {
    std::string plain;
    plain.reserve(4 * length_bytes + details.url.size() + details.content_type.size() + details.filename.size() +
                  details.csp_identifier.size());
    for (const std::string* text : {&details.url, &details.content_type, &details.filename, &details.csp_identifier}) {
        append(plain, *text);
    }
    std::string sealed = seal_piece(key, object, plain, bound);
    wipe(plain);
    return sealed;
}

std::optional<ObjectDetails> unseal_details(const SealKey& key, std::int64_t object, std::string_view sealed,
                                            std::string_view bound) {
    auto plain = unseal_piece(key, object, sealed, bound);
    if (!plain) {
        return std::nullopt;
    }
    ObjectDetails details;
    std::string_view rest = *plain;
    const bool whole = take(rest, details.url) && take(rest, details.content_type) && take(rest, details.filename) &&
                       take(rest, details.csp_identifier);
    wipe(*plain);
    return whole ? std::optional(std::move(details)) : std::nullopt;
}

std::string seal_sha256(const SealKey& key, const model::Sha256& sha256) {
    std::string bytes(reinterpret_cast<const char*>(sha256.data()), sha256.size());
    return key.cipher() == SealKey::Cipher::aes_256_gcm ? seal_piece(key, place_of_sha256, bytes) : bytes;
}

std::optional<model::Sha256> unseal_sha256(const SealKey& key, std::string_view stored) {
    std::optional<std::string> opened;
    if (key.cipher() == SealKey::Cipher::aes_256_gcm) {
        opened = unseal_piece(key, place_of_sha256, stored);
        if (!opened) {
            return std::nullopt;
        }
        stored = *opened;
    }
    model::Sha256 sha256{};
    if (stored.size() != sha256.size()) {
        return std::nullopt;
    }
    std::memcpy(sha256.data(), stored.data(), sha256.size());
    return sha256;
}

}  // namespace lihandover::store
