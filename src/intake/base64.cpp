#include "base64.hpp"

#include <algorithm>

namespace lihandover::intake {

namespace {

constexpr std::array<std::uint8_t, 256> make_values() {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<std::uint8_t, 256> values{};
    for (std::size_t i = 0; i < digits.size(); ++i) {
        values.at(static_cast<unsigned char>(digits[i])) = static_cast<std::uint8_t>(i);
    }
    return values;  // padding counts as zero
}
constexpr auto values = make_values();

std::uint32_t value(char digit) {
    return values[static_cast<unsigned char>(digit)];
}

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const char lower = static_cast<char>(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::size_t base64_size(std::string_view text) {
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    return text.size() / 4 * 3 - padding;
}

std::span<const char> Base64Reader::next() {
    const std::string_view piece = rest_.substr(0, octets_.size() / 3 * 4);
    rest_.remove_prefix(piece.size());
    char* out = octets_.data();
    for (std::size_t at = 0; at + 4 <= piece.size(); at += 4, out += 3) {
        const std::uint32_t group =
            value(piece[at]) << 18 | value(piece[at + 1]) << 12 | value(piece[at + 2]) << 6 | value(piece[at + 3]);
        out[0] = static_cast<char>(group >> 16);
        out[1] = static_cast<char>(group >> 8 & 0xFF);
        out[2] = static_cast<char>(group & 0xFF);
    }
    return std::span(octets_).first(base64_size(piece));
}

std::optional<model::Sha256> parse_sha256(std::string_view hex) {
    model::Sha256 digest{};
    if (hex.size() != 2 * digest.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < digest.size(); ++i) {
        const int high = hex_value(hex[2 * i]);
        const int low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        digest.at(i) = static_cast<std::uint8_t>(high << 4 | low);
    }
    return digest;
}

}  // namespace lihandover::intake
