#include "file_name.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "header_parameters.hpp"
#include "lihandover/base/hex.hpp"
#include "lihandover/base/utf8.hpp"
#include "lihandover/ims/multipart.hpp"
#include "text.hpp"
#include "transfer_encoding.hpp"

namespace lihandover::ims {

namespace {

/// RFC 2047 allows 75 bytes; nothing is looked for further away than this.
constexpr std::size_t longest_encoded_word = 1024;
/// Of one name; more are not joined.
constexpr std::size_t most_name_pieces = 64;

/// UTF-8 whatever it is: names are worth showing. Bytes of no known charset are most often those of Windows.
std::string to_utf8(std::string_view bytes, std::string_view charset) {
    std::string out;
    if (!text_to_utf8(bytes, charset, out)) {
        static_cast<void>(text_to_utf8(bytes, "windows-1252", out));
    }
    return out;
}

std::string without_percent_coding(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        const int byte = text[at] == '%' ? base::hex_byte(text.substr(at + 1)) : -1;
        out.push_back(byte < 0 ? text[at] : static_cast<char>(byte));
        at += byte < 0 ? 0 : 2;
    }
    return out;
}

/// Escapes of a quote or a backslash. Other backslashes are of a path, which some senders do not escape.
std::string without_quote_escapes(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\')) {
            ++at;
        }
        out.push_back(text[at]);
    }
    return out;
}

/// `charset'language'value`
struct Extended {
    std::string_view charset;
    std::string_view value;
};
std::optional<Extended> read_extended(std::string_view text) {
    const std::size_t first = text.find('\'');
    const std::size_t second = first == std::string_view::npos ? first : text.find('\'', first + 1);
    if (second == std::string_view::npos) {
        return std::nullopt;
    }
    return Extended{.charset = text.substr(0, first), .value = text.substr(second + 1)};
}

/// Cuts an encoded word, `=?charset?B?…?=` or `=?charset?Q?…?=`, off the front of `text`, which begins with `=?`.
std::optional<std::string> take_encoded_word(std::string_view& text) {
    const std::string_view near = text.substr(0, longest_encoded_word);
    const std::size_t charset_end = near.find('?', 2);
    if (charset_end == std::string_view::npos || near.size() < charset_end + 3 || near[charset_end + 2] != '?') {
        return std::nullopt;
    }
    const std::size_t begin = charset_end + 3;
    const std::size_t end = near.find("?=", begin);
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view charset = text.substr(2, charset_end - 2);
    const char kind = to_lower(text[charset_end + 1]);
    std::string words(text.substr(begin, end - begin));
    std::optional<std::string> bytes;
    if (kind == 'b') {
        bytes = from_base64(words);
    } else if (kind == 'q') {
        std::ranges::replace(words, '_', ' ');
        bytes = without_transfer_encoding(words, "quoted-printable");
    }
    if (!bytes) {
        return std::nullopt;
    }
    text.remove_prefix(end + 2);
    return to_utf8(*bytes, charset.substr(0, charset.find('*')));
}

std::string without_encoded_words(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t at = std::min(text.find("=?"), text.size());
        out.append(text.substr(0, at));
        text.remove_prefix(at);
        bool decoded = false;
        while (text.starts_with("=?")) {
            auto word = take_encoded_word(text);
            if (!word) {
                break;
            }
            decoded = true;
            out.append(*word);
            // Blanks between two of them are not part of the text.
            if (const std::string_view after = trimmed_front(text); after.starts_with("=?")) {
                text = after;
            }
        }
        if (!decoded && !text.empty()) {
            out.push_back(text.front());
            text.remove_prefix(1);
        }
    }
    return out;
}

std::string plain_name(const HeaderParameter& parameter) {
    const std::string text = parameter.quoted ? without_quote_escapes(parameter.value) : std::string(parameter.value);
    return without_encoded_words(to_utf8(text, {}));
}

struct NamePiece {
    unsigned number = 0;
    bool encoded = false;
    HeaderParameter parameter;
};

std::string joined(std::vector<NamePiece>& pieces) {
    std::ranges::stable_sort(pieces, {}, &NamePiece::number);
    std::string_view charset;
    std::string bytes;
    unsigned next = 0;
    for (const NamePiece& piece : pieces) {
        if (piece.number > next) {
            break;  // one is missing: what comes before it is all there is
        }
        if (piece.number < next) {
            continue;  // twice
        }
        std::string_view value = piece.parameter.value;
        if (piece.encoded) {
            if (const auto extended = next == 0 ? read_extended(value) : std::nullopt) {
                charset = extended->charset;
                value = extended->value;
            }
            bytes += without_percent_coding(value);
        } else {
            bytes += piece.parameter.quoted ? without_quote_escapes(value) : std::string(value);
        }
        ++next;
    }
    return to_utf8(bytes, charset);
}

/// `0`, `0*`, `12`: what follows `name*` of a piece.
std::optional<NamePiece> read_piece(std::string_view rest, const HeaderParameter& parameter) {
    const bool encoded = rest.ends_with('*');
    const auto number = read_number<unsigned>(rest.substr(0, rest.size() - (encoded ? 1 : 0)));
    return number ? std::optional(NamePiece{.number = *number, .encoded = encoded, .parameter = parameter})
                  : std::nullopt;
}

}  // namespace

std::string file_name_parameter(std::string_view parameters, std::string_view name) {
    std::string plain;
    std::string extended;
    std::vector<NamePiece> pieces;
    while (const auto parameter = take_parameter(parameters)) {
        if (!starts_with_name(parameter->name, name)) {
            continue;
        }
        const std::string_view rest = parameter->name.substr(name.size());
        if (rest.empty() && plain.empty()) {
            plain = plain_name(*parameter);
        } else if (rest == "*" && extended.empty()) {
            if (const auto value = read_extended(parameter->value)) {
                extended = to_utf8(without_percent_coding(value->value), value->charset);
            }
        } else if (rest.starts_with('*') && pieces.size() < most_name_pieces) {
            if (auto piece = read_piece(rest.substr(1), *parameter)) {
                pieces.push_back(*piece);
            }
        }
    }
    if (!extended.empty()) {
        return extended;
    }
    std::string together = joined(pieces);
    return together.empty() ? plain : together;
}

std::string file_name_of(std::string_view content_disposition) {
    return file_name_parameter(
        content_disposition.substr(std::min(content_disposition.find(';'), content_disposition.size())), "filename");
}

}  // namespace lihandover::ims
