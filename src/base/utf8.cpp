#include "lihandover/base/utf8.hpp"

#include <array>

namespace lihandover::base {

void append_character(std::string& out, char32_t value) {
    std::array<char, 4> bytes{};
    out.append(bytes.data(), write_character(bytes.data(), value));
}

bool is_encoded(std::string_view text, Encoding encoding) {
    while (!text.empty()) {
        const std::size_t size = first_character(text, encoding).size;
        if (size == 0) {
            return false;
        }
        text.remove_prefix(size);
    }
    return true;
}

std::string with_replacements(std::string_view text, Encoding encoding) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        append_character(out, take_character(text, encoding));
    }
    return out;
}

}  // namespace lihandover::base
