// Several daemons use one database: who delivers what, and what one hears of what another does. The tests have the
// names of what went wrong elsewhere, where it did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "../support.hpp"
#include "cluster.hpp"
#include "lihandover/store/postgresql.hpp"
#include "postgresql/holdings.hpp"
#include "postgresql/pq.hpp"
#include "proxy.hpp"

namespace lihandover::store::test {
namespace {

using postgresql::bucket_of;
using testing::ElementsAre;
using testing::Gt;
using testing::IsEmpty;
using testing::SizeIs;

/// What waits for delivery at one daemon, as delivery would have it: told, taken over, withdrawn, lost.
class Waiting final : public OutboxListener {
  public:
    void on_queued(std::span<const QueuedItem> items, bool /*retried*/) noexcept override { add(items); }
    void on_taken_over(std::span<const QueuedItem> items, bool set_aside) noexcept override {
        if (!set_aside) {
            add(items);
        }
    }
    void on_lanes_lost(const LostLanes& lost) noexcept override {
        const std::lock_guard lock(mutex_);
        std::erase_if(rows_, [&](const auto& lane) { return lost(lane.first); });
    }
    void on_withdrawn(std::span<const QueuedItem> items) noexcept override {
        const std::lock_guard lock(mutex_);
        for (const QueuedItem& item : items) {
            rows_[item.lane].erase(item.row);
            withdrawn_.insert(item.row);
        }
    }
    void on_lane_withdrawn(LaneId lane) noexcept override {
        const std::lock_guard lock(mutex_);
        rows_[lane].clear();
        lanes_withdrawn_.insert(lane);
    }
    void on_health(bool can_commit) noexcept override { healthy_ = can_commit; }

    [[nodiscard]] std::set<RowId> of(LaneId lane) const {
        const std::lock_guard lock(mutex_);
        const auto found = rows_.find(lane);
        return found == rows_.end() ? std::set<RowId>() : found->second;
    }
    /// The first row of a lane, which waits no longer.
    std::optional<std::pair<LaneId, RowId>> take() {
        const std::lock_guard lock(mutex_);
        for (auto& [lane, rows] : rows_) {
            if (!rows.empty()) {
                const RowId row = *rows.begin();
                rows.erase(rows.begin());
                return std::pair(lane, row);
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] bool was_withdrawn(RowId row) const {
        const std::lock_guard lock(mutex_);
        return withdrawn_.contains(row);
    }
    [[nodiscard]] bool was_withdrawn_lane(LaneId lane) const {
        const std::lock_guard lock(mutex_);
        return lanes_withdrawn_.contains(lane);
    }
    /// Whether a row came behind a larger one of its lane.
    [[nodiscard]] bool out_of_order() const { return out_of_order_; }
    [[nodiscard]] bool healthy() const { return healthy_; }

  private:
    void add(std::span<const QueuedItem> items) {
        const std::lock_guard lock(mutex_);
        for (const QueuedItem& item : items) {
            rows_[item.lane].insert(item.row);
            RowId& last = last_[item.lane];
            out_of_order_ = out_of_order_ || item.row < last;
            last = std::max(last, item.row);
        }
    }

    mutable std::mutex mutex_;
    std::map<LaneId, std::set<RowId>> rows_;
    std::map<LaneId, RowId> last_;
    std::set<RowId> withdrawn_;
    std::set<LaneId> lanes_withdrawn_;
    std::atomic<bool> out_of_order_{false};
    std::atomic<bool> healthy_{true};
};

class WaitingObjects final : public ObjectListener {
  public:
    void on_prepared(std::span<const QueuedItem> items) noexcept override {
        const std::lock_guard lock(mutex_);
        for (const QueuedItem& item : items) {
            prepared_.insert(item.row);
        }
    }
    void on_uploads(std::span<const QueuedObject> objects) noexcept override { add(objects); }
    void on_taken_over(std::span<const QueuedObject> objects, bool /*set_aside*/) noexcept override { add(objects); }
    void on_uploads_withdrawn(std::span<const model::Uuid> objects) noexcept override {
        const std::lock_guard lock(mutex_);
        for (const model::Uuid& object : objects) {
            uploads_.erase(object);
        }
    }
    [[nodiscard]] bool has(const model::Uuid& object) const {
        const std::lock_guard lock(mutex_);
        return uploads_.contains(object);
    }
    [[nodiscard]] bool was_prepared(RowId row) const {
        const std::lock_guard lock(mutex_);
        return prepared_.contains(row);
    }

  private:
    void add(std::span<const QueuedObject> objects) {
        const std::lock_guard lock(mutex_);
        for (const QueuedObject& object : objects) {
            uploads_.insert(object.id);
        }
    }
    mutable std::mutex mutex_;
    std::set<model::Uuid> uploads_;
    std::set<RowId> prepared_;
};

template <typename Start>
Outcome call(const Start& start) {
    Answer<Outcome> answer;
    start(answer.callback());
    return answer.get();
}

class Shared : public testing::Test {
  protected:
    struct Daemon {
        explicit Daemon(std::string its_name)
            : name(std::move(its_name)), proxy(Cluster::instance()->socket_directory()) {}
        std::string name;
        Proxy proxy;
        Waiting waiting;
        WaitingObjects objects;
        std::unique_ptr<Store> store;
        ProfileId profile = 0;

        [[nodiscard]] bool holds(LaneId lane) const { return store->outbox().lease(lane).held; }
    };

    void SetUp() override {
        if (!Cluster::is_installed()) {
            GTEST_SKIP() << "PostgreSQL 15 is not installed (scripts/install-deps --test)";
        }
        schema_ = Cluster::instance()->make_schema();
        std::filesystem::create_directory(directory_.path() / "shared");
    }
    void TearDown() override {
        for (auto& [name, daemon] : daemons_) {
            if (daemon->store) {
                daemon->store->stop();
            }
        }
    }

    Daemon& start(const std::string& name) {
        auto& daemon = daemons_[name];
        if (!daemon) {
            daemon = std::make_unique<Daemon>(name);
        }
        Options options{directory_.path() / name, 0, std::chrono::hours(24 * 90)};
        options.commit_timeout = std::chrono::seconds(30);
        options.master_keys.emplace_back(std::array<std::uint8_t, MasterKey::size>{1, 2, 3});
        PostgresqlOptions where{Cluster::words(daemon->proxy.directory(), schema_),
                                false,
                                name,
                                directory_.path() / "shared",
                                lease_,
                                true};
        auto opened = open_postgresql(options, where, clock_);
        EXPECT_TRUE(opened) << opened.error().message;
        daemon->store = std::move(*opened);
        daemon->store->outbox().set_listener(&daemon->waiting);
        daemon->store->upload_outbox().set_listener(&daemon->objects);
        daemon->profile = daemon->store->warrant_register().profile(some_profile()).value();
        return *daemon;
    }
    /// Two daemons that have divided all between them, with one lane each.
    void start_two() {
        a_ = &start("node-a");
        b_ = &start("node-b");
        ASSERT_TRUE(eventually([&] { return held(*a_) == 128 && held(*b_) == 128; }));
        for (int n = 1; of_a_ == 0 || of_b_ == 0; ++n) {
            const LaneId lane = lane_of(*a_, "LIID-" + std::to_string(n));
            static_cast<void>(lane_of(*b_, "LIID-" + std::to_string(n)));
            (a_->holds(lane) ? of_a_ : of_b_) = lane;
        }
    }
    [[nodiscard]] static std::size_t held(const Daemon& daemon) {
        std::size_t count = 0;
        for (LaneId lane = 0; lane < 256; ++lane) {
            count += daemon.holds(lane) ? 1 : 0;
        }
        return count;
    }
    static LaneId lane_of(const Daemon& daemon, const std::string& liid) {
        return daemon.store->warrant_register().lane("lea", liid).value();
    }
    NewItem item(const Daemon& daemon, LaneId lane, std::string share = "share") {
        NewItem made;
        made.lane = lane;
        made.profile = daemon.profile;
        made.object_id = model::Uuid::random();
        made.repeat_hash = hash_of(next_hash_++);
        made.event_seconds = clock_.wall().seconds;
        made.received_at = clock_.wall();
        made.share = std::move(share);
        return made;
    }
    static Outcome submit(const Daemon& daemon, NewItem one) {
        std::vector<NewItem> items;
        items.push_back(std::move(one));
        return call([&](auto done) { submit_to(daemon.store->item_intake(), std::move(items), done); });
    }
    static std::vector<QueuedItem> rows(const Daemon& daemon) {
        std::vector<QueuedItem> found;
        EXPECT_TRUE(daemon.store->outbox().for_each_queued([&](const QueuedItem& one) { found.push_back(one); }));
        return found;
    }
    static StoredItem load(const Daemon& daemon, RowId row) {
        const auto items = daemon.store->outbox().load(std::span(&row, 1)).value();
        return items.empty() ? StoredItem() : items.front();
    }
    static Outcome accept(const Daemon& daemon, const StoredItem& one) {
        return call([&](auto done) {
            daemon.store->outbox().accepted({{one.row, one.lane, one.profile, one.object_id, false, false}}, done);
        });
    }
    static Outcome reject(const Daemon& daemon, const model::Uuid& id) {
        return call([&](auto done) {
            daemon.store->operator_view().reject({{id}}, {"uid:1003", "bob"}, "a mistake",
                                                 [done](Outcome outcome, const Decided&) { done(outcome); });
        });
    }
    /// Sends what waits there, as delivery would, to an LEA that takes everything.
    void deliver(Daemon& daemon) {
        while (const auto next = daemon.waiting.take()) {
            if (!daemon.store->outbox().lease(next->first).covers(clock_.steady())) {
                continue;
            }
            const StoredItem one = load(daemon, next->second);
            if (one.row != 0) {
                delivered_[one.lane].push_back({daemon.name, one});
                static_cast<void>(accept(daemon, one));
            }
        }
    }
    [[nodiscard]] std::int64_t number(const std::string& sql) const {
        postgresql::Connection connection({.connection = Cluster::instance()->connection(schema_, "postgres")});
        return connection.read(sql).integer(0, 0);
    }
    NewObject object(const Daemon& daemon, std::string_view bytes) {
        auto writer = daemon.store->object_intake().writer().value();
        EXPECT_TRUE(writer->write(bytes));
        NewObject made;
        made.id = model::Uuid::random();
        made.model = model::BinaryModel::b;
        made.url = "https://lea.example.com/" + made.id.to_string() + "/";
        made.lifetime = std::chrono::hours(72);
        made.sealed = writer->finish().value();
        return made;
    }

    struct Delivered {
        std::string by;
        StoredItem item;
    };

    lihandover::test::TemporaryDirectory directory_;
    lihandover::test::ManualClock clock_;
    std::string schema_;
    std::chrono::milliseconds lease_{10'000};
    std::map<std::string, std::unique_ptr<Daemon>> daemons_;
    Daemon* a_ = nullptr;
    Daemon* b_ = nullptr;
    LaneId of_a_ = 0;
    LaneId of_b_ = 0;
    std::atomic<std::uint64_t> next_hash_{1};
    std::map<LaneId, std::vector<Delivered>> delivered_;
};

TEST_F(Shared, JoiningMovesHalfOfTheBucketsAndNoOther) {
    a_ = &start("node-a");
    EXPECT_EQ(held(*a_), 256U) << "at once, while it is alone";
    const std::int64_t before = number("SELECT sum(epoch)::bigint FROM bucket");
    b_ = &start("node-b");
    ASSERT_TRUE(eventually([&] { return held(*a_) == 128 && held(*b_) == 128; }));
    EXPECT_EQ(number("SELECT sum(epoch)::bigint FROM bucket") - before, 256) << "each given up once, and taken once";
    for (LaneId lane = 0; lane < 256; ++lane) {
        EXPECT_NE(a_->holds(lane), b_->holds(lane));
    }
}

TEST_F(Shared, TwoDaemonsDeliverLanesOfTheirOwnAndEveryItemOnce) {
    start_two();
    std::vector<LaneId> lanes;
    for (int n = 0; n < 6; ++n) {
        lanes.push_back(lane_of(*a_, "X-" + std::to_string(n)));
        EXPECT_EQ(lane_of(*b_, "X-" + std::to_string(n)), lanes.back());
    }
    std::map<LaneId, std::set<model::Uuid>> submitted;
    for (int n = 0; n < 60; ++n) {
        const Daemon& at = n % 3 == 0 ? *a_ : *b_;
        NewItem one = item(at, lanes[static_cast<std::size_t>(n) % lanes.size()]);
        one.conversation_hash = hash_of(1'000'000);
        submitted[one.lane].insert(one.object_id);
        ASSERT_EQ(submit(at, one), Outcome::committed);
    }
    ASSERT_TRUE(eventually([&] {
        deliver(*a_);
        deliver(*b_);
        return number("SELECT count(*) FROM item") == 0;
    }));
    for (const LaneId lane : lanes) {
        const auto& all = delivered_[lane];
        ASSERT_THAT(all, SizeIs(10));
        std::set<model::Uuid> ids;
        for (std::size_t n = 0; n < all.size(); ++n) {
            EXPECT_EQ(all[n].by, a_->holds(lane) ? "node-a" : "node-b");
            EXPECT_EQ(all[n].item.correlation->sequence_number, n) << "in order, and without gaps";
            ids.insert(all[n].item.object_id);
        }
        EXPECT_EQ(ids, submitted[lane]);
    }
}

TEST_F(Shared, LeavingHandsOverAtOnce) {
    lease_ = std::chrono::minutes(10);
    a_ = &start("node-a");
    b_ = &start("node-b");
    ASSERT_TRUE(eventually([&] { return held(*b_) == 128; }));
    LaneId lane = 0;
    for (int n = 1; lane == 0 || !a_->holds(lane); ++n) {
        lane = lane_of(*a_, "LIID-" + std::to_string(n));
    }
    NewItem one = item(*a_, lane);
    ASSERT_EQ(submit(*a_, one), Outcome::committed);
    a_->store->stop();
    ASSERT_TRUE(eventually([&] { return b_->waiting.of(lane).size() == 1; })) << "though its lease had been for long";
    EXPECT_EQ(held(*b_), 256U);
    deliver(*b_);
    ASSERT_THAT(delivered_[lane], SizeIs(1));
    EXPECT_EQ(delivered_[lane][0].item.object_id, one.object_id);
    EXPECT_EQ(number("SELECT count(*) FROM item"), 0);
}

TEST_F(Shared, WhatADeadDaemonHadIsTakenOverAndAStaleOwnerThatComesBackSettlesNothing) {
    lease_ = std::chrono::seconds(2);
    start_two();
    ASSERT_EQ(submit(*a_, item(*a_, of_b_)), Outcome::committed);
    ASSERT_EQ(submit(*b_, item(*b_, of_b_)), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return b_->waiting.of(of_b_).size() == 2; }));
    const StoredItem first = load(*b_, *b_->waiting.of(of_b_).begin());
    b_->proxy.close(true);
    ASSERT_TRUE(eventually([&] { return held(*a_) == 256; }));
    EXPECT_FALSE(b_->store->outbox().lease(of_b_).covers(clock_.steady())) << "it stopped before";
    EXPECT_TRUE(eventually([&] { return a_->waiting.of(of_b_).size() == 2; }));
    // What it had on its way was accepted after all, and it says so when it comes back.
    Answer<Outcome> late;
    b_->store->outbox().accepted({{first.row, first.lane, first.profile, first.object_id, false, false}},
                                 late.callback());
    b_->proxy.close(false);
    static_cast<void>(late.get());
    EXPECT_TRUE(eventually([&] { return b_->waiting.healthy(); }));
    EXPECT_EQ(number("SELECT count(*) FROM item"), 2) << "the next owner sends it once more";
    EXPECT_THAT(b_->waiting.of(of_b_), IsEmpty()) << "all of it was lost";
    // And it gets its share again.
    EXPECT_TRUE(eventually([&] { return held(*a_) == 128 && held(*b_) == 128; }));
    EXPECT_TRUE(eventually([&] {
        deliver(*a_);
        deliver(*b_);
        return number("SELECT count(*) FROM item") == 0;
    }));
    EXPECT_THAT(delivered_[of_b_], SizeIs(2));
}

TEST_F(Shared, ADaemonThatStartsAnewHasItsOwnAgainAtOnce) {
    lease_ = std::chrono::seconds(2);
    start_two();
    ASSERT_EQ(submit(*a_, item(*a_, of_b_)), Outcome::committed);
    b_->proxy.close(true);
    b_->store->stop();
    b_->store.reset();
    b_->proxy.close(false);
    b_ = &start("node-b");
    EXPECT_GT(held(*b_), 0U) << "before anything is delivered";
    ASSERT_TRUE(eventually([&] { return held(*a_) == 128 && held(*b_) == 128; }));
    EXPECT_TRUE(eventually([&] { return rows(*a_).size() + rows(*b_).size() == 1; }));
}

TEST_F(Shared, OneLiidIsInOrderAndItsCountersHaveNoGapsWhereSourcesAreAtBothDaemons) {
    start_two();
    const auto source = [&](const Daemon& at) {
        for (int n = 0; n < 60; ++n) {
            NewItem one = item(at, of_a_);
            one.conversation_hash = hash_of(1'000'000);
            EXPECT_EQ(submit(at, one), Outcome::committed);
        }
    };
    std::thread other([&] { source(*b_); });
    source(*a_);
    other.join();
    ASSERT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 120; }));
    EXPECT_FALSE(a_->waiting.out_of_order()) << "what was numbered before is told before";
    deliver(*a_);
    const auto& all = delivered_[of_a_];
    ASSERT_THAT(all, SizeIs(120));
    for (std::size_t n = 0; n < all.size(); ++n) {
        EXPECT_EQ(all[n].item.correlation->sequence_number, n);
    }
    EXPECT_THAT(b_->waiting.of(of_a_), IsEmpty());
}

TEST_F(Shared, ARepeatAtTheOtherDaemonIsRecognised) {
    start_two();
    std::vector<NewItem> all(4, item(*a_, of_a_));
    for (NewItem& one : all) {
        one.object_id = model::Uuid::random();
        one.repeat_hash = hash_of(next_hash_++);
    }
    all[1].event_seconds.reset();        // of X2 and X3
    *all[2].event_seconds -= 3600 * 48;  // late
    all[3].lane = of_b_;
    for (const NewItem& one : all) {
        ASSERT_EQ(submit(*a_, one), Outcome::committed);
    }
    for (NewItem one : all) {
        one.object_id = model::Uuid::random();
        EXPECT_EQ(submit(*b_, one), Outcome::committed);
        EXPECT_EQ(submit(*a_, one), Outcome::committed);
    }
    EXPECT_EQ(number("SELECT count(*) FROM item"), 4);
    EXPECT_EQ(b_->store->operator_view().statistics().repeats, 4U);
}

TEST_F(Shared, WhatIsRejectedAtAnotherDaemonIsNotSentOnceThatWasAnswered) {
    start_two();
    const NewItem one = item(*b_, of_a_);
    ASSERT_EQ(submit(*b_, one), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 1; }));
    const RowId row = *a_->waiting.of(of_a_).begin();
    ASSERT_EQ(reject(*b_, one.object_id), Outcome::committed);
    EXPECT_TRUE(a_->waiting.was_withdrawn(row)) << "before it was answered";
    EXPECT_THAT(a_->waiting.of(of_a_), IsEmpty());
    EXPECT_EQ(number("SELECT count(*) FROM arrival"), 0);
}

TEST_F(Shared, ARejectIsAnsweredOnceADeadOwnerHasLostItsTurn) {
    lease_ = std::chrono::seconds(2);
    start_two();
    const NewItem one = item(*b_, of_a_);
    ASSERT_EQ(submit(*b_, one), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 1; }));
    a_->proxy.close(true);
    ASSERT_EQ(reject(*b_, one.object_id), Outcome::committed);
    EXPECT_TRUE(b_->holds(of_a_));
    EXPECT_FALSE(a_->store->outbox().lease(of_a_).covers(clock_.steady()));
    EXPECT_THAT(b_->waiting.of(of_a_), IsEmpty());
    a_->proxy.close(false);
}

TEST_F(Shared, ARetryAtAnotherDaemonIsHeardOf) {
    start_two();
    const NewItem one = item(*a_, of_a_);
    ASSERT_EQ(submit(*a_, one), Outcome::committed);
    const auto next = a_->waiting.take();
    ASSERT_TRUE(next);
    ASSERT_EQ(call([&](auto done) {
                  a_->store->outbox().refused(next->second, {3005, Refusal::Kind::hi1_error, "words"}, done);
              }),
              Outcome::committed);
    ASSERT_EQ(call([&](auto done) {
                  b_->store->operator_view().retry({one.object_id}, "ann",
                                                   [done](Outcome outcome, std::size_t) { done(outcome); });
              }),
              Outcome::committed);
    EXPECT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 1; }));
}

TEST_F(Shared, ALaneAndAProfileThatAnotherDaemonMadeAreKnownWithTheItem) {
    start_two();
    LaneId lane = 0;
    for (int n = 0; lane == 0 || !a_->holds(lane); ++n) {
        lane = lane_of(*b_, "NEW-" + std::to_string(n));
    }
    model::Profile other = some_profile();
    other.schema_url = "https://csp.example.com/other";
    NewItem one = item(*b_, lane);
    one.profile = b_->store->warrant_register().profile(other).value();
    ASSERT_EQ(submit(*b_, one), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return a_->waiting.of(lane).size() == 1; }));
    const auto& known = a_->store->warrant_register();
    ASSERT_TRUE(known.find_lane(lane));
    EXPECT_EQ(known.find_lane(lane)->liid, b_->store->warrant_register().find_lane(lane)->liid);
    ASSERT_TRUE(known.find_profile(one.profile));
    EXPECT_EQ(known.find_profile(one.profile)->schema_url, other.schema_url);
}

TEST_F(Shared, UploadsGoWithTheLaneAndWhatIsPreparedElsewhereIsHeardOf) {
    start_two();
    NewItem one = item(*b_, of_a_);
    const NewObject picture = object(*b_, "a picture");
    one.objects = std::make_shared<const std::vector<NewObject>>(1, picture);
    ASSERT_EQ(submit(*b_, one), Outcome::committed);
    NewItem named = item(*b_, of_a_);
    NewObject file;
    file.id = model::Uuid::random();
    file.model = model::BinaryModel::b;
    file.lifetime = std::chrono::hours(72);
    auto source = std::make_shared<SourceFile>();
    source->id = model::Uuid::random();
    source->path = "a.jpg";
    source->give_up_at = clock_.wall();
    file.file = source;
    named.objects = std::make_shared<const std::vector<NewObject>>(1, file);
    ASSERT_EQ(submit(*b_, named), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 2; }));
    const auto waits = a_->waiting.of(of_a_);
    EXPECT_TRUE(load(*a_, *waits.rbegin()).preparing);
    ASSERT_EQ(call([&](auto done) {
                  b_->store->object_intake().prepared(source->id, nullptr, model::ObjectLoss::unreadable, done);
              }),
              Outcome::committed);
    EXPECT_TRUE(eventually([&] { return a_->objects.was_prepared(*waits.rbegin()); }));

    const StoredItem stored = load(*a_, *waits.begin());
    ASSERT_EQ(call([&](auto done) {
                  a_->store->outbox().accepted(
                      {{stored.row, stored.lane, stored.profile, stored.object_id, false, true}}, done);
              }),
              Outcome::committed);
    ASSERT_TRUE(eventually([&] { return a_->objects.has(picture.id); }));
    a_->store->stop();
    ASSERT_TRUE(eventually([&] { return b_->objects.has(picture.id); })) << "it waits in a lane that was taken over";
    const auto found = b_->store->upload_outbox().find_object(picture.id).value();
    ASSERT_TRUE(found && found->sealed);
    EXPECT_EQ(call([&](auto done) { b_->store->upload_outbox().pushed(picture.id, done); }), Outcome::committed);
    EXPECT_EQ(number("SELECT count(*) FROM object WHERE state=2"), 0);
}

TEST_F(Shared, AnItemDoesNotWaitForeverForAFileThatADaemonWasToCopyWhichIsGone) {
    lease_ = std::chrono::seconds(2);
    start_two();
    NewItem named = item(*b_, of_a_);
    NewObject file;
    file.id = model::Uuid::random();
    file.model = model::BinaryModel::b;
    file.lifetime = std::chrono::hours(72);
    auto source = std::make_shared<SourceFile>();
    source->id = model::Uuid::random();
    source->path = "a.jpg";
    source->give_up_at = {clock_.wall().seconds + 600, 0};
    file.file = source;
    named.objects = std::make_shared<const std::vector<NewObject>>(1, file);
    ASSERT_EQ(submit(*b_, named), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 1; }));
    const RowId row = *a_->waiting.of(of_a_).begin();
    b_->store->stop();
    ASSERT_TRUE(eventually([&] { return held(*a_) == 256; }));
    EXPECT_TRUE(load(*a_, row).preparing) << "it may come back and copy it";
    clock_.advance_wall(std::chrono::seconds(601));
    ASSERT_TRUE(eventually([&] { return a_->objects.was_prepared(row); }));
    const StoredItem ready = load(*a_, row);
    EXPECT_FALSE(ready.preparing);
    EXPECT_EQ(ready.objects->at(0).described.loss, model::ObjectLoss::unreadable);
    EXPECT_EQ(number("SELECT count(*) FROM source_file"), 0);
}

TEST_F(Shared, AnUploadThatIsRejectedElsewhereIsNotPushedOnceThatWasAnswered) {
    start_two();
    NewItem one = item(*a_, of_a_);
    const NewObject picture = object(*a_, "a picture");
    one.objects = std::make_shared<const std::vector<NewObject>>(1, picture);
    ASSERT_EQ(submit(*a_, one), Outcome::committed);
    const StoredItem stored = load(*a_, a_->waiting.take()->second);
    ASSERT_EQ(call([&](auto done) {
                  a_->store->outbox().accepted(
                      {{stored.row, stored.lane, stored.profile, stored.object_id, false, true}}, done);
              }),
              Outcome::committed);
    ASSERT_TRUE(eventually([&] { return a_->objects.has(picture.id); }));
    ASSERT_EQ(reject(*b_, picture.id), Outcome::committed);
    EXPECT_FALSE(a_->objects.has(picture.id));
}

TEST_F(Shared, WhatIsRevokedAtAnotherDaemonIsHeldAndNotSentOnceThatWasAnswered) {
    start_two();
    const std::string liid = a_->store->warrant_register().find_lane(of_a_)->liid;
    ASSERT_EQ(submit(*a_, item(*a_, of_a_)), Outcome::committed);
    ASSERT_EQ(submit(*b_, item(*b_, of_a_)), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 2; }));
    WarrantChanges changes;
    changes.revoked.push_back({"lea", liid, clock_.wall(), "file.yaml", {}, "alice", "why", Review::required});
    ASSERT_TRUE(b_->store->warrant_register().change_warrants(changes));
    EXPECT_TRUE(a_->waiting.was_withdrawn_lane(of_a_));
    EXPECT_THAT(a_->waiting.of(of_a_), IsEmpty());
    // One that was on its way to either of them.
    ASSERT_EQ(submit(*b_, item(*b_, of_a_)), Outcome::committed);
    ASSERT_EQ(submit(*a_, item(*a_, of_a_)), Outcome::committed);
    EXPECT_TRUE(eventually([&] { return number("SELECT count(*) FROM arrival") == 0; }));
    EXPECT_THAT(a_->waiting.of(of_a_), IsEmpty());
    ASSERT_TRUE(b_->store->warrant_register().nothing_more_of("lea", liid));
    EXPECT_TRUE(eventually([&] { return number("SELECT count(*) FROM aside WHERE state=0") == 4; }));
    // Another warrant of that LIID.
    ASSERT_EQ(submit(*b_, item(*b_, of_a_)), Outcome::committed);
    EXPECT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 1; }));
    EXPECT_TRUE(eventually([&] { return number("SELECT count(*) FROM withholding") == 0; }));
}

TEST_F(Shared, AnExpiryThatAStaleOwnerStampsIsNotTold) {
    start_two();
    NewItem one = item(*b_, of_a_);
    one.objects = std::make_shared<const std::vector<NewObject>>(1, object(*b_, "a picture"));
    ASSERT_EQ(submit(*b_, one), Outcome::committed);
    ASSERT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 1; }));
    const RowId row = *a_->waiting.of(of_a_).begin();
    const auto stamp = [&](const Daemon& daemon) {
        return call([&](auto done) { daemon.store->outbox().stamp(row, clock_.wall(), done); });
    };
    EXPECT_EQ(stamp(*b_), Outcome::failed);
    EXPECT_EQ(number("SELECT count(*) FROM object WHERE expires_at IS NULL"), 1);
    EXPECT_EQ(stamp(*a_), Outcome::committed);
    EXPECT_EQ(number("SELECT count(*) FROM object WHERE expires_at IS NULL"), 0);
}

TEST_F(Shared, NobodyWaitsForADaemonThatStandsStillInATransaction) {
    lease_ = std::chrono::seconds(2);
    start_two();
    ASSERT_EQ(submit(*a_, item(*a_, of_a_)), Outcome::committed);
    // As one that was stopped there: it has its row locked, and says nothing.
    postgresql::Connection stuck({.connection = Cluster::instance()->connection(schema_, "postgres")});
    a_->proxy.close(true);
    stuck.execute("BEGIN; SELECT 1 FROM node WHERE name='node-a' FOR UPDATE");
    EXPECT_TRUE(
        eventually([&] { return number("SELECT count(*) FROM node WHERE lease_until < clock_timestamp()") == 1; }));
    EXPECT_EQ(submit(*b_, item(*b_, of_b_)), Outcome::committed) << "nobody waits for it";
    EXPECT_EQ(held(*b_), 128U);
    stuck.execute("ROLLBACK");
    EXPECT_TRUE(eventually([&] { return held(*b_) == 256 && b_->waiting.of(of_a_).size() == 1; }));
    a_->proxy.close(false);
}

TEST_F(Shared, ACommitWhoseAnswerIsLostTellsTheOwnerOnce) {
    start_two();
    b_->proxy.lose(Proxy::Loss::answer);
    NewItem one = item(*b_, of_a_);
    EXPECT_EQ(submit(*b_, one), Outcome::committed);
    EXPECT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 1; }));
    // And the owner that has taken it out hears of it, whether the answer to that is lost or not.
    a_->proxy.lose(Proxy::Loss::answer);
    ASSERT_EQ(submit(*b_, item(*b_, of_a_)), Outcome::committed);
    EXPECT_TRUE(eventually([&] {
        deliver(*a_);
        deliver(*b_);
        return number("SELECT count(*) FROM item") == 0;
    }));
    EXPECT_THAT(delivered_[of_a_], SizeIs(2));
}

TEST_F(Shared, HoweverDaemonsComeAndGoNothingIsLostAndEveryLiidIsInOrder) {
    lease_ = std::chrono::seconds(2);
    std::vector<Daemon*> all = {&start("node-a"), &start("node-b"), &start("node-c")};
    std::vector<LaneId> lanes;
    for (int n = 0; n < 8; ++n) {
        for (const Daemon* daemon : all) {
            const LaneId lane = lane_of(*daemon, "X-" + std::to_string(n));
            if (lanes.size() == static_cast<std::size_t>(n)) {
                lanes.push_back(lane);
            }
        }
    }
    std::map<LaneId, std::set<model::Uuid>> submitted;
    for (std::size_t round = 0; round < 4; ++round) {
        Daemon& gone = *all[round % all.size()];
        gone.proxy.close(true);
        for (std::size_t n = 0; n < 24; ++n) {
            Daemon& at = *all[(round + 1 + n % 2) % all.size()];
            NewItem one = item(at, lanes[n % lanes.size()]);
            one.conversation_hash = hash_of(1'000'000);
            submitted[one.lane].insert(one.object_id);
            ASSERT_TRUE(eventually([&] { return submit(at, one) == Outcome::committed; }));
            deliver(at);
        }
        if (round % 2 == 0) {  // its lanes go elsewhere, and come back
            EXPECT_TRUE(eventually([&] { return held(*all[(round + 1) % 3]) + held(*all[(round + 2) % 3]) == 256; }));
        }
        gone.proxy.close(false);
        EXPECT_TRUE(eventually([&] { return gone.store->item_intake().accepting(); }));
    }
    ASSERT_TRUE(eventually([&] {
        std::ranges::for_each(all, [this](Daemon* daemon) { deliver(*daemon); });
        return number("SELECT count(*) FROM item") == 0;
    }));
    for (const LaneId lane : lanes) {
        std::vector<model::Uuid> first;
        std::vector<std::uint64_t> counters;
        for (const Delivered& one : delivered_[lane]) {
            if (std::ranges::find(first, one.item.object_id) == first.end()) {
                first.push_back(one.item.object_id);
                counters.push_back(one.item.correlation->sequence_number);
            }
        }
        EXPECT_EQ(std::set<model::Uuid>(first.begin(), first.end()), submitted[lane]);
        for (std::size_t n = 0; n < counters.size(); ++n) {
            EXPECT_EQ(counters[n], n) << "of lane " << lane;
        }
    }
    EXPECT_EQ(number("SELECT count(*) FROM arrival"), 0);
}

TEST_F(Shared, NoDaemonRemovesFilesOfAnother) {
    start_two();
    const NewObject upload = object(*a_, "not named by an event yet");
    const auto files = [this] {
        return std::distance(std::filesystem::directory_iterator(directory_.path() / "shared" / "objects"), {});
    };
    ASSERT_EQ(files(), 1);
    b_->store->stop();
    b_->store.reset();
    b_ = &start("node-b");
    EXPECT_EQ(files(), 1);
    NewItem one = item(*a_, of_a_);
    one.objects = std::make_shared<const std::vector<NewObject>>(1, upload);
    EXPECT_EQ(submit(*a_, one), Outcome::committed);
}

TEST_F(Shared, EverythingIsSealedAnewUnderAKeyThatAllDaemonsHave) {
    start_two();
    ASSERT_EQ(submit(*a_, item(*a_, of_a_, "sealed by the first key")), Outcome::committed);
    ASSERT_EQ(call([&](auto done) { b_->store->sealing().rekey("operator-carol", done); }), Outcome::committed);
    std::vector<RowId> made;
    for (int n = 0; n < 20; ++n) {
        ASSERT_EQ(submit(n % 2 == 0 ? *a_ : *b_, item(*a_, of_a_, "while it is sealed anew")), Outcome::committed);
    }
    ASSERT_TRUE(eventually([&] { return !a_->store->sealing().status().working; }));
    ASSERT_TRUE(eventually([&] { return !b_->store->sealing().status().working; }));
    ASSERT_EQ(submit(*b_, item(*b_, of_a_)), Outcome::committed);
    EXPECT_EQ(number("SELECT count(*) FROM item WHERE substring(key from 1 for 2) <> '\\x0002'"), 0);
    ASSERT_TRUE(eventually([&] { return a_->waiting.of(of_a_).size() == 22; }));
    for (const RowId row : a_->waiting.of(of_a_)) {
        EXPECT_FALSE(load(*a_, row).share.empty());
    }
    EXPECT_EQ(a_->store->sealing().status().unreadable + b_->store->sealing().status().unreadable, 0U);
}

TEST_F(Shared, CountsAreThoseOfTheWholeStoreWhicheverDaemonIsAsked) {
    lease_ = std::chrono::seconds(2);
    start_two();
    for (int n = 0; n < 3; ++n) {
        ASSERT_EQ(submit(*a_, item(*a_, of_a_)), Outcome::committed);
        ASSERT_EQ(submit(*b_, item(*b_, of_b_)), Outcome::committed);
    }
    const auto queued = [](const Daemon& daemon) {
        for (const Count& one : daemon.store->operator_view().statistics().counts) {
            if (one.destination == "lea") {
                return one.queued;
            }
        }
        return std::uint64_t{0};
    };
    EXPECT_TRUE(eventually([&] { return queued(*a_) == 6 && queued(*b_) == 6; }));
    deliver(*a_);
    EXPECT_TRUE(eventually([&] { return queued(*a_) == 3 && queued(*b_) == 3; }));
}

}  // namespace
}  // namespace lihandover::store::test
