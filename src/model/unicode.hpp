#pragma once

#include <string>
#include <string_view>

namespace lihandover::model {

/// Whether NFC changes nothing, as far as the bytes alone can tell.
[[nodiscard]] bool is_nfc_already(std::string_view text);

// Each appends its result for UTF-8 text, and nothing if it returns false (not UTF-8, or memory exhausted).
[[nodiscard]] bool append_nfc(std::string& out, std::string_view text);
/// Lower case, in NFC. Not case folding, which joins different names: it makes `ss` of `ß`, and `s` of `ſ`.
[[nodiscard]] bool append_lower_nfc(std::string& out, std::string_view text);
/// A domain name that is not ASCII, as A-labels (UTS 46, nontransitional). Allocates.
[[nodiscard]] bool append_a_labels(std::string& out, std::string_view domain);

/// The length of the blank, in any script, that `text` begins with; 0: none.
[[nodiscard]] std::size_t blank_length(std::string_view text);
/// Without blanks at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

}  // namespace lihandover::model
