#include "lihandover/hi1/xml_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "lihandover/base/utf8.hpp"

namespace lihandover::hi1 {
namespace {

constexpr std::uint64_t every(std::uint64_t byte) {
    return byte * 0x0101'0101'0101'0101;
}

constexpr std::uint64_t zero_bytes(std::uint64_t word) {
    return (word - every(0x01)) & ~word & every(0x80);
}

/// Not 0 if one of eight bytes is not plain ASCII that is written unchanged. May be wrong about which one.
constexpr std::uint64_t not_plain(std::uint64_t word) {
    const std::uint64_t control = (word - every(0x20)) & ~word & every(0x80);
    const std::uint64_t angle = zero_bytes((word | every(0x02)) ^ every(0x3E));  // '<' and '>' differ in one bit
    return (word & every(0x80)) | control | angle | zero_bytes(word ^ every('&'));
}

constexpr bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '<' && c != '>' && c != '&';
}

/// How many bytes at the start of `text` are written unchanged.
std::size_t plain_prefix(std::string_view text) {
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + at, 8);
        if (not_plain(word) != 0) {
            break;
        }
    }
    while (at < text.size() && is_plain(static_cast<unsigned char>(text[at]))) {
        ++at;
    }
    return at;
}

/// What an ASCII character is written as; empty if XML cannot carry it.
std::string_view reference(char c) {
    switch (c) {
        case '<':
            return "&lt;";
        case '>':  // only needed for `]]>`, but this avoids looking back
            return "&gt;";
        case '&':
            return "&amp;";
        case '\r':  // a parser would turn it into a line feed
            return "&#13;";
        case '\n':
            return "\n";
        case '\t':
            return "\t";
        default:
            return {};
    }
}

bool only_white_space(std::string_view text) {
    return !text.empty() && static_cast<unsigned char>(text.front()) <= ' ' &&
           text.find_first_not_of(" \t\n") == std::string_view::npos;
}

/// What one replacement character replaces: a sequence in the form of UTF-8 whose character XML does not allow (a
/// surrogate, U+FFFE, U+FFFF), or a byte.
std::size_t uncarriable_length(std::string_view text) {
    return std::max<std::size_t>(1, base::first_character(text, base::Encoding::wtf8).size);
}

template <typename OnUncarriable>
bool escape(std::string& out, std::string_view text, OnUncarriable on_uncarriable) {
    if (only_white_space(text)) {
        out += text[0] == ' ' ? "&#32;" : text[0] == '\t' ? "&#9;" : "&#10;";
        out += text.substr(1);
        return true;
    }
    while (true) {
        const std::size_t plain = plain_prefix(text);
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (text.empty()) {
            return true;
        }
        std::size_t length = 1;
        if (static_cast<unsigned char>(text[0]) < 0x80) {
            const std::string_view written = reference(text[0]);
            if (written.empty() && !on_uncarriable()) {
                return false;
            }
            out += written;
        } else {
            // Text in other scripts comes in runs.
            std::size_t run = 0;
            while (run < text.size() && static_cast<unsigned char>(text[run]) >= 0x80) {
                const std::size_t character = xml_character(text.substr(run));
                if (character == 0) {
                    break;
                }
                run += character;
            }
            if (run == 0) {
                if (!on_uncarriable()) {
                    return false;
                }
                length = uncarriable_length(text);
            } else {
                out += text.substr(0, run);
                length = run;
            }
        }
        text.remove_prefix(length);
    }
}

}  // namespace

std::size_t xml_character(std::string_view text) {
    const base::Character character = base::first_character(text);
    const char32_t value = character.value;
    const bool control = value < 0x20 && value != '\t' && value != '\n' && value != '\r';
    const bool carried = !control && value != 0xFFFE && value != 0xFFFF;
    return carried ? character.size : 0;
}

bool append_escaped(std::string& out, std::string_view text) {
    const std::size_t before = out.size();
    if (!escape(out, text, [] { return false; })) {
        out.resize(before);
        return false;
    }
    return true;
}

void append_escaped_lossy(std::string& out, std::string_view text) {
    escape(out, text, [&out] {
        out += base::replacement_utf8;
        return true;
    });
}

std::string carriable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        std::size_t length = xml_character(text);
        if (length != 0) {
            out += text.substr(0, length);
        } else {
            out += base::replacement_utf8;
            length = uncarriable_length(text);
        }
        text.remove_prefix(length);
    }
    return out;
}

void append_base64(std::string& out, std::string_view bytes) {
    static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::size_t at = out.size();
    out.resize(at + (bytes.size() + 2) / 3 * 4, '=');
    const auto byte = [&](std::size_t index) { return std::uint32_t{static_cast<unsigned char>(bytes[index])}; };
    for (std::size_t index = 0; index < bytes.size(); index += 3, at += 4) {
        const std::size_t have = std::min<std::size_t>(3, bytes.size() - index);
        const std::uint32_t group =
            (byte(index) << 16) | (have > 1 ? byte(index + 1) << 8 : 0) | (have > 2 ? byte(index + 2) : 0);
        for (std::size_t digit = 0; digit <= have; ++digit) {
            out[at + digit] = digits[(group >> (18 - 6 * digit)) & 0x3F];
        }
    }
}

}  // namespace lihandover::hi1
