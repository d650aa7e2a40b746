#pragma once

#include <string_view>

namespace lihandover::model {

/// Whether `text` is a media type that may be in a Content-Type (RFC 9110 8.3.1): type and subtype by the grammar of
/// RFC 6838 4.2, then any number of parameters; ASCII without control characters (a tab counts as one), at most 255
/// bytes. A type that a source gave goes into header fields and contentType only if it passes.
[[nodiscard]] bool is_media_type(std::string_view text);

}  // namespace lihandover::model
