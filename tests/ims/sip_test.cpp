#include "lihandover/ims/sip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crlf.hpp"

namespace lihandover::ims {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view page_message =
    "MESSAGE sip:bob@example.net SIP/2.0\n"
    "Via: SIP/2.0/TCP [2001:db8::17]:5060;branch=z9hG4bKa1;rport, SIP/2.0/UDP ue.example.com;branch=z9hG4bKb2\n"
    "Max-Forwards: 68\n"
    "From: \"Alice Example\" <sip:alice@example.com>;tag=49583\n"
    "To: <sip:bob@example.net;user=phone>\n"
    "Call-ID: a84b4c76e66710@ue.example.com\n"
    "CSeq: 17 MESSAGE\n"
    "P-Asserted-Identity: \"Alice\" <sip:alice@example.com>, <tel:+447700900123>\n"
    "Content-Type: text/plain;charset=UTF-8\n"
    "Content-Length: 5\n"
    "\n"
    "Hello";

/// The message above with one piece of it replaced.
std::string with(std::string_view from, std::string_view to) {
    std::string text = crlf(page_message);
    const std::string found = crlf(from);
    const std::size_t at = text.find(found);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, found.size(), crlf(to));
}
/// With more header fields.
std::string with_fields(std::string_view fields) {
    return with("Max-Forwards: 68\n", fields);
}

std::vector<std::string> uris(const std::vector<SipAddress>& addresses) {
    std::vector<std::string> out;
    for (const SipAddress& each : addresses) {
        out.emplace_back(each.uri);
    }
    return out;
}

TEST(Sip, ReadsAPageMessage) {
    const std::string bytes = crlf(page_message);
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->request);
    EXPECT_FALSE(message->is_answer());
    EXPECT_EQ(message->method, "MESSAGE");
    EXPECT_EQ(message->request_uri, "sip:bob@example.net");
    EXPECT_EQ(message->call_id, "a84b4c76e66710@ue.example.com");
    EXPECT_EQ(message->cseq, 17U);
    EXPECT_EQ(message->branch, "z9hG4bKa1");
    EXPECT_EQ(message->from.display_name, "Alice Example");
    EXPECT_EQ(message->from.uri, "sip:alice@example.com");
    EXPECT_EQ(message->from_tag(), "49583");
    EXPECT_EQ(message->to.display_name, "");
    EXPECT_EQ(message->to.uri, "sip:bob@example.net;user=phone");
    EXPECT_EQ(message->to_tag(), "");
    EXPECT_THAT(uris(message->asserted), ElementsAre("sip:alice@example.com", "tel:+447700900123"));
    EXPECT_EQ(message->asserted[0].display_name, "Alice");
    EXPECT_EQ(message->content_type, "text/plain;charset=UTF-8");
    EXPECT_EQ(message->body, "Hello");
    EXPECT_EQ(message->headers.size(), 9U);
    EXPECT_THAT(message->mended, IsEmpty());
    EXPECT_THAT(message->made, IsEmpty());
}

TEST(Sip, ReadsAnAnswer) {
    const std::string bytes = crlf(
        "SIP/2.0 486 Busy Here, sorry\n"
        "Via: SIP/2.0/UDP ue.example.com;branch=z9hG4bKb2\n"
        "From: <sip:alice@example.com>;tag=1\n"
        "To: <sip:bob@example.net>;tag=2\n"
        "Call-ID: c1\n"
        "CSeq: 4294967295 INVITE\n"
        "\n");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->is_answer());
    EXPECT_EQ(message->status, 486U);
    EXPECT_EQ(message->reason, "Busy Here, sorry");
    EXPECT_EQ(message->method, "INVITE");
    EXPECT_EQ(message->cseq, 4294967295U);
    EXPECT_EQ(message->to_tag(), "2");
    EXPECT_EQ(message->request_uri, "");
    EXPECT_THAT(message->mended, IsEmpty());
}

TEST(Sip, ReadsEveryFieldThatNamesSomebody) {
    const std::string bytes = with_fields(
        "p-asserted-identity: <sip:third@example.com>\n"
        "P-PREFERRED-IDENTITY: <sip:preferred@example.com>\n"
        "P-Called-Party-ID: <sip:called@example.net>;x=1\n"
        "History-Info: <sip:first@example.net?Reason=SIP%3Bcause%3D302%3Btext%3D%22a%2Cb%22>;index=1,\n"
        " <sip:second@example.net;cause=486>;index=1.1;rc=1\n"
        "Diversion: <tel:+447700900999>;reason=unconditional;counter=1\n"
        "Contact: <sip:alice@192.0.2.4:5060;transport=tcp>;isfocus;+sip.instance=\"<urn:uuid:1>\"\n"
        "Refer-To: <sip:carol@example.com;method=INVITE>\n"
        "Referred-By: sip:dave@example.com\n"
        "Event: conference ; id=4\n"
        "Subscription-State: active;expires=600\n"
        "Content-Disposition: render; handling=optional\n"
        "Content-Encoding: gzip\n");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_THAT(uris(message->asserted),
                ElementsAre("sip:third@example.com", "sip:alice@example.com", "tel:+447700900123"));
    EXPECT_THAT(uris(message->preferred), ElementsAre("sip:preferred@example.com"));
    EXPECT_THAT(uris(message->called_party), ElementsAre("sip:called@example.net"));
    EXPECT_EQ(message->called_party[0].parameters, ";x=1");
    EXPECT_THAT(uris(message->history),
                ElementsAre("sip:first@example.net?Reason=SIP%3Bcause%3D302%3Btext%3D%22a%2Cb%22",
                            "sip:second@example.net;cause=486"));
    EXPECT_EQ(message->history[1].parameter("index"), "1.1");
    EXPECT_THAT(uris(message->diversion), ElementsAre("tel:+447700900999"));
    EXPECT_EQ(message->diversion[0].parameter("Reason"), "unconditional");
    EXPECT_THAT(uris(message->contact), ElementsAre("sip:alice@192.0.2.4:5060;transport=tcp"));
    EXPECT_TRUE(message->contact[0].has_parameter("isfocus"));
    EXPECT_EQ(message->contact[0].parameter("+sip.instance"), "<urn:uuid:1>");
    EXPECT_THAT(uris(message->refer_to), ElementsAre("sip:carol@example.com;method=INVITE"));
    EXPECT_THAT(uris(message->referred_by), ElementsAre("sip:dave@example.com"));
    EXPECT_EQ(message->event, "conference");
    EXPECT_EQ(message->subscription_state, "active;expires=600");
    EXPECT_EQ(message->content_disposition, "render; handling=optional");
    EXPECT_EQ(message->content_encoding, "gzip");
    EXPECT_THAT(message->mended, IsEmpty());
}

TEST(Sip, FindsFieldsByLongAndCompactNames) {
    const std::string bytes = crlf(
        "NOTIFY sip:alice@example.com SIP/2.0\n"
        "v: SIP/2.0/UDP host.example.com;branch=z9hG4bK1\n"
        "f: sip:bob@example.net;tag=1\n"
        "t: sip:alice@example.com;tag=2\n"
        "i: c2\n"
        "CSeq: 1 NOTIFY\n"
        "o: conference\n"
        "m: <sip:bob@192.0.2.1>\n"
        "r: <sip:carol@example.com>\n"
        "b: <sip:dave@example.com>\n"
        "e: gzip\n"
        "s: Lunch\n"
        "c: text/plain\n"
        "l: 2\n"
        "\n"
        "ok");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->branch, "z9hG4bK1");
    EXPECT_EQ(message->from.uri, "sip:bob@example.net");
    EXPECT_EQ(message->to_tag(), "2");
    EXPECT_EQ(message->call_id, "c2");
    EXPECT_EQ(message->event, "conference");
    EXPECT_THAT(uris(message->contact), ElementsAre("sip:bob@192.0.2.1"));
    EXPECT_THAT(uris(message->refer_to), ElementsAre("sip:carol@example.com"));
    EXPECT_THAT(uris(message->referred_by), ElementsAre("sip:dave@example.com"));
    EXPECT_EQ(message->content_encoding, "gzip");
    EXPECT_EQ(message->content_type, "text/plain");
    EXPECT_EQ(message->body, "ok");
    EXPECT_EQ(message->header("subject"), "Lunch");
    EXPECT_EQ(message->header("S"), "Lunch");
    EXPECT_EQ(message->header("content-length"), "2");
    EXPECT_EQ(message->header("X-Other"), std::nullopt);
    EXPECT_EQ(message->headers[1].name, "f");
    EXPECT_THAT(message->mended, IsEmpty());
}

TEST(Sip, KeepsItsViewsWhenItMoves) {
    std::string bytes = with("\"Alice Example\"", "\"Al \\\"ice\\\"\"");
    auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    const SipMessage moved = std::move(*message);
    EXPECT_EQ(moved.from.display_name, "Al \"ice\"");
}

/// What is allowed, though it is unusual: read without a remark.
struct AllowedCase {
    const char* name;
    std::string_view from;
    std::string_view to;
    std::string_view field;  ///< and what its value then is
    std::string_view value;
};
std::string name_of_case(const testing::TestParamInfo<AllowedCase>& info) {
    return info.param.name;
}
class SipAllows : public testing::TestWithParam<AllowedCase> {};
TEST_P(SipAllows, IsReadWithoutARemark) {
    const std::string bytes = with(GetParam().from, GetParam().to);
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->header(GetParam().field), GetParam().value);
    EXPECT_EQ(message->call_id, "a84b4c76e66710@ue.example.com");
    EXPECT_EQ(message->from.uri, "sip:alice@example.com");
    EXPECT_EQ(message->from_tag(), "49583");
    EXPECT_EQ(message->cseq, 17U);
    EXPECT_EQ(message->branch, "z9hG4bKa1");
    EXPECT_EQ(message->body, "Hello");
    EXPECT_THAT(message->mended, IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(
    Cases, SipAllows,
    testing::Values(
        AllowedCase{"FoldedValue", "Max-Forwards: 68\n", "Subject: one\n two\n\t\t three  \n", "Subject",
                    "one two three"},
        AllowedCase{"FoldedAfterTheColon", "Call-ID: a", "Call-ID:\n\ta", "Call-ID", "a84b4c76e66710@ue.example.com"},
        AllowedCase{"FoldOfBlanksAlone", "Max-Forwards: 68\n", "Subject: one\n  \n two\n", "Subject", "one two"},
        AllowedCase{"BlanksBeforeTheColon", "Call-ID: ", "Call-ID  \t: ", "i", "a84b4c76e66710@ue.example.com"},
        AllowedCase{"NoBlankAfterTheColon", "CSeq: 17", "CSeq:17", "CSeq", "17 MESSAGE"},
        AllowedCase{"NamesInAnyCase", "CSeq: 17", "cSEQ: 0017", "CSeq", "0017 MESSAGE"},
        AllowedCase{"FoldedCSeq", "CSeq: 17 ", "CSeq: 17\n  ", "CSeq", "17 MESSAGE"},
        AllowedCase{"BlanksAroundParameters", ";tag=49583", " ;  tag\t=  49583 ", "CSeq", "17 MESSAGE"},
        AllowedCase{"FoldedParameters", ";tag=49583", "\n ;\n tag\n =\n 49583", "CSeq", "17 MESSAGE"},
        AllowedCase{"ParameterNamesInAnyCase", ";tag=49583", ";TAG=49583", "CSeq", "17 MESSAGE"},
        AllowedCase{"ParametersBeforeTheTag", ";tag=49583", ";x=\"a;tag=7\";y;tag=49583", "CSeq", "17 MESSAGE"},
        AllowedCase{"NoDisplayName", "\"Alice Example\" <sip:alice@example.com>", "sip:alice@example.com", "CSeq",
                    "17 MESSAGE"},
        AllowedCase{"NoBlankBeforeTheBracket", "\"Alice Example\" <", "\"Alice Example\"<", "CSeq", "17 MESSAGE"},
        AllowedCase{"BracketInADisplayName", "\"Alice Example\" <", "\"A <b@c>, \\\"d\\\"\" <", "CSeq", "17 MESSAGE"},
        AllowedCase{"BlanksInTheVia", "SIP/2.0/TCP [2001:db8::17]:5060;branch=z9hG4bKa1",
                    "SIP  / 2.0\n /TCP  [2001:db8::17] : 5060 ;\n branch = z9hG4bKa1", "CSeq", "17 MESSAGE"},
        AllowedCase{"EmptyValues", "Max-Forwards: 68\n", "Supported:\nX-Empty:   \n", "X-Empty", ""},
        AllowedCase{"ColonsInValues", "Max-Forwards: 68\n", "X-Other: a: b:c\n", "X-Other", "a: b:c"},
        AllowedCase{"UnknownFieldOfOddBytes", "Max-Forwards: 68\n", "X-Odd.Name: ;;,,\"<\xff\n", "x-odd.name",
                    ";;,,\"<\xff"},
        AllowedCase{"SchemeUnknown", "sip:bob@example.net SIP", "soap.beep://192.0.2.7:3002 SIP", "CSeq", "17 MESSAGE"},
        AllowedCase{"LinesBeforeTheStart", "MESSAGE sip", "\n\nMESSAGE sip", "CSeq", "17 MESSAGE"},
        AllowedCase{"LineEndsAfterTheBody", "Hello", "Hello\n\n", "CSeq", "17 MESSAGE"},
        AllowedCase{"NoContentLength", "Content-Length: 5\n", "", "CSeq", "17 MESSAGE"},
        AllowedCase{"LongContentLength", "Content-Length: 5\n", "Content-Length: 0000000000000000000000000005\n", "l",
                    "0000000000000000000000000005"},
        AllowedCase{"SameContentLengthTwice", "Content-Length: 5\n", "Content-Length: 5\nl: 5\n", "l", "5"},
        AllowedCase{"PercentInAName", "Max-Forwards: 68\n", "C%6Fntact: <sip:x@y>\n", "C%6Fntact", "<sip:x@y>"}),
    name_of_case);

/// What is not allowed and the field sends: read with a remark.
struct MendedCase {
    const char* name;
    std::string_view from;
    std::string_view to;
    std::string_view remark;
};
std::string name_of_mended(const testing::TestParamInfo<MendedCase>& info) {
    return info.param.name;
}
class SipMends : public testing::TestWithParam<MendedCase> {};
TEST_P(SipMends, IsReadWithARemark) {
    const std::string bytes = with(GetParam().from, GetParam().to);
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->method, "MESSAGE");
    EXPECT_EQ(message->request_uri, "sip:bob@example.net");
    EXPECT_EQ(message->call_id, "a84b4c76e66710@ue.example.com");
    EXPECT_EQ(message->from.display_name, "Alice Example");
    EXPECT_EQ(message->from.uri, "sip:alice@example.com");
    EXPECT_EQ(message->from_tag(), "49583");
    EXPECT_THAT(uris(message->asserted), ElementsAre("sip:alice@example.com", "tel:+447700900123"));
    EXPECT_EQ(message->body, "Hello");
    EXPECT_THAT(message->mended, ElementsAre(GetParam().remark));
}
INSTANTIATE_TEST_SUITE_P(
    Cases, SipMends,
    testing::Values(
        MendedCase{"BlanksAfterTheStartLine", "SIP/2.0\nVia", "SIP/2.0  \nVia", "blanks at the end of the start line"},
        MendedCase{"BlanksInTheStartLine", "sip:bob@example.net SIP", " sip:bob@example.net  SIP",
                   "blanks in or around the Request-URI"},
        MendedCase{"BlanksBeforeTheStartLine", "MESSAGE sip", "\n  MESSAGE sip", "blanks before the start line"},
        MendedCase{"BracketsAroundTheRequestUri", "sip:bob@example.net SIP", "<sip:bob@example.net> SIP",
                   "a Request-URI in angle brackets"},
        MendedCase{"OtherVersion", "net SIP/2.0", "net SIP/7.0", "another version than SIP/2.0"},
        MendedCase{"VersionInLowerCase", "net SIP/2.0", "net sip/2.0", "another version than SIP/2.0"},
        MendedCase{"ProtocolAfterTheVersion", "net SIP/2.0", "net SIP/2.0/UDP", "another version than SIP/2.0"},

        MendedCase{"LineWithoutAColon", "Max-Forwards: 68\n", "no field at all\n", "a line that is no header field"},
        MendedCase{"NameThatIsNone", "Max-Forwards: 68\n", "<sip:proxy.example.com;lr>\n",
                   "a line that is no header field"},
        MendedCase{"FoldWithoutAField", "Via: SIP", " x\nVia: SIP", "a line that is no header field"},
        MendedCase{"TornList", ", <tel:", ",\n<tel:", "a continued line without a blank before it"},
        MendedCase{"FieldTwice", "CSeq: 17 MESSAGE\n", "CSeq: 17 MESSAGE\nCall-ID: other\n",
                   "a header field twice that may be there once"},
        MendedCase{"SenderTwice", "CSeq: 17 MESSAGE\n", "CSeq: 17 MESSAGE\nf: <sip:other@example.com>\n",
                   "a header field twice that may be there once"},
        MendedCase{"OtherMethodInCSeq", "CSeq: 17 MESSAGE", "CSeq: 17 INVITE", "a CSeq with another method"},
        MendedCase{"NoMethodInCSeq", "CSeq: 17 MESSAGE", "CSeq: 17", "a CSeq with another method"},
        MendedCase{"CSeqTooLarge", "CSeq: 17", "CSeq: 36893488147419103232", "a CSeq that is too large"},
        MendedCase{"ContentLengthTooLarge", "Content-Length: 5", "Content-Length: 6",
                   "a Content-Length of more than there is"},
        MendedCase{"ContentLengthNegative", "Content-Length: 5", "Content-Length: -5",
                   "a Content-Length that is no number"},
        MendedCase{"ContentLengthHuge", "Content-Length: 5", "Content-Length: 99999999999999999999999999",
                   "a Content-Length that is no number"},
        MendedCase{"ContentLengthsThatDiffer", "Content-Length: 5", "Content-Length: 2\nContent-Length: 5",
                   "two Content-Lengths that differ"},
        MendedCase{"SomethingAfterTheBody", "Hello", "HelloINVITE", "something after the body"},
        MendedCase{"QuoteOutOfPlace", "\"Alice Example\"", "Alice Example\"", "a quote out of place in a display name"},
        MendedCase{"QuoteNotClosed", "\"Alice Example\"", "\"Alice Example", "a quote out of place in a display name"},
        MendedCase{"BracketTwice", "<sip:alice@example.com>;tag", "<sip:alice@example.com>>;tag",
                   "something between an address and its parameters"},
        MendedCase{"BlanksInBrackets", "<sip:alice@example.com>;tag", "< sip:alice@example.com >;tag",
                   "blanks around a URI in angle brackets"},
        MendedCase{"NameWithoutBrackets", "<sip:alice@example.com>;tag", "sip:alice@example.com;tag",
                   "a display name before an address without angle brackets"}),
    name_of_mended);

TEST(Sip, ReadsLinesThatEndWithLfAlone) {
    const auto message = read_sip(page_message);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->from_tag(), "49583");
    EXPECT_EQ(message->body, "Hello");
    EXPECT_THAT(message->mended, ElementsAre("lines that end with LF alone"));
}

TEST(Sip, FollowsContentLengthWhereThereIsMore) {
    const std::string bytes = with("Hello", "Hello and more");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->body, "Hello");
    EXPECT_THAT(message->mended, ElementsAre("something after the body"));
}

TEST(Sip, TakesAllThereIsWhereContentLengthsDiffer) {
    const std::string bytes = with("Content-Length: 5\n", "Content-Length: 1\nl: 3\nl: 1\n");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->body, "Hello");
}

TEST(Sip, ReadsHeaderFieldsThatNoEmptyLineEnds) {
    std::string bytes = crlf(page_message);
    bytes.resize(bytes.find("\r\n\r\n"));
    for (const std::string_view end : {"", "\r\n", "\n"}) {
        const std::string ended = bytes + std::string(end);
        const auto message = read_sip(ended);
        ASSERT_TRUE(message);
        EXPECT_EQ(message->body, "");
        EXPECT_EQ(message->header("Content-Length"), "5");
        EXPECT_THAT(message->mended, Contains("no empty line after the header fields"));
    }
}

TEST(Sip, TakesALineOfBlanksForTheEmptyOneWhereThereIsNone) {
    const std::string bytes = with("\n\nHello", "\n \nHello");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->body, "Hello");
    EXPECT_THAT(message->mended, ElementsAre("a line of blanks after the header fields"));
}

TEST(Sip, TakesALineOfBlanksForAFoldWhereTheRestIsNeeded) {
    std::string bytes = with("From: ", "Subject: one\n \nFrom: ");
    bytes.resize(bytes.find("\r\n\r\n"));
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->from_tag(), "49583");
    EXPECT_THAT(message->mended, Contains("no empty line after the header fields"));
}

TEST(Sip, LeavesLargeNumbersRecognisable) {
    const std::string bytes = with("CSeq: 17", "CSeq: 4294967296");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->cseq, 4294967295U);
}

TEST(Sip, TakesTheFirstOfAFieldThatCanBeRead) {
    const std::string bytes = with("From: ", "From:\nFrom: ");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->from.uri, "sip:alice@example.com");
}

/// What cannot be read, and why.
struct RefusedCase {
    const char* name;
    std::string_view from;
    std::string_view to;
    std::string_view why;
};
std::string name_of_refused(const testing::TestParamInfo<RefusedCase>& info) {
    return info.param.name;
}
class SipRefuses : public testing::TestWithParam<RefusedCase> {};
TEST_P(SipRefuses, SaysWhy) {
    std::string_view why = "untouched";
    EXPECT_FALSE(read_sip(with(GetParam().from, GetParam().to), &why));
    EXPECT_EQ(why, GetParam().why);
}
constexpr std::string_view start = "MESSAGE sip:bob@example.net SIP/2.0";
INSTANTIATE_TEST_SUITE_P(
    Cases, SipRefuses,
    testing::Values(
        RefusedCase{"NoVersion", start, "MESSAGE sip:bob@example.net", "no start line of SIP"},
        RefusedCase{"Http", start, "GET / HTTP/1.1", "no start line of SIP"},
        RefusedCase{"Msrp", start, "MSRP a786hjs2 SEND", "no start line of SIP"},
        RefusedCase{"NoUri", start, "MESSAGE SIP/2.0", "no start line of SIP"},
        RefusedCase{"EmptyUri", start, "MESSAGE  SIP/2.0", "no start line of SIP"},
        RefusedCase{"MethodThatIsNone", start, "MESS<GE sip:bob@example.net SIP/2.0", "no start line of SIP"},
        RefusedCase{"StatusTooLarge", start, "SIP/2.0 4294967301 Overflow", "no start line of SIP"},
        RefusedCase{"StatusOfNoClass", start, "SIP/2.0 700 Beyond", "no start line of SIP"},
        RefusedCase{"StatusTooSmall", start, "SIP/2.0 099 Before", "no start line of SIP"},
        RefusedCase{"NoStatus", start, "SIP/2.0", "no start line of SIP"},
        RefusedCase{"NoCallId", "Call-ID:", "xCall-ID:", "no Call-ID"},
        RefusedCase{"CallIdFolded", "Call-ID:", " Call-ID:", "no Call-ID"},
        RefusedCase{"CallIdEmpty", "Call-ID: a84b4c76e66710@ue.example.com", "Call-ID:", "no Call-ID"},
        RefusedCase{"NoCSeq", "CSeq: 17", "CSeq: x17", "no CSeq"}, RefusedCase{"NoFrom", "From: ", "From; ", "no From"},
        RefusedCase{"FromEmpty", "<sip:alice@example.com>;tag", "<>;tag", "no From"},
        RefusedCase{"FromWithoutAUri", "\"Alice Example\" <sip:alice@example.com>;", "\"Alice Example\";", "no From"},
        RefusedCase{"NoTo", "To: ", "Too: ", "no To"}),
    name_of_refused);

TEST(Sip, RefusesNothing) {
    std::string_view why;
    EXPECT_FALSE(read_sip("", &why));
    EXPECT_EQ(why, "no start line of SIP");
    EXPECT_FALSE(read_sip("\r\n\r\n", &why));
    EXPECT_FALSE(read_sip(" ", &why));
}

TEST(Sip, SaysNothingWhereItReads) {
    std::string_view why = "untouched";
    const std::string bytes = crlf(page_message);
    EXPECT_TRUE(read_sip(bytes, &why));
    EXPECT_EQ(why, "");
}

TEST(Sip, IsBoundedInHeaderFieldsAndAddresses) {
    const auto repeated = [](std::string_view text, std::size_t times) {
        std::string out;
        for (std::size_t i = 0; i < times; ++i) {
            out += text;
        }
        return out;
    };
    std::string_view why;
    EXPECT_TRUE(read_sip(with_fields(repeated("X: 1\n", max_sip_headers - 8)), &why)) << why;
    EXPECT_FALSE(read_sip(with_fields(repeated("X: 1\n", max_sip_headers - 7)), &why));
    EXPECT_EQ(why, "more header fields than are read");
    // Two are there already.
    EXPECT_TRUE(read_sip(with_fields("m: " + repeated("sip:a@b,", max_sip_addresses - 2) + "\n"), &why)) << why;
    EXPECT_FALSE(read_sip(with_fields("m: " + repeated("sip:a@b,", max_sip_addresses - 1) + "\n"), &why));
    EXPECT_EQ(why, "more addresses than are read");
    EXPECT_FALSE(read_sip(with_fields(repeated("m: sip:a@b\n", max_sip_addresses - 1)), &why));
    EXPECT_EQ(why, "more addresses than are read");
}

TEST(Sip, ReadsLongValuesWhole) {
    const std::string name(100'000, 'n');
    const std::string bytes = with("\"Alice Example\" <sip:alice@", "\"" + name + "\" <sip:" + name + "@");
    const auto message = read_sip(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->from.display_name, name);
    EXPECT_EQ(message->from.uri, "sip:" + name + "@example.com");
    EXPECT_EQ(message->from_tag(), "49583");
}

/// Reads every view, so that a sanitizer sees one that leads elsewhere.
std::size_t weight(const SipMessage& message) {
    std::size_t sum = 0;
    const auto add = [&sum](std::string_view text) {
        for (const char c : text) {
            sum += static_cast<unsigned char>(c);
        }
    };
    for (const SipHeader& each : message.headers) {
        add(each.name);
        add(each.value);
    }
    for (const SipAddress* each : {&message.from, &message.to}) {
        add(each->display_name);
        add(each->uri);
        add(each->parameters);
    }
    add(message.body);
    return sum;
}

TEST(Sip, LivesThroughAMessageCutAnywhere) {
    const std::string bytes = crlf(page_message);
    const std::size_t all_there = bytes.find("Content-Type");
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        const auto message = read_sip({cut.data(), cut.size()});
        EXPECT_TRUE(message || size < all_there) << size;
        EXPECT_TRUE(!message || weight(*message) > 0);
    }
}

TEST(Sip, LivesThroughChangedBytes) {
    const std::string bytes =
        with_fields("History-Info: \"a, \\\"b\" <sip:a@b?x=1>;index=1,\n sip:c@d;x=\"y\"\nm: *\n");
    std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same run each time
    constexpr std::string_view likely = "\r\n \t:;,<>\"\\=@\x01\xff";
    std::size_t read = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::vector<char> changed(bytes.begin(), bytes.end());
        for (int change = 0; change < 4; ++change) {
            changed[random() % changed.size()] = likely[random() % likely.size()];
        }
        const auto message = read_sip({changed.data(), changed.size()});
        read += message && weight(*message) > 0 ? 1 : 0;
    }
    EXPECT_GT(read, 1000U);
}

}  // namespace
}  // namespace lihandover::ims
