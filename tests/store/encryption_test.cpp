// Encryption at rest: what lies on the disk, who can open it, turning it on, new keys, and what was tampered with.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "sqlite.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

MasterKey master(std::uint8_t fill) {
    std::array<std::uint8_t, MasterKey::size> bytes{};
    bytes.fill(fill);
    return MasterKey(bytes);
}

/// Words that are nowhere else in a store's files.
constexpr std::array<std::string_view, 14> secrets = {
    "Content-of-a-message",   "447700900123-target", "LIID-SECRET-0001",  "warrant-of-LIID-0001.yaml",
    "LIID-REVOKED-0002",      "the-court-said-so",   "LIID-PENDING-0003", "pending-file.yaml",
    "approver-ann",           "quoted-by-the-lea",   "roof-of-alice.jpg", "reviewer-bob",
    "kept-half-of-a-message", "operator-carol"};

class Encryption : public StoreTest {
  protected:
    void open_with(std::vector<MasterKey> keys) {
        options_.master_keys = std::move(keys);
        open();
    }
    void reopen_with(std::vector<MasterKey> keys) {
        close();
        open_with(std::move(keys));
    }
    [[nodiscard]] std::string error_with(std::vector<MasterKey> keys) {
        close();
        Options options = options_;
        options.master_keys = std::move(keys);
        const auto opened = Store::open(options, clock_);
        return opened ? "" : opened.error().message;
    }
    /// Which of the words can be read in the files below state_dir.
    [[nodiscard]] std::vector<std::string> readable() const {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.directory)) {
            if (!entry.is_regular_file()) {
                continue;
            }
            std::ifstream file(entry.path(), std::ios::binary);
            const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
            for (const std::string_view word : secrets) {
                if (bytes.find(word) != std::string::npos) {
                    found.push_back(entry.path().filename().string() + ": " + std::string(word));
                }
            }
        }
        return found;
    }
    /// One of everything.
    void fill() {
        StoredWarrant warrant{"warrant-of-LIID-0001.yaml", "lea", "LIID-SECRET-0001", "terms: 447700900123-target"};
        warrant.terms = "447700900123-target";
        const StoredWarrant revoked{"revoked.yaml", "lea", "LIID-REVOKED-0002", "bytes"};
        ASSERT_TRUE(store_->warrant_register().change_warrants({{warrant, revoked}, {}, {}, "operator-carol"}));
        WarrantChanges changes;
        changes.who = "operator-carol";
        changes.revoked.push_back(
            {"lea", "LIID-REVOKED-0002", clock_.wall(), "revoked.yaml", {}, "operator-carol", "the-court-said-so"});
        StoredPendingWarrant pending;
        pending.destination = "lea";
        pending.liid = "LIID-PENDING-0003";
        pending.digest.fill(7);
        pending.file = "pending-file.yaml";
        changes.pending.push_back(pending);
        ASSERT_TRUE(store_->warrant_register().change_warrants(changes));
        ASSERT_EQ(store_->warrant_register()
                      .decide_warrant({"lea", "LIID-PENDING-0003", pending.digest, true, 1001, "approver-ann", ""})
                      .value(),
                  std::size_t{1});
        ASSERT_EQ(call([&](Done done) { store_->operator_view().pause("lea", "operator-carol", std::move(done)); }),
                  Outcome::committed);
        ASSERT_EQ(submit(item("Content-of-a-message, queued")), Outcome::committed);
        NewItem refused = item("Content-of-a-message, refused");
        refused_ = refused.object_id;
        ASSERT_EQ(submit(std::move(refused)), Outcome::committed);
        ASSERT_EQ(refuse(queued().back().row, {3001, Refusal::Kind::hi1_error, "quoted-by-the-lea"}),
                  Outcome::committed);
        NewObject object = object_of(seal("Content-of-a-message, in a picture"), model::BinaryModel::b);
        object.original_filename = "roof-of-alice.jpg";
        ASSERT_EQ(submit(item_with({object})), Outcome::committed);
        NewItem held = item("Content-of-a-message, held");
        held.review = Review::dual;
        held_ = held.object_id;
        ASSERT_EQ(submit(std::move(held)), Outcome::committed);
        decide_held("reviewer-bob");
        const auto copies = [&](Done done) {
            store_->kept_copies().submit({}, {}, "as-1", {{{1, "kept-half-of-a-message"}}, {}}, std::move(done));
        };
        ASSERT_EQ(call(copies), Outcome::committed);
    }
    void decide_held(const std::string& who) {
        Answer<Outcome> answer;
        store_->operator_view().approve(
            {held_}, {"certificate:" + who, who},
            [told = answer.callback()](Outcome outcome, const Decided& /*count*/) { told(outcome); });
        ASSERT_EQ(answer.get(), Outcome::committed);
    }
    /// All of it reads as it was written.
    void expect_filled() {
        Register& kept = store_->warrant_register();
        const auto warrants = kept.warrants().value();
        ASSERT_THAT(warrants, SizeIs(1));
        EXPECT_EQ(warrants[0].file, "warrant-of-LIID-0001.yaml");
        EXPECT_EQ(warrants[0].liid, "LIID-SECRET-0001");
        EXPECT_EQ(warrants[0].bytes, "terms: 447700900123-target");
        const auto revocations = kept.revocations().value();
        ASSERT_THAT(revocations, SizeIs(1));
        EXPECT_EQ(revocations[0].liid, "LIID-REVOKED-0002");
        EXPECT_EQ(revocations[0].why, "the-court-said-so");
        const auto pending = kept.pending_warrants().value();
        ASSERT_THAT(pending, SizeIs(1));
        EXPECT_EQ(pending[0].liid, "LIID-PENDING-0003");
        EXPECT_EQ(pending[0].digest[31], 7);
        EXPECT_EQ(pending[0].file, "pending-file.yaml");
        ASSERT_THAT(pending[0].approvals, SizeIs(1));
        EXPECT_EQ(pending[0].approvals[0].who, "approver-ann");
        EXPECT_EQ(kept.pauses().value().at(0).who, "operator-carol");
        std::vector<std::string> shares;
        std::vector<std::string> names;
        for (const StoredItem& waiting : queued()) {
            shares.push_back(waiting.share);
            for (const StoredObject& object : waiting.objects ? *waiting.objects : std::vector<StoredObject>()) {
                names.push_back(object.described.original_filename);
                ASSERT_NE(object.sealed, nullptr);
                EXPECT_EQ(unseal(*object.sealed), "Content-of-a-message, in a picture");
                EXPECT_TRUE(object.described.checksum.has_value());
            }
        }
        EXPECT_THAT(shares, testing::Contains("Content-of-a-message, queued"));
        EXPECT_THAT(names, ElementsAre("roof-of-alice.jpg"));
        const auto refused = store_->operator_view().find(refused_).value();
        ASSERT_TRUE(refused && refused->refusal);
        EXPECT_EQ(refused->refusal->words, "quoted-by-the-lea");
        EXPECT_EQ(refused->liid, lane_liid());
        const auto held = store_->operator_view().find(held_).value();
        ASSERT_TRUE(held && held->held);
        EXPECT_EQ(held->held->first_who, "reviewer-bob");
        EXPECT_EQ(store_->operator_view().content(held_).value()->share, "Content-of-a-message, held");
        EXPECT_EQ(store_->kept_copies().kept("as-1").value().at(0).bytes, "kept-half-of-a-message");
        std::string said;
        for (const Record& record : store_->operator_view().records(0, 1000).value()) {
            said += record.who + ' ' + record.why + '\n';
        }
        EXPECT_THAT(said, HasSubstr("447700900123-target"));
        EXPECT_THAT(said, HasSubstr("quoted-by-the-lea"));
        EXPECT_EQ(store_->sealing().status().unreadable, 0U);
    }
    [[nodiscard]] std::string lane_liid() { return store_->warrant_register().find_lane(lane_)->liid; }
    [[nodiscard]] testing::AssertionResult sealed_anew() {
        // Old slots are overwritten ten seconds after their content was sealed anew.
        const bool done = eventually([&] {
            clock_.advance(std::chrono::seconds(11));
            const SealingStatus status = store_->sealing().status();
            return !status.working && !status.remains;
        });
        return done ? testing::AssertionSuccess() : testing::AssertionFailure() << store_->sealing().status().part;
    }
    void change(const std::string& sql) {
        close();
        sqlite::Connection(options_.directory / "store.db").execute(sql);
    }

    model::Uuid refused_;
    model::Uuid held_;
};

TEST_F(Encryption, LeavesNothingReadableInTheFiles) {
    open_with({master(1)});
    EXPECT_FALSE(store_->sealing().status().working) << "an empty store has nothing that is not sealed";
    fill();
    expect_filled();
    close();
    EXPECT_THAT(readable(), IsEmpty());
    open_with({master(1)});
    expect_filled();
    EXPECT_EQ(store_->sealing().status().key, master(1).id());
}

TEST_F(Encryption, WithoutItTheWordsAreThere) {
    open();
    fill();
    expect_filled();
    close();
    EXPECT_GT(readable().size(), 5U) << "or the search finds nothing anyway";
}

TEST_F(Encryption, AKeyThatIsMissingOrWrongRefusesTheStart) {
    open_with({master(1)});
    fill();
    EXPECT_THAT(error_with({}), HasSubstr(master(1).id()));
    EXPECT_THAT(error_with({master(2)}), HasSubstr(master(1).id()));
    EXPECT_EQ(error_with({master(2), master(1)}), "");
    open_with({master(1)});
    expect_filled();
}

TEST_F(Encryption, IsTurnedOnForAStoreThatIsThere) {
    open();
    fill();
    reopen_with({master(1)});
    expect_filled();
    ASSERT_EQ(submit(item("Content-of-a-message, meanwhile")), Outcome::committed);
    ASSERT_TRUE(sealed_anew());
    expect_filled();
    close();
    EXPECT_THAT(readable(), IsEmpty());
    open_with({master(1)});
    expect_filled();
    EXPECT_THAT(queued(), SizeIs(3));
}

TEST_F(Encryption, IsTurnedOnHoweverOftenItIsInterrupted) {
    open();
    fill();
    for (int i = 0; i < 300; ++i) {
        ASSERT_EQ(submit(item("Content-of-a-message " + std::to_string(i))), Outcome::committed);
    }
    for (int i = 0; i < 3; ++i) {
        reopen_with({master(1)});
        expect_filled();
    }
    ASSERT_TRUE(sealed_anew());
    expect_filled();
    EXPECT_THAT(queued(), SizeIs(302));
    close();
    EXPECT_THAT(readable(), IsEmpty());
}

TEST_F(Encryption, ANewKeyTakesThePlaceOfTheOldOne) {
    open_with({master(1)});
    fill();
    ASSERT_TRUE(sealed_anew());
    EXPECT_FALSE(store_->sealing().use({master(2)})) << "nothing could be opened with it after a restart";
    ASSERT_TRUE(store_->sealing().use({master(2), master(1)}));
    EXPECT_EQ(store_->sealing().status().newest, master(2).id());
    EXPECT_EQ(store_->sealing().status().key, master(1).id()) << "not before it is asked for";
    ASSERT_EQ(call([&](Done done) { store_->sealing().rekey("operator-carol", std::move(done)); }), Outcome::committed);
    ASSERT_EQ(submit(item("Content-of-a-message, meanwhile")), Outcome::committed);
    ASSERT_TRUE(sealed_anew());
    expect_filled();
    EXPECT_THAT(record_kinds(), testing::Contains(RecordKind::store_sealed).Times(2)) << "begun, done";
    EXPECT_NE(error_with({master(1)}), "");
    open_with({master(2)});
    expect_filled();
    EXPECT_THAT(queued(), SizeIs(3));
    decide_held("somebody else");
    EXPECT_THAT(queued(), SizeIs(4)) << "what was held is approved under the new key";
}

TEST_F(Encryption, OneRecordThatWasChangedStopsNothingElse) {
    open_with({master(1)});
    fill();
    ASSERT_EQ(submit(item("Content-of-a-message, another")), Outcome::committed);
    ASSERT_TRUE(sealed_anew());
    const auto rows = queued();
    ASSERT_THAT(rows, SizeIs(3));
    // Two items have each other's content.
    change("UPDATE share SET octets=(SELECT s.octets FROM share s WHERE s.id=" + std::to_string(rows[2].row) +
           ") WHERE id=" + std::to_string(rows[0].row));
    open();
    EXPECT_THAT(queued()[0].share, IsEmpty());
    EXPECT_EQ(queued()[2].share, "Content-of-a-message, another");
    EXPECT_EQ(store_->warrant_register().warrants().value().size(), 1U);
}

TEST_F(Encryption, WhatIsNotSealedIsNotTaken) {
    open_with({master(1)});
    fill();
    ASSERT_TRUE(sealed_anew());
    const auto row = std::to_string(queued()[0].row);
    change("UPDATE share SET octets=CAST('forged' AS BLOB) WHERE id=" + row +
           "; UPDATE item SET key_slot=NULL WHERE id=" + row +
           "; UPDATE aside SET words='forged'; UPDATE warrant SET octets='forged', key_slot=NULL");
    open();
    EXPECT_THAT(queued()[0].share, IsEmpty());
    EXPECT_THAT(store_->operator_view().find(refused_).value()->refusal->words, IsEmpty());
    EXPECT_THAT(store_->warrant_register().warrants().value(), IsEmpty());
    EXPECT_GE(store_->sealing().status().unreadable, 2U);
}

TEST_F(Encryption, AnEarlierVersionOfAWarrantIsNotTaken) {
    open_with({master(1)});
    StoredWarrant warrant{"w.yaml", "lea", "LIID-1", "narrow"};
    ASSERT_TRUE(store_->warrant_register().change_warrants({{warrant}, {}, {}, ""}));
    ASSERT_TRUE(sealed_anew());
    change("CREATE TABLE stolen AS SELECT * FROM warrant");
    open();
    warrant.bytes = "wide";
    ASSERT_TRUE(store_->warrant_register().change_warrants({{}, {warrant}, {}, ""}));
    EXPECT_EQ(store_->warrant_register().warrants().value().at(0).bytes, "wide");
    change("INSERT OR REPLACE INTO warrant SELECT * FROM stolen; DROP TABLE stolen");
    open();
    EXPECT_THAT(store_->warrant_register().warrants().value(), IsEmpty());
}

TEST_F(Encryption, ALiidThatCannotBeOpenedIsDeliveredForNobody) {
    open_with({master(1)});
    ASSERT_TRUE(sealed_anew());
    const auto other = store_->warrant_register().lane("lea", "LIID-OTHER").value();
    ASSERT_EQ(submit(item("evidence")), Outcome::committed);
    const auto row = queued().at(0).row;
    // The item would go out as another warrant's.
    change("UPDATE lane SET liid=x'00' WHERE id=" + std::to_string(lane_) +
           "; UPDATE lane SET (liid, sealed)=(SELECT x'01', sealed FROM lane WHERE id=" + std::to_string(other) +
           ") WHERE id=" + std::to_string(lane_));
    open();
    ASSERT_EQ(queued().at(0).row, row);
    EXPECT_THAT(queued().at(0).share, IsEmpty());
}

TEST_F(Encryption, AnItemIsNotTakenForAnothersNorForOneThatIsNotHeld) {
    open_with({master(1)});
    fill();
    const LaneId other = store_->warrant_register().lane("lea", "LIID-OTHER").value();
    const auto row = queued().at(0).row;
    change("UPDATE item SET lane=" + std::to_string(other) + " WHERE id=" + std::to_string(row) +
           "; UPDATE aside SET state=5 WHERE state=0");
    open();
    EXPECT_THAT(queued().at(0).share, IsEmpty()) << "another warrant's";
    std::vector<RowId> rows;
    ASSERT_TRUE(store_->outbox().for_each_set_aside([&](const QueuedItem& item) { rows.push_back(item.row); }));
    ASSERT_THAT(rows, SizeIs(1));
    EXPECT_THAT(store_->outbox().load(rows).value().at(0).share, IsEmpty()) << "nobody has approved it";
}

TEST_F(Encryption, WhatAnOldVersionLeftOpenIsApprovedOnceItWasWithheld) {
    open();
    fill();
    const StoredItem old = queued().front();
    change("UPDATE share SET octets=CAST('from before' AS BLOB) WHERE id=" + std::to_string(old.row) +
           "; UPDATE item SET key_slot=NULL WHERE id=" + std::to_string(old.row));
    open();
    WarrantChanges changes;
    const auto lane = store_->warrant_register().find_lane(old.lane);
    changes.revoked.push_back(
        {lane->destination, lane->liid, clock_.wall(), "f", {}, "operator-carol", "why", Review::required});
    ASSERT_TRUE(store_->warrant_register().change_warrants(changes));
    ASSERT_TRUE(store_->warrant_register().nothing_more_of(lane->destination, lane->liid));
    ASSERT_TRUE(eventually([&] { return store_->operator_view().statistics().withholding == 0; }));
    EXPECT_EQ(store_->operator_view().content(old.object_id).value()->share, "from before");
    held_ = old.object_id;
    decide_held("somebody else");
    EXPECT_EQ(store_->outbox().load(std::vector{old.row}).value().at(0).share, "from before");
}

TEST_F(Encryption, FewerPeopleAreNotMadeEnough) {
    open_with({master(1)});
    fill();
    change("UPDATE held SET review=1");
    open();
    for (const char* who : {"reviewer-eve", "reviewer-eve"}) {
        decide_held(who);
        EXPECT_EQ(store_->operator_view().find(held_).value()->state, ItemState::held) << "one person is not two";
    }
    decide_held("reviewer-ann");
    EXPECT_EQ(store_->operator_view().find(held_).value()->state, ItemState::queued);
}

TEST_F(Encryption, AnApprovalIsWhoseItIsAndOfWhat) {
    open_with({master(1)});
    fill();
    change(
        "INSERT INTO warrant_approval(destination, liid, uid, who, at) SELECT destination, liid, 4242, who, at FROM "
        "warrant_approval");
    open();
    EXPECT_THAT(store_->warrant_register().pending_warrants().value().at(0).approvals, SizeIs(1));
    WarrantDecision decision{"lea", "LIID-PENDING-0003", {}, true, 1002, "approver-bob", ""};
    decision.digest.fill(7);
    EXPECT_EQ(store_->warrant_register().decide_warrant(decision).value(), std::size_t{2}) << "the forged one is none";
}

TEST_F(Encryption, ARevocationIsKnownThoughItsLaneIsNot) {
    open_with({master(1)});
    fill();
    change("UPDATE lane SET sealed=x'00'");
    open();
    const auto revocations = store_->warrant_register().revocations().value();
    ASSERT_THAT(revocations, SizeIs(1));
    EXPECT_EQ(revocations[0].liid, "LIID-REVOKED-0002");
}

TEST_F(Encryption, AnObjectWhoseRowWasAlteredIsLostAlone) {
    open_with({master(1)});
    fill();
    for (const std::string& damage :
         {std::string("UPDATE blob SET sha256=x'00'"), std::string("UPDATE blob SET key_slot=key_slot|(64<<32)")}) {
        change(damage);
        open();
        const auto items = queued();
        ASSERT_THAT(items, SizeIs(2)) << damage;
        EXPECT_EQ(items[0].share, "Content-of-a-message, queued");
        ASSERT_THAT(*items[1].objects, SizeIs(1));
        EXPECT_EQ(items[1].objects->front().described.loss, model::ObjectLoss::unreadable) << damage;
        EXPECT_TRUE(store_->object_intake().pending_files());
        EXPECT_EQ(submit(item("another")), Outcome::committed);
        EXPECT_EQ(reject({queued().back().object_id}).first, Outcome::committed);
    }
}

TEST_F(Encryption, ASlotThatIsNowhereCostsNothing) {
    open_with({master(1)});
    fill();
    change("UPDATE item SET key_slot=key_slot|(1<<31) WHERE id=(SELECT min(id) FROM item)");
    open();
    EXPECT_LT(std::filesystem::file_size(options_.directory / "keys"), std::uintmax_t{1} << 20U);
    EXPECT_THAT(queued().at(0).share, IsEmpty());
    EXPECT_EQ(reject({queued().at(0).object_id}).first, Outcome::committed);
    EXPECT_LT(std::filesystem::file_size(options_.directory / "keys"), std::uintmax_t{1} << 20U);
    EXPECT_EQ(submit(item("another")), Outcome::committed);
    EXPECT_EQ(queued().back().share, "another");
}

TEST_F(Encryption, ANewKeyIsNotHeldUpByWhatIsLost) {
    open_with({master(1)});
    fill();
    change(
        "DELETE FROM share WHERE id=(SELECT min(id) FROM item); UPDATE kept SET octets=x'00'; UPDATE record_note SET "
        "why=x'00' WHERE record=(SELECT min(record) FROM record_note)");
    options_.master_keys = {master(2), master(1)};
    open();
    ASSERT_EQ(call([&](Done done) { store_->sealing().rekey("operator-carol", std::move(done)); }), Outcome::committed);
    ASSERT_TRUE(sealed_anew());
    reopen_with({master(2)});
    EXPECT_THAT(store_->warrant_register().warrants().value(), SizeIs(1));
}

TEST_F(Encryption, AnotherFirstKeyCountsWithTheNextOrderOnly) {
    open();
    fill();
    options_.master_keys = {master(1)};
    reopen();
    ASSERT_TRUE(store_->sealing().use({master(2), master(1)}));
    ASSERT_TRUE(sealed_anew());
    EXPECT_EQ(store_->sealing().status().key, master(1).id());
    EXPECT_FALSE(store_->sealing().use({master(2)}));
}

TEST_F(Encryption, ANewKeyReachesThousandsOfWarrants) {
    open_with({master(1)});
    WarrantChanges changes;
    for (int i = 0; i < 1200; ++i) {
        changes.in_force.push_back({"warrant-of-LIID-0001.yaml", "lea", "L-" + std::to_string(i), "bytes"});
    }
    ASSERT_TRUE(store_->warrant_register().change_warrants(changes));
    options_.master_keys = {master(2), master(1)};
    reopen();
    ASSERT_EQ(call([&](Done done) { store_->sealing().rekey("operator-carol", std::move(done)); }), Outcome::committed);
    ASSERT_TRUE(sealed_anew());
    reopen_with({master(2)});
    EXPECT_THAT(store_->warrant_register().warrants().value(), SizeIs(1200));
    EXPECT_EQ(store_->sealing().status().unreadable, 0U);
    close();
    EXPECT_THAT(readable(), IsEmpty());
}

TEST_F(Encryption, StoresOfTheSameMasterKeyDoNotOpenEachOther) {
    open_with({master(1)});
    fill();
    ASSERT_TRUE(sealed_anew());
    change("CREATE TABLE mine AS SELECT value FROM meta WHERE name='encryption'");
    // The name of the store is another.
    sqlite::Connection(options_.directory / "store.db").execute("UPDATE chain SET beginning=randomblob(32)");
    EXPECT_THAT(error_with({master(1)}), HasSubstr("is not what was written"));
}

}  // namespace
}  // namespace lihandover::store::test
