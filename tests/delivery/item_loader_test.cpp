#include "item_loader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../support/manual_clock.hpp"
#include "test_store.hpp"

namespace lihandover::delivery::test {
namespace {

class ItemLoaderTest : public testing::Test {
  protected:
    std::vector<store::RowId> rows_of(const std::string& liid, std::size_t count) {
        std::vector<store::RowId> rows;
        for (const auto& made : store_.queue(store_.make_lane("lea", liid), count)) {
            rows.push_back(made.row);
        }
        return rows;
    }

    /// Takes the row, read ahead with those that follow it where it is not there.
    void take(const std::vector<store::RowId>& rows, std::size_t at) {
        if (!loader_.has(rows[at])) {
            const std::size_t count = std::min(loader_.ahead(), rows.size() - at);
            ASSERT_TRUE(loader_.fill(std::span(rows).subspan(at, count)));
        }
        store::StoredItem item;
        ASSERT_TRUE(loader_.take(rows[at], item));
        EXPECT_EQ(item.row, rows[at]);
    }

    lihandover::test::ManualClock clock_;
    TestStore store_{clock_};
    ItemLoader loader_{store_.outbox(), store_.lanes()};
};

TEST_F(ItemLoaderTest, ReadsEachItemAboutOnceHoweverManyLanesTakeTurns) {
    constexpr std::size_t lanes = 20;
    constexpr std::size_t items = 2 * ItemLoader::max_ahead;
    std::vector<std::vector<store::RowId>> rows;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        rows.push_back(rows_of("LIID-" + std::to_string(lane), items));
    }
    for (std::size_t at = 0; at < items; ++at) {
        for (const auto& lane : rows) {
            take(lane, at);
        }
    }
    EXPECT_LE(store_.loads(), lanes * (items / ItemLoader::max_ahead + 1));
}

TEST_F(ItemLoaderTest, WhatNobodyTakesMakesRoom) {
    constexpr std::size_t ahead = ItemLoader::max_ahead;
    ItemLoader loader(store_.outbox(), store_.lanes(), 2 * ahead);
    const auto left = rows_of("LIID-LEFT", ahead);
    ASSERT_TRUE(loader.fill(left));
    // Others come and go beside it.
    const auto rows = rows_of("LIID-1", 8 * ahead);
    store::StoredItem item;
    for (std::size_t at = 0; at < rows.size(); ++at) {
        if (!loader.has(rows[at])) {
            ASSERT_TRUE(loader.fill(std::span(rows).subspan(at, ahead)));
        }
        ASSERT_TRUE(loader.take(rows[at], item));
    }
    EXPECT_TRUE(loader.has(left.front())) << "there was room";
    const auto more = rows_of("LIID-2", 2 * ahead);
    for (std::size_t at = 0; at < more.size(); at += ahead) {
        ASSERT_TRUE(loader.fill(std::span(more).subspan(at, ahead)));
    }
    EXPECT_FALSE(loader.has(left.front())) << "it was kept longest";
    EXPECT_TRUE(loader.has(more.front()));
    EXPECT_TRUE(loader.has(more.back()));
}

TEST_F(ItemLoaderTest, TheItemThatIsNeededIsThereHoweverLargeThoseBehindItAre) {
    const auto lane = store_.make_lane("lea", "LIID-1");
    const std::vector<TestStore::Item> large(ItemLoader::max_ahead, {.lane = lane, .text = std::string(300'000, 'x')});
    std::vector<store::RowId> rows;
    for (const auto& made : store_.queue(large)) {
        rows.push_back(made.row);
    }
    ASSERT_GT(rows.size() * 300'000, ItemLoader::max_kept_bytes);
    ASSERT_EQ(loader_.ahead(), rows.size()) << "it has not seen how large they are";
    for (std::size_t at = 0; at < rows.size(); ++at) {
        take(rows, at);
    }
}

TEST_F(ItemLoaderTest, OneThatIsLargerThanAllThatIsKeptIsThereToo) {
    const auto lane = store_.make_lane("lea", "LIID-1");
    const auto made = store_.queue(
        {{.lane = lane, .text = std::string(ItemLoader::max_kept_bytes + 1, 'x')}, {.lane = lane}, {.lane = lane}});
    const std::vector<store::RowId> rows = {made[0].row, made[1].row, made[2].row};
    for (std::size_t at = 0; at < rows.size(); ++at) {
        take(rows, at);
    }
}

TEST_F(ItemLoaderTest, SaysWhatBecameOfTheItemThatIsNeeded) {
    const auto rows = rows_of("LIID-1", 3);
    store_.make_unreadable(rows[0], true);
    const auto filled = loader_.fill(rows);
    ASSERT_TRUE(filled);
    EXPECT_EQ(*filled, ItemLoader::Filled::not_now);
    EXPECT_FALSE(loader_.has(rows[0]));
    EXPECT_TRUE(loader_.has(rows[1])) << "others can be read";
    store_.reject(rows[2], false);
    const auto gone = loader_.fill(std::span(rows).subspan(2));
    ASSERT_TRUE(gone);
    EXPECT_EQ(*gone, ItemLoader::Filled::gone);
}

}  // namespace
}  // namespace lihandover::delivery::test
