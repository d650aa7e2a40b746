#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lihandover::intake {

// The parts of JSON that simdjson's index leaves to us. All take bytes that are valid UTF-8 without control characters.

/// Decodes the inside of a string's quotes to `out`, which has room for text.size() bytes, and returns the end; nullptr
/// for an escape that JSON does not have. A lone surrogate becomes its three bytes of WTF-8, a pair becomes its
/// character.
[[nodiscard]] char* unescape_json(std::string_view text, char* out);

/// Whether unescape_json accepts all escapes of `text`.
[[nodiscard]] bool has_good_escapes(std::string_view text);

/// Whether `text` is a number by the grammar of RFC 8259.
[[nodiscard]] bool is_json_number(std::string_view text);

/// Code points of valid WTF-8.
[[nodiscard]] std::size_t count_characters(std::string_view text);

/// Whether `text` is base64 by RFC 4648 section 4, padding included.
[[nodiscard]] bool is_base64(std::string_view text);

/// Appends `text`, any bytes, as a JSON string with its quotes: pure ASCII, with lone surrogates and everything beyond
/// ASCII as \u escapes, invalid bytes as U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace lihandover::intake
