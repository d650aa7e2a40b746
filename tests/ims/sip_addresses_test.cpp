#include "sip_addresses.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace lihandover::ims {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct AddressCase {
    std::string_view value;
    std::string_view name;
    std::string_view uri;
    std::string_view parameters;
    bool mended = false;
};

TEST(SipAddresses, ReadsOneAddress) {
    const AddressCase cases[] = {
        {"<sip:a@b>", "", "sip:a@b", ""},
        {" \t<sip:a@b> \t", "", "sip:a@b", ""},
        {"sip:a@b", "", "sip:a@b", ""},
        {"sip:a@b;user=phone;tag=1", "", "sip:a@b", ";user=phone;tag=1"},
        {"<sip:a@b;user=phone>;tag=1", "", "sip:a@b;user=phone", ";tag=1"},
        {"<sip:a;x=1@b>", "", "sip:a;x=1@b", ""},
        {"<sip:a@[2001:db8::1]:5060>", "", "sip:a@[2001:db8::1]:5060", ""},
        {"sip:a@[2001:db8::1]:5060;tag=1", "", "sip:a@[2001:db8::1]:5060", ";tag=1"},
        {"tel:+44-7700-900123;phone-context=x", "", "tel:+44-7700-900123", ";phone-context=x"},
        {"<tel:+447700900123;cpc=ordinary>;tag=2", "", "tel:+447700900123;cpc=ordinary", ";tag=2"},
        {"im:a@b", "", "im:a@b", ""},
        {"<urn:service:sos>", "", "urn:service:sos", ""},
        {"Alice <sip:a@b>", "Alice", "sip:a@b", ""},
        {"Alice  B. Example<sip:a@b>", "Alice  B. Example", "sip:a@b", ""},
        {"\"\" <sip:a@b>", "", "sip:a@b", ""},
        {"\"Al, <x> ;ice\" <sip:a@b>;tag=1", "Al, <x> ;ice", "sip:a@b", ";tag=1"},
        {"\"Al \\\"ice\\\\\" <sip:a@b>", "Al \"ice\\", "sip:a@b", ""},
        {"\"\\\"\" <sip:a@b>", "\"", "sip:a@b", ""},
        {"<sip:a@b?Subject=%22x%22&Reason=SIP;cause=302;text=\"a,b\">;index=1", "",
         "sip:a@b?Subject=%22x%22&Reason=SIP;cause=302;text=\"a,b\"", ";index=1"},
        {"<sip:a@b>  ;tag=1", "", "sip:a@b", ";tag=1"},
        {"sip:a@b ;tag=1", "", "sip:a@b", ";tag=1"},
        {"sip:a@b;x=\"<sip:c@d>\"", "", "sip:a@b", ";x=\"<sip:c@d>\""},
        // Mended.
        {"Alice\" <sip:a@b>", "Alice", "sip:a@b", "", true},
        {"\"Alice <sip:a@b>", "Alice", "sip:a@b", "", true},
        {"\"Alice\" Example <sip:a@b>", "\"Alice\" Example", "sip:a@b", "", true},
        {"Alice sip:a@b;tag=1", "Alice", "sip:a@b", ";tag=1", true},
        {"\"Alice\" sip:a@b;tag=1", "Alice", "sip:a@b", ";tag=1", true},
        {"sip:a@b more words;tag=1", "", "sip:a@b", ";tag=1", true},
        {"<sip:a@b", "", "sip:a@b", "", true},
        {"sip:a@b>;tag=1", "", "sip:a@b", ";tag=1", true},
        {"<sip:a@b>>;tag=1", "", "sip:a@b", ";tag=1", true},
        {"<sip:a@b>tag=1;x", "", "sip:a@b", ";x", true},
        {"<sip:a@b>, <sip:c@d>;tag=1", "", "sip:a@b", "", true},
        {"< sip:a@b\t>;tag=1", "", "sip:a@b", ";tag=1", true},
        {"bear <bear@example.org>", "bear", "bear@example.org", "", true},
        {"bear@example.org;tag=1", "", "bear@example.org", ";tag=1", true},
        {"anonymous", "", "anonymous", "", true},
    };
    for (const AddressCase& each : cases) {
        SCOPED_TRACE(each.value);
        SipMessage message;
        SipAddress address;
        EXPECT_TRUE(read_address(each.value, message, address));
        EXPECT_EQ(address.display_name, each.name);
        EXPECT_EQ(address.uri, each.uri);
        EXPECT_EQ(address.parameters, each.parameters);
        EXPECT_EQ(!message.mended.empty(), each.mended);
    }
}

TEST(SipAddresses, SaysWhereThereIsNone) {
    for (const std::string_view value : {"", "  ", "<>", "< >", "\"Alice\"", "\"Alice\" <>", ";tag=1", "\"\"", ">"}) {
        SCOPED_TRACE(value);
        SipMessage message;
        SipAddress address;
        EXPECT_FALSE(read_address(value, message, address));
    }
}

std::vector<std::string> listed(std::string_view value, SipMessage& message) {
    std::vector<SipAddress> addresses;
    std::size_t left = 100;
    EXPECT_TRUE(read_addresses(value, message, addresses, left));
    EXPECT_EQ(left, 100 - addresses.size());
    std::vector<std::string> out;
    for (const SipAddress& each : addresses) {
        out.push_back(std::string(each.display_name) + "|" + std::string(each.uri) + "|" +
                      std::string(each.parameters));
    }
    return out;
}

TEST(SipAddresses, ReadsLists) {
    SipMessage message;
    EXPECT_THAT(listed("<sip:a@b>", message), ElementsAre("|sip:a@b|"));
    EXPECT_THAT(listed("<sip:a@b>;x=1 , sip:c@d;y ,tel:+1", message),
                ElementsAre("|sip:a@b|;x=1", "|sip:c@d|;y", "|tel:+1|"));
    EXPECT_THAT(listed("\"A, B\" <sip:a,b@c?x=\"y>, \"C\"<sip:c@d>", message),
                ElementsAre("A, B|sip:a,b@c?x=\"y|", "C|sip:c@d|"));
    EXPECT_THAT(listed("<sip:a@b>;text=\"1, 2\", <sip:c@d>", message),
                ElementsAre("|sip:a@b|;text=\"1, 2\"", "|sip:c@d|"));
    EXPECT_THAT(listed(",,<sip:a@b>, ,", message), ElementsAre("|sip:a@b|"));
    EXPECT_THAT(listed("*", message), IsEmpty());
    EXPECT_THAT(listed("", message), IsEmpty());
    EXPECT_THAT(message.mended, IsEmpty());
}

TEST(SipAddresses, MendsListsWithCommasInNames) {
    SipMessage message;
    EXPECT_THAT(listed("Bell, Alexander <sip:a@b>, Watson, T, <sip:c@d>", message),
                ElementsAre("Bell, Alexander|sip:a@b|", "Watson, T,|sip:c@d|"));
    EXPECT_THAT(message.mended, ElementsAre("a comma in a display name without quotes"));
}

TEST(SipAddresses, MendsListsWithQuotesOutOfPlace) {
    SipMessage message;
    EXPECT_THAT(listed("John Smith\" <sip:a@b>, <tel:+1>", message), ElementsAre("John Smith|sip:a@b|", "|tel:+1|"));
    EXPECT_THAT(message.mended, ElementsAre("a quote out of place in a display name"));
}

TEST(SipAddresses, StopsAtTheBound) {
    SipMessage message;
    std::vector<SipAddress> addresses;
    std::size_t left = 2;
    EXPECT_TRUE(read_addresses("sip:a@b, sip:c@d,", message, addresses, left));
    EXPECT_EQ(left, 0U);
    EXPECT_FALSE(read_addresses("sip:e@f", message, addresses, left));
    EXPECT_EQ(addresses.size(), 2U);
}

TEST(SipAddresses, ReadsParameters) {
    const SipAddress address{
        .display_name = {},
        .uri = "sip:a@b",
        .parameters = "; Tag = 1 ;;lr; Empty=; quoted = \"a;b=\\\"c\" junk;last;TAG=2;=x;bad=\"y;z=1"};
    EXPECT_EQ(address.parameter("tag"), "1");
    EXPECT_EQ(address.parameter("quoted"), "a;b=\\\"c");
    EXPECT_EQ(address.parameter("lr"), "");
    EXPECT_EQ(address.parameter("empty"), "");
    EXPECT_EQ(address.parameter("bad"), "\"y");
    EXPECT_EQ(address.parameter("z"), "1");
    EXPECT_TRUE(address.has_parameter("LR"));
    EXPECT_TRUE(address.has_parameter("empty"));
    EXPECT_TRUE(address.has_parameter("last"));
    EXPECT_FALSE(address.has_parameter("b"));
    EXPECT_FALSE(address.has_parameter("x"));
    EXPECT_FALSE(address.has_parameter(""));
    EXPECT_FALSE(address.has_parameter("junk"));
}

/// Bounded in time: bytes that make a reader look at the rest again and again.
TEST(SipAddresses, ReadsHostileListsInOneGo) {
    const auto repeated = [](std::string_view text) {
        std::string out;
        while (out.size() < 500'000) {
            out += text;
        }
        return out;
    };
    for (const std::string_view piece :
         {"a,", ",", "\"\\", "\"\\\"", "<", "\",", "a,a,a,<", ";=\"", "\\\"", " ,\"a\""}) {
        SCOPED_TRACE(piece);
        SipMessage message;
        std::vector<SipAddress> addresses;
        std::size_t left = max_sip_addresses;
        const std::string value = repeated(piece);
        static_cast<void>(read_addresses(value, message, addresses, left));
        SipAddress address;
        static_cast<void>(read_address(value, message, address));
        EXPECT_FALSE(address.has_parameter("none"));
        EXPECT_LE(first_of_list(value).size(), value.size());
        EXPECT_LE(addresses.size(), max_sip_addresses);
    }
}

}  // namespace
}  // namespace lihandover::ims
