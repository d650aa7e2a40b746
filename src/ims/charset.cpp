#include <array>
#include <cstdint>
#include <optional>

#include "lihandover/base/utf8.hpp"
#include "lihandover/ims/multipart.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

// Not iconv: what messages come in is known, and its converters are files that a hardened service may not see.

/// Characters of the bytes 0x80 to 0x9F; those that windows-1252 leaves open are controls, as browsers have it.
constexpr std::array<char16_t, 32> windows_1252 = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
};

char32_t latin_1(unsigned char byte) {
    return byte;
}
char32_t latin_9(unsigned char byte) {
    switch (byte) {
        case 0xA4:
            return 0x20AC;
        case 0xA6:
            return 0x0160;
        case 0xA8:
            return 0x0161;
        case 0xB4:
            return 0x017D;
        case 0xB8:
            return 0x017E;
        case 0xBC:
            return 0x0152;
        case 0xBD:
            return 0x0153;
        case 0xBE:
            return 0x0178;
        default:
            return byte;
    }
}
char32_t windows(unsigned char byte) {
    return byte >= 0x80 && byte < 0xA0 ? windows_1252[byte - 0x80U] : byte;
}

using Single = char32_t (*)(unsigned char);
struct SingleByteCharset {
    std::string_view name;
    Single character;
};
constexpr auto single_byte_charsets = std::to_array<SingleByteCharset>({
    {"iso-8859-1", latin_1},
    {"iso_8859-1", latin_1},
    {"iso8859-1", latin_1},
    {"latin1", latin_1},
    {"iso-8859-15", latin_9},
    {"iso_8859-15", latin_9},
    {"iso8859-15", latin_9},
    {"latin-9", latin_9},
    {"windows-1252", windows},
    {"cp1252", windows},
});

bool is_utf8(std::string_view charset) {
    return charset.empty() || same_name(charset, "utf-8") || same_name(charset, "utf8") ||
           same_name(charset, "us-ascii") || same_name(charset, "ascii");
}

/// Whether the first byte of each two is the higher one; nullopt for what is not UTF-16. A mark is cut off.
std::optional<bool> is_big_endian(std::string_view charset, std::string_view& body) {
    if (same_name(charset, "utf-16be")) {
        return true;
    }
    if (same_name(charset, "utf-16le")) {
        return false;
    }
    if (!same_name(charset, "utf-16")) {
        return std::nullopt;
    }
    const bool little = body.starts_with("\xFF\xFE");
    if (little || body.starts_with("\xFE\xFF")) {
        body.remove_prefix(2);
    }
    return !little;
}

bool append_utf16(std::string_view body, bool big_endian, std::string& out) {
    if (body.size() % 2 != 0) {
        return false;
    }
    const auto unit = [body, big_endian](std::size_t at) {
        const auto first = static_cast<unsigned char>(body[at]);
        const auto second = static_cast<unsigned char>(body[at + 1]);
        return static_cast<char32_t>(big_endian ? first << 8U | second : second << 8U | first);
    };
    for (std::size_t at = 0; at < body.size(); at += 2) {
        char32_t value = unit(at);
        if (value >= 0xD800 && value < 0xDC00 && at + 4 <= body.size()) {
            const char32_t low = unit(at + 2);
            if (low >= 0xDC00 && low < 0xE000) {
                value = 0x10000 + ((value - 0xD800) << 10U) + (low - 0xDC00);
                at += 2;
            }
        }
        if (base::is_surrogate(value)) {
            return false;
        }
        base::append_character(out, value);
    }
    return true;
}

}  // namespace

bool text_to_utf8(std::string_view body, std::string_view charset, std::string& out) {
    out.clear();
    if (is_utf8(charset)) {
        if (!base::is_encoded(body)) {
            return false;
        }
        out = body;
        return true;
    }
    for (const SingleByteCharset& each : single_byte_charsets) {
        if (same_name(each.name, charset)) {
            out.reserve(body.size());
            for (const char byte : body) {
                base::append_character(out, each.character(static_cast<unsigned char>(byte)));
            }
            return true;
        }
    }
    const auto big_endian = is_big_endian(charset, body);
    if (big_endian && append_utf16(body, *big_endian, out)) {
        return true;
    }
    out.clear();
    return false;
}

}  // namespace lihandover::ims
