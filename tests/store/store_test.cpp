#include "lihandover/store/store.hpp"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <set>

#include "sqlite.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Outbox : public StoreTest {
  protected:
    void SetUp() override { open(); }
};

TEST_F(Outbox, KeepsAllThatAnItemSays) {
    NewItem made = item("all that was said");
    made.emergency = true;
    made.conversation_hash = hash_of(77);
    made.schema_content = SchemaContent::never;
    ASSERT_EQ(submit(made), Outcome::committed);

    const auto items = queued();
    ASSERT_THAT(items, SizeIs(1));
    const StoredItem& stored = items.front();
    EXPECT_EQ(stored.lane, lane_);
    EXPECT_EQ(stored.profile, profile_);
    EXPECT_EQ(stored.object_id, made.object_id);
    EXPECT_TRUE(stored.emergency);
    EXPECT_FALSE(stored.carries_schema);
    ASSERT_TRUE(stored.correlation);
    EXPECT_EQ(stored.correlation->sequence_number, 0U);
    EXPECT_LT(stored.correlation->level_id, std::uint64_t{1} << 53);
    EXPECT_EQ(stored.received_at.micros(), made.received_at.micros());
    EXPECT_EQ(stored.share, made.share);

    const auto heard = listener_.queued();
    ASSERT_THAT(heard, SizeIs(1));
    EXPECT_EQ(heard.front().row, stored.row);
    EXPECT_EQ(heard.front().lane, lane_);
    EXPECT_TRUE(heard.front().emergency);
}

TEST_F(Outbox, HandsNewItemsOverWholeAsTheyAreReadBack) {
    NewItem plain = item("one");
    NewItem full = item("two");
    full.emergency = true;
    full.conversation_hash = hash_of(7);
    full.schema_content = SchemaContent::never;
    full.received_at.nanos = 123'456'789;  // finer than the disk keeps it
    NewItem repeat = item("three");
    repeat.repeat_hash = plain.repeat_hash;
    std::vector<NewItem> items;
    items.push_back(std::move(plain));
    items.push_back(std::move(full));
    items.push_back(std::move(repeat));
    ASSERT_EQ(submit(std::move(items)), Outcome::committed);

    const auto heard = listener_.stored();
    const auto read = queued();
    ASSERT_THAT(heard, SizeIs(2));
    ASSERT_THAT(read, SizeIs(2));
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(heard[i].row, read[i].row);
        EXPECT_EQ(heard[i].lane, read[i].lane);
        EXPECT_EQ(heard[i].profile, read[i].profile);
        EXPECT_EQ(heard[i].object_id, read[i].object_id);
        EXPECT_EQ(heard[i].emergency, read[i].emergency);
        EXPECT_EQ(heard[i].carries_schema, read[i].carries_schema);
        ASSERT_EQ(heard[i].correlation.has_value(), read[i].correlation.has_value());
        if (read[i].correlation) {
            EXPECT_EQ(heard[i].correlation->level_id, read[i].correlation->level_id);
            EXPECT_EQ(heard[i].correlation->sequence_number, read[i].correlation->sequence_number);
        }
        EXPECT_EQ(heard[i].received_at, read[i].received_at);
        EXPECT_EQ(heard[i].share, read[i].share);
    }
}

TEST_F(Outbox, KeepsItemsOverARestartInTheirOrder) {
    std::vector<model::Uuid> made;
    for (int i = 0; i < 50; ++i) {
        made.push_back(model::Uuid::random());
        NewItem one = item(std::to_string(i));
        one.object_id = made.back();
        ASSERT_EQ(submit(std::move(one)), Outcome::committed);
    }
    const auto before = queued();
    reopen();
    const auto after = queued();
    ASSERT_THAT(after, SizeIs(50));
    for (std::size_t i = 0; i < after.size(); ++i) {
        EXPECT_EQ(after[i].object_id, made[i]);
        EXPECT_EQ(after[i].row, before[i].row);
        EXPECT_EQ(after[i].share, std::to_string(i));
    }
    EXPECT_EQ(counts().queued, 50U);
    EXPECT_EQ(store_->operator_view().statistics().waiting_bytes > 50 * 1, true);
}

TEST_F(Outbox, TellsTheListenerInRowOrderBeforeTheCallersOnceForEach) {
    constexpr int submissions = 200;
    std::atomic<int> done{0};
    for (int i = 0; i < submissions; ++i) {
        std::vector<NewItem> items;
        items.push_back(item());
        items.push_back(item());
        submit_to(store_->item_intake(), std::move(items), [&](Outcome outcome) {
            EXPECT_EQ(outcome, Outcome::committed);
            ++done;
            // All that this group made was told before.
            EXPECT_GE(listener_.queued().size(), static_cast<std::size_t>(2 * done.load()));
        });
    }
    ASSERT_TRUE(eventually([&] { return done == submissions; }));
    const auto heard = listener_.queued();
    ASSERT_THAT(heard, SizeIs(2 * submissions));
    EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end(),
                               [](const QueuedItem& a, const QueuedItem& b) { return a.row < b.row; }));
}

TEST_F(Outbox, LetsAnAcceptedItemGoAndSaysSo) {
    NewItem made = item("secret words");
    made.conversation_hash = hash_of(1);
    ASSERT_EQ(submit(made), Outcome::committed);
    const auto waiting = queued();
    clock_.advance_wall(std::chrono::seconds(5));
    ASSERT_EQ(accept(waiting.front()), Outcome::committed);
    EXPECT_THAT(queued(), IsEmpty());
    EXPECT_EQ(counts().queued, 0U);
    EXPECT_EQ(store_->operator_view().statistics().waiting_bytes, 0U);
    EXPECT_THAT(record_kinds(), ElementsAre(RecordKind::item_made, RecordKind::item_delivered));

    const auto delivered = store_->operator_view().items(ItemState::delivered, {}, 10);
    ASSERT_TRUE(delivered);
    ASSERT_THAT(*delivered, SizeIs(1));
    const ItemView& view = delivered->front();
    EXPECT_EQ(view.object_id, made.object_id);
    EXPECT_EQ(view.destination, "lea");
    EXPECT_EQ(view.liid, "LIID-1");
    EXPECT_EQ(view.row, waiting.front().row);
    EXPECT_EQ(view.received_at.micros(), made.received_at.micros());
    EXPECT_EQ(view.changed_at.micros(), clock_.wall().micros());
    ASSERT_TRUE(view.correlation);
    EXPECT_EQ(view.correlation->level_id, waiting.front().correlation->level_id);

    const auto found = store_->operator_view().find(made.object_id);
    ASSERT_TRUE(found);
    ASSERT_TRUE(found->has_value());
    EXPECT_EQ((*found)->state, ItemState::delivered);
}

TEST_F(Outbox, RecordsAnAcceptanceOnlyOnce) {
    ASSERT_EQ(submit(item()), Outcome::committed);
    const auto waiting = queued();
    ASSERT_EQ(accept(waiting.front()), Outcome::committed);
    ASSERT_EQ(accept(waiting.front()), Outcome::committed);
    EXPECT_THAT(record_kinds(), ElementsAre(RecordKind::item_made, RecordKind::item_delivered));
    EXPECT_EQ(counts().queued, 0U);
}

TEST_F(Outbox, PutsARefusedItemAsideWithTheLeasWords) {
    ASSERT_EQ(submit({item("one"), item("two")}), Outcome::committed);
    const auto waiting = queued();
    ASSERT_EQ(refuse(waiting[0].row, {3007, Refusal::Kind::hi1_error, "no such LIID"}), Outcome::committed);
    EXPECT_EQ(counts().queued, 1U);
    EXPECT_EQ(counts().refused, 1U);
    ASSERT_THAT(queued(), SizeIs(1));
    EXPECT_EQ(queued().front().row, waiting[1].row);

    const auto views = store_->operator_view().items(ItemState::refused, {}, 10);
    ASSERT_TRUE(views);
    ASSERT_THAT(*views, SizeIs(1));
    EXPECT_EQ(views->front().object_id, waiting[0].object_id);
    ASSERT_TRUE(views->front().refusal);
    EXPECT_EQ(views->front().refusal->code, 3007U);
    EXPECT_EQ(views->front().refusal->kind, Refusal::Kind::hi1_error);
    EXPECT_EQ(views->front().refusal->words, "no such LIID");

    const auto all = store_->operator_view().items(std::nullopt, {}, 10);
    ASSERT_TRUE(all);
    ASSERT_THAT(*all, SizeIs(2));
    EXPECT_EQ((*all)[0].state, ItemState::refused);
    EXPECT_EQ((*all)[1].state, ItemState::queued);

    reopen();
    EXPECT_EQ(counts().refused, 1U);
    EXPECT_EQ(counts().queued, 1U);
}

TEST_F(Outbox, GivesARetriedItemItsPlaceBack) {
    ASSERT_EQ(submit({item("one"), item("two"), item("three")}), Outcome::committed);
    const auto waiting = queued();
    ASSERT_EQ(refuse(waiting[0].row, {1, Refusal::Kind::hi1_error, ""}), Outcome::committed);
    ASSERT_EQ(refuse(waiting[1].row, {2, Refusal::Kind::http_status, ""}), Outcome::committed);

    const auto [outcome, count] =
        retry({waiting[1].object_id, model::Uuid::random(), waiting[0].object_id, waiting[2].object_id});
    EXPECT_EQ(outcome, Outcome::committed);
    EXPECT_EQ(count, 2U);
    const auto again = queued();
    ASSERT_THAT(again, SizeIs(3));
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(again[i].row, waiting[i].row);
        EXPECT_EQ(again[i].share, waiting[i].share);
    }
    const auto heard = listener_.retried();
    ASSERT_THAT(heard, SizeIs(2));
    EXPECT_EQ(heard[0].row, waiting[0].row);
    EXPECT_EQ(heard[1].row, waiting[1].row);
    EXPECT_EQ(listener_.calls(), "QR");
    EXPECT_EQ(counts().refused, 0U);
    EXPECT_EQ(counts().queued, 3U);
}

TEST_F(Outbox, RetriesAllOfADestinationOrOneCodeOfIt) {
    const auto other = store_->warrant_register().lane("other", "LIID-1");
    ASSERT_TRUE(other);
    std::vector<NewItem> items;
    for (int i = 0; i < 5000; ++i) {
        items.push_back(item());
        if (i % 5 == 0) {
            items.back().lane = *other;
        }
    }
    ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    const auto waiting = queued();
    std::atomic<int> done{0};
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        store_->outbox().refused(waiting[i].row, {i % 2, Refusal::Kind::hi1_error, ""}, [&](Outcome) { ++done; });
    }
    ASSERT_TRUE(eventually([&] { return done == 5000; }));
    EXPECT_EQ(counts().refused, 4000U);

    auto [outcome, count] = retry_all("lea", 1);
    EXPECT_EQ(outcome, Outcome::committed);
    EXPECT_EQ(count, 2000U);
    std::tie(outcome, count) = retry_all("lea", std::nullopt);
    EXPECT_EQ(count, 2000U);
    EXPECT_EQ(counts().queued, 4000U);
    EXPECT_EQ(counts("other").refused, 1000U);
    EXPECT_THAT(listener_.retried(), SizeIs(4000));
}

TEST_F(Outbox, RejectsWaitingItemsForGoodAndTakesThemFromDelivery) {
    ASSERT_EQ(submit({item("one"), item("two"), item("three")}), Outcome::committed);
    const auto waiting = queued();
    ASSERT_EQ(refuse(waiting[1].row, {9, Refusal::Kind::invalid_document, "bad"}), Outcome::committed);
    const auto [outcome, count] = reject({waiting[0].object_id, waiting[1].object_id, model::Uuid::random()});
    EXPECT_EQ(outcome, Outcome::committed);
    EXPECT_EQ(count, 2U);
    EXPECT_EQ(counts().queued, 1U);
    EXPECT_EQ(counts().refused, 0U);
    const auto withdrawn = listener_.withdrawn();
    ASSERT_THAT(withdrawn, SizeIs(1));
    EXPECT_EQ(withdrawn.front().row, waiting[0].row);

    const auto views = store_->operator_view().items(ItemState::rejected, {}, 10);
    ASSERT_TRUE(views);
    ASSERT_THAT(*views, SizeIs(2));
    EXPECT_EQ((*views)[0].who, "bob");
    EXPECT_EQ((*views)[0].why, "sent by mistake");
    EXPECT_FALSE((*views)[0].refusal);
    ASSERT_TRUE((*views)[1].refusal);
    EXPECT_EQ((*views)[1].refusal->words, "bad");
}

// What goes is overwritten, for which a full disk has little room at once.
TEST_F(Outbox, RejectsMuchContentInSteps) {
    std::vector<NewItem> items;
    for (int i = 0; i < 30; ++i) {
        items.push_back(item(std::string(100'000, 'x')));
    }
    ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    std::vector<model::Uuid> ids;
    for (const StoredItem& one : queued()) {
        ids.push_back(one.object_id);
    }
    ASSERT_THAT(ids, SizeIs(30));
    const auto before = store_->operator_view().statistics().commits;
    EXPECT_EQ(reject(ids), std::pair(Outcome::committed, std::size_t{30}));
    EXPECT_GE(store_->operator_view().statistics().commits, before + 2);
    EXPECT_EQ(counts().queued, 0U);
    EXPECT_THAT(listener_.withdrawn(), SizeIs(30));
}

TEST_F(Outbox, RecordsAnAcceptanceThatCameAfterARejection) {
    ASSERT_EQ(submit(item()), Outcome::committed);
    const auto waiting = queued();
    ASSERT_EQ(reject({waiting[0].object_id}).second, 1U);
    ASSERT_EQ(accept(waiting[0]), Outcome::committed);
    EXPECT_THAT(record_kinds(),
                ElementsAre(RecordKind::item_made, RecordKind::item_rejected, RecordKind::item_delivered));
    const auto rejected = store_->operator_view().items(ItemState::rejected, {}, 10);
    const auto delivered = store_->operator_view().items(ItemState::delivered, {}, 10);
    EXPECT_THAT(*rejected, IsEmpty());
    EXPECT_THAT(*delivered, SizeIs(1));
}

TEST_F(Outbox, PagesThroughItemsInRowOrder) {
    std::vector<NewItem> items;
    for (int i = 0; i < 25; ++i) {
        items.push_back(item());
    }
    ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    const auto waiting = queued();
    for (std::size_t i = 0; i < 25; i += 3) {
        ASSERT_EQ(refuse(waiting[i].row, {}), Outcome::committed);
    }
    std::vector<RowId> seen;
    ListPlace after;
    while (true) {
        const auto page = store_->operator_view().items(std::nullopt, after, 4);
        ASSERT_TRUE(page);
        if (page->empty()) {
            break;
        }
        EXPECT_LE(page->size(), 4U);
        for (const ItemView& view : *page) {
            seen.push_back(view.row);
        }
        after = page->back().place();
    }
    ASSERT_THAT(seen, SizeIs(25));
    for (std::size_t i = 0; i < 25; ++i) {
        EXPECT_EQ(seen[i], waiting[i].row);
    }
}

TEST_F(Outbox, CommitsAFillerForAGroupWithoutItems) {
    const auto before = store_->operator_view().statistics().commits;
    ASSERT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
    EXPECT_EQ(store_->operator_view().statistics().commits, before + 1);
    EXPECT_THAT(listener_.queued(), IsEmpty());
}

// promise 7: a group writes as much as if each of its events had matched once.
TEST_F(Outbox, FillersOfEventsWriteAsMuchAsItems) {
    constexpr std::size_t events = 200;
    const auto wal = [this] { return std::filesystem::file_size(options_.directory / "store.db-wal"); };
    const auto cut = [&] { return eventually([&] { return wal() == 0; }); };
    std::vector<NewItem> items;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < events; ++i) {
        items.push_back(item(some_bytes(1000, i + 1)));
        bytes += items.back().share.size();
    }
    const auto idle = [&] {
        Answer<Outcome> answer;
        Arrival arrival;
        arrival.events = arrival.idle_events = events;
        arrival.bytes = arrival.idle_bytes = bytes;
        store_->item_intake().submit({}, arrival, answer.callback());
        return answer.get();
    };
    ASSERT_EQ(idle(), Outcome::committed);  // makes the rows that are overwritten from then on
    ASSERT_TRUE(cut());
    ASSERT_EQ(idle(), Outcome::committed);
    const auto fillers = wal();
    ASSERT_TRUE(cut());
    ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    const auto matched = wal();
    EXPECT_GT(fillers, matched * 7 / 10);
    EXPECT_LT(fillers, matched * 13 / 10);
}

// The same while warrants have review: a batch of held items touches pages all over the index of what is held already.
TEST_F(Outbox, GroupsWriteAsMuchAsOnesThatAreHeld) {
    constexpr std::size_t events = 100;
    const auto wal = [this] { return std::filesystem::file_size(options_.directory / "store.db-wal"); };
    const auto cut = [&] { return eventually([&] { return wal() == 0; }); };
    const auto take = [&](Review review, std::size_t items) {
        Answer<Outcome> answer;
        Arrival arrival;
        arrival.review = true;
        arrival.events = events;
        std::vector<NewItem> made;
        for (std::size_t i = 0; i < events; ++i) {
            NewItem one = item(some_bytes(1000, i + 1));
            one.review = review;
            arrival.bytes += one.share.size();
            if (i < items) {
                made.push_back(std::move(one));
            } else {
                ++arrival.idle_events;
                arrival.idle_bytes += one.share.size();
            }
        }
        store_->item_intake().submit(std::move(made), arrival, answer.callback());
        EXPECT_EQ(answer.get(), Outcome::committed);
    };
    const auto written = [&](Review review, std::size_t items) {
        EXPECT_TRUE(cut());
        take(review, items);
        return wal();
    };
    for (int i = 0; i < 50; ++i) {
        take(Review::required, events);
    }
    take(Review::none, 0);  // makes the rows that are overwritten from then on
    const auto held = written(Review::required, events);
    for (const std::uintmax_t other : {written(Review::none, events), written(Review::none, 0)}) {
        EXPECT_GT(other, held * 8 / 10);
        EXPECT_LT(other, held * 12 / 10);
    }
}

// Queueing it would destroy the only bytes that may yet be read.
TEST_F(Outbox, WhatCannotBeReadStaysHeldWhenItIsApproved) {
    NewItem evidence = item("evidence");
    evidence.review = Review::dual;
    const model::Uuid id = evidence.object_id;
    ASSERT_EQ(submit(std::move(evidence)), Outcome::committed);
    const auto approve = [&](const char* who) {
        Answer<Decided> answer;
        store_->operator_view().approve({id}, {who, who},
                                        [told = answer.callback()](Outcome outcome, const Decided& to) {
                                            EXPECT_EQ(outcome, Outcome::committed);
                                            told(to);
                                        });
        return answer.get();
    };
    const auto damage = [&](const char* sql) {
        close();
        sqlite::Connection(options_.directory / "store.db").execute(sql);
        open();
    };
    damage("CREATE TABLE sealed AS SELECT octets FROM share; UPDATE share SET octets=zeroblob(length(octets))");
    EXPECT_EQ(approve("uid:1").first, 1U);
    const Decided decided = approve("uid:2");
    EXPECT_EQ(decided.unreadable, 1U);
    EXPECT_EQ(decided.done, 0U);
    EXPECT_EQ(store_->operator_view().find(id).value()->state, ItemState::held);
    EXPECT_THAT(queued(), IsEmpty());
    damage("UPDATE share SET octets=(SELECT octets FROM sealed); DROP TABLE sealed");
    EXPECT_EQ(approve("uid:2").done, 1U);
    ASSERT_THAT(queued(), SizeIs(1));
    EXPECT_EQ(queued()[0].share, "evidence");
}

TEST_F(Outbox, RoomIsJudgedByWhatArrivesWhateverMatched) {
    std::promise<void> entered;
    std::promise<void> go_on;
    submit_to(store_->item_intake(), {}, [&entered, goes = go_on.get_future().share()](Outcome) {
        entered.set_value();
        goes.wait();
    });
    entered.get_future().wait();  // the writer is busy from here on
    const auto submit_as = [this](std::vector<NewItem> items, std::uint64_t bytes) {
        auto answer = std::make_unique<Answer<Outcome>>();
        Arrival arrival;
        arrival.events = 1;
        arrival.bytes = bytes;
        store_->item_intake().submit(std::move(items), arrival, answer->callback());
        return answer;
    };
    const auto large = submit_as({}, std::uint64_t{64} << 20);
    std::vector<NewItem> items;
    items.push_back(item());
    const auto matched = submit_as(std::move(items), 1);
    const auto idle = submit_as({}, 1);
    go_on.set_value();
    EXPECT_EQ(large->get(), Outcome::committed);
    EXPECT_EQ(matched->get(), Outcome::failed);
    EXPECT_EQ(idle->get(), Outcome::failed);
    ASSERT_EQ(submit(item()), Outcome::committed);
}

TEST_F(Outbox, FillersOfObjectsLeaveNothingAndWriteAsMuch) {
    const auto wal = [this] { return std::filesystem::file_size(options_.directory / "store.db-wal"); };
    const auto cut = [&] { return eventually([&] { return wal() == 0; }); };
    const NewItem made = item_with(std::vector<NewObject>(100, object_of(source_file(4), model::BinaryModel::b)));
    ASSERT_EQ(submit(made), Outcome::committed);
    const auto before = queued();
    const auto idle = [&](std::size_t objects) {
        Answer<Outcome> answer;
        store_->item_intake().submit({}, arrival_of({}, objects), answer.callback());
        return answer.get();
    };
    ASSERT_TRUE(cut());
    ASSERT_EQ(idle(0), Outcome::committed);
    const auto without = wal();
    ASSERT_TRUE(cut());
    ASSERT_EQ(idle(1000), Outcome::committed);
    const auto with = wal();
    EXPECT_GT(with, without + 100U * 4096U);
    ASSERT_TRUE(cut());
    // A repeat has none either.
    ASSERT_EQ(submit(made), Outcome::committed);
    EXPECT_GT(wal(), without + 10U * 4096U);
    EXPECT_EQ(counts().objects_attached, 100U);
    reopen();
    EXPECT_EQ(counts().objects_attached, 100U);
    const auto after = queued();
    ASSERT_EQ(after.size(), 1U);
    EXPECT_EQ(after[0].row, before[0].row);
    EXPECT_EQ(after[0].objects->size(), 100U);
    ASSERT_EQ(submit(item()), Outcome::committed);
}

TEST_F(Outbox, TurnsItemsOfAnUnknownLaneAway) {
    NewItem wrong = item();
    wrong.lane = 4711;
    EXPECT_EQ(submit(std::move(wrong)), Outcome::failed);
    NewItem no_profile = item();
    no_profile.profile = -1;
    EXPECT_EQ(submit(std::move(no_profile)), Outcome::failed);
    EXPECT_EQ(submit(item()), Outcome::committed);
    EXPECT_EQ(counts().queued, 1U);
}

TEST_F(Outbox, SaysWhenTheOldestOfADestinationCame) {
    const auto other = store_->warrant_register().lane("other", "LIID-9");
    ASSERT_TRUE(other);
    ASSERT_EQ(submit(item()), Outcome::committed);
    const auto first = clock_.wall();
    clock_.advance_wall(std::chrono::minutes(3));
    NewItem later = item();
    later.lane = *other;
    ASSERT_EQ(submit(std::move(later)), Outcome::committed);
    const auto oldest = store_->operator_view().oldest().value();
    EXPECT_EQ(oldest.at("lea").routine->micros(), first.micros());
    EXPECT_EQ(oldest.at("other").routine->micros(), clock_.wall().micros());
    EXPECT_FALSE(oldest.contains("nobody"));
}

TEST_F(Outbox, GivesTheSchemaWithEachItemUntilOneWasAccepted) {
    ASSERT_EQ(submit({item(), item()}), Outcome::committed);
    auto waiting = queued();
    EXPECT_TRUE(waiting[0].carries_schema);
    EXPECT_TRUE(waiting[1].carries_schema);
    ASSERT_EQ(accept(waiting[0]), Outcome::committed);
    NewItem always = item();
    always.schema_content = SchemaContent::always;
    ASSERT_EQ(submit({item(), always}), Outcome::committed);
    EXPECT_FALSE(queued()[1].carries_schema);
    EXPECT_TRUE(queued()[2].carries_schema);

    reopen();
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_FALSE(queued().back().carries_schema);

    // Another schema, or another lane, starts anew.
    model::Profile newer = some_profile();
    newer.schema_identifier = "urn:example:schema:2";
    const auto profile = store_->warrant_register().profile(newer);
    ASSERT_TRUE(profile);
    NewItem changed = item();
    changed.profile = *profile;
    ASSERT_EQ(submit(std::move(changed)), Outcome::committed);
    EXPECT_TRUE(queued().back().carries_schema);
    const auto lane = store_->warrant_register().lane("lea", "LIID-2");
    ASSERT_TRUE(lane);
    NewItem elsewhere = item();
    elsewhere.lane = *lane;
    ASSERT_EQ(submit(std::move(elsewhere)), Outcome::committed);
    EXPECT_TRUE(queued().back().carries_schema);
}

TEST_F(Outbox, NeverUsesARowTwice) {
    ASSERT_EQ(submit(item()), Outcome::committed);
    const RowId first = queued().front().row;
    ASSERT_EQ(accept(queued().front()), Outcome::committed);
    // Even the records are gone.
    options_.record_retention = std::chrono::seconds(1);
    reopen();
    clock_.advance_wall(std::chrono::hours(1));
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
        return store_->operator_view().records(0, 10)->empty();
    }));
    reopen();
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_GT(queued().front().row, first + 1);
}

TEST_F(Outbox, PrunesRecordsAfterTheirTime) {
    options_.record_retention = std::chrono::hours(1);
    reopen();
    std::vector<NewItem> items;
    for (int i = 0; i < 3000; ++i) {
        items.push_back(item());
    }
    ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    clock_.advance_wall(std::chrono::minutes(30));
    ASSERT_EQ(accept(queued().front()), Outcome::committed);
    clock_.advance_wall(std::chrono::minutes(31));
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
        return store_->operator_view().records(0, 10000)->size() == 1;
    }));
    EXPECT_THAT(record_kinds(), ElementsAre(RecordKind::item_delivered));
    const auto delivered = store_->operator_view().items(ItemState::delivered, {}, 10);
    ASSERT_THAT(*delivered, SizeIs(1));
    EXPECT_EQ(counts().queued, 2999U);
}

TEST_F(Outbox, PrunesNothingByATimeThatIsNotTrusted) {
    options_.record_retention = std::chrono::hours(1);
    reopen();
    const NewItem one = item();
    ASSERT_EQ(submit(one), Outcome::committed);
    // The clock is 100 days ahead, and nobody says that it is right.
    clock_.advance_wall(std::chrono::hours(24 * 100));
    clock_.distrust(std::chrono::hours(24 * 100));
    // Some steps of housekeeping go by.
    const auto commits = store_->operator_view().statistics().commits;
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
    }
    EXPECT_GE(store_->operator_view().statistics().commits, commits + 20);
    EXPECT_THAT(record_kinds(), ElementsAre(RecordKind::item_made));
    NewItem again = one;
    again.object_id = model::Uuid::random();
    ASSERT_EQ(submit(again), Outcome::committed);
    EXPECT_EQ(counts().queued, 1U) << "it is remembered still";
    // Once it is trusted, it goes.
    clock_.distrust(std::chrono::hours(0));
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
        return store_->operator_view().records(0, 10)->empty();
    }));
}

TEST_F(Outbox, PrunesRecordsBehindOnesFromTheFuture) {
    options_.record_retention = std::chrono::hours(1);
    reopen();
    clock_.advance_wall(std::chrono::hours(24 * 365));
    std::vector<NewItem> items;
    for (int i = 0; i < 1500; ++i) {  // more than one step of pruning looks at
        items.push_back(item());
    }
    ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    clock_.advance_wall(-std::chrono::hours(24 * 365));
    ASSERT_EQ(submit(item()), Outcome::committed);
    clock_.advance(std::chrono::hours(2));
    ASSERT_EQ(submit(item()), Outcome::committed);
    ASSERT_TRUE(eventually([&] {
        EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::committed);
        return store_->operator_view().records(0, 10'000)->size() == 1;
    })) << "those from the future go with the old one behind them";
    EXPECT_EQ(counts().queued, 1502U);
}

TEST_F(Outbox, GivesSpaceBackAtAStart) {
    for (int group = 0; group < 10; ++group) {
        std::vector<NewItem> items;
        for (int i = 0; i < 50; ++i) {
            items.push_back(item(std::string(60'000, 'x')));
        }
        ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    }
    const auto waiting = queued();
    std::vector<Acceptance> accepted;
    for (std::size_t i = 1; i < waiting.size(); ++i) {
        accepted.push_back({waiting[i].row, waiting[i].lane, waiting[i].profile, waiting[i].object_id, false, false});
    }
    ASSERT_EQ(call([&](auto done) { store_->outbox().accepted(accepted, done); }), Outcome::committed);
    close();
    ASSERT_GT(std::filesystem::file_size(options_.directory / "store.db"), 20'000'000U);
    open();
    EXPECT_LT(std::filesystem::file_size(options_.directory / "store.db"), 2'000'000U);
    ASSERT_THAT(queued(), SizeIs(1));
    EXPECT_EQ(queued()[0].share, waiting[0].share);
    EXPECT_EQ(queued()[0].row, waiting[0].row);
}

TEST_F(Outbox, FindsLanesAndProfilesAgain) {
    const std::vector<std::pair<std::string, std::string>> pairs = {
        {"a", "L1"}, {"b", "L1"}, {"a", "L1"}, {"lea", "LIID-1"}};
    const auto ids = store_->warrant_register().lanes(pairs);
    ASSERT_TRUE(ids);
    EXPECT_EQ((*ids)[0], (*ids)[2]);
    EXPECT_NE((*ids)[0], (*ids)[1]);
    EXPECT_EQ((*ids)[3], lane_);
    ASSERT_TRUE(store_->warrant_register().find_lane((*ids)[1]));
    EXPECT_EQ(store_->warrant_register().find_lane((*ids)[1])->destination, "b");
    EXPECT_EQ(store_->warrant_register().find_lane(0), nullptr);
    EXPECT_EQ(store_->warrant_register().find_lane(99), nullptr);

    model::Profile other = some_profile();
    other.receiver.unique_identifier = "SOMEBODY";
    const auto second = store_->warrant_register().profile(other);
    ASSERT_TRUE(second);
    EXPECT_NE(*second, profile_);
    const ProfileId first = profile_;
    reopen();
    EXPECT_EQ(store_->warrant_register().lanes(pairs).value(), *ids);
    EXPECT_EQ(profile_, first);
    EXPECT_EQ(store_->warrant_register().profile(other).value(), *second);
    EXPECT_EQ(*store_->warrant_register().find_profile(*second), other);
    EXPECT_EQ(store_->warrant_register().find_profile(17), nullptr);
}

TEST_F(Outbox, KeepsWarrantsAndSaysWhatBecameOfThem) {
    WarrantChanges changes;
    changes.in_force = {{"a.yaml", "lea", "LIID-1", std::string("bytes\0of one", 13)},
                        {"b.yaml", "lea", "LIID-2", "two"}};
    changes.who = "carol";
    ASSERT_TRUE(store_->warrant_register().change_warrants(changes));
    WarrantChanges more;
    more.changed = {{"c.yaml", "lea", "LIID-1", "newer"}};
    more.ended = {{"b.yaml", "lea", "LIID-2", ""}};
    ASSERT_TRUE(store_->warrant_register().change_warrants(more));
    reopen();
    const auto warrants = store_->warrant_register().warrants();
    ASSERT_TRUE(warrants);
    ASSERT_THAT(*warrants, SizeIs(1));
    EXPECT_EQ(warrants->front().file, "c.yaml");
    EXPECT_EQ(warrants->front().bytes, "newer");
    EXPECT_THAT(record_kinds(), ElementsAre(RecordKind::warrant_in_force, RecordKind::warrant_in_force,
                                            RecordKind::warrant_changed, RecordKind::warrant_ended));
    const auto records = store_->operator_view().records(0, 10);
    EXPECT_EQ(records->front().who, "carol");
    EXPECT_FALSE(records->front().object_id);
    EXPECT_EQ(records->back().lane, store_->warrant_register().lane("lea", "LIID-2").value());
}

TEST_F(Outbox, HashesUnderItsOwnKey) {
    const std::vector<std::string_view> one = {"ab", "c"};
    const std::vector<std::string_view> two = {"a", "bc"};
    const auto hash = store_->item_intake().keyed_hash(one);
    EXPECT_NE(hash, store_->item_intake().keyed_hash(two));
    EXPECT_EQ(hash, store_->item_intake().keyed_hash(one));
    reopen();
    EXPECT_EQ(hash, store_->item_intake().keyed_hash(one));
    lihandover::test::TemporaryDirectory elsewhere;
    auto other = Store::open({elsewhere.path(), 0, {}}, clock_);
    ASSERT_TRUE(other);
    EXPECT_NE(hash, (*other)->item_intake().keyed_hash(one));
}

TEST_F(Outbox, AnswersAllThatWasSubmittedBeforeTheStop) {
    constexpr int submissions = 3000;
    std::atomic<int> committed{0};
    std::atomic<int> failed{0};
    for (int i = 0; i < submissions; ++i) {
        std::vector<NewItem> items;
        items.push_back(item());
        submit_to(store_->item_intake(), std::move(items),
                  [&](Outcome outcome) { ++(outcome == Outcome::committed ? committed : failed); });
    }
    store_->stop();
    EXPECT_EQ(committed, submissions);
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_EQ(submit(item()), Outcome::failed);
    EXPECT_EQ(accept(StoredItem()), Outcome::failed);
    EXPECT_EQ(retry({model::Uuid::random()}).first, Outcome::failed);
    EXPECT_EQ(reject({model::Uuid::random()}).first, Outcome::failed);
    EXPECT_FALSE(store_->warrant_register().lane("x", "y"));
    store_->stop();
    reopen();
    EXPECT_EQ(counts().queued, static_cast<std::uint64_t>(submissions));
}

TEST_F(Outbox, BoundsWhatWaitsInMemory) {
    // While the writer stands still in a callback, so much is taken and the rest fails.
    std::mutex gate;
    std::unique_lock closed(gate);
    std::atomic<bool> standing{false};
    submit_to(store_->item_intake(), {}, [&](Outcome) {
        standing = true;
        const std::lock_guard wait(gate);
    });
    ASSERT_TRUE(eventually([&] { return standing.load(); }));
    std::atomic<int> committed{0};
    std::atomic<int> failed{0};
    const std::string large(1U << 20U, 'x');
    for (int i = 0; i < 100; ++i) {
        std::vector<NewItem> items;
        items.push_back(item(large));
        submit_to(store_->item_intake(), std::move(items),
                  [&](Outcome outcome) { ++(outcome == Outcome::committed ? committed : failed); });
    }
    closed.unlock();
    ASSERT_TRUE(eventually([&] { return committed + failed == 100; }));
    EXPECT_GE(committed, 31);
    EXPECT_LE(committed, 33);
    EXPECT_EQ(submit(item()), Outcome::committed);
}

TEST_F(Outbox, BoundsWhatBinaryObjectsThatWaitTakeInMemory) {
    std::mutex gate;
    std::unique_lock closed(gate);
    std::atomic<bool> standing{false};
    submit_to(store_->item_intake(), {}, [&](Outcome) {
        standing = true;
        const std::lock_guard wait(gate);
    });
    ASSERT_TRUE(eventually([&] { return standing.load(); }));
    std::atomic<int> committed{0};
    std::atomic<int> failed{0};
    const auto source = source_file(4);
    // A hundred objects with a name of 10 KiB each are above 1 MiB.
    for (int i = 0; i < 40; ++i) {
        std::vector<NewObject> objects(100);
        for (NewObject& object : objects) {
            object = object_of(source, model::BinaryModel::b);
            object.original_filename.assign(10U << 10U, 'n');
        }
        std::vector<NewItem> items;
        items.push_back(item_with(std::move(objects)));
        submit_to(store_->item_intake(), std::move(items),
                  [&](Outcome outcome) { ++(outcome == Outcome::committed ? committed : failed); });
    }
    closed.unlock();
    ASSERT_TRUE(eventually([&] { return committed + failed == 40; }));
    EXPECT_GE(committed, 20);
    EXPECT_LE(committed, 33);
    EXPECT_EQ(submit(item()), Outcome::committed);
}

TEST_F(Outbox, TakesOneSubmissionOfAnySize) {
    std::vector<NewItem> items;
    for (int i = 0; i < 20000; ++i) {
        items.push_back(item(std::string(2000, 'y')));
    }
    EXPECT_EQ(submit(std::move(items)), Outcome::committed);
    EXPECT_EQ(counts().queued, 20000U);
}

TEST_F(Outbox, ObservesCommits) {
    std::atomic<int> seen{0};
    store_->set_commit_observer([&](double seconds) {
        EXPECT_GT(seconds, 0);
        ++seen;
    });
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_GE(seen, 1);
    store_->stop();
}

TEST_F(Outbox, RefusesNewItemsAboveItsLimitUntilThereIsRoom) {
    options_.max_bytes = 4 << 20;
    reopen();
    Outcome outcome = Outcome::committed;
    int made = 0;
    while (outcome == Outcome::committed) {
        std::vector<NewItem> items;
        for (int i = 0; i < 20; ++i) {
            items.push_back(item(std::string(3000, 'z')));
        }
        outcome = submit(std::move(items));
        if (outcome == Outcome::committed) {
            made += 20;
        }
        ASSERT_LT(made, 3000);
    }
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::failed) << "a refusal says nothing of warrants";
    EXPECT_GT(made, 500);
    EXPECT_EQ(counts().queued, static_cast<std::uint64_t>(made));
    EXPECT_EQ(store_->operator_view().statistics().max_bytes, options_.max_bytes);
    for (const StoredItem& waiting : queued()) {
        ASSERT_EQ(accept(waiting), Outcome::committed);
    }
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_EQ(submit(item()), Outcome::committed);
    EXPECT_THAT(listener_.health(), IsEmpty());

    store_->set_limits(1, std::chrono::hours(1));
    ASSERT_TRUE(eventually([&] { return !store_->item_intake().accepting(); }));
    store_->set_limits(0, std::chrono::hours(1));
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
}

TEST_F(Outbox, LeavesNoContentInItsFilesOnceItWasDelivered) {
    const std::string words = "words that nobody is to find again";
    std::vector<NewItem> items;
    for (int i = 0; i < 500; ++i) {
        items.push_back(item(words + std::string(i % 7 * 900, '.') + words));
    }
    ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    const auto holders = [&] {
        std::vector<std::string> files;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.directory)) {
            if (entry.is_directory()) {
                continue;
            }
            std::string bytes(static_cast<std::size_t>(entry.file_size()), '\0');
            std::ifstream(entry.path(), std::ios::binary)
                .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
            if (bytes.find("nobody is to find") != std::string::npos) {
                files.push_back(entry.path().filename());
            }
        }
        return files;
    };
    EXPECT_THAT(holders(), IsEmpty()) << "it is sealed while it waits, too";
    auto waiting = queued();
    ASSERT_EQ(refuse(waiting[3].row, {}), Outcome::committed);
    ASSERT_EQ(refuse(waiting[4].row, {}), Outcome::committed);
    ASSERT_EQ(reject({waiting[0].object_id, waiting[3].object_id}).second, 2U);
    for (std::size_t i = 1; i < waiting.size(); ++i) {
        ASSERT_EQ(accept(waiting[i]), Outcome::committed);
    }
    EXPECT_THAT(holders(), IsEmpty());
    EXPECT_TRUE(eventually([&] { return std::filesystem::file_size(options_.directory / "store.db-wal") == 0; }));
}

TEST_F(Outbox, IsReadWhileItIsWritten) {
    std::atomic<bool> end{false};
    std::atomic<std::uint64_t> loaded{0};
    std::thread looking([&] {
        while (!end) {
            std::vector<RowId> rows;
            EXPECT_TRUE(store_->outbox().for_each_queued([&](const QueuedItem& one) { rows.push_back(one.row); }));
            const auto items = store_->outbox().load(rows);
            ASSERT_TRUE(items);
            for (const StoredItem& one : *items) {
                EXPECT_EQ(one.share, "share");
                ++loaded;
            }
            EXPECT_TRUE(store_->operator_view().records(0, 100));
        }
    });
    for (int round = 0; round < 30; ++round) {
        std::vector<NewItem> items;
        for (int i = 0; i < 100; ++i) {
            items.push_back(item());
        }
        ASSERT_EQ(submit(std::move(items)), Outcome::committed);
        for (const StoredItem& one : queued()) {
            store_->outbox().accepted({{one.row, one.lane, one.profile, one.object_id, false}}, {});
        }
    }
    ASSERT_TRUE(eventually([&] { return loaded > 0; }));
    end = true;
    looking.join();
    ASSERT_TRUE(eventually([&] { return counts().queued == 0; }));
}

}  // namespace
}  // namespace lihandover::store::test
