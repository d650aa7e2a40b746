#include <sqlite3.h>

#include <optional>
#include <random>

#include "support.hpp"

namespace lihandover::store::test {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class Repeated : public StoreTest {
  protected:
    void SetUp() override { open(); }

    /// Whether an item of this event and hash is made now.
    bool makes(std::optional<std::int64_t> event_seconds, std::uint64_t hash, std::int32_t nanos = 0) {
        NewItem one = item();
        one.event_seconds = event_seconds;
        one.event_nanos = nanos;
        one.repeat_hash = hash_of(hash);
        const auto before = store_->operator_view().statistics();
        EXPECT_EQ(submit(std::move(one)), Outcome::committed);
        const auto after = store_->operator_view().statistics();
        const auto sum = [](const Statistics& statistics) {
            std::uint64_t queued = 0;
            for (const Count& count : statistics.counts) {
                queued += count.queued;
            }
            return queued;
        };
        const bool made = sum(after) == sum(before) + 1;
        EXPECT_EQ(after.repeats - before.repeats, made ? 0U : 1U);
        return made;
    }

    std::int64_t rows_of(const char* table) {
        sqlite3* database = nullptr;
        EXPECT_EQ(sqlite3_open((options_.directory / "store.db").c_str(), &database), SQLITE_OK);
        sqlite3_stmt* count = nullptr;
        const std::string sql = std::string("SELECT count(*) FROM ") + table;
        EXPECT_EQ(sqlite3_prepare_v2(database, sql.c_str(), -1, &count, nullptr), SQLITE_OK);
        EXPECT_EQ(sqlite3_step(count), SQLITE_ROW);
        const std::int64_t rows = sqlite3_column_int64(count, 0);
        sqlite3_finalize(count);
        sqlite3_close(database);
        return rows;
    }
};

TEST_F(Repeated, IsSeenWithinOneSubmissionAndOneGroup) {
    NewItem one = item();
    NewItem same = item();
    same.repeat_hash = one.repeat_hash;
    NewItem other = item();
    ASSERT_EQ(submit({one, same, other}), Outcome::committed);
    EXPECT_EQ(counts().queued, 2U);
    EXPECT_EQ(store_->operator_view().statistics().repeats, 1U);
    EXPECT_EQ(listener_.queued().size(), 2U);
    EXPECT_EQ(queued().front().object_id, one.object_id);
}

TEST_F(Repeated, CountsNoSequenceNumberAndKeepsTheFirst) {
    NewItem one = item();
    one.conversation_hash = hash_of(5);
    ASSERT_EQ(submit(one), Outcome::committed);
    ASSERT_EQ(submit(one), Outcome::committed);
    NewItem two = item();
    two.conversation_hash = hash_of(5);
    ASSERT_EQ(submit(two), Outcome::committed);
    ASSERT_EQ(queued().size(), 2U);
    EXPECT_EQ(queued()[1].correlation->sequence_number, 1U);
}

TEST_F(Repeated, IsSeenAfterARestartAndAfterTheDelivery) {
    const std::int64_t now = clock_.wall().seconds;
    EXPECT_TRUE(makes(now, 1, 123'456'789));
    ASSERT_EQ(accept(queued().front()), Outcome::committed);
    EXPECT_FALSE(makes(now, 1, 123'456'789));
    reopen();
    EXPECT_FALSE(makes(now, 1, 123'456'789));
    EXPECT_TRUE(makes(now, 2, 123'456'789));
}

/// Age of the event when it is first told, how much later it is told again, and nothing else decides.
struct Case {
    const char* what;
    std::optional<std::int64_t> age;
    std::int64_t later;
};

TEST_F(Repeated, IsSeenForAtLeastSevenDaysWhateverTheEventsTime) {
    constexpr std::int64_t day = 24 * 3600;
    constexpr std::int64_t week = 7 * day;
    const std::vector<std::optional<std::int64_t>> ages = {std::nullopt,
                                                           -300,  // up to max_future ahead
                                                           0,
                                                           3600,
                                                           day - 2 * 3600,
                                                           day - 2 * 3600 + 1,
                                                           day - 1,
                                                           day,
                                                           day + 1,
                                                           3 * day,
                                                           week - 1,
                                                           week,
                                                           week + 1,
                                                           30 * day,
                                                           4000 * day,
                                                           700'000 * day};
    const std::vector<std::int64_t> gaps = {0,       1,        3599,        2 * 3600,    22 * 3600,   22 * 3600 + 1,
                                            day - 1, day,      day + 1,     3 * day,     302'399,     302'400,
                                            302'401, week - 1, 6 * day + 1, week - 7200, week - 3601, week};
    std::uint64_t hash = 1000;
    std::mt19937_64 random(7);
    for (const std::int64_t gap : gaps) {
        // The place within a period matters as well.
        clock_.advance_wall(seconds(random() % week));
        struct Told {
            std::optional<std::int64_t> event;
            std::optional<std::int64_t> age;
            std::uint64_t hash;
        };
        std::vector<Told> told;
        for (const auto& age : ages) {
            std::optional<std::int64_t> event;
            if (age) {
                event = clock_.wall().seconds - *age;
            }
            told.push_back({event, age, ++hash});
            EXPECT_TRUE(makes(event, hash));
        }
        clock_.advance_wall(seconds(gap));
        for (const Told& one : told) {
            EXPECT_FALSE(makes(one.event, one.hash))
                << "age " << (one.age ? std::to_string(*one.age) : "none") << ", gap " << gap;
        }
    }
}

TEST_F(Repeated, IsToldFromAnEventOfAnotherTime) {
    const std::int64_t now = clock_.wall().seconds;
    EXPECT_TRUE(makes(now, 1, 5000));
    EXPECT_TRUE(makes(now, 1, 6000));
    EXPECT_TRUE(makes(now - 1, 1, 5000));
    EXPECT_TRUE(makes(std::nullopt, 1));
}

TEST_F(Repeated, IsForgottenInTheEndSoThatTheTablesStayBounded) {
    for (int day = 0; day < 60; ++day) {
        std::vector<NewItem> items;
        for (int i = 0; i < 40; ++i) {
            for (const auto& event : {std::optional(clock_.wall().seconds - i * 60), std::optional<std::int64_t>(),
                                      std::optional(clock_.wall().seconds - 400 * 24 * 3600)}) {
                items.push_back(item());
                items.back().event_seconds = event;
            }
        }
        EXPECT_EQ(submit(std::move(items)), Outcome::committed);
        clock_.advance_wall(days(1));
    }
    EXPECT_EQ(store_->operator_view().statistics().repeats, 0U);
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
        return rows_of("repeats") <= 40 * 9 && rows_of("late_repeats") <= 80 * 12;
    })) << rows_of("repeats")
        << ' ' << rows_of("late_repeats");
    EXPECT_GE(rows_of("repeats"), 40 * 7);
    EXPECT_GE(rows_of("late_repeats"), 80 * 7);
}

TEST_F(Repeated, IsSeenThroughAClockThatWasSetBackALittle) {
    const std::int64_t event = clock_.wall().seconds - 24 * 3600 - 60;
    EXPECT_TRUE(makes(event, 1));
    EXPECT_TRUE(makes(std::nullopt, 2));
    clock_.advance_wall(-hours(1));
    EXPECT_FALSE(makes(event, 1));
    EXPECT_FALSE(makes(std::nullopt, 2));
}

TEST_F(Repeated, IsSeenOnceAClockThatWasDaysAheadIsSetRight) {
    constexpr std::int64_t day = 24 * 3600;
    std::uint64_t hash = 1;
    // From several places within a period.
    for (int round = 0; round < 4; ++round) {
        for (const std::int64_t ahead : {day - 3600, day + 3600, 2 * day, 5 * day, 30 * day, 400 * day}) {
            const std::int64_t now = clock_.wall().seconds;
            const std::vector<std::optional<std::int64_t>> events = {now, now - 3600, now - 3 * day, std::nullopt};
            const std::uint64_t first = hash;
            clock_.advance_wall(seconds(ahead));
            for (const auto& event : events) {
                EXPECT_TRUE(makes(event, hash++));
            }
            clock_.advance_wall(-seconds(ahead));
            for (std::size_t i = 0; i < events.size(); ++i) {
                EXPECT_FALSE(makes(events[i], first + i)) << i << ", " << ahead << " s ahead";
            }
            // The store knows it from the disk, too.
            reopen();
            for (std::size_t i = 0; i < events.size(); ++i) {
                EXPECT_FALSE(makes(events[i], first + i)) << i << ", " << ahead << " s ahead, opened anew";
            }
        }
        clock_.advance_wall(hours(23));
    }
}

}  // namespace
}  // namespace lihandover::store::test
