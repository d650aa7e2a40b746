// What any store has to do, through its interfaces alone: every engine passes it, and so does the fake that other
// rooms' tests use.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "fixture.hpp"

namespace lihandover::store::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// -- Items

TEST_P(Conformance, WhatIsAnsweredIsThereAfterReopening) {
    NewItem one = item("what it says\0 and more");
    one.emergency = true;
    one.conversation_hash = hash_of(7);
    one.schema_content = SchemaContent::always;
    const model::Uuid id = one.object_id;
    const auto received_at = one.received_at;
    const StoredItem before = make(std::move(one));
    reopen();
    const StoredItem after = load(id);
    EXPECT_EQ(after.row, before.row);
    EXPECT_EQ(after.lane, lane_);
    EXPECT_EQ(after.profile, profile_);
    EXPECT_TRUE(after.emergency);
    EXPECT_TRUE(after.carries_schema);
    EXPECT_EQ(after.share, before.share);
    EXPECT_EQ(after.received_at.micros(), received_at.micros());
    ASSERT_TRUE(after.correlation && before.correlation);
    EXPECT_EQ(after.correlation->level_id, before.correlation->level_id);
    EXPECT_EQ(after.correlation->sequence_number, 0U);
    EXPECT_EQ(counts().queued, 1U);
    EXPECT_EQ(store_->warrant_register().find_lane(lane_)->liid, "LIID-1");
    EXPECT_EQ(*store_->warrant_register().find_profile(profile_), some_profile());
}

TEST_P(Conformance, ItemsOfALaneAreHeardAndFoundInTheOrderOfTheirQueueing) {
    std::vector<model::Uuid> ids;
    for (int group = 0; group < 5; ++group) {
        std::vector<NewItem> items;
        for (int i = 0; i < 7; ++i) {
            items.push_back(item(std::to_string(i), i % 2 == 0 ? lane_ : other_lane_));
            ids.push_back(items.back().object_id);
        }
        ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    }
    const auto in_order = [&](LaneId lane, const std::vector<StoredItem>& items) {
        std::vector<model::Uuid> of_lane;
        for (const StoredItem& one : items) {
            if (one.lane == lane) {
                of_lane.push_back(one.object_id);
            }
        }
        return of_lane;
    };
    std::map<LaneId, std::vector<model::Uuid>> expected;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        expected[i % 7 % 2 == 0 ? lane_ : other_lane_].push_back(ids[i]);
    }
    for (const LaneId lane : {lane_, other_lane_}) {
        EXPECT_EQ(in_order(lane, queued()), expected[lane]);
        EXPECT_EQ(in_order(lane, listener_.stored()), expected[lane]);
    }
    std::vector<RowId> heard;
    for (const QueuedItem& one : listener_.queued()) {
        heard.push_back(one.row);
    }
    EXPECT_TRUE(std::ranges::is_sorted(heard));
    EXPECT_THAT(heard, SizeIs(35));
    // In the order asked for, without those that do not exist.
    const auto some = queued();
    const std::vector<RowId> asked = {some[3].row, 1'000'000, some[0].row};
    const auto loaded = store_->outbox().load(asked).value();
    ASSERT_THAT(loaded, SizeIs(2));
    EXPECT_EQ(loaded[0].row, some[3].row);
    EXPECT_EQ(loaded[1].row, some[0].row);
}

TEST_P(Conformance, ARepeatMakesNoSecondItem) {
    const NewItem one = item();
    ASSERT_EQ(submit(one), Outcome::committed);
    NewItem again = one;
    again.object_id = model::Uuid::random();
    EXPECT_EQ(submit({again, again}), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(1));
    EXPECT_EQ(store_->operator_view().statistics().repeats, 2U);
    ASSERT_EQ(accept(queued()[0]), Outcome::committed);
    reopen();
    EXPECT_EQ(submit(again), Outcome::committed);
    EXPECT_THAT(queued(), IsEmpty()) << "also when the first is gone";
}

TEST_P(Conformance, AnIdUsedAgainForAnotherEventMakesAnotherItem) {
    NewItem one = item("one");
    one.event_digest = 1;
    NewItem two = item("two");
    two.repeat_hash = one.repeat_hash;
    two.event_digest = 2;
    NewItem three = item("three");
    three.repeat_hash = one.repeat_hash;
    three.event_digest = 3;
    for (int round = 0; round < 2; ++round) {
        ASSERT_EQ(submit(one), Outcome::committed);
        ASSERT_EQ(submit({two, three}), Outcome::committed);
        EXPECT_THAT(queued(), SizeIs(3));
        EXPECT_EQ(store_->operator_view().statistics().reused_ids, round == 0 ? 2U : 0U);
        EXPECT_EQ(store_->operator_view().statistics().repeats, round == 0 ? 0U : 3U);
        reopen();
    }
    // Of an event without a time, or an old one, too.
    NewItem old = item("old");
    old.event_seconds = clock_.wall().seconds - 40 * 3600;
    old.event_digest = 1;
    NewItem other = old;
    other.object_id = model::Uuid::random();
    other.event_digest = 2;
    ASSERT_EQ(submit({old, other, old, other}), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(5));
}

TEST_P(Conformance, CountersHaveNoGapsAndAreEachConversationsOwn) {
    std::map<std::uint64_t, std::uint64_t> next;
    for (int round = 0; round < 3; ++round) {
        std::vector<NewItem> items;
        for (int i = 0; i < 20; ++i) {
            items.push_back(item("", i % 3 == 0 ? other_lane_ : lane_));
            items.back().conversation_hash = hash_of(i % 2);
        }
        items.push_back(item());  // of none
        ASSERT_EQ(submit(std::move(items)), Outcome::committed);
        reopen();
    }
    for (const StoredItem& one : queued()) {
        if (one.correlation) {
            EXPECT_LT(one.correlation->level_id, std::uint64_t{1} << 53U);
            EXPECT_EQ(one.correlation->sequence_number, next[one.correlation->level_id]++);
        }
    }
    EXPECT_THAT(next, SizeIs(4)) << "two conversations in two lanes";
}

TEST_P(Conformance, AnEmptySubmissionIsAnsweredLikeAnother) {
    EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
    EXPECT_EQ(call([&](auto done) { store_->item_intake().submit({}, arrival_of({}, 3), done); }), Outcome::committed);
    EXPECT_THAT(queued(), IsEmpty());
    EXPECT_EQ(submit(item("", 999)), Outcome::failed) << "of a lane that nobody knows";
}

TEST_P(Conformance, TheSchemaGoesWithTheFirstUntilItWasAccepted) {
    const StoredItem first = make();
    EXPECT_TRUE(first.carries_schema);
    EXPECT_TRUE(make().carries_schema);
    ASSERT_EQ(accept(first, true), Outcome::committed);
    reopen();
    EXPECT_FALSE(make().carries_schema);
    EXPECT_TRUE(make(item("", other_lane_)).carries_schema) << "each lane by itself";
}

// -- States and the moves between them

TEST_P(Conformance, AnAcceptedItemLeavesARecordAndNothingElse) {
    const StoredItem one = make();
    ASSERT_EQ(accept(one), Outcome::committed);
    EXPECT_EQ(accept(one), Outcome::committed) << "told twice";
    EXPECT_THAT(queued(), IsEmpty());
    EXPECT_EQ(state_of(one.object_id), ItemState::delivered);
    EXPECT_EQ(counts().queued, 0U);
    EXPECT_THAT(kinds(), ElementsAre(RecordKind::item_made, RecordKind::item_delivered));
    const auto delivered = store_->operator_view().items(ItemState::delivered, {}, 10).value();
    ASSERT_THAT(delivered, SizeIs(1));
    EXPECT_EQ(delivered[0].object_id, one.object_id);
    EXPECT_EQ(delivered[0].liid, "LIID-1");
    reopen();
    EXPECT_EQ(state_of(one.object_id), ItemState::delivered);
}

TEST_P(Conformance, AnAcceptanceOfWhatTheLeaHadAlreadySaysSo) {
    const StoredItem had = make();
    const StoredItem taken = make();
    const StoredItem rejected = make();
    ASSERT_EQ(accept(had, false, 3010), Outcome::committed);
    EXPECT_EQ(accept(had), Outcome::committed) << "told twice: the first counts";
    ASSERT_EQ(accept(taken), Outcome::committed);
    ASSERT_EQ(reject({rejected.object_id}), std::pair(Outcome::committed, std::size_t{1}));
    ASSERT_EQ(accept(rejected, false, 3010), Outcome::committed);
    reopen();
    for (const StoredItem& one : {had, rejected}) {
        const auto found = store_->operator_view().find(one.object_id).value();
        ASSERT_TRUE(found);
        EXPECT_EQ(found->state, ItemState::delivered);
        EXPECT_EQ(found->refusal, (Refusal{3010, Refusal::Kind::hi1_error, ""}));
        EXPECT_EQ(found->why, already_there);
        EXPECT_EQ(found->who, "");
    }
    const auto found = store_->operator_view().find(taken.object_id).value();
    EXPECT_EQ(found->refusal, std::nullopt);
    EXPECT_EQ(found->why, "");
    std::vector<std::string> said;
    for (const Record& record : store_->operator_view().records(0, 100).value()) {
        if (record.kind == RecordKind::item_delivered) {
            said.push_back(record.why);
        }
    }
    EXPECT_THAT(said,
                ElementsAre("the LEA had it already: hi1_error 3010", "", "the LEA had it already: hi1_error 3010"));
}

TEST_P(Conformance, ARefusedItemKeepsItsPlaceUntilAnOperatorDecides) {
    const StoredItem one = make(item("refused"));
    const StoredItem two = make();
    ASSERT_EQ(refuse(one), Outcome::committed);
    EXPECT_EQ(refuse(one), Outcome::committed) << "told twice";
    EXPECT_EQ(set_aside(one), Outcome::committed) << "changes nothing: the LEA said no for good";
    EXPECT_EQ(state_of(one.object_id), ItemState::refused);
    EXPECT_EQ(counts().refused, 1U);
    EXPECT_EQ(counts().queued, 1U);
    EXPECT_EQ(rows()[0].row, two.row);
    EXPECT_THAT(store_->outbox().load(std::vector{one.row}).value(), IsEmpty());
    reopen();
    const auto view = store_->operator_view().find(one.object_id).value();
    ASSERT_TRUE(view && view->refusal);
    EXPECT_EQ(*view->refusal, refusal);
    EXPECT_EQ(retry({one.object_id}), std::pair(Outcome::committed, std::size_t{1}));
    EXPECT_EQ(retry({one.object_id}), std::pair(Outcome::committed, std::size_t{0})) << "it is queued already";
    ASSERT_THAT(listener_.retried(), SizeIs(1));
    EXPECT_EQ(listener_.retried()[0].row, one.row);
    EXPECT_EQ(queued()[0].row, one.row) << "its place";
    EXPECT_EQ(queued()[0].share, "refused");
    EXPECT_THAT(kinds(), ElementsAre(RecordKind::item_made, RecordKind::item_made, RecordKind::item_refused,
                                     RecordKind::item_retried));
    EXPECT_EQ(store_->operator_view().records(0, 10).value().back().who, "alice");
}

TEST_P(Conformance, ASetAsideItemStaysSoAndCanGoAnyWay) {
    std::vector<StoredItem> items;
    for (int i = 0; i < 5; ++i) {
        NewItem made = item("aside " + std::to_string(i));
        made.emergency = i == 0;
        items.push_back(make(std::move(made)));
        ASSERT_EQ(set_aside(items.back()), Outcome::committed);
    }
    EXPECT_THAT(rows(), IsEmpty());
    EXPECT_EQ(counts().set_aside, 5U);
    EXPECT_EQ(counts().queued, 0U);
    reopen();
    EXPECT_EQ(counts().set_aside, 5U);
    const auto found = rows(true);
    ASSERT_THAT(found, SizeIs(5));
    EXPECT_EQ(found[0].row, items[0].row);
    EXPECT_TRUE(found[0].emergency);
    EXPECT_FALSE(found[1].emergency);
    const auto loaded = store_->outbox().load(std::vector{items[1].row}).value();
    ASSERT_THAT(loaded, SizeIs(1));
    EXPECT_EQ(loaded[0].share, "aside 1") << "it can be tried again";

    const Refusal other{503, Refusal::Kind::http_status, ""};
    ASSERT_EQ(call([&](auto done) { store_->outbox().set_aside(items[0].row, other, done); }), Outcome::committed);
    EXPECT_EQ(store_->operator_view().find(items[0].object_id).value()->refusal, other) << "the latest";
    ASSERT_EQ(accept(items[0]), Outcome::committed);
    EXPECT_EQ(state_of(items[0].object_id), ItemState::delivered);
    ASSERT_EQ(refuse(items[1]), Outcome::committed);
    EXPECT_EQ(state_of(items[1].object_id), ItemState::refused);
    EXPECT_EQ(retry({items[2].object_id}).second, 1U);
    EXPECT_EQ(state_of(items[2].object_id), ItemState::queued);
    EXPECT_EQ(reject({items[3].object_id}).second, 1U);
    EXPECT_EQ(state_of(items[3].object_id), ItemState::rejected);
    ASSERT_THAT(listener_.withdrawn(), SizeIs(1)) << "delivery may have it in memory";
    EXPECT_EQ(listener_.withdrawn()[0].row, items[3].row);
    EXPECT_EQ(state_of(items[4].object_id), ItemState::set_aside);
    const auto listed = store_->operator_view().items(ItemState::set_aside, {}, 10).value();
    ASSERT_THAT(listed, SizeIs(1));
    EXPECT_EQ(listed[0].object_id, items[4].object_id);
    EXPECT_EQ(std::ranges::count(kinds(), RecordKind::item_set_aside), 5) << "once each, whatever the attempts";
}

TEST_P(Conformance, ARejectedItemIsGoneFromEachState) {
    const StoredItem waiting = make();
    const StoredItem refused_one = make();
    const StoredItem aside = make();
    ASSERT_EQ(refuse(refused_one), Outcome::committed);
    ASSERT_EQ(set_aside(aside), Outcome::committed);
    EXPECT_EQ(reject({waiting.object_id, refused_one.object_id, aside.object_id, model::Uuid::random()}),
              std::pair(Outcome::committed, std::size_t{3}));
    EXPECT_EQ(reject({waiting.object_id}).second, 0U);
    EXPECT_FALSE(counts().any());
    reopen();
    EXPECT_FALSE(counts().any());
    for (const StoredItem& one : {waiting, refused_one, aside}) {
        const auto view = store_->operator_view().find(one.object_id).value();
        ASSERT_TRUE(view);
        EXPECT_EQ(view->state, ItemState::rejected);
        EXPECT_EQ(view->who, "bob");
        EXPECT_EQ(view->why, "a mistake");
    }
    EXPECT_EQ(store_->operator_view().find(refused_one.object_id).value()->refusal, refusal);
    // A late acceptance counts: it is what happened.
    ASSERT_EQ(accept(waiting), Outcome::committed);
    EXPECT_EQ(state_of(waiting.object_id), ItemState::delivered);
    // Nothing else does.
    EXPECT_EQ(refuse(aside), Outcome::committed);
    EXPECT_EQ(set_aside(aside), Outcome::committed);
    EXPECT_EQ(retry({aside.object_id}).second, 0U);
    EXPECT_EQ(state_of(aside.object_id), ItemState::rejected);
}

TEST_P(Conformance, RetryOfAllTakesADestinationsAndOneCodesOwn) {
    std::vector<StoredItem> items;
    for (int i = 0; i < 12; ++i) {
        items.push_back(make(item("", i % 4 == 3 ? other_lane_ : lane_)));
        const Refusal with{i % 2 == 0 ? 3005U : 3006U, Refusal::Kind::hi1_error, ""};
        ASSERT_EQ(call([&](auto done) {
                      i % 3 == 0 ? store_->outbox().set_aside(items.back().row, with, done)
                                 : store_->outbox().refused(items.back().row, with, done);
                  }),
                  Outcome::committed);
    }
    const auto all_of = [&](std::optional<std::uint64_t> code) {
        return count([&](auto done) { store_->operator_view().retry_all("lea", code, "alice", done); });
    };
    EXPECT_EQ(all_of(3005).second, 6U);
    EXPECT_EQ(all_of(std::nullopt).second, 3U);
    EXPECT_EQ(all_of(std::nullopt).second, 0U);
    EXPECT_EQ(counts().queued, 9U);
    EXPECT_EQ(counts("other").refused + counts("other").set_aside, 3U);
    EXPECT_TRUE(std::ranges::is_sorted(rows(), {}, &QueuedItem::row));
}

TEST_P(Conformance, PagesCoverEveryItemOnce) {
    std::set<model::Uuid> expected;
    for (int i = 0; i < 25; ++i) {
        const StoredItem one = make();
        expected.insert(one.object_id);
        if (i % 3 == 0) {
            ASSERT_EQ(refuse(one), Outcome::committed);
        } else if (i % 3 == 1) {
            ASSERT_EQ(set_aside(one), Outcome::committed);
        }
    }
    std::set<model::Uuid> found;
    ListPlace after;
    while (true) {
        const auto page = store_->operator_view().items(std::nullopt, after, 4).value();
        if (page.empty()) {
            break;
        }
        EXPECT_LE(page.size(), 4U);
        for (const ItemView& one : page) {
            EXPECT_GT(one.place(), after);
            after = one.place();
            EXPECT_TRUE(found.insert(one.object_id).second);
        }
    }
    EXPECT_EQ(found, expected);
    std::vector<RowId> refused;
    for (ListPlace from;;) {
        const auto page = store_->operator_view().items(ItemState::refused, from, 2).value();
        if (page.empty()) {
            break;
        }
        EXPECT_LE(page.size(), 2U);
        for (const ItemView& one : page) {
            EXPECT_EQ(one.state, ItemState::refused);
            EXPECT_GT(one.place(), from);
            from = one.place();
            refused.push_back(one.row);
        }
    }
    EXPECT_EQ(refused.size(), 9U);
    const auto of = [&](ItemState state) { return store_->operator_view().items(state, {}, 100).value().size(); };
    EXPECT_EQ(of(ItemState::queued), 8U);
    EXPECT_EQ(of(ItemState::refused), 9U);
    EXPECT_EQ(of(ItemState::set_aside), 8U);
    EXPECT_EQ(of(ItemState::held), 0U);
}

TEST_P(Conformance, TheOldestQueuedItemsAreToldByDestinationAndPriority) {
    using Told = std::vector<std::tuple<std::string, std::int64_t, std::int64_t>>;
    const std::int64_t start = clock_.wall().micros();
    // Minutes since the start; -1: none waits.
    const auto minutes = [&](const std::optional<model::Instant>& since) {
        return since ? (since->micros() - start) / 60'000'000 : -1;
    };
    const auto told = [&] {
        Told all;
        for (const auto& [destination, oldest] : store_->operator_view().oldest().value()) {
            all.emplace_back(destination, minutes(oldest.emergency), minutes(oldest.routine));
        }
        return all;
    };
    const auto add = [&](bool emergency, LaneId lane) {
        NewItem one = item("share", lane);
        one.emergency = emergency;
        StoredItem made = make(std::move(one));
        clock_.advance_wall(std::chrono::minutes(1));
        return made;
    };
    EXPECT_THAT(told(), IsEmpty());
    const StoredItem first = add(false, lane_);
    EXPECT_EQ(told(), (Told{{"lea", -1, 0}}));
    const StoredItem second = add(false, lane_);
    const StoredItem third = add(true, lane_);
    const StoredItem fourth = add(false, other_lane_);
    EXPECT_EQ(told(), (Told{{"lea", 2, 0}, {"other", -1, 3}}));
    ASSERT_EQ(accept(first), Outcome::committed);
    EXPECT_EQ(told(), (Told{{"lea", 2, 1}, {"other", -1, 3}}));
    ASSERT_EQ(refuse(second), Outcome::committed);
    ASSERT_EQ(set_aside(third), Outcome::committed);
    EXPECT_EQ(told(), (Told{{"other", -1, 3}}));
    const StoredItem fifth = add(false, lane_);
    const StoredItem sixth = add(true, other_lane_);
    EXPECT_EQ(told(), (Told{{"lea", -1, 4}, {"other", 5, 3}}));
    // They go back to their old places.
    EXPECT_EQ(retry({second.object_id, third.object_id}).second, 2U);
    EXPECT_EQ(told(), (Told{{"lea", 2, 1}, {"other", 5, 3}}));
    EXPECT_EQ(reject({second.object_id, fourth.object_id}).second, 2U);
    EXPECT_EQ(told(), (Told{{"lea", 2, 4}, {"other", 5, -1}}));
    reopen();
    EXPECT_EQ(told(), (Told{{"lea", 2, 4}, {"other", 5, -1}}));
    for (const StoredItem& one : {third, fifth, sixth}) {
        ASSERT_EQ(accept(one), Outcome::committed);
    }
    EXPECT_THAT(told(), IsEmpty());
}

TEST_P(Conformance, RecordsComeOldestFirstAndInPages) {
    for (int i = 0; i < 7; ++i) {
        ASSERT_EQ(accept(make()), Outcome::committed);
    }
    std::vector<std::int64_t> ids;
    std::int64_t after = 0;
    while (true) {
        const auto page = store_->operator_view().records(after, 5).value();
        if (page.empty()) {
            break;
        }
        for (const Record& record : page) {
            ids.push_back(record.id);
        }
        after = ids.back();
    }
    EXPECT_THAT(ids, SizeIs(14));
    EXPECT_TRUE(std::ranges::is_sorted(ids));
}

TEST_P(Conformance, TheListenerHearsOfACommitBeforeItIsAnswered) {
    const StoredItem one = make();
    EXPECT_EQ(listener_.calls(), "Q");
    ASSERT_EQ(set_aside(one), Outcome::committed);
    ASSERT_EQ(retry({one.object_id}).second, 1U);
    EXPECT_EQ(listener_.calls(), "QR");
    ASSERT_EQ(reject({one.object_id}).second, 1U);
    EXPECT_EQ(listener_.calls(), "QRW");
    EXPECT_THAT(listener_.health(), IsEmpty());
}

TEST_P(Conformance, EveryLaneIsThisProcessesOwnAsLongAsItIsAlone) {
    ASSERT_TRUE(store_->outbox().lease(lane_).covers(clock_.steady()));
    clock_.advance_steady(std::chrono::hours(24));
    EXPECT_TRUE(eventually([this] { return store_->outbox().lease(lane_).covers(clock_.steady()); }));
}

TEST_P(Conformance, StoppedItFailsWhatComes) {
    const StoredItem one = make();
    store_->stop();
    store_->stop();
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_EQ(submit(item()), Outcome::failed);
    EXPECT_EQ(accept(one), Outcome::failed);
    EXPECT_EQ(refuse(one), Outcome::failed);
    EXPECT_EQ(retry({one.object_id}).first, Outcome::failed);
    EXPECT_EQ(reject({one.object_id}).first, Outcome::failed);
    EXPECT_FALSE(store_->warrant_register().lane("lea", "another"));
    reopen();
    EXPECT_THAT(queued(), SizeIs(1));
}

TEST_P(Conformance, HashesAreTheSameWheneverTheyAreMade) {
    const std::vector<std::string_view> parts = {"a", "bc"};
    const std::vector<std::string_view> others = {"ab", "c"};
    EXPECT_NE(store_->item_intake().keyed_hash(parts), store_->item_intake().keyed_hash(others));
    const auto before = store_->item_intake().keyed_hash(parts);
    reopen();
    EXPECT_EQ(store_->item_intake().keyed_hash(parts), before);
}

// -- Register

TEST_P(Conformance, LanesAndProfilesKeepTheirNumbers) {
    const auto lane = store_->warrant_register().lane("lea", "LIID-9").value();
    EXPECT_EQ(store_->warrant_register().lane("lea", "LIID-9").value(), lane);
    auto profile = some_profile();
    profile.schema_url = "another";
    const auto number = store_->warrant_register().profile(profile).value();
    EXPECT_NE(number, profile_);
    reopen();
    EXPECT_EQ(store_->warrant_register().lane("lea", "LIID-9").value(), lane);
    EXPECT_EQ(store_->warrant_register().profile(profile).value(), number);
    EXPECT_EQ(store_->warrant_register().find_lane(12345), nullptr);
    EXPECT_EQ(store_->warrant_register().find_profile(0), nullptr);
}

TEST_P(Conformance, WarrantsChangeTogetherWithTheirRecords) {
    const StoredWarrant one{"one.yaml", "lea", "LIID-1", std::string("bytes\0more", 10)};
    const StoredWarrant two{"two.yaml", "lea", "LIID-2", "two"};
    ASSERT_TRUE(store_->warrant_register().change_warrants({{one, two}, {}, {}, "alice"}));
    StoredWarrant changed = one;
    changed.bytes = "changed";
    ASSERT_TRUE(store_->warrant_register().change_warrants({{}, {changed}, {two}, ""}));
    reopen();
    const auto found = store_->warrant_register().warrants().value();
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].bytes, "changed");
    EXPECT_EQ(found[0].file, "one.yaml");
    EXPECT_THAT(kinds(), ElementsAre(RecordKind::warrant_in_force, RecordKind::warrant_in_force,
                                     RecordKind::warrant_changed, RecordKind::warrant_ended));
    const auto records = store_->operator_view().records(0, 10).value();
    EXPECT_EQ(records[0].who, "alice");
    EXPECT_EQ(records[0].why, "one.yaml");
    EXPECT_EQ(store_->warrant_register().find_lane(records[3].lane)->liid, "LIID-2");
}

TEST_P(Conformance, APauseLastsUntilItIsResumedAndBothAreOnRecord) {
    const auto pause = [&](std::string destination, std::string who) {
        return call([&](auto done) { store_->operator_view().pause(std::move(destination), std::move(who), done); });
    };
    const auto resume = [&](std::string destination) {
        return call([&](auto done) { store_->operator_view().resume(std::move(destination), "carol", done); });
    };
    EXPECT_THAT(store_->warrant_register().pauses().value(), IsEmpty());
    const auto since = clock_.wall();
    ASSERT_EQ(pause("other", "alice"), Outcome::committed);
    ASSERT_EQ(pause("lea", "alice"), Outcome::committed);
    clock_.advance(std::chrono::minutes(5));
    ASSERT_EQ(pause("other", "bob"), Outcome::committed) << "it is so already";
    reopen();
    const auto found = store_->warrant_register().pauses().value();
    ASSERT_THAT(found, SizeIs(2));
    EXPECT_EQ(found[0].destination, "lea");
    EXPECT_EQ(found[1].destination, "other");
    EXPECT_EQ(found[1].who, "alice");
    EXPECT_EQ(found[1].since.micros(), since.micros());
    ASSERT_EQ(resume("other"), Outcome::committed);
    ASSERT_EQ(resume("other"), Outcome::committed) << "it is so already";
    ASSERT_EQ(resume("nobody"), Outcome::committed);
    reopen();
    EXPECT_THAT(store_->warrant_register().pauses().value(), SizeIs(1));
    EXPECT_THAT(kinds(), ElementsAre(RecordKind::destination_paused, RecordKind::destination_paused,
                                     RecordKind::destination_resumed));
    const auto records = store_->operator_view().records(0, 10).value();
    EXPECT_EQ(records[0].who, "alice");
    EXPECT_EQ(records[2].who, "carol");
    EXPECT_EQ(records[2].object_id, std::nullopt);
    const auto lane = store_->warrant_register().find_lane(records[2].lane);
    ASSERT_NE(lane, nullptr);
    EXPECT_EQ(lane->destination, "other");
    EXPECT_EQ(lane->liid, "");
    store_->stop();
    EXPECT_EQ(resume("lea"), Outcome::failed);
}

TEST_P(Conformance, WarrantsKeepThatTheirFilesAreGone) {
    StoredWarrant one{"one.yaml", "lea", "LIID-1", "one"};
    const StoredWarrant two{"two.yaml", "lea", "LIID-2", "two"};
    ASSERT_TRUE(store_->warrant_register().change_warrants({{one, two}, {}, {}, ""}));
    const auto missing = [&] {
        std::vector<std::string> files;
        for (const StoredWarrant& warrant : store_->warrant_register().warrants().value()) {
            if (warrant.missing) {
                files.push_back(warrant.file);
            }
        }
        return files;
    };
    EXPECT_THAT(missing(), IsEmpty());
    one.missing = true;
    ASSERT_TRUE(store_->warrant_register().change_warrants({{}, {}, {}, "", {one}}));
    reopen();
    EXPECT_THAT(missing(), ElementsAre("one.yaml"));
    EXPECT_THAT(kinds(), SizeIs(2)) << "it is no decision";
    one.missing = false;
    ASSERT_TRUE(store_->warrant_register().change_warrants({{}, {}, {}, "", {one}}));
    reopen();
    EXPECT_THAT(missing(), IsEmpty());
}

TEST_P(Conformance, ARevocationEndsItsWarrantAndLastsUntilItIsLifted) {
    Register& kept = store_->warrant_register();
    const StoredWarrant one{"one.yaml", "lea", "LIID-1", "one"};
    const StoredWarrant two{"two.yaml", "lea", "LIID-2", "two"};
    ASSERT_TRUE(kept.change_warrants({{one, two}, {}, {}, ""}));
    const model::Instant begins{1'700'000'000, 123'456'789};
    const StoredRevocation revoked{"lea", "LIID-1", begins, "one.yaml", {}, "alice", "the court said so"};
    const model::Instant now = clock_.wall();
    WarrantChanges changes;
    changes.revoked = {revoked};
    ASSERT_TRUE(kept.change_warrants(changes));
    reopen();
    const auto warrants = store_->warrant_register().warrants().value();
    ASSERT_THAT(warrants, SizeIs(1));
    EXPECT_EQ(warrants[0].liid, "LIID-2");
    const auto found = store_->warrant_register().revocations().value();
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].destination, "lea");
    EXPECT_EQ(found[0].liid, "LIID-1");
    EXPECT_EQ(found[0].valid_from, begins);
    EXPECT_EQ(found[0].file, "one.yaml");
    EXPECT_EQ(found[0].at.micros(), now.micros());
    EXPECT_EQ(found[0].who, "alice");
    EXPECT_EQ(found[0].why, "the court said so");
    const auto records = store_->operator_view().records(0, 10).value();
    ASSERT_THAT(records, SizeIs(3));
    EXPECT_EQ(records[2].kind, RecordKind::warrant_revoked);
    EXPECT_EQ(records[2].who, "alice");
    EXPECT_EQ(records[2].why, "the court said so");
    EXPECT_EQ(store_->warrant_register().find_lane(records[2].lane)->liid, "LIID-1");

    WarrantChanges again;
    again.in_force = {one};
    again.lifted = {{"lea", "LIID-1", "one.yaml: gone"}, {"lea", "nobody", "?"}};
    again.who = "bob";
    ASSERT_TRUE(store_->warrant_register().change_warrants(again));
    std::vector<Record> lifted = store_->operator_view().records(0, 10).value();
    std::erase_if(lifted, [](const Record& record) { return record.kind != RecordKind::revocation_lifted; });
    ASSERT_THAT(lifted, SizeIs(1)) << "of one that there was";
    EXPECT_EQ(lifted[0].who, "bob");
    EXPECT_EQ(lifted[0].why, "one.yaml: gone");
    EXPECT_EQ(store_->warrant_register().find_lane(lifted[0].lane)->liid, "LIID-1");
    reopen();
    EXPECT_THAT(store_->warrant_register().revocations().value(), IsEmpty());
    EXPECT_THAT(store_->warrant_register().warrants().value(), SizeIs(2));
}

TEST_P(Conformance, APendingWarrantCountsWhoApprovedItOnceEach) {
    StoredPendingWarrant one;
    one.destination = "lea";
    one.liid = "LIID-1";
    one.digest.fill(7);
    one.file = "one.yaml";
    one.terms = "{new}";
    WarrantChanges changes;
    changes.who = "carol";
    changes.pending = {one};
    const model::Instant now = clock_.wall();
    ASSERT_TRUE(store_->warrant_register().change_warrants(changes));
    reopen();
    const auto decide = [&](std::uint32_t uid, bool approve, std::uint8_t digest = 7) {
        WarrantDecision decision{"lea", "LIID-1", {}, approve, uid, "user " + std::to_string(uid), approve ? "" : "no"};
        decision.digest.fill(digest);
        return store_->warrant_register().decide_warrant(decision).value();
    };
    const auto pending = [&] { return store_->warrant_register().pending_warrants().value(); };
    EXPECT_EQ(decide(1, true, 8), std::nullopt) << "the file says something else by now";
    EXPECT_EQ(decide(1, true), 1U);
    EXPECT_EQ(decide(1, true), 1U) << "the same user again";
    EXPECT_EQ(decide(2, true), 2U);
    reopen();
    ASSERT_THAT(pending(), SizeIs(1));
    EXPECT_EQ(pending()[0].digest, one.digest);
    EXPECT_EQ(pending()[0].file, "one.yaml");
    EXPECT_EQ(pending()[0].since.micros(), now.micros());
    ASSERT_THAT(pending()[0].approvals, SizeIs(2));
    EXPECT_EQ(pending()[0].approvals[1].uid, 2U);
    EXPECT_EQ(pending()[0].approvals[1].who, "user 2");
    EXPECT_EQ(decide(3, false), 0U);
    reopen();
    EXPECT_TRUE(pending()[0].refused);
    EXPECT_EQ(pending()[0].who, "user 3");
    EXPECT_EQ(pending()[0].why, "no");
    EXPECT_THAT(pending()[0].approvals, IsEmpty());
    EXPECT_EQ(decide(1, true), 1U);
    EXPECT_FALSE(pending()[0].refused);
    EXPECT_THAT(kinds(),
                ElementsAre(RecordKind::warrant_pending, RecordKind::warrant_approved, RecordKind::warrant_approved,
                            RecordKind::warrant_refused, RecordKind::warrant_approved));
    EXPECT_EQ(store_->operator_view().records(0, 1).value().at(0).why, "one.yaml: {new}");
    // What follows it begins without what was decided, and goes when it is settled.
    one.digest.fill(9);
    changes.pending = {one};
    ASSERT_TRUE(store_->warrant_register().change_warrants(changes));
    EXPECT_THAT(pending()[0].approvals, IsEmpty());
    WarrantChanges settled;
    settled.settled = {{"lea", "LIID-1"}};
    ASSERT_TRUE(store_->warrant_register().change_warrants(settled));
    reopen();
    EXPECT_THAT(pending(), IsEmpty());
    EXPECT_EQ(decide(1, true, 9), std::nullopt);
}

TEST_P(Conformance, AnAcceptedClockIsOnRecord) {
    ASSERT_TRUE(store_->operator_view().clock_accepted("alice", "it says noon"));
    reopen();
    const auto records = store_->operator_view().records(0, 10).value();
    ASSERT_THAT(records, SizeIs(1));
    EXPECT_EQ(records[0].kind, RecordKind::clock_accepted);
    EXPECT_EQ(records[0].who, "alice");
    EXPECT_EQ(records[0].why, "it says noon");
    EXPECT_EQ(store_->warrant_register().find_lane(records[0].lane), nullptr);
}

// -- Binary objects

TEST_P(Conformance, AnOfferedObjectIsThereFromItsItemsAcceptanceUntilItExpires) {
    const NewObject one = object("a photograph", model::BinaryModel::a);
    const StoredItem stored = make(item_with({one}));
    ASSERT_TRUE(stored.objects);
    EXPECT_EQ(bytes_of(*stored.objects->front().sealed), "a photograph");
    EXPECT_EQ(store_->upload_outbox().find_object(one.id).value()->state, ObjectState::attached);
    const auto expiry = model::Instant::from_micros(clock_.wall().micros() + 60'000'000);
    ASSERT_EQ(call([&](auto done) { store_->outbox().stamp(stored.row, expiry, done); }), Outcome::committed);
    ASSERT_EQ(accept(stored), Outcome::committed);
    reopen();
    const auto offered = store_->upload_outbox().find_object(one.id).value();
    ASSERT_TRUE(offered);
    EXPECT_EQ(offered->state, ObjectState::offered);
    EXPECT_EQ(offered->described.expiry->micros(), expiry.micros());
    EXPECT_EQ(offered->described.content_length, 12U);
    EXPECT_EQ(offered->described.original_filename, "roof.jpg");
    EXPECT_EQ(bytes_of(*offered->sealed), "a photograph");
    EXPECT_EQ(counts().objects_offered, 1U);
    ASSERT_EQ(call([&](auto done) {
                  store_->object_downloads().fetched({one.id, "certificate", 0, 5, Fetch::Extent::complete}, done);
              }),
              Outcome::committed);
    EXPECT_EQ(kinds().back(), RecordKind::object_fetched);
    clock_.advance_wall(std::chrono::minutes(1));
    EXPECT_EQ(store_->upload_outbox().find_object(one.id).value(), std::nullopt);
    EXPECT_EQ(store_->upload_outbox().find_object(model::Uuid::random()).value(), std::nullopt);
}

TEST_P(Conformance, AnObjectThatIsToGoOnceFetchedWholeGoesThen) {
    NewObject one = object("once", model::BinaryModel::a);
    one.remove_when_fetched = true;
    ASSERT_EQ(accept(make(item_with({one}))), Outcome::committed);
    const auto fetch = [&](Fetch::Extent extent) {
        return call([&](auto done) {
            store_->object_downloads().fetched({one.id, "certificate", 0, 4, extent}, done);
        });
    };
    ASSERT_EQ(fetch(Fetch::Extent::broken_off), Outcome::committed);
    EXPECT_TRUE(store_->upload_outbox().find_object(one.id).value());
    ASSERT_EQ(fetch(Fetch::Extent::whole), Outcome::committed);
    EXPECT_FALSE(store_->upload_outbox().find_object(one.id).value());
    EXPECT_EQ(kinds().back(), RecordKind::object_expired);
    EXPECT_EQ(counts().objects_offered, 0U);
}

TEST_P(Conformance, AnObjectToPushIsHeardOfWithItsItemsAcceptanceAndGoesAnyWay) {
    std::vector<NewObject> objects;
    for (int i = 0; i < 5; ++i) {
        objects.push_back(object("object " + std::to_string(i), model::BinaryModel::b));
    }
    const StoredItem stored = make(item_with(objects));
    EXPECT_THAT(object_listener_.uploads(), IsEmpty());
    ASSERT_EQ(accept(stored), Outcome::committed);
    EXPECT_THAT(object_listener_.uploads(), SizeIs(5));
    reopen();
    const auto uploads = [&](bool aside) {
        std::vector<model::Uuid> found;
        const auto visit = [&](const QueuedObject& one) { found.push_back(one.id); };
        EXPECT_TRUE(aside ? store_->upload_outbox().for_each_set_aside(visit)
                          : store_->upload_outbox().for_each_queued(visit));
        return found;
    };
    EXPECT_THAT(uploads(false), SizeIs(5));
    auto& to = store_->upload_outbox();
    ASSERT_EQ(call([&](auto done) { to.pushed(objects[0].id, done); }), Outcome::committed);
    ASSERT_EQ(call([&](auto done) { to.pushed(objects[0].id, done); }), Outcome::committed) << "told twice";
    ASSERT_EQ(call([&](auto done) { to.refused(objects[1].id, refusal, done); }), Outcome::committed);
    for (const std::size_t i : {2U, 3U, 4U}) {
        ASSERT_EQ(call([&](auto done) { to.set_aside(objects[i].id, refusal, done); }), Outcome::committed);
    }
    reopen();
    EXPECT_THAT(uploads(false), IsEmpty());
    EXPECT_THAT(uploads(true), UnorderedElementsAre(objects[2].id, objects[3].id, objects[4].id));
    EXPECT_EQ(counts().objects_refused, 1U);
    EXPECT_EQ(counts().objects_set_aside, 3U);
    EXPECT_EQ(state_of(objects[1].id), ItemState::refused);
    EXPECT_EQ(state_of(objects[2].id), ItemState::set_aside);
    EXPECT_EQ(store_->operator_view().find(objects[2].id).value()->object_of, stored.object_id);
    auto& again = store_->upload_outbox();
    ASSERT_EQ(call([&](auto done) { again.pushed(objects[2].id, done); }), Outcome::committed);
    ASSERT_EQ(call([&](auto done) { again.refused(objects[3].id, refusal, done); }), Outcome::committed);
    EXPECT_EQ(state_of(objects[3].id), ItemState::refused);
    EXPECT_EQ(retry({objects[1].id, objects[4].id}).second, 2U);
    EXPECT_THAT(uploads(false), UnorderedElementsAre(objects[1].id, objects[4].id));
    EXPECT_EQ(reject({objects[3].id, objects[4].id}).second, 2U);
    EXPECT_THAT(object_listener_.withdrawn(), ElementsAre(objects[4].id));
    EXPECT_EQ(retry({stored.object_id}).second, 0U) << "by its item's id: none waits beside the queue";
    EXPECT_EQ(counts().objects_queued, 1U);
    EXPECT_EQ(std::ranges::count(kinds(), RecordKind::object_pushed), 2);
    EXPECT_EQ(std::ranges::count(kinds(), RecordKind::object_set_aside), 3);
    // Those that ended are known by their records.
    reopen();
    EXPECT_EQ(state_of(objects[0].id), ItemState::delivered);
    EXPECT_EQ(state_of(objects[4].id), ItemState::rejected);
    const auto rejected = store_->operator_view().find(objects[3].id).value();
    ASSERT_TRUE(rejected);
    EXPECT_EQ(rejected->object_of, stored.object_id);
    EXPECT_EQ(rejected->refusal, refusal);
    EXPECT_EQ(rejected->who, "bob");
    EXPECT_EQ(rejected->why, "a mistake");
}

TEST_P(Conformance, ObjectsThatShareTheirBytesGoOneByOne) {
    const NewObject one = object("shared", model::BinaryModel::b);
    NewObject two = one;
    two.id = model::Uuid::random();
    ASSERT_EQ(accept(make(item_with({one}))), Outcome::committed);
    ASSERT_EQ(accept(make(item_with({two}))), Outcome::committed);
    ASSERT_EQ(call([&](auto done) { store_->upload_outbox().pushed(one.id, done); }), Outcome::committed);
    const auto left = store_->upload_outbox().find_object(two.id).value();
    ASSERT_TRUE(left);
    EXPECT_EQ(bytes_of(*left->sealed), "shared");
}

TEST_P(Conformance, AnItemWaitsForTheCopiesOfItsFiles) {
    auto file = std::make_shared<SourceFile>();
    file->id = model::Uuid::random();
    file->path = "in/video.mp4";
    file->inode = 77;
    file->size = 5;
    file->give_up_at = clock_.wall();
    NewObject named = nameless(model::BinaryModel::b);
    named.file = file;
    NewObject lost = nameless(model::BinaryModel::b);
    auto other = std::make_shared<SourceFile>(*file);
    other->id = model::Uuid::random();
    lost.file = other;
    const StoredItem stored = make(item_with({named, lost}));
    EXPECT_TRUE(stored.preparing);
    reopen();
    const auto pending = store_->object_intake().pending_files().value();
    ASSERT_THAT(pending, SizeIs(2));
    EXPECT_EQ(pending[0]->path, "in/video.mp4");
    auto writer = store_->object_intake().copy_writer(5).value();
    ASSERT_TRUE(writer->write(std::string_view("video")));
    std::shared_ptr<const SealedObject> copy = writer->finish().value();
    auto& objects = store_->object_intake();
    ASSERT_EQ(call([&](auto done) { objects.prepared(file->id, copy, model::ObjectLoss::none, done); }),
              Outcome::committed);
    EXPECT_THAT(object_listener_.prepared(), IsEmpty());
    ASSERT_EQ(call([&](auto done) { objects.prepared(other->id, nullptr, model::ObjectLoss::vanished, done); }),
              Outcome::committed);
    ASSERT_THAT(object_listener_.prepared(), SizeIs(1));
    EXPECT_EQ(object_listener_.prepared()[0].row, stored.row);
    const StoredItem ready = load(stored.object_id);
    EXPECT_FALSE(ready.preparing);
    EXPECT_EQ(bytes_of(*ready.objects->at(0).sealed), "video");
    EXPECT_EQ(ready.objects->at(1).described.loss, model::ObjectLoss::vanished);
    ASSERT_EQ(accept(ready), Outcome::committed);
    EXPECT_EQ(counts().objects_queued, 1U);
    EXPECT_THAT(kinds(), ElementsAre(RecordKind::item_made, RecordKind::object_lost, RecordKind::item_delivered));
}

TEST_P(Conformance, RejectingAnItemEndsItsObjects) {
    const NewObject one = object("gone", model::BinaryModel::a);
    const StoredItem stored = make(item_with({one}));
    EXPECT_EQ(reject({stored.object_id}).second, 1U);
    EXPECT_FALSE(store_->upload_outbox().find_object(one.id).value());
    EXPECT_FALSE(counts().any());
    EXPECT_THAT(kinds(), ElementsAre(RecordKind::item_made, RecordKind::item_rejected, RecordKind::object_rejected));
}

INSTANTIATE_TEST_SUITE_P(Stores, Conformance, testing::ValuesIn(engines()),
                         [](const testing::TestParamInfo<Engine>& engine) { return engine.param.name; });

}  // namespace
}  // namespace lihandover::store::test
