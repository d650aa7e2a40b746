#pragma once

#include <string>
#include <string_view>

namespace lihandover::ims {

/// Text with the line ends of the wire: CRLF for each LF.
[[nodiscard]] inline std::string crlf(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\n') {
            out += '\r';
        }
        out += c;
    }
    return out;
}

}  // namespace lihandover::ims
