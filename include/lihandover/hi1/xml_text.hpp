#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lihandover::hi1 {

// Character data of XML 1.0, written by hand: documents are written at every delivery attempt, and a DOM would cost
// more than everything else.

/// The length of the UTF-8 sequence at the start of `text` if XML 1.0 can carry its character (clause 2.2). 0 for
/// control characters, surrogates, U+FFFE, U+FFFF and what is not UTF-8.
[[nodiscard]] std::size_t xml_character(std::string_view text);

/// Appends `text` so that an XML parser returns the same characters, carriage returns included. Text that is only white
/// space starts with a character reference, since parsers tend to drop such text. Returns false and leaves `out`
/// unchanged if XML cannot carry the text.
[[nodiscard]] bool append_escaped(std::string& out, std::string_view text);

/// The same, with U+FFFD in place of whatever XML cannot carry.
void append_escaped_lossy(std::string& out, std::string_view text);

/// `text` with U+FFFD in place of whatever XML cannot carry; not escaped.
[[nodiscard]] std::string carriable(std::string_view text);

/// RFC 4648 section 4, with padding.
void append_base64(std::string& out, std::string_view bytes);

}  // namespace lihandover::hi1
