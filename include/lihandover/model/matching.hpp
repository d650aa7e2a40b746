#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/identifier.hpp"

namespace lihandover::model {

/// How one service differs from the general rules (`matching.services`).
struct ServiceMatching {
    std::optional<CaseRule> email_local_part;
    std::optional<CaseRule> username;
};

/// How identifiers compare, by the service of the event that has them (option `matching`).
struct Matching {
    CaseRule email_local_part = CaseRule::insensitive;
    CaseRule username = CaseRule::exact;
    std::map<std::string, ServiceMatching> services;  ///< a few

    /// The rules for events of this service, without a number plan.
    [[nodiscard]] KeyRules rules_of(std::string_view service) const;
    /// Every set of rules that some service has, each once; at most four.
    [[nodiscard]] std::vector<KeyRules> all_rules() const;
};

}  // namespace lihandover::model
