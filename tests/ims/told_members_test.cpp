#include "told_members.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lihandover::ims {
namespace {

Uris uris(std::initializer_list<std::string_view> list) {
    Uris made;
    for (const std::string_view uri : list) {
        made.add(uri);
    }
    return made;
}

class ToldMembersTest : public testing::Test {
  protected:
    TableSecret secret = TableSecret::random();
    ToldMembers told{secret};
    ToldMembers::Member alice = *told.find_or_add(uris({"sip:alice@a.example", "tel:+441632960001"}));
};

TEST_F(ToldMembersTest, AMemberGoesByAnyOfItsUris) {
    EXPECT_EQ(told.find(uris({"sip:+441632960001@x;user=phone"})), alice);
    EXPECT_EQ(told.find(uris({"sip:nobody@x", "sips:alice@A.example;transport=tls"})), alice);
    EXPECT_EQ(told.find(uris({"sip:bob@b.example"})), std::nullopt);
    EXPECT_EQ(told.find_or_add(uris({"sip:alice@a.example", "sip:al@other.example"})), alice);
    EXPECT_EQ(told.find(uris({"sip:al@other.example"})), alice);
    EXPECT_EQ(told.size(), 1U);
}

TEST_F(ToldMembersTest, AnonymousOnesAreNobodys) {
    EXPECT_EQ(told.find_or_add(uris({"sip:anonymous@anonymous.invalid"})), std::nullopt);
    EXPECT_EQ(told.find_or_add(uris({})), std::nullopt);
    const auto known = told.find_or_add(uris({"sip:anonymous@anonymous.invalid", "sip:carol@c.example"}));
    ASSERT_TRUE(known);
    EXPECT_EQ(told.find(uris({"sip:anonymous@anonymous.invalid"})), std::nullopt);
}

TEST_F(ToldMembersTest, TheRosterRepeatsWhatACallTold) {
    EXPECT_TRUE(told.call_joins(alice, false));
    EXPECT_FALSE(told.roster_says(alice, true));
    EXPECT_TRUE(told.call_leaves(alice, true));
    EXPECT_FALSE(told.roster_says(alice, false));
    EXPECT_FALSE(told.roster_says(alice, false));
}

TEST_F(ToldMembersTest, ACallRepeatsWhatTheRosterTold) {
    EXPECT_TRUE(told.roster_says(alice, true));
    EXPECT_FALSE(told.call_joins(alice, true));
    EXPECT_TRUE(told.call_joins(alice, true)) << "another device";
    EXPECT_TRUE(told.roster_says(alice, false)) << "what it has yet to tell was that she joined";
    EXPECT_FALSE(told.call_leaves(alice, true));
}

TEST_F(ToldMembersTest, OneWhoWasThereFromTheFirstLeaves) {
    EXPECT_TRUE(told.roster_says(alice, false));
    EXPECT_TRUE(told.roster_says(alice, true));
}

TEST_F(ToldMembersTest, ARosterThatLagsTellsNothingOfItsOwn) {
    EXPECT_TRUE(told.call_joins(alice, false));
    EXPECT_TRUE(told.call_leaves(alice, true));
    EXPECT_TRUE(told.call_joins(alice, true));
    EXPECT_FALSE(told.roster_says(alice, false));
    EXPECT_FALSE(told.roster_says(alice, true));
    EXPECT_TRUE(told.roster_says(alice, false)) << "she was removed";
}

TEST_F(ToldMembersTest, AWholeRosterIsNotBehind) {
    EXPECT_TRUE(told.call_joins(alice, false));
    EXPECT_TRUE(told.call_leaves(alice, true));
    EXPECT_TRUE(told.call_joins(alice, true));
    told.forget_expected();
    EXPECT_TRUE(told.roster_says(alice, false));
}

TEST_F(ToldMembersTest, ANicknameIsToldOnce) {
    EXPECT_TRUE(told.takes_nickname(alice, ""));
    EXPECT_TRUE(told.takes_nickname(alice, "Al"));
    EXPECT_FALSE(told.takes_nickname(alice, "Al"));
    EXPECT_TRUE(told.takes_nickname(alice, ""));
}

TEST_F(ToldMembersTest, AreBounded) {
    for (std::size_t i = 0; i < ToldMembers::most + 10; ++i) {
        const std::string uri = "sip:" + std::to_string(i) + "@x";
        static_cast<void>(told.find_or_add(uris({uri})));
    }
    EXPECT_EQ(told.size(), ToldMembers::most);
    EXPECT_EQ(told.find_or_add(uris({"sip:late@x"})), std::nullopt);
    EXPECT_EQ(told.find(uris({"sip:alice@a.example"})), alice);
}

}  // namespace
}  // namespace lihandover::ims
