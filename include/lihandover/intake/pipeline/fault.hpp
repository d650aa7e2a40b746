#pragma once

#include <string>

#include "lihandover/metrics/metrics.hpp"

namespace lihandover::intake {

/// Why an event is refused. Only for the source that sent it: `field` may be a name that the source made up. It never
/// repeats a value.
struct Fault {
    metrics::Rejection kind{};
    std::string field;   ///< `receivers[2].identifiers`; empty: the event as a whole
    std::string reason;  ///< a phrase: `must be a string`
};

}  // namespace lihandover::intake
