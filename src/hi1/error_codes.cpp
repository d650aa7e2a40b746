#include "lihandover/hi1/error_codes.hpp"

#include <algorithm>
#include <array>

namespace lihandover::hi1 {
namespace {

using Scope = ErrorScope;

constexpr std::array<ErrorCode, 23> table = {{
    {3000, "business logic error that no other code describes", Scope::action, false},
    {3001, "feature, action or kind of object not supported", Scope::action, false},
    {3002, "ActionIdentifier used twice in the message", Scope::message, false},
    {3003, "technical error that will pass", Scope::moment, true},
    {3004, "configuration does not allow it", Scope::systems, false},
    {3005, "required element missing", Scope::action, false},
    {3006, "value may not be changed by an UPDATE", Scope::action, false},
    {3007, "value does not fit its context", Scope::action, false},
    {3008, "change of value not allowed, or based on an outdated Generation", Scope::action, false},
    {3009, "value not found", Scope::action, false},
    {3010, "object already exists", Scope::action, false},
    {3011, "UPDATE of an object that does not exist", Scope::action, false},
    {3012, "UPDATE of an object that has expired", Scope::action, false},
    {3013, "cancellation of an object that does not exist", Scope::action, false},
    {3014, "GET of an object that was not found", Scope::action, false},
    {3015, "GET of an object that cannot be delivered", Scope::action, false},
    {3016, "linked object does not exist", Scope::action, false},
    {3017, "linked object has expired", Scope::action, false},
    {3018, "linked object failed in this same message", Scope::action, false},
    {3019, "encoding of the message (XML or JSON) not supported", Scope::systems, false},
    {3020, "message does not validate against the receiver's schemas", Scope::action_or_systems, false},
    {3021, "version of the standard not supported", Scope::systems, false},
    {3022, "message too large", Scope::message, false},
}};

}  // namespace

std::span<const ErrorCode> error_codes() {
    return table;
}

const ErrorCode* find_error_code(std::uint64_t code) {
    const auto found = std::ranges::lower_bound(table, code, {}, &ErrorCode::code);
    return found != table.end() && found->code == code ? &*found : nullptr;
}

std::string_view meaning_of(std::uint64_t code) {
    const ErrorCode* const known = find_error_code(code);
    return known != nullptr ? known->meaning : "not a code of TS 103 120";
}

std::string_view name_of(ErrorScope scope) {
    switch (scope) {
        case ErrorScope::action:
            return "the action";
        case ErrorScope::message:
            return "the message";
        case ErrorScope::systems:
            return "the systems";
        case ErrorScope::action_or_systems:
            return "the action or the systems";
        case ErrorScope::moment:
            return "the moment";
    }
    return {};
}

std::string error_codes_markdown() {
    std::string out =
        "# HI1 error codes\n\n"
        "What an LEA may answer instead of accepting an item: `ErrorCode` of TS 103 120 annex D, table D.1. "
        "`lihandoverctl show`\nnames the code of a refused item with its meaning. What the daemon does about each is "
        "in "
        "[delivery.md](delivery.md).\n\n"
        "\"Speaks of\" says whom a code blames: an action is one item; the systems are ours and the LEA's, whatever "
        "the item. A\ncode that is not listed here is taken to speak of the action.\n\n"
        "| code | meaning | speaks of | a repeat may help |\n|---|---|---|---|\n";
    for (const ErrorCode& each : table) {
        out += "| " + std::to_string(each.code) + " | ";
        out += each.meaning;
        out += " | ";
        out += name_of(each.scope);
        out += each.retryable ? " | yes |\n" : " | no |\n";
    }
    return out;
}

}  // namespace lihandover::hi1
