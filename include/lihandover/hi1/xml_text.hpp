#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lihandover::hi1 {

// Character data of XML 1.0, by hand: the documents are written for every delivery attempt, and a DOM would cost more
// than all the rest of it.

/// The length of the UTF-8 sequence at the start of `text` if XML 1.0 can carry its character (clause 2.2), else 0: for
/// control characters, surrogates, U+FFFE, U+FFFF and what is not UTF-8.
[[nodiscard]] std::size_t xml_character(std::string_view text);

/// Appends `text` so that an XML parser gives back the same characters, carriage returns included. Text that is nothing
/// but white space starts with a character reference, since parsers like to drop such text. Returns false, leaving
/// `out` as it was, where XML cannot carry the text.
[[nodiscard]] bool append_escaped(std::string& out, std::string_view text);

/// The same with U+FFFD for whatever XML cannot carry.
void append_escaped_lossy(std::string& out, std::string_view text);

/// `text` with U+FFFD for whatever XML cannot carry; not escaped.
[[nodiscard]] std::string carriable(std::string_view text);

/// RFC 4648 section 4, with padding.
void append_base64(std::string& out, std::string_view bytes);

}  // namespace lihandover::hi1
