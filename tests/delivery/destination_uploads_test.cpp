#include "destination_uploads.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <vector>

#include "simulated_uploads.hpp"

namespace lihandover::delivery::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Reply = SimulatedUploads::Reply;

constexpr DestinationUploads::Policy policy{seconds(1), minutes(5), 8, false};
constexpr std::uint64_t large = Upload::small_size + 1;

Reply take(const Upload& /*upload*/) {
    return {};
}

SimulatedUploads::Script dislike(const std::set<model::Uuid>& objects, const Reply& reply) {
    return [objects, reply](const Upload& upload) { return objects.contains(upload.object.id) ? reply : Reply{}; };
}

unsigned delivered_of(const SimulatedUploads& lea, const std::vector<model::Uuid>& objects) {
    return static_cast<unsigned>(
        std::ranges::count_if(objects, [&](const auto& id) { return lea.delivered_at.contains(id); }));
}

// -- Connections ------------------------------------------------------------------------------------------------------

TEST(DestinationUploads, AnLeaThatTakesFewerConnectionsGetsAsManyAsItTakes) {
    SimulatedUploads lea(policy, [](const Upload&) { return Reply{.after = milliseconds(200)}; });
    lea.most_connections = 3;
    for (int i = 0; i < 3000; ++i) {
        lea.add();
    }
    ASSERT_TRUE(lea.run(minutes(10)));
    EXPECT_EQ(lea.delivered_at.size(), 3000U);
    EXPECT_EQ(lea.pauses, 0U);
    EXPECT_LE(lea.passed(), minutes(4)) << "as fast as three connections are";
    EXPECT_LE(lea.handshakes_failed, 30U) << "a further one is tried now and then";
}

// One that carries a body says that the LEA is there, although nothing was delivered over it yet.
TEST(DestinationUploads, AConnectionWhoseBodyIsAskedForStands) {
    SimulatedUploads lea(policy, [](const Upload&) { return Reply{.after = minutes(3)}; });
    lea.most_connections = 1;
    lea.add();
    lea.run(seconds(1));
    for (int i = 0; i < 3; ++i) {
        lea.add();
    }
    lea.run(minutes(2));
    EXPECT_TRUE(lea.uploads().health().is_open());
    EXPECT_EQ(lea.uploads().connection_limit().limit(), 1U);
    EXPECT_LE(lea.handshakes_failed, 10U);
    ASSERT_TRUE(lea.run(minutes(15)));
    EXPECT_EQ(lea.pauses, 0U);
}

TEST(DestinationUploads, ANumberThatWasLoweredGrowsAgain) {
    SimulatedUploads lea(policy, [](const Upload&) { return Reply{.after = milliseconds(200)}; });
    lea.most_connections = 2;
    for (int i = 0; i < 200; ++i) {
        lea.add();
    }
    ASSERT_TRUE(lea.run(minutes(10)));
    EXPECT_LE(lea.uploads().connection_limit().limit(), 2U);
    lea.most_connections = 1000;
    for (int i = 0; i < 10'000; ++i) {
        lea.add();
    }
    ASSERT_TRUE(lea.run(minutes(30)));
    EXPECT_EQ(lea.uploads().connection_limit().limit(), 8U);
}

TEST(DestinationUploads, WhereNothingStandsNoConnectionIsUnreachable) {
    SimulatedUploads lea(policy, take);
    lea.down = true;
    for (int i = 0; i < 20; ++i) {
        lea.add();
    }
    lea.run(minutes(10));
    EXPECT_EQ(lea.uploads().health().pause_reason(), metrics::Pause::unreachable);
    EXPECT_LE(lea.handshakes_failed, 200U) << "a probe every few seconds";
    lea.down = false;
    ASSERT_TRUE(lea.run(minutes(10)));
    EXPECT_TRUE(lea.uploads().health().is_open());
}

TEST(DestinationUploads, BusyWhereOthersAreOnTheirWayLowersTheNumberAndBlamesNobody) {
    SimulatedUploads lea(policy, [](const Upload&) { return Reply{.after = milliseconds(200)}; });
    lea.most_at_once = 3;
    for (int i = 0; i < 1000; ++i) {
        lea.add();
    }
    ASSERT_TRUE(lea.run(minutes(10)));
    EXPECT_EQ(lea.delivered_at.size(), 1000U);
    EXPECT_TRUE(lea.aside.empty());
    EXPECT_EQ(lea.pauses, 0U);
}

// The store counts a place of the disk as damaged only where it is looked at all the time.
TEST(DestinationUploads, WhatCannotBeReadAtPresentIsLookedAtAgainSoonHoweverLongThatLasts) {
    SimulatedUploads lea(policy, [](const Upload&) { return Reply{.not_now = true}; });
    const auto id = lea.add();
    lea.run(minutes(10));
    const auto before = lea.attempts[id];
    lea.run(minutes(1));
    EXPECT_GE(lea.attempts[id], before + 20);
    EXPECT_TRUE(lea.aside.empty());
    lea.set_script(take);
    EXPECT_TRUE(lea.run(seconds(5)));
}

// -- One object stops no other ----------------------------------------------------------------------------------------

TEST(DestinationUploads, EmergenciesThatFailAgainAndAgainKeepNoOtherFromGoing) {
    for (const unsigned status : {403U, 500U}) {
        std::set<model::Uuid> poison;
        SimulatedUploads lea(policy, take);
        for (int i = 0; i < 20; ++i) {
            poison.insert(lea.add(true));
        }
        std::vector<model::Uuid> good;
        for (int i = 0; i < 100; ++i) {
            good.push_back(lea.add(i % 10 == 0, i % 3 == 0 ? large : 1000));
        }
        lea.set_script(dislike(poison, {.status = status}));
        lea.run(minutes(5));
        EXPECT_EQ(delivered_of(lea, good), good.size()) << status;
    }
}

TEST(DestinationUploads, AHundredDislikedObjectsThatComeJustBeforeTheOthersCostSeconds) {
    for (const bool emergency : {false, true}) {
        std::set<model::Uuid> poison;
        SimulatedUploads lea(policy, take);
        for (int i = 0; i < 100; ++i) {
            poison.insert(lea.add(emergency));
        }
        lea.set_script(dislike(poison, {.status = 403}));
        lea.run(milliseconds(50));
        std::vector<model::Uuid> good;
        for (int i = 0; i < 1000; ++i) {
            good.push_back(lea.add());
        }
        lea.run(seconds(30));
        EXPECT_EQ(delivered_of(lea, good), good.size()) << emergency;
    }
}

// Each occupies a connection until continue_timeout.
TEST(DestinationUploads, EmergenciesWhoseContinueIsWithheldDoNotTakeAllTurns) {
    std::set<model::Uuid> poison;
    SimulatedUploads lea(policy, take);
    for (int i = 0; i < 40; ++i) {
        poison.insert(lea.add(true));
    }
    lea.set_script(dislike(poison, {.withhold = true}));
    lea.run(hours(1));  // all of them have been tried
    std::vector<model::Uuid> good;
    for (int i = 0; i < 20; ++i) {
        good.push_back(lea.add());
    }
    lea.run(seconds(10));
    EXPECT_EQ(delivered_of(lea, good), good.size()) << "some connections are kept from those that were put off";
}

TEST(DestinationUploads, WhatIsSetAsideTakesLittleFromTheOthers) {
    auto one = policy;
    one.connections = 1;
    std::set<model::Uuid> poison;
    SimulatedUploads lea(one, take);
    for (int i = 0; i < 200; ++i) {
        poison.insert(lea.add_set_aside());
    }
    lea.set_script([&](const Upload& upload) {
        return poison.contains(upload.object.id) ? Reply{.status = 0} : Reply{.after = seconds(1)};
    });
    std::vector<model::Uuid> good;
    for (int i = 0; i < 3000; ++i) {
        good.push_back(lea.add());
    }
    lea.run(hours(1));
    EXPECT_EQ(delivered_of(lea, good), good.size()) << "50 minutes of work";
    EXPECT_EQ(lea.most_aside_at_once, 1U);
    EXPECT_EQ(lea.pauses, 0U);
    lea.set_script(take);
    ASSERT_TRUE(lea.run(hours(3))) << "they are tried on";
}

}  // namespace
}  // namespace lihandover::delivery::test
