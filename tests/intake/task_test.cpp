// Events of X2/X3 tasks in the pipeline.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lihandover/intake/pipeline/pipeline.hpp"
#include "lihandover/model/item.hpp"
#include "make_pdu.hpp"
#include "support.hpp"

namespace lihandover::intake {
namespace {

namespace asio = boost::asio;
using ::testing::ElementsAre;
using testing::fed;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using testing::TestStore;
using testing::xid_of;

warrants::Warrant with_binary(warrants::Warrant made) {
    made.deliver.binary = true;
    return made;
}

model::QualifiedTime time_of(std::string_view text) {
    return model::parse_rfc3339(text).value();
}

/// A message from alice to bob.
model::Event message(std::string_view id = "e-1") {
    model::Event event;
    event.event_id = id;
    event.service = "ims";
    event.type = model::EventType::message;
    event.timestamp = time_of("2026-01-22T12:00:00.5Z");
    event.identifiers = {{model::IdentifierType::sip_uri, "sip:alice@example.com"},
                         {model::IdentifierType::im_uri, "im:bob@example.com"}};
    event.parties = {{model::PartyRole::sender, 0, 1, {}}, {model::PartyRole::receiver, 1, 2, {}}};
    event.has_content = true;
    event.content_type = "text/plain";
    event.text = "See you at eight";
    return event;
}

model::Event with_attachments(model::Event event, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        model::Attachment& attachment = event.attachments.emplace_back();
        attachment.id = "a";
        attachment.content_type = "image/jpeg";
    }
    return event;
}

class TaskTest : public ::testing::Test {
  protected:
    explicit TaskTest(std::vector<warrants::Warrant> warrants = {fed("LIID-1", {xid_of(1), xid_of(2)}),
                                                                 with_binary(fed("LIID-2", {xid_of(2)})),
                                                                 testing::warrant("LIID-3", "u-3")})
        : snapshot_(testing::snapshot(warrants)) {}

    void run() {
        std::size_t done = 1;
        while (done > 0) {
            io_.restart();
            done = io_.poll();
            store_.settle();
            done += io_.poll();
        }
    }
    /// What a coroutine gives, run to its end.
    template <typename T>
    T result(asio::awaitable<T> work) {
        std::optional<T> value;
        asio::co_spawn(
            io_,
            [](asio::awaitable<T> awaited, std::optional<T>& out) -> asio::awaitable<void> {
                out = co_await std::move(awaited);
            }(std::move(work), value),
            asio::detached);
        run();
        EXPECT_TRUE(value.has_value()) << "it has not ended";
        return value.value();
    }
    Outcome::Kind commit(Group& group, store::KeptChanges changes = {}) {
        return result(group.commit(std::move(changes)));
    }
    Outcome take(Group& group, const model::Event& event, const TaskMatch& task, std::vector<AttachedObject>& objects) {
        const Moment moment = pipeline_.now();
        return result(group.take(event, 100, task, objects, moment));
    }
    void take(Group& group, const model::Event& event, const TaskMatch& task) {
        group.take(event, 100, task, pipeline_.now());
    }
    /// The items that these make, committed.
    std::vector<store::NewItem> items_of(const model::Event& event, const TaskMatch& task) {
        Group group(pipeline_);
        take(group, event, task);
        EXPECT_EQ(commit(group), Outcome::Kind::accepted);
        const auto groups = store_.groups();
        return groups.empty() ? std::vector<store::NewItem>() : groups.back();
    }
    std::vector<std::pair<std::uint64_t, std::string>> kept() {
        std::vector<std::pair<std::uint64_t, std::string>> all;
        for (store::KeptCopy& copy : store_.kept_copies().kept("as-1").value()) {
            all.emplace_back(copy.id, std::move(copy.bytes));
        }
        return all;
    }

    TestStore store_;
    lihandover::test::ManualClock clock_{testing::noon};
    CurrentSnapshot snapshot_;
    asio::io_context io_;
    PipelineParts parts_{store_.item_intake(), store_.object_intake(), snapshot_, clock_, io_.get_executor(), nullptr,
                         &store_.kept_copies()};
    Pipeline pipeline_{"as-1", parts_};
};

std::vector<store::LaneId> lanes_of(const std::vector<store::NewItem>& items) {
    std::vector<store::LaneId> lanes;
    for (const store::NewItem& item : items) {
        lanes.push_back(item.lane - TestStore::first_lane);
    }
    return lanes;
}

TEST_F(TaskTest, AnEventMakesAnItemForEachWarrantThatListsItsXid) {
    EXPECT_THAT(lanes_of(items_of(message(), {.xid = xid_of(1)})), ElementsAre(0));
    EXPECT_THAT(lanes_of(items_of(message(), {.xid = xid_of(2)})), ElementsAre(0, 1));
    const auto before = store_.groups().size();
    model::Event named = message();
    named.identifiers[0] = {model::IdentifierType::user_id, "u-3"};
    Group group(pipeline_);
    take(group, named, {.xid = xid_of(3)});
    EXPECT_TRUE(group.is_empty());
    EXPECT_EQ(commit(group), Outcome::Kind::accepted);
    EXPECT_EQ(store_.groups().size(), before) << "there is nothing to commit, and nobody to be deceived";
}

TEST_F(TaskTest, TwoXidsOfOneCopyMakeOneItemOfAWarrant) {
    const std::vector<model::Uuid> earlier = {xid_of(1)};
    EXPECT_THAT(lanes_of(items_of(message(), {.xid = xid_of(2), .earlier = earlier})), ElementsAre(1));
}

TEST_F(TaskTest, TheCopysMarksAreTheItems) {
    const std::vector<bool> targeted = {false, true};
    const auto items = items_of(message(), {.xid = xid_of(1), .targeted = &targeted});
    ASSERT_THAT(items, SizeIs(1));
    model::Share share;
    ASSERT_TRUE(model::decode_share(items[0].share, share));
    EXPECT_EQ(share.targeted, targeted);
    EXPECT_EQ(share.event.text, "See you at eight");
    ASSERT_THAT(share.event.identifiers, SizeIs(2));
    EXPECT_EQ(share.event.identifiers[1].type, model::IdentifierType::im_uri);
    // Nobody is marked where nothing says so.
    const auto unmarked = items_of(message(), {.xid = xid_of(1)});
    ASSERT_TRUE(model::decode_share(unmarked.at(0).share, share));
    EXPECT_EQ(share.targeted, std::vector<bool>({false, false}));
}

TEST_F(TaskTest, AnEventIsTheSameWhateverTimeItCarriesAndWhoeverBringsIt) {
    const TaskMatch task{.xid = xid_of(1), .substance = "one"};
    const auto first = items_of(message(), task).at(0);
    EXPECT_FALSE(first.event_seconds.has_value()) << "its memory goes by its receipt";
    ASSERT_TRUE(first.event_digest);
    model::Event other_hop = message();
    other_hop.timestamp = time_of("2026-01-21T23:59:59Z");
    other_hop.status = "said otherwise";
    const auto second = items_of(other_hop, task).at(0);
    EXPECT_EQ(second.repeat_hash, first.repeat_hash);
    EXPECT_EQ(second.event_digest, first.event_digest);
    Pipeline elsewhere("as-2", parts_);
    Group group(elsewhere);
    group.take(message(), 1, task, elsewhere.now());
    EXPECT_EQ(commit(group), Outcome::Kind::accepted);
    EXPECT_EQ(store_.groups().back().at(0).repeat_hash, first.repeat_hash);
    EXPECT_EQ(store_.groups().back().at(0).event_digest, first.event_digest);

    const auto reused = items_of(message(), {.xid = xid_of(1), .substance = "two"}).at(0);
    EXPECT_EQ(reused.repeat_hash, first.repeat_hash);
    EXPECT_NE(reused.event_digest, first.event_digest);
    const auto another = items_of(message("e-2"), task).at(0);
    EXPECT_NE(another.repeat_hash, first.repeat_hash);
    model::Event failed = message();
    failed.type = model::EventType::message_failed;
    EXPECT_NE(items_of(failed, task).at(0).repeat_hash, first.repeat_hash);
    EXPECT_EQ(store_.statistics().repeats, 2U);
    EXPECT_EQ(store_.statistics().reused_ids, 1U);
}

TEST_F(TaskTest, AnHttpEventOfTheSameIdIsAnother) {
    const auto of_task = items_of(message(), {.xid = xid_of(1)}).at(0);
    model::Event event = message();
    event.identifiers[0] = {model::IdentifierType::user_id, "u-3"};
    Group group(pipeline_);
    group.take(event, 100, pipeline_.now());
    EXPECT_EQ(result(group.commit()), Outcome::Kind::accepted);
    const auto items = store_.groups().back();
    EXPECT_THAT(lanes_of(items), ElementsAre(2)) << "by its target, and by no XID";
    EXPECT_NE(items[0].repeat_hash, of_task.repeat_hash);
    EXPECT_TRUE(items[0].event_seconds.has_value());
}

TEST_F(TaskTest, ObjectsAreSealedForThoseWhoOrderThemAndForNobodyElse) {
    const std::string bytes(200'000, 'b');
    std::vector<AttachedObject> objects(2);
    objects[0].bytes = bytes;
    objects[1].sealed = store_.objects().seal("came spooled");
    {
        Group group(pipeline_);
        EXPECT_EQ(take(group, with_attachments(message(), 2), {.xid = xid_of(2)}, objects).kind,
                  Outcome::Kind::accepted);
        EXPECT_EQ(commit(group), Outcome::Kind::accepted);
    }
    const auto items = store_.items();
    ASSERT_THAT(items, SizeIs(2));
    EXPECT_FALSE(items[0].objects) << "the first warrant orders none";
    ASSERT_TRUE(items[1].objects);
    ASSERT_THAT(*items[1].objects, SizeIs(2));
    EXPECT_EQ(testing::bytes_of(items[1].objects->at(0).sealed), bytes);
    EXPECT_EQ(testing::bytes_of(items[1].objects->at(1).sealed), "came spooled");
    EXPECT_EQ(items[1].objects->at(0).content_type, "image/jpeg");

    const auto written = store_.objects().writers();
    Group group(pipeline_);
    EXPECT_EQ(take(group, with_attachments(message("e-2"), 2), {.xid = xid_of(1)}, objects).kind,
              Outcome::Kind::accepted);
    EXPECT_EQ(store_.objects().writers(), written);
    EXPECT_EQ(commit(group), Outcome::Kind::accepted);
    EXPECT_FALSE(store_.items().back().objects);
}

TEST_F(TaskTest, WhatFindsNoRoomIsNotTakenAndMayBeLater) {
    std::vector<AttachedObject> objects(1);
    objects[0].bytes = "abc";
    Group group(pipeline_);
    store_.objects().refuse(true);
    EXPECT_EQ(take(group, with_attachments(message(), 1), {.xid = xid_of(2)}, objects).kind,
              Outcome::Kind::unavailable);
    EXPECT_TRUE(group.is_empty());
    store_.objects().refuse(false);
    EXPECT_EQ(take(group, with_attachments(message(), 1), {.xid = xid_of(2)}, objects).kind, Outcome::Kind::accepted);
    EXPECT_EQ(commit(group), Outcome::Kind::accepted);
    EXPECT_THAT(store_.items(), SizeIs(2));

    store_.objects().hold_at_most(2);
    EXPECT_EQ(take(group, with_attachments(message("e-2"), 1), {.xid = xid_of(2)}, objects).kind,
              Outcome::Kind::too_large);
    EXPECT_TRUE(group.is_empty());
}

TEST_F(TaskTest, ItemsAndKeptCopiesAreCommittedTogether) {
    Group group(pipeline_);
    EXPECT_EQ(commit(group, {{{1, "begun"}}, {}}), Outcome::Kind::accepted);
    EXPECT_THAT(kept(), ElementsAre(Pair(1, "begun")));
    take(group, message(), {.xid = xid_of(1)});
    EXPECT_EQ(commit(group, {{{2, "next"}}, {1}}), Outcome::Kind::accepted);
    EXPECT_THAT(kept(), ElementsAre(Pair(2, "next")));
    EXPECT_THAT(store_.groups(), SizeIs(2));
    EXPECT_THAT(store_.items(), SizeIs(1));
    EXPECT_EQ(commit(group), Outcome::Kind::accepted);
    EXPECT_THAT(store_.groups(), SizeIs(2)) << "there was nothing more";
}

TEST_F(TaskTest, WhatAFailedCommitHadComesWithTheNext) {
    Group group(pipeline_);
    store_.mode(TestStore::Mode::fail);
    take(group, message(), {.xid = xid_of(1)});
    EXPECT_EQ(commit(group, {{{1, "one"}, {2, "two"}}, {9}}), Outcome::Kind::unavailable);
    EXPECT_FALSE(group.is_empty());
    EXPECT_EQ(commit(group), Outcome::Kind::unavailable);
    take(group, message("e-2"), {.xid = xid_of(1)});
    EXPECT_EQ(commit(group, {{{3, "three"}}, {1}}), Outcome::Kind::unavailable);
    EXPECT_THAT(kept(), IsEmpty());
    store_.mode(TestStore::Mode::commit);
    EXPECT_EQ(commit(group), Outcome::Kind::accepted);
    EXPECT_TRUE(group.is_empty());
    EXPECT_THAT(kept(), ElementsAre(Pair(2, "two"), Pair(3, "three")));
    const auto last = store_.groups().back();
    ASSERT_THAT(last, SizeIs(2));
    model::Share share;
    ASSERT_TRUE(model::decode_share(last[0].share, share));
    EXPECT_EQ(share.event.event_id, "e-1") << "in the order they were taken";
}

TEST_F(TaskTest, WhatIsTakenWhileACommitRunsBelongsToTheNext) {
    Group group(pipeline_);
    store_.mode(TestStore::Mode::hold);
    take(group, message(), TaskMatch{.xid = xid_of(1)});
    std::optional<Outcome::Kind> ended;
    asio::co_spawn(
        io_,
        [](Group& taken, store::KeptChanges changes, std::optional<Outcome::Kind>& out) -> asio::awaitable<void> {
            out = co_await taken.commit(std::move(changes));
        }(group, {{{1, "one"}}, {}}, ended),
        asio::detached);
    run();
    EXPECT_FALSE(ended) << "the store has not answered";
    EXPECT_TRUE(group.is_empty());
    take(group, message("e-2"), TaskMatch{.xid = xid_of(1)});
    store_.release();
    run();
    EXPECT_EQ(ended, Outcome::Kind::accepted);
    EXPECT_FALSE(group.is_empty());
    EXPECT_EQ(commit(group, {{}, {1}}), Outcome::Kind::accepted);
    EXPECT_THAT(store_.groups(), SizeIs(2));
    EXPECT_THAT(kept(), IsEmpty());
}

TEST_F(TaskTest, AGroupIsFullByTheBytesOfItsEvents) {
    Group group(pipeline_);
    const Moment moment = pipeline_.now();
    group.take(message(), (std::size_t{1} << 20) - 1, {.xid = xid_of(9)}, moment);
    EXPECT_FALSE(group.is_full());
    group.take(message("e-2"), 1, {.xid = xid_of(1)}, moment);
    EXPECT_TRUE(group.is_full());
    EXPECT_EQ(commit(group), Outcome::Kind::accepted);
    EXPECT_FALSE(group.is_full());
}

}  // namespace
}  // namespace lihandover::intake
