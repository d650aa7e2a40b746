// What any store has to do with items that people review before they go.
#include <gmock/gmock.h>

#include <algorithm>

#include "../../support/eventually.hpp"
#include "fixture.hpp"

namespace lihandover::store::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const Reviewer ann{"uid:1001", "ann"};
const Reviewer bea{"uid:1002", "bea"};

class Reviewed : public Conformance {
  protected:
    NewItem held_item(Review review, std::string share = "share") {
        NewItem made = item(std::move(share));
        made.review = review;
        return made;
    }
    model::Uuid hold(NewItem one) {
        const model::Uuid id = one.object_id;
        EXPECT_EQ(submit(std::move(one)), Outcome::committed);
        EXPECT_EQ(state_of(id), ItemState::held);
        return id;
    }
    model::Uuid hold(Review review) { return hold(held_item(review)); }
    /// Done, first and repeated ones.
    std::vector<std::size_t> approve(std::vector<model::Uuid> ids, const Reviewer& who) {
        Answer<std::vector<std::size_t>> answer;
        store_->operator_view().approve(std::move(ids), who,
                                        [told = answer.callback()](Outcome outcome, const Decided& decided) {
                                            EXPECT_EQ(outcome, Outcome::committed);
                                            told({decided.done, decided.first, decided.repeated});
                                        });
        return answer.get();
    }
    std::vector<std::size_t> disapprove(std::vector<model::Uuid> ids, const Reviewer& who, std::string why) {
        Answer<std::vector<std::size_t>> answer;
        store_->operator_view().reject(meant(ids), who, std::move(why),
                                       [told = answer.callback()](Outcome outcome, const Decided& decided) {
                                           EXPECT_EQ(outcome, Outcome::committed);
                                           told({decided.done, decided.first, decided.repeated});
                                       });
        return answer.get();
    }
    std::optional<HeldFor> held(const model::Uuid& id) { return store_->operator_view().find(id).value()->held; }
    std::vector<Record> records(RecordKind kind) {
        auto found = store_->operator_view().records(0, 10'000).value();
        std::erase_if(found, [&](const Record& record) { return record.kind != kind; });
        return found;
    }
};

TEST_P(Reviewed, TimeOfReviewIsNoTimeInTheQueue) {
    const model::Uuid id = hold(Review::required);
    EXPECT_THAT(store_->operator_view().oldest().value(), IsEmpty());
    clock_.advance_wall(std::chrono::hours(5));
    EXPECT_EQ(approve({id}, ann), (std::vector<std::size_t>{1, 0, 0}));
    const auto approved = clock_.wall();
    clock_.advance_wall(std::chrono::minutes(5));
    EXPECT_EQ(store_->operator_view().oldest().value().at("lea").routine->micros(), approved.micros());
}

TEST_P(Reviewed, AnItemIsPassedByUntilItIsApproved) {
    const model::Uuid id = hold(held_item(Review::required, "reviewed"));
    EXPECT_THAT(rows(), IsEmpty());
    EXPECT_THAT(rows(true), IsEmpty());
    EXPECT_EQ(counts().held, 1U);
    EXPECT_EQ(counts().queued, 0U);
    const StoredItem later = make(item("later"));
    EXPECT_EQ(approve({id}, ann), (std::vector<std::size_t>{1, 0, 0}));
    ASSERT_THAT(queued(), SizeIs(2));
    EXPECT_EQ(queued()[0].object_id, later.object_id) << "what was queued first goes first";
    EXPECT_EQ(queued()[1].object_id, id);
    EXPECT_EQ(queued()[1].share, "reviewed");
    EXPECT_EQ(counts().held, 0U);
    EXPECT_EQ(counts().queued, 2U);
    EXPECT_EQ(approve({id}, bea), (std::vector<std::size_t>{0, 0, 0})) << "it is held no longer";
    EXPECT_EQ(accept(load(id)), Outcome::committed);
    EXPECT_EQ(state_of(id), ItemState::delivered);
}

TEST_P(Reviewed, TwoPeopleHaveToApproveAndOneCountsOnce) {
    const model::Uuid id = hold(Review::dual);
    EXPECT_EQ(approve({id}, ann), (std::vector<std::size_t>{0, 1, 0}));
    EXPECT_EQ(approve({id}, ann), (std::vector<std::size_t>{0, 0, 1}));
    EXPECT_EQ(approve({id, id}, {ann.identity, "another name"}), (std::vector<std::size_t>{0, 0, 2}));
    EXPECT_EQ(approve({id}, {"", "nobody vouches for him"}), (std::vector<std::size_t>{0, 0, 0}));
    EXPECT_EQ(state_of(id), ItemState::held);
    EXPECT_EQ(approve({id}, bea), (std::vector<std::size_t>{1, 0, 0}));
    EXPECT_EQ(load(id).object_id, id);
    const auto approved = records(RecordKind::item_approved);
    ASSERT_THAT(approved, SizeIs(2));
    EXPECT_EQ(approved[0].who, "ann");
    EXPECT_EQ(approved[0].why, "one of two");
    EXPECT_EQ(approved[1].who, "bea");
    EXPECT_EQ(approved[1].why, "two of two");
}

TEST_P(Reviewed, WhoComesByAnotherDoorMayBeTheSamePerson) {
    const Reviewer page{"certificate:CN=Ann", "CN=Ann"};
    const model::Uuid id = hold(Review::dual);
    EXPECT_EQ(approve({id}, ann), (std::vector<std::size_t>{0, 1, 0}));
    EXPECT_EQ(approve({id}, page), (std::vector<std::size_t>{0, 0, 1}));
    EXPECT_EQ(state_of(id), ItemState::held);
    EXPECT_EQ(disapprove({id}, page, "not his"), (std::vector<std::size_t>{0, 1, 0})) << "the opposite is a first word";
    EXPECT_EQ(disapprove({id}, {"certificate:CN=Bea", "CN=Bea"}, "not his"), (std::vector<std::size_t>{1, 0, 0}));
}

TEST_P(Reviewed, AnApprovalIsKeptOverARestart) {
    const model::Uuid id = hold(Review::dual);
    ASSERT_EQ(approve({id}, ann), (std::vector<std::size_t>{0, 1, 0}));
    reopen();
    EXPECT_EQ(state_of(id), ItemState::held);
    EXPECT_EQ(counts().held, 1U);
    EXPECT_EQ(approve({id}, ann), (std::vector<std::size_t>{0, 0, 1}));
    EXPECT_EQ(approve({id}, bea), (std::vector<std::size_t>{1, 0, 0}));
    reopen();
    EXPECT_EQ(load(id).share, "share");
}

TEST_P(Reviewed, NumbersHaveNoGapsAndFollowTheOrderOfQueueing) {
    const auto in_conversation = [&](Review review) {
        NewItem made = held_item(review);
        made.conversation_hash = hash_of(77);
        return made;
    };
    const model::Uuid rejected = hold(in_conversation(Review::required));
    const model::Uuid second = hold(in_conversation(Review::required));
    const model::Uuid first = make(in_conversation(Review::none)).object_id;
    ASSERT_EQ(reject({rejected}).second, 1U);
    ASSERT_EQ(approve({second}, ann), (std::vector<std::size_t>{1, 0, 0}));
    reopen();
    const model::Uuid third = make(in_conversation(Review::none)).object_id;
    std::vector<model::Uuid> order;
    std::vector<std::uint64_t> numbers;
    for (const StoredItem& one : queued()) {
        order.push_back(one.object_id);
        numbers.push_back(one.correlation.value().sequence_number);
    }
    EXPECT_THAT(order, ElementsAre(first, second, third));
    EXPECT_THAT(numbers, ElementsAre(0, 1, 2));
}

TEST_P(Reviewed, ARetryReleasesNothing) {
    const model::Uuid id = hold(Review::required);
    EXPECT_EQ(retry({id}).second, 0U);
    const auto all = count([&](auto done) { store_->operator_view().retry_all("lea", std::nullopt, "alice", done); });
    EXPECT_EQ(all.second, 0U);
    EXPECT_EQ(state_of(id), ItemState::held);
    EXPECT_THAT(rows(), IsEmpty());
}

TEST_P(Reviewed, ARejectedOneIsGoneForGood) {
    const model::Uuid id = hold(Review::required);
    EXPECT_EQ(disapprove({id}, {"", "nobody vouches for him"}, "no"), (std::vector<std::size_t>{0, 0, 0}));
    EXPECT_EQ(disapprove({id}, bea, "a mistake"), (std::vector<std::size_t>{1, 0, 0}));
    EXPECT_EQ(state_of(id), ItemState::rejected);
    const ItemView view = store_->operator_view().find(id).value().value();
    EXPECT_EQ(view.who, "bea");
    EXPECT_EQ(view.why, "a mistake");
    EXPECT_EQ(store_->operator_view().content(id).value(), std::nullopt);
    EXPECT_EQ(approve({id}, ann), (std::vector<std::size_t>{0, 0, 0}));
    EXPECT_EQ(counts().held, 0U);
    EXPECT_EQ(store_->operator_view().statistics().waiting_bytes, 0U);
    EXPECT_THAT(rows(), IsEmpty());
}

TEST_P(Reviewed, WhatNeedsTwoPeopleIsRejectedByTwo) {
    const model::Uuid id = hold(Review::dual);
    EXPECT_EQ(disapprove({id}, ann, "not his"), (std::vector<std::size_t>{0, 1, 0}));
    EXPECT_EQ(disapprove({id, id}, {ann.identity, "bea"}, "really"), (std::vector<std::size_t>{0, 0, 2}));
    reopen();
    EXPECT_EQ(state_of(id), ItemState::held);
    EXPECT_EQ(held(id)->first_who, "ann");
    EXPECT_TRUE(held(id)->first_rejects);
    EXPECT_EQ(held(id)->first_why, "not his");
    EXPECT_EQ(disapprove({id}, bea, "nor hers"), (std::vector<std::size_t>{1, 0, 0}));
    EXPECT_EQ(state_of(id), ItemState::rejected);
    ASSERT_THAT(records(RecordKind::item_disapproved), SizeIs(1));
    EXPECT_EQ(records(RecordKind::item_disapproved)[0].who, "ann");
    EXPECT_EQ(records(RecordKind::item_disapproved)[0].why, "not his");
    ASSERT_THAT(records(RecordKind::item_rejected), SizeIs(1));
    EXPECT_EQ(records(RecordKind::item_rejected)[0].who, "bea");
}

TEST_P(Reviewed, WhoDisagreesIsTheFirstOne) {
    const model::Uuid id = hold(Review::dual);
    ASSERT_EQ(approve({id}, ann), (std::vector<std::size_t>{0, 1, 0}));
    EXPECT_EQ(disapprove({id}, bea, "no"), (std::vector<std::size_t>{0, 1, 0})) << "it waits for a second one";
    EXPECT_EQ(approve({id}, bea), (std::vector<std::size_t>{0, 1, 0})) << "ann's word has gone";
    EXPECT_EQ(held(id)->first_who, "bea");
    EXPECT_FALSE(held(id)->first_rejects);
    EXPECT_EQ(approve({id}, bea), (std::vector<std::size_t>{0, 0, 1}));
    EXPECT_EQ(state_of(id), ItemState::held);
    EXPECT_EQ(approve({id}, ann), (std::vector<std::size_t>{1, 0, 0}));
    EXPECT_EQ(state_of(id), ItemState::queued);
}

TEST_P(Reviewed, EmergenciesAreListedFirst) {
    std::vector<model::Uuid> expected;
    std::vector<model::Uuid> routine;
    for (int i = 0; i < 7; ++i) {
        NewItem one = held_item(Review::required);
        one.emergency = i % 3 == 2;
        (one.emergency ? expected : routine).push_back(hold(std::move(one)));
    }
    // Of other states, which are no part of the page of held ones.
    ASSERT_EQ(refuse(make()), Outcome::committed);
    NewItem urgent = item();
    urgent.emergency = true;
    const model::Uuid queued_emergency = make(std::move(urgent)).object_id;
    expected.insert(expected.end(), routine.begin(), routine.end());
    for (const std::size_t limit : {1U, 2U, 3U, 100U}) {
        std::vector<model::Uuid> seen;
        for (ListPlace after;;) {
            const auto page = store_->operator_view().items(ItemState::held, after, limit).value();
            if (page.empty()) {
                break;
            }
            EXPECT_LE(page.size(), limit);
            for (const ItemView& view : page) {
                EXPECT_GT(view.place(), after);
                after = view.place();
                seen.push_back(view.object_id);
                EXPECT_EQ(store_->operator_view().find(view.object_id).value()->place(), view.place());
            }
        }
        EXPECT_EQ(seen, expected);
    }
    const auto all = store_->operator_view().items(std::nullopt, {}, 100).value();
    ASSERT_THAT(all, SizeIs(9));
    EXPECT_EQ(all[2].object_id, queued_emergency);
    EXPECT_TRUE(all[2].emergency);
    EXPECT_FALSE(all[3].emergency);
}

TEST_P(Reviewed, WhatIsHeldForLongIsTold) {
    EXPECT_EQ(store_->operator_view().held_before(clock_.wall()).value().oldest, std::nullopt);
    const model::Instant first = clock_.wall();
    NewItem urgent = held_item(Review::dual);
    urgent.emergency = true;
    hold(std::move(urgent));
    const model::Uuid other = hold(Review::required);
    clock_.advance(std::chrono::hours(1));
    hold(Review::required);
    HeldLong told = store_->operator_view().held_before(clock_.wall()).value();
    EXPECT_EQ(told.items, 2U);
    EXPECT_EQ(told.emergencies, 1U);
    EXPECT_EQ(told.oldest.value().micros(), first.micros());
    ASSERT_EQ(approve({other}, ann), (std::vector<std::size_t>{1, 0, 0}));
    told = store_->operator_view().held_before(first).value();
    EXPECT_EQ(told.items, 0U);
    EXPECT_EQ(told.oldest.value().micros(), first.micros());
}

TEST_P(Reviewed, ContentIsSeenAndThatIsOnRecord) {
    const auto shown = [&](RowId row, const model::Uuid& id) {
        return count([&](auto done) { store_->operator_view().shown(row, id, "ann", "the fields", done); });
    };
    NewItem one = item_with({object("bytes", model::BinaryModel::a)});
    one.review = Review::dual;
    one.share = "words";
    const model::Uuid id = hold(std::move(one));
    const StoredItem before = store_->operator_view().content(id).value().value();
    EXPECT_EQ(before.share, "words");
    EXPECT_EQ(before.object_id, id);
    EXPECT_EQ(before.correlation, std::nullopt);
    ASSERT_NE(before.objects, nullptr);
    ASSERT_THAT(*before.objects, SizeIs(1));
    EXPECT_EQ(bytes_of(*before.objects->at(0).sealed), "bytes");
    EXPECT_EQ(shown(before.row, id), std::pair(Outcome::committed, std::size_t{1}));
    EXPECT_EQ(shown(before.row, model::Uuid::random()).second, 0U);
    EXPECT_EQ(shown(before.row + 1000, id).second, 0U);
    ASSERT_THAT(records(RecordKind::content_shown), SizeIs(1));
    EXPECT_EQ(records(RecordKind::content_shown)[0].object_id, id);
    EXPECT_EQ(records(RecordKind::content_shown)[0].who, "ann");
    EXPECT_EQ(records(RecordKind::content_shown)[0].why, "the fields");
    const StoredItem waiting = make(item("queued"));
    const model::Uuid queued_one = waiting.object_id;
    EXPECT_THAT(store_->operator_view().received(std::vector{waiting.row, waiting.row + 1000, before.row}).value(),
                ElementsAre(testing::Ne(std::nullopt), testing::Eq(std::nullopt), testing::Eq(std::nullopt)));
    EXPECT_EQ(store_->operator_view().content(queued_one).value().value().share, "queued");
    EXPECT_EQ(store_->operator_view().content(model::Uuid::random()).value(), std::nullopt);
}

TEST_P(Reviewed, ARepeatMakesNoSecondItem) {
    NewItem one = held_item(Review::required);
    NewItem again = one;
    again.object_id = model::Uuid::random();
    const model::Uuid id = hold(std::move(one));
    ASSERT_EQ(submit(again), Outcome::committed);
    EXPECT_EQ(counts().held, 1U);
    ASSERT_EQ(approve({id}, ann), (std::vector<std::size_t>{1, 0, 0}));
    again.object_id = model::Uuid::random();
    ASSERT_EQ(submit(std::move(again)), Outcome::committed);
    EXPECT_THAT(rows(), SizeIs(1));
    EXPECT_EQ(counts().held, 0U);
}

TEST_P(Reviewed, ObjectsAreFoundOnceTheirItemIsApproved) {
    NewObject attached = object("bytes", model::BinaryModel::a);
    const model::Uuid object_id = attached.id;
    NewItem one = item_with({std::move(attached)});
    one.review = Review::required;
    const model::Uuid id = hold(std::move(one));
    EXPECT_EQ(store_->object_downloads().find_object(object_id).value(), std::nullopt);
    ASSERT_EQ(approve({id}, ann), (std::vector<std::size_t>{1, 0, 0}));
    const StoredItem approved = load(id);
    ASSERT_NE(approved.objects, nullptr);
    ASSERT_THAT(*approved.objects, SizeIs(1));
    EXPECT_EQ(bytes_of(*approved.objects->at(0).sealed), "bytes");
    const auto found = store_->object_downloads().find_object(object_id).value();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->item, approved.row);
    EXPECT_EQ(accept(approved), Outcome::committed);
    EXPECT_EQ(store_->object_downloads().find_object(object_id).value()->state, ObjectState::offered);
}

TEST_P(Reviewed, ObjectsOfARejectedOneGoWithIt) {
    NewObject attached = object("bytes", model::BinaryModel::b);
    const model::Uuid object_id = attached.id;
    NewItem one = item_with({std::move(attached)});
    one.review = Review::required;
    const model::Uuid id = hold(std::move(one));
    EXPECT_THAT(object_listener_.uploads(), IsEmpty());
    ASSERT_EQ(disapprove({id}, ann, "no"), (std::vector<std::size_t>{1, 0, 0}));
    EXPECT_EQ(store_->upload_outbox().find_object(object_id).value(), std::nullopt);
    EXPECT_FALSE(counts().any());
    reopen();
    EXPECT_FALSE(counts().any());
}

TEST_P(Reviewed, TheSchemaGoesByWhatIsKnownWhenItIsQueued) {
    const model::Uuid id = hold(Review::required);
    const StoredItem before = make();
    ASSERT_TRUE(before.carries_schema);
    ASSERT_EQ(accept(before, true), Outcome::committed);
    ASSERT_EQ(approve({id}, ann), (std::vector<std::size_t>{1, 0, 0}));
    EXPECT_FALSE(load(id).carries_schema);
}

TEST_P(Reviewed, TheRecordsTellWhatBecameOfIt) {
    const model::Uuid id = hold(Review::required);
    EXPECT_THAT(kinds(), Contains(RecordKind::item_held));
    EXPECT_THAT(kinds(), Not(Contains(RecordKind::item_made)));
    ASSERT_EQ(approve({id}, ann), (std::vector<std::size_t>{1, 0, 0}));
    ASSERT_THAT(records(RecordKind::item_made), SizeIs(1));
    EXPECT_EQ(records(RecordKind::item_made)[0].id, load(id).row);
    EXPECT_EQ(records(RecordKind::item_approved)[0].why, "one of one");
}

TEST_P(Reviewed, MoreThanOneTransactionTakesAreApproved) {
    std::vector<NewItem> many;
    std::vector<model::Uuid> ids;
    for (int i = 0; i < 700; ++i) {
        many.push_back(held_item(Review::required));
        ids.push_back(many.back().object_id);
    }
    ASSERT_EQ(submit(std::move(many)), Outcome::committed);
    EXPECT_EQ(approve(ids, ann), (std::vector<std::size_t>{700, 0, 0}));
    std::vector<model::Uuid> order;
    for (const StoredItem& one : queued()) {
        order.push_back(one.object_id);
    }
    EXPECT_EQ(order, ids);
}

/// Items of a warrant that is revoked, where what is queued is to be held.
class Withheld : public Reviewed {
  protected:
    void SetUp() override {
        Reviewed::SetUp();
        const StoredWarrant one{"one.yaml", "lea", "LIID-1", "one"};
        ASSERT_TRUE(store_->warrant_register().change_warrants({{one}, {}, {}, ""}));
    }
    void revoke(Review hold) {
        WarrantChanges changes;
        changes.revoked.push_back({"lea", "LIID-1", clock_.wall(), "one.yaml", {}, "alice", "the court said so", hold});
        ASSERT_TRUE(store_->warrant_register().change_warrants(changes));
    }
    void nothing_more() { ASSERT_TRUE(store_->warrant_register().nothing_more_of("lea", "LIID-1")); }
    /// Whether so many items are held in the end, and no others are on their way there.
    bool held_at_last(std::uint64_t number) {
        return eventually(
            [&] { return counts().held == number && store_->operator_view().statistics().withholding == 0; });
    }
    NewItem in_conversation(std::string share) {
        NewItem made = item(std::move(share));
        made.conversation_hash = hash_of(77);
        return made;
    }
};

TEST_P(Withheld, NothingGoesOutOnceItsWarrantIsRevoked) {
    const StoredItem queued_one = make(in_conversation("queued"));
    const StoredItem aside = make(in_conversation("aside"));
    const StoredItem refused_one = make(in_conversation("refused"));
    const StoredItem other = make(item("other", other_lane_));
    ASSERT_EQ(set_aside(aside), Outcome::committed);
    ASSERT_EQ(refuse(refused_one), Outcome::committed);
    revoke(Review::required);
    EXPECT_THAT(listener_.lanes_withdrawn(), ElementsAre(lane_)) << "before anybody is told that it is revoked";
    ASSERT_THAT(rows(), SizeIs(1)) << "whether it is held already or not";
    EXPECT_EQ(rows()[0].row, other.row);
    EXPECT_THAT(rows(true), IsEmpty());
    nothing_more();
    ASSERT_TRUE(held_at_last(2));
    EXPECT_EQ(counts().queued, 0U);
    EXPECT_EQ(counts().set_aside, 0U);
    EXPECT_EQ(counts().refused, 1U) << "that waits for somebody's decision anyway";
    EXPECT_EQ(counts("other").queued, 1U);
    EXPECT_THAT(store_->outbox().load(std::vector{queued_one.row, aside.row}).value(), IsEmpty());
    ASSERT_TRUE(held(queued_one.object_id));
    EXPECT_TRUE(held(queued_one.object_id)->withheld);
    EXPECT_EQ(held(queued_one.object_id)->review, Review::required);
    EXPECT_EQ(store_->operator_view().content(aside.object_id).value()->share, "aside");
    const auto told = records(RecordKind::item_withheld);
    ASSERT_THAT(told, SizeIs(2));
    EXPECT_EQ(told[0].object_id, queued_one.object_id);
    EXPECT_EQ(told[0].why, "its warrant was revoked");
    EXPECT_EQ(records(RecordKind::warrant_revoked)[0].why, "the court said so (what was queued is held)");
    EXPECT_EQ(retry({queued_one.object_id}).second, 0U) << "not by the back door";
}

TEST_P(Withheld, AnApprovedOneGoesBackToItsPlaceWithItsNumbers) {
    std::vector<StoredItem> items;
    for (int i = 0; i < 4; ++i) {
        items.push_back(make(in_conversation("item " + std::to_string(i))));
    }
    ASSERT_EQ(set_aside(items[3]), Outcome::committed);
    revoke(Review::required);
    nothing_more();
    ASSERT_TRUE(held_at_last(4));
    reopen();
    EXPECT_EQ(counts().held, 4U);
    EXPECT_EQ(approve({items[3].object_id, items[1].object_id}, ann), (std::vector<std::size_t>{2, 0, 0}));
    EXPECT_EQ(disapprove({items[0].object_id}, ann, "privileged"), (std::vector<std::size_t>{1, 0, 0}));
    const auto waiting = queued();
    ASSERT_THAT(waiting, SizeIs(2));
    for (const auto& [found, before] : {std::pair(&waiting[0], &items[1]), std::pair(&waiting[1], &items[3])}) {
        EXPECT_EQ(found->row, before->row);
        EXPECT_EQ(found->share, before->share);
        EXPECT_EQ(found->carries_schema, before->carries_schema);
        ASSERT_TRUE(found->correlation);
        EXPECT_EQ(found->correlation->level_id, before->correlation->level_id);
        EXPECT_EQ(found->correlation->sequence_number, before->correlation->sequence_number);
    }
    ASSERT_THAT(listener_.retried(), SizeIs(2));
    EXPECT_EQ(listener_.retried()[0].row, items[1].row);
    EXPECT_EQ(state_of(items[0].object_id), ItemState::rejected);
    EXPECT_EQ(records(RecordKind::item_rejected)[0].why, "privileged");
    EXPECT_EQ(accept(waiting[0]), Outcome::committed);
    EXPECT_EQ(state_of(items[1].object_id), ItemState::delivered);
    EXPECT_EQ(counts().held, 1U);
    reopen();
    EXPECT_EQ(queued()[0].share, "item 3");
    EXPECT_EQ(counts().held, 1U) << "the one that nobody has decided";
}

TEST_P(Withheld, WhatComesUntilNothingMoreComesIsHeldToo) {
    make(in_conversation("before"));
    revoke(Review::required);
    NewItem late = in_conversation("late");
    late.emergency = true;
    const model::Uuid late_id = late.object_id;
    ASSERT_EQ(submit(std::move(late)), Outcome::committed);
    EXPECT_THAT(rows(), IsEmpty());
    nothing_more();
    const auto heard = listener_.queued().size();
    const StoredItem next = make(item("of another warrant with this LIID"));
    EXPECT_EQ(listener_.queued().size(), heard + 1);
    ASSERT_TRUE(held_at_last(2));
    EXPECT_EQ(state_of(late_id), ItemState::held);
    EXPECT_EQ(state_of(next.object_id), ItemState::queued);
    EXPECT_EQ(heard, 1U) << "delivery never heard of the late one";
}

TEST_P(Withheld, AStartGoesOnWithIt) {
    std::vector<NewItem> many;
    for (int i = 0; i < 700; ++i) {
        many.push_back(in_conversation("item"));
    }
    ASSERT_EQ(submit(std::move(many)), Outcome::committed);
    revoke(Review::dual);
    reopen();
    EXPECT_THAT(rows(), IsEmpty());
    ASSERT_TRUE(held_at_last(700));
    EXPECT_THAT(records(RecordKind::item_withheld), SizeIs(700)) << "each once";
    const auto listed = store_->operator_view().items(ItemState::held, {}, 1).value();
    ASSERT_THAT(listed, SizeIs(1));
    EXPECT_TRUE(listed[0].held->withheld);
    EXPECT_EQ(approve({listed[0].object_id}, ann), (std::vector<std::size_t>{0, 1, 0}));
    EXPECT_EQ(approve({listed[0].object_id}, ann), (std::vector<std::size_t>{0, 0, 1}));
    EXPECT_EQ(approve({listed[0].object_id}, bea), (std::vector<std::size_t>{1, 0, 0}));
    EXPECT_EQ(rows().size(), 1U);
    const StoredItem next = make(item("of another warrant"));
    EXPECT_EQ(state_of(next.object_id), ItemState::queued);
}

TEST_P(Withheld, OneThatIsAcceptedAllTheSameIsDelivered) {
    const StoredItem on_its_way = make(in_conversation("on its way"));
    const StoredItem failing = make(in_conversation("failing"));
    revoke(Review::required);
    nothing_more();
    ASSERT_TRUE(held_at_last(2));
    ASSERT_EQ(accept(on_its_way), Outcome::committed);
    EXPECT_EQ(state_of(on_its_way.object_id), ItemState::delivered);
    ASSERT_EQ(refuse(failing), Outcome::committed);
    ASSERT_EQ(set_aside(failing), Outcome::committed);
    EXPECT_EQ(state_of(failing.object_id), ItemState::held) << "people decide, not the LEA";
    EXPECT_EQ(counts().held, 1U);
}

TEST_P(Withheld, ItsObjectsAreNeitherFoundNorPushed) {
    NewObject offered = object("bytes", model::BinaryModel::a);
    const model::Uuid object_id = offered.id;
    NewItem made = item_with({std::move(offered)});
    const StoredItem one = make(std::move(made));
    ASSERT_EQ(call([&](auto done) {
                  store_->outbox().stamp(one.row, model::Instant{clock_.wall().seconds + 3600, 0}, done);
              }),
              Outcome::committed);
    EXPECT_TRUE(store_->object_downloads().find_object(object_id).value());
    revoke(Review::required);
    EXPECT_FALSE(store_->object_downloads().find_object(object_id).value()) << "whether it is held already or not";
    nothing_more();
    ASSERT_TRUE(held_at_last(1));
    EXPECT_FALSE(store_->object_downloads().find_object(object_id).value());
    EXPECT_EQ(approve({one.object_id}, ann), (std::vector<std::size_t>{1, 0, 0}));
    EXPECT_TRUE(store_->object_downloads().find_object(object_id).value());
    ASSERT_NE(load(one.object_id).objects, nullptr);
    EXPECT_EQ(load(one.object_id).objects->front().described.id, object_id);
}

TEST_P(Withheld, ARevocationThatDeliversHoldsNothing) {
    const StoredItem one = make();
    revoke(Review::none);
    EXPECT_EQ(state_of(one.object_id), ItemState::queued);
    EXPECT_THAT(listener_.lanes_withdrawn(), IsEmpty());
    EXPECT_EQ(rows().size(), 1U);
    EXPECT_EQ(records(RecordKind::warrant_revoked)[0].why, "the court said so");
}

INSTANTIATE_TEST_SUITE_P(Stores, Withheld, testing::ValuesIn(engines()),
                         [](const testing::TestParamInfo<Engine>& engine) { return engine.param.name; });

INSTANTIATE_TEST_SUITE_P(Stores, Reviewed, testing::ValuesIn(engines()),
                         [](const testing::TestParamInfo<Engine>& engine) { return engine.param.name; });

}  // namespace
}  // namespace lihandover::store::test
