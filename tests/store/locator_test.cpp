#include "common/locator.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "../support/eventually.hpp"

namespace lihandover::store::test {
namespace {

using lihandover::test::eventually;
using testing::ElementsAre;

/// A queue of which each step is one row, and waits until it may end.
class ALocator : public testing::Test {
  protected:
    using Located = std::optional<std::vector<Meant>>;

    model::Result<Locator::Step> look(const std::vector<model::Uuid>& ids, RowId after) {
        ++steps_;
        while (!may_go_on_) {
            std::this_thread::yield();
        }
        if (after == broken_behind_) {
            return model::Error{"broken"};
        }
        Locator::Step step;
        if (const auto next = queue_.upper_bound(after); next != queue_.end()) {
            step.last = next->first;
            if (std::ranges::find(ids, next->second) != ids.end()) {
                step.found.emplace_back(next->second, next->first);
            }
        }
        return step;
    }
    Locator make(std::chrono::milliseconds most = std::chrono::minutes(5)) {
        return Locator([this](const auto& ids, RowId after) { return look(ids, after); }, most);
    }
    static std::future<Located> locate(Locator& locator, std::vector<Meant> items) {
        auto told = std::make_shared<std::promise<Located>>();
        auto future = told->get_future();
        locator.locate(std::move(items), [told](Located located) { told->set_value(std::move(located)); });
        return future;
    }
    static std::vector<RowId> rows_of(const Located& located) {
        std::vector<RowId> rows;
        for (const Meant& one : located.value()) {
            rows.push_back(one.row);
        }
        return rows;
    }

    std::map<RowId, model::Uuid> queue_{
        {3, model::Uuid::random()}, {5, model::Uuid::random()}, {8, model::Uuid::random()}};
    RowId broken_behind_ = -1;
    std::atomic<bool> may_go_on_{true};
    std::atomic<int> steps_{0};
};

TEST_F(ALocator, PutsInTheRowsOfWhatIsQueued) {
    Locator locator = make();
    const std::vector<Meant> items{{queue_[8], {ItemState::queued}},
                                   {model::Uuid::random(), {ItemState::queued}},
                                   {queue_[3], {ItemState::held}},
                                   {queue_[5], {ItemState::queued}, 77},
                                   {queue_[5], {ItemState::queued}}};
    EXPECT_TRUE(Locator::is_needed(items));
    EXPECT_FALSE(Locator::is_needed({items[2], items[3]}));
    EXPECT_THAT(rows_of(locate(locator, items).get()), ElementsAre(8, 0, 0, 77, 5));
    EXPECT_EQ(steps_, 4);
    EXPECT_THAT(rows_of(locate(locator, {{queue_[3], {ItemState::queued}}}).get()), ElementsAre(3));
    EXPECT_EQ(steps_, 5) << "no further than needed";
}

TEST_F(ALocator, LooksOnceForAllThatWait) {
    may_go_on_ = false;
    Locator locator = make();
    auto first = locate(locator, {{model::Uuid::random(), {ItemState::queued}}});
    ASSERT_TRUE(eventually([&] { return steps_ == 1; }));
    auto second = locate(locator, {{queue_[8], {ItemState::queued}}});
    auto third = locate(locator, {{queue_[8], {ItemState::queued}}, {queue_[5], {ItemState::queued}}});
    may_go_on_ = true;
    EXPECT_THAT(rows_of(first.get()), ElementsAre(0));
    EXPECT_THAT(rows_of(second.get()), ElementsAre(8));
    EXPECT_THAT(rows_of(third.get()), ElementsAre(8, 5));
    EXPECT_EQ(steps_, 4 + 3);
}

TEST_F(ALocator, GivesUpWhenItIsToStop) {
    may_go_on_ = false;
    Locator locator = make();
    auto first = locate(locator, {{model::Uuid::random(), {ItemState::queued}}});
    ASSERT_TRUE(eventually([&] { return steps_ == 1; }));
    auto waiting = locate(locator, {{queue_[3], {ItemState::queued}}});
    std::thread stopping([&] { locator.stop(); });
    // From then on it takes nothing more.
    std::vector<std::future<Located>> more;
    ASSERT_TRUE(eventually([&] {
        more.push_back(locate(locator, {{queue_[3], {ItemState::queued}}}));
        return more.back().wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }));
    may_go_on_ = true;
    stopping.join();
    EXPECT_FALSE(first.get());
    EXPECT_FALSE(waiting.get());
    for (auto& one : more) {
        EXPECT_FALSE(one.get());
    }
    EXPECT_EQ(steps_, 1);
}

TEST_F(ALocator, EndsWithoutBeingWaitedFor) {
    may_go_on_ = false;
    Locator locator = make();
    auto first = locate(locator, {{model::Uuid::random(), {ItemState::queued}}});
    ASSERT_TRUE(eventually([&] { return steps_ == 1; }));
    auto waiting = locate(locator, {{queue_[3], {ItemState::queued}}});
    locator.end();
    EXPECT_FALSE(locate(locator, {{queue_[3], {ItemState::queued}}}).get());
    may_go_on_ = true;
    EXPECT_FALSE(first.get());
    EXPECT_FALSE(waiting.get());
    EXPECT_EQ(steps_, 1);
}

TEST_F(ALocator, LooksNoLongerThanItMay) {
    Locator locator = make(std::chrono::milliseconds(0));
    EXPECT_FALSE(locate(locator, {{queue_[3], {ItemState::queued}}}).get());
}

TEST_F(ALocator, SaysNothingOfAQueueThatItCannotRead) {
    broken_behind_ = 5;
    Locator locator = make();
    EXPECT_FALSE(locate(locator, {{queue_[3], {ItemState::queued}}, {queue_[8], {ItemState::queued}}}).get());
    EXPECT_THAT(rows_of(locate(locator, {{queue_[3], {ItemState::queued}}}).get()), ElementsAre(3));
}

}  // namespace
}  // namespace lihandover::store::test
