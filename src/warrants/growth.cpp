#include <algorithm>
#include <utility>

#include "lihandover/warrants/warrant.hpp"

namespace lihandover::warrants {

namespace {

/// What both windows have in common; false if that is nothing.
bool cut_window(Target& target, const Target& other) {
    if (other.from && (!target.from || *target.from < *other.from)) {
        target.from = other.from;
    }
    if (other.until && (!target.until || *other.until < *target.until)) {
        target.until = other.until;
    }
    return !target.from || !target.until || *target.from < *target.until;
}

bool covers(const Target& outer, const Target& inner) {
    return (!outer.from || (inner.from && *outer.from <= *inner.from)) &&
           (!outer.until || (inner.until && *inner.until <= *outer.until));
}

/// Those of `now` that `before` has as well, in its order. A target that is there several times, or in windows that
/// overlap, is left once for each of the windows that no other covers.
std::vector<Target> common_targets(const std::vector<Target>& before, const std::vector<Target>& now) {
    const auto name_of = [](const Target& target) { return std::pair(target.type, std::string_view(target.value)); };
    std::vector<const Target*> known;
    known.reserve(before.size());
    for (const Target& target : before) {
        known.push_back(&target);
    }
    const auto name = [&](const Target* target) { return name_of(*target); };
    std::ranges::sort(known, {}, name);
    std::vector<Target> common;
    for (const Target& target : now) {
        const auto first = static_cast<std::ptrdiff_t>(common.size());
        for (const Target* const other : std::ranges::equal_range(known, name_of(target), {}, name)) {
            Target cut = target;
            if (!cut_window(cut, *other) || std::ranges::any_of(common.begin() + first, common.end(),
                                                                [&](const auto& one) { return covers(one, cut); })) {
                continue;
            }
            common.push_back(std::move(cut));
            if (covers(common.back(), target)) {
                break;  // all of it
            }
        }
    }
    return common;
}

/// The same for values that are equal or not.
template <typename List>
List common_values(const List& before, const List& now) {
    auto known = std::vector(before.begin(), before.end());
    std::ranges::sort(known);
    std::vector<typename decltype(known)::value_type> common;
    std::ranges::copy_if(now, std::back_inserter(common),
                         [&](const auto& value) { return std::ranges::binary_search(known, value); });
    List list;
    list = std::move(common);
    return list;
}

}  // namespace

std::optional<Warrant> narrowed(const Warrant& before, const Warrant& now) {
    Warrant left = now;
    left.valid_from = std::max(before.valid_from, now.valid_from);
    left.valid_until = std::min(before.valid_until, now.valid_until);
    left.targets = common_targets(before.targets, now.targets);
    left.xids = common_values(before.xids, now.xids);
    // An empty list of services is all of them.
    if (now.services.empty()) {
        left.services = before.services;
    } else if (!before.services.empty()) {
        left.services = common_values(before.services, now.services);
        if (left.services.empty()) {
            return std::nullopt;
        }
    }
    left.deliver.metadata = before.deliver.metadata && now.deliver.metadata;
    left.deliver.content = before.deliver.content && now.deliver.content;
    left.deliver.binary = before.deliver.binary && now.deliver.binary;
    left.deliver.location = before.deliver.location && now.deliver.location;
    left.review = std::max(before.review, now.review);
    left.test = before.test || now.test;
    const bool delivers = left.deliver.metadata || left.deliver.content || left.deliver.binary || left.deliver.location;
    const bool has_target = !left.targets.empty() || !left.xids.empty();
    if (left.valid_from >= left.valid_until || !delivers || !has_target) {
        return std::nullopt;
    }
    return left;
}

}  // namespace lihandover::warrants
