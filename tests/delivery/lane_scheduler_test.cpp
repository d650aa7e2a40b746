#include "lane_scheduler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace lihandover::delivery {
namespace {

using Time = model::Clock::SteadyTime;
using std::chrono::seconds;

std::vector<store::RowId> rows_of(const RowQueue& queue) {
    std::vector<store::RowId> rows;
    for (std::size_t i = 0; i < queue.size(); ++i) {
        rows.push_back(queue[i].row());
    }
    return rows;
}

TEST(Waiting, KeepsAllOfAnItemInEightBytes) {
    static_assert(sizeof(Waiting) == 8);
    const Waiting item((store::RowId{1} << 61) - 1, true);
    EXPECT_EQ(item.row(), (store::RowId{1} << 61) - 1);
    EXPECT_TRUE(item.emergency());
    EXPECT_FALSE(item.attempted());
    EXPECT_FALSE(Waiting(7, false).emergency());
    EXPECT_TRUE(Waiting(7, false, true).attempted());
}

TEST(RowQueue, KeepsRowsInOrderAndOnce) {
    RowQueue queue;
    for (const store::RowId row : {5, 9, 3, 7, 1, 9, 5}) {
        const auto known = rows_of(queue);
        EXPECT_EQ(queue.insert(Waiting(row, false)), std::ranges::find(known, row) == known.end());
    }
    EXPECT_EQ(rows_of(queue), (std::vector<store::RowId>{1, 3, 5, 7, 9}));
    EXPECT_EQ(queue.pop_front().row(), 1);
    EXPECT_FALSE(queue.erase(4));
    EXPECT_FALSE(queue.erase(1));
    EXPECT_FALSE(queue.erase(10));
    EXPECT_TRUE(queue.erase(7));
    EXPECT_TRUE(queue.erase(9));
    EXPECT_TRUE(queue.erase(3));
    EXPECT_EQ(rows_of(queue), (std::vector<store::RowId>{5}));
    EXPECT_EQ(queue.pop_front().row(), 5);
    EXPECT_TRUE(queue.empty());
    EXPECT_FALSE(queue.erase(5));
}

TEST(RowQueue, DoesTheSameAsAMapWhateverIsAskedOfIt) {
    std::mt19937 random(20260101);  // NOLINT(cert-msc51-cpp): the same every time
    for (int round = 0; round < 20; ++round) {
        RowQueue queue;
        std::map<store::RowId, bool> model;
        store::RowId next = 1000;
        for (int step = 0; step < 4000; ++step) {
            const auto dice = random() % 10;
            // Rounds differ in what is more frequent, so that queues grow, shrink and empty.
            if (dice < 4U + static_cast<unsigned>(round % 3)) {
                const auto row = next++;
                model.emplace(row, row % 2 == 0);
                EXPECT_TRUE(queue.insert(Waiting(row, row % 2 == 0)));
            } else if (dice < 8 && !model.empty()) {
                const auto item = queue.pop_front();
                EXPECT_EQ(item.row(), model.begin()->first);
                EXPECT_EQ(item.emergency(), model.begin()->second);
                model.erase(model.begin());
            } else if (dice == 8) {
                const auto row = static_cast<store::RowId>(random() % static_cast<std::uint64_t>(next));
                EXPECT_EQ(queue.insert(Waiting(row, false)), model.emplace(row, false).second);
            } else {
                const auto row = static_cast<store::RowId>(random() % static_cast<std::uint64_t>(next));
                EXPECT_EQ(queue.erase(row).has_value(), model.erase(row) == 1);
            }
            ASSERT_EQ(queue.size(), model.size());
        }
        for (const auto& [row, emergency] : model) {
            ASSERT_EQ(queue.pop_front().row(), row);
        }
    }
}

TEST(RowQueue, TakesLittleMemoryAndGivesItBack) {
    RowQueue queue;
    constexpr std::size_t count = 200'000;
    for (std::size_t i = 0; i < count; ++i) {
        queue.insert(Waiting(static_cast<store::RowId>(i + 1'000'000), false));
        if (i >= 64) {
            ASSERT_LE(queue.memory(), (i + 1) * 11);
        }
    }
    // A bulk retry puts many lower ones in front: neither slow nor fat.
    for (std::size_t i = 0; i < count / 10; ++i) {
        queue.insert(Waiting(static_cast<store::RowId>(1000 + i), false));
    }
    EXPECT_LE(queue.memory(), queue.size() * 16);
    while (queue.size() > 100) {
        queue.pop_front();
        ASSERT_LE(queue.memory(), std::max<std::size_t>(queue.size() * 24, 1024));
    }
    while (!queue.empty()) {
        queue.pop_front();
    }
    EXPECT_LE(queue.memory(), 64U);
}

TEST(Lane, TwoMillionItemsInManyLanesStayWithinTheBound) {
    // As the dispatcher keeps them: lanes in a hash map, at most as many as there can be warrants.
    constexpr std::size_t lanes = 100'000;
    constexpr std::size_t items = 2'000'000;
    constexpr std::size_t node = 32;  // hash map: link, hash, bucket, allocator
    std::deque<Lane> all;
    LaneScheduler schedule;
    for (std::size_t i = 0; i < lanes; ++i) {
        all.emplace_back(static_cast<store::LaneId>(i));
    }
    for (std::size_t i = 0; i < items; ++i) {
        schedule.add(all[i % lanes], Waiting(static_cast<store::RowId>(i), false));
    }
    std::size_t bytes = lanes * (sizeof(Lane) + node);
    for (const auto& lane : all) {
        bytes += lane.rows().memory() + 16;
    }
    EXPECT_EQ(schedule.waiting(), items);
    EXPECT_LE(static_cast<double>(bytes) / static_cast<double>(items), 24.0);
}

class LaneSchedulerTest : public testing::Test {
  protected:
    Lane& lane(store::LaneId id) { return lanes_.try_emplace(id, id).first->second; }
    std::vector<store::LaneId> take_all() {
        std::vector<store::LaneId> ids;
        while (auto* one = scheduler_.take()) {
            ids.push_back(one->id());
        }
        return ids;
    }

    std::map<store::LaneId, Lane> lanes_;
    LaneScheduler scheduler_;
};

TEST_F(LaneSchedulerTest, GivesEachLaneOnceUntilItIsFinished) {
    scheduler_.add(lane(1), Waiting(10, false));
    scheduler_.add(lane(1), Waiting(11, false));
    auto* taken = scheduler_.take();
    ASSERT_EQ(taken, &lane(1));
    EXPECT_EQ(scheduler_.take(), nullptr);
    EXPECT_EQ(scheduler_.pop(*taken).row(), 10);
    scheduler_.add(lane(1), Waiting(12, false));  // comes in meanwhile
    EXPECT_EQ(scheduler_.take(), nullptr);
    scheduler_.finish(*taken);
    EXPECT_EQ(scheduler_.take(), taken);
    EXPECT_EQ(scheduler_.pop(*taken).row(), 11);
    EXPECT_EQ(scheduler_.pop(*taken).row(), 12);
    scheduler_.finish(*taken);
    EXPECT_EQ(scheduler_.take(), nullptr);
    EXPECT_EQ(taken->state(), Lane::State::idle);
    EXPECT_EQ(scheduler_.waiting(), 0U);
}

TEST_F(LaneSchedulerTest, ALongLaneWaitsForAllOthersAfterEachMessage) {
    for (store::RowId row = 0; row < 1000; ++row) {
        scheduler_.add(lane(1), Waiting(row, false));
    }
    scheduler_.add(lane(2), Waiting(2000, false));
    scheduler_.add(lane(3), Waiting(2001, false));
    std::vector<store::LaneId> order;
    for (int i = 0; i < 5; ++i) {
        auto* one = scheduler_.take();
        order.push_back(one->id());
        scheduler_.pop(*one);
        scheduler_.finish(*one);
    }
    EXPECT_EQ(order, (std::vector<store::LaneId>{1, 2, 3, 1, 1}));
}

TEST_F(LaneSchedulerTest, EmergenciesGoFirst) {
    scheduler_.add(lane(1), Waiting(1, false));
    scheduler_.add(lane(2), Waiting(2, false));
    scheduler_.add(lane(3), Waiting(3, true));
    scheduler_.add(lane(2), Waiting(4, true));  // an emergency behind a routine item pulls the whole lane forward
    EXPECT_EQ(take_all(), (std::vector<store::LaneId>{3, 2, 1}));
    EXPECT_EQ(scheduler_.pop(lane(2)).row(), 2);  // but never past it
    scheduler_.finish(lane(2));
    scheduler_.add(lane(4), Waiting(8, false));
    EXPECT_EQ(scheduler_.take(), &lane(2)) << "still an emergency";
    scheduler_.pop(lane(2));
    scheduler_.add(lane(2), Waiting(5, false));
    scheduler_.finish(lane(2));
    EXPECT_EQ(scheduler_.take(), &lane(4)) << "no emergency any more";
}

TEST_F(LaneSchedulerTest, ARetriedItemGoesNext) {
    for (const store::RowId row : {5, 6, 7}) {
        scheduler_.add(lane(1), Waiting(row, false));
    }
    scheduler_.take();
    EXPECT_EQ(scheduler_.pop(lane(1)).row(), 5);
    EXPECT_EQ(scheduler_.pop(lane(1)).row(), 6);
    EXPECT_TRUE(scheduler_.add(lane(1), Waiting(5, false)));
    EXPECT_FALSE(scheduler_.add(lane(1), Waiting(5, false)));
    scheduler_.finish(lane(1));
    scheduler_.add(lane(1), Waiting(2, false));  // an operator's retry of an old one
    scheduler_.take();
    EXPECT_EQ(scheduler_.pop(lane(1)).row(), 2);
    EXPECT_EQ(scheduler_.pop(lane(1)).row(), 5);
    EXPECT_EQ(scheduler_.pop(lane(1)).row(), 7);
}

TEST_F(LaneSchedulerTest, RestingLanesComeBackWhenDue) {
    const Time start{};
    for (store::LaneId id = 1; id <= 3; ++id) {
        scheduler_.add(lane(id), Waiting(id, false));
        scheduler_.take();
    }
    scheduler_.rest(lane(1), start + seconds(30));
    scheduler_.rest(lane(2), start + seconds(10));
    scheduler_.rest(lane(3), start + seconds(20));
    EXPECT_EQ(scheduler_.next_due(), start + seconds(10));
    EXPECT_EQ(scheduler_.ready(), 0U);
    scheduler_.wake(start + seconds(9));
    EXPECT_EQ(scheduler_.take(), nullptr);
    scheduler_.wake(start + seconds(20));
    EXPECT_EQ(take_all(), (std::vector<store::LaneId>{2, 3}));
    EXPECT_EQ(scheduler_.take_for_probe(1), &lane(1));
    EXPECT_EQ(scheduler_.take_for_probe(1), nullptr);
    scheduler_.rest(lane(1), start + seconds(99));
    scheduler_.wake_all();
    EXPECT_EQ(scheduler_.ready(), 1U);
}

TEST_F(LaneSchedulerTest, AddingToARestingLaneDoesNotWakeIt) {
    scheduler_.add(lane(1), Waiting(1, false));
    scheduler_.take();
    scheduler_.rest(lane(1), Time{} + seconds(5));
    scheduler_.add(lane(1), Waiting(2, true));
    EXPECT_EQ(scheduler_.take(), nullptr);
    scheduler_.add(lane(2), Waiting(3, false));
    scheduler_.wake(Time{} + seconds(5));
    EXPECT_EQ(scheduler_.take(), &lane(1)) << "as an emergency";
}

TEST_F(LaneSchedulerTest, AParkedLaneIsFoundByNobodyUntilItIsUnparked) {
    scheduler_.add(lane(1), Waiting(5, true));
    scheduler_.add(lane(1), Waiting(6, false));
    scheduler_.park(*scheduler_.take());
    EXPECT_EQ(lane(1).state(), Lane::State::parked);
    scheduler_.add(lane(1), Waiting(7, true));  // behind: changes nothing
    scheduler_.wake_all();
    EXPECT_EQ(scheduler_.take(), nullptr);
    EXPECT_EQ(scheduler_.take_for_probe(1), nullptr);
    EXPECT_EQ(scheduler_.ready() + scheduler_.resting(), 0U);
    EXPECT_EQ(scheduler_.waiting(), 3U);
    EXPECT_TRUE(scheduler_.remove(lane(1), 6));  // nor does this
    EXPECT_EQ(scheduler_.take(), nullptr);
    scheduler_.unpark(lane(1));
    scheduler_.unpark(lane(1));
    EXPECT_EQ(scheduler_.take(), &lane(1));
    EXPECT_EQ(scheduler_.take(), nullptr);
}

TEST_F(LaneSchedulerTest, AParkedLaneGoesOnWhenAnotherItemComesToTheFront) {
    scheduler_.add(lane(1), Waiting(5, false));
    scheduler_.park(*scheduler_.take());
    scheduler_.add(lane(1), Waiting(4, false));  // an operator's retry
    EXPECT_EQ(scheduler_.take(), &lane(1));
    scheduler_.park(lane(1));
    EXPECT_TRUE(scheduler_.remove(lane(1), 4));
    EXPECT_EQ(scheduler_.take(), &lane(1));
    scheduler_.park(lane(1));
    EXPECT_TRUE(scheduler_.remove(lane(1), 5));
    EXPECT_EQ(lane(1).state(), Lane::State::idle);
    scheduler_.take_for_probe(1);
    EXPECT_EQ(scheduler_.take(), nullptr);
    scheduler_.add(lane(2), Waiting(9, false));
    auto* taken = scheduler_.take();
    scheduler_.pop(*taken);
    scheduler_.park(*taken);  // with nothing in it
    EXPECT_EQ(lane(2).state(), Lane::State::idle);
}

TEST_F(LaneSchedulerTest, RemovingTheLastItemEmptiesTheLaneWhereverItIs) {
    scheduler_.add(lane(1), Waiting(1, true));  // ready
    scheduler_.add(lane(2), Waiting(2, false));
    scheduler_.add(lane(3), Waiting(3, false));
    EXPECT_EQ(scheduler_.take(), &lane(1));
    EXPECT_EQ(scheduler_.take(), &lane(2));
    scheduler_.rest(lane(2), Time{} + seconds(5));
    EXPECT_TRUE(scheduler_.remove(lane(2), 2));
    EXPECT_TRUE(scheduler_.remove(lane(3), 3));
    EXPECT_FALSE(scheduler_.remove(lane(3), 3));
    EXPECT_TRUE(scheduler_.remove(lane(1), 1));  // busy: stays taken
    EXPECT_EQ(lane(1).state(), Lane::State::busy);
    EXPECT_EQ(lane(2).state(), Lane::State::idle);
    EXPECT_EQ(lane(3).state(), Lane::State::idle);
    EXPECT_EQ(scheduler_.ready() + scheduler_.resting(), 0U);
    scheduler_.finish(lane(1));
    EXPECT_EQ(scheduler_.waiting(), 0U);
    EXPECT_FALSE(scheduler_.next_due().has_value());
}

TEST_F(LaneSchedulerTest, RemovingTheOnlyEmergencyMakesALaneRoutine) {
    scheduler_.add(lane(1), Waiting(1, false));
    scheduler_.add(lane(2), Waiting(2, false));
    scheduler_.add(lane(2), Waiting(3, true));
    EXPECT_EQ(scheduler_.peek(), &lane(2));
    EXPECT_TRUE(scheduler_.remove(lane(2), 3));
    EXPECT_EQ(scheduler_.peek(), &lane(1));
}

TEST_F(LaneSchedulerTest, RemovingTheItemInFrontEndsItsRest) {
    scheduler_.add(lane(1), Waiting(1, false));
    scheduler_.add(lane(1), Waiting(2, false));
    scheduler_.take();
    scheduler_.rest(lane(1), Time{} + seconds(5));
    EXPECT_TRUE(scheduler_.remove(lane(1), 1));
    EXPECT_EQ(scheduler_.take(), &lane(1));
}

TEST_F(LaneSchedulerTest, AnItemBehindTheFrontOneMayGoFirst) {
    for (const store::RowId row : {1, 2, 3}) {
        scheduler_.add(lane(1), Waiting(row, row == 2));
    }
    scheduler_.take();
    EXPECT_EQ(scheduler_.pop(lane(1), 2).row(), 2);
    scheduler_.finish(lane(1));
    EXPECT_EQ(scheduler_.take(), &lane(1));
    EXPECT_EQ(scheduler_.pop(lane(1)).row(), 1);
    EXPECT_EQ(scheduler_.pop(lane(1)).row(), 3);
    EXPECT_EQ(scheduler_.waiting(), 0U);
}

TEST_F(LaneSchedulerTest, LanesOnTrialAreTakenApart) {
    for (store::LaneId id = 1; id <= 2; ++id) {
        scheduler_.add(lane(id), Waiting(id, false));
    }
    scheduler_.take();
    scheduler_.rest(lane(1), Time{} + seconds(9));
    scheduler_.hurry(lane(1), Time{} + seconds(1), true);
    scheduler_.wake(Time{} + seconds(1));
    EXPECT_EQ(scheduler_.on_trial(), 1U);
    EXPECT_EQ(scheduler_.ready(), 1U);
    EXPECT_EQ(scheduler_.take(), &lane(2));
    EXPECT_EQ(scheduler_.take(), nullptr);
    EXPECT_EQ(scheduler_.take_trial(), &lane(1));
    EXPECT_EQ(scheduler_.take_trial(), nullptr);
    scheduler_.rest(lane(1), Time{} + seconds(2), true);
    scheduler_.wake(Time{} + seconds(2));
    scheduler_.add(lane(1), Waiting(0, false));  // a retry: the suspect is no longer in front
    EXPECT_EQ(scheduler_.on_trial(), 0U);
    EXPECT_EQ(scheduler_.take(), &lane(1));
}

TEST_F(LaneSchedulerTest, ProbesGoRoundEmergenciesFirstButNotOnly) {
    for (store::LaneId id = 1; id <= 4; ++id) {
        scheduler_.add(lane(id), Waiting(id, id <= 2));
    }
    std::vector<store::LaneId> order;
    for (int i = 0; i < 8; ++i) {
        auto* one = scheduler_.take_for_probe(7);
        ASSERT_NE(one, nullptr);
        order.push_back(one->id());
        one->blame(7);
        scheduler_.rest(*one, Time{} + seconds(i + 1));
    }
    EXPECT_EQ(order, (std::vector<store::LaneId>{1, 4, 2, 3, 1, 4, 2, 3}));
    EXPECT_FALSE(scheduler_.has_unblamed(7));
    scheduler_.add(lane(5), Waiting(9, false));
    EXPECT_TRUE(scheduler_.has_unblamed(7));
    EXPECT_EQ(scheduler_.take_unblamed(7), &lane(5));
    EXPECT_EQ(scheduler_.take_unblamed(7), nullptr);
}

TEST_F(LaneSchedulerTest, AMoveThatIsNoneEndsTheDaemon) {
    scheduler_.add(lane(1), Waiting(1, false));
    EXPECT_DEATH(scheduler_.rest(lane(1), Time{}), "a lane moves as its states allow");
    EXPECT_DEATH(scheduler_.pop(lane(1)), "items go out of lanes that were taken");
}

}  // namespace
}  // namespace lihandover::delivery
