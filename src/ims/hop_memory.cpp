#include "hop_memory.hpp"

#include <algorithm>
#include <cstddef>

namespace lihandover::ims {

namespace {

bool close(const HopPlace::Times& one, const HopPlace::Times& another) {
    const std::int64_t apart = HopMemory::apart.count();
    return one.from.seconds <= another.until.seconds + apart && another.from.seconds <= one.until.seconds + apart;
}

std::size_t shared_ends(const HopPlace& one, const HopPlace& another) {
    return static_cast<std::size_t>(std::ranges::count_if(one.ends, [&another](std::uint64_t end) {
        return std::ranges::find(another.ends, end) != another.ends.end();
    }));
}

}  // namespace

/// How many had come on the paths that these stand in the place of: one end has stayed as it was, or both have moved at
/// once. Legs beside it have neither end in common with it.
std::uint64_t HopMemory::before(const Seen& seen, const HopPlace& place) {
    std::uint64_t of_one_end = 0;
    std::uint64_t of_call = 0;
    bool one_end_stayed = false;
    for (const Hop& other : seen.hops) {
        if (place.session == 0 || other.place.session != place.session ||
            other.place.description >= place.description) {
            continue;
        }
        const std::size_t shared = shared_ends(place, other.place);
        if (shared == 1) {
            one_end_stayed = true;
            of_one_end = std::max(of_one_end, other.messages);
        } else if (shared == 0 && other.place.call == place.call) {
            of_call = std::max(of_call, other.messages);
        }
    }
    return one_end_stayed ? of_one_end : of_call;
}

/// Clocks of points of interception may be wrong, and what they hand over may be late: seldom both.
bool HopMemory::may_be(const Event& event, const HopPlace& place) {
    return close(event.said, place.said) || close(event.received, place.received);
}

/// Who answers in the same words says them himself.
TableKey HopMemory::with_way(const TableKey& content, const HopPlace& place) {
    const Seen* const seen = table_.find(content);
    if (seen == nullptr) {
        return content;
    }
    const auto is_known = [seen](std::uint64_t hop) {
        return std::ranges::any_of(seen->hops, [hop](const Hop& one) { return one.place.hop == hop; });
    };
    const bool other_way = is_known(place.back) && !is_known(place.hop);
    return other_way ? TableKey{content.first, ~content.second} : content;
}

std::optional<Digest> HopMemory::count(const TableKey& its_content, const HopPlace& place, SteadyTime now) {
    table_.trim(now, keep_for, most);
    const TableKey content = with_way(its_content, place);
    Seen* seen = table_.find(content);
    if (seen == nullptr) {
        seen = &table_.add(content, {}, now);
    }
    table_.touch(content, now);
    auto hop = std::ranges::find(seen->hops, place.hop, [](const Hop& other) { return other.place.hop; });
    if (hop == seen->hops.end()) {
        if (seen->hops.size() >= most_hops) {
            return std::nullopt;
        }
        const std::uint64_t messages = before(*seen, place);
        seen->hops.push_back({place, messages});
        hop = seen->hops.end() - 1;
    }
    const std::uint64_t forgotten = seen->messages - seen->events.size();
    hop->messages = std::max(hop->messages, forgotten);
    while (hop->messages < seen->messages) {
        const Event& event = seen->events[hop->messages - forgotten];
        const bool same = may_be(event, place);
        if (!same && place.said.until < event.said.from) {
            return std::nullopt;  // late, and seen by nobody else
        }
        ++hop->messages;
        if (same) {
            return event.name;
        }
        // That one never came by this hop.
    }
    ++hop->messages;
    return std::nullopt;
}

void HopMemory::add(const TableKey& content, const HopPlace& place, const Digest& event) {
    Seen* seen = table_.find(with_way(content, place));
    if (seen == nullptr) {
        return;
    }
    // One that is late goes before what hops that are ahead have had since.
    std::uint64_t number = seen->messages;
    for (Hop& hop : seen->hops) {
        if (hop.place.hop == place.hop && hop.messages < seen->messages) {
            number = hop.messages;
            hop.messages = number + 1;
        }
    }
    for (Hop& hop : seen->hops) {
        hop.messages += hop.place.hop != place.hop && hop.messages > number ? 1 : 0;
    }
    const std::uint64_t forgotten = seen->messages - seen->events.size();
    seen->events.insert(seen->events.begin() + static_cast<std::ptrdiff_t>(number - forgotten),
                        {event, place.said, place.received});
    ++seen->messages;
    if (seen->events.size() > most_events) {
        seen->events.erase(seen->events.begin());
    }
}

}  // namespace lihandover::ims
