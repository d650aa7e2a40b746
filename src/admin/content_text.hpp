#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lihandover/model/item.hpp"

namespace lihandover::admin {

/// What an item would deliver, for a person to read.
struct ContentFields {
    std::vector<std::pair<std::string, std::string>> fields;  ///< a name and a value each
    bool has_text = false;
    std::string text;  ///< as it is
};
[[nodiscard]] ContentFields content_fields(const model::Share& share, std::span<const model::BinaryObject> objects);

/// The same in lines: a name, a colon and a value each, and at the end the text as it is. Nothing in it can be taken
/// back into an event.
[[nodiscard]] std::string content_text(const ContentFields& content);

/// Overwrites what it says.
void wipe(ContentFields& content);

}  // namespace lihandover::admin
