// PDUs: their octets.

#include "pdus.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lihandover/base/hex.hpp"

namespace lihandover::x2x3_send {
namespace {

using testing::HasSubstr;

const model::Uuid ida = *model::Uuid::parse("00112233-4455-6677-8899-aabbccddeeff");
const model::Uuid otto = *model::Uuid::parse("00112233-4455-6677-8899-aabbccddee00");

Message message(std::string bytes, Kind kind = Kind::sip) {
    Message made;
    made.kind = kind;
    made.direction = Direction::from_target;
    made.xids = {ida};
    made.bytes = std::move(bytes);
    return made;
}

PduOptions bare() {
    PduOptions options;
    options.time_octets = 0;
    options.sequence = PduOptions::Sequence::none;
    options.correlation = PduOptions::Correlation::fixed;
    return options;
}

std::string hex(PduSequence& pdus, std::size_t index = 0, std::uint64_t repetition = 0) {
    return base::to_hex(pdus.bytes(index, repetition, model::Instant{0x01020304, 0x0a0b0c0d}));
}

TEST(PdusTest, TheHeaderAsTheStandardHasIt) {
    PduOptions options = bare();
    options.fixed_correlation = 0x0102030405060708;
    PduSequence pdus({message("hi")}, options);
    EXPECT_EQ(hex(pdus),
              "0005"  // version
              "0001"  // X2
              "00000028"
              "00000002"  // lengths
              "0009"
              "0003"                              // SIP, from the target
              "00112233445566778899aabbccddeeff"  // XID
              "0102030405060708"                  // correlation
              "6869");
}

TEST(PdusTest, TypesAndFormatsOfTheKinds) {
    PduSequence pdus({message("hi", Kind::msrp), message("hi", Kind::mime)}, bare());
    EXPECT_THAT(hex(pdus, 0), testing::StartsWith("000500020000002800000002000d0003"));
    EXPECT_THAT(hex(pdus, 1), testing::StartsWith("000500010000002800000002000f0003"));
    Message other = message("hi", Kind::mime);
    other.pdu_type = 2;
    other.format = 250;
    other.version = 0x0106;
    PduSequence odd({other}, bare());
    EXPECT_THAT(hex(odd), testing::StartsWith("01060002000000280000000200fa0003"));
}

TEST(PdusTest, Attributes) {
    PduOptions options = bare();
    options.domain_id = "d";
    options.function_id = "f";
    options.point_id = "p";
    options.time_octets = 8;
    options.sequence = PduOptions::Sequence::context;
    Message made = message("hi");
    made.attributes = {{17, "sip:a"}};
    made.xids = {ida, otto};
    made.correlation = 9;
    PduSequence pdus({made, made}, options);
    const std::string attributes =
        "0005000164"
        "0006000166"
        "0007000170"                // ids
        "0008000400000001"          // sequence
        "00090008010203040a0b0c0d"  // time
        "001100057369703a61"        // matched target
        "0015001c00112233445566778899aabbccddee000000000000000009"
        "00000001";  // further XID
    EXPECT_THAT(hex(pdus, 1), HasSubstr(attributes + "6869"));
    EXPECT_THAT(hex(pdus, 1), testing::StartsWith("00050001"
                                                  "00000074"
                                                  "00000002"));
}

TEST(PdusTest, TheTimeOfTwelveOctets) {
    PduOptions options = bare();
    options.time_octets = 12;
    Message made = message("hi");
    made.at = std::chrono::milliseconds(2500);
    PduSequence pdus({made}, options);
    EXPECT_THAT(base::to_hex(pdus.bytes(0, 0, model::Instant{1, 600'000'000})), HasSubstr("0009000c"
                                                                                          "0000000000000004"
                                                                                          "05f5e100"));
    made.captured = model::Instant{0x10, 0x20};
    PduSequence captured({made}, options);
    EXPECT_THAT(base::to_hex(captured.bytes(0, 0, std::nullopt)), HasSubstr("0009000c"
                                                                            "0000000000000010"
                                                                            "00000020"));
}

std::uint32_t sequence_of(PduSequence& pdus, std::size_t index, std::uint64_t repetition) {
    const std::string bytes = pdus.bytes(index, repetition, model::Instant{});
    const std::string number = base::to_hex(std::string_view(bytes).substr(44, 4));
    return static_cast<std::uint32_t>(std::stoul(number, nullptr, 16));
}

Message of_session(const std::string& id, Kind kind = Kind::sip) {
    return message(kind == Kind::sip ? "MESSAGE sip:a SIP/2.0\r\nCall-ID: " + id + "\r\n\r\n"
                                     : "MSRP t SEND\r\nTo-Path: " + id + "\r\nFrom-Path: " + id + "x\r\n-------t$\r\n",
                   kind);
}

TEST(PdusTest, NumbersAreCountedByContext) {
    PduOptions options;
    options.time_octets = 0;
    std::vector<Message> messages = {of_session("a"), of_session("b"), of_session("a"), of_session("c", Kind::msrp)};
    messages.push_back(messages[0]);
    messages.back().xids = {otto};
    PduSequence pdus(messages, options);
    EXPECT_EQ(sequence_of(pdus, 0, 0), 0U);
    EXPECT_EQ(sequence_of(pdus, 1, 0), 0U);
    EXPECT_EQ(sequence_of(pdus, 2, 0), 1U);
    EXPECT_EQ(sequence_of(pdus, 3, 0), 0U);
    EXPECT_EQ(sequence_of(pdus, 4, 0), 0U);
    EXPECT_EQ(sequence_of(pdus, 0, 3), 6U);
    EXPECT_EQ(sequence_of(pdus, 2, 3), 7U);
    EXPECT_EQ(pdus.correlation(0, 0), pdus.correlation(2, 5));
    EXPECT_NE(pdus.correlation(0, 0), pdus.correlation(1, 0));
    options.sequence = PduOptions::Sequence::all;
    PduSequence all(messages, options);
    EXPECT_EQ(sequence_of(all, 4, 0), 4U);
    EXPECT_EQ(sequence_of(all, 0, 1), 5U);
}

TEST(PdusTest, ANumberInTheSessionsIdIsAnotherSessionEachTime) {
    PduOptions options;
    options.time_octets = 0;
    PduSequence pdus(
        {of_session("a" + std::string(number_mark)), of_session("b"), of_session("a" + std::string(number_mark))},
        options);
    EXPECT_EQ(pdus.correlation(0, 0), 1U);
    EXPECT_EQ(pdus.correlation(1, 7), 2U);
    EXPECT_EQ(pdus.correlation(0, 2), 5U);
    EXPECT_EQ(sequence_of(pdus, 2, 9), 1U);
    EXPECT_EQ(sequence_of(pdus, 1, 9), 9U);
    const std::string first = pdus.bytes(0, 0, model::Instant{});
    EXPECT_THAT(first, HasSubstr("Call-ID: a0000000001\r\n"));
    const std::string third = pdus.bytes(0, 2, model::Instant{});
    EXPECT_THAT(third, HasSubstr("Call-ID: a0000000003\r\n"));
    EXPECT_EQ(first.size(), third.size());
    EXPECT_EQ(third.substr(32, 8), std::string("\0\0\0\0\0\0\0\5", 8));
}

TEST(PdusTest, APathThatIsAnnouncedLaterIsOfThatCallAllTheSame) {
    PduOptions options;
    options.time_octets = 0;
    Message invite = message("INVITE sip:b SIP/2.0\r\nCall-ID: c\r\n\r\na=path:msrp://b/1;tcp\r\n");
    PduSequence pdus({of_session("msrp://b/1;tcp", Kind::msrp), of_session("a"), invite}, options);
    EXPECT_EQ(pdus.correlation(0, 0), pdus.correlation(2, 0));
    EXPECT_NE(pdus.correlation(0, 0), pdus.correlation(1, 0));
}

TEST(PdusTest, ANumberGivenStaysAsItIs) {
    Message made = of_session("a");
    made.sequence = 4711;
    PduOptions options;
    options.time_octets = 0;
    options.sequence = PduOptions::Sequence::none;
    PduSequence pdus({made}, options);
    EXPECT_EQ(sequence_of(pdus, 0, 0), 4711U);
    EXPECT_EQ(sequence_of(pdus, 0, 4), 4711U);
}

TEST(PdusTest, RawBytesHaveNoHeader) {
    PduSequence pdus({message("abc", Kind::raw)}, PduOptions());
    EXPECT_EQ(pdus.bytes(0, 1, model::Instant{}), "abc");
}

TEST(PdusTest, KeepalivesAndTheirAcknowledgements) {
    EXPECT_EQ(base::to_hex(keepalive(7, 5)), "0005000300000030" + std::string(64, '0') + "0008000400000007");
    EXPECT_EQ(keepalive(std::nullopt, 5).size(), 40U);
    std::string answer = keepalive(7, 5);
    Acknowledgement got;
    EXPECT_EQ(read_answer(answer, got), AnswerRead::something_else);
    answer[3] = 4;
    EXPECT_EQ(read_answer(answer + "more", got), AnswerRead::acknowledgement);
    EXPECT_EQ(got.number, 7);
    EXPECT_EQ(got.octets, 48U);
    for (std::size_t size = 0; size < answer.size(); ++size) {
        EXPECT_EQ(read_answer(std::string_view(answer).substr(0, size), got), AnswerRead::incomplete);
    }
    std::string bare = keepalive(std::nullopt, 5);
    bare[3] = 4;
    EXPECT_EQ(read_answer(bare, got), AnswerRead::acknowledgement);
    EXPECT_EQ(got.number, std::nullopt);
    bare[8] = 1;
    EXPECT_EQ(read_answer(bare, got), AnswerRead::something_else);
}

TEST(PdusTest, DescribesForPeople) {
    PduOptions options;
    options.point_id = "as-1";
    PduSequence pdus({of_session("a")}, options);
    const std::string text = describe(pdus.bytes(0, 0, model::Instant{}));
    EXPECT_THAT(text, HasSubstr("version 0.5, type 1, header"));
    EXPECT_THAT(text, HasSubstr("XID 00112233-4455-6677-8899-aabbccddeeff, correlation 1\n"));
    EXPECT_THAT(text, HasSubstr("attribute 7: as-1\n"));
    EXPECT_THAT(text, HasSubstr("attribute 8: 00000000\n"));
}

}  // namespace
}  // namespace lihandover::x2x3_send
