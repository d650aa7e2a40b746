#include "identities.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lihandover::ims {
namespace {

using Rank = Identities::Rank;

std::vector<std::string> texts(const Identities& identities) {
    Uris uris;
    identities.add_to(uris);
    return {uris.list().begin(), uris.list().end()};
}

TEST(Identities, AreInTheOrderOfTheirRanks) {
    Identities identities;
    EXPECT_TRUE(identities.empty());
    identities.add(Rank::request_uri, "sip:there@x");
    identities.set_name("Alice");
    identities.add(Rank::header, "sip:a@x");
    identities.add(Rank::asserted, "tel:+1");
    identities.add(Rank::asserted, "tel:+2");
    identities.add(Rank::preferred, "sip:p@x");
    EXPECT_EQ(texts(identities), (std::vector<std::string>{"tel:+1", "tel:+2", "sip:p@x", "sip:a@x", "sip:there@x"}));
    EXPECT_EQ(identities.name(), "Alice");
}

TEST(Identities, OneIsThereOnceAtItsBestRank) {
    Identities identities;
    identities.add(Rank::header, "sip:a@x");
    identities.add(Rank::called, "sip:c@x");
    identities.add(Rank::asserted, "sip:a@x");
    identities.add(Rank::called, "sip:a@x");
    EXPECT_EQ(texts(identities), (std::vector<std::string>{"sip:a@x", "sip:c@x"}));
    identities.add(Rank::asserted, "sip:c@x");
    EXPECT_EQ(texts(identities), (std::vector<std::string>{"sip:a@x", "sip:c@x"}));
}

TEST(Identities, TheFirstNameStays) {
    Identities identities;
    identities.set_name("");
    EXPECT_EQ(identities.name(), "");
    identities.set_name("Alice");
    identities.set_name("Bob");
    EXPECT_EQ(identities.name(), "Alice");
}

TEST(Identities, AreBounded) {
    Identities identities;
    for (int i = 0; i < 1000; ++i) {
        identities.add(Rank::header, "sip:somebody-" + std::to_string(i) + "@x.example");
    }
    EXPECT_LE(identities.bytes(), Identities::max_bytes);
    EXPECT_EQ(texts(identities).front(), "sip:somebody-0@x.example");
    Identities other;
    other.add(Rank::header, "sip:" + std::string(100'000, 'x'));
    EXPECT_TRUE(other.empty());
}

}  // namespace
}  // namespace lihandover::ims
