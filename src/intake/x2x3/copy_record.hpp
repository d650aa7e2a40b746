#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lihandover/ims/tracker.hpp"

namespace lihandover::intake {

// Copies as they are kept in the store (store::KeptCopies; docs/store.md has the bytes).

/// `copy` with `payload` in place of its own.
[[nodiscard]] std::string encode_copy(const ims::Copy& copy, std::string_view payload);

/// The copy again; its texts view `bytes`. Nullopt for what encode_copy() did not write, or a later version of it.
[[nodiscard]] std::optional<ims::Copy> decode_copy(std::string_view bytes);

}  // namespace lihandover::intake
