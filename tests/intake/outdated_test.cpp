// Events that were matched with a set of warrants which is replaced before they are committed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "intake_server.hpp"
#include "support.hpp"

namespace lihandover::intake {
namespace {

using testing::Answer;
using testing::Client;
using testing::event;
using ::testing::HasSubstr;
using testing::Intake;
using testing::noon;
using testing::TestStore;
using testing::warrant;

std::shared_ptr<Snapshot> version(std::uint64_t number, const std::vector<warrants::Warrant>& all) {
    auto made = testing::snapshot(all);
    made->warrants = number;
    return made;
}

class OutdatedTest : public ::testing::Test {
  protected:
    /// The answer to what was sent, which was matched with version 1: that was replaced by `next` before its commit.
    Answer answer_once_followed(const std::shared_ptr<Snapshot>& next) {
        store_.wait_for_groups(1);
        EXPECT_FALSE(client_.readable()) << "nothing is answered by what counts no longer";
        intake_.publish(next);
        return client_.read();
    }
    /// From the next commit on version 2 counts.
    void replace_before_commit() {
        store_.before_next_matched([this] { store_.require_warrants(2); });
    }

    /// Since the test began.
    [[nodiscard]] std::uint64_t commits() { return store_.statistics().commits - before_; }

    TestStore store_;
    const std::uint64_t before_ = store_.statistics().commits;
    Intake intake_{store_, version(1, {warrant("LIID-1", "u-1")})};
    Client client_{intake_.socket()};
};

TEST_F(OutdatedTest, WhatWasAddedIsNotMissed) {
    replace_before_commit();
    client_.send_post("application/json", event("e-1", "u-2"));
    EXPECT_EQ(answer_once_followed(version(2, {warrant("LIID-1", "u-1"), warrant("LIID-2", "u-2")})).status, 202);
    ASSERT_EQ(store_.groups().size(), 2U);
    EXPECT_TRUE(store_.groups()[0].empty());
    EXPECT_EQ(store_.groups()[1].size(), 1U);
}

TEST_F(OutdatedTest, WhatWasRevokedIsNotIntercepted) {
    replace_before_commit();
    client_.send_post("application/json", event("e-1", "u-1"));
    EXPECT_EQ(answer_once_followed(version(2, {})).status, 202);
    ASSERT_EQ(store_.groups().size(), 2U);
    EXPECT_EQ(store_.groups()[0].size(), 1U) << "which came to nothing";
    EXPECT_TRUE(store_.groups()[1].empty());
    EXPECT_EQ(commits(), 1U);
}

TEST_F(OutdatedTest, EachEventIsCountedOnceAndRefusedOnce) {
    replace_before_commit();
    client_.send_post("application/x-ndjson", event("e-1", "u-1") + "\n{}\n" + event("e-2", "u-9") + "\n");
    const Answer answer = answer_once_followed(version(2, {warrant("LIID-1", "u-1")}));
    EXPECT_EQ(answer.status, 422);
    EXPECT_THAT(answer.body, HasSubstr(R"({"accepted":2,"rejected":[{"line":2,)"));
    EXPECT_THAT(intake_.metrics(), HasSubstr("lihandover_events_received_total{source=\"local\"} 3\n"));
    EXPECT_THAT(intake_.metrics(),
                HasSubstr("lihandover_events_rejected_total{reason=\"missing_member\",source=\"local\"} 1\n"));
}

TEST_F(OutdatedTest, OnlyWhatIsNotCommittedIsTakenAgain) {
    std::string body;
    const std::string text = R"(,"content":{"text":")" + std::string(100'000, 'x') + "\"}";
    for (int i = 0; i < 15; ++i) {
        body += event("e-" + std::to_string(i), "u-1", text) + '\n';
    }
    store_.before_next_matched([this] { store_.before_next_matched([this] { store_.require_warrants(2); }); });
    client_.send_post("application/x-ndjson", body);
    store_.wait_for_groups(2);
    intake_.publish(version(2, {warrant("LIID-1", "u-1")}));
    const Answer answer = client_.read();
    EXPECT_EQ(answer.status, 202);
    EXPECT_EQ(answer.body, R"({"accepted":15})");
    ASSERT_EQ(store_.groups().size(), 3U);
    EXPECT_EQ(store_.groups()[0].size() + store_.groups()[1].size(), 15U);
    EXPECT_EQ(store_.groups()[1].size(), store_.groups()[2].size());
}

TEST_F(OutdatedTest, AnUploadedObjectIsStillThere) {
    auto with_binary = warrant("LIID-1", "u-1");
    with_binary.deliver.binary = true;
    intake_.publish(version(1, {with_binary}));
    ASSERT_EQ(client_.put("/v1/objects/o-1", "abc").status, 201);
    replace_before_commit();
    const std::string naming = event("e-1", "u-1", R"(,"attachments":[{"id":"a","object":"o-1"}])");
    client_.send_post("application/json", naming);
    store_.wait_for_groups(1);
    EXPECT_EQ(Client(intake_.socket()).json(naming).status, 422) << "nobody else can name it meanwhile";
    intake_.publish(version(2, {with_binary}));
    EXPECT_EQ(client_.read().status, 202);
    const auto items = store_.items();
    ASSERT_FALSE(items.empty());
    ASSERT_TRUE(items.back().objects);
    EXPECT_EQ(testing::bytes_of(items.back().objects->at(0).sealed), "abc");
    EXPECT_EQ(client_.json(naming).status, 422) << "it is used up";
}

TEST_F(OutdatedTest, AnEventWithoutATimeCountsByItsFirstReceipt) {
    auto closed = warrant("LIID-1", "u-1");
    closed.valid_until = {noon.seconds + 30, 0};
    replace_before_commit();
    client_.send_post("application/json", event("e-1", "u-1"));
    store_.wait_for_groups(1);
    intake_.clock().set_wall({noon.seconds + 60, 0});
    EXPECT_EQ(answer_once_followed(version(2, {closed})).status, 202);
    ASSERT_EQ(store_.groups().size(), 2U);
    EXPECT_EQ(store_.groups()[1].size(), 1U);
}

TEST_F(OutdatedTest, WithoutTheNewSetTheSourceHasToComeAgain) {
    auto hasty = version(1, {warrant("LIID-1", "u-1")});
    hasty->limits.answer_timeout = std::chrono::milliseconds(50);
    intake_.publish(hasty);
    store_.require_warrants(2);
    for (const char* const user : {"u-1", "u-9"}) {
        const Answer answer = client_.json(event("e-1", user));
        EXPECT_EQ(answer.status, 503) << user;
        EXPECT_EQ(answer.field("Retry-After"), "5");
    }
    EXPECT_EQ(commits(), 0U);
}

TEST_F(OutdatedTest, SetsThatNeverStandStillEndInARefusal) {
    std::uint64_t newest = 1;
    std::function<void()> again = [&] {
        store_.require_warrants(++newest);
        intake_.publish(version(newest, {warrant("LIID-1", "u-1")}));
        store_.before_next_matched(again);
    };
    store_.before_next_matched(again);
    EXPECT_EQ(client_.json(event("e-1", "u-1")).status, 503);
    store_.before_next_matched(nullptr);
    EXPECT_EQ(commits(), 0U);
    EXPECT_EQ(client_.json(event("e-1", "u-1")).status, 202);
}

}  // namespace
}  // namespace lihandover::intake
