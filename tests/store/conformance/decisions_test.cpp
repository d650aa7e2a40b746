// What any store has to do with a decision about items that may have become something else since they were seen.
#include <gmock/gmock.h>

#include <chrono>

#include "fixture.hpp"

namespace lihandover::store::test {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

const Reviewer ann{"uid:1001", "ann"};
constexpr std::chrono::milliseconds long_enough = std::chrono::minutes(5);

class Decisions : public Conformance {
  protected:
    NewItem to_review() {
        NewItem made = item();
        made.review = Review::required;
        return made;
    }
    model::Uuid hold() {
        NewItem made = to_review();
        const model::Uuid id = made.object_id;
        EXPECT_EQ(submit(std::move(made)), Outcome::committed);
        return id;
    }
    void approve(const model::Uuid& id) {
        const auto done = count([&](auto told) {
            store_->operator_view().approve(
                {id}, ann, [told](Outcome outcome, const Decided& decided) { told(outcome, decided.done); });
        });
        EXPECT_EQ(done, std::pair(Outcome::committed, std::size_t{1}));
    }
    Decided reject_as(std::vector<Meant> items) {
        Answer<Decided> answer;
        store_->operator_view().reject(std::move(items), ann, "a mistake",
                                       [told = answer.callback()](Outcome outcome, const Decided& decided) {
                                           EXPECT_EQ(outcome, Outcome::committed);
                                           told(decided);
                                       });
        return answer.get();
    }
    void object_is(ObjectState state, const model::Uuid& id) {
        auto& to = store_->upload_outbox();
        const auto done = call([&](auto told) {
            if (state == ObjectState::refused) {
                to.refused(id, refusal, told);
            } else if (state == ObjectState::set_aside) {
                to.set_aside(id, refusal, told);
            } else {
                to.pushed(id, told);
            }
        });
        EXPECT_EQ(done, Outcome::committed);
    }
    Found find_all(const std::vector<model::Uuid>& ids, std::chrono::milliseconds patience) {
        return store_->operator_view().find_all(ids, patience).value();
    }
    /// One in each state, and binary objects in theirs.
    struct All {
        model::Uuid held, queued, refused, set_aside, delivered, rejected;
        model::Uuid object_queued, object_refused, object_pushed;
        model::Uuid unknown = model::Uuid::random();

        [[nodiscard]] std::vector<model::Uuid> ids() const {
            return {delivered, held,          queued,    object_pushed, unknown,
                    refused,   object_queued, set_aside, rejected,      object_refused};
        }
    };
    All one_of_each() {
        All all;
        all.held = hold();
        std::vector<NewObject> objects;
        for (int i = 0; i < 3; ++i) {
            objects.push_back(object("object " + std::to_string(i), model::BinaryModel::b));
        }
        const StoredItem with_objects = make(item_with(objects));
        all.delivered = with_objects.object_id;
        EXPECT_EQ(accept(with_objects), Outcome::committed);
        all.object_queued = objects[0].id;
        all.object_refused = objects[1].id;
        all.object_pushed = objects[2].id;
        object_is(ObjectState::refused, all.object_refused);
        object_is(ObjectState::offered, all.object_pushed);
        const StoredItem refused = make();
        all.refused = refused.object_id;
        EXPECT_EQ(refuse(refused), Outcome::committed);
        const StoredItem aside = make();
        all.set_aside = aside.object_id;
        EXPECT_EQ(set_aside(aside), Outcome::committed);
        all.rejected = make().object_id;
        EXPECT_EQ(reject({all.rejected}).second, 1U);
        all.queued = make().object_id;
        return all;
    }
};

TEST_P(Decisions, SeveralAreFoundByOneLookAsEachIsByItself) {
    const std::vector<model::Uuid> ids = one_of_each().ids();
    const Found found = find_all(ids, long_enough);
    EXPECT_TRUE(found.whole);
    ASSERT_THAT(found.items, SizeIs(ids.size()));
    for (std::size_t n = 0; n < ids.size(); ++n) {
        const auto alone = store_->operator_view().find(ids[n]).value();
        ASSERT_EQ(found.items[n].has_value(), alone.has_value()) << n;
        if (!alone) {
            continue;
        }
        const ItemView& one = *found.items[n];
        EXPECT_EQ(one.object_id, ids[n]) << n;
        EXPECT_EQ(one.state, alone->state) << n;
        EXPECT_EQ(one.row, alone->row) << n;
        EXPECT_EQ(one.destination, "lea") << n;
        EXPECT_EQ(one.object_of, alone->object_of) << n;
        EXPECT_EQ(one.received_at.micros(), alone->received_at.micros()) << n;
        EXPECT_EQ(one.changed_at.micros(), alone->changed_at.micros()) << n;
        EXPECT_EQ(one.refusal, alone->refusal) << n;
        EXPECT_EQ(one.held.has_value(), alone->held.has_value()) << n;
        EXPECT_EQ(one.who, alone->who) << n;
        EXPECT_EQ(one.why, alone->why) << n;
    }
    EXPECT_THAT(find_all({}, long_enough).items, IsEmpty());
}

TEST_P(Decisions, AnAcceptanceThatCameAfterARejectionIsWhatIsFound) {
    const StoredItem one = make();
    ASSERT_EQ(reject({one.object_id}).second, 1U);
    ASSERT_EQ(accept(one), Outcome::committed);
    EXPECT_EQ(find_all({one.object_id}, long_enough).items[0]->state, ItemState::delivered);
}

TEST_P(Decisions, WithoutTimeWhatWaitsBesideTheQueueIsFoundAllTheSame) {
    const All all = one_of_each();
    const Found found =
        find_all({all.queued, all.held, all.refused, all.delivered, all.set_aside, all.object_queued}, {});
    EXPECT_FALSE(found.whole);
    ASSERT_THAT(found.items, SizeIs(6));
    EXPECT_FALSE(found.items[0]);
    EXPECT_EQ(found.items[1]->state, ItemState::held);
    EXPECT_EQ(found.items[2]->state, ItemState::refused);
    EXPECT_FALSE(found.items[3]);
    EXPECT_EQ(found.items[4]->state, ItemState::set_aside);
    EXPECT_EQ(found.items[5]->state, ItemState::queued);
    EXPECT_TRUE(find_all({all.held, all.refused}, {}).whole) << "nothing is missing";
}

TEST_P(Decisions, WhatIsNoLongerAsItWasSeenIsNotRejected) {
    const model::Uuid approved = hold();
    const model::Uuid open = hold();
    const StoredItem again = make();
    ASSERT_EQ(refuse(again), Outcome::committed);
    approve(approved);
    ASSERT_EQ(retry({again.object_id}).second, 1U);
    const RowId row = load(approved).row;
    const Decided decided = reject_as({{approved, {ItemState::held}},
                                       {approved, {ItemState::held}, row},
                                       {open, {ItemState::held}},
                                       {again.object_id, {ItemState::refused, ItemState::set_aside}, again.row},
                                       {model::Uuid::random(), {ItemState::held}}});
    EXPECT_EQ(decided.done, 1U);
    EXPECT_EQ(state_of(approved), ItemState::queued);
    EXPECT_EQ(state_of(open), ItemState::rejected);
    EXPECT_EQ(state_of(again.object_id), ItemState::queued);
}

TEST_P(Decisions, AnItemThatIsHeldByNowIsLeftToThoseWhoReview) {
    const StoredItem seen = make();
    const StoredItem tried = make();
    WarrantChanges changes;
    StoredRevocation& revoked = changes.revoked.emplace_back();
    revoked.destination = "lea";
    revoked.liid = "LIID-1";
    revoked.hold = Review::required;
    ASSERT_TRUE(store_->warrant_register().change_warrants(changes));
    ASSERT_TRUE(eventually([&] { return counts().held == 2; }));
    const ItemStates not_held{ItemState::queued, ItemState::refused, ItemState::set_aside};
    const Decided decided = reject_as({{seen.object_id, not_held, seen.row}, {tried.object_id, not_held}});
    EXPECT_EQ(decided.done, 0U);
    EXPECT_EQ(counts().held, 2U);
}

TEST_P(Decisions, WhatIsQueuedIsFoundByItsRowOrWithoutIt) {
    const StoredItem known = make();
    const StoredItem other = make();
    const StoredItem refused = make();
    ASSERT_EQ(refuse(refused), Outcome::committed);
    const ItemStates as{ItemState::queued, ItemState::refused};
    EXPECT_EQ(reject_as({{known.object_id, as, other.row}}).done, 0U) << "another item's";
    const Decided decided =
        reject_as({{known.object_id, as, known.row}, {other.object_id, as}, {refused.object_id, as, refused.row}});
    EXPECT_EQ(decided.done, 3U);
    EXPECT_FALSE(counts().any());
}

// Whoever decided about the item would be told that it was rejected, and what belongs to it would be gone.
TEST_P(Decisions, WhatWasDeliveredMeanwhileKeepsItsBinaryObjects) {
    const NewObject waits = object("a photograph", model::BinaryModel::b);
    const NewObject disliked = object("another", model::BinaryModel::b);
    const StoredItem seen = make(item_with({waits, disliked}));
    ASSERT_EQ(accept(seen), Outcome::committed);
    object_is(ObjectState::refused, disliked.id);
    const ItemStates as{ItemState::queued, ItemState::refused, ItemState::set_aside};
    EXPECT_EQ(reject_as({{seen.object_id, as, seen.row}, {seen.object_id, as}}).done, 0U);
    EXPECT_EQ(state_of(waits.id), ItemState::queued);
    EXPECT_EQ(state_of(disliked.id), ItemState::refused);
    EXPECT_EQ(reject_as({{seen.object_id}}).done, 1U) << "however it waits";
    EXPECT_FALSE(counts().any());
}

TEST_P(Decisions, OnceSearchesHaveEndedOnlyWhatNeedsNoneIsRejected) {
    const StoredItem known = make();
    const StoredItem unknown = make();
    store_->operator_view().end_searches();
    const ItemStates as{ItemState::queued};
    Answer<Outcome> answer;
    store_->operator_view().reject({{unknown.object_id, as}}, ann, "a mistake",
                                   [told = answer.callback()](Outcome outcome, const Decided&) { told(outcome); });
    EXPECT_EQ(answer.get(), Outcome::failed);
    EXPECT_EQ(reject_as({{known.object_id, as, known.row}}).done, 1U);
    EXPECT_EQ(state_of(unknown.object_id), ItemState::queued);
}

TEST_P(Decisions, WhatARejectEndedIsToldByDestinations) {
    const StoredItem known = make();
    const model::Uuid held = hold();
    const model::Uuid gone = make().object_id;
    NewItem elsewhere = item();
    elsewhere.lane = store_->warrant_register().lane("other", "LIID-9").value();
    const model::Uuid there = elsewhere.object_id;
    ASSERT_EQ(submit(std::move(elsewhere)), Outcome::committed);
    ASSERT_EQ(reject({gone}).second, 1U);
    const Decided decided = reject_as({{known.object_id, waiting_states, known.row},
                                       {held},
                                       {there},
                                       {gone},
                                       {known.object_id, waiting_states, known.row},
                                       {model::Uuid::random()}});
    EXPECT_EQ(decided.done, 3U);
    EXPECT_EQ(decided.rejected, (std::map<std::string, std::size_t>{{"lea", 2}, {"other", 1}}));
}

TEST_P(Decisions, BinaryObjectsAreRejectedAsTheyWereSeenToo) {
    const All all = one_of_each();
    const Decided decided =
        reject_as({{all.object_queued, {ItemState::refused}}, {all.object_refused, {ItemState::refused}}});
    EXPECT_EQ(decided.done, 1U);
    EXPECT_THAT(decided.rejected, IsEmpty()) << "their item was delivered";
    EXPECT_EQ(state_of(all.object_queued), ItemState::queued);
    EXPECT_EQ(state_of(all.object_refused), ItemState::rejected);
}

INSTANTIATE_TEST_SUITE_P(Stores, Decisions, testing::ValuesIn(engines()),
                         [](const auto& engine) { return engine.param.name; });

}  // namespace
}  // namespace lihandover::store::test
