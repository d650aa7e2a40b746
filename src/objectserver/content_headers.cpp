#include "content_headers.hpp"

#include <cstdint>

#include "text.hpp"

namespace lihandover::objectserver {

namespace {

constexpr std::size_t max_type = 255;
constexpr std::size_t max_name = 200;
constexpr std::size_t max_extension = 16;
constexpr std::uint32_t replacement = 0xFFFD;

constexpr bool is_token_character(char letter) {
    return is_alphanumeric(letter) || std::string_view{"!#$%&'*+-.^_`|~"}.find(letter) != std::string_view::npos;
}

std::string_view take_token(std::string_view& text) {
    std::size_t size = 0;
    while (size < text.size() && is_token_character(text[size])) {
        ++size;
    }
    const std::string_view token = text.substr(0, size);
    text.remove_prefix(size);
    return token;
}

bool take(std::string_view& text, char letter) {
    if (!text.starts_with(letter)) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

/// A quoted string of printable ASCII; what else RFC 9110 lets in there is of no use in a type.
bool take_quoted(std::string_view& text) {
    if (!take(text, '"')) {
        return false;
    }
    while (!text.empty()) {
        const char letter = text.front();
        text.remove_prefix(1);
        if (letter == '"') {
            return true;
        }
        const bool escaped = letter == '\\';
        const char meant = escaped && !text.empty() ? text.front() : letter;
        if (meant < ' ' || meant > '~') {
            return false;
        }
        if (escaped && !text.empty()) {
            text.remove_prefix(1);
        }
    }
    return false;
}

bool is_media_type(std::string_view text) {
    const bool named = !take_token(text).empty() && take(text, '/') && !take_token(text).empty();
    if (!named) {
        return false;
    }
    while (!text.empty()) {
        text = trimmed(text);
        if (!take(text, ';')) {
            return false;
        }
        text = trimmed(text);
        if (text.empty() || text.front() == ';') {
            continue;  // RFC 9110 5.6.6: parameters may be missing
        }
        if (take_token(text).empty() || !take(text, '=')) {
            return false;
        }
        if (text.starts_with('"') ? !take_quoted(text) : take_token(text).empty()) {
            return false;
        }
    }
    return true;
}

/// Takes one character of WTF-8 from `text`, which is not empty. What is no scalar value comes out as U+FFFD, one for a
/// lone surrogate or a stray byte.
std::uint32_t take_character(std::string_view& text) {
    const auto byte = [&text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const std::uint32_t first = byte(0);
    std::size_t length = 1;
    std::uint32_t code = first;
    std::uint32_t least = 0;
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
        code = first & 0x1FU;
        least = 0x80;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
        code = first & 0x0FU;
        least = 0x800;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
        code = first & 0x07U;
        least = 0x10000;
    } else if (first >= 0x80) {
        text.remove_prefix(1);
        return replacement;
    }
    bool whole = length <= text.size();
    for (std::size_t index = 1; whole && index < length; ++index) {
        whole = (byte(index) & 0xC0U) == 0x80U;
        code = code << 6U | (byte(index) & 0x3FU);
    }
    if (!whole || code < least || code > 0x10FFFF) {
        text.remove_prefix(1);
        return replacement;
    }
    text.remove_prefix(length);
    return code >= 0xD800 && code <= 0xDFFF ? replacement : code;
}

void append_utf8(std::string& out, std::uint32_t code) {
    const auto add = [&out](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (code < 0x80) {
        add(code);
    } else if (code < 0x800) {
        add(0xC0U | code >> 6U);
        add(0x80U | (code & 0x3FU));
    } else if (code < 0x10000) {
        add(0xE0U | code >> 12U);
        add(0x80U | (code >> 6U & 0x3FU));
        add(0x80U | (code & 0x3FU));
    } else {
        add(0xF0U | code >> 18U);
        add(0x80U | (code >> 12U & 0x3FU));
        add(0x80U | (code >> 6U & 0x3FU));
        add(0x80U | (code & 0x3FU));
    }
}

constexpr bool within(std::uint32_t code, std::uint32_t first, std::uint32_t last) {
    return code >= first && code <= last;
}

/// Not to be in the name of a file that a person sees in a list.
bool is_unfit(std::uint32_t code) {
    if (code < 0x80) {
        return code < 0x20 || code == 0x7F ||
               std::string_view{"/\\:*?\"<>|"}.find(static_cast<char>(code)) != std::string_view::npos;
    }
    return within(code, 0x80, 0x9F) || code == 0xAD || code == 0x61C || code == 0x180E ||  // controls, invisible
           within(code, 0x200B, 0x200F) || within(code, 0x2028, 0x202E) ||                 // widths, lines, directions
           within(code, 0x2060, 0x206F) || within(code, 0xFDD0, 0xFDEF) || code == 0xFEFF ||
           within(code, 0xFFF9, 0xFFFB) || (code & 0xFFFEU) == 0xFFFEU ||  // annotations, noncharacters
           within(code, 0xE0000, 0xE0FFF);                                 // tags
}

/// The name made fit, as UTF-8 of at most `room` bytes.
std::string fit(std::string_view name, std::size_t room) {
    std::string out;
    while (!name.empty()) {
        const std::uint32_t code = take_character(name);
        const std::size_t size = out.size();
        append_utf8(out, is_unfit(code) ? std::uint32_t{'_'} : code);
        if (out.size() > room) {
            out.resize(size);
            break;
        }
    }
    return out;
}

/// `.jpg`, or nothing when what follows the last dot does not look like an extension.
std::string_view extension_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0 || name.size() - dot > max_extension || name.size() - dot < 2) {
        return {};
    }
    const std::string_view extension = name.substr(dot);
    return std::ranges::all_of(extension.substr(1), is_alphanumeric) ? extension : std::string_view{};
}

std::string fit_name(std::string_view name) {
    std::string fitting;
    if (name.size() <= max_name) {
        fitting = fit(name, max_name);
    } else {
        const std::string_view extension = extension_of(name);
        name.remove_suffix(extension.size());
        fitting = fit(name, max_name - extension.size());
        fitting += extension;
    }
    // Some systems drop these at the end, and then it is another file.
    while (fitting.ends_with('.') || fitting.ends_with(' ')) {
        fitting.pop_back();
    }
    for (std::size_t at = 0; at < fitting.size() && (fitting[at] == '.' || fitting[at] == ' '); ++at) {
        fitting[at] = '_';
    }
    return fitting;
}

/// For receivers that know only `filename`: one `_` for each character beyond ASCII, and for `%`, which some decode.
std::string fallback_of(std::string_view name) {
    std::string out;
    while (!name.empty()) {
        const std::uint32_t code = take_character(name);
        out += code < 0x80 && code != '%' ? static_cast<char>(code) : '_';
    }
    return out;
}

/// RFC 8187 3.2.1: attr-char as it is, the rest as %XX.
void append_encoded(std::string& out, std::string_view text) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    for (const char letter : text) {
        if (is_alphanumeric(letter) || std::string_view{"!#$&+-.^_`|~"}.find(letter) != std::string_view::npos) {
            out += letter;
        } else {
            const auto byte = static_cast<unsigned char>(letter);
            out += '%';
            out += digits[byte >> 4U];
            out += digits[byte & 15U];
        }
    }
}

}  // namespace

std::string content_type(std::string_view given) {
    static constexpr std::string_view unknown = "application/octet-stream";
    static constexpr std::string_view byteranges = "multipart/byteranges";
    const std::string_view text = trimmed(given);
    const bool misleading = same_text(text.substr(0, byteranges.size()), byteranges);
    return std::string{text.size() <= max_type && is_media_type(text) && !misleading ? text : unknown};
}

std::string content_disposition(std::string_view name) {
    std::string field = "attachment";
    const std::string fitting = fit_name(name);
    if (fitting.empty()) {
        return field;
    }
    const std::string fallback = fallback_of(fitting);
    field += "; filename=\"";
    field += fallback;
    field += '"';
    if (fallback != fitting) {
        field += "; filename*=UTF-8''";
        append_encoded(field, fitting);
    }
    return field;
}

}  // namespace lihandover::objectserver
