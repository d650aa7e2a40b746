#include "warrant_keeper.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "../support/eventually.hpp"
#include "../support/temporary_directory.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::app {
namespace {

namespace fs = std::filesystem;

class WarrantKeeperTest : public testing::Test {
  protected:
    void SetUp() override {
        fs::create_directory(warrants());
        fs::create_directory(state());
        ASSERT_EQ(::chmod(state().c_str(), 0700), 0);
        assembly_.configuration.warrants_dir = warrants();
        assembly_.configuration.state_dir = state();
        add_destination("lea-one");
        start();
    }
    void TearDown() override { end(); }

    void start() {
        open_store();
        const auto restored = keeper_->restore();
        ASSERT_TRUE(restored) << restored.error().message;
        EXPECT_EQ(*restored, "");
    }
    void open_store() {
        store::Options options;
        options.directory = state();
        options.record_retention = std::chrono::hours(24);
        auto opened = store::Store::open(options, model::system_clock());
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
        keeper_ = std::make_unique<WarrantKeeper>(store_->warrant_register(), store_->sealing(),
                                                  WarrantSource{warrants(), nullptr}, clock_);
    }
    void end() {
        keeper_.reset();
        if (store_) {
            store_->stop();
            store_.reset();
        }
    }
    void restart() {
        end();
        start();
    }

    void add_destination(const std::string& name) {
        assembly_.configuration.destinations[name].url = "https://lea.example.com/hi";
        model::Profile profile;
        profile.sender = {"XX", "CSP"};
        profile.receiver = {"XX", "Not specified"};
        profile.etsi_version = "V1.14.1";
        profile.schema_identifier = "urn:example";
        assembly_.profiles[name] = profile;
    }
    void write(const std::string& file, const std::string& liid, const std::string& user,
               const std::string& destination = "lea-one") {
        std::ofstream(fs::path(warrants()) / file) << "liid: " << liid << "\ndestination: " << destination
                                                   << "\nvalid_from: 2026-01-01T00:00:00Z\n"
                                                      "valid_until: 2027-01-01T00:00:00Z\n"
                                                      "targets:\n  - user_id: "
                                                   << user << "\ndeliver: [metadata, content]\n";
    }
    /// What the records say about warrants.
    std::vector<std::string> reasons() {
        const auto found = store_->operator_view().records(0, 100);
        EXPECT_TRUE(found);
        std::vector<std::string> all;
        for (const store::Record& record : *found) {
            all.push_back(record.why);
        }
        return all;
    }
    std::vector<store::RecordKind> records() {
        const auto found = store_->operator_view().records(0, 100);
        EXPECT_TRUE(found);
        std::vector<store::RecordKind> kinds;
        for (const store::Record& record : *found) {
            kinds.push_back(record.kind);
        }
        return kinds;
    }

    std::string warrants() const { return (directory_ / "warrants.d").string(); }
    std::string state() const { return (directory_ / "state").string(); }

    /// Within the window of what write() writes, whatever the day.
    class June : public model::Clock {
      public:
        model::Instant now{1'780'272'000, 0};
        [[nodiscard]] model::Instant wall() const override { return now; }
        [[nodiscard]] std::chrono::steady_clock::time_point steady() const override { return {}; }
    };

    June clock_;
    lihandover::test::TemporaryDirectory held_;
    fs::path directory_ = held_.path();
    Assembly assembly_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<WarrantKeeper> keeper_;
};

TEST_F(WarrantKeeperTest, GivesEveryWarrantItsLaneAndProfile) {
    write("b.yaml", "L-2", "u-2");
    write("a.yaml", "L-1", "u-1");
    const auto loaded = keeper_->load(assembly_, {});
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->added, 2U);
    const intake::Snapshot& snapshot = *loaded->snapshot;
    ASSERT_EQ(snapshot.index->warrants().size(), 2U);
    ASSERT_EQ(snapshot.routes.size(), 2U);
    for (std::size_t i = 0; i < snapshot.routes.size(); ++i) {
        const auto lane = store_->warrant_register().find_lane(snapshot.routes[i].lane);
        ASSERT_TRUE(lane);
        EXPECT_EQ(lane->liid, snapshot.index->warrants()[i]->liid);
        ASSERT_TRUE(store_->warrant_register().find_profile(snapshot.routes[i].profile));
    }
}

TEST_F(WarrantKeeperTest, RecordsEachChangeOnce) {
    write("a.yaml", "L-1", "u-1");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    const auto again = keeper_->load(assembly_, {});
    ASSERT_TRUE(again);
    EXPECT_EQ(again->added + again->changed + again->ended, 0U);
    write("a.yaml", "L-1", "u-other");
    ASSERT_TRUE(keeper_->load(assembly_, "alice"));
    fs::remove(fs::path(warrants()) / "a.yaml");
    ASSERT_TRUE(keeper_->load(assembly_, {}, true));
    EXPECT_EQ(records(), (std::vector{store::RecordKind::warrant_in_force, store::RecordKind::warrant_changed,
                                      store::RecordKind::warrant_ended}));
}

TEST_F(WarrantKeeperTest, ABadFileLeavesItsLastGoodVersionInForceAcrossARestart) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    std::ofstream(fs::path(warrants()) / "a.yaml") << "liid: [";
    const auto bad = keeper_->load(assembly_, {});
    ASSERT_TRUE(bad);
    EXPECT_EQ(bad->bad_files, 1U);
    EXPECT_EQ(bad->snapshot->index->warrants().size(), 2U);
    restart();
    const auto restarted = keeper_->load(assembly_, {});
    ASSERT_TRUE(restarted);
    EXPECT_EQ(restarted->bad_files, 1U);
    EXPECT_EQ(restarted->snapshot->index->warrants().size(), 2U);
    EXPECT_EQ(restarted->added + restarted->changed + restarted->ended, 0U) << "nothing new came into force";
}

TEST_F(WarrantKeeperTest, AFileThatVanishedWhileTheDaemonWasDownEndsItsWarrant) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    fs::remove(fs::path(warrants()) / "a.yaml");
    restart();
    const auto loaded = keeper_->load(assembly_, {});
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->ended, 1U);
    EXPECT_EQ(loaded->withdrawn, 1U);
    EXPECT_EQ(loaded->snapshot->index->warrants().size(), 1U);
    EXPECT_EQ(reasons().back(), "a.yaml: the file went before the warrant's end");
}

TEST_F(WarrantKeeperTest, AnEmptyOrMissingDirectoryEndsNothingUntilConfirmedAlsoAtAStart) {
    write("a.yaml", "L-1", "u-1");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    fs::remove_all(warrants());
    for (int round = 0; round < 2; ++round) {
        const auto loaded = keeper_->load(assembly_, {});
        ASSERT_TRUE(loaded) << loaded.error().message;
        EXPECT_EQ(loaded->unconfirmed, 1U);
        EXPECT_FALSE(loaded->whole());
        EXPECT_EQ(loaded->snapshot->index->warrants().size(), 1U);
        restart();
        fs::create_directory(warrants());
    }
    EXPECT_EQ(keeper_->load(assembly_, {})->withheld, warrants::Withheld::directory_empty);
    const auto confirmed = keeper_->load(assembly_, "alice", true);
    ASSERT_TRUE(confirmed);
    EXPECT_EQ(confirmed->withdrawn, 1U);
    EXPECT_TRUE(confirmed->snapshot->index->warrants().empty());
    restart();
    const auto without = keeper_->load(assembly_, {});
    ASSERT_TRUE(without);
    EXPECT_TRUE(without->whole());
    EXPECT_TRUE(without->snapshot->index->warrants().empty());
}

TEST_F(WarrantKeeperTest, WhatWaitsForConfirmationStillWaitsAfterARestartThatFindsMostFilesBack) {
    for (int i = 0; i < 6; ++i) {
        write("w" + std::to_string(i) + ".yaml", "L-" + std::to_string(i), "u-" + std::to_string(i));
    }
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    fs::remove_all(warrants());
    ASSERT_EQ(keeper_->load(assembly_, {})->unconfirmed, 6U);
    const std::size_t said = records().size();
    restart();
    // All but one come back: one file that goes alone would end its warrant, and this one does not go now.
    fs::create_directory(warrants());
    for (int i = 1; i < 6; ++i) {
        write("w" + std::to_string(i) + ".yaml", "L-" + std::to_string(i), "u-" + std::to_string(i));
    }
    for (int round = 0; round < 2; ++round) {
        const auto loaded = keeper_->load(assembly_, {});
        ASSERT_TRUE(loaded) << loaded.error().message;
        EXPECT_EQ(loaded->unconfirmed, 1U);
        EXPECT_EQ(loaded->ended, 0U);
        EXPECT_EQ(loaded->snapshot->index->warrants().size(), 6U);
        restart();
    }
    EXPECT_EQ(records().size(), said) << "nothing was decided";
    // Back it is a file like others: when it goes alone again, its warrant ends.
    write("w0.yaml", "L-0", "u-0");
    ASSERT_TRUE(keeper_->load(assembly_, {})->whole());
    restart();
    fs::remove(fs::path(warrants()) / "w0.yaml");
    EXPECT_EQ(keeper_->load(assembly_, {})->ended, 1U);
}

TEST_F(WarrantKeeperTest, AStoredVersionThatCannotBeReadIsReportedUntilItsFileIsBackOrItsEndConfirmed) {
    ASSERT_TRUE(store_->warrant_register().change_warrants(
        {{{"a.yaml", "lea-one", "L-1", "garbage"}, {"b.yaml", "lea-one", "L-2", "garbage"}}, {}, {}, ""}));
    write("a.yaml", "L-1", "u-1");
    for (int round = 0; round < 2; ++round) {
        end();
        open_store();
        const auto restored = keeper_->restore();
        ASSERT_TRUE(restored) << "the store itself can be read";
        EXPECT_NE(*restored, "");
        for (int load = 0; load < 2; ++load) {
            const auto loaded = keeper_->load(assembly_, {});
            ASSERT_TRUE(loaded) << loaded.error().message;
            EXPECT_FALSE(loaded->whole());
            ASSERT_EQ(loaded->problems.size(), 1U);
            EXPECT_NE(loaded->problems[0].file.find("b.yaml"), std::string::npos);
            EXPECT_EQ(loaded->snapshot->index->warrants().size(), 1U) << "the file of the other counts";
        }
    }
    const auto confirmed = keeper_->load(assembly_, "alice", true);
    ASSERT_TRUE(confirmed);
    EXPECT_TRUE(confirmed->whole());
    EXPECT_EQ(confirmed->ended, 1U);
    EXPECT_EQ(reasons().back(), "b.yaml: its stored version could not be read");
    restart();
    EXPECT_TRUE(keeper_->load(assembly_, {})->whole());
}

TEST_F(WarrantKeeperTest, TheRecordOfAChangeHasOldAndNewTerms) {
    write("a.yaml", "L-1", "u-1");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    write("a.yaml", "L-1", "u-2");
    ASSERT_TRUE(keeper_->load(assembly_, "alice"));
    fs::rename(fs::path(warrants()) / "a.yaml", fs::path(warrants()) / "b.yaml");
    ASSERT_TRUE(keeper_->load(assembly_, "alice"));
    const auto said = reasons();
    ASSERT_EQ(said.size(), 3U);
    EXPECT_NE(said[0].find("targets: [{user_id: u-1}]"), std::string::npos) << said[0];
    EXPECT_NE(said[1].find("before {"), std::string::npos);
    EXPECT_LT(said[1].find("{user_id: u-1}"), said[1].find(" now {"));
    EXPECT_GT(said[1].find("{user_id: u-2}"), said[1].find(" now {"));
    EXPECT_EQ(said[2], "b.yaml: the same terms, before in a.yaml");
}

TEST_F(WarrantKeeperTest, AFailedLoadMovesNothingOn) {
    write("a.yaml", "L-1", "u-1");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    add_destination("lea-two");
    write("a.yaml", "L-1", "u-2");
    write("b.yaml", "L-2", "u-2", "lea-two");
    assembly_.profiles.erase("lea-two");
    EXPECT_FALSE(keeper_->load(assembly_, {}));
    std::ofstream(fs::path(warrants()) / "a.yaml") << "liid: [";
    fs::remove(fs::path(warrants()) / "b.yaml");
    const auto loaded = keeper_->load(assembly_, {});
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->snapshot->index->warrants()[0]->targets[0].value, "u-1") << "the version that was in force";
}

TEST_F(WarrantKeeperTest, LanesAndProfilesKeepTheirNumbers) {
    write("a.yaml", "L-1", "u-1");
    const auto first = keeper_->load(assembly_, {});
    ASSERT_TRUE(first);
    const intake::Route before = first->snapshot->routes.at(0);
    restart();
    const auto second = keeper_->load(assembly_, {});
    ASSERT_TRUE(second);
    EXPECT_EQ(second->snapshot->routes.at(0).lane, before.lane);
    EXPECT_EQ(second->snapshot->routes.at(0).profile, before.profile);
}

TEST_F(WarrantKeeperTest, AnEndedWarrantTakesLateEventsBesideTheOneThatRenewsIt) {
    assembly_.configuration.late_events = std::chrono::days(7);
    write("a.yaml", "L-1", "u-1");
    const auto first = keeper_->load(assembly_, {});
    ASSERT_TRUE(first);
    const auto lane = first->snapshot->routes.at(0).lane;
    clock_.now = {1'798'761'600 + 60, 0};  // a minute after its end
    std::ofstream(fs::path(warrants()) / "a.yaml") << "liid: L-1\ndestination: lea-one\n"
                                                      "valid_from: 2027-01-01T00:00:00Z\n"
                                                      "valid_until: 2028-01-01T00:00:00Z\n"
                                                      "targets:\n  - user_id: u-2\ndeliver: [metadata]\n";
    for (int round = 0; round < 2; ++round) {
        const auto renewed = keeper_->load(assembly_, {});
        ASSERT_TRUE(renewed) << renewed.error().message;
        EXPECT_EQ(renewed->in_force->size(), 1U) << "one warrant";
        ASSERT_EQ(renewed->snapshot->routes.size(), 2U);
        EXPECT_EQ(renewed->snapshot->routes[0].lane, lane);
        EXPECT_EQ(renewed->snapshot->routes[1].lane, lane) << "in one order";
        restart();
    }
}

TEST_F(WarrantKeeperTest, ARevokedWarrantStaysRevokedWhateverItsFileSays) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    const auto unknown = keeper_->revoke(assembly_, {"lea-one", "L-9", "a mistake", "alice"});
    ASSERT_TRUE(unknown);
    EXPECT_FALSE(*unknown);
    const auto revoked = keeper_->revoke(assembly_, {"lea-one", "L-1", "the court said so", "alice"});
    ASSERT_TRUE(revoked && *revoked);
    EXPECT_EQ((*revoked)->snapshot->index->warrants().size(), 1U);
    EXPECT_EQ((*revoked)->in_force->size(), 1U);
    EXPECT_EQ(records().back(), store::RecordKind::warrant_revoked);
    EXPECT_EQ(reasons().back(), "the court said so");
    for (int round = 0; round < 2; ++round) {
        restart();
        write("a.yaml", "L-1", "u-" + std::to_string(round + 5));
        const auto loaded = keeper_->load(assembly_, {});
        ASSERT_TRUE(loaded);
        EXPECT_EQ(loaded->snapshot->index->warrants().size(), 1U);
        EXPECT_EQ(loaded->ended, 0U);
        ASSERT_EQ(loaded->revoked->size(), 1U);
        EXPECT_EQ(loaded->revoked->front().who, "alice");
        EXPECT_EQ(loaded->revoked->front().file, "a.yaml");
    }
    fs::remove(fs::path(warrants()) / "a.yaml");
    const auto lifted = keeper_->load(assembly_, {});
    ASSERT_TRUE(lifted);
    EXPECT_TRUE(lifted->revoked->empty());
    restart();
    EXPECT_TRUE(store_->warrant_register().revocations().value().empty());
}

TEST_F(WarrantKeeperTest, TwoPeopleApproveAWarrantOverReloadsAndRestarts) {
    assembly_.configuration.warrants.approval = config::Approval::dual;
    write("a.yaml", "L-1", "u-1");
    const auto decide = [this](std::uint32_t uid, bool approve, std::optional<WarrantsLoaded>& loaded) {
        return keeper_->decide(
            assembly_, {"lea-one", "L-1", approve, approve ? "" : "no", uid, "user " + std::to_string(uid)}, loaded);
    };
    using Outcome = admin::ApprovalAnswer::Outcome;
    auto loaded = keeper_->load(assembly_, {});
    ASSERT_TRUE(loaded);
    EXPECT_TRUE(loaded->in_force->empty());
    ASSERT_EQ(loaded->pending->size(), 1U);
    std::optional<WarrantsLoaded> after;
    admin::ApprovalAnswer answer = decide(1, true, after);
    EXPECT_EQ(answer.outcome, Outcome::counted);
    EXPECT_EQ(answer.approvals, 1U);
    EXPECT_EQ(answer.needed, 2U);
    EXPECT_EQ(decide(1, true, after).approvals, 1U) << "the same user again";
    restart();
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    answer = decide(2, false, after);
    EXPECT_EQ(answer.outcome, Outcome::refused);
    ASSERT_TRUE(after);
    EXPECT_TRUE(after->pending->at(0).kept.refused);
    EXPECT_EQ(decide(2, true, after).outcome, Outcome::counted);
    // A file that says something else has to be looked at anew.
    write("a.yaml", "L-1", "u-5");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    EXPECT_EQ(decide(3, true, after).approvals, 1U);
    restart();
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    after.reset();
    EXPECT_EQ(decide(4, true, after).outcome, Outcome::in_force);
    ASSERT_TRUE(after);
    EXPECT_EQ(after->in_force->size(), 1U);
    EXPECT_TRUE(after->pending->empty());
    EXPECT_TRUE(store_->warrant_register().pending_warrants().value().empty());
    EXPECT_EQ(decide(5, true, after).outcome, Outcome::unknown);
    restart();
    loaded = keeper_->load(assembly_, {});
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->in_force->size(), 1U);
    EXPECT_TRUE(loaded->pending->empty());
}

TEST_F(WarrantKeeperTest, ARevocationThatIsOnDiskAfterAllCounts) {
    write("a.yaml", "L-1", "u-1");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    const admin::RevokeRequest request{"lea-one", "L-1", "the court said so", "alice", true};
    ASSERT_TRUE(keeper_->find_revoked(assembly_, request));
    EXPECT_FALSE(*keeper_->find_revoked(assembly_, request)) << "the store does not have it";
    store::WarrantChanges changes;
    changes.revoked.push_back({"lea-one", "L-1", {}, "a.yaml", {}, "alice", "the court said so"});
    ASSERT_TRUE(store_->warrant_register().change_warrants(changes));
    const auto found = keeper_->find_revoked(assembly_, request);
    ASSERT_TRUE(found && *found);
    EXPECT_TRUE((*found)->in_force->empty());
    EXPECT_EQ((*found)->revoked->size(), 1U);
    EXPECT_TRUE((*found)->snapshot->index->warrants().empty());
}

TEST_F(WarrantKeeperTest, ARevocationHoldsWhatIsQueuedByTheRuleOfItsWarrant) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    std::ofstream(fs::path(warrants()) / "b.yaml", std::ios::app) << "review: dual\n";
    const auto loaded = keeper_->load(assembly_, {});
    ASSERT_TRUE(loaded);
    for (const auto& [liid, review] :
         {std::pair("L-1", store::Review::required), std::pair("L-2", store::Review::dual)}) {
        store::NewItem item;
        item.lane = store_->warrant_register().lane("lea-one", liid).value();
        item.profile = loaded->snapshot->routes.at(0).profile;
        item.object_id = model::Uuid::random();
        item.repeat_hash.fill(static_cast<std::uint8_t>(liid[2]));
        item.share = "share";
        const model::Uuid id = item.object_id;
        std::vector<store::NewItem> items;
        items.push_back(std::move(item));
        std::promise<store::Outcome> made;
        store_->item_intake().submit(std::move(items), {.events = 1, .bytes = 5},
                                     [&](store::Outcome outcome) { made.set_value(outcome); });
        ASSERT_EQ(made.get_future().get(), store::Outcome::committed);
        const admin::RevokeRequest request{"lea-one", liid, "the court said so", "alice", true};
        ASSERT_TRUE(keeper_->revoke(assembly_, request));
        EXPECT_THAT(reasons(), testing::Contains("the court said so (what was queued is held)"));
        ASSERT_TRUE(keeper_->nothing_more_of(request));
        std::optional<store::ItemView> view;
        ASSERT_TRUE(lihandover::test::eventually([&] {
            view = store_->operator_view().find(id).value();
            return view && view->held;
        }));
        EXPECT_TRUE(view->held->withheld);
        EXPECT_EQ(view->held->review, review);
    }
}

TEST_F(WarrantKeeperTest, WhatWaitsToReplaceAWarrantGoesWithItsRevocation) {
    assembly_.configuration.warrants.approval = config::Approval::required;
    using Outcome = admin::ApprovalAnswer::Outcome;
    std::optional<WarrantsLoaded> after;
    const auto approve = [&] {
        return keeper_->decide(assembly_, {"lea-one", "L-1", true, "", 1, "one"}, after).outcome;
    };
    write("a.yaml", "L-1", "u-1");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    ASSERT_EQ(approve(), Outcome::in_force);
    write("a.yaml", "L-1", "u-1\n  - user_id: u-2");
    ASSERT_EQ(keeper_->load(assembly_, {})->pending->size(), 1U);
    const auto revoked = keeper_->revoke(assembly_, {"lea-one", "L-1", "the court said so", "alice"});
    ASSERT_TRUE(revoked && *revoked);
    EXPECT_TRUE((*revoked)->pending->empty());
    EXPECT_TRUE(store_->warrant_register().pending_warrants().value().empty());
    EXPECT_EQ(approve(), Outcome::unknown);
    restart();
    const auto loaded = keeper_->load(assembly_, {});
    ASSERT_TRUE(loaded);
    EXPECT_TRUE(loaded->in_force->empty());
    EXPECT_TRUE(loaded->pending->empty());
    EXPECT_EQ(loaded->revoked->size(), 1U);
}

TEST_F(WarrantKeeperTest, TheRecordSaysWhyAWarrantEndedWhoseFileOrdersSomethingElse) {
    write("a.yaml", "L-1", "u-1");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    assembly_.configuration.warrants.approval = config::Approval::required;
    write("a.yaml", "L-1", "u-2");
    const auto loaded = keeper_->load(assembly_, {});
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->ended, 1U);
    EXPECT_EQ(loaded->pending->size(), 1U);
    const auto said = reasons();
    ASSERT_EQ(said.size(), 3U);
    EXPECT_EQ(said[1], "a.yaml: its file orders nothing of it any more, and what it orders now waits for approval");
}

TEST_F(WarrantKeeperTest, AStoreThatCannotBeReadDoesNotLetWhatWasRevokedComeBack) {
    write("a.yaml", "L-1", "u-1");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    store_->stop();
    EXPECT_FALSE(keeper_->restore()) << "a start ends with this";
}

TEST_F(WarrantKeeperTest, WhatWaitsIsNotForgottenWhileTheDirectoryIsAway) {
    assembly_.configuration.warrants.approval = config::Approval::dual;
    write("a.yaml", "L-1", "u-1");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    std::optional<WarrantsLoaded> after;
    EXPECT_EQ(keeper_->decide(assembly_, {"lea-one", "L-1", true, "", 1, "one"}, after).approvals, 1U);
    fs::rename(warrants(), warrants() + ".away");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    fs::rename(warrants() + ".away", warrants());
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    EXPECT_EQ(keeper_->decide(assembly_, {"lea-one", "L-1", true, "", 2, "two"}, after).outcome,
              admin::ApprovalAnswer::Outcome::in_force);
}

TEST_F(WarrantKeeperTest, WhoeverWroteTheFileDoesNotApproveIt) {
    assembly_.configuration.warrants.approval = config::Approval::required;
    write("a.yaml", "L-1", "u-1");
    if (::chown((warrants() + "/a.yaml").c_str(), 1234, 1234) != 0) {
        GTEST_SKIP() << "only root gives files away";
    }
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    std::optional<WarrantsLoaded> after;
    const auto outcome_for = [&](std::uint32_t uid) {
        return keeper_->decide(assembly_, {"lea-one", "L-1", true, "", uid, "somebody"}, after).outcome;
    };
    EXPECT_EQ(outcome_for(1234), admin::ApprovalAnswer::Outcome::own_file);
    EXPECT_FALSE(after);
    // Under another name it is the same file: nobody approves what no reload has seen.
    fs::rename(fs::path(warrants()) / "a.yaml", fs::path(warrants()) / "b.yaml");
    EXPECT_EQ(outcome_for(1234), admin::ApprovalAnswer::Outcome::unknown);
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    EXPECT_EQ(outcome_for(1234), admin::ApprovalAnswer::Outcome::own_file);
    const std::string digest = "00";
    EXPECT_EQ(keeper_->decide(assembly_, {"lea-one", "L-1", true, "", 1235, "somebody", digest}, after).outcome,
              admin::ApprovalAnswer::Outcome::unknown)
        << "something else was looked at";
    EXPECT_EQ(outcome_for(1235), admin::ApprovalAnswer::Outcome::in_force);
}

TEST_F(WarrantKeeperTest, AWarrantInForceWithoutItsDestinationIsAnError) {
    add_destination("lea-two");
    write("a.yaml", "L-1", "u-1", "lea-two");
    ASSERT_TRUE(keeper_->load(assembly_, {}));
    assembly_.configuration.destinations.erase("lea-two");
    assembly_.profiles.erase("lea-two");
    EXPECT_FALSE(keeper_->load(assembly_, {}));
    add_destination("lea-two");
    const auto repaired = keeper_->load(assembly_, {});
    ASSERT_TRUE(repaired);
    EXPECT_EQ(repaired->snapshot->index->warrants().size(), 1U);
}

}  // namespace
}  // namespace lihandover::app
