#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lihandover/hi1/message.hpp"
#include "lihandover/hi1/xml_document.hpp"

namespace lihandover::hi1 {

// What the readers of requests and of responses have in common.

/// xs:nonNegativeInteger in any spelling: `007`, `+3000`, forty digits. Larger than max_number is read as max_number.
[[nodiscard]] std::optional<std::uint64_t> read_number(std::string_view text);

/// Reads `body` into `document` and finds the HI1Message; fills `header`. An error where there is none. A
/// TransactionIdentifier that is missing or unreadable leaves the nil UUID: whether that will do is the caller's
/// matter.
[[nodiscard]] model::Result<Element> read_message(std::string_view body, std::size_t max_size, Document& document,
                                                  Header& header);

}  // namespace lihandover::hi1
