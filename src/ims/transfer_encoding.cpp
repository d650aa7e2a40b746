#include "transfer_encoding.hpp"

#include <array>
#include <cstdint>

#include "lihandover/base/hex.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

constexpr std::array<std::int8_t, 256> base64_values = [] {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (std::size_t value = 0; value < digits.size(); ++value) {
        values[static_cast<unsigned char>(digits[value])] = static_cast<std::int8_t>(value);
    }
    return values;
}();

std::string from_quoted_printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        // Blanks at a line's end were added on the way.
        const std::size_t end = text.find('\n');
        const std::string_view line = trimmed_back(text.substr(0, end));
        const bool crlf = end != std::string_view::npos && end > 0 && text[end - 1] == '\r';
        const bool soft = line.ends_with('=');
        for (std::size_t at = 0; at + (soft ? 1 : 0) < line.size(); ++at) {
            const int byte = line[at] == '=' ? base::hex_byte(line.substr(at + 1)) : -1;
            out.push_back(byte < 0 ? line[at] : static_cast<char>(byte));
            at += byte < 0 ? 0 : 2;
        }
        if (end == std::string_view::npos) {
            break;
        }
        if (!soft) {
            out.append(crlf ? "\r\n" : "\n");
        }
        text.remove_prefix(end + 1);
    }
    return out;
}

}  // namespace

std::optional<std::string> from_base64(std::string_view text) {
    std::string out;
    out.reserve(text.size() / 4 * 3 + 3);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        if (c == '=') {
            count = 0;  // some encode piece by piece
            continue;
        }
        if (is_space(c)) {
            continue;
        }
        const std::int8_t value = base64_values[static_cast<unsigned char>(c)];
        if (value < 0) {
            return std::nullopt;
        }
        bits = bits << 6U | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<char>(bits >> count & 0xFFU));
        }
    }
    return out;
}

std::optional<std::string> without_transfer_encoding(std::string_view body, std::string_view encoding) {
    encoding = trimmed(encoding);
    if (same_name(encoding, "base64")) {
        return from_base64(body);
    }
    if (same_name(encoding, "quoted-printable")) {
        return from_quoted_printable(body);
    }
    return std::nullopt;
}

}  // namespace lihandover::ims
