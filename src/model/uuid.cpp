#include "lihandover/model/uuid.hpp"

#include "lihandover/base/hex.hpp"

namespace lihandover::model {

namespace {

constexpr bool hyphen_before(std::size_t byte) {
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

}  // namespace

Uuid Uuid::random() {
    Uuid uuid;
    random_bytes(uuid.bytes.data(), uuid.bytes.size());
    uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x40);
    uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
    return uuid;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != 36) {
        return std::nullopt;
    }
    Uuid uuid;
    std::size_t at = 0;
    for (std::size_t byte = 0; byte < uuid.bytes.size(); ++byte) {
        if (hyphen_before(byte) && text[at++] != '-') {
            return std::nullopt;
        }
        const int value = base::hex_byte(text.substr(at));
        if (value < 0) {
            return std::nullopt;
        }
        uuid.bytes[byte] = static_cast<std::uint8_t>(value);
        at += 2;
    }
    return uuid;
}

void Uuid::append_to(std::string& out) const {
    char text[36];
    char* at = text;
    for (std::size_t byte = 0; byte < bytes.size(); ++byte) {
        if (hyphen_before(byte)) {
            *at++ = '-';
        }
        *at++ = base::hex_digits[bytes[byte] >> 4];
        *at++ = base::hex_digits[bytes[byte] & 0x0f];
    }
    out.append(text, sizeof text);
}

std::string Uuid::to_string() const {
    std::string text;
    append_to(text);
    return text;
}

}  // namespace lihandover::model
