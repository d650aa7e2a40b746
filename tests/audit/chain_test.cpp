#include "lihandover/audit/chain.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "lihandover/audit/lines.hpp"
#include "lihandover/base/hex.hpp"
#include "support.hpp"

namespace lihandover::audit::test {
namespace {

const Refusal refusal{3005, Refusal::Kind::hi1_error, "words"};

/// One that has everything.
Recorded full() {
    Recorded recorded;
    recorded.number = 41;
    Entry& entry = recorded.entry;
    entry.kind = Kind::item_rejected;
    entry.at = {1'800'000'000, 123'456'789};
    entry.destination = "lea";
    entry.liid = "LIID-1";
    entry.who = "bob";
    entry.why = "a mistake";
    entry.object_id = model::Uuid::parse("29f28e1c-f230-486a-a860-f5a784ab9177");
    entry.correlation = {7, 9};
    entry.received_at = model::Instant{1'799'999'999, 999'999'999};
    entry.refusal = &refusal;
    recorded.item = 12;
    return recorded;
}

std::string canonical(const Recorded& recorded) {
    std::string bytes;
    append_canonical(recorded, bytes);
    return bytes;
}

TEST(Chain, CanonicalBytesAreAsDocumented) {
    const std::string expected =
        "02"
        "0000000000000029"
        "071f"
        "000000006b49d200075bcd15"
        "000000036c6561"
        "000000064c4949442d31"
        "00000003626f62"
        "0000000961206d697374616b65"
        "29f28e1cf230486aa860f5a784ab9177"
        "00000000000000070000000000000009"
        "000000006b49d1ff3b9ac9ff"
        "000000000000000bbd00000005776f726473"
        "000000000000000c";
    EXPECT_EQ(base::to_hex(canonical(full())), expected);
}

TEST(Chain, EachFieldChangesTheBytes) {
    const std::vector<std::function<void(Recorded&)>> changes = {
        [](Recorded& r) { ++r.number; },
        [](Recorded& r) { r.entry.kind = Kind::item_made; },
        [](Recorded& r) { ++r.entry.at.nanos; },
        [](Recorded& r) { ++r.entry.at.seconds; },
        [](Recorded& r) { r.entry.destination = "leaL"; },
        [](Recorded& r) { r.entry.liid = "IID-1"; },
        [](Recorded& r) { r.entry.who = ""; },
        [](Recorded& r) { r.entry.why = ""; },
        [](Recorded& r) { r.entry.object_id.reset(); },
        [](Recorded& r) { r.entry.correlation.reset(); },
        [](Recorded& r) { ++r.entry.correlation->sequence_number; },
        [](Recorded& r) { r.entry.received_at.reset(); },
        [](Recorded& r) { --r.entry.received_at->nanos; },
        [](Recorded& r) { r.entry.refusal = nullptr; },
        [](Recorded& r) { r.item.reset(); },
        [](Recorded& r) { ++*r.item; },
    };
    for (std::size_t i = 0; i < changes.size(); ++i) {
        Recorded changed = full();
        changes[i](changed);
        EXPECT_NE(canonical(changed), canonical(full())) << i;
    }
}

TEST(Chain, TheHashIsThatOfTheHashBeforeAndTheBytes) {
    Hash previous{};
    previous.fill(1);
    Hasher hasher;
    hasher.update(std::string(32, '\1') + canonical(full()));
    const Hash expected = hasher.finish();
    EXPECT_EQ(hasher.of(previous, full()), expected);
    EXPECT_EQ(hasher.of(previous, full()), expected) << "a second time";
    previous.fill(2);
    EXPECT_NE(hasher.of(previous, full()), expected);
}

TEST(Lines, AnEntryComesBackWhole) {
    Recorded recorded = full();
    const std::string odd("\x80 no UTF-8", 10);
    recorded.entry.who = odd;
    recorded.entry.why = "line\nfeed, \"quotes\", \\ and \xc3\xa9";
    for (const bool with_previous : {false, true}) {
        std::string line;
        write_line(recorded, with_previous, line);
        line.pop_back();
        auto read = read_line(line);
        ASSERT_TRUE(read) << read.error().message;
        const ReadEntry& entry = *std::get<std::unique_ptr<ReadEntry>>(*read);
        EXPECT_EQ(canonical(entry.recorded), canonical(recorded));
        EXPECT_EQ(entry.has_previous, with_previous);
    }
}

TEST(Lines, TimesHaveNineDecimals) {
    EXPECT_EQ(to_nanosecond_date_time({1'795'342'530, 7}), "2026-11-22T10:15:30.000000007Z");
    EXPECT_EQ(to_nanosecond_date_time({1'795'342'530, 999'999'999}), "2026-11-22T10:15:30.999999999Z");
}

TEST(Lines, OneThatIsWrittenInAnotherWayIsRefused) {
    TestChain chain;
    chain.add("LIID-1", Kind::item_made, "A");
    std::string line = chain.lines()[1];
    line.pop_back();
    ASSERT_TRUE(read_line(line));
    const auto replaced = [&](const std::string& what, const std::string& with) {
        std::string changed = line;
        changed.replace(changed.find(what), what.size(), with);
        return changed;
    };
    EXPECT_FALSE(read_line(line + " "));
    EXPECT_FALSE(read_line(replaced("\"A\"", "\"\\u0041\"")));
    EXPECT_FALSE(read_line(replaced("\"why\":\"A\"", "\"why\":\"A\",\"why\":\"A\"")));
    EXPECT_FALSE(read_line(replaced("\"why\":\"A\"", "\"why\":\"A\",\"more\":1")));
    EXPECT_FALSE(read_line(replaced("\"why\":\"A\"", "\"why_hex\":\"41\"")));
    EXPECT_FALSE(read_line(replaced("item_made", "item_mad")));
    EXPECT_FALSE(read_line(""));
    EXPECT_FALSE(read_line("[]"));
    EXPECT_FALSE(read_line("{}"));
    EXPECT_FALSE(read_line(R"({"number":1,"refusal":7})"));
    EXPECT_FALSE(read_line(R"({"audit_export":1,"from":1})"));
}

}  // namespace
}  // namespace lihandover::audit::test
