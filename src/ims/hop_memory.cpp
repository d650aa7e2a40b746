#include "hop_memory.hpp"

#include <algorithm>

namespace lihandover::ims {

std::optional<Digest> HopMemory::count(const TableKey& content, std::uint64_t hop, SteadyTime now) {
    table_.trim(now, keep_for, most);
    Seen* seen = table_.find(content);
    if (seen == nullptr) {
        seen = &table_.add(content, {}, now);
    }
    table_.touch(content, now);
    auto place = std::ranges::find_if(seen->hops, [hop](const Hop& other) { return other.name == hop; });
    if (place == seen->hops.end()) {
        if (seen->hops.size() >= most_hops) {
            return std::nullopt;
        }
        seen->hops.push_back({hop, 0});
        place = seen->hops.end() - 1;
    }
    const std::uint64_t number = ++place->messages;
    const std::uint64_t forgotten = seen->messages - seen->events.size();
    if (number > seen->messages || number <= forgotten) {
        return std::nullopt;
    }
    return seen->events[number - forgotten - 1];
}

void HopMemory::add(const TableKey& content, const Digest& event) {
    Seen* seen = table_.find(content);
    if (seen == nullptr) {
        return;
    }
    if (seen->events.size() >= most_events) {
        seen->events.erase(seen->events.begin());
    }
    seen->events.push_back(event);
    ++seen->messages;
}

}  // namespace lihandover::ims
