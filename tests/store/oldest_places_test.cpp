#include "common/oldest_places.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <stdexcept>

namespace lihandover::store {
namespace {

using testing::IsEmpty;

constexpr LaneId one = 1;    ///< of "a"
constexpr LaneId other = 2;  ///< of "b"

class Queue : public QueueReads {
  public:
    bool is_queued(RowId row) override {
        ++asked;
        return rows.contains(row);
    }
    std::optional<model::Instant> queued_at(RowId row) override { return model::Instant{row, 0}; }
    std::vector<QueuedItem> queued_after(RowId row) override {
        if (fails) {
            throw std::runtime_error("the disk");
        }
        std::vector<QueuedItem> page;
        for (auto at = rows.upper_bound(row); at != rows.end() && page.size() < 3; ++at) {
            page.push_back(at->second);
        }
        looked_at += page.size();
        return page;
    }
    void add(RowId row, LaneId lane, bool emergency = false) { rows[row] = {row, lane, emergency}; }

    std::map<RowId, QueuedItem> rows;
    std::size_t looked_at = 0;
    std::size_t asked = 0;
    bool fails = false;
};

class OldestPlacesTest : public testing::Test {
  protected:
    OldestPlacesTest() {
        catalogue_.add_lane({one, "a", "LIID-1"}, 0);
        catalogue_.add_lane({other, "b", "LIID-2"}, 0);
    }
    /// The row, which the fake queue has for the time as well; 0: none.
    RowId oldest(const std::string& destination, bool emergency = false) {
        const auto all = places_.read(catalogue_, queue_);
        const auto found = all.find(destination);
        if (found == all.end()) {
            return 0;
        }
        const auto& since = emergency ? found->second.emergency : found->second.routine;
        return since ? since->seconds : 0;
    }

    Catalogue catalogue_;
    Queue queue_;
    OldestPlaces places_;
};

TEST_F(OldestPlacesTest, WhatWasSeenIsNotLookedAtAgain) {
    for (RowId row = 1; row <= 1000; ++row) {
        queue_.add(row, one);
    }
    EXPECT_EQ(oldest("a"), 1);
    EXPECT_EQ(queue_.looked_at, 1000U);
    queue_.looked_at = 0;
    EXPECT_EQ(oldest("a"), 1);
    EXPECT_EQ(oldest("b"), 0);
    EXPECT_EQ(oldest("a", true), 0) << "of none waits, and nobody looks for it";
    EXPECT_EQ(queue_.looked_at, 0U);
    queue_.add(1001, other, true);
    EXPECT_EQ(oldest("b", true), 1001);
    EXPECT_EQ(queue_.looked_at, 1U);
    // The other's items go one by one; those that wait behind are passed by once.
    queue_.rows.erase(1001);
    queue_.add(1002, other, true);
    queue_.looked_at = 0;
    EXPECT_EQ(oldest("b", true), 1002);
    EXPECT_LE(queue_.looked_at, 3U);
}

TEST_F(OldestPlacesTest, WhatFollowsTheOldestIsFoundWhenItHasGone) {
    for (RowId row = 1; row <= 20; ++row) {
        queue_.add(row, row % 10 == 0 ? other : one);
    }
    EXPECT_EQ(oldest("b"), 10);
    queue_.rows.erase(10);
    EXPECT_EQ(oldest("b"), 20);
    EXPECT_EQ(oldest("a"), 1);
    queue_.rows.clear();
    EXPECT_THAT(places_.read(catalogue_, queue_), IsEmpty());
    queue_.add(21, other);
    EXPECT_EQ(oldest("b"), 21);
}

TEST_F(OldestPlacesTest, WhatIsPutBackIsFoundInItsOldPlace) {
    queue_.add(5, one);
    queue_.add(6, one);
    EXPECT_EQ(oldest("a"), 5);
    queue_.add(3, one, true);
    queue_.add(2, other);
    places_.put_back(3);
    places_.put_back(2);
    EXPECT_EQ(oldest("a"), 5);
    EXPECT_EQ(oldest("a", true), 3);
    EXPECT_EQ(oldest("b"), 2);
    queue_.rows.erase(5);
    queue_.add(1, one);
    places_.put_back(1);
    EXPECT_EQ(oldest("a"), 1);
    EXPECT_EQ(oldest("b"), 2);
}

TEST_F(OldestPlacesTest, AReadThatFailedLosesNothing) {
    queue_.add(5, one);
    EXPECT_EQ(oldest("a"), 5);
    queue_.add(2, other);
    places_.put_back(2);
    queue_.fails = true;
    EXPECT_THROW(static_cast<void>(oldest("b")), std::runtime_error);
    queue_.fails = false;
    EXPECT_EQ(oldest("b"), 2);
    EXPECT_EQ(oldest("a"), 5);
}

TEST_F(OldestPlacesTest, ItemsOfLanesThatNobodyKnowsAreLeftOut) {
    queue_.add(1, 99);
    queue_.add(2, one);
    EXPECT_EQ(oldest("a"), 2);
}

}  // namespace
}  // namespace lihandover::store
