#include "lihandover/model/matching.hpp"

#include <algorithm>

namespace lihandover::model {

KeyRules Matching::rules_of(std::string_view service) const {
    KeyRules rules{email_local_part, username, nullptr};
    // find() would have to copy the name.
    const auto found = std::ranges::find_if(services, [service](const auto& entry) { return entry.first == service; });
    if (found != services.end()) {
        rules.email_local_part = found->second.email_local_part.value_or(email_local_part);
        rules.username = found->second.username.value_or(username);
    }
    return rules;
}

std::vector<KeyRules> Matching::all_rules() const {
    std::vector<KeyRules> all{{email_local_part, username, nullptr}};
    for (const auto& [service, departing] : services) {
        const KeyRules rules = rules_of(service);
        if (std::ranges::find(all, rules) == all.end()) {
            all.push_back(rules);
        }
    }
    return all;
}

}  // namespace lihandover::model
