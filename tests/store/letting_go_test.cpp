// What nothing names any more goes, and nothing before that; space that is not needed is given back.
#include <gmock/gmock.h>

#include <set>
#include <string>
#include <vector>

#include "sqlite.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using namespace sqlite;
using testing::ElementsAre;
using testing::IsSupersetOf;

class LettingGo : public StoreTest {
  protected:
    std::int64_t number(const std::string& sql) const {
        Connection look(options_.directory / "store.db");
        return look.integer(sql.c_str());
    }
    std::set<std::string> liids() const {
        std::set<std::string> found;
        Connection look(options_.directory / "store.db");
        Statement select = look.prepare("SELECT liid FROM lane");
        for (Rows rows(select); rows.next();) {
            found.emplace(rows->bytes(0));
        }
        return found;
    }
    NewItem talk(std::uint64_t conversation) {
        NewItem one = item();
        one.conversation_hash = hash_of(conversation);
        return one;
    }
    /// What the item's document says of its place in the conversation.
    std::uint64_t sequence_of(const model::Uuid& id) {
        for (const StoredItem& one : queued()) {
            if (one.object_id == id) {
                return one.correlation->sequence_number;
            }
        }
        ADD_FAILURE() << "it does not wait";
        return 0;
    }
    std::uint64_t submit_talk(std::uint64_t conversation) {
        NewItem one = talk(conversation);
        const model::Uuid id = one.object_id;
        EXPECT_EQ(submit(std::move(one)), Outcome::committed);
        return sequence_of(id);
    }
    void accept_all() {
        for (const StoredItem& one : queued()) {
            ASSERT_EQ(accept(one), Outcome::committed);
        }
    }
    /// Until the entries of all that happened so far have gone.
    void outlive_the_entries() {
        close();
        clock_.advance(std::chrono::hours(24 * 91));
        open();
        ASSERT_TRUE(eventually([&] { return number("SELECT count(*) FROM record") == 0; }));
    }
};

TEST_F(LettingGo, OfConversationsThatNeitherAnEntryNorWhatWaitsNames) {
    open();
    EXPECT_EQ(submit_talk(1), 0U);
    EXPECT_EQ(submit_talk(1), 1U);
    accept_all();
    reopen();
    EXPECT_EQ(submit_talk(2), 0U);
    EXPECT_EQ(submit_talk(1), 2U) << "while its entries are kept, it goes on";
    accept_all();
    reopen();
    EXPECT_EQ(submit_talk(3), 0U);
    outlive_the_entries();
    ASSERT_TRUE(eventually([&] { return number("SELECT count(*) FROM conversation") == 1; }));
    EXPECT_EQ(submit_talk(3), 1U) << "an item of it waits, so the LEA may still get to know it";
    EXPECT_EQ(submit_talk(1), 0U);
}

TEST_F(LettingGo, KeepsConversationsWhileOlderEntriesGo) {
    open();
    for (int month = 0; month < 3; ++month) {
        ASSERT_TRUE(store_->operator_view().clock_accepted("alice", ""));
        clock_.advance(std::chrono::hours(24 * 30));
    }
    EXPECT_EQ(submit_talk(1), 0U);
    accept_all();
    for (std::uint64_t sequence = 1; sequence < 4; ++sequence) {
        const auto first = number("SELECT min(id) FROM record");
        clock_.advance(std::chrono::hours(24 * 30));
        ASSERT_TRUE(eventually([&] { return number("SELECT min(id) FROM record") > first; }));
        EXPECT_EQ(submit_talk(1), sequence);
        accept_all();
    }
}

TEST_F(LettingGo, NothingByATimeThatIsNotTrusted) {
    open();
    EXPECT_EQ(submit_talk(1), 0U);
    accept_all();
    close();
    clock_.advance(std::chrono::hours(24 * 91));
    clock_.distrust(std::chrono::hours(24 * 91));
    open();
    EXPECT_EQ(submit_talk(1), 1U);
    accept_all();
    reopen();
    EXPECT_EQ(submit_talk(1), 2U);
}

TEST_F(LettingGo, OfLanesAtAStartUnlessAWarrantAnItemOrAnEntryNamesThem) {
    open();
    const auto lane = [&](const std::string& liid) { return store_->warrant_register().lane("lea", liid).value(); };
    for (const char* liid : {"L-DONE", "L-WAITS", "L-LATER"}) {
        NewItem one = item();
        one.lane = lane(liid);
        ASSERT_EQ(submit(std::move(one)), Outcome::committed);
        if (std::string(liid) != "L-WAITS") {
            ASSERT_EQ(accept(queued().back()), Outcome::committed);
        }
    }
    ASSERT_TRUE(store_->warrant_register().change_warrants({{{"w.yaml", "lea", "L-WARRANT", "bytes"}}, {}, {}, ""}));
    outlive_the_entries();
    EXPECT_THAT(liids(), IsSupersetOf({"L-DONE"})) << "while it runs somebody may have its number";
    NewItem one = item();
    one.lane = lane("L-LATER");
    ASSERT_EQ(submit(std::move(one)), Outcome::committed);
    ASSERT_EQ(accept(queued().back()), Outcome::committed);
    // What waits holds up those that were used later than it was made, and no others.
    reopen();
    EXPECT_THAT(liids(), IsSupersetOf({"L-WAITS", "L-LATER", "L-WARRANT"}));
    accept_all();
    outlive_the_entries();
    reopen();
    EXPECT_THAT(liids(), ElementsAre("L-WARRANT", "LIID-1")) << "the second one is what the test has just asked for";
    // Numbers of those that are left are what they were, and new ones are nobody's.
    EXPECT_EQ(store_->warrant_register().find_lane(lane("L-WARRANT"))->liid, "L-WARRANT");
    NewItem again = item();
    again.lane = lane("L-DONE");
    ASSERT_EQ(submit(std::move(again)), Outcome::committed);
    EXPECT_EQ(counts().queued, 1U);
}

TEST_F(LettingGo, OfProfilesAtAStartUnlessAnItemNamesThem) {
    open();
    model::Profile other = some_profile();
    other.schema_url = "https://csp.example.com/other";
    const ProfileId id = store_->warrant_register().profile(other).value();
    NewItem one = item();
    one.profile = id;
    ASSERT_EQ(submit(std::move(one)), Outcome::committed);
    outlive_the_entries();
    reopen();
    ASSERT_NE(store_->warrant_register().find_profile(id), nullptr) << "an item is still to be written with it";
    EXPECT_EQ(*store_->warrant_register().find_profile(id), other);
    accept_all();
    outlive_the_entries();
    reopen();
    EXPECT_EQ(number("SELECT count(*) FROM profile WHERE schema_url='https://csp.example.com/other'"), 0);
    ASSERT_EQ(submit(item()), Outcome::committed);
}

TEST_F(LettingGo, OfSpaceWhileItRuns) {
    open();
    const auto size = [&] { return std::filesystem::file_size(options_.directory / "store.db"); };
    std::vector<std::string> kept;
    for (int group = 0; group < 16; ++group) {
        std::vector<NewItem> items;
        for (int i = 0; i < 50; ++i) {
            items.push_back(item(some_bytes(60'000, static_cast<std::uint64_t>(group * 50 + i))));
        }
        ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    }
    const std::vector<StoredItem> waiting = queued();
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        if (i % 20 == 19) {
            kept.push_back(waiting[i].share);
        } else {
            ASSERT_EQ(accept(waiting[i]), Outcome::committed);
        }
    }
    EXPECT_GT(size(), 40U << 20U);
    ASSERT_TRUE(eventually([&] { return size() < 14U << 20U; })) << size();
    std::vector<std::string> found;
    for (const StoredItem& one : queued()) {
        found.push_back(one.share);
    }
    EXPECT_EQ(found, kept);
    EXPECT_EQ(number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"), 1);
}

// There free pages, which are no room for objects, are soon most of what there is.
TEST_F(LettingGo, OfSpaceOfWhichThereIsLittle) {
    options_.max_bytes = 16U << 20U;
    open();
    const auto size = [&] { return std::filesystem::file_size(options_.directory / "store.db"); };
    for (int group = 0; group < 4; ++group) {
        std::vector<NewItem> items;
        for (int i = 0; i < 50; ++i) {
            items.push_back(item(some_bytes(60'000, static_cast<std::uint64_t>(group * 50 + i))));
        }
        ASSERT_EQ(submit(std::move(items)), Outcome::committed);
    }
    EXPECT_GT(size(), 8U << 20U);
    accept_all();
    EXPECT_TRUE(eventually([&] { return size() < 6U << 20U; })) << size();
}

}  // namespace
}  // namespace lihandover::store::test
