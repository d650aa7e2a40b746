#include "backlog_ranking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

namespace lihandover::delivery {
namespace {

class BacklogRankingTest : public testing::Test {
  protected:
    Lane& lane() { return lanes_.emplace_back(static_cast<store::LaneId>(lanes_.size() + 1)); }
    void add(Lane& lane, store::RowId row, bool emergency = false) { scheduler_.add(lane, Waiting(row, emergency)); }
    std::vector<store::LaneId> ranked(BacklogOrder order, std::size_t limit) {
        BacklogRanking ranking({order, limit});
        for (const Lane& lane : lanes_) {
            ranking.add(lane);
        }
        waiting_ = ranking.lanes_waiting();
        std::vector<store::LaneId> ids;
        for (const auto& entry : ranking.take()) {
            ids.push_back(entry.lane->id());
        }
        return ids;
    }

    std::deque<Lane> lanes_;
    LaneScheduler scheduler_;
    std::uint64_t waiting_ = 0;
};

TEST_F(BacklogRankingTest, NamesTheLongestOrTheOldestFirst) {
    using Ids = std::vector<store::LaneId>;
    Lane& one = lane();
    Lane& two = lane();
    Lane& three = lane();
    lane();
    add(one, 30);
    add(two, 20);
    add(two, 21);
    add(three, 10);
    EXPECT_EQ(ranked(BacklogOrder::items, 10), (Ids{2, 3, 1})) << "of equal ones the older first";
    EXPECT_EQ(waiting_, 3U) << "one has none";
    EXPECT_EQ(ranked(BacklogOrder::age, 10), (Ids{3, 2, 1}));
    EXPECT_EQ(ranked(BacklogOrder::age, 1), (Ids{3}));
    EXPECT_EQ(ranked(BacklogOrder::items, 0), Ids{});
    EXPECT_EQ(waiting_, 3U);
}

TEST_F(BacklogRankingTest, CountsWhatIsOnItsWay) {
    Lane& one = lane();
    add(one, 10, true);
    add(one, 11);
    add(one, 12);
    ASSERT_EQ(scheduler_.take(), &one);
    scheduler_.pop(one, 11);
    scheduler_.pop(one);
    EXPECT_EQ(one.backlog(), 3U);
    EXPECT_EQ(one.emergencies(), 1U);
    EXPECT_EQ(one.oldest().row(), 10);
    LaneBacklog told = backlog_of(one, nullptr);
    EXPECT_EQ(told.state, LaneState::in_flight);
    EXPECT_EQ(told.first, (store::ListPlace{false, 10}));
    // The first comes back, the other was accepted.
    add(one, 10, true);
    scheduler_.rest(one, {});
    EXPECT_EQ(one.backlog(), 2U);
    EXPECT_EQ(one.emergencies(), 1U);
    EXPECT_EQ(one.oldest().row(), 10);
    EXPECT_EQ(backlog_of(one, nullptr).state, LaneState::resting);
    scheduler_.wake_all();
    ASSERT_EQ(scheduler_.take(), &one);
    scheduler_.pop(one);
    scheduler_.pop(one);
    EXPECT_EQ(one.backlog(), 2U) << "a lane whose last items are on their way is not empty";
    scheduler_.finish(one);
    EXPECT_EQ(one.backlog(), 0U);
    EXPECT_EQ(one.emergencies(), 0U);
}

TEST_F(BacklogRankingTest, FindsTheFewAmongMany) {
    constexpr std::size_t count = 100'000;
    std::minstd_rand random(7);
    store::RowId row = 0;
    for (std::size_t i = 0; i < count; ++i) {
        Lane& each = lane();
        for (std::size_t items = random() % 20; items > 0; --items) {
            add(each, ++row);
        }
    }
    for (const auto order : {BacklogOrder::items, BacklogOrder::age}) {
        const auto few = ranked(order, 50);
        const auto all = ranked(order, count);
        ASSERT_EQ(all.size(), waiting_);
        EXPECT_EQ(few, std::vector<store::LaneId>(all.begin(), all.begin() + 50));
        const auto size_of = [this](store::LaneId id) { return lanes_[static_cast<std::size_t>(id) - 1].backlog(); };
        EXPECT_TRUE(order == BacklogOrder::age || std::ranges::is_sorted(all, std::greater(), size_of));
    }
}

}  // namespace
}  // namespace lihandover::delivery
