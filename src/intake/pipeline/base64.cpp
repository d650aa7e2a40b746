#include "pipeline/base64.hpp"

#include <openssl/evp.h>

namespace lihandover::intake {

std::size_t base64_size(std::string_view text) {
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    return text.size() / 4 * 3 - padding;
}

std::span<const char> Base64Reader::next() {
    const std::string_view piece = rest_.substr(0, bytes_.size() / 3 * 4);
    rest_.remove_prefix(piece.size());
    if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes_.data()),
                        reinterpret_cast<const unsigned char*>(piece.data()), static_cast<int>(piece.size())) < 0) {
        rest_ = {};
        return {};
    }
    return std::span(bytes_).first(base64_size(piece));
}

}  // namespace lihandover::intake
