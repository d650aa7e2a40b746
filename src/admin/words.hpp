#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lihandover/model/time.hpp"

namespace lihandover::admin {

/// The name of an enumerator whose names stand in an array by number.
template <std::size_t Size, typename Enum>
[[nodiscard]] std::string_view word_of(const std::array<std::string_view, Size>& names, Enum value) {
    return names.at(static_cast<std::size_t>(value));
}

/// A whole number in decimal; nullopt for anything else.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

/// The limit of a page; nullopt when it is not 1 to `maximum`.
[[nodiscard]] std::optional<std::size_t> parse_limit(std::string_view text, std::size_t maximum);

/// The time so long before another one.
[[nodiscard]] model::Instant before(model::Instant time, std::chrono::milliseconds span);

/// Items or warrants of one answer.
inline constexpr std::size_t max_page = 1000;

}  // namespace lihandover::admin
