#pragma once

#include <string>

namespace lihandover::ims {

/// A code with the phrase that the standard has for it, whatever phrase came: `404 Not Found`. The code alone where it
/// has none.
[[nodiscard]] std::string sip_status(unsigned code);
[[nodiscard]] std::string msrp_status(unsigned code);

}  // namespace lihandover::ims
