#include "lihandover/audit/entry.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace lihandover::audit {
namespace {

std::string canonical(const Entry& entry) {
    std::string bytes;
    append_canonical(entry, bytes);
    return bytes;
}

Entry sample() {
    Entry entry;
    entry.kind = Kind::item_refused;
    entry.at = model::Instant::from_micros(1'795'342'530'123'456);
    entry.destination = "lea";
    entry.liid = "LIID-1";
    entry.who = "alice";
    entry.why = "asked";
    return entry;
}

TEST(AuditEntry, BytesAreTheDocumentedOnes) {
    const Refusal refusal{3005, Refusal::Kind::hi1_error, "no"};
    Entry entry = sample();
    entry.object_id = model::Uuid::parse("00112233-4455-6677-8899-aabbccddeeff");
    entry.correlation = model::ApplicationCorrelation{0x0102, 3};
    entry.received_at = model::Instant::from_micros(1);
    entry.refusal = &refusal;
    using namespace std::string_literals;
    EXPECT_EQ(canonical(entry), "\x01\x05\x0f"s + "\x00\x06\x60\xda\xc1\xc2\x16\xc0"s + "\0\0\0\0\0\0\0\3lea"s +
                                    "\0\0\0\0\0\0\0\6LIID-1"s + "\0\0\0\0\0\0\0\5alice"s + "\0\0\0\0\0\0\0\5asked"s +
                                    "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"s +
                                    "\0\0\0\0\0\0\1\2"s + "\0\0\0\0\0\0\0\3"s + "\0\0\0\0\0\0\0\1"s + "\0"s +
                                    "\0\0\0\0\0\0\x0b\xbd"s + "\0\0\0\0\0\0\0\2no"s);
}

TEST(AuditEntry, DifferentEntriesHaveDifferentBytes) {
    const Refusal refusal{1, Refusal::Kind::http_status, ""};
    std::vector<Entry> entries(12, sample());
    entries[1].kind = Kind::item_rejected;
    entries[2].at = model::Instant::from_micros(1);
    entries[3].destination = "leaL";
    entries[3].liid = "IID-1";
    entries[4].who = "bob";
    entries[5].why = "";
    entries[6].object_id = model::Uuid{};
    entries[7].correlation = model::ApplicationCorrelation{};
    entries[8].received_at = model::Instant{};
    entries[9].refusal = &refusal;
    entries[10].who = "alicea";
    entries[10].why = "sked";
    entries[11].liid = "LIID-2";
    std::set<std::string> different;
    for (const Entry& entry : entries) {
        EXPECT_EQ(canonical(entry), canonical(entry));
        different.insert(canonical(entry));
    }
    EXPECT_EQ(different.size(), entries.size());
}

TEST(AuditEntry, NumbersOnDiskStay) {
    EXPECT_EQ(static_cast<int>(Kind::item_made), 3);
    EXPECT_EQ(static_cast<int>(Kind::item_delivered), 4);
    EXPECT_EQ(static_cast<int>(Kind::item_rejected), 7);
    EXPECT_EQ(static_cast<int>(Kind::object_expired), 14);
    EXPECT_EQ(static_cast<int>(Kind::object_set_aside), 16);
    EXPECT_EQ(name_of(Kind::object_set_aside), "object_set_aside");
    EXPECT_EQ(static_cast<int>(Refusal::Kind::expired), 3);
    EXPECT_EQ(name_of(Refusal::Kind::unreadable), "unreadable");
}

}  // namespace
}  // namespace lihandover::audit
