#pragma once

#include <string>
#include <string_view>

#include "corpus.hpp"

namespace lihandover::handover::test {

/// Expects that a document with this one item, read with pugixml as an LEA might, says what the item says: every field,
/// nothing that was not ordered, nothing changed.
void expect_says(std::string_view document, const Item& item);

[[nodiscard]] std::string decode_base64(std::string_view text);

}  // namespace lihandover::handover::test
