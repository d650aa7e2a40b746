#include "aged.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace lihandover::ims {
namespace {

using std::chrono::seconds;

constexpr SteadyTime begin{std::chrono::hours(1)};

TableKey key(std::uint64_t number) {
    return {number, ~number};
}

TEST(AgedList, TheOldestIsTheOneNotTouchedForLongest) {
    AgedList<std::string> list;
    EXPECT_EQ(list.oldest(), no_slot);
    const Slot a = list.add("a", begin);
    const Slot b = list.add("b", begin + seconds(1));
    EXPECT_EQ(list.oldest(), a);
    list.touch(a, begin + seconds(2));
    EXPECT_EQ(list.oldest(), b);
    EXPECT_EQ(list.due(seconds(5)), begin + seconds(6));
    EXPECT_EQ(list.due_at(begin + seconds(5), seconds(5)), no_slot);
    EXPECT_EQ(list.due_at(begin + seconds(6), seconds(5)), b);
    list.remove(b);
    EXPECT_EQ(list.oldest(), a);
    list.remove(a);
    EXPECT_EQ(list.oldest(), no_slot);
    EXPECT_EQ(list.size(), 0U);
    EXPECT_FALSE(list.due(seconds(5)));
}

TEST(AgedList, PlacesAreUsedAgain) {
    AgedList<std::string> list;
    const Slot a = list.add("a", begin);
    list.add("b", begin);
    list.remove(a);
    EXPECT_EQ(list.add("c", begin), a);
    EXPECT_EQ(list[a], "c");
    EXPECT_EQ(list.size(), 2U);
}

TEST(AgedTable, FindsByKeyUntilItIsRemoved) {
    AgedTable<int> table;
    table.add(key(1), 10, begin);
    table.add(key(2), 20, begin);
    ASSERT_NE(table.find(key(1)), nullptr);
    EXPECT_EQ(*table.find(key(1)), 10);
    EXPECT_EQ(table.find(key(3)), nullptr);
    table.remove(key(1));
    EXPECT_EQ(table.find(key(1)), nullptr);
    table.remove(key(1));
    EXPECT_EQ(table.size(), 1U);
}

TEST(AgedTable, ForgetsWhatIsTooOldAndTooMuch) {
    AgedTable<int> table;
    for (std::uint64_t i = 0; i < 10; ++i) {
        table.add(key(i), static_cast<int>(i), begin + seconds(static_cast<int>(i)));
    }
    table.touch(key(0), begin + seconds(10));
    table.trim(begin + seconds(10), seconds(100), 4);
    EXPECT_EQ(table.size(), 4U);
    EXPECT_NE(table.find(key(0)), nullptr);
    EXPECT_EQ(table.find(key(6)), nullptr);
    EXPECT_NE(table.find(key(7)), nullptr);
    table.trim(begin + seconds(109), seconds(100), 4);
    EXPECT_EQ(table.size(), 1U);
    EXPECT_NE(table.find(key(0)), nullptr);
}

TEST(KeyMaker, PartsDoNotRunTogetherAndSecretsDiffer) {
    const TableSecret secret = TableSecret::random();
    const auto made = [&secret](std::string_view one, std::string_view two) {
        return KeyMaker(secret, 1).add(one).add(two).finish();
    };
    EXPECT_EQ(made("ab", "c"), made("ab", "c"));
    EXPECT_FALSE(made("ab", "c") == made("a", "bc"));
    EXPECT_FALSE(KeyMaker(secret, 1).add("a").finish() == KeyMaker(secret, 2).add("a").finish());
    EXPECT_FALSE(KeyMaker(TableSecret::random(), 1).add("a").finish() == KeyMaker(secret, 1).add("a").finish());
    const std::string longer(100, 'x');
    for (std::size_t size = 0; size < longer.size(); ++size) {
        EXPECT_FALSE(made(longer.substr(0, size), "") == made(longer.substr(0, size + 1), "")) << size;
    }
}

}  // namespace
}  // namespace lihandover::ims
