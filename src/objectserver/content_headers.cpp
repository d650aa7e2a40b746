#include "content_headers.hpp"

#include <cstdint>

#include "lihandover/base/hex.hpp"
#include "lihandover/base/hidden.hpp"
#include "lihandover/base/utf8.hpp"
#include "lihandover/model/media_type.hpp"
#include "text.hpp"

namespace lihandover::objectserver {

namespace {

constexpr std::size_t max_name = 200;
constexpr std::size_t max_extension = 16;

/// Takes one character of WTF-8 from `text`, which is not empty. What is not a scalar value becomes U+FFFD, one for
/// each lone surrogate or stray byte.
char32_t take_character(std::string_view& text) {
    const char32_t code = base::take_character(text, base::Encoding::wtf8);
    return base::is_surrogate(code) ? base::replacement_character : code;
}

/// Characters that must not be in a name that a person sees in a list.
bool is_unfit(char32_t code) {
    if (code < 0x80) {
        return base::is_hidden(code) ||
               std::string_view{"/\\:*?\"<>|"}.find(static_cast<char>(code)) != std::string_view::npos;
    }
    const bool no_character = (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFEU) == 0xFFFEU;
    return base::is_hidden(code) || no_character;
}

/// The name made safe, as UTF-8 of at most `room` bytes.
std::string fit(std::string_view name, std::size_t room) {
    std::string out;
    while (!name.empty()) {
        const char32_t code = take_character(name);
        const std::size_t size = out.size();
        base::append_character(out, is_unfit(code) ? U'_' : code);
        if (out.size() > room) {
            out.resize(size);
            break;
        }
    }
    return out;
}

/// `.jpg`, or nothing if what follows the last dot does not look like an extension.
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
    // Some systems drop these at the end, which would make it another file.
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
        const char32_t code = take_character(name);
        out += code < 0x80 && code != '%' ? static_cast<char>(code) : '_';
    }
    return out;
}

/// RFC 8187 3.2.1: attr-char unchanged, the rest as %XX.
void append_encoded(std::string& out, std::string_view text) {
    for (const char letter : text) {
        if (is_alphanumeric(letter) || std::string_view{"!#$&+-.^_`|~"}.find(letter) != std::string_view::npos) {
            out += letter;
        } else {
            out += '%';
            base::append_hex(out, letter, base::hex_capitals);
        }
    }
}

}  // namespace

std::string content_type(std::string_view given) {
    static constexpr std::string_view unknown = "application/octet-stream";
    static constexpr std::string_view byteranges = "multipart/byteranges";
    const std::string_view text = trimmed(given);
    const bool misleading = same_text(text.substr(0, byteranges.size()), byteranges);
    return std::string{model::is_media_type(text) && !misleading ? text : unknown};
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
