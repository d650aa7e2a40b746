// One set of warrants for all daemons on a database: what counts, from when on, and who has to follow.
#include "lihandover/store/warrant_sets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support.hpp"
#include "cluster.hpp"
#include "lihandover/store/postgresql.hpp"
#include "postgresql/pq.hpp"

namespace lihandover::store::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class WarrantSets : public testing::Test {
  protected:
    void SetUp() override {
        if (!Cluster::is_installed()) {
            GTEST_SKIP() << "PostgreSQL 15 is not installed (scripts/install-deps --test)";
        }
        schema_ = Cluster::instance()->make_schema();
        open();
    }
    void TearDown() override {
        if (store_) {
            store_->stop();
        }
    }
    void open() {
        if (store_) {
            store_->stop();
        }
        store_.reset();
        Options options{directory_.path() / "state", 0, std::chrono::hours(24 * 90)};
        options.master_keys.emplace_back(std::array<std::uint8_t, MasterKey::size>{1, 2, 3});
        auto opened = open_postgresql(options, {Cluster::instance()->connection(schema_), false, "node-a", {}}, clock_);
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
        lane_ = store_->warrant_register().lane("lea", "LIID-1").value();
        model::Profile profile;
        profile.schema_identifier = "urn:x";
        profile_ = store_->warrant_register().profile(profile).value();
    }
    [[nodiscard]] store::WarrantSets& sets() { return *store_->warrant_sets(); }
    [[nodiscard]] std::uint64_t state() { return sets().state().value(); }

    static NewSet set_of(std::uint64_t before, std::vector<SetFile> files) {
        return {before, "ann", "some files", std::move(files)};
    }
    std::vector<NewItem> one_item() {
        std::vector<NewItem> items(1);
        NewItem& made = items.front();
        made.lane = lane_;
        made.profile = profile_;
        made.object_id = model::Uuid::random();
        made.repeat_hash = {1};
        const int hash = next_hash_++;
        made.repeat_hash[1] = static_cast<std::uint8_t>(hash);
        made.repeat_hash[2] = static_cast<std::uint8_t>(hash >> 8);
        made.event_seconds = clock_.wall().seconds;
        made.received_at = clock_.wall();
        made.share = "share";
        return items;
    }
    void submit(std::vector<NewItem> items, std::optional<std::uint64_t> state, Done done) {
        Arrival arrival = arrival_of(items);
        arrival.events = std::max<std::size_t>(arrival.events, 1);
        arrival.warrants = state;
        store_->item_intake().submit(std::move(items), arrival, std::move(done));
    }
    Outcome submit(std::vector<NewItem> items, std::optional<std::uint64_t> state) {
        Answer<Outcome> answer;
        submit(std::move(items), state, answer.callback());
        return answer.get();
    }
    [[nodiscard]] std::int64_t number(const std::string& sql) const {
        postgresql::Connection connection({.connection = Cluster::instance()->connection(schema_, "postgres")});
        return connection.read(sql).integer(0, 0);
    }
    [[nodiscard]] std::int64_t items() const { return number("SELECT count(*) FROM item"); }
    /// As another daemon's transaction would.
    void count_up_elsewhere() const {
        Cluster::instance()->execute(
            schema_,
            "BEGIN; UPDATE warrant_set SET state=state+1; UPDATE node SET warrants=(SELECT state FROM warrant_set); "
            "COMMIT");
    }
    void add_peer(const std::string& name, const std::string& lease_until) const {
        Cluster::instance()->execute(schema_,
                                     "INSERT INTO node(name, session, session_key, committed, seen, beginning, number, "
                                     "hash, record, lease_until) "
                                     "VALUES('" +
                                         name + "', 1, '', 0, clock_timestamp(), '', 0, '', 0, " + lease_until + ")");
    }

    lihandover::test::TemporaryDirectory directory_;
    lihandover::test::ManualClock clock_;
    std::string schema_;
    std::unique_ptr<Store> store_;
    LaneId lane_ = 0;
    ProfileId profile_ = 0;
    std::atomic<int> next_hash_ = 1;
};

TEST_F(WarrantSets, AreThereAfterARestartWithWhoAppliedThem) {
    EXPECT_EQ(state(), 0U);
    EXPECT_EQ(sets().read().value().version, 0U);
    EXPECT_EQ(sets().apply(set_of(0, {{"a.yaml", "text a", 7}, {"b.yaml", "text b", 1001}})).value(), 1U);
    open();
    const AppliedSet set = sets().read().value();
    EXPECT_EQ(set.version, 1U);
    EXPECT_EQ(set.state, state());
    EXPECT_EQ(set.who, "ann");
    EXPECT_EQ(set.at.seconds, clock_.wall().seconds);
    ASSERT_THAT(set.files, SizeIs(2));
    EXPECT_EQ(set.files[0].name, "a.yaml");
    EXPECT_EQ(set.files[1].text, "text b");
    EXPECT_EQ(set.files[1].uid, 1001U);
    EXPECT_EQ(sets().apply(set_of(state(), {})).value(), 2U) << "an empty one is one, too";
    EXPECT_EQ(sets().read().value().version, 2U);
    EXPECT_THAT(sets().read().value().files, IsEmpty());
}

TEST_F(WarrantSets, AreRecordedInTheSameTransaction) {
    Cluster::instance()->fail_commits(schema_, true);
    EXPECT_FALSE(sets().apply(set_of(0, {{"a.yaml", "text", 7}})));
    Cluster::instance()->fail_commits(schema_, false);
    EXPECT_EQ(state(), 0U);
    EXPECT_EQ(number("SELECT count(*) FROM record WHERE kind=34"), 0);
    ASSERT_TRUE(eventually([&] { return sets().apply(set_of(0, {{"a.yaml", "text", 7}})).has_value(); }));
    const auto records = store_->operator_view().records(0, 100).value();
    const auto entry = std::ranges::find(records, RecordKind::warrants_applied, &Record::kind);
    ASSERT_NE(entry, records.end());
    EXPECT_EQ(entry->who, "ann");
    EXPECT_THAT(entry->why, HasSubstr("version 1: some files"));
}

TEST_F(WarrantSets, AreCheckedAgainstTheNewestOrNotApplied) {
    ASSERT_EQ(sets().apply(set_of(0, {{"a.yaml", "first", 7}})).value(), 1U);
    EXPECT_EQ(sets().apply(set_of(0, {{"a.yaml", "second", 7}})).value(), std::nullopt);
    EXPECT_EQ(sets().read().value().files.at(0).text, "first");
    EXPECT_EQ(sets().read().value().version, 1U);
    EXPECT_EQ(sets().apply(set_of(state(), {{"a.yaml", "second", 7}})).value(), 2U);
}

TEST_F(WarrantSets, WhatWasMatchedBeforeCountsForNothingAfter) {
    EXPECT_EQ(submit(one_item(), 0), Outcome::committed);
    ASSERT_TRUE(sets().apply(set_of(0, {{"a.yaml", "text", 7}})).value());
    EXPECT_EQ(submit(one_item(), 0), Outcome::outdated);
    EXPECT_EQ(submit({}, 0), Outcome::outdated) << "nor does what matched nothing";
    EXPECT_EQ(items(), 1);
    EXPECT_EQ(submit(one_item(), state()), Outcome::committed);
    EXPECT_EQ(submit({}, state()), Outcome::committed);
    EXPECT_EQ(submit(one_item(), std::nullopt), Outcome::committed) << "warrants from elsewhere";
    EXPECT_EQ(items(), 3);
    store_->kept_copies().submit(one_item(), {.warrants = 0}, "as-1", {{{1, "a copy"}}, {}}, {});
    EXPECT_EQ(submit({}, state()), Outcome::committed);
    EXPECT_EQ(items(), 3);
    EXPECT_THAT(store_->kept_copies().kept("as-1").value(), IsEmpty()) << "all of it or nothing";
}

TEST_F(WarrantSets, OfAnotherDaemonCountBeforeTheyAreHeardOf) {
    count_up_elsewhere();
    // In whatever groups they come.
    Answer<Outcome> older;
    Answer<Outcome> newer;
    Answer<Outcome> nothing;
    submit(one_item(), 0, older.callback());
    submit(one_item(), 1, newer.callback());
    submit({}, 0, nothing.callback());
    EXPECT_EQ(older.get(), Outcome::outdated);
    EXPECT_EQ(newer.get(), Outcome::committed);
    EXPECT_EQ(nothing.get(), Outcome::outdated);
    EXPECT_EQ(items(), 1);
    EXPECT_TRUE(store_->item_intake().accepting());
}

TEST_F(WarrantSets, FromTheMomentThatApplyReturns) {
    std::atomic<bool> returned = false;
    std::atomic<bool> stop = false;
    std::atomic<int> wrong = 0;
    std::atomic<int> before = 0;
    std::vector<std::thread> sources;
    for (int n = 0; n < 4; ++n) {
        sources.emplace_back([&] {
            while (!stop) {
                const bool after = returned;
                const Outcome outcome = submit(one_item(), 0);
                wrong += after && outcome != Outcome::outdated ? 1 : 0;
                before += outcome == Outcome::committed ? 1 : 0;
            }
        });
    }
    EXPECT_TRUE(eventually([&] { return before > 20; }));
    EXPECT_TRUE(sets().apply(set_of(0, {})).value());
    returned = true;
    const std::int64_t there = items();
    for (int n = 0; n < 20; ++n) {
        EXPECT_EQ(submit(one_item(), 0), Outcome::outdated);
    }
    stop = true;
    for (std::thread& source : sources) {
        source.join();
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(items(), there);
}

TEST_F(WarrantSets, ArePassedWhereNothingIsSubmitted) {
    ItemIntake& intake = store_->item_intake();
    EXPECT_TRUE(intake.is_current(0));
    EXPECT_TRUE(intake.is_current(std::nullopt));
    count_up_elsewhere();
    // With the next commit at the latest, which others see.
    EXPECT_EQ(submit({}, std::nullopt), Outcome::committed);
    EXPECT_FALSE(intake.is_current(0));
    EXPECT_TRUE(intake.is_current(1));
    EXPECT_EQ(number("SELECT count(*) FROM node WHERE warrants_known=1 AND warrants_followed=0"), 1);
    sets().follow(1);
    EXPECT_EQ(submit({}, std::nullopt), Outcome::committed);
    EXPECT_EQ(number("SELECT count(*) FROM node WHERE warrants_followed=1"), 1);
}

TEST_F(WarrantSets, AreNotTrustedByADaemonThatIsCutOff) {
    Cluster::instance()->fail_commits(schema_, true);
    EXPECT_TRUE(store_->item_intake().is_current(0));
    clock_.advance_steady(std::chrono::seconds(5));
    EXPECT_FALSE(store_->item_intake().is_current(0)) << "others wait for it no longer than its lease";
    EXPECT_TRUE(store_->item_intake().is_current(std::nullopt));
    Cluster::instance()->fail_commits(schema_, false);
    EXPECT_TRUE(eventually([&] { return store_->item_intake().is_current(0); }));
}

TEST_F(WarrantSets, AreFollowedByAllThatAreThere) {
    add_peer("node-b", "clock_timestamp() + interval '1 hour'");
    add_peer("node-c", "clock_timestamp() - interval '1 s'");
    ASSERT_TRUE(sets().apply(set_of(0, {})).value());
    const std::uint64_t now = state();
    auto behind = sets().behind(now).value();
    ASSERT_THAT(behind, SizeIs(1)) << "one whose lease is over takes nothing in";
    EXPECT_EQ(behind[0].name, "node-b");
    EXPECT_FALSE(behind[0].knows);
    Cluster::instance()->execute(schema_, "UPDATE node SET warrants_known=warrants WHERE name='node-b'");
    EXPECT_TRUE(sets().behind(now).value().at(0).knows);
    Cluster::instance()->execute(schema_, "UPDATE node SET warrants_followed=warrants WHERE name='node-b'");
    EXPECT_THAT(sets().behind(now).value(), IsEmpty());
    EXPECT_EQ(number("SELECT count(*) FROM node WHERE warrants=" + std::to_string(now)), 3);
}

TEST_F(WarrantSets, AndWhatElseIsDecidedIsOneStateForAll) {
    ASSERT_TRUE(sets().apply(set_of(0, {})).value());
    const std::uint64_t applied = state();
    WarrantChanges pending;
    StoredPendingWarrant& waits = pending.pending.emplace_back();
    waits.destination = "lea";
    waits.liid = "LIID-1";
    waits.digest[0] = 7;
    waits.file = "a.yaml";
    ASSERT_TRUE(store_->warrant_register().change_warrants(pending));
    EXPECT_EQ(state(), applied) << "that orders nothing";
    ASSERT_TRUE(store_->warrant_register().decide_warrant({"lea", "LIID-1", waits.digest, true, 1001, "ann", {}}));
    EXPECT_EQ(state(), applied + 1);
    WarrantChanges revoked;
    revoked.revoked.push_back({"lea", "LIID-1", {}, "a.yaml", {}, "ann", "void"});
    ASSERT_TRUE(store_->warrant_register().change_warrants(revoked));
    EXPECT_EQ(state(), applied + 2);
    EXPECT_EQ(submit(one_item(), applied), Outcome::outdated);
    EXPECT_EQ(sets().read().value().version, 1U) << "of the set that was applied";
}

TEST_F(WarrantSets, AreOneForTwoDaemons) {
    store_->stop();
    store_.reset();
    const auto daemon = [&](const std::string& name) {
        Options options{directory_.path() / name, 0, std::chrono::hours(24 * 90)};
        options.master_keys.emplace_back(std::array<std::uint8_t, MasterKey::size>{1, 2, 3});
        PostgresqlOptions where{Cluster::instance()->connection(schema_), false, name, directory_.path() / "objects"};
        where.shared = true;
        return open_postgresql(options, where, clock_).value();
    };
    std::filesystem::create_directory(directory_.path() / "objects");
    const std::unique_ptr<Store> one = daemon("node-a");
    const std::unique_ptr<Store> other = daemon("node-b");
    const auto outcome = [](Store& at, std::uint64_t matched_with) {
        Answer<Outcome> answer;
        at.item_intake().submit({}, {.events = 1, .warrants = matched_with}, answer.callback());
        return answer.get();
    };
    EXPECT_EQ(outcome(*one, 0), Outcome::committed);
    EXPECT_EQ(outcome(*other, 0), Outcome::committed);
    ASSERT_TRUE(one->warrant_sets()->apply(set_of(0, {{"a.yaml", "text", 7}})).value());
    EXPECT_EQ(outcome(*other, 0), Outcome::outdated) << "before it has heard of anything";
    EXPECT_EQ(outcome(*one, 0), Outcome::outdated);
    EXPECT_EQ(other->warrant_sets()->read().value().files.at(0).text, "text");
    EXPECT_THAT(one->warrant_sets()->behind(1).value(), SizeIs(1));
    other->warrant_sets()->follow(1);
    EXPECT_EQ(outcome(*other, 1), Outcome::committed);
    EXPECT_THAT(one->warrant_sets()->behind(1).value(), IsEmpty());
    // Each may be the one that is asked.
    ASSERT_TRUE(other->warrant_sets()->apply(set_of(1, {})).value());
    EXPECT_EQ(outcome(*one, 1), Outcome::outdated);
    EXPECT_EQ(outcome(*one, 2), Outcome::committed);
    one->stop();
    EXPECT_THAT(other->warrant_sets()->behind(3).value(), IsEmpty()) << "whoever has left is not waited for";
    other->stop();
}

TEST_F(WarrantSets, AreSealedAndSealedAnew) {
    const std::string word = "a-target-in-a-warrant";
    ASSERT_TRUE(sets().apply({0, word, "files", {{word + ".yaml", word, 7}}}).value());
    const auto hidden = [&] {
        return number("SELECT count(*) FROM warrant_file f, warrant_set s WHERE position('" + word +
                      "'::bytea in f.name || f.octets || s.who) > 0") == 0;
    };
    EXPECT_TRUE(hidden());
    Answer<Outcome> begun;
    store_->sealing().rekey("ann", begun.callback());
    EXPECT_EQ(begun.get(), Outcome::committed);
    EXPECT_TRUE(eventually([&] { return !store_->sealing().status().working; }));
    EXPECT_EQ(store_->sealing().status().unreadable, 0U);
    open();
    EXPECT_TRUE(hidden());
    EXPECT_EQ(sets().read().value().who, word);
    EXPECT_EQ(sets().read().value().files.at(0).text, word);
}

}  // namespace
}  // namespace lihandover::store::test
