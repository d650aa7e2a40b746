#pragma once

#include <cstdint>
#include <string>

#include "lihandover/audit/chain.hpp"
#include "lihandover/base/hex.hpp"

namespace lihandover::audit {

// How verification names chains and entries in its sentences.

[[nodiscard]] inline std::string name_of_chain(const Hash& chain) {
    return base::to_hex(chain).substr(0, 16);
}

[[nodiscard]] inline std::string range_of(std::uint64_t first, std::uint64_t last) {
    return first == last ? "entry " + std::to_string(first)
                         : "entries " + std::to_string(first) + " to " + std::to_string(last);
}
[[nodiscard]] inline std::string are(std::uint64_t first, std::uint64_t last) {
    return first == last ? " is " : " are ";
}

}  // namespace lihandover::audit
