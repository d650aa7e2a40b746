#include "parties.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lihandover::ims {
namespace {

using model::IdentifierType;
using model::PartyRole;

SipAddress address(std::string_view uri) {
    SipAddress made;
    made.uri = uri;
    return made;
}

std::vector<std::string> texts(const Uris& uris) {
    return {uris.list().begin(), uris.list().end()};
}

TEST(Uris, KeepTheirOrderAndEachOnce) {
    Uris uris;
    uris.add("sip:a@x");
    uris.add("");
    uris.add("tel:+1");
    uris.add("sip:a@x");
    EXPECT_EQ(texts(uris), (std::vector<std::string>{"sip:a@x", "tel:+1"}));
}

TEST(Uris, AreBounded) {
    Uris uris;
    std::vector<std::string> many;
    for (int i = 0; i < 100; ++i) {
        many.push_back("sip:" + std::to_string(i) + "@x");
    }
    for (const std::string& uri : many) {
        uris.add(uri);
    }
    EXPECT_EQ(uris.list().size(), Uris::max);
}

TEST(Sender, WhatIsTrustedComesFirst) {
    SipMessage request;
    request.from = address("sip:anonymous@anonymous.invalid");
    request.preferred = {address("sip:p@x")};
    request.asserted = {address("sip:a@x"), address("tel:+441632960001")};
    Uris uris;
    add_sender(request, uris);
    EXPECT_EQ(texts(uris),
              (std::vector<std::string>{"sip:a@x", "tel:+441632960001", "sip:p@x", "sip:anonymous@anonymous.invalid"}));
}

TEST(Receiver, HasAllItWasReachedBy) {
    SipMessage request;
    request.to = address("sip:b@y");
    request.request_uri = "sip:b@[2001:db8::2]:5060";
    request.called_party = {address("sip:b@y"), address("tel:+441632960002")};
    request.history = {address("sip:first@y")};
    request.diversion = {address("sip:busy@y")};
    Uris uris;
    add_receiver(request, uris);
    EXPECT_EQ(texts(uris), (std::vector<std::string>{"sip:b@y", "sip:b@[2001:db8::2]:5060", "tel:+441632960002",
                                                     "sip:first@y", "sip:busy@y"}));
}

TEST(TypeOf, GoesByTheScheme) {
    EXPECT_EQ(type_of("SIP:a@x"), IdentifierType::sip_uri);
    EXPECT_EQ(type_of("sips:a@x"), IdentifierType::sip_uri);
    EXPECT_EQ(type_of("tel:+44"), IdentifierType::tel_uri);
    EXPECT_EQ(type_of("im:a@x"), IdentifierType::im_uri);
    EXPECT_EQ(type_of("mailto:a@x"), IdentifierType::email);
    EXPECT_EQ(type_of("a@x"), IdentifierType::email);
    EXPECT_EQ(type_of("+44 1632 960001"), IdentifierType::msisdn);
    EXPECT_EQ(type_of("msrp://x:1/s;tcp"), IdentifierType::user_id);
    EXPECT_EQ(type_of("anything"), IdentifierType::user_id);
}

class Marks : public testing::Test {
  protected:
    Marks() {
        const std::vector<std::string_view> sender = {"sip:a@x", "tel:+441632960001"};
        add_party(made, PartyRole::sender, sender);
    }
    void receiver(std::string_view uri) {
        const std::vector<std::string_view> uris = {uri};
        add_party(made, PartyRole::receiver, uris);
    }
    std::vector<bool> marks(Direction direction, Way way = Way::along) {
        copy.direction = direction;
        mark_targeted(made, copy, way);
        return made.targeted;
    }

    MadeEvent made;
    Copy copy;
};
using Bools = std::vector<bool>;

TEST_F(Marks, FromTargetMarksTheSender) {
    receiver("sip:b@y");
    EXPECT_EQ(marks(Direction::from_target), (Bools{true, false}));
}

TEST_F(Marks, ToTargetMarksALoneReceiver) {
    receiver("sip:b@y");
    EXPECT_EQ(marks(Direction::to_target), (Bools{false, true}));
}

TEST_F(Marks, AnAnswerGoesAgainstItsMessage) {
    receiver("sip:b@y");
    EXPECT_EQ(marks(Direction::to_target, Way::against), (Bools{true, false}));
}

TEST_F(Marks, OfSeveralReceiversNoneWithoutAMatch) {
    receiver("sip:b@y");
    receiver("sip:c@y");
    EXPECT_EQ(marks(Direction::to_target), (Bools{false, false, false}));
}

TEST_F(Marks, OfSeveralReceiversTheOneThatMatches) {
    receiver("sip:b@y");
    receiver("sip:c@y");
    copy.matched = {"sip:c@Y"};
    EXPECT_EQ(marks(Direction::to_target), (Bools{false, false, true}));
}

TEST_F(Marks, AMatchCountsWhateverItsSpelling) {
    receiver("sip:b@y");
    copy.matched = {"441632960001"};
    EXPECT_EQ(marks(Direction::several), (Bools{true, false}));
}

TEST_F(Marks, AMatchWithoutItsScheme) {
    receiver("sip:b@y");
    copy.matched = {"b@y"};
    EXPECT_EQ(marks(Direction::unknown), (Bools{false, true}));
}

TEST_F(Marks, NoneWithoutDirectionAndMatch) {
    receiver("sip:b@y");
    EXPECT_EQ(marks(Direction::several), (Bools{false, false}));
}

TEST_F(Marks, WhereTheDirectionSaysNothingOnlyAMatchCounts) {
    receiver("sip:b@y");
    EXPECT_EQ(marks(Direction::from_target, Way::unknown), (Bools{false, false}));
}

TEST(AddMatched, TakesTheRoleOfTheDirection) {
    Copy copy;
    copy.matched = {"sip:a@x"};
    copy.direction = Direction::to_target;
    MadeEvent made;
    add_matched(made, copy);
    ASSERT_EQ(made.event.parties.size(), 1U);
    EXPECT_EQ(made.event.parties.front().role, PartyRole::receiver);

    MadeEvent none;
    add_matched(none, Copy{});
    EXPECT_TRUE(none.event.parties.empty());
}

TEST(AddParty, BytesThatAreNoUtf8ArePercentEncoded) {
    MadeEvent made;
    const std::vector<std::string_view> uris = {"sip:\xFF@x"};
    add_party(made, PartyRole::sender, uris);
    EXPECT_EQ(made.event.identifiers.front().value, "sip:%FF@x");
}

}  // namespace
}  // namespace lihandover::ims
