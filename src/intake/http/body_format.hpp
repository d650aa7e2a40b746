#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lihandover::intake {

/// How a body contains its events.
enum class BodyFormat : std::uint8_t {
    json,    ///< application/json: one event
    ndjson,  ///< application/x-ndjson: one event per line
};

/// What a Content-Type says; nullopt for anything else, and for a charset that is not UTF-8.
[[nodiscard]] std::optional<BodyFormat> body_format(std::string_view content_type);

}  // namespace lihandover::intake
