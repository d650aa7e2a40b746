#pragma once

#include "lihandover/config/configuration.hpp"
#include "lihandover/config/schema.hpp"

namespace lihandover::config {

/// Every option, declared once: src/config/options.cpp.
[[nodiscard]] const Schema<Configuration>& configuration_schema();

}  // namespace lihandover::config
