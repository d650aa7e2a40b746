// Messages of the kinds that RFC 4475 lists, with words of our own: those that are valid are read without a remark, and
// those that are not, as far as it can be said who sent them, with one.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "crlf.hpp"
#include "lihandover/ims/sip.hpp"

namespace lihandover::ims {
namespace {

using std::string_view_literals::operator""sv;

struct Torture {
    const char* name;  ///< of the RFC
    std::string_view bytes;
    std::string_view method;
    std::string_view request_uri;
    std::string_view from;
    std::string_view from_name;
    std::string_view to;
    std::uint32_t cseq = 0;
    std::string_view body;
    bool sound = true;
};
std::string name_of(const testing::TestParamInfo<Torture>& info) {
    return info.param.name;
}

class SipTorture : public testing::TestWithParam<Torture> {};
TEST_P(SipTorture, IsRead) {
    const Torture& expected = GetParam();
    const std::string bytes = crlf(expected.bytes);
    std::string_view why;
    const auto message = read_sip(bytes, &why);
    ASSERT_TRUE(message) << why;
    EXPECT_EQ(message->method, expected.method);
    EXPECT_EQ(message->request_uri, expected.request_uri);
    EXPECT_EQ(message->from.uri, expected.from);
    EXPECT_EQ(message->from.display_name, expected.from_name);
    EXPECT_EQ(message->to.uri, expected.to);
    EXPECT_EQ(message->cseq, expected.cseq);
    EXPECT_EQ(message->call_id.substr(0, 2), "c-");
    EXPECT_EQ(message->body, crlf(expected.body));
    EXPECT_EQ(message->mended.empty(), expected.sound) << (message->mended.empty() ? "" : message->mended.front());
}

// 3.1.1: valid.
const Torture valid[] = {

    Torture{"wsinv",
            "INVITE sip:lena@example.com;unknownparam SIP/2.0\n"
            "TO :\n sip:lena@example.com ;   tag    = 72f\n"
            "from   : \"L E \\\\\\\"\"       <sip:lw@example.net>\n  ;\n  tag = 98\n"
            "MaX-fOrWaRdS: 0068\n"
            "Call-ID: c-wsinv@192.0.2.1\n"
            "cseq: 0009\n  INVITE\n"
            "Via  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=39k\n"
            "s :\n"
            "Unknown:  value\n continued\n  to the end\n"
            "Odd: ;;,,;,;\n"
            "v:  SIP  / 2.0  / TCP     192.0.2.3  ;\n  branch  =   z9hG4bK9k\n"
            "m:\"Quoted \\\"\\\"\" <sip:lw@example.com> ; newparam =\n      newvalue ;\n  q = 0.33\n"
            "l: 4\n"
            "\nbody",
            "INVITE", "sip:lena@example.com;unknownparam", "sip:lw@example.net", "L E \\\"", "sip:lena@example.com", 9,
            "body"},
    Torture{"intmeth",
            "!odd-Method01_*+`.%it's'~ sip:1_odd.URI~(be!sure)&isn't+it$/so?,/;;*:&it=1,w!*pas$w~d.(is)@example.com "
            "SIP/2.0\n"
            "Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK-.!%*_+`'~\n"
            "To: \"BEL:\\\x07 DEL:\\\x7f\" <sip:1_odd.URI~@example.com>\n"
            "From: token1~` token2'+_ token3*%!.- <sip:plain@example.com>;p''~+*_!.-%=\"\xd1\x80\";tag=_t~1'+`*%!-.\n"
            "Call-ID: c-odd%ZK-!.*_+'@word`~)(><:\\/\"][?}{\n"
            "CSeq: 139122385 !odd-Method01_*+`.%it's'~\n"
            "extension`Header-!.%*+_'~: \xef\xbb\xbf\xe5\xa4\xa7\n"
            "Content-Length: 0\n"
            "\n",
            "!odd-Method01_*+`.%it's'~", "sip:1_odd.URI~(be!sure)&isn't+it$/so?,/;;*:&it=1,w!*pas$w~d.(is)@example.com",
            "sip:plain@example.com", "token1~` token2'+_ token3*%!.-", "sip:1_odd.URI~@example.com", 139122385, ""},
    Torture{"esc01",
            "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\n"
            "To: sip:%75se%72@example.com\n"
            "From: <sip:I%20have%20spaces@example.net>;tag=93\n"
            "Call-ID: c-esc01\n"
            "CSeq: 23 INVITE\n"
            "Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKk\n"
            "Contact: <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\n"
            "\n",
            "INVITE", "sip:sips%3Auser%40example.com@example.net", "sip:I%20have%20spaces@example.net", "",
            "sip:%75se%72@example.com", 23, ""},
    Torture{"escnull",
            "REGISTER sip:example.com SIP/2.0\n"
            "To: sip:none-%00-none@example.com\n"
            "From: sip:none-%00-none@example.com;tag=839\n"
            "Call-ID: c-escnull\n"
            "CSeq: 14398234 REGISTER\n"
            "Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKk\n"
            "Contact: <sip:%00@host5.example.com>\n"
            "L:0\n"
            "\n",
            "REGISTER", "sip:example.com", "sip:none-%00-none@example.com", "", "sip:none-%00-none@example.com",
            14398234, ""},
    Torture{"esc02",
            "RE%47IST%45R sip:registrar.example.com SIP/2.0\n"
            "To: \"%Z%45\" <sip:resource@example.com>\n"
            "From: \"%Z%45\" <sip:resource@example.com>;tag=f2\n"
            "Call-ID: c-esc02\n"
            "CSeq: 29344 RE%47IST%45R\n"
            "Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fz\n"
            "C%6Fntact: <sip:alias2@host2.example.com>\n"
            "\n",
            "RE%47IST%45R", "sip:registrar.example.com", "sip:resource@example.com", "%Z%45",
            "sip:resource@example.com", 29344, ""},
    Torture{"lwsdisp",
            "OPTIONS sip:user@example.com SIP/2.0\n"
            "To: sip:user@example.com\n"
            "From: caller<sip:caller@example.com>;tag=323\n"
            "Call-ID: c-lwsdisp@host.example.com\n"
            "CSeq: 60 OPTIONS\n"
            "Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKk\n"
            "l: 0\n"
            "\n",
            "OPTIONS", "sip:user@example.com", "sip:caller@example.com", "caller", "sip:user@example.com", 60, ""},
    Torture{"semiuri",
            "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\n"
            "To: <sip:j_user;x=1@example.com>\n"
            "From: sip:caller@example.org;tag=33242\n"
            "Call-ID: c-semiuri\n"
            "CSeq: 8 OPTIONS\n"
            "Accept: application/sdp, multipart/mixed,\n        message/sip\n"
            "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKk\n"
            "\n",
            "OPTIONS", "sip:user;par=u%40example.net@example.com", "sip:caller@example.org", "",
            "sip:j_user;x=1@example.com", 8, ""},
    Torture{"transports",
            "OPTIONS sip:user@example.com SIP/2.0\n"
            "To: sip:user@example.com\n"
            "From: <sip:caller@example.com>;tag=323\n"
            "Call-ID: c-transports\n"
            "CSeq: 60 OPTIONS\n"
            "Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bK1\n"
            "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bK2\n"
            "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bK4\n"
            "l: 0\n"
            "\n",
            "OPTIONS", "sip:user@example.com", "sip:caller@example.com", "", "sip:user@example.com", 60, ""},
    Torture{"unreason",
            "SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe\n"
            "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1\n"
            "Call-ID: c-unreason\n"
            "CSeq: 35 INVITE\n"
            "From: sip:user@example.com;tag=11\n"
            "To: sip:user@example.edu;tag=22\n"
            "\n",
            "INVITE", "", "sip:user@example.com", "", "sip:user@example.edu", 35, ""},
    Torture{"noreason",
            "SIP/2.0 100 \n"
            "Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2\n"
            "Call-ID: c-noreason\n"
            "CSeq: 35 INVITE\n"
            "From: <sip:user@example.com>;tag=39\n"
            "To: <sip:user@example.edu>;tag=90\n"
            "Content-Length: 0\n"
            "\n",
            "INVITE", "", "sip:user@example.com", "", "sip:user@example.edu", 35, ""}};
INSTANTIATE_TEST_SUITE_P(Valid, SipTorture, testing::ValuesIn(valid), name_of);

// 3.1.2: not valid, and read all the same.
const Torture not_valid[] = {
    Torture{"dblreq",
            "REGISTER sip:example.com SIP/2.0\n"
            "To: sip:j.user@example.com\n"
            "From: sip:j.user@example.com;tag=43\n"
            "Call-ID: c-dblreq\n"
            "CSeq: 8 REGISTER\n"
            "Content-Length: 0\n"
            "\n\n"
            "INVITE sip:joe@example.com SIP/2.0\n"
            "Call-ID: c-dblreq2\n"
            "\n",
            "REGISTER", "sip:example.com", "sip:j.user@example.com", "", "sip:j.user@example.com", 8, "", false},
    Torture{"badinv01",
            "INVITE sip:user@example.com SIP/2.0\n"
            "To: sip:j.user@example.com\n"
            "From: sip:caller@example.net;tag=13\n"
            "Call-ID: c-badinv01\n"
            "CSeq: 8 INVITE extra\n"
            "Via: SIP/2.0/UDP 192.0.2.15;;,;,,\n"
            "Contact: \"Joe\" <sip:joe@example.org>;;;;\n"
            "l: 3\n"
            "\nabc",
            "INVITE", "sip:user@example.com", "sip:caller@example.net", "", "sip:j.user@example.com", 8, "abc", false},
    Torture{"clerr",
            "INVITE sip:user@example.com SIP/2.0\n"
            "To: sip:j.user@example.com\n"
            "From: sip:caller@example.net;tag=93\n"
            "Call-ID: c-clerr\n"
            "CSeq: 8 INVITE\n"
            "Content-Length: 9999\n"
            "\nv=0\n",
            "INVITE", "sip:user@example.com", "sip:caller@example.net", "", "sip:j.user@example.com", 8, "v=0\n",
            false},
    Torture{"quotbal",
            "INVITE sip:user@example.com SIP/2.0\n"
            "To: \"Mr. J. User <sip:j.user@example.com>\n"
            "From: sip:caller@example.net;tag=93\n"
            "Call-ID: c-quotbal\n"
            "CSeq: 8 INVITE\n"
            "\n",
            "INVITE", "sip:user@example.com", "sip:caller@example.net", "", "sip:j.user@example.com", 8, "", false},
    Torture{"lwsruri",
            "INVITE sip:user@example.com; lr SIP/2.0\n"
            "To: sip:user@example.com;tag=3\n"
            "From: sip:caller@example.net;tag=39\n"
            "Call-ID: c-lwsruri\n"
            "CSeq: 2 INVITE\n"
            "\n",
            "INVITE", "sip:user@example.com; lr", "sip:caller@example.net", "", "sip:user@example.com", 2, "", false},
    Torture{"lwsstart",
            "INVITE  sip:user@example.com  SIP/2.0\n"
            "To: sip:user@example.com\n"
            "From: sip:caller@example.net;tag=8\n"
            "Call-ID: c-lwsstart\n"
            "CSeq: 1 INVITE\n"
            "\n",
            "INVITE", "sip:user@example.com", "sip:caller@example.net", "", "sip:user@example.com", 1, "", false},
    Torture{"badaspec",
            "OPTIONS sip:user@example.org SIP/2.0\n"
            "From: \"Bell, Alexander\" < sip:a.g.bell@example.com >;tag=43\n"
            "To: \"Watson, Thomas\" < sip:t.watson@example.org >\n"
            "Call-ID: c-badaspec\n"
            "CSeq: 3923239 OPTIONS\n"
            "\n",
            "OPTIONS", "sip:user@example.org", "sip:a.g.bell@example.com", "Bell, Alexander",
            "sip:t.watson@example.org", 3923239, "", false},
    Torture{"mismatch02",
            "NEWMETHOD sip:user@example.com SIP/2.0\n"
            "To: sip:j.user@example.com\n"
            "From: sip:caller@example.net;tag=34\n"
            "Call-ID: c-mismatch02\n"
            "CSeq: 8 INVITE\n"
            "\n",
            "NEWMETHOD", "sip:user@example.com", "sip:caller@example.net", "", "sip:j.user@example.com", 8, "", false},
    Torture{"multi01",
            "INVITE sip:user@example.com SIP/2.0\n"
            "CSeq: 5 INVITE\n"
            "Call-ID: c-multi01\n"
            "CSeq: 59 INVITE\n"
            "Call-ID: d-multi01\n"
            "From: sip:caller@example.com;tag=34\n"
            "To: sip:user@example.com\n"
            "To: sip:other@example.net\n"
            "From: sip:caller@example.net;tag=29\n"
            "\n",
            "INVITE", "sip:user@example.com", "sip:caller@example.com", "", "sip:user@example.com", 5, "", false}};
INSTANTIATE_TEST_SUITE_P(Mended, SipTorture, testing::ValuesIn(not_valid), name_of);

// What is wrong in these is none of this reader's business, or no fault of their senders: 3.1.2, 3.2 and 3.3.
const Torture taken[] = {
    Torture{"escruri",
            "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0\n"
            "To: sip:user@example.com\n"
            "From: sip:caller@example.net;tag=34\n"
            "Call-ID: c-escruri\n"
            "CSeq: 149209342 INVITE\n"
            "\n",
            "INVITE", "sip:user@example.com?Route=%3Csip:example.com%3E", "sip:caller@example.net", "",
            "sip:user@example.com", 149209342, ""},
    Torture{"baddn",
            "OPTIONS sip:t.watson@example.org SIP/2.0\n"
            "From:    Bell, Alexander <sip:a.g.bell@example.com>;tag=43\n"
            "To:      Watson, Thomas <sip:t.watson@example.org>\n"
            "Call-ID: c-baddn\n"
            "CSeq: 3923239 OPTIONS\n"
            "\n",
            "OPTIONS", "sip:t.watson@example.org", "sip:a.g.bell@example.com", "Bell, Alexander",
            "sip:t.watson@example.org", 3923239, ""},
    Torture{"unkscm",
            "OPTIONS nobodyKnowsThisScheme:opaquecontent SIP/2.0\n"
            "To: <isbn:2983792873>\n"
            "From: <http://www.example.com>;tag=38\n"
            "Call-ID: c-unkscm\n"
            "CSeq: 3923423 OPTIONS\n"
            "\n",
            "OPTIONS", "nobodyKnowsThisScheme:opaquecontent", "http://www.example.com", "", "isbn:2983792873", 3923423,
            ""},
    Torture{"inv2543",
            "INVITE sip:UserB@example.com SIP/2.0\n"
            "Via: SIP/2.0/UDP iftgw.example.com\n"
            "From: <sip:+13035551111@ift.client.example.net;user=phone>\n"
            "Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>\n"
            "To: sip:+16505552222@ss1.example.net;user=phone\n"
            "Call-ID: c-inv2543\n"
            "CSeq: 56 INVITE\n"
            "Content-Type: application/sdp\n"
            "\nv=0\no=- 1 1 IN IP4 192.0.2.5\n",
            "INVITE", "sip:UserB@example.com", "sip:+13035551111@ift.client.example.net;user=phone", "",
            "sip:+16505552222@ss1.example.net", 56, "v=0\no=- 1 1 IN IP4 192.0.2.5\n"},
    Torture{"invut",
            "MESSAGE sip:user@example.com SIP/2.0\n"
            "From: \"\xff\xfe\" <sip:caller@example.net>;tag=34\n"
            "To: sip:j_user@example.com\n"
            "Call-ID: c-invut\n"
            "CSeq: 8 MESSAGE\n"
            "Content-Length: 2\n"
            "\n\xfd\xfc",
            "MESSAGE", "sip:user@example.com", "sip:caller@example.net", "\xff\xfe", "sip:j_user@example.com", 8,
            "\xfd\xfc"},
    Torture{"control",
            "MESSAGE sip:user@example.com SIP/2.0\n"
            "From: \"a\\\0b\" <sip:caller@example.net>;tag=34\n"
            "To: sip:j_user@example.com\n"
            "Call-ID: c-control\n"
            "CSeq: 8 MESSAGE\n"
            "\n\0\0"sv,
            "MESSAGE", "sip:user@example.com", "sip:caller@example.net", "a\0b"sv, "sip:j_user@example.com", 8,
            "\0\0"sv}};
INSTANTIATE_TEST_SUITE_P(Taken, SipTorture, testing::ValuesIn(taken), name_of);

TEST(SipTorture, KeepsWhatFollowsAQuestionMarkWithoutBrackets) {
    // cparam01, cparam02, regbadct, regescrt
    const std::string bytes = crlf(
        "REGISTER sip:example.com SIP/2.0\n"
        "To: sip:user@example.com\n"
        "From: sip:user@example.com;tag=9\n"
        "Call-ID: c-contacts\n"
        "CSeq: 1 REGISTER\n"
        "Contact: sip:one@host.example.com;unknownparam\n"
        "Contact: <sip:two@host.example.com;unknownparam>\n"
        "Contact: sip:three@example.com?Route=%3Csip:sip.example.com%3E\n"
        "Contact: <sip:four@example.com?Route=%3Csip:sip.example.com%3E>;expires=5\n"
        "\n");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    ASSERT_EQ(message->contact.size(), 4U);
    EXPECT_EQ(message->contact[0].uri, "sip:one@host.example.com");
    EXPECT_TRUE(message->contact[0].has_parameter("unknownparam"));
    EXPECT_EQ(message->contact[1].uri, "sip:two@host.example.com;unknownparam");
    EXPECT_FALSE(message->contact[1].has_parameter("unknownparam"));
    EXPECT_EQ(message->contact[2].uri, "sip:three@example.com?Route=%3Csip:sip.example.com%3E");
    EXPECT_EQ(message->contact[3].uri, "sip:four@example.com?Route=%3Csip:sip.example.com%3E");
    EXPECT_EQ(message->contact[3].parameter("expires"), "5");
}

TEST(SipTorture, LongRequestIsReadWhole) {
    // longreq
    std::string text = "INVITE sip:user@example.com SIP/2.0\n";
    const std::string very(2000, 'v');
    text += "To: \"" + very + "\"<sip:user@example.com:6000;" + very + "=" + very + ";" + very + ">\n";
    text += "F: sip:" + very + "@example.net;tag=" + very + ";" + very + "\n";
    text += "Call-ID: c-" + very + "\nCSeq: 3882340 INVITE\n" + very + ": " + very + "\n";
    for (int i = 0; i < 34; ++i) {
        text += (i % 2 == 0 ? "Via: SIP/2.0/TCP sip" : "v  : SIP/2.0/TCP sip") + std::to_string(i) + ".example.com\n";
    }
    const std::string bytes = crlf(text + "l: 1\n\nx");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->to.display_name, very);
    EXPECT_EQ(message->from.uri, "sip:" + very + "@example.net");
    EXPECT_EQ(message->from_tag(), very);
    EXPECT_TRUE(message->from.has_parameter(very));
    EXPECT_EQ(message->call_id, "c-" + very);
    EXPECT_EQ(message->header(very), very);
    EXPECT_EQ(message->branch, "");
    EXPECT_EQ(message->body, "x");
    EXPECT_TRUE(message->mended.empty());
}

}  // namespace
}  // namespace lihandover::ims
