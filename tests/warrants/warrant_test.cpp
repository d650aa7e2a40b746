#include "lihandover/warrants/warrant.hpp"

#include <gtest/gtest.h>

#include <set>

namespace lihandover::warrants {
namespace {

using model::IdentifierType;

Warrant full_warrant() {
    Warrant warrant;
    warrant.liid = "LIID-0001";
    warrant.destination = "lea-one";
    warrant.valid_from = {1'767'225'600, 0};
    warrant.valid_until = {1'775'001'600, 500};
    warrant.targets = {{IdentifierType::user_id, "u-1", {}, {}, {}},
                       {IdentifierType::sip_uri, "sip:a@b", model::Instant{1'767'225'601, 0},
                        model::Instant{1'767'225'602, 0}, model::Instant{-5, 7}}};
    warrant.services = {"examplechat", std::string("\0x", 2)};
    warrant.deliver = {true, false, true, true};
    warrant.priority = Priority::emergency;
    warrant.review = Review::dual;
    warrant.correlation = Correlation::none;
    warrant.reference = "W-2026-117";
    warrant.acknowledge_not_unique = true;
    return warrant;
}

model::Uuid xid(std::uint8_t number) {
    model::Uuid made;
    made.bytes.fill(number);
    return made;
}

Warrant fed_warrant() {
    Warrant warrant = full_warrant();
    warrant.targets.clear();
    warrant.xids = {xid(0x29), xid(0x1f)};
    return warrant;
}

Warrant test_warrant() {
    Warrant warrant = full_warrant();
    warrant.test = true;
    return warrant;
}

TEST(Warrant, ComesBackFromItsBytes) {
    for (const Warrant& warrant : {full_warrant(), fed_warrant(), test_warrant(), Warrant{}}) {
        const auto again = decode(encode(warrant));
        ASSERT_TRUE(again.has_value());
        EXPECT_EQ(*again, warrant);
        EXPECT_EQ(encode(*again), encode(warrant));
    }
}

TEST(Warrant, EveryMemberIsInTheDigest) {
    std::vector<Warrant> changed(16, full_warrant());
    changed[1].liid = "LIID-0002";
    changed[2].destination = "lea-two";
    changed[3].valid_from.nanos = 1;
    changed[4].valid_until.seconds += 1;
    changed[5].targets[0].value = "u-2";
    changed[6].targets[0].type = IdentifierType::username;
    changed[7].targets[1].until = std::nullopt;
    changed[8].services.pop_back();
    changed[9].deliver.content = true;
    changed[10].priority = Priority::routine;
    changed[11].review = Review::none;
    changed[12].correlation = Correlation::conversation;
    changed[13].reference.clear();
    changed[14].acknowledge_not_unique = false;
    changed[15].targets[1].observed_at->nanos = 8;
    changed.insert(changed.end(), 3, full_warrant());
    changed[16].xids = {xid(1)};
    changed[17].xids = {xid(2)};
    changed[18].xids = {xid(1), xid(2)};
    changed.push_back(test_warrant());
    std::set<Digest> digests;
    for (const Warrant& warrant : changed) {
        digests.insert(digest_of(warrant));
    }
    EXPECT_EQ(digests.size(), changed.size());
    EXPECT_EQ(digest_of(full_warrant()), digest_of(full_warrant()));
}

std::string hex_of(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (const char c : bytes) {
        hex += digits[static_cast<unsigned char>(c) >> 4U];
        hex += digits[static_cast<unsigned char>(c) & 15U];
    }
    return hex;
}

TEST(Warrant, TheFormOfTheBytesStays) {
    // Stores keep them for years: a change of this form needs a new version, and the old one must stay readable.
    Warrant warrant;
    warrant.liid = "L";
    warrant.destination = "d";
    warrant.valid_from = {1, 2};
    warrant.valid_until = {3, 4};
    warrant.targets = {{IdentifierType::email, "a@b", {}, model::Instant{5, 6}, {}}};
    warrant.deliver.content = true;
    const std::string without_xids = hex_of(encode(warrant));
    EXPECT_EQ(without_xids,
              "01"
              "010000004c"
              "0100000064"
              "010000000000000002000000"
              "030000000000000004000000"
              "01000000"
              "0403000000614062"
              "00"
              "01050000000000000006000000"
              "00"
              "00000000"
              "00010000"
              "000000"
              "00000000"
              "00");
    // The same in the second version, which is used only where it is needed.
    warrant.xids = {xid(0x29), xid(0x1f)};
    EXPECT_EQ(hex_of(encode(warrant)), "02" + without_xids.substr(2) +
                                           "02000000"
                                           "29292929292929292929292929292929"
                                           "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f");
}

class DamagedWarrant : public testing::TestWithParam<Warrant> {};

TEST_P(DamagedWarrant, IsAnError) {
    const std::string good = encode(GetParam());
    EXPECT_TRUE(decode("").has_error());
    EXPECT_TRUE(decode(good + "x").has_error());
    for (std::size_t length = 0; length < good.size(); ++length) {
        EXPECT_TRUE(decode(std::string_view(good).substr(0, length)).has_error());
    }
    for (std::size_t n = 0; n < good.size(); ++n) {
        for (const int flip : {0x01, 0x80, 0xFF}) {
            std::string damaged = good;
            damaged[n] = static_cast<char>(static_cast<unsigned char>(damaged[n]) ^ static_cast<unsigned>(flip));
            const auto result = decode(damaged);  // no crash, no memory asked for that is not there
            if (result.has_value()) {
                EXPECT_EQ(encode(*result), damaged);
            }
        }
    }
    std::string newer = good;
    newer[0] = 4;
    EXPECT_NE(decode(newer).error().message.find("version"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Versions, DamagedWarrant, testing::Values(full_warrant(), fed_warrant(), test_warrant()),
                         [](const auto& one) {
                             return one.param.test ? "OfTest" : one.param.xids.empty() ? "First" : "WithXids";
                         });

TEST(Warrant, StateFollowsItsWindow) {
    Warrant warrant;
    warrant.valid_from = {100, 0};
    warrant.valid_until = {200, 0};
    EXPECT_EQ(state_at(warrant, {99, 999'999'999}), State::pending);
    EXPECT_EQ(state_at(warrant, {100, 0}), State::active);
    EXPECT_EQ(state_at(warrant, {199, 999'999'999}), State::active);
    EXPECT_EQ(state_at(warrant, {200, 0}), State::expired);
}

}  // namespace
}  // namespace lihandover::warrants
