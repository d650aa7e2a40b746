// What is PostgreSQL's own about its store: commits of which nobody knows, who may run beside whom, rights, keys.
#include "lihandover/store/postgresql.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <initializer_list>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "../support.hpp"
#include "cluster.hpp"
#include "common/head_file.hpp"
#include "lihandover/base/hex.hpp"
#include "postgresql/pq.hpp"
#include "proxy.hpp"

namespace lihandover::store::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Postgresql : public testing::Test {
  protected:
    void SetUp() override {
        if (!Cluster::is_installed()) {
            GTEST_SKIP() << "PostgreSQL 15 is not installed (scripts/install-deps --test)";
        }
        schema_ = Cluster::instance()->make_schema();
        proxy_ = std::make_unique<Proxy>(Cluster::instance()->socket_directory());
    }
    void TearDown() override {
        if (store_) {
            store_->stop();
        }
    }

    [[nodiscard]] Options options(const std::string& place) const {
        Options options{directory_.path() / place, 0, std::chrono::hours(24 * 90)};
        options.commit_timeout = std::chrono::seconds(30);
        options.master_keys.emplace_back(std::array<std::uint8_t, MasterKey::size>{1, 2, 3});
        return options;
    }
    [[nodiscard]] PostgresqlOptions database(const std::string& node = "node-a") const {
        return {Cluster::words(proxy_->directory(), schema_), false, node, {}};
    }
    void open() { open(options("state"), database()); }
    void open(const Options& wanted, const PostgresqlOptions& where) {
        store_.reset();
        auto opened = open_postgresql(wanted, where, clock_);
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
        store_->outbox().set_listener(&listener_);
        lane_ = store_->warrant_register().lane("lea", "LIID-1").value();
        profile_ = store_->warrant_register().profile(some_profile()).value();
    }
    NewItem item(std::string share = "share") {
        NewItem made;
        made.lane = lane_;
        made.profile = profile_;
        made.object_id = model::Uuid::random();
        made.repeat_hash = hash_of(next_hash_++);
        made.event_seconds = clock_.wall().seconds;
        made.received_at = clock_.wall();
        made.share = std::move(share);
        return made;
    }
    static Outcome submit(Store& store, NewItem one) {
        Answer<Outcome> answer;
        std::vector<NewItem> items;
        items.push_back(std::move(one));
        submit_to(store.item_intake(), std::move(items), answer.callback());
        return answer.get();
    }
    Outcome submit(NewItem one) { return submit(*store_, std::move(one)); }
    std::vector<StoredItem> queued() {
        std::vector<RowId> rows;
        EXPECT_TRUE(store_->outbox().for_each_queued([&](const QueuedItem& one) { rows.push_back(one.row); }));
        return store_->outbox().load(rows).value();
    }
    Count count() {
        const auto counts = store_->operator_view().statistics().counts;
        const auto found = std::ranges::find(counts, "lea", &Count::destination);
        return found == counts.end() ? Count{} : *found;
    }
    [[nodiscard]] std::int64_t number(const std::string& sql) const {
        postgresql::Connection connection({.connection = Cluster::instance()->connection(schema_, "postgres")});
        return connection.read(sql).integer(0, 0);
    }

    lihandover::test::TemporaryDirectory directory_;
    lihandover::test::ManualClock clock_;
    std::string schema_;
    std::unique_ptr<Proxy> proxy_;
    RecordingListener listener_;
    std::unique_ptr<Store> store_;
    LaneId lane_ = 0;
    ProfileId profile_ = 0;
    std::uint64_t next_hash_ = 1;
};

TEST_F(Postgresql, ACommitWhoseAnswerIsLostIsFoundBeforeTheSourceIsAnswered) {
    open();
    ASSERT_EQ(submit(item("before")), Outcome::committed);
    const std::int64_t committed = number("SELECT committed FROM node");
    proxy_->lose(Proxy::Loss::answer);
    NewItem one = item("in doubt");
    EXPECT_EQ(submit(one), Outcome::committed);
    EXPECT_EQ(number("SELECT committed FROM node"), committed + 1) << "it was that commit, not another one";
    EXPECT_THAT(queued(), SizeIs(2));
    EXPECT_THAT(listener_.queued(), SizeIs(2));
    EXPECT_THAT(listener_.stored(), SizeIs(2));
    EXPECT_EQ(count().queued, 2U);
    EXPECT_EQ(store_->audit_log().head().number, 2U);
    EXPECT_EQ(submit(one), Outcome::committed);
    EXPECT_EQ(store_->operator_view().statistics().repeats, 1U);
    EXPECT_THAT(queued(), SizeIs(2));
}

TEST_F(Postgresql, ACommitThatNeverCameThereIsNoSuccess) {
    open();
    ASSERT_EQ(submit(item("before")), Outcome::committed);
    proxy_->lose(Proxy::Loss::request);
    NewItem one = item("lost");
    EXPECT_EQ(submit(one), Outcome::failed);
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_THAT(queued(), SizeIs(1));
    EXPECT_EQ(submit(one), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(2));
    EXPECT_EQ(count().queued, 2U);
    EXPECT_EQ(store_->operator_view().statistics().repeats, 0U);
}

TEST_F(Postgresql, WhatIsAcceptedWhileThereIsNoDatabaseIsToldWhenThereIs) {
    open();
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    const StoredItem one = queued().at(0);
    proxy_->close(true);
    Answer<Outcome> answer;
    store_->outbox().accepted({{one.row, one.lane, one.profile, one.object_id, false, false}}, answer.callback());
    ASSERT_TRUE(eventually([&] { return !listener_.health().empty(); }));
    EXPECT_EQ(submit(item("refused")), Outcome::failed);
    EXPECT_FALSE(store_->item_intake().accepting());
    proxy_->close(false);
    EXPECT_EQ(answer.get(), Outcome::committed);
    EXPECT_THAT(listener_.health(), ElementsAre(false, true));
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_EQ(count().queued, 0U);
}

TEST_F(Postgresql, WhatWasAnsweredIsThereOnceAndInOrderHoweverOftenTheServerCrashes) {
    open();
    std::atomic<bool> enough{false};
    std::atomic<std::size_t> sent{0};
    std::vector<model::Uuid> answered;
    std::thread source([&] {
        while (!enough) {
            NewItem one = item();
            one.conversation_hash = hash_of(1'000'000);
            while (submit(one) != Outcome::committed) {
                EXPECT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
            }
            answered.push_back(one.object_id);
            ++sent;
        }
    });
    for (int round = 0; round < 3; ++round) {
        const std::size_t before = sent;
        EXPECT_TRUE(eventually([&] { return sent > before + 20; }));
        Cluster::instance()->crash();
    }
    const std::size_t before = sent;
    EXPECT_TRUE(eventually([&] { return sent > before + 20; }));
    enough = true;
    source.join();
    const auto items = queued();
    ASSERT_THAT(items, SizeIs(answered.size()));
    for (std::size_t n = 0; n < items.size(); ++n) {
        EXPECT_EQ(items[n].object_id, answered[n]);
        EXPECT_EQ(items[n].correlation->sequence_number, items[0].correlation->sequence_number + n);
    }
    EXPECT_EQ(count().queued, answered.size()) << "and counted once";
    EXPECT_EQ(store_->audit_log().head().number, answered.size());
}

TEST_F(Postgresql, NoReaderStaysWhereTheWriterWasBefore) {
    open();
    ASSERT_EQ(submit(item("before")), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(1));
    const auto microseconds = [](const std::string& time) { return "(extract(epoch FROM " + time + ")*1e6)::bigint"; };
    const std::int64_t now = number("SELECT " + microseconds("clock_timestamp()"));
    const auto older = [&] {
        return number("SELECT count(*) FROM pg_stat_activity WHERE usename='daemon' AND " +
                      microseconds("backend_start") + " < " + std::to_string(now));
    };
    EXPECT_GE(older(), 2) << "the writer, and one that read";
    proxy_->lose(Proxy::Loss::answer);
    EXPECT_EQ(submit(item("in doubt")), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(2));
    EXPECT_TRUE(eventually([&] { return older() == 0; }));
}

TEST_F(Postgresql, AServerThatHangsOnceItHasLetUsInIsNotWaitedForWithoutLimit) {
    proxy_->hang(true);
    const auto trouble_of = [](const auto& work) {
        try {
            work();
        } catch (const postgresql::PgFailure& failure) {
            return failure.trouble();
        }
        return postgresql::Trouble::failing;
    };
    std::atomic<bool> give_up{false};
    postgresql::Connection::Settings settings{.connection = Cluster::words(proxy_->directory(), schema_),
                                              .patience = std::chrono::milliseconds(100),
                                              .give_up = &give_up};
    EXPECT_EQ(trouble_of([&] { postgresql::Connection connection(settings); }), postgresql::Trouble::unreachable);
    settings.patience = std::chrono::hours(1);
    auto ended = std::async(std::launch::async,
                            [&] { return trouble_of([&] { postgresql::Connection connection(settings); }); });
    EXPECT_TRUE(eventually([&] { return proxy_->hanging() == 2; }));
    give_up = true;
    EXPECT_EQ(ended.get(), postgresql::Trouble::unreachable);
}

TEST_F(Postgresql, AStopEndsAlsoWhereTheServerHangs) {
    Options wanted = options("state");
    wanted.commit_timeout = std::chrono::seconds(1);
    open(wanted, database());
    proxy_->hang(true);
    proxy_->close(true);
    EXPECT_EQ(submit(item("while there is none")), Outcome::failed);
    proxy_->close(false);
    ASSERT_TRUE(eventually([&] { return proxy_->hanging() > 0; }));
    store_->stop();
}

TEST_F(Postgresql, AStatementThatTakesTooLongIsNoDatabaseThatDoesNotAnswer) {
    postgresql::Connection connection({.connection = Cluster::words(proxy_->directory(), schema_)});
    connection.execute("SET statement_timeout=10");
    try {
        static_cast<void>(connection.read("SELECT pg_sleep(60)"));
        ADD_FAILURE() << "it ended";
    } catch (const postgresql::PgFailure& failure) {
        EXPECT_EQ(failure.trouble(), postgresql::Trouble::slow);
        EXPECT_THAT(failure.what(), HasSubstr("statement timeout"));
    }
}

TEST_F(Postgresql, WhileAnIdIsLookedForTheWriterGoesOn) {
    open();
    ASSERT_EQ(submit(item()), Outcome::committed);
    const StoredItem last = queued().back();
    postgresql::Connection other({.connection = Cluster::instance()->connection(schema_, "postgres")});
    other.execute("BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE");
    std::promise<std::pair<Outcome, std::size_t>> rejected;
    auto answer = rejected.get_future();
    store_->operator_view().reject(
        {{last.object_id, {ItemState::queued}}, {model::Uuid::random(), {ItemState::queued}}}, {"uid:1001", "ann"},
        "a mistake", [&](Outcome outcome, const Decided& decided) {
            rejected.set_value({outcome, decided.done});
        });
    ASSERT_TRUE(eventually([&] { return number("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0; }));
    Answer<Outcome> paused;
    store_->operator_view().pause("lea", "ann", paused.callback());
    EXPECT_EQ(paused.get(), Outcome::committed);
    EXPECT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    other.execute("COMMIT");
    EXPECT_EQ(answer.get(), std::pair(Outcome::committed, std::size_t{1}));
}

TEST_F(Postgresql, AStartReadsNoContentToCountWhatWaits) {
    open();
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(submit(item(std::string(1000, 'x'))), Outcome::committed);
    }
    store_->stop();
    Cluster::instance()->execute(schema_, "VACUUM ANALYZE item");
    postgresql::Connection connection({.connection = Cluster::instance()->connection(schema_, "postgres")});
    connection.execute("SET enable_seqscan=off");
    const postgresql::Rows plan = connection.read("EXPLAIN SELECT lane, count(*), sum(size) FROM item GROUP BY lane");
    std::string all;
    for (int row = 0; row < plan.size(); ++row) {
        all += plan.bytes(row, 0);
    }
    EXPECT_THAT(all, HasSubstr("Index Only Scan using item_id"));
}

TEST_F(Postgresql, WhoeverTakesANodesPlaceKeepsIt) {
    const auto before = spdlog::default_logger();
    std::ostringstream log;
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
    open();
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    auto second = open_postgresql(options("other"), database(), clock_);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(submit(item("too late")), Outcome::failed);
    ASSERT_TRUE(eventually([&] { return !store_->item_intake().accepting(); }));
    EXPECT_FALSE(store_->warrant_register().lane("lea", "another"));
    EXPECT_EQ(submit(**second, item("second")), Outcome::committed);
    ASSERT_TRUE(eventually([&] {
        return number("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT session_key=%'") > 0;
    })) << "it looks who has its place";
    EXPECT_FALSE(store_->turned_out());
    // It does not come back by itself: two would take turns for ever.
    store_->stop();
    EXPECT_EQ(submit(**second, item("third")), Outcome::committed);
    (*second)->stop();
    spdlog::set_default_logger(before);
    EXPECT_THAT(log.str(), HasSubstr("has taken its place"));
    EXPECT_THAT(log.str(), testing::Not(HasSubstr("damaged"))) << "whatever failed first";
}

TEST_F(Postgresql, AnotherNodeIsNotLetInWhileOneIsThere) {
    open();
    const auto second = open_postgresql(options("other"), database("node-b"), clock_);
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr("node-a"));
    store_->stop();
    EXPECT_TRUE(open_postgresql(options("other"), database("node-b"), clock_)) << "it has left";
}

TEST_F(Postgresql, ARoleThatMayNotMakeTablesIsToldSo) {
    Cluster::instance()->execute("public", "DROP SCHEMA " + schema_ + " CASCADE; CREATE SCHEMA " + schema_ +
                                               "; GRANT USAGE ON SCHEMA " + schema_ + " TO daemon");
    const auto opened = open_postgresql(options("state"), database(), clock_);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr("role"));
    EXPECT_EQ(number("SELECT count(*) FROM pg_tables WHERE schemaname=current_schema()"), 0);
}

TEST_F(Postgresql, ASchemaOfTheFirstVersionIsUpgradedByOneRoleAndUsedByAnother) {
    open();
    ASSERT_EQ(submit(item()), Outcome::committed);
    store_.reset();
    Cluster::instance()->execute(
        schema_,
        "DROP TABLE bucket, arrival, warrant_set, warrant_file; ALTER TABLE node DROP term, DROP lease_until, DROP "
        "generation, DROP warrants, DROP warrants_known, DROP warrants_followed; DELETE FROM store_version WHERE "
        "version > 1; UPDATE node SET seen='epoch'");
    const auto refused = open_postgresql(options("state"), database(), clock_);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("role"));
    PostgresqlOptions changing = database();
    changing.connection = Cluster::words(proxy_->directory(), schema_, "postgres");
    open(options("state"), changing);
    store_->stop();
    open();
    EXPECT_THAT(queued(), SizeIs(1));
    EXPECT_EQ(submit(item()), Outcome::committed);
    store_->stop();

    // One of the version before, which has no lease, is there as long as it says so.
    Cluster::instance()->execute(schema_, "UPDATE node SET lease_until=NULL, seen=clock_timestamp()");
    EXPECT_FALSE(open_postgresql(options("other"), database("node-b"), clock_));
    Cluster::instance()->execute(schema_, "UPDATE node SET seen=clock_timestamp() - interval '31 s'");
    EXPECT_TRUE(open_postgresql(options("other"), database("node-b"), clock_));
}

TEST_F(Postgresql, ANewerSchemaIsRefused) {
    Cluster::instance()->execute(schema_, "INSERT INTO store_version VALUES(1000)");
    const auto opened = open_postgresql(options("state"), database(), clock_);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr("newer version"));
}

TEST_F(Postgresql, ReplicatedNeedsAStandby) {
    PostgresqlOptions wanted = database();
    wanted.replicated = true;
    const auto opened = open_postgresql(options("state"), wanted, clock_);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr("synchronous_standby_names"));
}

/// With a standby, which commits wait for.
class PostgresqlReplicated : public Postgresql {
  protected:
    void SetUp() override {
        Postgresql::SetUp();
        if (!Cluster::is_installed()) {
            return;
        }
        standby_ = Cluster::instance()->start_standby();
        Cluster::instance()->wait_for_standbys(true);
        ASSERT_TRUE(eventually([&] { return follows(); }));
        Options wanted = options("state");
        wanted.commit_timeout = std::chrono::seconds(1);
        open(wanted, where());
    }
    void TearDown() override {
        if (Cluster::is_installed()) {
            Cluster::instance()->wait_for_standbys(false);
            Postgresql::TearDown();
            Cluster::instance()->stop_standby();
        }
    }
    [[nodiscard]] PostgresqlOptions where() const {
        PostgresqlOptions replicated = database();
        replicated.replicated = true;
        return replicated;
    }
    /// Commits, without those of one connection.
    [[nodiscard]] std::int64_t waiting_for_standby(std::int64_t but = 0) const {
        return number("SELECT count(*) FROM pg_stat_activity WHERE wait_event='SyncRep' AND pid <> " +
                      std::to_string(but));
    }
    [[nodiscard]] bool follows() const {
        return number("SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')") == 1;
    }

    std::filesystem::path standby_;
};

TEST_F(PostgresqlReplicated, WhatIsAnsweredIsOnTheStandby) {
    ASSERT_EQ(submit(item("there")), Outcome::committed);
    EXPECT_TRUE(
        eventually([&] { return Cluster::instance()->ask_standby(schema_, "SELECT count(*) FROM item") == "1"; }));
}

TEST_F(PostgresqlReplicated, NothingIsTakenOnceCommitsDoNotWaitForIt) {
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    Cluster::instance()->wait_for_standbys(false);
    // The server takes the new setting over by and by.
    ASSERT_TRUE(eventually([&] { return submit(item("sooner or later")) == Outcome::failed; }));
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_TRUE(eventually([&] { return !listener_.health().empty(); })) << "nor is anything sent";
    const auto waiting = queued().size();
    EXPECT_EQ(submit(item("too late")), Outcome::failed);
    EXPECT_THAT(queued(), SizeIs(waiting));
    Cluster::instance()->wait_for_standbys(true);
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_THAT(listener_.health(), ElementsAre(false, true));
    EXPECT_EQ(submit(item("again")), Outcome::committed);
}

TEST_F(PostgresqlReplicated, ACommitThatNoStandbyConfirmsIsNoSuccess) {
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    Cluster::instance()->stop_standby();
    NewItem one = item("on the primary alone");
    EXPECT_EQ(submit(one), Outcome::failed);
    EXPECT_FALSE(store_->item_intake().accepting());
    static_cast<void>(Cluster::instance()->start_standby());
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_EQ(submit(one), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(2)) << "once, whether the first attempt is there or not";
    EXPECT_EQ(count().queued, 2U);
}

TEST_F(PostgresqlReplicated, ACommitThatWaitsNoLongerSinceThereAreToBeNoStandbysIsNoSuccess) {
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    Cluster::instance()->stop_standby();
    const NewItem one = item("on the primary alone");
    auto answered = std::async(std::launch::async, [&] { return submit(one); });
    ASSERT_TRUE(eventually([&] { return waiting_for_standby() == 1; }));
    Cluster::instance()->wait_for_standbys(false);
    EXPECT_EQ(answered.get(), Outcome::failed);
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_THAT(listener_.queued(), SizeIs(1));
    static_cast<void>(Cluster::instance()->start_standby());
    Cluster::instance()->wait_for_standbys(true);
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_EQ(submit(one), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(2));
    EXPECT_EQ(count().queued, 2U);
}

TEST_F(PostgresqlReplicated, ACancelledWaitIsHeardOfWhateverTheRoleWantsToHear) {
    store_->stop();
    Cluster::instance()->execute("public", "ALTER ROLE daemon SET client_min_messages=error");
    open(options("state"), where());
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    Cluster::instance()->stop_standby();
    auto answered = std::async(std::launch::async, [&] { return submit(item("on the primary alone")); });
    ASSERT_TRUE(eventually([&] { return waiting_for_standby() == 1; }));
    const auto pid = number("SELECT pid::bigint FROM pg_stat_activity WHERE wait_event='SyncRep'");
    Cluster::instance()->execute("public", "SELECT pg_cancel_backend(" + std::to_string(pid) + ")");
    // It looks for what became of it on another connection, whose own commit waits, too.
    EXPECT_TRUE(eventually([&] { return waiting_for_standby(pid) == 1; }));
    EXPECT_THAT(listener_.queued(), SizeIs(1));
    static_cast<void>(Cluster::instance()->start_standby());
    static_cast<void>(answered.get());
    Cluster::instance()->execute("public", "ALTER ROLE daemon RESET client_min_messages");
}

TEST_F(PostgresqlReplicated, WhatIsCommittedIsReadAtOnceAlsoWhereAStandbyIsNamedFirst) {
    store_->stop();
    PostgresqlOptions both = where();
    both.connection = Cluster::words(standby_.string() + "," + proxy_->directory().string(), schema_);
    open(options("state"), both);
    static_cast<void>(Cluster::instance()->ask_standby(schema_, "SELECT pg_wal_replay_pause()"));
    ASSERT_TRUE(eventually([&] {
        return Cluster::instance()->ask_standby(schema_, "SELECT pg_get_wal_replay_pause_state()") == "paused";
    }));
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(1));
    static_cast<void>(Cluster::instance()->ask_standby(schema_, "SELECT pg_wal_replay_resume()"));
}

/// A warrant that has an item queued, and is to be revoked.
class PostgresqlRevoked : public Postgresql {
  protected:
    void SetUp() override {
        Postgresql::SetUp();
        if (!Cluster::is_installed()) {
            return;
        }
        open();
        ASSERT_TRUE(
            store_->warrant_register().change_warrants({{{"file.yaml", "lea", "LIID-1", "bytes"}}, {}, {}, ""}));
        ASSERT_EQ(submit(item("queued")), Outcome::committed);
    }
    model::Status revoke() {
        WarrantChanges changes;
        changes.revoked.push_back({"lea", "LIID-1", clock_.wall(), "file.yaml", {}, "alice", "why", Review::required});
        return store_->warrant_register().change_warrants(changes);
    }
};

TEST_F(PostgresqlRevoked, ARevocationWhoseAnswerIsLostHoldsAndIsToldOnce) {
    proxy_->lose(Proxy::Loss::answer);
    EXPECT_TRUE(revoke());
    EXPECT_THAT(listener_.lanes_withdrawn(), ElementsAre(lane_));
    EXPECT_THAT(queued(), IsEmpty());
    ASSERT_TRUE(store_->warrant_register().nothing_more_of("lea", "LIID-1"));
    EXPECT_TRUE(eventually([&] { return count().held == 1 && count().queued == 0; }));
    EXPECT_TRUE(eventually([&] { return store_->operator_view().statistics().withholding == 0; }));
    EXPECT_THAT(listener_.lanes_withdrawn(), SizeIs(1));
}

TEST_F(PostgresqlRevoked, ARevocationThatNeverCameThereHoldsNothing) {
    proxy_->lose(Proxy::Loss::request);
    EXPECT_FALSE(revoke());
    ASSERT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_THAT(listener_.lanes_withdrawn(), IsEmpty());
    EXPECT_THAT(queued(), SizeIs(1));
    EXPECT_EQ(store_->operator_view().statistics().withholding, 0U);
}

TEST_F(Postgresql, AnotherStateOfTheDatabaseIsAnAlarmUntilItIsAccepted) {
    const auto said = [&] { return store_->operator_view().statistics().restored; };
    open();
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    EXPECT_EQ(said(), "");
    store_->stop();
    const HeadFile file(directory_.path() / "state" / "audit.head");
    auto head = file.read().value();
    ASSERT_TRUE(head);
    EXPECT_EQ(head->head.number, 1U) << "a stop names the last one";
    open();
    EXPECT_EQ(said(), "");
    ASSERT_EQ(submit(item("second")), Outcome::committed);
    store_->stop();
    // As a crash leaves it.
    ASSERT_TRUE(file.write(*head));
    open();
    EXPECT_EQ(said(), "");
    store_->stop();
    head->head.number = 5;
    ASSERT_TRUE(file.write(*head));
    open();
    EXPECT_THAT(said(), HasSubstr("entry 5"));
    const auto records = store_->operator_view().records(0, 100).value();
    EXPECT_EQ(records.back().kind, RecordKind::store_restored);
    store_->stop();
    open();
    EXPECT_THAT(said(), HasSubstr("entry 5")) << "until somebody accepts it";
    EXPECT_TRUE(store_->operator_view().accept_restore("alice", "the backup of Monday"));
    EXPECT_EQ(said(), "");
    EXPECT_FALSE(store_->operator_view().accept_restore("alice", "once more"));
    store_->stop();
    ASSERT_TRUE(std::filesystem::remove(directory_.path() / "state" / "audit.head"));
    open();
    EXPECT_THAT(said(), HasSubstr("is missing"));
}

TEST_F(Postgresql, WhereAnOlderStateTakesOverOnlyAnotherStartGoesOn) {
    open();
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    Cluster::instance()->execute(schema_, "CREATE TABLE before AS SELECT * FROM node");
    ASSERT_TRUE(store_->warrant_register().lane("lea", "LIID-2"));
    ASSERT_EQ(submit(item("second")), Outcome::committed);
    ASSERT_EQ(submit(item("third")), Outcome::committed);
    proxy_->close(true);
    EXPECT_EQ(submit(item("while there is none")), Outcome::failed);
    // As a standby that lagged has it.
    Cluster::instance()->execute(
        schema_,
        "UPDATE node n SET committed=b.committed, number=b.number, hash=b.hash, record=b.record FROM before b; "
        "DELETE FROM record WHERE id > (SELECT record FROM before); "
        "DELETE FROM item WHERE id > (SELECT record FROM before)");
    const std::int64_t session = number("SELECT session FROM node");
    proxy_->close(false);
    ASSERT_TRUE(eventually([&] { return number("SELECT session FROM node") > session; })) << "it has looked";
    EXPECT_EQ(submit(item("fourth")), Outcome::failed) << "lanes and queues in memory are of what is lost";
    EXPECT_FALSE(store_->item_intake().accepting());
    store_->stop();
    open();
    EXPECT_THAT(store_->operator_view().statistics().restored, HasSubstr("entry 3"));
    EXPECT_EQ(count().queued, 1U);
    EXPECT_EQ(submit(item("fifth")), Outcome::committed);
    EXPECT_THAT(queued(), SizeIs(2));
}

TEST_F(Postgresql, WhoStoodStillIsOutOnceAnotherHasTheDatabase) {
    open();
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    // Once its lease is over, as for one that was stopped.
    Cluster::instance()->execute(schema_, "UPDATE node SET lease_until='epoch'");
    auto second = open_postgresql(options("other"), database("node-b"), clock_);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(submit(item("under a warrant of its own")), Outcome::failed);
    EXPECT_FALSE(store_->item_intake().accepting());
    EXPECT_TRUE(eventually([&] { return store_->turned_out(); })) << "another start can wait for its turn";
    EXPECT_FALSE((*second)->turned_out());
    (*second)->stop();
    // Nor by connecting anew.
    proxy_->close(true);
    proxy_->close(false);
    EXPECT_EQ(submit(item("again")), Outcome::failed);
}

TEST_F(Postgresql, AnOwnerThatCannotRenewSendsNothingFromHalfOfItsLeaseOn) {
    clock_.stop();
    PostgresqlOptions where = database();
    where.lease = std::chrono::seconds(1);
    open(options("state"), where);
    const auto covered = [this] { return store_->outbox().lease(lane_).covers(clock_.steady()); };
    ASSERT_TRUE(covered());
    proxy_->close(true);
    ASSERT_TRUE(eventually([&] { return !listener_.health().empty(); }));
    ASSERT_FALSE(listener_.health().front());
    clock_.advance_steady(std::chrono::milliseconds(499));
    EXPECT_TRUE(covered());
    clock_.advance_steady(std::chrono::milliseconds(1));
    EXPECT_FALSE(covered());
    EXPECT_TRUE(store_->outbox().lease(lane_).held) << "nobody has it yet";
    proxy_->close(false);
    EXPECT_TRUE(eventually(covered));
    EXPECT_FALSE(listener_.lost(lane_));
}

TEST_F(Postgresql, AnIdleOwnerRenewsItsLease) {
    PostgresqlOptions where = database();
    where.lease = std::chrono::seconds(1);
    open(options("state"), where);
    const std::string until = "SELECT (extract(epoch FROM lease_until) * 1000)::bigint FROM node";
    const std::int64_t first = number(until);
    EXPECT_TRUE(eventually([&] { return number(until) > first + 1000; }));
    EXPECT_EQ(number("SELECT count(*) FROM bucket WHERE owner=(SELECT id FROM node)"), 256);
}

/// As another daemon does it, once the lease of this one is over.
std::string taking(LaneId lane) {
    return "UPDATE node SET term=term+1; UPDATE bucket SET owner=NULL, epoch=epoch+1 WHERE id=" +
           std::to_string(lane % 256);
}

TEST_F(Postgresql, WhatAStaleOwnerSettlesChangesNothing) {
    open();
    const LaneId other = store_->warrant_register().lane("lea", "LIID-2").value();
    for (int n = 0; n < 5; ++n) {
        ASSERT_EQ(submit(item()), Outcome::committed);
    }
    const std::vector<StoredItem> items = queued();
    Answer<Outcome> aside;
    store_->outbox().set_aside(items[4].row, {500, Refusal::Kind::http_status, ""}, aside.callback());
    ASSERT_EQ(aside.get(), Outcome::committed);
    Cluster::instance()->execute(schema_, taking(lane_));
    const std::int64_t entries = number("SELECT count(*) FROM record");

    Answer<Outcome> refused;
    store_->outbox().refused(items[0].row, {3007, Refusal::Kind::hi1_error, ""}, refused.callback());
    EXPECT_EQ(refused.get(), Outcome::failed);
    EXPECT_TRUE(listener_.lost(lane_)) << "before it is answered";
    EXPECT_FALSE(listener_.lost(other));
    EXPECT_FALSE(store_->outbox().lease(lane_).held);
    EXPECT_TRUE(store_->outbox().lease(other).held);
    Answer<Outcome> accepted;
    const StoredItem& one = items[1];
    store_->outbox().accepted({{one.row, one.lane, one.profile, one.object_id, true, false}}, accepted.callback());
    static_cast<void>(accepted.get());
    Answer<Outcome> again;
    store_->outbox().set_aside(items[4].row, {501, Refusal::Kind::http_status, ""}, again.callback());
    EXPECT_EQ(again.get(), Outcome::failed);
    EXPECT_EQ(number("SELECT count(*) FROM item"), 4);
    EXPECT_EQ(number("SELECT code FROM aside"), 500);
    EXPECT_EQ(
        number("SELECT provided FROM lane WHERE liid=(SELECT liid FROM lane WHERE id=" + std::to_string(lane_) + ")"),
        0);
    EXPECT_EQ(number("SELECT count(*) FROM record"), entries);
    EXPECT_THAT(queued(), IsEmpty()) << "they are the next owner's";

    // Sources go on, and what is this daemon's as well.
    const std::size_t heard = listener_.queued().size();
    ASSERT_EQ(submit(item()), Outcome::committed);
    EXPECT_THAT(listener_.queued(), SizeIs(heard)) << "of lanes that are another's nothing is told";
    NewItem mine = item();
    mine.lane = other;
    ASSERT_EQ(submit(mine), Outcome::committed);
    EXPECT_THAT(listener_.queued(), SizeIs(heard + 1));
    ASSERT_THAT(queued(), SizeIs(1));
    const StoredItem two = queued()[0];
    Answer<Outcome> settled;
    store_->outbox().accepted({{two.row, two.lane, two.profile, two.object_id, false, false}}, settled.callback());
    EXPECT_EQ(settled.get(), Outcome::committed);
    EXPECT_EQ(number("SELECT count(*) FROM item"), 5);
}

TEST_F(Postgresql, AStaleOwnerThatHasLostItsConnectionDoesNotHoldWhatWasTaken) {
    open();
    ASSERT_EQ(submit(item()), Outcome::committed);
    Cluster::instance()->execute(schema_, taking(lane_));
    proxy_->close(true);
    ASSERT_TRUE(eventually([&] { return !listener_.health().empty(); }));
    proxy_->close(false);
    ASSERT_TRUE(eventually([&] { return listener_.health().size() == 2; }));
    EXPECT_TRUE(listener_.lost(lane_));
    EXPECT_FALSE(store_->outbox().lease(lane_).held);
    EXPECT_EQ(listener_.calls(), "Q-X+") << "before anything may be sent again";
}

TEST_F(Postgresql, FilesOfAnotherDatabaseStayThere) {
    open();
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    store_->stop();
    const auto file = directory_.path() / "state" / "objects" / "0b5e7e2e-58cb-4a3f-9b36-0a2d4c6f8e10";
    std::ofstream(file) << "sealed";
    const std::string right = std::exchange(schema_, Cluster::instance()->make_schema());
    open();  // by a mistake in the connection's words
    EXPECT_TRUE(std::filesystem::exists(file));
    store_->stop();
    open();
    EXPECT_TRUE(std::filesystem::exists(file)) << "as long as nobody said that this is meant";
    store_->stop();
    schema_ = right;
    open();
    EXPECT_TRUE(std::filesystem::exists(file));
    ASSERT_TRUE(store_->operator_view().accept_restore("ann", "the words were wrong"));
    store_->stop();
    open();
    EXPECT_FALSE(std::filesystem::exists(file)) << "no row has it";
}

TEST(ConnectionWords, AreReadableAndHaveNoSecretAndNothingOfThemIsSaid) {
    EXPECT_TRUE(check_connection("host=db1,db2 port=5432,5433 dbname=lihandover user=lihandover passfile=/etc/p"));
    EXPECT_TRUE(check_connection("host=/run/postgresql dbname=lihandover"));
    EXPECT_TRUE(check_connection("postgresql://lihandover@db1:5432/lihandover?sslmode=verify-full"));
    for (const char* const wrong :
         {"host=db1 password=Secret99", "host=db1 password=hush Secret99", "postgresql://u:Secret99@db1/lihandover",
          "postgresql://u:pa/Secret99@db1/lihandover", "postgresql://u:Secret99@x@127.0.0.1/lihandover",
          "host=db1 sslpassword=Secret99", "Secret99", "postgresql://u:%zzSecret99@db1"}) {
        const auto good = check_connection(wrong);
        ASSERT_FALSE(good) << wrong;
        EXPECT_THAT(good.error().message, testing::Not(HasSubstr("Secret99")));
    }
}

TEST_F(Postgresql, WhatWaitsIsSeenWithoutOpeningTheStore) {
    EXPECT_THAT(look_at_store(database(), options("state").master_keys).value(), IsEmpty());
    EXPECT_EQ(newest_entry(database()), std::nullopt);
    open();
    ASSERT_EQ(submit(item("first")), Outcome::committed);
    EXPECT_THAT(look_at_store(database(), options("state").master_keys).value(), ElementsAre("lea"));
    ASSERT_TRUE(newest_entry(database()));
    EXPECT_EQ(newest_entry(database())->seconds, clock_.wall().seconds);
    EXPECT_THAT(look_at_store(database(), {}).error().message, HasSubstr("encryption.key_files"));
    const MasterKey another(std::array<std::uint8_t, MasterKey::size>{9});
    EXPECT_THAT(look_at_store(database(), {another}).error().message, HasSubstr("master key"));
    proxy_->close(true);
    EXPECT_THAT(look_at_store(database(), options("state").master_keys).error().message, HasSubstr("cannot be read"));
    EXPECT_EQ(newest_entry(database()), std::nullopt);
}

/// A store that has something of every kind that is sealed.
class PostgresqlSealed : public Postgresql {
  protected:
    static constexpr std::uint8_t first_key = 1;
    static constexpr std::uint8_t second_key = 2;

    static MasterKey master(std::uint8_t number) {
        return MasterKey(std::array<std::uint8_t, MasterKey::size>{number, 2, 3});
    }
    void open_with(std::vector<MasterKey> keys) {
        Options wanted = options("state");
        wanted.master_keys = std::move(keys);
        open(wanted, database());
    }
    template <typename Ask>
    static bool committed(const Ask& ask) {
        Answer<Outcome> answer;
        ask([callback = answer.callback()](Outcome outcome, const auto&... /*more*/) { callback(outcome); });
        return answer.get() == Outcome::committed;
    }
    NewItem with_object() {
        auto writer = store_->object_intake().writer().value();
        EXPECT_TRUE(writer->write("bytes of a picture"));
        NewObject object;
        object.id = object_ = model::Uuid::random();
        object.url = "https://lea.example.com/picture";
        object.original_filename = "roof.jpg";
        object.lifetime = std::chrono::hours(72);
        object.sealed = writer->finish().value();
        NewItem made = item("with a picture");
        made.objects = std::make_shared<const std::vector<NewObject>>(1, object);
        return made;
    }
    void fill() {
        WarrantChanges changes;
        changes.in_force = {{"file.yaml", "lea", "LIID-1", "its bytes"}, {"gone.yaml", "lea", "LIID-2", "others"}};
        StoredPendingWarrant pending;
        pending.destination = "lea";
        pending.liid = "LIID-3";
        pending.digest[0] = 7;
        pending.file = "pending.yaml";
        changes.pending = {pending};
        changes.who = "alice";
        Register& warrants = store_->warrant_register();
        ASSERT_TRUE(warrants.change_warrants(changes));
        WarrantChanges revoked;
        revoked.revoked.push_back({"lea", "LIID-2", clock_.wall(), "gone.yaml", {}, "alice", "the court said so"});
        ASSERT_TRUE(warrants.change_warrants(revoked));
        ASSERT_TRUE(warrants.decide_warrant({"lea", "LIID-3", pending.digest, true, 1001, "bob", ""}));
        OperatorView& operators = store_->operator_view();
        ASSERT_TRUE(committed([&](auto done) { operators.pause("other", "carol", done); }));
        NewItem reviewed = item("reviewed");
        reviewed.review = Review::dual;
        const model::Uuid held = reviewed.object_id;
        ASSERT_EQ(submit(std::move(reviewed)), Outcome::committed);
        ASSERT_TRUE(committed([&](auto done) { operators.approve({held}, {"uid:1", "dave"}, done); }));
        ASSERT_EQ(submit(item("refused")), Outcome::committed);
        const Refusal refusal{3005, Refusal::Kind::hi1_error, "words of the LEA"};
        ASSERT_TRUE(committed([&](auto done) { store_->outbox().refused(queued().at(0).row, refusal, done); }));
        for (int i = 0; i < 700; ++i) {
            ASSERT_EQ(submit(item("item " + std::to_string(i))), Outcome::committed);
        }
        ASSERT_EQ(submit(with_object()), Outcome::committed);
        ASSERT_TRUE(committed([&](auto done) {
            store_->kept_copies().submit({}, {}, "as-1", {{{1, "a copy"}, {2, "another"}}, {}}, done);
        }));
    }
    /// All that is sealed, opened.
    std::string opened() {
        std::string all;
        const auto add = [&all](std::initializer_list<std::string_view> words) {
            for (const std::string_view word : words) {
                all += word;
                all += '|';
            }
            all += '\n';
        };
        for (const StoredItem& one : queued()) {
            add({one.share});
        }
        OperatorView& operators = store_->operator_view();
        for (const Record& one : operators.records(0, 10'000).value()) {
            if (one.kind != RecordKind::store_sealed) {
                add({one.who, one.why});
            }
        }
        for (const ItemView& one : operators.items(ItemState::held, {}, 10).value()) {
            add({one.liid, one.held->first_who, operators.content(one.object_id).value()->share});
        }
        for (const ItemView& one : operators.items(ItemState::refused, {}, 10).value()) {
            add({one.refusal->words, operators.content(one.object_id).value()->share});
        }
        Register& warrants = store_->warrant_register();
        for (const StoredWarrant& one : warrants.warrants().value()) {
            add({one.file, one.liid, one.bytes});
        }
        for (const StoredRevocation& one : warrants.revocations().value()) {
            add({one.liid, one.file, one.who, one.why});
        }
        for (const StoredPendingWarrant& one : warrants.pending_warrants().value()) {
            add({one.liid, one.file, one.approvals.at(0).who});
        }
        for (const StoredPause& one : warrants.pauses().value()) {
            add({one.who});
        }
        for (const KeptCopy& one : store_->kept_copies().kept("as-1").value()) {
            add({one.bytes});
        }
        const auto object = store_->upload_outbox().find_object(object_).value();
        std::array<char, 64> bytes{};
        const auto size = store_->upload_outbox().open(*object->sealed).value()->read(0, bytes).value();
        add({object->described.url, {bytes.data(), size}});
        return all;
    }

    model::Uuid object_;
};

TEST_F(PostgresqlSealed, ANewKeyTakesThePlaceOfTheOldOne) {
    open_with({master(first_key)});
    fill();
    const std::string before = opened();
    EXPECT_THAT(before, HasSubstr("bytes of a picture"));
    EXPECT_FALSE(store_->sealing().status().working);
    ASSERT_TRUE(store_->sealing().use({master(second_key), master(first_key)}));
    ASSERT_TRUE(committed([&](auto done) { store_->sealing().rekey("operator-carol", done); }));
    ASSERT_TRUE(eventually([&] { return !store_->sealing().status().working; }));
    EXPECT_EQ(store_->sealing().status().key, master(second_key).id());
    EXPECT_EQ(opened(), before);
    store_->stop();
    // A process that has never known the key from before.
    open_with({master(second_key)});
    EXPECT_EQ(opened(), before);
    EXPECT_EQ(store_->sealing().status().unreadable, 0U);
    EXPECT_EQ(number("SELECT count(*) FROM item WHERE substring(key from 1 for 2) <> '\\x0002'"), 0);
    const auto records = store_->operator_view().records(0, 10'000).value();
    EXPECT_EQ(std::ranges::count(records, RecordKind::store_sealed, &Record::kind), 2) << "begun, done";
}

TEST_F(PostgresqlSealed, WhatWasBegunIsDoneByTheNextStart) {
    open_with({master(first_key)});
    fill();
    const std::string before = opened();
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(committed([&](auto done) { store_->sealing().rekey("operator-carol", done); }));
        store_->stop();
        open_with({master(first_key)});
    }
    ASSERT_TRUE(eventually([&] { return !store_->sealing().status().working; }));
    EXPECT_EQ(store_->sealing().status().percent, 100U);
    store_->stop();
    open_with({master(first_key)});
    EXPECT_EQ(opened(), before);
    EXPECT_EQ(store_->sealing().status().unreadable, 0U);
}

TEST_F(Postgresql, NothingOpensWithoutTheMasterKey) {
    open();
    store_->stop();
    store_.reset();
    Options none = options("state");
    none.master_keys.clear();
    EXPECT_THAT(open_postgresql(none, database(), clock_).error().message, HasSubstr("encryption.key_files"));
    Options another = options("state");
    another.master_keys = {MasterKey(std::array<std::uint8_t, MasterKey::size>{9})};
    EXPECT_THAT(open_postgresql(another, database(), clock_).error().message, HasSubstr("master key"));
}

TEST_F(Postgresql, NoRowSaysWhatItIsAbout) {
    open();
    ASSERT_TRUE(
        store_->warrant_register().change_warrants({{{"file.yaml", "lea", "LIID-1", "its bytes"}}, {}, {}, "alice"}));
    NewItem reviewed = item("words of somebody");
    reviewed.review = Review::dual;
    ASSERT_EQ(submit(reviewed), Outcome::committed);
    ASSERT_EQ(submit(item("words of somebody")), Outcome::committed);
    Answer<Outcome> answer;
    store_->outbox().refused(queued().at(0).row, {3005, Refusal::Kind::hi1_error, "words of the LEA"},
                             answer.callback());
    ASSERT_EQ(answer.get(), Outcome::committed);
    postgresql::Connection connection({.connection = Cluster::instance()->connection(schema_, "postgres")});
    const postgresql::Rows tables =
        connection.read("SELECT tablename::text FROM pg_tables WHERE schemaname=current_schema()");
    ASSERT_GT(tables.size(), 20);
    for (int table = 0; table < tables.size(); ++table) {
        for (const std::string_view words : {"LIID-1", "words of", "its bytes", "file.yaml", "alice"}) {
            const std::string name(tables.bytes(table, 0));
            const postgresql::Rows found = connection.read(
                "SELECT count(*) FROM " + name + " t WHERE position($1 in t::text) > 0 OR position($2 in t::text) > 0",
                postgresql::Parameters().add_text(words).add_text(base::to_hex(words)));
            EXPECT_EQ(found.integer(0, 0), 0) << name << " has " << std::string(words);
        }
    }
}

}  // namespace
}  // namespace lihandover::store::test
