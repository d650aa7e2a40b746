#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lihandover::model {

/// A point on the UTC time line: seconds since 1970 (negative before) and nanoseconds in [0, 1e9).
struct Instant {
    std::int64_t seconds = 0;
    std::int32_t nanos = 0;

    friend auto operator<=>(const Instant&, const Instant&) = default;
    [[nodiscard]] constexpr std::int64_t micros() const {
        // Before 1970 the seconds alone may be further back than a number of microseconds reaches.
        return seconds < 0 ? (seconds + 1) * 1'000'000 + (nanos / 1000 - 1'000'000)
                           : seconds * 1'000'000 + nanos / 1000;
    }
    [[nodiscard]] static constexpr Instant from_micros(std::int64_t micros) {
        const auto rest = static_cast<std::int32_t>(micros % 1'000'000);
        // Towards the past, also for the least number that there is.
        return {micros / 1'000'000 - (rest < 0 ? 1 : 0), (rest < 0 ? rest + 1'000'000 : rest) * 1000};
    }
};

/// An RFC 3339 time as somebody gave it.
struct QualifiedTime {
    /// Decimals beyond nanoseconds are cut, which keeps comparisons with whole-second bounds exact. A leap second (:60)
    /// is the last nanosecond of its minute.
    Instant instant;
    /// The text as given, decimals and offset included. Views the parsed text.
    std::string_view text;
};

/// Parses RFC 3339 `date-time` with an offset (`Z`, `z`, `+hh:mm`, `-hh:mm`), years 0001 to 9999, any number of
/// decimals, `T` or `t`; second 60 only where a leap second can be (23:59 UTC). nullopt for anything else. Allocates
/// nothing.
[[nodiscard]] std::optional<QualifiedTime> parse_rfc3339(std::string_view text);

/// TS 103 280 QualifiedDateTime for a text that parse_rfc3339 accepted: whole seconds (decimals cut, never rounded,
/// second 60 as 59), `Z` or the given offset; an offset beyond xs:dateTime's 14 hours becomes UTC.
[[nodiscard]] std::string to_qualified_date_time(std::string_view rfc3339);

/// `2026-11-22T10:15:30Z`, TS 103 280 QualifiedDateTime of an instant.
[[nodiscard]] std::string to_qualified_date_time(Instant instant);

/// `2026-11-22T10:15:30.123456Z`, TS 103 280 QualifiedMicrosecondDateTime: exactly six decimals, always.
[[nodiscard]] std::string to_microsecond_date_time(Instant instant);

}  // namespace lihandover::model
