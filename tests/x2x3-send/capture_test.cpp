// Captures: files, packets, streams, messages. The packets are made here.

#include "capture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "sessions.hpp"
#include "streams.hpp"

namespace lihandover::x2x3_send {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

template <typename Number>
std::string big(Number number) {
    std::string out;
    for (std::size_t i = sizeof number; i > 0; --i) {
        out += static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * (i - 1)) & 0xffU);
    }
    return out;
}

template <typename Number>
std::string little(Number number) {
    std::string out = big(number);
    return {out.rbegin(), out.rend()};
}

const std::string host_a = {10, 0, 0, 1};
const std::string host_b = {10, 0, 0, 2};
const std::string ethernet = std::string(12, 'm') + big<std::uint16_t>(0x0800);

std::string ip4(const std::string& from, const std::string& to, std::uint8_t protocol, const std::string& payload,
                std::uint16_t place = 0) {
    return std::string("\x45\x00", 2) + big<std::uint16_t>(static_cast<std::uint16_t>(20 + payload.size())) +
           big<std::uint16_t>(77) + big(place) + "\x40" + std::string(1, static_cast<char>(protocol)) +
           big<std::uint16_t>(0) + from + to + payload;
}

std::string ip6(std::uint8_t next, const std::string& payload) {
    return std::string("\x60\x00\x00\x00", 4) + big<std::uint16_t>(static_cast<std::uint16_t>(payload.size())) +
           std::string(1, static_cast<char>(next)) + "\x40" + std::string(16, 'a') + std::string(16, 'b') + payload;
}

std::string udp(const std::string& payload) {
    return big<std::uint16_t>(5060) + big<std::uint16_t>(5070) +
           big<std::uint16_t>(static_cast<std::uint16_t>(8 + payload.size())) + big<std::uint16_t>(0) + payload;
}

std::string tcp(std::uint32_t sequence, const std::string& payload, std::uint8_t flags = 0x10) {
    return big<std::uint16_t>(2855) + big<std::uint16_t>(2856) + big(sequence) + big<std::uint32_t>(0) + "\x50" +
           std::string(1, static_cast<char>(flags)) + big<std::uint16_t>(1000) + big<std::uint32_t>(0) + payload;
}

/// Little-endian, microseconds.
std::string pcap(std::uint32_t link_type, const std::vector<std::string>& packets) {
    std::string file = little<std::uint32_t>(0xa1b2c3d4) + little<std::uint16_t>(2) + little<std::uint16_t>(4) +
                       std::string(8, '\0') + little<std::uint32_t>(65535) + little(link_type);
    std::uint32_t second = 100;
    for (const auto& packet : packets) {
        file += little(second++) + little<std::uint32_t>(250'000) + little(static_cast<std::uint32_t>(packet.size())) +
                little(static_cast<std::uint32_t>(packet.size())) + packet;
    }
    return file;
}

std::string block(std::uint32_t type, const std::string& body) {
    const std::string padded = body + std::string((4 - body.size() % 4) % 4, '\0');
    const std::string size = big(static_cast<std::uint32_t>(12 + padded.size()));
    return big(type) + size + padded + size;
}

const std::string a_message = "MESSAGE sip:b@x.example SIP/2.0\r\nCall-ID: c\r\nContent-Length: 2\r\n\r\nhi";
const std::string a_send =
    "MSRP tid1 SEND\r\nTo-Path: msrp://b/2;tcp\r\nFrom-Path: msrp://a/1;tcp\r\nMessage-ID: 9\r\n"
    "Content-Type: text/plain\r\n\r\nhello\r\n-------tid1$\r\n";

std::vector<std::string> texts(const std::string& file, CaptureLosses* losses = nullptr) {
    auto messages = messages_of(file, {}, losses);
    EXPECT_TRUE(messages) << (messages ? "" : messages.error().message);
    std::vector<std::string> out;
    for (auto& message : messages.value()) {
        out.push_back(std::move(message.bytes));
    }
    return out;
}

TEST(CaptureTest, LinkTypesOfPcap) {
    const std::string ip = ip4(host_a, host_b, 17, udp(a_message));
    const std::string vlan =
        std::string(12, 'm') + big<std::uint16_t>(0x8100) + big<std::uint16_t>(5) + big<std::uint16_t>(0x0800);
    EXPECT_THAT(texts(pcap(1, {ethernet + ip, vlan + ip})), ElementsAre(a_message, a_message));
    EXPECT_THAT(texts(pcap(113, {std::string(16, 'x') + ip})), ElementsAre(a_message));
    EXPECT_THAT(texts(pcap(276, {std::string(20, 'x') + ip})), ElementsAre(a_message));
    EXPECT_THAT(texts(pcap(0, {std::string(4, 'x') + ip})), ElementsAre(a_message));
    EXPECT_THAT(texts(pcap(101, {ip, ip6(17, udp(a_message))})), ElementsAre(a_message, a_message));
    EXPECT_THAT(texts(pcap(147, {ip})), IsEmpty());
}

TEST(CaptureTest, TimesOfPcapInEitherOrder) {
    const std::string ip = ip4(host_a, host_b, 17, udp(a_message));
    auto messages = messages_of(pcap(101, {ip, ip}), {});
    ASSERT_TRUE(messages);
    ASSERT_THAT(*messages, SizeIs(2));
    EXPECT_EQ((*messages)[1].captured, (model::Instant{101, 250'000'000}));
    EXPECT_EQ((*messages)[1].at, std::chrono::seconds(1));
    std::string nanoseconds = big<std::uint32_t>(0xa1b23c4d) + std::string(16, '\0') + big<std::uint32_t>(101) +
                              big<std::uint32_t>(7) + big<std::uint32_t>(8) +
                              big(static_cast<std::uint32_t>(ip.size())) + big<std::uint32_t>(0) + ip;
    messages = messages_of(nanoseconds, {});
    ASSERT_TRUE(messages);
    ASSERT_THAT(*messages, SizeIs(1));
    EXPECT_EQ(messages->front().captured, (model::Instant{7, 8}));
    EXPECT_FALSE(messages_of("something else", {}));
}

TEST(CaptureTest, Pcapng) {
    const std::string ip = ip4(host_a, host_b, 17, udp(a_message));
    const auto size = static_cast<std::uint32_t>(ip.size());
    const std::string section = block(0x0a0d0d0a, big<std::uint32_t>(0x1a2b3c4d) + std::string(12, '\0'));
    const std::string nanoseconds = big<std::uint16_t>(9) + big<std::uint16_t>(1) + "\x09" + std::string(3, '\0');
    const std::string interface = block(1, big<std::uint16_t>(101) + std::string(6, '\0') + nanoseconds);
    const std::uint64_t time = 1'700'000'000'000'000'005;
    const std::string packet = block(6, big<std::uint32_t>(0) + big(static_cast<std::uint32_t>(time >> 32U)) +
                                            big(static_cast<std::uint32_t>(time)) + big(size) + big(size) + ip);
    const std::string simple = block(3, big(size) + ip);
    const std::string unknown = block(0xbad, "whatever");
    auto messages = messages_of(section + unknown + interface + packet + simple, {});
    ASSERT_TRUE(messages);
    ASSERT_THAT(*messages, SizeIs(2));
    EXPECT_EQ(messages->front().captured->seconds, 1'700'000'000);
    EXPECT_NEAR(messages->front().captured->nanos, 5, 1);
}

TEST(CaptureTest, FragmentsArePutTogether) {
    const std::string datagram = udp(a_message);
    const std::string first = ip4(host_a, host_b, 17, datagram.substr(0, 48), 0x2000);
    const std::string second = ip4(host_a, host_b, 17, datagram.substr(48), 6);
    EXPECT_THAT(texts(pcap(101, {second, first})), ElementsAre(a_message));
    EXPECT_THAT(texts(pcap(101, {first})), IsEmpty());
    const auto fragment = [](std::uint16_t place) {
        return std::string("\x11\x00", 2) + big(place) + big<std::uint32_t>(5);
    };
    EXPECT_THAT(
        texts(pcap(101, {ip6(44, fragment(1) + datagram.substr(0, 48)), ip6(44, fragment(48) + datagram.substr(48))})),
        ElementsAre(a_message));
}

TEST(CaptureTest, StreamsInOrderWithoutWhatWasRepeated) {
    const std::string stream = a_message + "\r\n\r\n" + a_send + a_message;
    const auto segment = [&](std::size_t begin, std::size_t size) {
        return ip4(host_a, host_b, 6,
                   tcp(static_cast<std::uint32_t>(0xfffffff0U + 1 + begin), stream.substr(begin, size)));
    };
    const std::string syn = ip4(host_a, host_b, 6, tcp(0xfffffff0U, "", 0x02));
    const std::string other = ip4(host_b, host_a, 6, tcp(1, a_send));
    CaptureLosses losses;
    EXPECT_THAT(texts(pcap(101, {syn, segment(0, 30), segment(60, 50), segment(0, 30), other, segment(20, 50),
                                 segment(100, 1000)}),
                      &losses),
                ElementsAre(a_send, a_message, a_send, a_message));
    EXPECT_EQ(losses.holes, 0);
}

TEST(CaptureTest, AHoleCostsTheMessageInIt) {
    const auto segment = [](std::uint32_t sequence, const std::string& bytes) {
        return ip4(host_a, host_b, 6, tcp(sequence, bytes));
    };
    CaptureLosses losses;
    const auto length = static_cast<std::uint32_t>(a_send.size());
    EXPECT_THAT(texts(pcap(101, {segment(1, a_send.substr(0, 50)), segment(1 + 80, a_send.substr(80) + a_message),
                                 segment(1 + length + static_cast<std::uint32_t>(a_message.size()), a_send)}),
                      &losses),
                ElementsAre(a_message, a_send));
    EXPECT_EQ(losses.holes, 1);
}

TEST(CaptureTest, StreamsOfSomethingElseArePassedOver) {
    EXPECT_THAT(texts(pcap(101, {ip4(host_a, host_b, 6, tcp(1, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
                                 ip4(host_a, host_b, 17, udp("\x01\x02 no SIP")), "short"})),
                IsEmpty());
}

TEST(CaptureTest, CutsComeOutTheSameHoweverTheBytesCome) {
    std::string stream;
    for (int i = 0; i < 20; ++i) {
        stream += i % 3 == 0 ? a_message : a_send;
        stream += i % 7 == 0 ? "\r\n" : "";
    }
    std::mt19937 random(7);
    for (int round = 0; round < 50; ++round) {
        MessageCutter cutter;
        std::vector<std::string> cut;
        for (std::size_t at = 0; at < stream.size();) {
            const std::size_t size = round == 0 ? 1 : 1 + random() % 200;
            cutter.add(stream.substr(at, size));
            at += size;
            for (MessageCutter::Cut each; cutter.next(each);) {
                EXPECT_EQ(each.kind, each.bytes == a_send ? Kind::msrp : Kind::sip);
                cut.push_back(each.bytes);
            }
        }
        ASSERT_THAT(cut, SizeIs(20));
        EXPECT_EQ(cut[0], a_message);
        EXPECT_EQ(cut[19], a_send);
    }
}

TEST(CaptureTest, AnEndLineOfAnotherTransactionEndsNothing) {
    MessageCutter cutter;
    const std::string frame = "MSRP ab+1 SEND\r\nTo-Path: x\r\n\r\n-------ab$\r\n-------ab+1x\r\n\r\n-------ab+1+\r\n";
    cutter.add(frame + a_send);
    MessageCutter::Cut cut;
    ASSERT_TRUE(cutter.next(cut));
    EXPECT_EQ(cut.bytes, frame);
    ASSERT_TRUE(cutter.next(cut));
    EXPECT_EQ(cut.bytes, a_send);
    EXPECT_FALSE(cutter.next(cut));
}

// Who a message is from, and what session it is of

std::string invite(const std::string& from, const std::string& to, const std::string& call, const std::string& path) {
    return "INVITE sip:" + to + " SIP/2.0\r\nf: <sip:" + from + ">;tag=1\r\nt: <sip:" + to + ">\r\ni: " + call +
           "\r\n\r\nv=0\r\na=path:" + path + "\r\n";
}

std::string answer(const std::string& from, const std::string& to, const std::string& call, const std::string& path) {
    return "SIP/2.0 200 OK\r\nFrom: <sip:" + from + ">;tag=1\r\nTo: <sip:" + to + ">\r\nCall-ID: " + call +
           "\r\n\r\na=path:" + path + "\r\n";
}

std::string frame(const std::string& to, const std::string& from) {
    return "MSRP t SEND\r\nTo-Path: " + to + "\r\nFrom-Path: " + from + "\r\n-------t$\r\n";
}

TEST(SidesTest, TheTargetIsFoundInWhoSentAndWhoReceives) {
    Sides sides({"sip:ida@x.example;user=phone"});
    EXPECT_EQ(sides.direction_of(Kind::sip, invite("ida@x.example", "otto@x.example", "1", "msrp://a/1;tcp")),
              Direction::from_target);
    EXPECT_EQ(sides.direction_of(Kind::sip, answer("ida@x.example", "otto@x.example", "1", "msrp://b/2;tcp")),
              Direction::to_target);
    EXPECT_EQ(sides.direction_of(Kind::sip, invite("otto@x.example", "ida@x.example", "2", "msrp://c/3;tcp")),
              Direction::to_target);
    EXPECT_EQ(sides.direction_of(Kind::sip, invite("otto@x.example", "eve@x.example", "3", "msrp://d/4;tcp")),
              Direction::unknown);
    EXPECT_EQ(sides.direction_of(Kind::msrp, frame("msrp://b/2;tcp", "msrp://a/1;tcp")), Direction::from_target);
    EXPECT_EQ(sides.direction_of(Kind::msrp, frame("msrp://r/9;tcp msrp://a/1;tcp", "msrp://b/2;tcp")),
              Direction::to_target);
    EXPECT_EQ(sides.direction_of(Kind::msrp, frame("msrp://r/9;tcp", "msrp://b/2;tcp")), Direction::to_target);
    EXPECT_EQ(sides.direction_of(Kind::msrp, frame("msrp://d/4;tcp", "msrp://e/5;tcp")), Direction::unknown);
}

TEST(SidesTest, AddressesGoBeforeNames) {
    const std::string there = ip4(host_a, host_b, 17, udp(a_message));
    const std::string back = ip4(host_b, host_a, 17, udp(a_message));
    auto messages = messages_of(pcap(101, {there, back}), {{}, {"sip:b@x.example"}, {"10.0.0.2"}});
    ASSERT_TRUE(messages);
    ASSERT_THAT(*messages, SizeIs(2));
    EXPECT_EQ((*messages)[0].direction, Direction::to_target);
    EXPECT_EQ((*messages)[1].direction, Direction::from_target);
    EXPECT_FALSE(messages_of(pcap(101, {there}), {{}, {}, {"nowhere"}}));
}

TEST(SessionsTest, MsrpHasTheNumberOfTheCallThatAnnouncedIt) {
    Sessions sessions;
    EXPECT_EQ(sessions.number_of(Kind::sip, invite("a@x", "b@x", "first", "msrp://a/1;tcp")), 1);
    EXPECT_EQ(sessions.number_of(Kind::sip, invite("a@x", "b@x", "second", "msrp://a/2;tcp")), 2);
    EXPECT_EQ(sessions.number_of(Kind::sip, answer("a@x", "b@x", "first", "msrp://b/3;tcp")), 1);
    EXPECT_EQ(sessions.number_of(Kind::msrp, frame("msrp://b/3", "msrp://a/1;tcp")), 1);
    EXPECT_EQ(sessions.number_of(Kind::msrp, frame("msrp://z/9", "msrp://a/2;tcp")), 2);
    EXPECT_EQ(sessions.number_of(Kind::msrp, frame("msrp://a/2", "msrp://z/9")), 2);
    EXPECT_EQ(sessions.number_of(Kind::msrp, frame("msrp://n/1", "msrp://n/2")), 3);
    EXPECT_EQ(sessions.number_of(Kind::msrp, frame("msrp://n/2", "msrp://n/1")), 3);
    EXPECT_EQ(sessions.number_of(Kind::mime, "x"), 0);
}

}  // namespace
}  // namespace lihandover::x2x3_send
