#include "destination_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "set_aside_items.hpp"
#include "simulated_lea.hpp"

namespace lihandover::delivery::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Message = SimulatedLea::Message;
using Reply = SimulatedLea::Reply;

DestinationQueue::Policy policy(unsigned connections, unsigned max_actions = 1) {
    DestinationQueue::Policy one;
    one.connections = connections;
    one.max_actions = max_actions;
    return one;
}

/// Answers `bad` to messages with any of these rows, and accepts the others.
SimulatedLea::Script disliking(std::set<store::RowId> rows, Reply bad) {
    return [rows = std::move(rows), bad](const Message& message) {
        for (const auto row : message.rows) {
            if (rows.contains(row)) {
                return bad;
            }
        }
        return Reply{};
    };
}

Reply status(unsigned code) {
    Reply reply;
    reply.status = code;
    return reply;
}

Reply silence() {
    Reply reply;
    reply.silent = true;
    return reply;
}

std::size_t times_sent(const SimulatedLea& lea, store::RowId row) {
    std::size_t count = 0;
    for (const auto& message : lea.log) {
        count += static_cast<std::size_t>(std::ranges::count(message.rows, row));
    }
    return count;
}

// -- One item ---------------------------------------------------------------------------------------------------------

class PoisonItem : public testing::TestWithParam<unsigned> {};

TEST_P(PoisonItem, OfAnEmergencyStopsNobody) {
    SimulatedLea lea(policy(16), disliking({1}, status(GetParam())));
    lea.add(1, true);
    for (store::LaneId lane = 2; lane <= 101; ++lane) {
        lea.add(lane);
    }
    lea.run(seconds(5));
    EXPECT_THAT(lea.accepted_rows, SizeIs(100));
    for (store::LaneId lane = 2; lane <= 4; ++lane) {  // to compare it with, should that not have been enough
        lea.add(lane);
        lea.run(seconds(30));
    }
    EXPECT_EQ(lea.refused_rows.size() + lea.set_aside_rows.size(), 1U);
    EXPECT_EQ(lea.refused_rows.contains(1), judges_content(GetParam()));
    EXPECT_THAT(lea.accepted_rows, SizeIs(103));
}

INSTANTIATE_TEST_SUITE_P(Statuses, PoisonItem, testing::Values(302U, 400U, 401U, 403U, 404U, 422U, 429U, 500U, 503U));

TEST(DestinationQueue, APoisonItemIsConvictedByComparisonWithItsFollowers) {
    SimulatedLea lea(policy(1), disliking({1}, status(400)));
    for (int i = 0; i < 6; ++i) {
        lea.add(1);
    }
    EXPECT_TRUE(lea.run(seconds(30)));
    EXPECT_THAT(lea.accepted_rows, ElementsAre(2, 3, 4, 5, 6));
    ASSERT_TRUE(lea.refused_rows.contains(1));
    EXPECT_EQ(lea.refused_rows.at(1).code, 400U);
    EXPECT_LE(times_sent(lea, 1), 8U);
}

TEST(DestinationQueue, AnItemThatFailsForAWhileKeepsItsPlace) {
    auto times = std::make_shared<int>(3);
    SimulatedLea lea(policy(1), [times](const Message&) { return (*times)-- > 0 ? status(503) : Reply{}; });
    for (int i = 0; i < 5; ++i) {
        lea.add(1);
    }
    EXPECT_TRUE(lea.run(minutes(1)));
    EXPECT_THAT(lea.accepted_rows, ElementsAre(1, 2, 3, 4, 5));
}

TEST(DestinationQueue, ThreePoisonLiidsDoNotKeepALateEmergencyWaiting) {
    auto settings = policy(16);
    settings.maximum = seconds(20);
    SimulatedLea lea(settings, disliking({1, 2, 3}, status(500)));
    for (store::LaneId lane = 1; lane <= 3; ++lane) {
        lea.add(lane, true);
    }
    lea.run(minutes(10));
    EXPECT_TRUE(lea.queue().health().pause_reason()) << "nothing was ever accepted";
    const auto before = lea.now();
    const auto row = lea.add(4, true);
    lea.run(seconds(10));
    ASSERT_TRUE(lea.accepted_at.contains(row));
    EXPECT_LE(lea.accepted_at.at(row) - before, seconds(2));
}

TEST(DestinationQueue, AHundredPoisonLiidsThatComeFirstDoNotKeepTheOthersWaiting) {
    std::set<store::RowId> poison;
    for (store::RowId row = 1; row <= 100; ++row) {
        poison.insert(row);
    }
    SimulatedLea lea(policy(16), disliking(poison, status(403)));
    for (store::LaneId lane = 1; lane <= 100; ++lane) {
        lea.add(lane);
    }
    lea.run(minutes(10));
    EXPECT_TRUE(lea.queue().health().pause_reason()) << "nothing was ever accepted";
    for (store::LaneId lane = 1; lane <= 1000; ++lane) {
        lea.add(lane);
        lea.add(lane);
    }
    const auto before = lea.now();
    lea.run(minutes(10));
    EXPECT_THAT(lea.accepted_rows, SizeIs(2000));
    EXPECT_EQ(lea.refused_rows.size() + lea.set_aside_rows.size(), 100U);
    ASSERT_FALSE(lea.accepted_rows.empty());
    EXPECT_LE(lea.accepted_at.at(lea.accepted_rows.front()) - before, minutes(1));
}

TEST(DestinationQueue, AHundredPoisonLiidsThatComeJustBeforeTheOthersCostSeconds) {
    std::set<store::RowId> poison;
    for (store::RowId row = 1; row <= 100; ++row) {
        poison.insert(row);
    }
    SimulatedLea lea(policy(16), disliking(poison, status(403)));
    for (store::LaneId lane = 1; lane <= 1000; lane += 10) {
        lea.add(lane);
    }
    lea.run(milliseconds(50));
    for (int round = 0; round < 2; ++round) {
        for (store::LaneId lane = 1; lane <= 1000; ++lane) {
            lea.add(lane);
        }
    }
    const auto before = lea.now();
    lea.run(minutes(2));
    EXPECT_THAT(lea.accepted_rows, SizeIs(2000));
    EXPECT_THAT(lea.set_aside_rows, SizeIs(100));
    std::size_t soon = 0;
    for (const auto& [row, at] : lea.accepted_at) {
        soon += at - before <= seconds(10) ? 1 : 0;
    }
    EXPECT_GE(soon, 1800U) << "those of the other LIIDs";
}

TEST(DestinationQueue, SilenceForSomeItemsHoldsUpNoOther) {
    std::set<store::RowId> poison;
    for (store::RowId row = 1; row <= 40; ++row) {
        poison.insert(row);
    }
    SimulatedLea lea(policy(16), disliking(poison, silence()));
    for (store::LaneId lane = 1; lane <= 80; ++lane) {
        lea.add(lane);
    }
    for (int round = 0; round < 20; ++round) {
        for (store::LaneId lane = 1; lane <= 80; ++lane) {
            lea.add(lane);
        }
    }
    EXPECT_TRUE(lea.run(hours(2)));
    EXPECT_EQ(lea.set_aside_rows.size(), 40U);
    EXPECT_EQ(lea.accepted_rows.size(), 21U * 80 - 40);
}

TEST(DestinationQueue, ATenthOfPoisonCostsTheOthersLittle) {
    std::set<store::RowId> poison;
    for (store::RowId row = 1; row <= 1000; row += 10) {
        poison.insert(row);
    }
    const auto time_for = [](const SimulatedLea::Script& script) {
        SimulatedLea lea(policy(16), script);
        for (int round = 0; round < 20; ++round) {
            for (store::LaneId lane = 1; lane <= 1000; ++lane) {
                lea.add(lane);
            }
        }
        EXPECT_TRUE(lea.run(minutes(5)));
        return lea.passed();
    };
    const auto clean = time_for([](const Message&) { return Reply{}; });
    const auto with_poison = time_for(disliking(poison, status(403)));
    EXPECT_LE(with_poison.count(), clean.count() * 2 + 10'000) << "once they are set aside";
}

TEST(DestinationQueue, AnItemSetAsideIsTriedOnAtGrowingDistancesAndAcceptedInTheEnd) {
    SimulatedLea lea(policy(4), disliking({1}, status(403)));
    lea.add(1);
    for (int i = 0; i < 10; ++i) {
        lea.add(2);
    }
    EXPECT_TRUE(lea.run(minutes(1)));
    ASSERT_TRUE(lea.set_aside_rows.contains(1));
    EXPECT_EQ(lea.queue().set_aside().size(), 1U);
    const auto sent = times_sent(lea, 1);
    lea.pass(hours(6));
    const auto later = times_sent(lea, 1);
    EXPECT_GT(later, sent + 4);
    EXPECT_LT(later, sent + 20);
    EXPECT_FALSE(lea.queue().health().pause_reason()) << "its failures say nothing new";
    lea.set_script([](const Message&) { return Reply{}; });
    lea.pass(hours(2));
    EXPECT_EQ(lea.accepted_rows.back(), 1);
    EXPECT_EQ(lea.queue().set_aside().size(), 0U);
}

// Each takes until the timeout, over the only connection there is.
TEST(DestinationQueue, WhatIsSetAsideTakesLittleFromTheOthers) {
    constexpr store::RowId aside = 1'000'000;
    SimulatedLea lea(policy(1), [](const Message& message) {
        Reply reply;
        reply.silent = message.rows.front() >= aside;
        reply.after = seconds(1);
        return reply;
    });
    for (store::RowId i = 0; i < 300; ++i) {
        lea.queue().add_set_aside({aside + i, 1000 + i, false}, {}, lea.now());
    }
    for (int i = 0; i < 3000; ++i) {
        lea.add(i % 50);
    }
    lea.run(hours(1));
    EXPECT_THAT(lea.accepted_rows, SizeIs(3000)) << "50 minutes of work";
    lea.set_script([](const Message&) { return Reply{}; });
    lea.pass(hours(3));
    EXPECT_EQ(lea.queue().set_aside().size(), 0U) << "they are tried on";
}

TEST(DestinationQueue, AnItemSetAsideThatFallsDueWhileItsLiidIsBusyStopsNobody) {
    auto settings = policy(4);
    settings.initial = milliseconds(50);
    SimulatedLea lea(settings, [](const Message& message) {
        auto reply = message.rows.front() == 1 ? status(403) : Reply{};
        reply.after = seconds(1);
        return reply;
    });
    lea.add(1);
    for (int i = 0; i < 100; ++i) {
        lea.add(2);
    }
    EXPECT_TRUE(lea.run(minutes(5)));
    ASSERT_TRUE(lea.set_aside_rows.contains(1));
    const auto sent = times_sent(lea, 1);
    for (int i = 0; i < 1000; ++i) {  // its LIID is hardly ever free
        lea.add(1);
        lea.pass(milliseconds(900));
    }
    EXPECT_TRUE(lea.run(minutes(10)));
    EXPECT_THAT(lea.accepted_rows, SizeIs(1100));
    EXPECT_GT(times_sent(lea, 1), sent + 2);
}

TEST(DestinationQueue, AnItemSetAsideWaitsWhileItsLiidIsParkedAndOthersDoNot) {
    DestinationQueue queue;
    queue.set_policy(policy(4));
    const DestinationQueue::Time now{};
    queue.add(queue.lane(1), 1, false, false);
    auto ticket = queue.begin(now);
    const auto parked = queue.pick(ticket, false, now);
    ASSERT_EQ(parked.row, 1);
    queue.park(parked, now);
    queue.end(ticket, now);
    queue.add_set_aside({2, 1, false}, {}, now);
    EXPECT_EQ(queue.choices(now), 0U);
    queue.add_set_aside({3, 2, false}, {}, now);
    ASSERT_EQ(queue.choices(now), 1U);
    ticket = queue.begin(now);
    const auto other = queue.pick(ticket, false, now);
    EXPECT_EQ(other.row, 3);
    EXPECT_TRUE(other.set_aside);
    queue.put_off_set_aside(other, now, 0);
    queue.end(ticket, now);
    EXPECT_EQ(queue.choices(now), 0U);
    queue.look_again(queue.lane(2), 3, now);  // what it waited for has come
    EXPECT_EQ(queue.choices(now), 1U);
    queue.look_again(queue.lane(1), 1, now);
    EXPECT_EQ(queue.choices(now), 2U);
}

TEST(DestinationQueue, WhereOnlySetAsideItemsAreLeftTheyTellWhetherTheLeaIsBack) {
    SimulatedLea lea(policy(4), disliking({1}, status(403)));
    lea.add(1);
    for (int i = 0; i < 10; ++i) {
        lea.add(2);
    }
    EXPECT_TRUE(lea.run(minutes(1)));
    ASSERT_TRUE(lea.set_aside_rows.contains(1));
    lea.set_script([](const Message&) { return status(503); });
    const auto row = lea.add(3);
    lea.pass(minutes(10));
    ASSERT_TRUE(lea.queue().health().pause_reason());
    EXPECT_TRUE(lea.queue().withdraw(lea.queue().lane(3), row));
    const auto sent = lea.log.size();
    lea.pass(hours(6));
    EXPECT_GT(lea.log.size(), sent);
    EXPECT_LT(lea.log.size(), sent + 50) << "at growing distances";
    lea.set_script([](const Message&) { return Reply{}; });
    lea.queue().resume(lea.now());
    lea.pass(seconds(5));
    EXPECT_EQ(lea.accepted_rows.back(), 1);
    EXPECT_TRUE(lea.queue().health().is_open());
}

// -- Actions ----------------------------------------------------------------------------------------------------------

/// Nobody asks what became of the items.
class Unheard : public ItemOutcomes {
  public:
    void accepted(const SentItem& /*item*/, bool /*already_there*/) override {}
    void refused(const SentItem& /*item*/, store::Refusal /*refusal*/) override {}
    void set_aside(const SentItem& /*item*/, store::Refusal /*refusal*/) override {}
    void suspected(const SentItem& /*item*/, unsigned /*tries*/) override {}
};

TEST(DestinationQueue, AnItemThatWaitsBehindAFrontOneThatFailsDoesNotHoldTheLane) {
    DestinationQueue queue;
    queue.set_policy(policy(1));
    Lane& lane = queue.lane(1);
    queue.add(lane, 1, false, false);
    queue.add(lane, 2, false, false);
    DestinationQueue::Time now{};
    Unheard outcomes;
    auto ticket = queue.begin(now);
    auto pick = queue.pick(ticket, false, now);
    for (int tries = 0; tries < 20 && pick.row == 1; ++tries) {
        (void)queue.take(pick, 1);
        SentItem sent;
        sent.lane = &lane;
        sent.row = 1;
        AnswerClass silence;
        queue.settle({&sent, 1}, silence, {ticket, false, true, now, 0}, outcomes);
        queue.end(ticket, now);
        now += minutes(10);
        queue.wake(now);
        ticket = queue.begin(now);
        pick = queue.pick(ticket, false, now);
    }
    ASSERT_EQ(pick.row, 2) << "tried in place of the front one, with nothing else to compare it with";
    queue.park(pick, now);  // its objects are still being copied
    queue.end(ticket, now);
    now += minutes(10);
    queue.wake(now);
    EXPECT_EQ(queue.choices(now), 1U) << "the front one waits for time alone";
    ticket = queue.begin(now);
    EXPECT_EQ(queue.pick(ticket, false, now).row, 1);
}

TEST(DestinationQueue, AnObjectThatExistsIsAcceptedOnALaterAttemptAndRefusedOnAFirst) {
    SimulatedLea lea(policy(1), [](const Message& message) {
        Reply reply;
        reply.codes[message.rows.front()] = 3010;
        return reply;
    });
    lea.add(1, false, false);
    lea.add(2, false, true);  // waited at the start: an attempt may be forgotten
    EXPECT_TRUE(lea.run(seconds(10)));
    EXPECT_THAT(lea.accepted_rows, ElementsAre(2));
    EXPECT_TRUE(lea.refused_rows.contains(1));
}

TEST(DestinationQueue, AfterALostAnswerAnObjectThatExistsIsAccepted) {
    auto first = std::make_shared<bool>(true);
    SimulatedLea lea(policy(1), [first](const Message& message) {
        Reply reply;
        if (*first) {
            *first = false;
            reply.reset = true;
        } else {
            reply.codes[message.rows.front()] = 3010;
        }
        return reply;
    });
    lea.add(1);
    EXPECT_TRUE(lea.run(seconds(10)));
    EXPECT_THAT(lea.accepted_rows, ElementsAre(1));
}

TEST(DestinationQueue, CodesAboutTheSystemsRefuseNothingByThemselves) {
    SimulatedLea lea(policy(4), [](const Message& message) {
        Reply reply;
        for (const auto row : message.rows) {
            reply.codes[row] = 3004;
        }
        return reply;
    });
    for (store::LaneId lane = 1; lane <= 50; ++lane) {
        lea.add(lane);
    }
    lea.run(minutes(30));
    EXPECT_THAT(lea.refused_rows, IsEmpty());
    EXPECT_EQ(lea.queue().health().pause_reason(), metrics::Pause::refusals);
    lea.set_script([](const Message&) { return Reply{}; });
    EXPECT_TRUE(lea.run(minutes(10)));
    EXPECT_THAT(lea.accepted_rows, SizeIs(50));
}

TEST(DestinationQueue, TenRefusalsRunningAreTheLastUntilSomethingIsAccepted) {
    SimulatedLea lea(policy(4), [](const Message& message) {
        Reply reply;
        reply.codes[message.rows.front()] = 3005 + static_cast<std::uint64_t>(message.rows.front()) % 3;
        return reply;
    });
    for (int i = 0; i < 50; ++i) {
        lea.add(i % 5 + 1);
    }
    lea.run(minutes(30));
    EXPECT_THAT(lea.refused_rows, SizeIs(10));
    EXPECT_TRUE(lea.queue().health().pause_reason());
    lea.set_script([](const Message&) { return Reply{}; });
    EXPECT_TRUE(lea.run(minutes(10)));
    EXPECT_THAT(lea.accepted_rows, SizeIs(40));
}

TEST(DestinationQueue, AMessageTooLargeGoesInSmallerOnes) {
    SimulatedLea lea(policy(1, 16), [](const Message& message) {
        Reply reply;
        if (message.rows.size() > 3) {
            reply.message_error = 3022;
        }
        return reply;
    });
    for (int i = 0; i < 64; ++i) {
        lea.add(i % 4 + 1);
    }
    EXPECT_TRUE(lea.run(seconds(5)));
    EXPECT_THAT(lea.accepted_rows, SizeIs(64));
    EXPECT_LE(lea.messages(), 40U);
}

TEST(DestinationQueue, AMessageOfManyThatFailsGoesOneByOneAndOneIsToBlame) {
    SimulatedLea lea(policy(1, 10), disliking({5}, status(400)));
    for (int i = 0; i < 10; ++i) {
        lea.add(i % 2 + 1);
    }
    for (int i = 0; i < 40; ++i) {
        lea.add(3);
    }
    EXPECT_TRUE(lea.run(minutes(1)));
    EXPECT_THAT(lea.accepted_rows, SizeIs(49));
    EXPECT_TRUE(lea.refused_rows.contains(5));
    EXPECT_EQ(lea.log.front().rows.size(), 10U);
}

// -- Nodes and connections --------------------------------------------------------------------------------------------

struct Nodes {
    bool per_request;
    unsigned status;
    unsigned connections;
};

class OneNodeOfThreeBroken : public testing::TestWithParam<Nodes> {};

TEST_P(OneNodeOfThreeBroken, ConvictsNobodyAndIsWalkedRound) {
    const auto broken = GetParam().status;
    SimulatedLea lea(policy(GetParam().connections),
                     [broken](const Message& message) { return message.node == 0 ? status(broken) : Reply{}; });
    lea.nodes = 3;
    lea.node_per_request = GetParam().per_request;
    for (int i = 0; i < 2700; ++i) {
        lea.add(i % 100 + 1);
    }
    EXPECT_TRUE(lea.run(minutes(3)));
    EXPECT_THAT(lea.accepted_rows, SizeIs(2700));
    EXPECT_THAT(lea.refused_rows, IsEmpty());
    EXPECT_THAT(lea.set_aside_rows, IsEmpty());
    EXPECT_LE(lea.passed(), seconds(60));
}

INSTANTIATE_TEST_SUITE_P(Kinds, OneNodeOfThreeBroken,
                         testing::Values(Nodes{true, 404, 16}, Nodes{true, 500, 16}, Nodes{true, 404, 1},
                                         Nodes{false, 404, 16}, Nodes{false, 502, 4}, Nodes{false, 404, 1},
                                         Nodes{true, 503, 16}, Nodes{false, 503, 4}));

TEST(DestinationQueue, AnLeaThatTakesFewerConnectionsGetsAsManyAsItTakes) {
    SimulatedLea lea(policy(16), [](const Message&) { return Reply{}; });
    lea.most_connections = 4;
    for (int i = 0; i < 3000; ++i) {
        lea.add(i % 100 + 1);
    }
    EXPECT_TRUE(lea.run(seconds(45)));
    EXPECT_LE(lea.passed(), seconds(5));
    EXPECT_EQ(lea.pauses(), 0U);
    EXPECT_LE(lea.queue().connection_limit().limit(), 8U);
}

TEST(DestinationQueue, AnLeaThatTakesConnectionsAndClosesThemGetsAsManyAsItKeeps) {
    SimulatedLea lea(policy(16), [](const Message&) { return Reply{}; });
    lea.most_connections = 4;
    lea.closes_late = true;
    for (int i = 0; i < 3000; ++i) {
        lea.add(i % 100 + 1);
    }
    EXPECT_TRUE(lea.run(seconds(45)));
    EXPECT_LE(lea.passed(), seconds(10));
    EXPECT_EQ(lea.pauses(), 0U);
    EXPECT_THAT(lea.set_aside_rows, IsEmpty());
    EXPECT_LE(lea.queue().connection_limit().limit(), 8U);
    EXPECT_LE(lea.messages(), 3100U) << "few go to connections that are closed";
}

class TooManyAtOnce : public testing::TestWithParam<unsigned> {};

TEST_P(TooManyAtOnce, LowersTheNumberOfConnectionsAndPausesNobody) {
    SimulatedLea lea(policy(16), [](const Message&) { return Reply{}; });
    lea.most_at_once = 2;
    lea.busy = GetParam();
    for (int i = 0; i < 3000; ++i) {
        lea.add(i % 100 + 1);
    }
    EXPECT_TRUE(lea.run(seconds(45)));
    EXPECT_LE(lea.passed(), seconds(10));
    EXPECT_EQ(lea.pauses(), 0U);
    EXPECT_THAT(lea.set_aside_rows, IsEmpty());
    EXPECT_THAT(lea.refused_rows, IsEmpty());
    EXPECT_LE(lea.queue().connection_limit().limit(), 4U);
    EXPECT_LE(lea.messages(), 3100U);
}

INSTANTIATE_TEST_SUITE_P(Statuses, TooManyAtOnce, testing::Values(503U, 429U));

TEST(DestinationQueue, BusyToASingleMessageIsNoMatterOfConnections) {
    SimulatedLea lea(policy(16), [](const Message&) { return status(503); });
    for (int i = 0; i < 500; ++i) {
        lea.add(i % 100 + 1);
    }
    lea.run(minutes(20));
    EXPECT_EQ(lea.queue().health().pause_reason(), metrics::Pause::unavailable);
    EXPECT_FALSE(lea.queue().connection_limit().is_lowered());
    EXPECT_LE(lea.messages(), 200U);
    lea.set_script([](const Message&) { return Reply{}; });
    EXPECT_TRUE(lea.run(minutes(10)));
    EXPECT_THAT(lea.accepted_rows, SizeIs(500));
}

/// The peer drops the connection at one message. So does a broken node, at all.
TEST(DestinationQueue, AMessageThatThePeerDiesOfIsSetAside) {
    for (const unsigned connections : {1U, 4U, 16U}) {
        Reply dropped;
        dropped.reset = true;
        SimulatedLea lea(policy(connections), disliking({5}, dropped));
        for (int i = 0; i < 400; ++i) {
            lea.add(i % 10 + 1);
        }
        EXPECT_TRUE(lea.run(minutes(2))) << connections;
        EXPECT_THAT(lea.accepted_rows, SizeIs(399));
        ASSERT_TRUE(lea.set_aside_rows.contains(5)) << connections;
        EXPECT_THAT(lea.set_aside_rows, SizeIs(1));
        EXPECT_EQ(lea.set_aside_rows.at(5).kind, store::Refusal::Kind::no_answer);
        EXPECT_EQ(lea.pauses(), 0U);
        EXPECT_LE(times_sent(lea, 5), 20U);
    }
}

TEST(DestinationQueue, ANodeThatDropsConnectionsConvictsNobody) {
    Reply dropped;
    dropped.reset = true;
    SimulatedLea lea(policy(4), [dropped](const Message& message) { return message.node == 0 ? dropped : Reply{}; });
    lea.nodes = 3;
    for (int i = 0; i < 1000; ++i) {
        lea.add(i % 100 + 1);
    }
    EXPECT_TRUE(lea.run(minutes(3)));
    EXPECT_THAT(lea.accepted_rows, SizeIs(1000));
    EXPECT_THAT(lea.set_aside_rows, IsEmpty());
}

TEST(DestinationQueue, AnLeaThatClosesAfterEachAnswerConvictsToo) {
    SimulatedLea lea(policy(2), disliking({1}, status(400)));
    lea.keeps_alive = false;
    for (int i = 0; i < 20; ++i) {
        lea.add(i % 4 + 1);
    }
    EXPECT_TRUE(lea.run(minutes(1)));
    EXPECT_TRUE(lea.refused_rows.contains(1));
    EXPECT_THAT(lea.accepted_rows, SizeIs(19));
}

// -- The destination --------------------------------------------------------------------------------------------------

TEST(DestinationQueue, ABrokenLeaTurnsNothingIntoRefusals) {
    for (const unsigned code : {400U, 403U, 500U, 302U}) {
        SimulatedLea lea(policy(16), [code](const Message&) { return status(code); });
        for (int i = 0; i < 500; ++i) {
            lea.add(i % 100 + 1);
        }
        lea.run(hours(2));
        EXPECT_THAT(lea.refused_rows, IsEmpty());
        EXPECT_THAT(lea.set_aside_rows, IsEmpty());
        EXPECT_EQ(lea.queue().health().pause_reason(), symptom_of(code));
        EXPECT_LE(lea.messages(), 200U);
        lea.set_script([](const Message&) { return Reply{}; });
        EXPECT_TRUE(lea.run(minutes(10)));
        EXPECT_THAT(lea.accepted_rows, SizeIs(500));
    }
}

TEST(DestinationQueue, ALeaThatIsDownIsProbedNowAndThen) {
    SimulatedLea lea(policy(16), [](const Message&) { return Reply{}; });
    lea.down = true;
    for (int i = 0; i < 500; ++i) {
        lea.add(i % 100 + 1);
    }
    lea.run(hours(1));
    EXPECT_EQ(lea.queue().health().pause_reason(), metrics::Pause::unreachable);
    EXPECT_EQ(lea.messages(), 0U);
    lea.down = false;
    EXPECT_TRUE(lea.run(minutes(6)));
}

TEST(DestinationQueue, RetryAfterDelaysTheLiidThatGotIt) {
    auto wait = status(503);
    wait.retry_after = hours(1);
    SimulatedLea lea(policy(4), disliking({1}, wait));
    lea.add(1, true);
    for (store::LaneId lane = 2; lane <= 101; ++lane) {
        lea.add(lane);
    }
    lea.run(seconds(20));
    EXPECT_THAT(lea.accepted_rows, SizeIs(100));
    EXPECT_EQ(times_sent(lea, 1), 1U);
    EXPECT_TRUE(lea.queue().health().is_open());
    lea.run(minutes(6));  // retry.maximum is five
    EXPECT_GE(times_sent(lea, 1), 2U);
}

TEST(DestinationQueue, ToldToWaitByTwoLiidsTheDestinationWaitsUntilAnOperatorResumesIt) {
    auto wait = status(429);
    wait.retry_after = hours(1);
    auto settings = policy(4);
    settings.maximum = hours(2);
    SimulatedLea lea(settings, [wait](const Message&) { return wait; });
    for (store::LaneId lane = 1; lane <= 50; ++lane) {
        lea.add(lane);
    }
    lea.run(minutes(30));
    EXPECT_EQ(lea.queue().health().mode(), DestinationHealth::Mode::waiting);
    EXPECT_LE(lea.messages(), 5U);
    lea.set_script([](const Message&) { return Reply{}; });
    lea.queue().other_end(lea.now());  // a reload
    lea.queue().probe_now(lea.now());
    lea.add(60, true);
    lea.run(minutes(5));
    EXPECT_LE(lea.messages(), 5U);
    lea.queue().resume(lea.now());
    EXPECT_TRUE(lea.run(seconds(10)));
    EXPECT_THAT(lea.accepted_rows, SizeIs(51));
}

TEST(DestinationQueue, ToldToComeBackAtOnceItIsNotHammered) {
    auto wait = status(503);
    wait.retry_after = seconds(0);  // or a time that has passed
    SimulatedLea lea(policy(4), [wait](const Message&) { return wait; });
    for (store::LaneId lane = 1; lane <= 50; ++lane) {
        lea.add(lane);
    }
    lea.run(minutes(10));
    EXPECT_LE(lea.messages(), 620U);
    EXPECT_EQ(lea.queue().health().pause_reason(), metrics::Pause::unavailable) << "an alarm all the same";
    lea.set_script([](const Message&) { return Reply{}; });
    EXPECT_TRUE(lea.run(minutes(1)));
    EXPECT_FALSE(lea.queue().health().pause_reason());
}

TEST(DestinationQueue, AnOperatorPausesAndResumes) {
    SimulatedLea lea(policy(4), [](const Message&) { return Reply{}; });
    lea.queue().pause();
    for (store::LaneId lane = 1; lane <= 10; ++lane) {
        lea.add(lane, true);
    }
    lea.run(hours(3));
    EXPECT_EQ(lea.messages(), 0U);
    EXPECT_EQ(lea.queue().health().pause_reason(), metrics::Pause::by_operator);
    lea.queue().resume(lea.now());
    EXPECT_TRUE(lea.run(seconds(1)));
    EXPECT_FALSE(lea.queue().health().pause_reason());
}

TEST(DestinationQueue, WhatIsWithdrawnIsForgotten) {
    SimulatedLea lea(policy(1), disliking({1}, status(403)));
    lea.add(1);
    lea.run(seconds(10));
    EXPECT_TRUE(lea.queue().withdraw(lea.queue().lane(1), 1));
    EXPECT_EQ(lea.queue().waiting(), 0U);
    EXPECT_FALSE(lea.queue().suspects().find(1));
    lea.add(1);
    EXPECT_TRUE(lea.run(minutes(10)));
}

// -- Several daemons --------------------------------------------------------------------------------------------------

class NoOutcomes final : public ItemOutcomes {
  public:
    void accepted(const SentItem& /*item*/, bool /*already_there*/) override { ++accepted_; }
    void refused(const SentItem& /*item*/, store::Refusal /*refusal*/) override {}
    void set_aside(const SentItem& /*item*/, store::Refusal /*refusal*/) override {}
    void suspected(const SentItem& /*item*/, unsigned /*tries*/) override {}
    [[nodiscard]] int accepted() const { return accepted_; }

  private:
    int accepted_ = 0;
};

TEST(DestinationQueue, AnItemOnItsWayWhoseLaneIsLostAndTakenOverIsNotSentOnceMoreWhenItIsAccepted) {
    DestinationQueue queue;
    queue.set_policy(policy(1));
    Lane& lane = queue.lane(1);
    queue.add(lane, 1, false, false);
    queue.add(lane, 2, false, false);
    DestinationQueue::Time now{};
    Ticket ticket = queue.begin(now);
    const auto pick = queue.pick(ticket, false, now);
    ASSERT_EQ(pick.row, 1);
    static_cast<void>(queue.take(pick, pick.row));
    queue.withdraw_lane(1, [](store::RowId) {});
    queue.add(lane, 1, false, true);
    queue.add(lane, 2, false, true);
    SentItem sent;
    sent.lane = &lane;
    sent.row = 1;
    sent.sent = sent.withdrawn = true;
    AnswerClass answer;
    answer.reach = Reach::answered;
    answer.actions.resize(1);
    answer.actions[0].outcome = ActionOutcome::accepted;
    DestinationQueue::Result result;
    result.ticket = ticket;
    result.now = now;
    NoOutcomes outcomes;
    EXPECT_TRUE(queue.settle(std::span(&sent, 1), answer, result, outcomes));
    queue.end(ticket, now);
    EXPECT_EQ(outcomes.accepted(), 1);
    EXPECT_EQ(queue.waiting(), 1U);
    EXPECT_EQ(lane.rows().front().row(), 2);
}

TEST(DestinationQueue, AnItemThatIsSetAsideAndMayNotGoNowHasNotBeenTried) {
    DestinationQueue queue;
    queue.set_policy(policy(1));
    queue.lane(1).set_details(nullptr);
    DestinationQueue::Time now{};
    queue.add_set_aside({7, 1, false}, {}, now);
    Ticket ticket = queue.begin(now);
    const auto pick = queue.pick(ticket, true, now);
    ASSERT_TRUE(pick.set_aside);
    queue.put_off(pick, now + milliseconds(100), now);
    queue.end(ticket, now);
    ASSERT_NE(queue.set_aside().find(7), nullptr);
    EXPECT_EQ(queue.set_aside().find(7)->tries, 0U);
    EXPECT_EQ(queue.set_aside().find(7)->due, now);
}

TEST(SetAsideItems, KnowsThoseOfALane) {
    SetAsideItems items;
    for (store::RowId row = 1; row <= 6; ++row) {
        items.add({row, row % 2, false}, {}, {});
    }
    EXPECT_THAT(items.rows_of(1), ElementsAre(1, 3, 5));
    EXPECT_THAT(items.lanes(), testing::UnorderedElementsAre(0, 1));
    for (const store::RowId row : {1, 3, 5}) {
        EXPECT_TRUE(items.erase(row));
    }
    EXPECT_THAT(items.rows_of(1), IsEmpty());
    EXPECT_THAT(items.lanes(), ElementsAre(0));
}

}  // namespace
}  // namespace lihandover::delivery::test
