#pragma once

#include <string_view>

namespace lihandover::model {

/// Whether `text` is an LIID: `[!-~]{1,25}` or `[0-9a-f]{26,50}` (TS 103 280 LIID).
[[nodiscard]] bool is_liid(std::string_view text);

}  // namespace lihandover::model
