// How daemons divide buckets among themselves.
#include "postgresql/division.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lihandover::store::postgresql {
namespace {

/// Daemons that look in turn until nothing changes. Each takes what the others left at that moment.
class Daemons {
  public:
    void join(std::int64_t id) { peers_.push_back({id, true, {}}); }
    void leave(std::int64_t id) {
        std::erase_if(peers_, [id](const Peer& peer) { return peer.id == id; });
    }
    void die(std::int64_t id) { find(id).live = false; }
    /// How many buckets changed their owner; what nobody has at the end has none.
    std::size_t settle() {
        const std::vector<Peer> before = peers_;
        bool changed = true;
        for (int round = 0; changed && round < 100; ++round) {
            changed = false;
            for (Peer& peer : peers_) {
                if (peer.live) {
                    const Division division = divide(peers_, peer.id, peer.held);
                    EXPECT_TRUE((division.give & division.take).none());
                    changed = changed || !division.none();
                    for (Peer& other : peers_) {
                        other.held &= ~division.take;
                    }
                    peer.held = (peer.held & ~division.give) | division.take;
                }
            }
        }
        EXPECT_FALSE(changed) << "they never agree";
        std::size_t moved = 0;
        for (const Peer& peer : peers_) {
            const auto was = std::ranges::find(before, peer.id, &Peer::id);
            moved += (peer.held & ~was->held).count();
        }
        return moved;
    }
    [[nodiscard]] std::vector<std::size_t> shares() const {
        std::vector<std::size_t> all;
        for (const Peer& peer : peers_) {
            all.push_back(peer.held.count());
        }
        return all;
    }
    Peer& find(std::int64_t id) { return *std::ranges::find(peers_, id, &Peer::id); }

  private:
    std::vector<Peer> peers_;
};

using Shares = std::vector<std::size_t>;

TEST(Division, TheFirstTakesAll) {
    Daemons daemons;
    daemons.join(7);
    EXPECT_EQ(daemons.settle(), bucket_count);
    EXPECT_EQ(daemons.settle(), 0U);
}

TEST(Division, JoiningMovesNoMoreThanTheNewOnesShare) {
    Daemons daemons;
    daemons.join(1);
    daemons.settle();
    daemons.join(2);
    EXPECT_EQ(daemons.settle(), 128U);
    daemons.join(3);
    EXPECT_EQ(daemons.settle(), 85U);
    EXPECT_EQ(daemons.shares(), (Shares{86, 85, 85}));
    daemons.join(4);
    EXPECT_EQ(daemons.settle(), 64U);
    EXPECT_EQ(daemons.shares(), (Shares{64, 64, 64, 64}));
}

TEST(Division, LeavingMovesNoMoreThanWhatTheOneHad) {
    Daemons daemons;
    for (std::int64_t id = 1; id <= 3; ++id) {
        daemons.join(id);
        daemons.settle();
    }
    daemons.leave(1);
    EXPECT_EQ(daemons.settle(), 86U);
    EXPECT_EQ(daemons.shares(), (Shares{128, 128}));
}

TEST(Division, WhatADeadOneHadIsTaken) {
    Daemons daemons;
    daemons.join(1);
    daemons.join(2);
    daemons.settle();
    daemons.die(2);
    EXPECT_EQ(daemons.settle(), 128U);
    EXPECT_EQ(daemons.shares(), (Shares{256, 0}));
}

TEST(Division, AFewLanesAreSpreadOverBothDaemons) {
    Daemons daemons;
    daemons.join(1);
    daemons.settle();
    daemons.join(2);
    daemons.settle();
    std::size_t first = 0;
    for (LaneId lane = 1; lane <= 10; ++lane) {
        first += daemons.find(1).held[bucket_of(lane)] ? 1 : 0;
    }
    EXPECT_EQ(first, 5U);
}

TEST(Division, MoreDaemonsThanBuckets) {
    Daemons daemons;
    for (std::int64_t id = 1; id <= 300; ++id) {
        daemons.join(id);
    }
    EXPECT_EQ(daemons.settle(), bucket_count);
    EXPECT_TRUE(std::ranges::all_of(daemons.shares(), [](std::size_t share) { return share <= 1; }));
}

TEST(Division, WhatIsOnesOwnAndNotKnownIsTakenAnewOrGivenUpFirst) {
    std::vector<Peer> peers = {{1, true, Buckets().set()}};
    Buckets known = Buckets().set();
    known.reset(5);
    EXPECT_EQ(divide(peers, 1, known).take, ~known) << "as after a restart";
    EXPECT_TRUE(divide(peers, 1, known).give.none());
    peers.push_back({2, true, {}});
    const Division division = divide(peers, 1, known);
    EXPECT_TRUE(division.give[5]);
    EXPECT_EQ(division.give.count(), 128U);
    EXPECT_TRUE(division.take.none());
}

}  // namespace
}  // namespace lihandover::store::postgresql
