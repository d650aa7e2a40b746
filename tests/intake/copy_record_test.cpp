#include "x2x3/copy_record.hpp"

#include <gmock/gmock.h>

#include "make_pdu.hpp"

namespace lihandover::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::xid_of;

ims::Copy full_copy() {
    ims::Copy copy;
    copy.xid = xid_of(0xAB);
    copy.correlation = 0x0102030405060708;
    copy.kind = ims::Copy::Kind::mime;
    copy.direction = ims::Direction::from_target;
    copy.at = model::Instant{1'700'000'000, 999'999'999};
    copy.received_at = model::Instant{1'700'000'001, 1};
    copy.matched = {"sip:alice@example.com", ""};
    copy.mime_type = "text/plain";
    copy.mime_transfer_encoding = "base64";
    copy.sdp = "v=0";
    copy.point = "point-1";
    return copy;
}

TEST(CopyRecord, GivesTheCopyBack) {
    const std::string payload("pay\0load\r\n", 10);
    const std::string bytes = encode_copy(full_copy(), payload);
    const auto copy = decode_copy(bytes);
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->xid, xid_of(0xAB));
    EXPECT_EQ(copy->correlation, 0x0102030405060708U);
    EXPECT_EQ(copy->kind, ims::Copy::Kind::mime);
    EXPECT_EQ(copy->direction, ims::Direction::from_target);
    EXPECT_EQ(copy->at, (model::Instant{1'700'000'000, 999'999'999}));
    EXPECT_EQ(copy->received_at, (model::Instant{1'700'000'001, 1}));
    EXPECT_THAT(copy->matched, ElementsAre("sip:alice@example.com", ""));
    EXPECT_EQ(copy->mime_type, "text/plain");
    EXPECT_EQ(copy->mime_transfer_encoding, "base64");
    EXPECT_EQ(copy->sdp, "v=0");
    EXPECT_EQ(copy->point, "point-1");
    EXPECT_EQ(copy->payload, payload);
}

TEST(CopyRecord, HasWhatMayBeAbsent) {
    ims::Copy least;
    const std::string bytes = encode_copy(least, {});
    const auto copy = decode_copy(bytes);
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->at, std::nullopt);
    EXPECT_THAT(copy->matched, IsEmpty());
    EXPECT_EQ(copy->payload, "");
}

TEST(CopyRecord, TheBytesStayAsTheyAre) {
    // Stores of today are read by the programs of tomorrow: docs/store.md.
    ims::Copy copy;
    copy.xid = xid_of(1);
    copy.correlation = 2;
    copy.kind = ims::Copy::Kind::msrp;
    copy.direction = ims::Direction::to_target;
    copy.at = model::Instant{3, 4};
    copy.received_at = model::Instant{5, 6};
    copy.matched = {"m"};
    copy.point = "p";
    const std::string zero(4, '\0');
    EXPECT_EQ(encode_copy(copy, "payload"),
              std::string("\1") + std::string(16, '\1') + std::string("\2\0\0\0\0\0\0\0", 8) + "\2\2\1" +
                  std::string("\3\0\0\0\0\0\0\0\4\0\0\0", 12) + std::string("\5\0\0\0\0\0\0\0\6\0\0\0", 12) +
                  std::string("\1\0\0\0\1\0\0\0m", 9) + zero + zero + zero + std::string("\1\0\0\0p", 5) +
                  std::string("\7\0\0\0payload", 11));
}

TEST(CopyRecord, RefusesWhatItDidNotWrite) {
    const std::string bytes = encode_copy(full_copy(), "payload");
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_copy(std::string_view(bytes).substr(0, size))) << size;
    }
    EXPECT_FALSE(decode_copy(bytes + "x"));
    std::string other = bytes;
    other[0] = 2;
    EXPECT_FALSE(decode_copy(other)) << "of a later version";
    for (const std::size_t place : {std::size_t{25}, std::size_t{26}, std::size_t{27}}) {
        other = bytes;
        other[place] = 9;
        EXPECT_FALSE(decode_copy(other)) << "no kind, direction or flag";
    }
}

}  // namespace
}  // namespace lihandover::intake
