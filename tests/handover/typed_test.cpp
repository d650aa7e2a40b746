#include "typed.hpp"

#include <gtest/gtest.h>

#include "lihandover/model/identifier.hpp"

namespace lihandover::handover::test {
namespace {

using model::IdentifierType;

TEST(Typed, Times) {
    const auto exact = [](std::string_view text) { return std::string(exact_time(text).view()); };
    EXPECT_EQ(exact("2026-11-22T10:15:30Z"), "2026-11-22T10:15:30.000000Z");
    EXPECT_EQ(exact("2026-11-22t10:15:30.5z"), "2026-11-22T10:15:30.500000Z");
    EXPECT_EQ(exact("2026-11-22T10:15:30.123456+02:00"), "2026-11-22T10:15:30.123456+02:00");
    EXPECT_EQ(exact("2026-11-22T10:15:30.123456000-00:30"), "2026-11-22T10:15:30.123456-00:30");
    EXPECT_EQ(exact("2026-11-22T10:15:30.1+14:00"), "2026-11-22T10:15:30.100000+14:00");
    EXPECT_EQ(exact("2026-11-22T10:15:30.1234567Z"), "");
    EXPECT_EQ(exact("2026-11-22T10:15:30+14:01"), "");
    EXPECT_EQ(exact("2026-11-22T10:15:30-23:59"), "");
    EXPECT_EQ(exact("2016-12-31T23:59:60Z"), "");
    EXPECT_EQ(exact(""), "");
    EXPECT_EQ(exact("2026-11-22T10:15:30"), "");
}

TEST(Typed, Degrees) {
    const auto north = [](std::string_view text) { return std::string(latitude(text).view()); };
    const auto east = [](std::string_view text) { return std::string(longitude(text).view()); };
    EXPECT_EQ(north("51.5074"), "N51.507400");
    EXPECT_EQ(north("-33.856784"), "S33.856784");
    EXPECT_EQ(north("0"), "N00.000000");
    EXPECT_EQ(north("-0.0"), "N00.000000");
    EXPECT_EQ(north("90"), "N90.000000");
    EXPECT_EQ(north("-90.0000000000"), "S90.000000");
    EXPECT_EQ(north("90.000001"), "");
    EXPECT_EQ(north("5.15074e1"), "N51.507400");
    EXPECT_EQ(north("515074E-4"), "N51.507400");
    EXPECT_EQ(north("0.000051e+6"), "N51.000000");
    EXPECT_EQ(north("1e-6"), "N00.000001");
    EXPECT_EQ(north("1e-7"), "");
    EXPECT_EQ(north("51.50740001"), "");
    EXPECT_EQ(north("0e999999999"), "N00.000000");
    EXPECT_EQ(north("0e99999999999"), "");
    EXPECT_EQ(north("1e999999999"), "");
    EXPECT_EQ(east("180"), "E180.000000");
    EXPECT_EQ(east("-0.127758"), "W000.127758");
    EXPECT_EQ(east("-179.999999"), "W179.999999");
    EXPECT_EQ(east("180.000001"), "");
    EXPECT_EQ(east("999.999999"), "");
    for (const std::string_view bad : {"", "-", ".5", "1.", "1e", "1e+", "1e+-1", "x", "1x", "+1", " 1", "NaN"}) {
        EXPECT_EQ(north(bad), "") << bad;
    }
}

TEST(Typed, Identifiers) {
    using enum IdentifierForm;
    const auto form = [](IdentifierType type, std::string_view value) {
        return identifier_form(type, model::normalised(type, value));
    };
    EXPECT_EQ(form(IdentifierType::msisdn, "+44 7700 900123"), international_e164);
    EXPECT_EQ(form(IdentifierType::msisdn, "EXAMPLE"), untyped);
    EXPECT_EQ(form(IdentifierType::msisdn, "1234567890123456"), untyped);
    EXPECT_EQ(form(IdentifierType::e164, ""), untyped);
    EXPECT_EQ(form(IdentifierType::email, "alice@EXAMPLE.com"), email_address);
    EXPECT_EQ(form(IdentifierType::email, "\"a b\"@x"), untyped);
    EXPECT_EQ(form(IdentifierType::email, "a@-x"), untyped);
    EXPECT_EQ(form(IdentifierType::email, "a@x_y"), untyped);
    EXPECT_EQ(form(IdentifierType::email, "a@b..c"), untyped);
    EXPECT_EQ(form(IdentifierType::email, "a@" + std::string(63, 'b')), email_address);
    EXPECT_EQ(form(IdentifierType::email, "a@" + std::string(64, 'b')), untyped);
    EXPECT_EQ(form(IdentifierType::email, std::string(254, 'a') + "@b"), untyped);
    EXPECT_EQ(form(IdentifierType::sip_uri, "sip:alice@ims.example.com"), sip_uri);
    EXPECT_EQ(form(IdentifierType::sip_uri, "sip:[2001:db8::1]"), untyped);
    for (const std::string_view odd : {"sip:a%zz@example.com", "sip:a%4", "sip:a#b", "sip://a:99999999",
                                       "sip:", "sip:a b", "sip:a|b", "sip:\xD0\x96@b", "SIP:a@b", "mailto:a@b", ""}) {
        EXPECT_EQ(identifier_form(IdentifierType::sip_uri, odd), untyped) << odd;
    }
    EXPECT_EQ(identifier_form(IdentifierType::sip_uri, "sips:a%41@b;x=y?z=%00"), sip_uri);
    EXPECT_EQ(form(IdentifierType::tel_uri, "tel:+447700900123"), tel_uri);
    EXPECT_EQ(form(IdentifierType::sip_uri, "tel:+447700900123"), tel_uri);
    EXPECT_EQ(form(IdentifierType::im_uri, "im:alice@example.com"), untyped);
    EXPECT_EQ(form(IdentifierType::im_uri, "sip:alice@example.com"), sip_uri);
    EXPECT_EQ(form(IdentifierType::user_id, "447700900123"), untyped);
    EXPECT_EQ(form(IdentifierType::username, "alice@example.com"), untyped);
}

TEST(Typed, Properties) {
    const auto typed = [](std::string_view name, std::string_view value) {
        const TypedProperty property = typed_property({.name = name, .value = value});
        return std::string(property.element) + (property.element.empty() ? "" : " ") +
               std::string(property.text.view());
    };
    EXPECT_EQ(typed("ip", "192.0.2.1"), "ipv4Address 192.0.2.1");
    EXPECT_EQ(typed("sourceIp", "192.0.2.1"), "ipv4Address 192.0.2.1");
    EXPECT_EQ(typed("IPv6", "2001:DB8::1"), "ipv6Address 2001:0db8:0000:0000:0000:0000:0000:0001");
    EXPECT_EQ(typed("remote_ip_port", "192.0.2.1"), "ipv4Address 192.0.2.1");
    EXPECT_EQ(typed("ip", "192.0.2.01"), "");
    EXPECT_EQ(typed("ip", "192.0.2.1 "), "");
    EXPECT_EQ(typed("ip", "fe80::1%eth0"), "");
    EXPECT_EQ(typed("ip", std::string_view("1.2.3.4\0", 8)), "");
    EXPECT_EQ(typed("version", "10.0.2.1"), "");
    EXPECT_EQ(typed("mac_address", "00-1A-2B-3C-4D-5E"), "macAddress 00:1a:2b:3c:4d:5e");
    EXPECT_EQ(typed("mac", "00:1A-2B:3C:4D:5E"), "");
    EXPECT_EQ(typed("imsi", "234150999999999"), "imsi 234150999999999");
    EXPECT_EQ(typed("imsi", "12345"), "");
    EXPECT_EQ(typed("IMEI", "12345678901234"), "imei 12345678901234");
    EXPECT_EQ(typed("imei", "123456789012345"), "imeiCheckDigit 123456789012345");
    EXPECT_EQ(typed("imeisv", "1234567890123456"), "imeiSV 1234567890123456");
    EXPECT_EQ(typed("imei", "123"), "");
    EXPECT_EQ(typed("", ""), "");
    EXPECT_EQ(typed(std::string(65, 'i'), "1.2.3.4"), "");
    EXPECT_EQ(typed(std::string(61, '-') + "ip", "1.2.3.4"), "ipv4Address 1.2.3.4");
}

}  // namespace
}  // namespace lihandover::handover::test
