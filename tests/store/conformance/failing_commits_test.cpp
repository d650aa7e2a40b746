// What any store has to do while nothing can be committed, and afterwards.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>

#include "fixture.hpp"

namespace lihandover::store::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class FailingCommits : public Conformance {
  protected:
    void fail(bool fail) { GetParam().fail_commits(*store_, fail); }
    /// Fails commits, and waits until the store has found out.
    void break_down() {
        fail(true);
        EXPECT_EQ(submit(item("lost")), Outcome::failed);
        accept_later(first_);
        ASSERT_TRUE(eventually([&] { return !listener_.health().empty(); }));
        EXPECT_THAT(listener_.health(), ElementsAre(false));
    }
    void mend() {
        fail(false);
        ASSERT_TRUE(eventually([&] { return listener_.health().size() == 2; }));
        EXPECT_THAT(listener_.health(), ElementsAre(false, true));
    }
    /// Tells the store, and does not wait for it.
    void accept_later(const StoredItem& one) {
        store_->outbox().accepted(
            {{one.row, one.lane, one.profile, one.object_id, one.carries_schema, one.objects != nullptr}},
            [this](Outcome outcome) { answered(outcome); });
    }
    void answered(Outcome outcome) { ++(outcome == Outcome::committed ? committed_ : failed_); }
    void SetUp() override {
        Conformance::SetUp();
        first_ = make(item("first"));
    }

    StoredItem first_;  ///< waits from the start, so that there is something to accept
    std::atomic<int> committed_{0};
    std::atomic<int> failed_{0};
};

TEST_P(FailingCommits, AcceptancesAreKeptUntilTheyAreOnDisk) {
    const StoredItem two = make();
    break_down();
    accept_later(two);
    EXPECT_EQ(committed_, 0);
    EXPECT_EQ(failed_, 0);
    EXPECT_THAT(queued(), SizeIs(2)) << "what was committed before can be read";
    mend();
    ASSERT_TRUE(eventually([&] { return committed_ == 2; }));
    EXPECT_EQ(failed_, 0);
    reopen();
    EXPECT_EQ(state_of(first_.object_id), ItemState::delivered);
    EXPECT_EQ(state_of(two.object_id), ItemState::delivered);
    EXPECT_EQ(std::ranges::count(kinds(), RecordKind::item_delivered), 2);
}

TEST_P(FailingCommits, SoIsWhatBecameOfObjects) {
    const NewObject push = object("to push", model::BinaryModel::b);
    NewObject offer = object("to fetch", model::BinaryModel::a);
    offer.remove_when_fetched = true;
    ASSERT_EQ(accept(make(item_with({push, offer}))), Outcome::committed);
    auto file = std::make_shared<SourceFile>();
    file->id = model::Uuid::random();
    file->path = "in/video.mp4";
    file->size = 5;
    NewObject named = nameless(model::BinaryModel::b);
    named.file = file;
    const StoredItem preparing = make(item_with({named}));
    auto writer = store_->object_intake().copy_writer(5).value();
    ASSERT_TRUE(writer->write(std::string_view("video")));
    const std::shared_ptr<const SealedObject> copy = writer->finish().value();
    break_down();
    const auto told = [this](Outcome outcome) { answered(outcome); };
    store_->upload_outbox().pushed(push.id, told);
    store_->object_downloads().fetched({offer.id, "certificate", 0, 8, Fetch::Extent::whole}, told);
    store_->object_intake().prepared(file->id, copy, model::ObjectLoss::none, told);
    EXPECT_FALSE(store_->object_intake().writer());
    EXPECT_FALSE(store_->object_intake().copy_writer(1));
    EXPECT_THAT(object_listener_.prepared(), IsEmpty());
    EXPECT_EQ(committed_, 0);
    mend();
    ASSERT_TRUE(eventually([&] { return committed_ == 4; }));
    EXPECT_EQ(failed_, 0);
    EXPECT_THAT(object_listener_.prepared(), SizeIs(1));
    reopen();
    EXPECT_EQ(state_of(push.id), ItemState::delivered);
    EXPECT_FALSE(store_->object_downloads().find_object(offer.id).value());
    EXPECT_FALSE(load(preparing.object_id).preparing);
}

TEST_P(FailingCommits, AllElseFailsAndChangesNothing) {
    const StoredItem waiting = make();
    const StoredItem refused_one = make();
    const StoredItem aside = make(item_with({object("attached", model::BinaryModel::a)}));
    ASSERT_EQ(refuse(refused_one), Outcome::committed);
    ASSERT_EQ(set_aside(aside), Outcome::committed);
    const NewObject push = object("to push", model::BinaryModel::b);
    ASSERT_EQ(accept(make(item_with({push}))), Outcome::committed);
    const auto heard = listener_.calls();
    break_down();
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_EQ(submit(item("lost")), Outcome::failed);
    EXPECT_EQ(submit(std::vector<NewItem>{}), Outcome::failed) << "every answer to a source leaves with a commit";
    EXPECT_EQ(refuse(waiting), Outcome::failed);
    EXPECT_EQ(set_aside(waiting), Outcome::failed);
    EXPECT_EQ(retry({refused_one.object_id}), std::pair(Outcome::failed, std::size_t{0}));
    EXPECT_EQ(reject({waiting.object_id}), std::pair(Outcome::failed, std::size_t{0}));
    EXPECT_EQ(count([&](auto done) { store_->operator_view().retry_all("lea", std::nullopt, "alice", done); }),
              std::pair(Outcome::failed, std::size_t{0}));
    EXPECT_EQ(call([&](auto done) { store_->outbox().stamp(aside.row, clock_.wall(), done); }), Outcome::failed);
    EXPECT_EQ(call([&](auto done) { store_->upload_outbox().refused(push.id, refusal, done); }), Outcome::failed);
    EXPECT_EQ(call([&](auto done) { store_->upload_outbox().set_aside(push.id, refusal, done); }), Outcome::failed);
    EXPECT_FALSE(store_->warrant_register().lane("lea", "another"));
    EXPECT_FALSE(store_->warrant_register().change_warrants({{{"one.yaml", "lea", "LIID-1", "bytes"}}, {}, {}, ""}));
    EXPECT_EQ(listener_.calls(), heard + "-");
    mend();
    ASSERT_TRUE(eventually([&] { return committed_ == 1 && store_->item_intake().accepting(); }));
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(state_of(waiting.object_id), ItemState::queued);
        EXPECT_EQ(state_of(refused_one.object_id), ItemState::refused);
        EXPECT_EQ(state_of(aside.object_id), ItemState::set_aside);
        EXPECT_EQ(state_of(push.id), ItemState::queued);
        EXPECT_THAT(store_->warrant_register().warrants().value(), IsEmpty());
        reopen();
    }
}

TEST_P(FailingCommits, AFailedSubmissionThatIsRepeatedIsThereOnce) {
    fail(true);
    NewItem one = item("once");
    EXPECT_EQ(submit(one), Outcome::failed);
    fail(false);
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_EQ(submit(one), Outcome::committed);
    const auto there = [&] { return std::ranges::count(queued(), one.object_id, &StoredItem::object_id); };
    EXPECT_EQ(there(), 1);
    reopen();
    EXPECT_EQ(there(), 1);
    EXPECT_EQ(load(one.object_id).share, "once");
}

TEST_P(FailingCommits, WhatWasKeptWhenTheStoreEndsIsToldSoAndCanBeToldAgain) {
    break_down();
    store_->stop();
    EXPECT_EQ(committed_, 0);
    EXPECT_EQ(failed_, 1);
    fail(false);
    reopen();
    // On disk all the same, or not: telling it again makes it so, once.
    EXPECT_EQ(accept(first_), Outcome::committed);
    EXPECT_EQ(state_of(first_.object_id), ItemState::delivered);
    EXPECT_EQ(std::ranges::count(kinds(), RecordKind::item_delivered), 1);
    EXPECT_EQ(submit(item()), Outcome::committed);
}

INSTANTIATE_TEST_SUITE_P(Stores, FailingCommits, testing::ValuesIn(engines()),
                         [](const testing::TestParamInfo<Engine>& engine) { return engine.param.name; });

}  // namespace
}  // namespace lihandover::store::test
