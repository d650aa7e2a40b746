#include "lihandover/model/media_type.hpp"

#include <cstddef>

namespace lihandover::model {

namespace {

constexpr std::size_t longest = 255;
constexpr std::size_t longest_name = 127;  // of type and of subtype, RFC 6838 4.2

constexpr bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr bool is_name_character(char c) {
    return is_alphanumeric(c) || std::string_view("!#$&-^_.+").find(c) != std::string_view::npos;
}

// RFC 9110 5.6.2.
constexpr bool is_token_character(char c) {
    return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

template <typename Allowed>
std::size_t run_of(std::string_view text, Allowed allowed) {
    std::size_t at = 0;
    while (at < text.size() && allowed(text[at])) {
        ++at;
    }
    return at;
}

bool take(std::string_view& rest, char c) {
    if (!rest.starts_with(c)) {
        return false;
    }
    rest.remove_prefix(1);
    return true;
}

bool take_name(std::string_view& rest) {
    const std::size_t size = run_of(rest, is_name_character);
    if (size == 0 || size > longest_name || !is_alphanumeric(rest.front())) {
        return false;
    }
    rest.remove_prefix(size);
    return true;
}

bool take_token(std::string_view& rest) {
    const std::size_t size = run_of(rest, is_token_character);
    rest.remove_prefix(size);
    return size != 0;
}

void skip_blanks(std::string_view& rest) {
    rest.remove_prefix(run_of(rest, [](char c) { return c == ' '; }));
}

// After the opening quote. All bytes are printable.
bool take_quoted(std::string_view& rest) {
    while (!rest.empty()) {
        const char c = rest.front();
        rest.remove_prefix(1);
        if (c == '"') {
            return true;
        }
        if (c == '\\') {
            if (rest.empty()) {
                return false;
            }
            rest.remove_prefix(1);
        }
    }
    return false;
}

}  // namespace

bool is_media_type(std::string_view text) {
    const auto printable = [](char c) { return c >= ' ' && c < '\x7f'; };
    if (text.size() > longest || run_of(text, printable) != text.size()) {
        return false;
    }
    if (!take_name(text) || !take(text, '/') || !take_name(text)) {
        return false;
    }
    while (!text.empty()) {
        skip_blanks(text);
        if (!take(text, ';')) {
            return false;
        }
        skip_blanks(text);
        if (!take_token(text) || !take(text, '=') || !(take(text, '"') ? take_quoted(text) : take_token(text))) {
            return false;
        }
    }
    return true;
}

}  // namespace lihandover::model
