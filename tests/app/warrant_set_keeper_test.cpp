// Keepers of several daemons that share one set of warrants: what each brings into force, and with which state.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../support/temporary_directory.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/store.hpp"
#include "warrant_keeper.hpp"

namespace lihandover::app {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using Outcome = admin::WarrantSetAnswer::Outcome;
using Kind = admin::WarrantSetAnswer::Kind;

/// In memory.
class Sets final : public store::WarrantSets {
  public:
    [[nodiscard]] model::Result<std::uint64_t> state() override {
        return failing ? model::Result<std::uint64_t>(model::Error{"no database"}) : set.state;
    }
    [[nodiscard]] model::Result<store::AppliedSet> read() override {
        ++reads;
        return set;
    }
    [[nodiscard]] model::Result<std::optional<std::uint64_t>> apply(store::NewSet next) override {
        if (next.before != set.state) {
            return std::optional<std::uint64_t>();
        }
        why = next.why;
        set = {set.state + 1, set.version + 1, {}, next.who, std::move(next.files)};
        return std::optional(set.version);
    }
    void follow(std::uint64_t /*state*/) override {}
    [[nodiscard]] model::Result<std::vector<store::SetPeer>> behind(std::uint64_t /*state*/) override {
        return std::vector<store::SetPeer>();
    }

    store::AppliedSet set;
    std::string why;
    int reads = 0;
    bool failing = false;
};

class WarrantSetKeeperTest : public testing::Test {
  protected:
    void SetUp() override {
        fs::create_directory(state());
        ASSERT_EQ(::chmod(state().c_str(), 0700), 0);
        assembly_.configuration.warrants_dir.clear();
        assembly_.configuration.state_dir = state();
        assembly_.configuration.destinations["lea-one"].url = "https://lea.example.com/hi";
        model::Profile profile;
        profile.sender = {"XX", "CSP"};
        profile.receiver = {"XX", "LEA"};
        profile.etsi_version = "V1.14.1";
        profile.schema_identifier = "urn:example";
        assembly_.profiles["lea-one"] = profile;
        store::Options options;
        options.directory = state();
        auto opened = store::Store::open(options, model::system_clock());
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
    }
    void TearDown() override { store_->stop(); }

    [[nodiscard]] std::string state() const { return (directory_.path() / "state").string(); }
    /// One that has started.
    std::unique_ptr<WarrantKeeper> keeper() {
        auto made = std::make_unique<WarrantKeeper>(store_->warrant_register(), store_->sealing(),
                                                    WarrantSource{"", &sets_}, clock_);
        EXPECT_TRUE(made->restore());
        EXPECT_TRUE(made->load(assembly_, {}));
        return made;
    }
    static std::string text(const std::string& user) {
        return "liid: L-" + user +
               "\ndestination: lea-one\nvalid_from: 2026-01-01T00:00:00Z\nvalid_until: 2027-01-01T00:00:00Z\n"
               "targets: [{user_id: " +
               user + "}]\ndeliver: [metadata]\n";
    }
    static admin::WarrantSetRequest set_of(const std::vector<std::string>& users, std::uint32_t uid = 1001) {
        admin::WarrantSetRequest request;
        request.place = "/given";
        request.uid = uid;
        request.who = "user " + std::to_string(uid);
        for (const std::string& user : users) {
            request.files.push_back({user + ".yaml", text(user)});
        }
        return request;
    }
    std::vector<std::string> in_force(WarrantKeeper& keeper) {
        std::vector<std::string> all;
        const auto loaded = keeper.load(assembly_, {});
        EXPECT_TRUE(loaded);
        for (const warrants::WarrantPtr& warrant : loaded->snapshot->index->warrants()) {
            all.push_back(warrant->liid);
        }
        return all;
    }
    admin::ApprovalAnswer::Outcome approve(WarrantKeeper& keeper, const std::string& liid, std::uint32_t uid) {
        std::optional<WarrantsLoaded> loaded;
        ++sets_.set.state;  // as the engine does
        return keeper.decide(assembly_, {"lea-one", liid, true, "", uid, "user " + std::to_string(uid)}, loaded)
            .outcome;
    }
    std::vector<std::string> reasons() {
        std::vector<std::string> all;
        for (const store::Record& record : store_->operator_view().records(0, 100).value()) {
            all.push_back(record.why);
        }
        return all;
    }

    class June : public model::Clock {
      public:
        [[nodiscard]] model::Instant wall() const override { return {1'780'272'000, 0}; }
        [[nodiscard]] std::chrono::steady_clock::time_point steady() const override { return {}; }
    };

    June clock_;
    lihandover::test::TemporaryDirectory directory_;
    Assembly assembly_;
    Sets sets_;
    std::unique_ptr<store::Store> store_;
};

TEST_F(WarrantSetKeeperTest, EveryKeeperFollowsWhatOneHasApplied) {
    const auto one = keeper();
    const auto other = keeper();
    const admin::WarrantSetAnswer answer = one->apply(assembly_, set_of({"a", "b"}));
    EXPECT_EQ(answer.outcome, Outcome::done);
    EXPECT_EQ(answer.version, 1U);
    ASSERT_THAT(answer.changes, SizeIs(2));
    EXPECT_EQ(answer.changes[0].kind, Kind::added);
    EXPECT_THAT(answer.changes[0].difference, Contains(HasSubstr("{user_id: a}")));
    EXPECT_THAT(sets_.why, HasSubstr("2 files; 2 come into force"));
    EXPECT_THAT(sets_.why, Not(HasSubstr("user_id")));
    EXPECT_THAT(in_force(*one), ElementsAre("L-a", "L-b"));
    EXPECT_THAT(in_force(*other), ElementsAre("L-a", "L-b"));
    EXPECT_EQ(other->load(assembly_, {})->snapshot->warrants, 1U);
    EXPECT_EQ(other->load(assembly_, {})->set->who, "user 1001");
    const int reads = sets_.reads;
    EXPECT_THAT(in_force(*other), ElementsAre("L-a", "L-b"));
    EXPECT_EQ(sets_.reads, reads) << "what has not changed is not read";
}

TEST_F(WarrantSetKeeperTest, NothingIsAppliedWithAMistakeOrAgainstAnotherState) {
    const auto one = keeper();
    const auto other = keeper();
    admin::WarrantSetRequest request = set_of({"a"});
    request.files.push_back({"z.yaml", "liid: L-z\n"});
    admin::WarrantSetAnswer answer = one->apply(assembly_, request);
    EXPECT_EQ(answer.outcome, Outcome::bad);
    EXPECT_THAT(answer.problems, Contains(HasSubstr("/given/z.yaml:1:1: ")));
    EXPECT_EQ(sets_.set.version, 0U);
    EXPECT_EQ(one->apply(assembly_, set_of({"a"})).outcome, Outcome::done);
    EXPECT_EQ(other->apply(assembly_, set_of({"b"})).outcome, Outcome::outdated);
    EXPECT_THAT(in_force(*other), ElementsAre("L-a"));
    EXPECT_EQ(other->apply(assembly_, set_of({"a", "b"})).outcome, Outcome::done);
}

TEST_F(WarrantSetKeeperTest, WhoeverAppliesConfirmsWhatEnds) {
    const auto one = keeper();
    const auto other = keeper();
    ASSERT_EQ(one->apply(assembly_, set_of({"a", "b", "c", "d"})).outcome, Outcome::done);
    EXPECT_THAT(in_force(*one), SizeIs(4));
    EXPECT_THAT(in_force(*other), SizeIs(4));
    EXPECT_EQ(one->compare(assembly_, set_of({"a"})).outcome, Outcome::unconfirmed);
    EXPECT_EQ(one->apply(assembly_, set_of({"a"})).outcome, Outcome::unconfirmed);
    EXPECT_EQ(one->apply(assembly_, set_of({})).outcome, Outcome::unconfirmed);
    admin::WarrantSetRequest meant = set_of({"a"});
    meant.confirm_ended = true;
    EXPECT_EQ(one->apply(assembly_, meant).outcome, Outcome::done);
    EXPECT_THAT(in_force(*one), ElementsAre("L-a"));
    EXPECT_THAT(in_force(*other), ElementsAre("L-a")) << "which nobody has to confirm there";
}

TEST_F(WarrantSetKeeperTest, WhatOneDaemonRevokedNoOtherTakes) {
    const auto one = keeper();
    const auto other = keeper();
    ASSERT_EQ(one->apply(assembly_, set_of({"a", "b"})).outcome, Outcome::done);
    EXPECT_THAT(in_force(*one), SizeIs(2));
    EXPECT_THAT(in_force(*other), SizeIs(2));
    ++sets_.set.state;  // as the engine does
    const auto revoked = one->revoke(assembly_, {"lea-one", "L-a", "void", "ann"});
    ASSERT_TRUE(revoked && *revoked);
    EXPECT_EQ((*revoked)->snapshot->warrants, sets_.set.state) << "it is the newest state, and counts at once";
    EXPECT_EQ((*revoked)->in_force->size(), 1U);
    EXPECT_THAT(in_force(*other), ElementsAre("L-b"));
    EXPECT_THAT(reasons(), Contains(HasSubstr("it was revoked")));
    EXPECT_THAT(reasons(), Not(Contains(HasSubstr("the file went"))));
    EXPECT_THAT(in_force(*keeper()), ElementsAre("L-b"));
}

TEST_F(WarrantSetKeeperTest, ARevocationThatCannotBeFollowedYetClaimsNoNewerState) {
    const auto one = keeper();
    ASSERT_EQ(one->apply(assembly_, set_of({"a", "b"})).outcome, Outcome::done);
    const auto before = one->load(assembly_, {})->snapshot->warrants;
    ++sets_.set.state;
    sets_.failing = true;
    const auto revoked = one->revoke(assembly_, {"lea-one", "L-a", "void", "ann"});
    ASSERT_TRUE(revoked && *revoked);
    EXPECT_EQ((*revoked)->snapshot->warrants, before);
    EXPECT_EQ((*revoked)->in_force->size(), 1U);
    sets_.failing = false;
    EXPECT_THAT(in_force(*one), ElementsAre("L-b"));
}

TEST_F(WarrantSetKeeperTest, ALoadThatFailsClaimsNothing) {
    const auto one = keeper();
    ASSERT_EQ(one->apply(assembly_, set_of({"a"})).outcome, Outcome::done);
    EXPECT_THAT(in_force(*one), ElementsAre("L-a"));
    ASSERT_EQ(one->apply(assembly_, set_of({"a", "b"})).outcome, Outcome::done);
    Assembly without = assembly_;
    without.profiles.clear();
    EXPECT_FALSE(one->load(without, {}));
    const auto revoked = one->revoke(without, {"lea-one", "L-b", "void", "ann"});
    EXPECT_TRUE(revoked && !*revoked) << "it is not in force";
    EXPECT_EQ(one->compare(assembly_, set_of({"a"})).version, 1U);
    EXPECT_THAT(in_force(*one), ElementsAre("L-a", "L-b"));
}

TEST_F(WarrantSetKeeperTest, WhatWasApprovedAtOneDaemonIsInForceAtAll) {
    assembly_.configuration.warrants.approval = config::Approval::dual;
    const auto one = keeper();
    const auto other = keeper();
    admin::WarrantSetAnswer answer = one->apply(assembly_, set_of({"a"}));
    ASSERT_THAT(answer.changes, SizeIs(1));
    EXPECT_EQ(answer.changes[0].kind, Kind::waits);
    EXPECT_THAT(in_force(*one), IsEmpty());
    EXPECT_THAT(in_force(*other), IsEmpty());
    using Approval = admin::ApprovalAnswer::Outcome;
    EXPECT_EQ(approve(*one, "L-a", 1001), Approval::own_file);
    EXPECT_EQ(approve(*one, "L-a", 1002), Approval::counted);
    EXPECT_THAT(in_force(*other), IsEmpty());
    EXPECT_EQ(approve(*other, "L-a", 1003), Approval::in_force) << "the first one's word counts there, too";
    EXPECT_THAT(in_force(*one), ElementsAre("L-a"));
    EXPECT_TRUE(store_->warrant_register().pending_warrants().value().empty()) << "and waits nowhere any more";
    EXPECT_THAT(in_force(*keeper()), ElementsAre("L-a"));
}

TEST_F(WarrantSetKeeperTest, AFileBelongsToWhoeverWroteIt) {
    assembly_.configuration.warrants.approval = config::Approval::required;
    const auto one = keeper();
    ASSERT_EQ(one->apply(assembly_, set_of({"a"}, 1001)).outcome, Outcome::done);
    EXPECT_THAT(in_force(*one), IsEmpty());
    ASSERT_EQ(one->apply(assembly_, set_of({"a", "b"}, 1002)).outcome, Outcome::done);
    EXPECT_THAT(in_force(*one), IsEmpty());
    using Approval = admin::ApprovalAnswer::Outcome;
    EXPECT_EQ(approve(*one, "L-a", 1001), Approval::own_file);
    EXPECT_EQ(approve(*one, "L-b", 1002), Approval::own_file);
    EXPECT_EQ(approve(*one, "L-a", 1002), Approval::in_force);
    EXPECT_EQ(approve(*one, "L-b", 1001), Approval::in_force);
}

TEST_F(WarrantSetKeeperTest, ADirectoryHasNoSet) {
    WarrantKeeper files(store_->warrant_register(), store_->sealing(), {state(), nullptr}, clock_);
    ASSERT_TRUE(files.restore());
    const auto loaded = files.load(assembly_, {});
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->snapshot->warrants, std::nullopt);
    EXPECT_EQ(loaded->set, nullptr);
    EXPECT_EQ(files.apply(assembly_, set_of({"a"})).outcome, Outcome::elsewhere);
}

}  // namespace
}  // namespace lihandover::app
