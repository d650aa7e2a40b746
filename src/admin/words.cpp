#include "words.hpp"

#include <charconv>

namespace lihandover::admin {

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

model::Instant before(model::Instant time, std::chrono::milliseconds span) {
    return model::Instant::from_micros(time.micros() - std::chrono::microseconds(span).count());
}

std::optional<std::size_t> parse_limit(std::string_view text, std::size_t maximum) {
    const auto value = parse_number(text);
    if (!value || *value < 1 || *value > maximum) {
        return std::nullopt;
    }
    return value;
}

}  // namespace lihandover::admin
