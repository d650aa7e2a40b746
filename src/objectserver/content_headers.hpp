#pragma once

#include <string>
#include <string_view>

namespace lihandover::objectserver {

// An object's type and name come from a source and cannot be trusted. They go into a header only in a form that can
// neither break the message nor lead a careless client to write where it should not. The exact words are in the
// delivered document.

/// The type, unchanged, if it is a media type (RFC 9110 8.3.1) of at most 255 bytes, else application/octet-stream.
/// Types that describe the HTTP message rather than the object (multipart/byteranges) count as invalid here.
[[nodiscard]] std::string content_type(std::string_view given);

/// A Content-Disposition of `attachment` (RFC 6266). A name goes as `filename` and, if that cannot express all of it,
/// also as `filename*` (RFC 8187). `name` is WTF-8 of any length and content. Replaced by `_`: path separators and
/// whatever else file systems forbid, control and formatting characters (also those that change the writing direction),
/// leading dots. Lone surrogates and bytes that are not WTF-8 become U+FFFD. Longer names are cut to 200 bytes, keeping
/// the extension. The result is ASCII without control characters.
[[nodiscard]] std::string content_disposition(std::string_view name);

}  // namespace lihandover::objectserver
