// The pipeline as used by a door other than HTTP's: events one at a time on a long-lived connection.
#include "lihandover/intake/pipeline/pipeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lihandover/intake/http/event_parser.hpp"
#include "support.hpp"

namespace lihandover::intake {
namespace {

namespace asio = boost::asio;
using testing::event;
using testing::TestStore;
using testing::warrant;

// Passes on what it is given, and keeps what it was told about it.
class Recording : public store::ItemIntake {
  public:
    explicit Recording(store::ItemIntake& inner) : inner_(inner) {}

    [[nodiscard]] bool accepting() const override { return inner_.accepting(); }
    void submit(std::vector<store::NewItem> items, const store::Arrival& arrival, store::Done done) override {
        arrivals.push_back(arrival);
        inner_.submit(std::move(items), arrival, std::move(done));
    }
    [[nodiscard]] store::Hash128 keyed_hash(std::span<const std::string_view> parts) const override {
        return inner_.keyed_hash(parts);
    }

    std::vector<store::Arrival> arrivals;

  private:
    store::ItemIntake& inner_;
};

warrants::Warrant with_binary(const std::string& liid, const std::string& user) {
    auto made = warrant(liid, user);
    made.deliver.binary = true;
    return made;
}

class PipelineTest : public ::testing::Test {
  protected:
    // What an X2/X3 door would do with a connection: take what has come, commit, read on.
    asio::awaitable<void> connection(std::vector<std::string> events) {
        Group group(pipeline_);
        EventParser parser;
        model::Event event;
        for (const std::string& json : events) {
            const Moment moment = pipeline_.now();
            EXPECT_FALSE(parser.parse(json, moment.latest(), event));
            group.take(event, json.size(), moment);
            ++read_;
            const auto outcome = co_await group.commit();
            failed_ += outcome == Outcome::Kind::accepted ? 0 : 1;
        }
        ended_ = true;
    }
    asio::awaitable<void> take_object(std::string user, AttachedObject object, std::unique_ptr<Group>& group) {
        const std::string json = event("e-1", user, R"(,"attachments":[{"id":"a","data":""}])");
        EventParser parser;
        model::Event event;
        const Moment moment = pipeline_.now();
        EXPECT_FALSE(parser.parse(json, moment.latest(), event));
        group = std::make_unique<Group>(pipeline_);
        const Outcome outcome = co_await group->take(event, json.size(), std::span(&object, 1), moment);
        kind_ = outcome.kind;
        fault_ = outcome.fault;
        if (outcome.kind == Outcome::Kind::accepted) {
            const auto committed = co_await group->commit();
            committed_ = committed == Outcome::Kind::accepted;
        }
    }
    // Whose moment is over before its commit.
    asio::awaitable<void> briefly() {
        Group group(pipeline_);
        {
            const std::string json = event("e-1", "u-1");
            EventParser parser;
            model::Event made;
            const Moment moment = pipeline_.now();
            EXPECT_FALSE(parser.parse(json, moment.latest(), made));
            group.take(made, json.size(), moment);
        }
        (void)co_await group.commit();
        ended_ = true;
    }
    void start(asio::awaitable<void> work) { asio::co_spawn(io_, std::move(work), asio::detached); }
    // Until nothing happens any more.
    void run() {
        std::size_t done = 1;
        while (done > 0) {
            io_.restart();
            done = io_.poll();
            store_.settle();
            done += io_.poll();
        }
    }
    // One event of each of these users, in one group.
    store::Arrival arrival_of(const std::vector<std::string>& users) {
        Group group(pipeline_);
        EventParser parser;
        model::Event made;
        for (const std::string& user : users) {
            const std::string json = event("e-1", user, R"(,"content":{"text":"some text of an event"})");
            const Moment moment = pipeline_.now();
            EXPECT_FALSE(parser.parse(json, moment.latest(), made));
            group.take(made, json.size(), moment);
        }
        asio::co_spawn(
            io_, [](Group& taken) -> asio::awaitable<void> { (void)co_await taken.commit(); }(group), asio::detached);
        run();
        return items_.arrivals.back();
    }

    TestStore store_;
    Recording items_{store_.item_intake()};
    lihandover::test::ManualClock clock_{testing::noon};
    CurrentSnapshot snapshot_{testing::snapshot({warrant("LIID-1", "u-1"), with_binary("LIID-2", "u-2")})};
    asio::io_context io_;
    Pipeline pipeline_{"as-1", {items_, store_.object_intake(), snapshot_, clock_, io_.get_executor(), nullptr}};
    int read_ = 0;
    int failed_ = 0;
    bool ended_ = false;
    Outcome::Kind kind_{};
    std::optional<Fault> fault_;
    bool committed_ = false;
};

TEST_F(PipelineTest, AConnectionIsReadAsFastAsTheStoreCommits) {
    store_.mode(TestStore::Mode::hold);
    start(connection({event("e-1", "u-1"), event("e-2", "u-9"), event("e-3", "u-1")}));
    run();
    EXPECT_EQ(read_, 1) << "nothing more is read while the store is busy";
    store_.release();
    run();
    EXPECT_TRUE(ended_);
    EXPECT_EQ(store_.groups().size(), 3U);
    EXPECT_EQ(store_.items().size(), 2U);
}

TEST_F(PipelineTest, AGroupGoesOnAfterAFailedCommit) {
    store_.fail_after(1);
    start(connection({event("e-1", "u-1"), event("e-2", "u-1"), event("e-3", "u-1")}));
    run();
    EXPECT_TRUE(ended_);
    EXPECT_EQ(failed_, 2);
}

// A revocation waits until nothing is on its way that was matched before it.
TEST_F(PipelineTest, ASnapshotIsInUseUntilWhatItMatchedIsCommitted) {
    store_.mode(TestStore::Mode::hold);
    start(briefly());
    run();
    EXPECT_TRUE(snapshot_.is_alone()) << "there is no other yet";
    snapshot_.publish(testing::snapshot({}));
    EXPECT_FALSE(snapshot_.is_alone());
    snapshot_.publish(testing::snapshot({}));
    EXPECT_FALSE(snapshot_.is_alone()) << "of the first";
    store_.release();
    run();
    EXPECT_TRUE(ended_);
    EXPECT_TRUE(snapshot_.is_alone());
}

TEST_F(PipelineTest, SeveralConnectionsOfASourceTakeTurns) {
    store_.mode(TestStore::Mode::hold);
    start(connection({event("e-1", "u-1")}));
    start(connection({event("e-2", "u-1")}));
    run();
    EXPECT_EQ(read_, 2);
    EXPECT_EQ(store_.groups().size(), 2U);
    store_.release();
    run();
}

// promise 7: what a submission counts with follows from what arrived, and as much is written as if each event had
// matched once.
TEST_F(PipelineTest, AGroupCountsTheSameWhateverMatches) {
    const auto matched = arrival_of({"u-1", "u-1", "u-1"});
    const auto others = arrival_of({"v-1", "v-1", "v-1"});
    const auto mixed = arrival_of({"v-1", "u-1", "v-1"});
    EXPECT_EQ(matched.events, 3U);
    EXPECT_EQ(others.events, 3U);
    EXPECT_EQ(matched.bytes, others.bytes);
    EXPECT_EQ(matched.idle_events, 0U);
    EXPECT_EQ(matched.idle_bytes, 0U);
    EXPECT_EQ(others.idle_events, 3U);
    EXPECT_EQ(mixed.idle_events, 2U);
    std::size_t shares = 0;
    const auto groups = store_.groups();
    for (const store::NewItem& item : groups.at(0)) {
        shares += item.share.size();
    }
    EXPECT_EQ(others.idle_bytes, shares) << "as long as the shares of those that matched";
    EXPECT_EQ(mixed.idle_bytes, shares / 3 * 2);
}

TEST_F(PipelineTest, AGroupIsFullByTheBytesOfItsEvents) {
    Group group(pipeline_);
    model::Event made;
    const std::string json = event("e-1", "u-9");
    EventParser parser;
    const Moment moment = pipeline_.now();
    ASSERT_FALSE(parser.parse(json, moment.latest(), made));
    group.take(made, (std::size_t{1} << 20) - 1, moment);
    EXPECT_FALSE(group.is_full());
    group.take(made, 1, moment);
    EXPECT_TRUE(group.is_full());
}

TEST_F(PipelineTest, ObjectsMayComeAsTheyAre) {
    std::unique_ptr<Group> group;
    const std::string bytes(200'000, 'b');
    AttachedObject object;
    object.bytes = bytes;
    start(take_object("u-2", object, group));
    run();
    EXPECT_TRUE(committed_);
    const auto items = store_.items();
    ASSERT_EQ(items.size(), 1U);
    ASSERT_TRUE(items[0].objects);
    EXPECT_TRUE(testing::bytes_of(items[0].objects->at(0).sealed) == bytes);
}

TEST_F(PipelineTest, WhatWasWrittenForAnObjectThatNobodyOrdersGoesAfterTheAnswer) {
    std::unique_ptr<Group> group;
    AttachedObject object;
    object.bytes = "abc";
    start(take_object("u-9", object, group));
    run();
    EXPECT_TRUE(committed_);
    EXPECT_EQ(store_.objects().alive(), 1) << "an answer may leave now";
    group.reset();
    run();
    EXPECT_EQ(store_.objects().alive(), 0);
    EXPECT_EQ(store_.objects().written(), std::string(3, '\0')) << "and it was nothing of the object";
}

TEST_F(PipelineTest, AnObjectThatNeverFitsIsRefusedWhoeverItConcerns) {
    store_.objects().hold_at_most(2);
    for (const char* const user : {"u-1", "u-2", "u-9"}) {
        std::unique_ptr<Group> group;
        AttachedObject object;
        object.bytes = "abc";
        start(take_object(user, object, group));
        run();
        EXPECT_EQ(kind_, Outcome::Kind::too_large) << user;
        ASSERT_TRUE(fault_);
        EXPECT_EQ(fault_->field, "attachments[0]");
    }
    EXPECT_TRUE(store_.groups().empty());
    EXPECT_EQ(store_.objects().writers(), 0U);
}

TEST_F(PipelineTest, SaysWhetherTheClockCanBeTrusted) {
    EXPECT_TRUE(pipeline_.now().clock_trusted);
    EXPECT_EQ(pipeline_.now().trusted_at, clock_.wall());
    clock_.distrust(std::chrono::hours(1));
    const Moment moment = pipeline_.now();
    EXPECT_FALSE(moment.clock_trusted);
    EXPECT_EQ(moment.received_at, clock_.wall());
    EXPECT_EQ(moment.trusted_at, clock_.trusted());
}

}  // namespace
}  // namespace lihandover::intake
