#include "lihandover/config/problem.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <tuple>

namespace lihandover::config {

namespace {

constexpr std::size_t shown_bytes = 80;

/// Terminals obey control characters, so none out of a file reaches one: neither the ASCII ones nor, encoded in UTF-8,
/// those from U+0080 to U+009F. Texts are UTF-8 here, as the YAML reader lets nothing else through.
std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t n = 0; n < text.size(); ++n) {
        const auto byte = static_cast<unsigned char>(text[n]);
        const bool continuation = (byte & 0xC0U) == 0x80U;
        if (out.size() >= shown_bytes && !continuation) {
            return out + "…";
        }
        const bool second_control =
            byte == 0xC2 && n + 1 < text.size() && static_cast<unsigned char>(text[n + 1]) < 0xA0;
        if (byte < 0x20 || byte == 0x7F || second_control) {
            std::array<char, 8> escape{};
            const unsigned shown = second_control ? static_cast<unsigned char>(text[++n]) : byte;
            static_cast<void>(std::snprintf(escape.data(), escape.size(), "\\x%02x", shown));
            out += escape.data();
        } else {
            out.push_back(text[n]);
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
