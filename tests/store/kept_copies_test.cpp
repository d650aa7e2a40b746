// Kept copies on the disk: sealed, counted, gone when they are let go.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <future>
#include <iterator>
#include <limits>
#include <utility>

#include "sqlite.hpp"
#include "support.hpp"

namespace lihandover::store::test {
namespace {

using sqlite::Connection;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class KeptOnDisk : public StoreTest {
  protected:
    void SetUp() override { open(); }
    Outcome keep(KeptChanges changes, std::vector<NewItem> items = {}) {
        const Arrival arrival = arrival_of(items);
        return call([&](auto done) {
            store_->kept_copies().submit(std::move(items), arrival, "as-1", std::move(changes), done);
        });
    }
    std::vector<std::string> kept() {
        std::vector<std::string> all;
        for (KeptCopy& copy : store_->kept_copies().kept("as-1").value()) {
            all.push_back(std::move(copy.bytes));
        }
        return all;
    }
    static std::string contents(const std::filesystem::path& file) {
        std::ifstream in(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    [[nodiscard]] std::filesystem::path database() const { return options_.directory / "store.db"; }
};

TEST_F(KeptOnDisk, NoneOfItCanBeRead) {
    const std::string secret = "what the target said, which nobody may find";
    ASSERT_EQ(keep({{{1, secret}, {2, some_bytes(100'000) + secret}}, {}}), Outcome::committed);
    const auto search = [&](const std::string& what) {
        std::size_t found = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.directory)) {
            found += entry.is_regular_file() && contents(entry.path()).find(what) != std::string::npos ? 1 : 0;
        }
        return found;
    };
    EXPECT_EQ(search(secret), 0U);
    EXPECT_GT(search("as-1"), 0U) << "it is looked for where it would be";
    close();
    EXPECT_EQ(search(secret), 0U);
    open();
    EXPECT_EQ(kept().at(0), secret);
}

TEST_F(KeptOnDisk, WhatWasLetGoIsBeyondRecovery) {
    ASSERT_EQ(keep({{{1, "one"}, {2, "two"}, {3, "three"}}, {}}), Outcome::committed);
    close();
    const std::string before = contents(database());
    open();
    ASSERT_EQ(keep({{}, {1, 3}}), Outcome::committed);
    close();
    // The rows as they were, with the keys as they are.
    std::ofstream(database(), std::ios::binary | std::ios::trunc) << before;
    open();
    EXPECT_THAT(kept(), ElementsAre("two"));
    ASSERT_EQ(keep({{}, {2}}), Outcome::committed);
    EXPECT_THAT(store_->kept_copies().sources().value(), IsEmpty()) << "what cannot be read does not stay";
}

TEST_F(KeptOnDisk, ADaemonThatIsKilledFindsItAgain) {
    close();
    std::array<int, 2> pipe_ends{};
    ASSERT_EQ(pipe(pipe_ends.data()), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        auto opened = Store::open(options_, model::system_clock());
        if (!opened) {
            _exit(1);
        }
        std::promise<Outcome> committed;
        (*opened)->kept_copies().submit({}, {}, "as-1", {{{1, "one"}, {2, "two"}}, {1}},
                                        [&](Outcome outcome) { committed.set_value(outcome); });
        const char told = committed.get_future().get() == Outcome::committed ? 'c' : 'f';
        if (write(pipe_ends[1], &told, 1) != 1) {
            _exit(2);
        }
        pause();
    }
    char told = 0;
    EXPECT_EQ(read(pipe_ends[0], &told, 1), 1);
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
    ASSERT_EQ(kill(child, SIGKILL), 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_EQ(told, 'c');
    open();
    EXPECT_THAT(kept(), ElementsAre("two"));
}

TEST_F(KeptOnDisk, MuchOfItComesPieceByPieceInItsOrder) {
    KeptChanges many;
    for (std::uint64_t id = 0; id < 2500; ++id) {
        many.keep.push_back({id, std::to_string(id)});
    }
    for (std::uint64_t id = 2500; id < 2520; ++id) {
        many.keep.push_back({id, some_bytes(std::size_t{1} << 20U, id)});
    }
    ASSERT_EQ(keep(std::move(many)), Outcome::committed);
    std::uint64_t next = 0;
    std::uint64_t bytes = 0;
    ASSERT_TRUE(store_->kept_copies().for_each_kept("as-1", [&](KeptCopy copy) {
        EXPECT_EQ(copy.id, next++);
        EXPECT_EQ(copy.bytes, copy.id < 2500 ? std::to_string(copy.id) : some_bytes(std::size_t{1} << 20U, copy.id));
        bytes += copy.bytes.size();
    }));
    EXPECT_EQ(next, 2520U);
    EXPECT_GE(store_->operator_view().statistics().used_bytes, bytes);
}

TEST_F(KeptOnDisk, WhatLetsGoIsTakenWhereRoomIsShort) {
    close();
    options_.max_bytes = std::uint64_t{16} << 20U;
    open();
    std::uint64_t id = 0;
    ASSERT_TRUE(eventually([&] {
        if (!store_->item_intake().accepting()) {
            return true;
        }
        static_cast<void>(keep({{{id, some_bytes(std::size_t{1} << 20U, id)}}, {}}));
        ++id;
        return false;
    }));
    ASSERT_GE(id, 5U);
    EXPECT_EQ(keep({{{id, "more"}}, {}}), Outcome::failed);
    EXPECT_EQ(submit(item("more")), Outcome::failed);
    KeptChanges all;
    for (std::uint64_t one = 0; one < id; ++one) {
        all.let_go.push_back(one);
    }
    std::vector<NewItem> items;
    items.push_back(item("what they came to"));
    EXPECT_EQ(keep(all, std::move(items)), Outcome::committed);
    ASSERT_THAT(queued(), SizeIs(1));
    EXPECT_EQ(queued()[0].share, "what they came to");
    EXPECT_TRUE(eventually([&] { return store_->item_intake().accepting(); }));
    EXPECT_THAT(kept(), IsEmpty());
}

TEST_F(KeptOnDisk, ComesWithAStoreThatHadNone) {
    ASSERT_EQ(submit(item("waits")), Outcome::committed);
    close();
    {
        // As version 8 left it.
        Connection connection(database());
        connection.execute(
            "ALTER TABLE lane DROP COLUMN sealed; ALTER TABLE warrant DROP COLUMN key_slot; ALTER TABLE revocation "
            "DROP COLUMN name; "
            "DROP TABLE withholding; DROP INDEX aside_state; DROP TABLE held; DROP TABLE pending_warrant; DROP TABLE "
            "warrant_approval; DROP "
            "TABLE revocation; DROP TABLE kept; DROP "
            "TABLE kept_source; DROP TABLE chain; DROP TABLE chain_checkpoint; ALTER TABLE "
            "record "
            "DROP COLUMN nanos; PRAGMA user_version=8");
    }
    open();
    ASSERT_NE(store_, nullptr);
    ASSERT_THAT(queued(), SizeIs(1));
    EXPECT_EQ(queued()[0].share, "waits");
    EXPECT_THAT(kept(), IsEmpty());
    ASSERT_EQ(keep({{{1, "one"}}, {}}), Outcome::committed);
    reopen();
    EXPECT_THAT(kept(), ElementsAre("one"));
}

// -- Reading an object while it is written

class ReadWhileWritten : public StoreTest {
  protected:
    void SetUp() override { open(); }
    static std::string read(ObjectWriter& writer, std::uint64_t at, std::size_t size) {
        std::string bytes(size, '?');
        const model::Status status = writer.read(at, bytes);
        EXPECT_TRUE(status) << (status ? "" : status.error().message);
        return bytes;
    }
};

TEST_F(ReadWhileWritten, AnyPartOfAnyLength) {
    const std::string bytes = some_bytes(1'500'000);
    // In chunks, over the ends of chunks, at once.
    for (const std::size_t step : {std::size_t{65'536}, std::size_t{70'001}, std::size_t{999}, bytes.size()}) {
        SCOPED_TRACE(step);
        auto writer = store_->object_intake().writer().value();
        std::size_t there = 0;
        while (there < bytes.size()) {
            const std::size_t part = std::min(step, bytes.size() - there);
            ASSERT_TRUE(writer->write(std::string_view(bytes).substr(there, part)));
            there += part;
            const std::size_t from = there * 7919 % there;
            const std::size_t size = std::min<std::size_t>(there - from, 1 + there % 140'000);
            ASSERT_EQ(read(*writer, from, size), bytes.substr(from, size)) << from;
            ASSERT_EQ(read(*writer, there - 1, 1), bytes.substr(there - 1, 1));
        }
        EXPECT_EQ(read(*writer, 0, bytes.size()), bytes);
        EXPECT_EQ(read(*writer, bytes.size(), 0), "");
        std::string more(1, '?');
        EXPECT_FALSE(writer->read(bytes.size(), more));
        EXPECT_FALSE(writer->read(std::numeric_limits<std::uint64_t>::max(), more));
        const auto sealed = writer->finish().value();
        EXPECT_EQ(unseal(*sealed), bytes) << "reading changes nothing";
        EXPECT_FALSE(writer->read(0, more)) << "from then on as an object";
    }
}

TEST_F(ReadWhileWritten, RoomIsHeldOrAskedForAgain) {
    close();
    options_.max_bytes = std::uint64_t{16} << 20U;
    open();
    std::vector<std::shared_ptr<const SealedObject>> others;
    auto writer = store_->object_intake().writer().value();
    const std::string begun = some_bytes(200'000);
    ASSERT_TRUE(writer->write(begun));
    while (takes_object(1'000'000)) {
        others.push_back(seal(some_bytes(1'000'000)));
    }
    const std::string more = some_bytes(1'500'000, 2);
    for (int tries = 0; tries < 3; ++tries) {
        EXPECT_FALSE(writer->reserve(more.size()));
        EXPECT_FALSE(writer->reserve(std::numeric_limits<std::uint64_t>::max()));
        EXPECT_EQ(read(*writer, 0, begun.size()), begun);
    }
    ASSERT_TRUE(writer->write(std::string_view("little"))) << "it is not broken";
    others.clear();
    ASSERT_TRUE(eventually([&] { return writer->reserve(more.size()).has_value(); }));
    // Others find no room now, and what was held is there.
    while (takes_object(1'000'000)) {
        others.push_back(seal(some_bytes(1'000'000)));
    }
    ASSERT_TRUE(writer->write(more));
    EXPECT_EQ(unseal(*writer->finish().value()), begun + "little" + more);
}

}  // namespace
}  // namespace lihandover::store::test
