#include "lihandover/audit/entry.hpp"

#include <gtest/gtest.h>

namespace lihandover::audit {
namespace {

TEST(AuditEntry, NumbersOnDiskStay) {
    EXPECT_EQ(static_cast<int>(Kind::item_made), 3);
    EXPECT_EQ(static_cast<int>(Kind::item_delivered), 4);
    EXPECT_EQ(static_cast<int>(Kind::item_rejected), 7);
    EXPECT_EQ(static_cast<int>(Kind::object_expired), 14);
    EXPECT_EQ(static_cast<int>(Kind::object_set_aside), 16);
    EXPECT_EQ(name_of(Kind::object_set_aside), "object_set_aside");
    EXPECT_EQ(static_cast<int>(Kind::store_restored), 21);
    EXPECT_EQ(static_cast<int>(Kind::warrant_revoked), 22);
    EXPECT_EQ(static_cast<int>(Kind::warrant_refused), 25);
    EXPECT_EQ(name_of(Kind::warrant_refused), "warrant_refused");
    EXPECT_EQ(static_cast<int>(Kind::item_held), 26);
    EXPECT_EQ(static_cast<int>(Kind::item_withheld), 31);
    EXPECT_EQ(static_cast<int>(Kind::restore_accepted), 32);
    EXPECT_EQ(static_cast<int>(Kind::revocation_lifted), 33);
    EXPECT_EQ(static_cast<int>(Kind::warrants_applied), 34);
    EXPECT_EQ(static_cast<int>(Kind::content_shown), 29);
    EXPECT_EQ(name_of(Kind::content_shown), "content_shown");
    EXPECT_EQ(static_cast<int>(Kind::store_sealed), 30);
    EXPECT_EQ(name_of(Kind::store_sealed), "store_sealed");
    EXPECT_EQ(static_cast<int>(Refusal::Kind::expired), 3);
    EXPECT_EQ(name_of(Refusal::Kind::unreadable), "unreadable");
}

}  // namespace
}  // namespace lihandover::audit
