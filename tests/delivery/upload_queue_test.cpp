#include "upload_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>
#include <vector>

namespace lihandover::delivery {
namespace {

using std::chrono::seconds;
using Time = UploadQueue::Time;

class UploadQueueTest : public testing::Test {
  protected:
    model::Uuid add(std::uint64_t size, bool emergency = false, std::int64_t deadline = 1000) {
        const auto id = model::Uuid::random();
        queue_.add({id, 1, emergency, size, {deadline, 0}});
        return id;
    }
    static model::Uuid id_of(const Upload* upload) { return upload == nullptr ? model::Uuid{} : upload->object.id; }

    UploadQueue queue_;
};

constexpr std::uint64_t large = Upload::small_size + 1;

TEST_F(UploadQueueTest, EmergenciesThenSmallOnesThenInOrder) {
    const auto a = add(large);
    const auto b = add(Upload::small_size);
    const auto c = add(0);
    const auto d = add(large, true);
    const auto e = add(5, true);
    EXPECT_EQ(queue_.ready(), 5U);
    std::vector<model::Uuid> order;
    while (auto* upload = queue_.take({})) {
        EXPECT_EQ(upload->state, Upload::State::running);
        order.push_back(upload->object.id);
    }
    EXPECT_EQ(order, (std::vector{e, d, b, c, a}));
    EXPECT_EQ(queue_.waiting(), 0U);
    EXPECT_FALSE(queue_.empty());
}

TEST_F(UploadQueueTest, ThoseThatWerePutOffTakeTurnsWithOthersAndEachOther) {
    std::vector<model::Uuid> put_off;
    for (const bool emergency : {true, false}) {
        for (const auto size : {std::uint64_t{5}, large}) {
            for (int i = 0; i < 3; ++i) {
                put_off.push_back(add(size, emergency));
            }
        }
    }
    while (auto* upload = queue_.take({})) {
        queue_.rest(*upload, Time(seconds(1)));
    }
    queue_.wake(Time(seconds(1)));
    for (int i = 0; i < 4; ++i) {
        add(5);
    }
    std::vector<bool> again;
    for (int i = 0; i < 8; ++i) {
        again.push_back(queue_.take({})->put_off);
    }
    EXPECT_EQ(std::ranges::count(again, true), 4);
    EXPECT_EQ(queue_.take({.put_off = false}), nullptr) << "only such are left";
    std::set<std::pair<bool, bool>> kinds;  // all four within twice as many turns, whatever fails again
    for (int i = 0; i < 8; ++i) {
        auto* upload = queue_.take({});
        kinds.emplace(upload->object.emergency, upload->small());
        queue_.again(*upload);
    }
    EXPECT_EQ(kinds.size(), 4U);
}

TEST_F(UploadQueueTest, ProbesBeginWithEachKindInTurn) {
    const auto put_off = add(5, true);
    queue_.rest(*queue_.take({}), Time(seconds(1)));
    queue_.wake(Time(seconds(1)));
    std::vector<model::Uuid> ids;
    for (const bool emergency : {true, false}) {
        for (const auto size : {std::uint64_t{5}, large}) {
            ids.push_back(add(size, emergency));
        }
    }
    for (const auto& id : ids) {
        EXPECT_EQ(id_of(queue_.take_for_probe(true)), id);
    }
    add(large);
    EXPECT_EQ(id_of(queue_.take_for_probe(false)), put_off) << "the last of all";
}

TEST_F(UploadQueueTest, LargeOnesCanBePassedBy) {
    add(large, true);
    const auto small = add(5);
    EXPECT_EQ(id_of(queue_.take({.large = false})), small);
    EXPECT_EQ(queue_.take({.large = false}), nullptr);
    EXPECT_EQ(queue_.ready(), 1U);
}

TEST_F(UploadQueueTest, KnownOnesAreAddedOnce) {
    const auto id = add(5);
    queue_.add({id, 1, false, 5, {1000, 0}});
    EXPECT_EQ(queue_.waiting(), 1U);
    auto* upload = queue_.take({});
    queue_.add({id, 1, false, 5, {1000, 0}});
    EXPECT_EQ(queue_.waiting(), 0U);
    queue_.erase(*upload);
    EXPECT_TRUE(queue_.empty());
    EXPECT_EQ(queue_.find(id), nullptr);
}

TEST_F(UploadQueueTest, OneThatSettlesTakesOverWhatIsAdded) {
    const auto id = add(5, false, 100);
    auto* upload = queue_.take({});
    upload->failures = 3;
    queue_.settle(*upload);
    queue_.add({id, 1, true, 5, {900, 0}});
    EXPECT_EQ(queue_.waiting(), 0U);  // not before the store has answered
    EXPECT_EQ(queue_.take({}), nullptr);
    ASSERT_EQ(queue_.find(id), upload);
    EXPECT_EQ(upload->state, Upload::State::settling);
    EXPECT_TRUE(upload->again);
    EXPECT_EQ(upload->failures, 0U);
    queue_.again(*upload);
    EXPECT_FALSE(upload->again);
    EXPECT_EQ(queue_.next_deadline(), (model::Instant{900, 0}));
    EXPECT_EQ(id_of(queue_.take({})), id);
}

TEST_F(UploadQueueTest, RestingOnesComeBackWhenDue) {
    const auto a = add(5);
    const auto b = add(5);
    auto* first = queue_.take({});
    auto* second = queue_.take({});
    queue_.rest(*first, Time(seconds(20)));
    queue_.rest(*second, Time(seconds(10)));
    EXPECT_EQ(queue_.next_due(), Time(seconds(10)));
    EXPECT_EQ(queue_.resting(), 2U);
    EXPECT_EQ(queue_.waiting(), 2U);
    queue_.wake(Time(seconds(9)));
    EXPECT_EQ(queue_.take({}), nullptr);
    queue_.wake(Time(seconds(10)));
    EXPECT_EQ(id_of(queue_.take({})), b);
    EXPECT_EQ(id_of(queue_.take_resting()), a);
    EXPECT_EQ(queue_.take_resting(), nullptr);
    queue_.again(*first);
    EXPECT_EQ(id_of(queue_.take({})), a);
    EXPECT_FALSE(queue_.next_due());
}

TEST_F(UploadQueueTest, ThoseSetAsideKeepTheirDistances) {
    const auto id = add(5);
    auto* aside = queue_.take({});
    aside->set_aside = true;
    queue_.rest(*aside, Time(seconds(10)));
    EXPECT_EQ(queue_.next_due(), Time(seconds(10)));
    EXPECT_EQ(queue_.resting(), 1U);
    EXPECT_EQ(queue_.take_resting(), nullptr);
    queue_.wake_all();
    EXPECT_EQ(queue_.take({}), nullptr);
    add(5);
    auto* other = queue_.take({});
    queue_.rest(*other, Time(seconds(20)));
    EXPECT_EQ(queue_.next_due(), Time(seconds(10)));
    EXPECT_EQ(queue_.take_resting(), other);
    queue_.hurry(*aside, Time(seconds(5)));
    queue_.wake(Time(seconds(5)));
    EXPECT_EQ(queue_.ready_aside(), 1U);
    EXPECT_EQ(queue_.take({}), nullptr);
    EXPECT_EQ(id_of(queue_.take_aside(true)), id);
    queue_.rest(*aside, Time(seconds(30)));
    queue_.wake_set_aside();
    EXPECT_EQ(id_of(queue_.take_aside(false)), id);
}

TEST_F(UploadQueueTest, AnOperatorsRetryCountsWhereverItFindsTheObject) {
    for (const auto state : {Upload::State::ready, Upload::State::resting, Upload::State::running}) {
        UploadQueue queue;
        const auto id = model::Uuid::random();
        queue.add({id, 1, false, 5, {100, 0}});
        auto* upload = queue.take({});
        upload->set_aside = true;
        upload->failures = 7;
        if (state != Upload::State::running) {
            queue.rest(*upload, Time(seconds(10)));
        }
        if (state == Upload::State::ready) {
            queue.wake(Time(seconds(10)));
        }
        ASSERT_EQ(upload->state, state);
        queue.add({id, 1, false, 5, {900, 0}});
        EXPECT_FALSE(upload->set_aside);
        EXPECT_EQ(upload->failures, 0U);
        EXPECT_EQ(upload->object.deadline, (model::Instant{900, 0}));
        if (state == Upload::State::running) {
            ASSERT_EQ(upload->state, state);
            queue.rest(*upload, Time(seconds(20)));
            queue.wake(Time(seconds(20)));
        }
        EXPECT_EQ(queue.next_deadline(), (model::Instant{900, 0}));
        EXPECT_EQ(queue.take({}), upload);
        EXPECT_EQ(queue.take({}), nullptr);
    }
}

TEST_F(UploadQueueTest, DeadlinesAreThoseOfWaitingOnes) {
    const auto late = add(5, false, 300);
    const auto soon = add(large, false, 100);
    const auto later = add(5, true, 200);
    EXPECT_EQ(queue_.next_deadline(), (model::Instant{100, 0}));
    EXPECT_EQ(queue_.expired({99, 0}), nullptr);
    auto* found = queue_.expired({100, 0});
    ASSERT_EQ(id_of(found), soon);
    queue_.settle(*found);
    EXPECT_EQ(queue_.expired({199, 0}), nullptr);
    EXPECT_EQ(id_of(queue_.take({})), later);  // running: not to be interrupted
    EXPECT_EQ(queue_.expired({299, 0}), nullptr);
    EXPECT_EQ(id_of(queue_.expired({300, 0})), late);
    queue_.erase(*queue_.find(late));
    EXPECT_FALSE(queue_.next_deadline());
}

TEST_F(UploadQueueTest, ErasesFromWhereverItIs) {
    const auto a = add(5);
    const auto b = add(5);
    const auto c = add(5);
    queue_.erase(*queue_.find(b));
    auto* first = queue_.take({});
    EXPECT_EQ(id_of(first), a);
    queue_.rest(*first, Time(seconds(5)));
    queue_.erase(*first);
    EXPECT_EQ(queue_.resting(), 0U);
    EXPECT_EQ(id_of(queue_.take({})), c);
    EXPECT_EQ(queue_.ready(), 0U);
}

}  // namespace
}  // namespace lihandover::delivery
