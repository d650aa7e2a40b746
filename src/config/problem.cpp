#include "lihandover/config/problem.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "lihandover/base/hex.hpp"
#include "lihandover/base/utf8.hpp"

namespace lihandover::config {

namespace {

constexpr std::size_t shown_bytes = 80;

/// Terminals obey control characters, so none from a file reaches one: neither the ASCII ones nor, encoded in UTF-8,
/// those from U+0080 to U+009F. Texts are UTF-8 here, since the YAML reader lets nothing else through.
std::string printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (out.size() >= shown_bytes) {
            return out + "…";
        }
        const char32_t value = base::take_character(text);
        if (value < 0x20 || (value >= 0x7F && value <= 0x9F)) {
            out += "\\x";
            base::append_hex(out, static_cast<unsigned char>(value));
        } else {
            base::append_character(out, value);
        }
    }
    return out;
}

std::string place_text(const Problem& problem) {
    return problem.file + ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column) + ": ";
}

}  // namespace

void sort_by_place(Problems& problems) {
    std::ranges::stable_sort(problems, [](const Problem& a, const Problem& b) {
        return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
    });
}

std::string log_text(const Problem& problem) {
    return place_text(problem) + problem.message;
}

std::string check_text(const Problem& problem) {
    std::string text = log_text(problem);
    if (!problem.value.empty()) {
        text += " (found \"" + printable(problem.value) + "\")";
    }
    return text;
}

}  // namespace lihandover::config
