#pragma once

#include <string_view>

namespace lihandover::admin {

// The page's own files, made a part of the program when it is built (embed.cmake).
[[nodiscard]] std::string_view console_css();
[[nodiscard]] std::string_view console_js();

}  // namespace lihandover::admin
