#include "lihandover/ims/sdp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "crlf.hpp"

namespace lihandover::ims {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view offer =
    "v=0\n"
    "o=alice 2890844526 2890844527 IN IP4 ue.example.com\n"
    "s=Lunch\n"
    "c=IN IP4 192.0.2.10\n"
    "t=0 0\n"
    "m=message 7394 TCP/MSRP *\n"
    "a=accept-types:message/cpim text/plain\n"
    "a=accept-wrapped-types:text/html *\n"
    "a=path:msrp://relay.example.com:2855/r1;tcp msrp://ue.example.com:7394/2s93i9ek2a;tcp\n"
    "a=max-size:65535\n"
    "a=setup:actpass\n"
    "a=msrp-cema\n"
    "a=sendrecv\n";

TEST(Sdp, ReadsAnOfferOfMsrp) {
    const std::string bytes = crlf(offer);
    const auto sdp = read_sdp(bytes);
    ASSERT_TRUE(sdp);
    EXPECT_EQ(sdp->session_id, "2890844526");
    EXPECT_EQ(sdp->version, "2890844527");
    EXPECT_EQ(sdp->subject, "Lunch");
    EXPECT_EQ(sdp->media, 1U);
    ASSERT_EQ(sdp->msrp.size(), 1U);
    const SdpMsrp& medium = sdp->msrp[0];
    EXPECT_EQ(medium.port, 7394);
    EXPECT_FALSE(medium.refused());
    EXPECT_FALSE(medium.secure);
    EXPECT_EQ(medium.address, "192.0.2.10");
    EXPECT_THAT(medium.path,
                ElementsAre("msrp://relay.example.com:2855/r1;tcp", "msrp://ue.example.com:7394/2s93i9ek2a;tcp"));
    EXPECT_THAT(medium.accept_types, ElementsAre("message/cpim", "text/plain"));
    EXPECT_THAT(medium.accept_wrapped_types, ElementsAre("text/html", "*"));
    EXPECT_EQ(medium.max_size, 65535U);
    EXPECT_EQ(medium.setup, "actpass");
    EXPECT_TRUE(medium.cema);
    EXPECT_EQ(medium.direction, "sendrecv");
    EXPECT_FALSE(medium.file);
    EXPECT_FALSE(medium.chatroom);
}

TEST(Sdp, ReadsLinesThatEndWithLfAlone) {
    const auto sdp = read_sdp(offer);
    ASSERT_TRUE(sdp);
    ASSERT_EQ(sdp->msrp.size(), 1U);
    EXPECT_EQ(sdp->msrp[0].path.size(), 2U);
    EXPECT_EQ(sdp->msrp[0].direction, "sendrecv");
}

TEST(Sdp, ReadsOneMediumAmongSeveral) {
    const std::string bytes = crlf(
        "v=0\n"
        "o=- 1 2 IN IP6 2001:db8::1\n"
        "s=-\n"
        "i=About the session\n"
        "c=IN IP6 2001:db8::1\n"
        "t=0 0\n"
        "a=recvonly\n"
        "a=setup:active\n"
        "m=audio 49170 RTP/AVP 0\n"
        "i=Sound\n"
        "c=IN IP4 192.0.2.1\n"
        "a=sendonly\n"
        "a=path:msrp://audio.example.com/1;tcp\n"
        "m=message 2855 TCP/TLS/MSRP *\n"
        "a=path:msrps://one.example.com:2855/1;tcp\n"
        "m=video 0 RTP/AVP 31\n"
        "a=max-size:1\n"
        "m=message 0 TCP/MSRP *\n"
        "c=IN IP4 233.252.0.1/127\n"
        "a=inactive\n"
        "a=setup:passive\n"
        "a=setup:active\n"
        "m=message 5060 TCP/CPIM *\n"
        "a=path:msrp://cpim.example.com/1;tcp\n");
    const auto sdp = read_sdp(bytes);
    ASSERT_TRUE(sdp);
    EXPECT_EQ(sdp->subject, "About the session");
    EXPECT_EQ(sdp->media, 5U);
    ASSERT_EQ(sdp->msrp.size(), 2U);
    EXPECT_EQ(sdp->msrp[0].port, 2855);
    EXPECT_TRUE(sdp->msrp[0].secure);
    EXPECT_EQ(sdp->msrp[0].address, "2001:db8::1");
    EXPECT_THAT(sdp->msrp[0].path, ElementsAre("msrps://one.example.com:2855/1;tcp"));
    EXPECT_EQ(sdp->msrp[0].direction, "recvonly");
    EXPECT_EQ(sdp->msrp[0].setup, "active");
    EXPECT_EQ(sdp->msrp[0].max_size, std::nullopt);
    EXPECT_TRUE(sdp->msrp[1].refused());
    EXPECT_FALSE(sdp->msrp[1].secure);
    EXPECT_EQ(sdp->msrp[1].address, "233.252.0.1");
    EXPECT_THAT(sdp->msrp[1].path, IsEmpty());
    EXPECT_EQ(sdp->msrp[1].direction, "inactive");
    EXPECT_EQ(sdp->msrp[1].setup, "passive");
}

TEST(Sdp, KnowsMsrpByItsProtocol) {
    struct Case {
        std::string_view line;
        std::size_t media;
        bool msrp;
        bool secure;
    };
    const Case cases[] = {
        {"m=message 7394 TCP/MSRP *", 1, true, false},
        {"m=message 7394 TCP/TLS/MSRP *", 1, true, true},
        {"m=message 7394 tcp/tls/msrp *", 1, true, true},
        {"m=message 7394 msrp *", 1, true, false},        // the drafts
        {"m=message 7394 msrp/tcp *", 1, true, false},    // the drafts
        {"m=message 7394 msrps/tcp *", 1, true, true},    // the drafts
        {"m=message 7394 msrp sip:a@b", 1, true, false},  // the drafts
        {"m=message  7394\tTCP/MSRP", 1, true, false},
        {"m=message 7394/1 TCP/MSRP *", 1, true, false},
        {"m=application 7394 TCP/MSRP *", 1, true, false},
        {"m=message 65536 TCP/MSRP *", 1, false, false},
        {"m=message x TCP/MSRP *", 1, false, false},
        {"m=message 7394 TCP/NOTMSRP *", 1, false, false},
        {"m=message 5060 sip sip:a@b", 1, false, false},
        {"m=message", 1, false, false},
        {"m=", 0, false, false},
        {"m", 0, false, false},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.line);
        const std::string bytes = "v=0\r\n" + std::string(each.line);
        const auto sdp = read_sdp(bytes);
        ASSERT_TRUE(sdp);
        EXPECT_EQ(sdp->media, each.media);
        EXPECT_EQ(!sdp->msrp.empty(), each.msrp);
        EXPECT_EQ(!sdp->msrp.empty() && sdp->msrp[0].secure, each.secure);
    }
}

/// As the flows of TS 24.247 annex A have it.
TEST(Sdp, ReadsTheFormOfTheDraft) {
    const std::string bytes = crlf(
        "v=0\n"
        "o=- 2987933615 2987933616 IN IP6 2001:db8::aaa:bbb\n"
        "s=-\n"
        "c=IN IP6 a.name.not.an.address\n"
        "t=0 0\n"
        "m=message 9999 msrp *\n"
        "a=accept-types:message/cpim text/plain text/html\n"
        "a=path:msrp://[2001:db8::aaa:bbb]:3402/s11\n");
    const auto sdp = read_sdp(bytes);
    ASSERT_TRUE(sdp);
    EXPECT_EQ(sdp->subject, "");
    ASSERT_EQ(sdp->msrp.size(), 1U);
    EXPECT_EQ(sdp->msrp[0].port, 9999);
    EXPECT_EQ(sdp->msrp[0].address, "a.name.not.an.address");
    EXPECT_THAT(sdp->msrp[0].path, ElementsAre("msrp://[2001:db8::aaa:bbb]:3402/s11"));
    EXPECT_THAT(sdp->msrp[0].accept_types, ElementsAre("message/cpim", "text/plain", "text/html"));
}

/// One attribute, and what the medium then says.
SdpMsrp with(std::string_view attributes, std::string& bytes) {
    bytes = "v=0\r\nm=message 7394 TCP/MSRP *\r\n" + crlf(attributes);
    auto sdp = read_sdp(bytes);
    EXPECT_TRUE(sdp && sdp->msrp.size() == 1);
    return sdp && !sdp->msrp.empty() ? sdp->msrp[0] : SdpMsrp();
}

TEST(Sdp, ReadsAttributesAsTheFieldWritesThem) {
    std::string bytes;
    EXPECT_THAT(with("a=accept-types: message/cpim   text/plain \n", bytes).accept_types,
                ElementsAre("message/cpim", "text/plain"));
    EXPECT_THAT(with("a=Accept-Types:text/plain\n", bytes).accept_types, ElementsAre("text/plain"));
    EXPECT_THAT(with("a=session:msrp://host.example.com:5670/x\n", bytes).path,
                ElementsAre("msrp://host.example.com:5670/x"));
    EXPECT_THAT(with("a=path:msrp://a/1;tcp\na=path:msrp://b/2;tcp\n", bytes).path, ElementsAre("msrp://a/1;tcp"));
    EXPECT_EQ(with("a=maxsize:10000\n", bytes).max_size, 10000U);
    EXPECT_EQ(with("a=max-size:18446744073709551615\n", bytes).max_size, 18446744073709551615U);
    EXPECT_EQ(with("a=max-size:18446744073709551616\n", bytes).max_size, std::nullopt);
    EXPECT_EQ(with("a=max-size:ten\na=max-size:10\n", bytes).max_size, 10U);
    EXPECT_EQ(with("a=SendOnly\n", bytes).direction, "sendonly");
    EXPECT_EQ(with("a=unknown:1\nb=AS:1\n=\n\na\nnothing\n", bytes).setup, "");
    EXPECT_EQ(with("a=path\na=setup\n", bytes).path.size(), 0U);
}

TEST(Sdp, ReadsAChatRoom) {
    std::string bytes;
    EXPECT_FALSE(with("", bytes).chatroom);
    EXPECT_TRUE(with("a=chatroom\n", bytes).chatroom);
    const SdpMsrp room = with("a=chatroom:nickname private-messages org.example%3Ax\n", bytes);
    EXPECT_TRUE(room.chatroom);
    EXPECT_THAT(room.chatroom_tokens, ElementsAre("nickname", "private-messages", "org.example%3Ax"));
}

TEST(Sdp, ReadsAFile) {
    std::string bytes;
    const SdpMsrp medium = with(
        "a=sendonly\n"
        "a=file-selector:name:\"My cool: \u00fc picture%22.jpg\" type:image/jpeg size:4092 "
        "hash:sha-1:72:24:5F:E8 hash:sha-256:00\n"
        "a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd\n"
        "a=file-disposition:attachment\n"
        "a=file-date:creation:\"Mon, 15 May 2006 15:01:31 +0300\"\n",
        bytes);
    ASSERT_TRUE(medium.file);
    EXPECT_EQ(medium.file->name, "My cool: \u00fc picture%22.jpg");
    EXPECT_EQ(medium.file->type, "image/jpeg");
    EXPECT_EQ(medium.file->size, 4092U);
    EXPECT_EQ(medium.file->hash, "sha-1:72:24:5F:E8");
    EXPECT_EQ(medium.file->transfer_id, "vBnG916bdberum2fFEABR1FR3ExZMUrd");
    EXPECT_EQ(medium.file->disposition, "attachment");
}

TEST(Sdp, ReadsFileSelectorsOfEveryShape) {
    struct Case {
        std::string_view selector;
        std::string_view name;
        std::string_view type;
        std::optional<std::uint64_t> size;
    };
    const Case cases[] = {
        {"", "", "", std::nullopt},
        {"size:5 name:\"a\"", "a", "", 5},
        {"type:text/plain;charset=\"a b\" name:\"x y\"", "x y", "text/plain;charset=\"a b\"", std::nullopt},
        {"name:plain.txt size:-1", "plain.txt", "", std::nullopt},
        {"name:\"open end", "\"open", "", std::nullopt},
        {"name:\"\"", "", "", std::nullopt},
        {"NAME:\"a\" Size:7", "a", "", 7},
        {"size:99999999999999999999", "", "", std::nullopt},
        {"name", "", "", std::nullopt},
    };
    for (const Case& each : cases) {
        SCOPED_TRACE(each.selector);
        std::string bytes;
        const SdpMsrp medium = with("a=file-selector:" + std::string(each.selector) + "\n", bytes);
        ASSERT_TRUE(medium.file);
        EXPECT_EQ(medium.file->name, each.name);
        EXPECT_EQ(medium.file->type, each.type);
        EXPECT_EQ(medium.file->size, each.size);
    }
}

TEST(Sdp, ReadsOriginsOfEveryShape) {
    const auto origin = [](std::string_view value) {
        const std::string bytes = "o=" + std::string(value);
        const auto sdp = read_sdp(bytes);
        return sdp ? std::string(sdp->session_id) + "|" + std::string(sdp->version) : "none";
    };
    EXPECT_EQ(origin("- 1 2 IN IP4 192.0.2.1"), "1|2");
    EXPECT_EQ(origin("-  s1\t2  IN IP4 192.0.2.1 "), "s1|2");
    EXPECT_EQ(origin("Alice B. Example 1 2 IN IP4 192.0.2.1"), "1|2");
    EXPECT_EQ(origin("- 1 2"), "1|2");
    EXPECT_EQ(origin("- 1"), "none");
    EXPECT_EQ(origin(""), "none");
}

TEST(Sdp, ReadsPiecesAndRefusesWhatIsNone) {
    EXPECT_TRUE(read_sdp("v=0"));
    EXPECT_TRUE(read_sdp("v=0  \r\n"));
    EXPECT_TRUE(read_sdp("m=message 2855 TCP/MSRP *\r\n"));
    EXPECT_TRUE(read_sdp("c=IN IP4 192.0.2.1\r\nm=message 2855 TCP/MSRP *"));
    EXPECT_FALSE(read_sdp(""));
    EXPECT_FALSE(read_sdp("\r\n\r\n"));
    EXPECT_FALSE(read_sdp("Hello\r\n"));
    EXPECT_FALSE(read_sdp("s=x\r\nt=0 0\r\n"));
    EXPECT_FALSE(read_sdp("v=\r\no=\r\nm=\r\n"));
    EXPECT_FALSE(read_sdp("v=1\r\no=- 1 2 IN IP4 192.0.2.1\r\n"));
}

TEST(Sdp, IsBounded) {
    std::string media = "v=0\r\n";
    for (int i = 0; i < 200; ++i) {
        media += "m=message 2855 TCP/MSRP *\r\n";
    }
    const auto many = read_sdp(media);
    ASSERT_TRUE(many);
    EXPECT_EQ(many->media, max_sdp_media);
    EXPECT_EQ(many->msrp.size(), max_sdp_media);
    std::string path = "a=path:";
    for (int i = 0; i < 200; ++i) {
        path += "msrp://a/" + std::to_string(i) + ";tcp ";
    }
    std::string bytes;
    EXPECT_EQ(with(path + "\n", bytes).path.size(), max_sdp_values);
}

TEST(Sdp, LivesThroughADescriptionCutAnywhereAndChanged) {
    const std::string bytes = crlf(offer) + "a=file-selector:name:\"a b\" size:5\r\na=chatroom:x y\r\n";
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_EQ(read_sdp({cut.data(), cut.size()}).has_value(), size >= 3) << size;
    }
    std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same run each time
    constexpr std::string_view likely = "\r\n \t:;=\"\x01\xff";
    std::size_t read = 0;
    for (int round = 0; round < 5000; ++round) {
        std::vector<char> changed(bytes.begin(), bytes.end());
        for (int change = 0; change < 4; ++change) {
            changed[random() % changed.size()] = likely[random() % likely.size()];
        }
        const auto sdp = read_sdp({changed.data(), changed.size()});
        read += sdp && !sdp->msrp.empty() ? 1 : 0;
    }
    EXPECT_GT(read, 1000U);
}

}  // namespace
}  // namespace lihandover::ims
