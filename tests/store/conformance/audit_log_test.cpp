#include "lihandover/store/audit_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fixture.hpp"
#include "lihandover/audit/verification.hpp"

namespace lihandover::store::test {
namespace {

using testing::ElementsAre;

/// What was read, with strings of its own.
struct Seen final : AuditLog::Visitor {
    [[nodiscard]] bool entry(const audit::Recorded& recorded) override {
        heads.push_back({recorded.number, recorded.hash});
        previous.push_back(recorded.previous);
        kinds.push_back(recorded.entry.kind);
        times.push_back(recorded.entry.at);
        received.push_back(recorded.entry.received_at);
        whys.emplace_back(recorded.entry.why);
        lanes.push_back(std::string(recorded.entry.destination) + "/" + std::string(recorded.entry.liid));
        proved = proved && hasher.of(recorded.previous, recorded) == recorded.hash;
        return true;
    }
    void checkpoint(const audit::Checkpoint& checkpoint) override { checkpoints.push_back(checkpoint); }

    std::vector<audit::Head> heads;
    std::vector<audit::Hash> previous;
    std::vector<RecordKind> kinds;
    std::vector<model::Instant> times;
    std::vector<std::optional<model::Instant>> received;
    std::vector<std::string> whys;
    std::vector<std::string> lanes;
    std::vector<audit::Checkpoint> checkpoints;
    bool proved = true;
    audit::Hasher hasher;
};

class AuditLogConformance : public Conformance {
  protected:
    AuditLog& log() { return store_->audit_log(); }
    /// All of the chain, in pages of so many.
    void read_all(Seen& seen, std::size_t page = 1000) {
        const auto range = log().range({}, {});
        ASSERT_TRUE(range) << range.error().message;
        AuditLog::Place place = range->from;
        for (bool more = true; more;) {
            const auto read = log().read(place, range->to.number, page, seen);
            ASSERT_TRUE(read) << read.error().message;
            more = !read->ended;
            place = read->place;
        }
        EXPECT_EQ(place.number, range->to.number);
        EXPECT_EQ(place.hash, range->to.hash);
    }
};

TEST_P(AuditLogConformance, NumbersHaveNoGapsAndEachHashFollowsFromTheOneBefore) {
    const StoredItem one = make();
    const StoredItem two = make(item("share", other_lane_));
    ASSERT_EQ(accept(one), Outcome::committed);
    ASSERT_EQ(refuse(two), Outcome::committed);
    for (const std::size_t page : {1, 2, 1000}) {
        Seen seen;
        read_all(seen, page);
        EXPECT_TRUE(seen.proved);
        ASSERT_EQ(seen.heads.size(), 4U);
        for (std::size_t i = 0; i < seen.heads.size(); ++i) {
            EXPECT_EQ(seen.heads[i].number, i + 1);
            EXPECT_EQ(seen.previous[i], i == 0 ? log().range({}, {})->chain : seen.heads[i - 1].hash);
        }
        EXPECT_EQ(seen.heads.back(), log().head());
        EXPECT_THAT(seen.kinds, ElementsAre(RecordKind::item_made, RecordKind::item_made, RecordKind::item_delivered,
                                            RecordKind::item_refused));
        EXPECT_THAT(seen.lanes, ElementsAre("lea/LIID-1", "other/LIID-2", "lea/LIID-1", "other/LIID-2"));
    }
}

TEST_P(AuditLogConformance, TimesKeepTheirNanoseconds) {
    clock_.set_wall({1'800'000'000, 123'456'789});
    NewItem made = item();
    made.received_at = {1'799'999'999, 987'654'321};
    ASSERT_EQ(submit(std::move(made)), Outcome::committed);
    Seen seen;
    read_all(seen);
    ASSERT_EQ(seen.times.size(), 1U);
    EXPECT_EQ(seen.times[0], (model::Instant{1'800'000'000, 123'456'789}));
    EXPECT_EQ(seen.received[0], (model::Instant{1'799'999'999, 987'654'321}));
}

TEST_P(AuditLogConformance, AFailedCommitLeavesTheOldHead) {
    make();
    const audit::Head before = log().head();
    GetParam().fail_commits(*store_, true);
    EXPECT_EQ(submit(item()), Outcome::failed);
    EXPECT_EQ(log().head(), before);
    GetParam().fail_commits(*store_, false);
    while (submit(item()) != Outcome::committed) {
    }
    EXPECT_EQ(log().head().number, 2U);
    Seen seen;
    read_all(seen);
    EXPECT_EQ(seen.heads.size(), 2U);
}

TEST_P(AuditLogConformance, TheChainGoesOnAfterARestart) {
    make();
    const audit::Head before = log().head();
    const audit::Hash chain = log().range({}, {})->chain;
    reopen();
    EXPECT_EQ(log().head(), before);
    EXPECT_EQ(log().range({}, {})->chain, chain);
    make();
    Seen seen;
    read_all(seen);
    EXPECT_EQ(seen.heads.at(0), before);
    EXPECT_EQ(seen.heads.size(), 2U);
}

TEST_P(AuditLogConformance, AnotherChainsHeadIsAnEntry) {
    audit::Hash hash{};
    hash.fill(9);
    ASSERT_TRUE(log().record_head(hash, {7, hash}, "alice"));
    Seen seen;
    read_all(seen);
    ASSERT_THAT(seen.kinds, ElementsAre(RecordKind::head_recorded));
    const auto said = audit::head_of_words(seen.whys[0]);
    ASSERT_TRUE(said);
    EXPECT_EQ(said->chain, hash);
    EXPECT_EQ(said->head, (audit::Head{7, hash}));
}

INSTANTIATE_TEST_SUITE_P(Engines, AuditLogConformance, testing::ValuesIn(engines()),
                         [](const auto& engine) { return engine.param.name; });

}  // namespace
}  // namespace lihandover::store::test
