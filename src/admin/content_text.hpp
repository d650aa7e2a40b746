#pragma once

#include <span>
#include <string>

#include "lihandover/model/item.hpp"

namespace lihandover::admin {

/// What an item would deliver, in lines for a person to read: a name, a colon and a value each, and at the end the text
/// as it is. Nothing in it can be taken back into an event.
[[nodiscard]] std::string content_text(const model::Share& share, std::span<const model::BinaryObject> objects);

}  // namespace lihandover::admin
