// What any store has to do with copies that a door has not finished with.
#include <gmock/gmock.h>

#include <limits>

#include "fixture.hpp"

namespace lihandover::store::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class Copies : public Conformance {
  protected:
    Outcome keep(KeptChanges changes, std::vector<NewItem> items = {}, std::string_view source = "as-1") {
        const Arrival arrival = arrival_of(items);
        return call([&](auto done) {
            store_->kept_copies().submit(std::move(items), arrival, source, std::move(changes), done);
        });
    }
    Outcome keep(KeptChanges changes, NewItem item) {
        std::vector<NewItem> items;
        items.push_back(std::move(item));
        return keep(std::move(changes), std::move(items));
    }
    std::vector<std::pair<std::uint64_t, std::string>> kept(std::string_view source = "as-1") {
        std::vector<std::pair<std::uint64_t, std::string>> all;
        for (KeptCopy& copy : store_->kept_copies().kept(source).value()) {
            all.emplace_back(copy.id, std::move(copy.bytes));
        }
        return all;
    }
};

TEST_P(Copies, ComeBackInTheOrderOfTheirIds) {
    constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
    const std::string zeros("\0a\0", 3);
    ASSERT_EQ(keep({{{3, "three"}, {7, zeros}}, {}}), Outcome::committed);
    ASSERT_EQ(keep({{{largest, "last"}, {std::uint64_t{1} << 63U, ""}, {0, "first"}}, {}}), Outcome::committed);
    ASSERT_EQ(keep({{{3, "of another"}}, {}}, std::vector<NewItem>{}, "as-2"), Outcome::committed);
    for (int round = 0; round < 2; ++round) {
        EXPECT_THAT(kept(), ElementsAre(Pair(0, "first"), Pair(3, "three"), Pair(7, zeros),
                                        Pair(std::uint64_t{1} << 63U, ""), Pair(largest, "last")));
        EXPECT_THAT(kept("as-2"), ElementsAre(Pair(3, "of another")));
        EXPECT_THAT(kept("as-3"), IsEmpty());
        EXPECT_THAT(store_->kept_copies().sources().value(), ElementsAre("as-1", "as-2"));
        reopen();
    }
}

TEST_P(Copies, AreLetGo) {
    ASSERT_EQ(keep({{{1, "one"}, {2, "two"}, {3, "three"}}, {}}), Outcome::committed);
    ASSERT_EQ(keep({{{4, "four"}}, {2, 99, 2}}), Outcome::committed) << "unknown ones do no harm";
    EXPECT_THAT(kept(), ElementsAre(Pair(1, "one"), Pair(3, "three"), Pair(4, "four")));
    ASSERT_EQ(keep({{{5, "five"}}, {5, 1}}), Outcome::committed) << "what comes and goes at once is gone";
    ASSERT_EQ(keep({{}, {3}}, std::vector<NewItem>{}, "as-2"), Outcome::committed) << "of another source";
    ASSERT_EQ(keep({{}, {3}}, std::vector<NewItem>{}, "nobody"), Outcome::committed);
    reopen();
    EXPECT_THAT(kept(), ElementsAre(Pair(3, "three"), Pair(4, "four")));
    ASSERT_EQ(keep({{}, {3, 4}}), Outcome::committed);
    EXPECT_THAT(kept(), IsEmpty());
    EXPECT_THAT(store_->kept_copies().sources().value(), IsEmpty());
}

TEST_P(Copies, KeptAgainReplaceTheFirst) {
    ASSERT_EQ(keep({{{1, "one"}, {1, "again"}, {2, "two"}}, {}}), Outcome::committed);
    EXPECT_THAT(kept(), ElementsAre(Pair(1, "again"), Pair(2, "two")));
    ASSERT_EQ(keep({{{2, "a longer text than before"}}, {}}), Outcome::committed);
    reopen();
    EXPECT_THAT(kept(), ElementsAre(Pair(1, "again"), Pair(2, "a longer text than before")));
}

TEST_P(Copies, ChangeWithTheItemsOfTheirSubmission) {
    ASSERT_EQ(keep({{{1, "begun"}}, {}}), Outcome::committed);
    NewItem one = item("the message");
    ASSERT_EQ(keep({{{2, "next"}}, {1}}, one), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(1));
    EXPECT_THAT(kept(), ElementsAre(Pair(2, "next")));
    // A repeat of the item makes none, and the changes are made all the same.
    NewItem again = one;
    again.object_id = model::Uuid::random();
    ASSERT_EQ(keep({{{3, "third"}}, {2}}, again), Outcome::committed);
    reopen();
    EXPECT_THAT(queued(), SizeIs(1));
    EXPECT_EQ(queued()[0].share, "the message");
    EXPECT_THAT(kept(), ElementsAre(Pair(3, "third")));
}

TEST_P(Copies, StayAsTheyWereWhereAnItemIsTurnedAway) {
    ASSERT_EQ(keep({{{1, "begun"}}, {}}), Outcome::committed);
    EXPECT_EQ(keep({{{2, "next"}}, {1}}, item("", 999)), Outcome::failed) << "of a lane that nobody knows";
    EXPECT_THAT(kept(), ElementsAre(Pair(1, "begun")));
}

TEST_P(Copies, AndItemsAreThereTogetherOrNotAtAll) {
    ASSERT_EQ(keep({{{1, "begun"}}, {}}), Outcome::committed);
    NewItem one = item("the message");
    GetParam().fail_commits(*store_, true);
    EXPECT_EQ(keep({{{2, "next"}}, {1}}, one), Outcome::failed);
    GetParam().fail_commits(*store_, false);
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    const auto nothing_changed = [&] {
        return kept() == std::vector<std::pair<std::uint64_t, std::string>>{{1, "begun"}} && queued().empty();
    };
    const auto all_changed = [&] {
        return kept() == std::vector<std::pair<std::uint64_t, std::string>>{{2, "next"}} && queued().size() == 1;
    };
    EXPECT_TRUE(nothing_changed() || all_changed()) << "all of it or nothing: the disk may have it";
    EXPECT_EQ(keep({{{2, "next"}}, {1}}, one), Outcome::committed) << "the same once more";
    EXPECT_TRUE(all_changed());
    reopen();
    EXPECT_TRUE(all_changed());
}

TEST_P(Copies, AndItemsAreCommittedInTheOrderOfSubmission) {
    constexpr int submissions = 200;
    std::vector<Answer<Outcome>> answers(submissions);
    for (int i = 0; i < submissions; ++i) {
        const auto id = static_cast<std::uint64_t>(i);
        KeptChanges changes{{{id, std::to_string(i)}}, {}};
        if (i > 0) {
            changes.let_go.push_back(id - 1);
        }
        std::vector<NewItem> items;
        items.push_back(item(std::to_string(i)));
        const Arrival arrival = arrival_of(items);
        store_->kept_copies().submit(std::move(items), arrival, "as-1", std::move(changes),
                                     answers[static_cast<std::size_t>(i)].callback());
    }
    for (Answer<Outcome>& answer : answers) {
        EXPECT_EQ(answer.get(), Outcome::committed);
    }
    EXPECT_THAT(kept(), ElementsAre(Pair(submissions - 1, std::to_string(submissions - 1))));
    const auto items = queued();
    ASSERT_THAT(items, SizeIs(submissions));
    for (int i = 0; i < submissions; ++i) {
        EXPECT_EQ(items[static_cast<std::size_t>(i)].share, std::to_string(i));
    }
}

// An event of an X2/X3 task, which is the same whatever time it carries.
TEST_P(Copies, OfAnEventMakeOneItemOverMidnightsAndRestarts) {
    NewItem one = item("one");
    one.event_seconds.reset();
    one.event_digest = 1;
    ASSERT_EQ(keep({}, one), Outcome::committed);
    for (int day = 0; day < 7; ++day) {
        NewItem again = one;
        again.object_id = model::Uuid::random();
        again.received_at = clock_.wall();
        ASSERT_EQ(keep({}, again), Outcome::committed);
        EXPECT_THAT(queued(), SizeIs(1)) << day;
        EXPECT_EQ(store_->operator_view().statistics().repeats, 1U) << day;
        clock_.advance(std::chrono::hours(23) + std::chrono::minutes(59));
        reopen();
    }
    NewItem other = one;
    other.object_id = model::Uuid::random();
    other.event_digest = 2;
    ASSERT_EQ(keep({}, other), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(2)) << "with another substance it is another event";
    EXPECT_EQ(store_->operator_view().statistics().reused_ids, 1U);
}

INSTANTIATE_TEST_SUITE_P(Stores, Copies, testing::ValuesIn(engines()),
                         [](const testing::TestParamInfo<Engine>& engine) { return engine.param.name; });

}  // namespace
}  // namespace lihandover::store::test
