#include "hop_memory.hpp"

#include <algorithm>
#include <cstdlib>

namespace lihandover::ims {

namespace {

bool close(model::Instant one, model::Instant another) {
    return std::abs(one.seconds - another.seconds) <= HopMemory::apart.count();
}

}  // namespace

/// What had come on the paths that these stand in the place of.
std::uint64_t HopMemory::before(const Seen& seen, const HopPlace& place) {
    std::uint64_t messages = 0;
    for (const Hop& other : seen.hops) {
        if (place.session != 0 && other.place.session == place.session && other.place.call == place.call &&
            other.place.description < place.description) {
            messages = std::max(messages, other.messages);
        }
    }
    return messages;
}

/// Clocks of points of interception may be wrong, and what they hand over may be late: seldom both.
bool HopMemory::may_be(const Event& event, const HopPlace& place) {
    return close(event.at, place.at) || close(event.received_at, place.received_at);
}

std::optional<Digest> HopMemory::count(const TableKey& content, const HopPlace& place, SteadyTime now) {
    table_.trim(now, keep_for, most);
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
    ++hop->messages;
    while (hop->messages > forgotten && hop->messages <= seen->messages) {
        const Event& event = seen->events[hop->messages - forgotten - 1];
        if (may_be(event, place)) {
            return event.name;
        }
        ++hop->messages;  // it never came by this hop
    }
    return std::nullopt;
}

void HopMemory::add(const TableKey& content, const HopPlace& place, const Digest& event) {
    Seen* seen = table_.find(content);
    if (seen == nullptr) {
        return;
    }
    if (seen->events.size() >= most_events) {
        seen->events.erase(seen->events.begin());
    }
    seen->events.push_back({event, place.at, place.received_at});
    ++seen->messages;
}

}  // namespace lihandover::ims
