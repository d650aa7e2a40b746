#pragma once

#include "lihandover/config/configuration.hpp"
#include "lihandover/config/schema.hpp"

namespace lihandover::config {

/// The options of one LEA (`destinations.*`), those of its connections included.
[[nodiscard]] Schema<Destination> destination_schema();

}  // namespace lihandover::config
