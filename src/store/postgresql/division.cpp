#include "division.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lihandover::store::postgresql {

namespace {

/// How many buckets a daemon is to have. Those that have most keep one more where they do not divide evenly.
std::size_t share_of(std::vector<const Peer*> live, std::int64_t me) {
    std::ranges::sort(live, [](const Peer* one, const Peer* other) {
        const auto held = one->held.count();
        return held != other->held.count() ? held > other->held.count() : one->id < other->id;
    });
    const auto place = std::ranges::find(live, me, &Peer::id) - live.begin();
    const std::size_t more = bucket_count % live.size();
    return bucket_count / live.size() + (static_cast<std::size_t>(place) < more ? 1 : 0);
}

/// Lanes get their numbers one after the other, so a store with few of them has them in the first buckets: what is
/// given up is spread over all.
Buckets some_of(const Buckets& from, std::size_t wanted) {
    const std::vector<std::int64_t> all = numbers_of(from);
    Buckets some;
    for (std::size_t n = 0; n < wanted; ++n) {
        some.set(static_cast<std::size_t>(all[n * all.size() / wanted]));
    }
    return some;
}

}  // namespace

Division divide(std::span<const Peer> peers, std::int64_t me, const Buckets& known) {
    std::vector<const Peer*> live;
    Buckets mine;
    Buckets free = Buckets().set();
    for (const Peer& peer : peers) {
        if (peer.id == me) {
            mine = peer.held;
        }
        if (peer.id == me || peer.live) {
            live.push_back(&peer);
            free &= ~peer.held;
        }
    }
    Division division;
    const std::size_t share = share_of(std::move(live), me);
    if (mine.count() > share) {
        const std::size_t excess = mine.count() - share;
        const Buckets unknown = mine & ~known;
        const std::size_t first = std::min(excess, unknown.count());
        division.give = some_of(unknown, first) | some_of(mine & known, excess - first);
    }
    division.take = mine & ~known & ~division.give;
    if (mine.count() < share) {
        division.take |= some_of(free, std::min(share - mine.count(), free.count()));
    }
    return division;
}

}  // namespace lihandover::store::postgresql
