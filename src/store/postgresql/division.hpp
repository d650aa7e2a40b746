#pragma once

#include <cstdint>
#include <span>

#include "holdings.hpp"

namespace lihandover::store::postgresql {

/// A daemon, as the database has it.
struct Peer {
    std::int64_t id = 0;
    bool live = false;  ///< its lease is not over
    Buckets held;
};

/// What one daemon has to do so that all hold the same number of buckets, or one more.
struct Division {
    Buckets give;
    Buckets take;  ///< as far as they are still to be had

    [[nodiscard]] bool none() const { return give.none() && take.none(); }
};

/// By the same rule each daemon finds the same shares, and as few buckets move as can be: who has too many gives those
/// up that are too many, and who has too few takes what nobody has, or somebody whose lease is over.
///   me     this daemon, which is live
///   known  of its buckets, those that it knows: what the others wait for it has to take anew
[[nodiscard]] Division divide(std::span<const Peer> peers, std::int64_t me, const Buckets& known);

}  // namespace lihandover::store::postgresql
