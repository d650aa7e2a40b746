#include "query.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace lihandover::admin {

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (text.size() - i < 3) {
            return std::nullopt;
        }
        unsigned value = 0;
        const char* const end = text.data() + i + 3;
        const auto [stopped, error] = std::from_chars(text.data() + i + 1, end, value, 16);
        if (error != std::errc{} || stopped != end) {
            return std::nullopt;
        }
        out += static_cast<char>(value);
        i += 2;
    }
    return out;
}

std::optional<Query> parse_query(std::string_view query) {
    Query pairs;
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        const auto pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        const auto mark = pair.find('=');
        if (mark == std::string_view::npos) {
            return std::nullopt;
        }
        auto name = percent_decoded(pair.substr(0, mark));
        auto value = percent_decoded(pair.substr(mark + 1));
        if (!name || !value) {
            return std::nullopt;
        }
        const bool repeated = std::ranges::any_of(pairs, [&](const auto& known) { return known.first == *name; });
        if (repeated) {
            return std::nullopt;
        }
        pairs.emplace_back(std::move(*name), std::move(*value));
    }
    return pairs;
}

}  // namespace lihandover::admin
