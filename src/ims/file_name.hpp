#pragma once

#include <string>
#include <string_view>

namespace lihandover::ims {

/// The file name that parameters of a header field (from their first `;` on) give as `name`, `name*` (RFC 5987) or in
/// pieces `name*0` … (RFC 2231), encoded words (RFC 2047) decoded, as UTF-8; empty when absent.
[[nodiscard]] std::string file_name_parameter(std::string_view parameters, std::string_view name);

}  // namespace lihandover::ims
