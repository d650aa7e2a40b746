#include "message.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "lihandover/base/hex.hpp"

namespace lihandover::x2x3_send {

std::string_view name_of(Kind kind) {
    constexpr std::array<std::string_view, 4> names = {"sip", "msrp", "mime", "raw"};
    return names.at(static_cast<std::size_t>(kind));
}

std::string_view name_of(Direction direction) {
    constexpr std::array<std::string_view, 6> names = {"", "unknown", "to-target", "from-target", "several", "none"};
    return names.at(static_cast<std::size_t>(direction));
}

std::vector<std::size_t> number_places(std::string_view bytes) {
    std::vector<std::size_t> places;
    for (std::size_t at = bytes.find(number_mark); at != std::string_view::npos;
         at = bytes.find(number_mark, at + number_mark.size())) {
        places.push_back(at);
    }
    return places;
}

void write_number(char* at, std::uint64_t number) {
    for (std::size_t i = number_digits; i > 0; --i, number /= 10) {
        at[i - 1] = static_cast<char>('0' + number % 10);
    }
}

bool same_name(std::string_view left, std::string_view right) {
    const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
    return std::ranges::equal(left, right, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    const std::size_t first = text.find_first_not_of(blanks);
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view take_line(std::string_view& rest) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

std::optional<std::string> bytes_of_hex(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c != ' ') {
            digits += c;
        }
    }
    if (digits.size() % 2 != 0 || !base::is_hex(digits)) {
        return std::nullopt;
    }
    std::string bytes;
    for (std::string_view rest = digits; !rest.empty(); rest.remove_prefix(2)) {
        bytes += static_cast<char>(base::hex_byte(rest));
    }
    return bytes;
}

}  // namespace lihandover::x2x3_send
