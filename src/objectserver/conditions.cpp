#include "conditions.hpp"

#include "lihandover/base/hex.hpp"
#include "text.hpp"

namespace lihandover::objectserver {

namespace {

/// RFC 9110 8.8.3: any byte but control characters, blanks and quotes.
constexpr bool is_tag_character(char letter) {
    const auto code = static_cast<unsigned char>(letter);
    return code >= 0x21 && code != '"' && code != 0x7F;
}

/// Takes the entity tag at the start of `list`, with quotes and without `W/`; empty if there is none.
std::string_view take_tag(std::string_view& list, bool& weak) {
    weak = list.starts_with("W/");
    std::string_view rest = weak ? list.substr(2) : list;
    if (!rest.starts_with('"')) {
        return {};
    }
    std::size_t end = 1;
    while (end < rest.size() && is_tag_character(rest[end])) {
        ++end;
    }
    if (end == rest.size() || rest[end] != '"') {
        return {};
    }
    const std::string_view tag = rest.substr(0, end + 1);
    list = rest.substr(end + 1);
    return tag;
}

/// Whether a list of entity tags, or `*`, contains ours. An invalid element is skipped up to the next comma.
bool has_tag(std::string_view list, std::string_view tag, bool weak_counts) {
    if (trimmed(list) == "*") {
        return true;
    }
    while (!list.empty()) {
        if (is_blank(list.front()) || list.front() == ',') {
            list.remove_prefix(1);
            continue;
        }
        bool weak = false;
        const std::string_view candidate = take_tag(list, weak);
        const std::size_t comma = std::min(list.find(','), list.size());
        const bool alone = trimmed(list.substr(0, comma)).empty();
        if (candidate == tag && alone && (weak_counts || !weak)) {
            return true;
        }
        list.remove_prefix(comma);
    }
    return false;
}

}  // namespace

std::string entity_tag(const model::Sha256& sha256) {
    return '"' + base::to_hex(sha256) + '"';
}

ConditionResult evaluate(const Conditions& conditions, std::string_view tag) {
    if (conditions.if_match && !has_tag(*conditions.if_match, tag, false)) {
        return ConditionResult::precondition_failed;
    }
    if (conditions.if_none_match && has_tag(*conditions.if_none_match, tag, true)) {
        return ConditionResult::not_modified;
    }
    return ConditionResult::proceed;
}

bool range_counts(std::optional<std::string_view> if_range, std::string_view tag) {
    return !if_range || *if_range == tag;
}

}  // namespace lihandover::objectserver
