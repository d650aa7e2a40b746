#include "lihandover/intake/x2x3/pdu.hpp"

#include <gmock/gmock.h>

#include <charconv>
#include <filesystem>
#include <memory>

#include "../ims/samples.hpp"
#include "lihandover/base/hex.hpp"
#include "make_pdu.hpp"

namespace lihandover::intake {
namespace {

using testing::attribute;
using testing::big_endian;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MadePdu;
using testing::octets_of;
using ::testing::Optional;
using testing::xid_of;

struct Read {
    std::unique_ptr<const std::string> bytes;  ///< which the PDU points into
    PduRead outcome{};
    Pdu pdu;
    std::size_t needed = 0;
};

Read read(std::string_view bytes, const PduBounds& bounds = {}) {
    Read result;
    result.bytes = std::make_unique<const std::string>(bytes);
    result.outcome = read_pdu(*result.bytes, bounds, result.pdu, result.needed);
    return result;
}

std::string text_of(std::string_view value) {
    std::string scratch;
    return std::string(target_text(value, scratch));
}

TEST(PduTest, ReadsTheHeader) {
    const std::string bytes = MadePdu{.minor = 6,
                                      .type = 2,
                                      .format = 13,
                                      .direction = 2,
                                      .xid = xid_of(0xA1),
                                      .correlation = 0x0102030405060708,
                                      .payload = "payload"}
                                  .octets();
    const Read one = read(bytes + "next");
    ASSERT_EQ(one.outcome, PduRead::pdu);
    EXPECT_EQ(one.pdu.major, 0);
    EXPECT_EQ(one.pdu.minor, 6);
    EXPECT_EQ(one.pdu.type, 2);
    EXPECT_EQ(one.pdu.format, 13);
    EXPECT_EQ(one.pdu.direction, 2);
    EXPECT_EQ(one.pdu.xid, xid_of(0xA1));
    EXPECT_EQ(one.pdu.correlation, 0x0102030405060708U);
    EXPECT_EQ(one.pdu.payload, "payload");
    EXPECT_EQ(one.pdu.octets, bytes.size());
    EXPECT_FALSE(one.pdu.broken_attribute);
}

TEST(PduTest, ReadsTheAttributes) {
    const Read one = read(MadePdu{}
                              .with(1, "of another standard")
                              .with(5, "domain")
                              .with(6, "function")
                              .with(7, "point")
                              .with(8, big_endian(0xDEADBEEF, 4))
                              .with(9, big_endian(1'700'000'000, 4) + big_endian(123'456'789, 4))
                              .with(12, std::string(16, 'a'))
                              .with(11, "bbbb")
                              .with(14, big_endian(5060, 2))
                              .with(15, big_endian(5061, 2))
                              .with(16, "\x11")
                              .with(17, "sip:alice@example.com")
                              .with(17, "<SIPURI>sip:a@example.com</SIPURI>")
                              .with(18, "other")
                              .with(19, "text/plain")
                              .with(20, "base64")
                              .with(22, "v=0")
                              .octets());
    ASSERT_EQ(one.outcome, PduRead::pdu);
    EXPECT_FALSE(one.pdu.broken_attribute);
    EXPECT_EQ(one.pdu.domain_id, "domain");
    EXPECT_EQ(one.pdu.function_id, "function");
    EXPECT_EQ(one.pdu.point_id, "point");
    EXPECT_THAT(one.pdu.sequence, Optional(0xDEADBEEFU));
    EXPECT_THAT(one.pdu.at, Optional(model::Instant{1'700'000'000, 123'456'789}));
    EXPECT_EQ(one.pdu.source_address, std::string(16, 'a'));
    EXPECT_EQ(one.pdu.destination_address, "bbbb");
    EXPECT_THAT(one.pdu.source_port, Optional(5060));
    EXPECT_THAT(one.pdu.destination_port, Optional(5061));
    EXPECT_THAT(one.pdu.matched_targets, ElementsAre("sip:alice@example.com", "<SIPURI>sip:a@example.com</SIPURI>"));
    EXPECT_THAT(one.pdu.other_targets, ElementsAre("other"));
    EXPECT_EQ(one.pdu.mime_type, "text/plain");
    EXPECT_EQ(one.pdu.mime_transfer_encoding, "base64");
    EXPECT_EQ(one.pdu.sdp, "v=0");
    EXPECT_THAT(one.pdu.unknown_attributes, IsEmpty());
}

TEST(PduTest, ReadsFurtherXidsWithAndWithoutASequenceNumber) {
    const Read one = read(MadePdu{}
                              .with(21, octets_of(xid_of(2)) + big_endian(7, 8))
                              .with(21, octets_of(xid_of(3)) + big_endian(8, 8) + big_endian(1, 4))
                              .octets());
    EXPECT_THAT(one.pdu.further_xids, ElementsAre(xid_of(2), xid_of(3)));
    EXPECT_FALSE(one.pdu.broken_attribute);
    EXPECT_TRUE(read(MadePdu{}.with(21, octets_of(xid_of(2))).octets()).pdu.broken_attribute);
}

TEST(PduTest, TakesTimesOfEightAndTwelveOctets) {
    const auto time = [](const std::string& value) { return read(MadePdu{}.with(9, value).octets()).pdu.at; };
    EXPECT_THAT(time(big_endian(1, 4) + big_endian(2, 4)), Optional(model::Instant{1, 2}));
    EXPECT_THAT(time(big_endian(0x80000000, 4) + big_endian(0, 4)), Optional(model::Instant{2'147'483'648, 0}))
        << "seconds are unsigned";
    EXPECT_THAT(time(big_endian(0xFFFFFFFF, 4) + big_endian(999'999'999, 4)),
                Optional(model::Instant{4'294'967'295, 999'999'999}));
    EXPECT_THAT(time(big_endian(1'700'000'000, 8) + big_endian(123'456'000, 4)),
                Optional(model::Instant{1'700'000'000, 123'456'000}));
    for (const std::string& none : {std::string(), std::string(7, '\0'), std::string(16, '\0'),
                                    big_endian(1, 4) + big_endian(1'000'000'000, 4), std::string(12, '\x7F')}) {
        const Read one = read(MadePdu{}.with(9, none).octets());
        EXPECT_EQ(one.pdu.at, std::nullopt);
        EXPECT_TRUE(one.pdu.broken_attribute);
    }
}

TEST(PduTest, WhatIsThereTwiceCountsOnce) {
    const Read one = read(MadePdu{}.numbered(1).numbered(2).with(7, "a").with(7, "b").octets());
    EXPECT_THAT(one.pdu.sequence, Optional(1U));
    EXPECT_EQ(one.pdu.point_id, "a");
}

TEST(PduTest, UnknownAttributesArePassedOverByTheirLength) {
    const Read one =
        read(MadePdu{}.with(0, "zero").with(23, "").with(0xFFFF, std::string(1000, 'x')).numbered(5).octets());
    EXPECT_THAT(one.pdu.unknown_attributes, ElementsAre(0, 23, 0xFFFF));
    EXPECT_THAT(one.pdu.sequence, Optional(5U));
    EXPECT_FALSE(one.pdu.broken_attribute);
}

TEST(PduTest, AfterABrokenAttributeTheNextPduBeginsWhereTheLengthsSay) {
    const std::string next = MadePdu{.payload = "next"}.octets();
    const std::string overrun = big_endian(8, 2) + big_endian(200, 2) + "few";
    for (const std::string& broken :
         {overrun, std::string("x"), big_endian(8, 2) + "\1", attribute(8, "abc"), attribute(14, "abc"),
          attribute(10, "abc"), attribute(12, "abcd"), attribute(9, "abc"), attribute(21, "abc")}) {
        MadePdu made{.payload = "payload"};
        made.attributes = attribute(7, "point") + broken;
        const std::string bytes = made.octets() + next;
        const Read one = read(bytes);
        ASSERT_EQ(one.outcome, PduRead::pdu);
        EXPECT_TRUE(one.pdu.broken_attribute);
        EXPECT_EQ(one.pdu.point_id, "point") << "what stands before it counts";
        EXPECT_EQ(one.pdu.payload, "payload");
        EXPECT_EQ(read(std::string_view(bytes).substr(one.pdu.octets)).pdu.payload, "next");
    }
    // One of a length that is wrong hides none after it.
    MadePdu made;
    made.attributes = attribute(14, "abc") + attribute(7, "point");
    EXPECT_EQ(read(made.octets()).pdu.point_id, "point");
}

TEST(PduTest, LengthsAreJudgedBeforeTheirBytesAreThere) {
    const auto start = [](std::uint32_t header, std::uint32_t payload) {
        return big_endian(0x0005, 2) + big_endian(1, 2) + big_endian(header, 4) + big_endian(payload, 4);
    };
    EXPECT_EQ(read(start(0x7F000051, 0).substr(0, 8)).outcome, PduRead::unframed);
    EXPECT_EQ(read(start(39, 0).substr(0, 8)).outcome, PduRead::unframed);
    EXPECT_EQ(read(start(0, 0)).outcome, PduRead::unframed);
    EXPECT_EQ(read(start(81, 0x7F00021B)).outcome, PduRead::unframed);
    EXPECT_EQ(read(start(81, 0xFFFFFFFF)).outcome, PduRead::unframed);
    EXPECT_EQ(read(start(40, 0).substr(0, 7)).outcome, PduRead::incomplete);
    const PduBounds bounds{.max_header = 100, .max_payload = 1000};
    EXPECT_EQ(read(start(100, 1000), bounds).outcome, PduRead::incomplete);
    EXPECT_EQ(read(start(101, 0), bounds).outcome, PduRead::unframed);
    EXPECT_EQ(read(start(40, 1001), bounds).outcome, PduRead::unframed);
    EXPECT_EQ(read(start(40, std::uint32_t{16} << 20U)).outcome, PduRead::incomplete) << "16 MiB are taken";
}

TEST(PduTest, AnotherMajorVersionIsRefusedAtItsFirstOctet) {
    EXPECT_EQ(read("\1").outcome, PduRead::other_version);
    EXPECT_EQ(read(MadePdu{.major = 5, .minor = 0}.octets()).outcome, PduRead::other_version);
    for (const int minor : {0, 5, 6, 255}) {
        EXPECT_EQ(read(MadePdu{.minor = static_cast<std::uint8_t>(minor)}.octets()).outcome, PduRead::pdu);
    }
}

TEST(PduTest, AnIncompleteOneSaysHowMuchItNeeds) {
    const std::string bytes = MadePdu{.payload = "payload"}.with(7, "point").octets();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const Read one = read(std::string_view(bytes).substr(0, size));
        EXPECT_EQ(one.outcome, PduRead::incomplete);
        EXPECT_EQ(one.needed, size < 40 ? 40 : bytes.size());
    }
    EXPECT_EQ(read(bytes).needed, bytes.size());
}

TEST(PduTest, OneThatIsReusedKeepsNothingOfTheLast) {
    Pdu pdu;
    std::size_t needed = 0;
    const std::string first = MadePdu{.payload = "x"}
                                  .numbered(1)
                                  .with(17, "a")
                                  .with(18, "b")
                                  .with(99, "c")
                                  .with(21, octets_of(xid_of(2)) + big_endian(0, 8))
                                  .with(14, "x")
                                  .octets();
    ASSERT_EQ(read_pdu(first, {}, pdu, needed), PduRead::pdu);
    ASSERT_TRUE(pdu.broken_attribute);
    const std::string second = MadePdu{.xid = {}}.octets();
    ASSERT_EQ(read_pdu(second, {}, pdu, needed), PduRead::pdu);
    EXPECT_FALSE(pdu.broken_attribute);
    EXPECT_FALSE(pdu.sequence);
    EXPECT_TRUE(pdu.matched_targets.empty() && pdu.other_targets.empty() && pdu.unknown_attributes.empty() &&
                pdu.further_xids.empty() && pdu.payload.empty());
}

TEST(PduTest, AcknowledgementsRepeatTheNumber) {
    const std::string numbered = testing::keepalive(0xFFFFFFFE);
    EXPECT_EQ(acknowledgement_of(read(numbered).pdu),
              (MadePdu{.type = 4, .format = 0, .direction = 0, .xid = {}}.numbered(0xFFFFFFFE).octets()));
    EXPECT_EQ(acknowledgement_of(read(numbered).pdu).size(), 48U);
    EXPECT_EQ(acknowledgement_of(read(testing::keepalive()).pdu),
              (MadePdu{.type = 4, .format = 0, .direction = 0, .xid = {}}.octets()));
    // In the version of who asks, whatever its payload format says.
    const std::string odd =
        MadePdu{.minor = 6, .type = 3, .format = 1, .direction = 0, .xid = {}}.numbered(42).octets();
    EXPECT_EQ(acknowledgement_of(read(odd).pdu),
              (MadePdu{.minor = 6, .type = 4, .format = 0, .direction = 0, .xid = {}}.numbered(42).octets()));
}

TEST(TargetTextTest, IsThatOfTheElementWhateverItsName) {
    EXPECT_EQ(text_of("<E164Number>447700900123</E164Number>"), "447700900123");
    EXPECT_EQ(text_of(" <SIPURI>\n  sip:alice@example.com\n</SIPURI >\n"), "sip:alice@example.com");
    EXPECT_EQ(text_of("<x:SIPURI xmlns:x=\"urn:x\">sip:a@example.com</x:SIPURI>"), "sip:a@example.com");
    EXPECT_EQ(text_of("<?xml version=\"1.0\"?><!-- who --><IMSI>234150999999999</IMSI>"), "234150999999999");
    EXPECT_EQ(text_of("<TargetIdentifier><SIPURI>sip:a@example.com</SIPURI></TargetIdentifier>"), "sip:a@example.com");
    EXPECT_EQ(text_of("<SIPURI><![CDATA[sip:a@example.com?x=1&y=2]]></SIPURI>"), "sip:a@example.com?x=1&y=2");
}

TEST(TargetTextTest, ReferencesAreResolved) {
    EXPECT_EQ(text_of("<SIPURI>sip:a@example.com?x=1&amp;y=&#50;&#x33;</SIPURI>"), "sip:a@example.com?x=1&y=23");
    EXPECT_EQ(text_of("<!DOCTYPE a [<!ENTITY e \"boom\">]><a>&e;</a>"), "&e;") << "no entity is expanded";
}

TEST(TargetTextTest, WhatIsNoXmlIsTheTextItself) {
    EXPECT_EQ(text_of("sip:alice@example.com"), "sip:alice@example.com");
    EXPECT_EQ(text_of(" tel:+447700900123 \r\n"), "tel:+447700900123");
    EXPECT_EQ(text_of("LI-001"), "LI-001");
    EXPECT_EQ(text_of("a&amp;b"), "a&amp;b");
    EXPECT_EQ(text_of("<SIPURI>sip:a@example.com</TELURI>"), "<SIPURI>sip:a@example.com</TELURI>");
    EXPECT_EQ(text_of("<"), "<");
    EXPECT_EQ(text_of(""), "");
    EXPECT_EQ(text_of("<SIPURI></SIPURI>"), "");
    EXPECT_EQ(text_of("<SIPURI/>"), "");
}

TEST(TargetTextTest, IsFoundHoweverDeep) {
    std::string deep;
    for (int i = 0; i < 5000; ++i) {
        deep += "<a>";
    }
    deep += "x";
    for (int i = 0; i < 5000; ++i) {
        deep += "</a>";
    }
    EXPECT_EQ(text_of(deep), "x");
}

// PDUs of other implementations, where they are beside the source tree.

const std::filesystem::path samples = ims::samples_of("x2x3");

std::string bytes_of_hex(std::string_view hex) {
    std::string out;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
        out += static_cast<char>(base::hex_byte(hex.substr(at)));
    }
    return out;
}

std::size_t number_of(const std::string& text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

class SamplesTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!std::filesystem::exists(samples / "expect.tsv")) {
            GTEST_SKIP() << "there are no samples";
        }
    }
};

void expect_fields(const ims::SampleRow& row, const Pdu& pdu) {
    const auto is = [&](const char* column, const std::string& found) {
        if (row[column] != "-") {
            EXPECT_EQ(row[column], found) << column;
        }
    };
    is("major", std::to_string(pdu.major));
    is("minor", std::to_string(pdu.minor));
    is("pdu_type", std::to_string(pdu.type));
    is("header_length", std::to_string(pdu.octets - pdu.payload.size()));
    is("payload_length", std::to_string(pdu.payload.size()));
    is("payload_format", std::to_string(pdu.format));
    is("direction", std::to_string(pdu.direction));
    is("xid", pdu.xid.to_string());
    is("correlation_id", base::to_hex(big_endian(pdu.correlation, 8)));
    is("pdu_octets", std::to_string(pdu.octets));
}

TEST_F(SamplesTest, AreReadAsTheirTableSays) {
    for (const ims::SampleRow& row : ims::sample_table(samples / "expect.tsv")) {
        const std::string bytes = ims::contents_of(samples / row["file"]);
        SCOPED_TRACE(row["file"] + ": " + row["reason"]);
        const Read one = read(std::string_view(bytes).substr(number_of(row["offset"])));
        const std::string& framing = row["framing"];
        if (row["major"] != "-" && row["major"] != "0") {
            EXPECT_EQ(one.outcome, PduRead::other_version);
        } else if (framing == "incomplete" && row["verdict"] == "incomplete") {
            EXPECT_EQ(one.outcome, PduRead::incomplete);
        } else if (framing == "ok" || framing == "attribute overrun") {
            ASSERT_EQ(one.outcome, PduRead::pdu);
            EXPECT_EQ(one.pdu.broken_attribute, framing != "ok");
            expect_fields(row, one.pdu);
        } else {
            EXPECT_EQ(one.outcome, PduRead::unframed);
        }
    }
}

/// The value of an attribute as it was read; empty where the attribute is not one that is kept.
std::string kept_value(const Pdu& pdu, std::size_t type) {
    const auto number = [](const auto& value, unsigned octets) {
        return value ? big_endian(*value, octets) : std::string();
    };
    switch (type) {
        case 6:
            return std::string(pdu.function_id);
        case 7:
            return std::string(pdu.point_id);
        case 8:
            return number(pdu.sequence, 4);
        case 10:
            return std::string(pdu.source_address);
        case 11:
            return std::string(pdu.destination_address);
        case 14:
            return number(pdu.source_port, 2);
        case 15:
            return number(pdu.destination_port, 2);
        case 17:
            return pdu.matched_targets.empty() ? std::string() : std::string(pdu.matched_targets.front());
        default:
            return {};
    }
}

TEST_F(SamplesTest, HaveTheAttributesOfTheirTable) {
    std::size_t checked = 0;
    for (const ims::SampleRow& row : ims::sample_table(samples / "attrs.tsv")) {
        std::string bytes = ims::contents_of(samples / row["file"]);
        // Of another major version, but the same inside.
        bytes.at(0) = '\0';
        const Read one = read(bytes);
        ASSERT_EQ(one.outcome, PduRead::pdu) << row["file"];
        const std::string value = bytes_of_hex(row["value_hex"]);
        if (row["type"] == "9") {
            ASSERT_TRUE(one.pdu.at) << row["file"];
            EXPECT_EQ(row["decoded"].substr(0, row["decoded"].find(" ns")),
                      std::to_string(one.pdu.at->seconds) + " s " + std::to_string(one.pdu.at->nanos));
        } else {
            EXPECT_EQ(kept_value(one.pdu, number_of(row["type"])), value) << row["file"] << row["name"];
        }
        ++checked;
    }
    EXPECT_GT(checked, 0U);
}

TEST_F(SamplesTest, SingleAttributesAreSound) {
    for (const ims::SampleRow& row : ims::sample_table(samples / "attribute_vectors.tsv")) {
        const std::string value = bytes_of_hex(row["value_hex"]);
        const Read one = read(MadePdu{}.with(static_cast<std::uint16_t>(number_of(row["type"])), value).octets());
        EXPECT_FALSE(one.pdu.broken_attribute) << row["meaning"];
    }
}

}  // namespace
}  // namespace lihandover::intake
