#pragma once

#include "lihandover/base/hex.hpp"

namespace lihandover::model {

using base::parse_hex;

}  // namespace lihandover::model
