#include "sip_addresses.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "header_parameters.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

bool has_scheme(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == npos || colon == 0 || to_lower(text[0]) < 'a' || to_lower(text[0]) > 'z') {
        return false;
    }
    return std::ranges::all_of(text.substr(0, colon), [](char c) {
        return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '+' || c == '-' || c == '.';
    });
}

/// Where the angle bracket before the URI is, from `at` on. A quote without its pair hides nothing.
std::size_t find_bracket(std::string_view value, std::size_t at) {
    while (at < value.size()) {
        at = value.find_first_of("<\"", at);
        if (at == npos || value[at] == '<') {
            return at;
        }
        const std::size_t end = end_of_quoted(value, at);
        if (end == npos) {
            return value.find('<', at);
        }
        at = end;
    }
    return npos;
}

/// Finds the commas between the values of a list.
class Commas {
  public:
    explicit Commas(std::string_view value) : value_(value) {}

    /// The next one from `at` on; the end of the list where there is none. Once a quote has no pair, quotes hide
    /// nothing: so no byte is looked at more than twice.
    std::size_t find(std::size_t at) {
        for (; at < value_.size(); ++at) {
            if (value_[at] == ',') {
                return at;
            }
            if (value_[at] == '<') {
                at = std::min(value_.find('>', at), value_.size() - 1);
            } else if (value_[at] == '"' && quotes_) {
                const std::size_t end = end_of_quoted(value_, at);
                quotes_ = end != npos;
                at = quotes_ ? end - 1 : at;
            }
        }
        return value_.size();
    }

  private:
    std::string_view value_;
    bool quotes_ = true;
};

std::string_view unquoted(std::string_view quoted, SipMessage& message) {
    return has_escapes(quoted) ? keep(message, without_escapes(quoted)) : quoted;
}

/// A display name that is no quoted string.
std::string_view plain_name(std::string_view text, SipMessage& message) {
    text = trimmed(text);
    if (text.find('"') == npos) {
        return text;
    }
    note_mended(message, "a quote out of place in a display name");
    const auto is_edge = [](char c) { return c == '"' || is_space(c); };
    while (!text.empty() && is_edge(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_edge(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

/// What follows the closing bracket.
std::string_view parameters_after(std::string_view rest, SipMessage& message) {
    rest = trimmed_front(rest);
    if (rest.empty() || rest.front() == ';') {
        return rest;
    }
    note_mended(message, "something between an address and its parameters");
    const std::size_t at = rest.find_first_of(";,<\"");
    return at != npos && rest[at] == ';' ? rest.substr(at) : std::string_view();
}

/// An address with brackets, of which the first is at `open`.
bool read_bracketed(std::string_view value, std::size_t open, SipMessage& message, SipAddress& out) {
    const std::size_t close = value.find('>', open);
    const std::string_view inside = value.substr(open + 1, close == npos ? npos : close - open - 1);
    out.uri = trimmed(inside);
    if (close == npos) {
        note_mended(message, "an angle bracket that is not closed");
    } else {
        out.parameters = parameters_after(value.substr(close + 1), message);
    }
    if (out.uri.size() != inside.size()) {
        note_mended(message, "blanks around a URI in angle brackets");
    }
    return !out.uri.empty();
}

/// An address without brackets: its parameters belong to the header field (RFC 3261 20).
bool read_bare(std::string_view text, SipMessage& message, SipAddress& out) {
    const std::size_t semicolon = std::min(text.find(';'), text.size());
    std::string_view words = trimmed(text.substr(0, semicolon));
    out.parameters = text.substr(semicolon);
    out.uri = take_word(words);
    if (!words.empty()) {
        note_mended(message, "an address of several words without angle brackets");
        if (!has_scheme(out.uri)) {
            // A name before the URI.
            const std::string_view all = trimmed(text.substr(0, semicolon));
            out.uri = all.substr(all.find_last_of(" \t\r\n") + 1);
            if (out.display_name.empty()) {
                out.display_name = plain_name(all.substr(0, all.size() - out.uri.size()), message);
            }
        }
    }
    if (out.uri.ends_with('>')) {
        note_mended(message, "an angle bracket that is not opened");
        out.uri = out.uri.substr(0, out.uri.find('>'));
    }
    return !out.uri.empty();
}

}  // namespace

void note_mended(SipMessage& message, std::string_view phrase) {
    if (std::ranges::find(message.mended, phrase) == message.mended.end()) {
        message.mended.push_back(phrase);
    }
}

std::string_view keep(SipMessage& message, std::string text) {
    return *message.made.emplace_back(std::make_unique<const std::string>(std::move(text)));
}

bool read_address(std::string_view value, SipMessage& message, SipAddress& out) {
    out = {};
    value = trimmed(value);
    std::size_t at = 0;
    if (value.starts_with('"')) {
        if (const std::size_t end = end_of_quoted(value, 0); end != npos) {
            out.display_name = unquoted(value.substr(1, end - 2), message);
            at = end;
        }
    }
    const std::size_t open = find_bracket(value, at);
    bool found = false;
    if (open != npos) {
        if (at == 0) {
            out.display_name = plain_name(value.substr(0, open), message);
        } else if (!trimmed(value.substr(at, open - at)).empty()) {
            note_mended(message, "words beside a quoted display name");
            out.display_name = trimmed(value.substr(0, open));
        }
        found = read_bracketed(value, open, message, out);
    } else {
        if (at != 0) {
            note_mended(message, "a display name before an address without angle brackets");
        }
        found = read_bare(trimmed(value.substr(at)), message, out);
    }
    if (found && !has_scheme(out.uri)) {
        note_mended(message, "an address without a scheme");
    }
    return found;
}

bool read_addresses(std::string_view value, SipMessage& message, std::vector<SipAddress>& out, std::size_t& left) {
    // A name in which more commas than these stand is none.
    constexpr int most_commas_in_name = 4;
    const std::size_t last_bracket = value.rfind('<');
    Commas commas(value);
    std::size_t begin = 0;
    std::size_t search = 0;
    int in_name = 0;
    while (begin < value.size()) {
        const std::size_t comma = commas.find(search);
        const std::string_view piece = trimmed(value.substr(begin, comma - begin));
        // A comma in a display name that should have been quoted: `Bell, Alexander <sip:…>`.
        if (last_bracket != npos && comma < last_bracket && in_name < most_commas_in_name && !piece.empty() &&
            piece.find_first_of("<@") == npos && !has_scheme(piece)) {
            note_mended(message, "a comma in a display name without quotes");
            search = comma + 1;
            ++in_name;
            continue;
        }
        SipAddress address;
        if (!piece.empty() && piece != "*" && read_address(piece, message, address)) {
            if (left == 0) {
                return false;
            }
            --left;
            out.push_back(address);
        }
        begin = search = comma + 1;
        in_name = 0;
    }
    return true;
}

std::string_view first_of_list(std::string_view value) {
    return value.substr(0, Commas(value).find(0));
}

std::string_view SipAddress::parameter(std::string_view name) const {
    std::string_view rest = parameters;
    while (const auto parameter = take_parameter(rest)) {
        if (same_name(parameter->name, name)) {
            return parameter->value;
        }
    }
    return {};
}

bool SipAddress::has_parameter(std::string_view name) const {
    std::string_view rest = parameters;
    while (const auto parameter = take_parameter(rest)) {
        if (same_name(parameter->name, name)) {
            return true;
        }
    }
    return false;
}

}  // namespace lihandover::ims
