#include "object_details.hpp"

#include <utility>

namespace lihandover::store::sqlite {

namespace {

constexpr std::size_t length_bytes = 4;

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

std::string seal_details(const SealKey& key, std::int64_t object, const ObjectDetails& details) {
    std::string plain;
    plain.reserve(4 * length_bytes + details.url.size() + details.content_type.size() + details.filename.size() +
                  details.csp_identifier.size());
    for (const std::string* text : {&details.url, &details.content_type, &details.filename, &details.csp_identifier}) {
        append(plain, *text);
    }
    std::string sealed = seal_piece(key, object, plain);
    wipe(plain);
    return sealed;
}

std::optional<ObjectDetails> unseal_details(const SealKey& key, std::int64_t object, std::string_view sealed) {
    auto plain = unseal_piece(key, object, sealed);
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

}  // namespace lihandover::store::sqlite
