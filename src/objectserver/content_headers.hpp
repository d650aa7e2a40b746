#pragma once

#include <string>
#include <string_view>

namespace lihandover::objectserver {

// What a source said of an object's type and name is data that nobody vouches for. It goes into a header only in a form
// that can neither break the message nor lead a careless client to write where it should not; the exact words are in
// the delivered document.

/// The type as it is when it is a media type (RFC 9110 8.3.1) of at most 255 bytes, else application/octet-stream.
/// Types that speak of the HTTP message rather than of the object (multipart/byteranges) are none here.
[[nodiscard]] std::string content_type(std::string_view given);

/// A Content-Disposition of `attachment` (RFC 6266) with the name, where there is one, as `filename` and, where that
/// cannot say all of it, as `filename*` (RFC 8187). `name` is WTF-8 of any length and content. Replaced by `_`:
/// separators of paths and all that file systems forbid, control and formatting characters (those that change the
/// direction of writing too), dots in front. Lone surrogates and bytes that are no WTF-8 become U+FFFD. Longer names
/// are cut to 200 bytes, the extension kept. The result is ASCII without control characters.
[[nodiscard]] std::string content_disposition(std::string_view name);

}  // namespace lihandover::objectserver
