#include "unicode.hpp"

#include <idn2.h>
#include <unicase.h>
#include <uninorm.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "lihandover/base/utf8.hpp"

namespace lihandover::model {

namespace {

const std::uint8_t* bytes_of(std::string_view text) {
    return reinterpret_cast<const std::uint8_t*>(text.data());
}

/// Appends the result of one of libunistring's functions. It writes to the buffer if that is large enough and allocates
/// otherwise.
template <typename Transform>
bool append_transformed(std::string& out, std::string_view text, Transform transform) {
    if (!base::is_encoded(text)) {
        return false;
    }
    std::array<std::uint8_t, 512> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
    std::size_t length = buffer.size();
    std::uint8_t* const result = transform(bytes_of(text), text.size(), buffer.data(), &length);
    if (result == nullptr) {
        return false;
    }
    out.append(reinterpret_cast<const char*>(result), length);
    if (result != buffer.data()) {
        std::free(result);  // NOLINT(cppcoreguidelines-no-malloc): libunistring allocated it so
    }
    return true;
}

}  // namespace

bool is_nfc_already(std::string_view text) {
    // Nothing below U+0300, whose UTF-8 begins with 0xCC, is changed by NFC.
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0xCC; });
}

bool append_nfc(std::string& out, std::string_view text) {
    return append_transformed(out, text, [](const auto* from, std::size_t size, auto* buffer, std::size_t* length) {
        return u8_normalize(UNINORM_NFC, from, size, buffer, length);
    });
}

bool append_lower_nfc(std::string& out, std::string_view text) {
    return append_transformed(out, text, [](const auto* from, std::size_t size, auto* buffer, std::size_t* length) {
        return u8_tolower(from, size, nullptr, UNINORM_NFC, buffer, length);
    });
}

bool append_a_labels(std::string& out, std::string_view domain) {
    if (domain.find('\0') != std::string_view::npos || !base::is_encoded(domain)) {
        return false;
    }
    std::uint8_t* labels = nullptr;
    const std::string terminated(domain);
    if (idn2_lookup_u8(bytes_of(terminated), &labels, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK) {
        return false;
    }
    out.append(reinterpret_cast<const char*>(labels));
    idn2_free(labels);
    return true;
}

std::size_t blank_length(std::string_view text) {
    const auto [value, size] = base::first_character(text);
    const bool blank = value == ' ' || (value >= '\t' && value <= '\r') || value == 0xA0 || value == 0x1680 ||
                       (value >= 0x2000 && value <= 0x200F) || (value >= 0x2028 && value <= 0x202F) ||
                       (value >= 0x205F && value <= 0x2064) || (value >= 0x2066 && value <= 0x2069) ||
                       value == 0x3000 || value == 0xFEFF;
    return blank ? size : 0;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty()) {
        const std::size_t blank = blank_length(text);
        if (blank == 0) {
            break;
        }
        text.remove_prefix(blank);
    }
    while (!text.empty()) {
        std::size_t start = text.size() - 1;
        while (start > 0 && text.size() - start < 3 && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U) {
            --start;
        }
        if (blank_length(text.substr(start)) != text.size() - start) {
            break;
        }
        text.remove_suffix(text.size() - start);
    }
    return text;
}

}  // namespace lihandover::model
