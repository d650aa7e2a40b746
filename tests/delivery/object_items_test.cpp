#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "running.hpp"

// Items with binary objects, up to their acceptance.

namespace lihandover::delivery::test {
namespace {

using std::chrono::seconds;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;

class ObjectItems : public Running {
  protected:
    TestStore::Binary binary() const { return {.url_prefix = lea_->objects_url(), .lifetime = std::chrono::hours(10)}; }
    /// As far as it goes without anything else happening.
    void let_it_go_on() {
        store_.say_health(true);
        (void)store_.queue(store_.make_lane("lea-one", "ANOTHER"), 1);
        ++others_;
    }
    bool accepted(std::size_t count) { return all_accepted(count + others_); }
    static double left(const model::Instant& expiry, const model::Instant& now) {
        return static_cast<double>(expiry.micros() - now.micros()) / 1e6;
    }

    std::size_t others_ = 0;
};

TEST_F(ObjectItems, SayWhatTheyHaveAndThatTheyHaveIt) {
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue({{.lane = lane, .binaries = {binary(), binary()}}, {.lane = lane}});
    ASSERT_TRUE(all_accepted(2));
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(objects_of(made)));
    EXPECT_TRUE(store_.accepted()[0].has_objects);
    EXPECT_FALSE(store_.accepted()[1].has_objects);
    const auto body = lea_->arrivals()[0].body;
    for (const auto& id : made[0].binaries) {
        EXPECT_NE(body.find(lea_->objects_url() + id.to_string()), std::string::npos);
    }
    EXPECT_NE(body.find("expiry>" + model::to_qualified_date_time(store_.stamps().at(0).expiry)), std::string::npos);
}

TEST_F(ObjectItems, AreStampedOnceBeforeTheirFirstAttempt) {
    lea_->set_script([](const Arrival&) { return http_status(503); });
    start();
    const auto now = clock_.wall();
    const auto made = store_.queue({{.lane = store_.make_lane("lea-one", "LIID-1"), .binaries = {binary(), binary()}}});
    ASSERT_TRUE(eventually([&] { return lea_->count() >= 3; }));
    ASSERT_THAT(store_.stamps(), SizeIs(1));
    EXPECT_EQ(store_.stamps()[0].row, made[0].row);
    const auto lasts = left(store_.stamps()[0].expiry, now);
    EXPECT_GE(lasts, 36'000);
    EXPECT_LE(lasts, 36'000 + 60);
    const auto arrivals = lea_->arrivals();
    EXPECT_EQ(arrivals[0].deliver(), arrivals[2].deliver());  // the same bytes each time
}

TEST_F(ObjectItems, AreStampedWithATimeThatHasPassedWhereTheClockIsBehind) {
    const auto now = clock_.wall();
    clock_.fall_behind(std::chrono::hours(24 * 100));
    start();
    store_.queue({{.lane = store_.make_lane("lea-one", "LIID-1"), .binaries = {binary()}}});
    ASSERT_TRUE(all_accepted(1));
    ASSERT_THAT(store_.stamps(), SizeIs(1));
    EXPECT_GE(left(store_.stamps()[0].expiry, now), 36'000);
    EXPECT_LE(left(store_.stamps()[0].expiry, now), 36'000 + 60);
}

TEST_F(ObjectItems, AreStampedAgainOnceLessThanHalfIsLeft) {
    lea_->set_script([](const Arrival&) { return http_status(503); });
    start();
    store_.queue({{.lane = store_.make_lane("lea-one", "LIID-1"), .binaries = {binary()}}});
    ASSERT_TRUE(eventually([&] { return lea_->count() >= 2; }));
    clock_.advance(std::chrono::hours(4));
    const auto count = lea_->count();
    store_.say_health(true);
    ASSERT_TRUE(eventually([&] { return lea_->count() >= count + 2; }));
    EXPECT_THAT(store_.stamps(), SizeIs(1));
    clock_.advance(std::chrono::hours(2));
    store_.say_health(true);
    ASSERT_TRUE(eventually([&] { return store_.stamps().size() == 2; }));
    lea_->set_script(accept);
    ASSERT_TRUE(accepted(1));
    EXPECT_THAT(store_.stamps(), SizeIs(2));
    EXPECT_GE(left(store_.stamps()[1].expiry, store_.stamps()[0].expiry), 6 * 3600 - 60);
    EXPECT_NE(lea_->arrivals().back().body.find(model::to_qualified_date_time(store_.stamps()[1].expiry)),
              std::string::npos);
}

TEST_F(ObjectItems, WaitForTheirStampWithoutHoldingUpOthers) {
    store_.fail_stamps(true);
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue({{.lane = lane, .binaries = {binary()}}, {.lane = lane}});
    const auto other = store_.queue(store_.make_lane("lea-one", "LIID-2"), 5);
    ASSERT_TRUE(all_accepted(5));
    EXPECT_THAT(lea_->objects(), ElementsAreArray(objects_of(other)));
    store_.fail_stamps(false);
    ASSERT_TRUE(all_accepted(7));
    auto objects = lea_->objects();
    objects.erase(objects.begin(), objects.begin() + 5);
    EXPECT_THAT(objects, ElementsAreArray(objects_of(made)));
}

TEST_F(ObjectItems, ThatArePreparingKeepTheirPlaceAndHoldOnlyTheirLiid) {
    options_.max_actions_per_message = 10;
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    auto expected = objects_of(store_.queue({{.lane = lane}}));
    ASSERT_TRUE(accepted(1));
    const auto made = store_.queue({{.lane = lane},
                                    {.lane = lane, .binaries = {binary()}, .preparing = true},
                                    {.lane = lane},
                                    {.lane = lane, .binaries = {binary()}}});
    ASSERT_TRUE(accepted(2));  // what was queued before it goes
    let_it_go_on();
    ASSERT_TRUE(accepted(2));
    EXPECT_EQ(store_.waiting(), 3U);
    store_.prepare(made[1].row);
    ASSERT_TRUE(accepted(5));
    for (const auto& id : objects_of(made)) {
        expected.push_back(id);
    }
    std::vector<model::Uuid> in_lane;
    for (const auto& one : store_.accepted()) {
        if (one.lane == lane) {
            in_lane.push_back(one.object_id);
        }
    }
    EXPECT_EQ(in_lane, expected);
}

TEST_F(ObjectItems, AreSeenAsPreparedHoweverTheNewsAndTheReadingMeet) {
    start();
    std::vector<store::LaneId> lanes;
    for (int i = 0; i < 10; ++i) {
        lanes.push_back(store_.make_lane("lea-one", "LIID-" + std::to_string(i)));
    }
    std::size_t count = 0;
    for (int round = 0; round < 20; ++round) {
        std::vector<TestStore::Item> items;
        for (const auto lane : lanes) {
            items.push_back({.lane = lane, .binaries = {binary()}, .preparing = true});
            items.push_back({.lane = lane});
        }
        for (const auto& one : store_.queue(items)) {
            if (!one.binaries.empty()) {
                store_.prepare(one.row);
            }
        }
        count += items.size();
    }
    ASSERT_TRUE(all_accepted(count));
    EXPECT_FALSE(lea_->overlapped());
}

TEST_F(ObjectItems, ThatWereWithdrawnWhilePreparingHoldUpNobody) {
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue({{.lane = lane, .binaries = {binary()}, .preparing = true}, {.lane = lane}});
    let_it_go_on();
    ASSERT_TRUE(accepted(0));
    store_.reject(made[0].row);
    ASSERT_TRUE(accepted(1));
    EXPECT_EQ(store_.accepted().back().object_id, made[1].object);
}

TEST_F(ObjectItems, ThatAreRetriedGoBeforeOneThatIsPreparing) {
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    lea_->set_script([](const Arrival& arrival) { return refuse(arrival, {{arrival.objects[0], 3007}}); });
    const auto old = store_.queue(lane, 1);
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    lea_->set_script(accept);
    store_.queue({{.lane = lane, .binaries = {binary()}, .preparing = true}});
    let_it_go_on();
    ASSERT_TRUE(accepted(0));
    store_.retry(old[0].row);
    ASSERT_TRUE(accepted(1));
    EXPECT_EQ(store_.accepted().back().object_id, old[0].object);
    EXPECT_EQ(store_.waiting(), 1U);
}

TEST_F(ObjectItems, ThatCannotGoAreNoProbes) {
    options_.retry.maximum = std::chrono::milliseconds(8);
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue({{.lane = lane, .binaries = {binary()}, .preparing = true}});
    lea_->set_script([](const Arrival&) { return http_status(401); });
    store_.queue(store_.make_lane("lea-one", "LIID-2"), 1);
    ASSERT_TRUE(paused(metrics::Pause::credentials));
    const auto seen = lea_->count();
    ASSERT_TRUE(eventually([&] { return lea_->count() > seen + 2; }));
    lea_->set_script(accept);
    ASSERT_TRUE(accepted(1));
    store_.prepare(made[0].row);
    ASSERT_TRUE(accepted(2));
}

}  // namespace
}  // namespace lihandover::delivery::test
