#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lihandover/hi1/message.hpp"
#include "lihandover/hi1/xml_document.hpp"

namespace lihandover::hi1 {

// What the readers of requests and responses share.

/// xs:nonNegativeInteger in any spelling: `007`, `+3000`, forty digits. A number larger than max_number is read as
/// max_number.
[[nodiscard]] std::optional<std::uint64_t> read_number(std::string_view text);

/// Reads `body` into `document`, finds the HI1Message and fills `header`. An error if there is none. A missing or
/// unreadable TransactionIdentifier leaves the nil UUID; the caller decides whether that is acceptable.
[[nodiscard]] model::Result<Element> read_message(std::string_view body, std::size_t max_size, Document& document,
                                                  Header& header);

}  // namespace lihandover::hi1
