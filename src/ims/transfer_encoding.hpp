#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lihandover::ims {

/// What a body is without its Content-Transfer-Encoding (RFC 2045 6), base64 or quoted-printable; nullopt where it has
/// neither, and for base64 that is none.
[[nodiscard]] std::optional<std::string> without_transfer_encoding(std::string_view body, std::string_view encoding);

/// Base64 with or without padding, spaces anywhere; nullopt for other bytes.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace lihandover::ims
