// What our reader makes of sound messages beside what libosip2, which shares no code with it, does.

#include "lihandover/ims/sip.hpp"

#include <gtest/gtest.h>
#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_port.h>

#include <cstdarg>
#include <memory>
#include <string>
#include <string_view>

#include "crlf.hpp"

namespace lihandover::ims {
namespace {

struct Freed {
    void operator()(osip_message_t* message) const { osip_message_free(message); }
};
using Osip = std::unique_ptr<osip_message_t, Freed>;

Osip read_with_libosip(const std::string& bytes) {
    static const bool begun = [] {
        osip_trace_initialize_func(OSIP_FATAL, [](const char*, int, osip_trace_level_t, const char*, va_list) {});
        return parser_init() == 0;
    }();
    EXPECT_TRUE(begun);
    osip_message_t* message = nullptr;
    EXPECT_EQ(osip_message_init(&message), 0);
    Osip owned(message);
    return osip_message_parse(message, bytes.data(), bytes.size()) == 0 ? std::move(owned) : nullptr;
}

std::string text(const char* value) {
    return value == nullptr ? std::string() : std::string(value);
}

std::string uri_text(osip_uri_t* uri) {
    char* made = nullptr;
    if (uri == nullptr || osip_uri_to_str(uri, &made) != 0) {
        return {};
    }
    std::string out = text(made);
    osip_free(made);
    return out;
}

/// Without the quotes that libosip2 keeps.
std::string name_text(const char* name) {
    const std::string out = text(name);
    return out.size() > 1 && out.front() == '"' && out.back() == '"' ? out.substr(1, out.size() - 2) : out;
}

std::string tag_of(osip_from_t* address) {
    osip_generic_param_t* tag = nullptr;
    return osip_from_get_tag(address, &tag) == 0 ? text(tag->gvalue) : std::string();
}

void expect_same_address(const SipAddress& ours, osip_from_t* theirs) {
    ASSERT_NE(theirs, nullptr);
    EXPECT_EQ(ours.uri, uri_text(osip_from_get_url(theirs)));
    EXPECT_EQ(ours.display_name, name_text(osip_from_get_displayname(theirs)));
    EXPECT_EQ(ours.parameter("tag"), tag_of(theirs));
}

std::string body_of(osip_message_t* message) {
    osip_body_t* body = nullptr;
    return osip_message_get_body(message, 0, &body) >= 0 ? std::string(body->body, body->length) : std::string();
}

class BesideLibosip : public testing::TestWithParam<std::string_view> {};
TEST_P(BesideLibosip, MakesTheSameOfIt) {
    const std::string bytes = crlf(GetParam());
    const auto ours = read_sip(bytes);
    const Osip theirs = read_with_libosip(bytes);
    ASSERT_TRUE(ours);
    ASSERT_TRUE(theirs);
    EXPECT_TRUE(ours->mended.empty());
    EXPECT_EQ(ours->request, MSG_IS_REQUEST(theirs.get()));
    EXPECT_EQ(ours->method, text(theirs->cseq->method));
    if (ours->request) {
        EXPECT_EQ(ours->method, text(osip_message_get_method(theirs.get())));
        EXPECT_EQ(ours->request_uri, uri_text(osip_message_get_uri(theirs.get())));
    } else {
        EXPECT_EQ(static_cast<int>(ours->status), osip_message_get_status_code(theirs.get()));
        EXPECT_EQ(ours->reason, text(osip_message_get_reason_phrase(theirs.get())));
    }
    const osip_call_id_t* const id = osip_message_get_call_id(theirs.get());
    EXPECT_EQ(ours->call_id, text(id->number) + (id->host == nullptr ? "" : "@" + text(id->host)));
    EXPECT_EQ(std::to_string(ours->cseq), text(theirs->cseq->number));
    expect_same_address(ours->from, osip_message_get_from(theirs.get()));
    expect_same_address(ours->to, osip_message_get_to(theirs.get()));
    EXPECT_EQ(static_cast<int>(ours->contact.size()), osip_list_size(&theirs->contacts));
    osip_via_t* via = nullptr;
    osip_generic_param_t* branch = nullptr;
    ASSERT_EQ(osip_message_get_via(theirs.get(), 0, &via), 0);
    EXPECT_EQ(ours->branch, osip_via_param_get_byname(via, const_cast<char*>("branch"), &branch) == 0
                                ? text(branch->gvalue)
                                : std::string());
    EXPECT_EQ(ours->body, body_of(theirs.get()));
}
INSTANTIATE_TEST_SUITE_P(Messages, BesideLibosip,
                         testing::Values("MESSAGE sip:bob@example.net SIP/2.0\n"
                                         "Via: SIP/2.0/TCP ue.example.com:5060;branch=z9hG4bKa1;rport\n"
                                         "Via: SIP/2.0/UDP other.example.com;branch=z9hG4bKb1\n"
                                         "Max-Forwards: 68\n"
                                         "From: \"Alice, <of> Example\" <sip:alice@example.com>;x=1;tag=49583\n"
                                         "To: <sip:bob@example.net;user=phone>\n"
                                         "Call-ID: a84b4c76e66710@ue.example.com\n"
                                         "CSeq: 17 MESSAGE\n"
                                         "Content-Type: text/plain\n"
                                         "Content-Length: 7\n"
                                         "\n"
                                         "Hel\nlo",
                                         "SIP/2.0 200 OK then\n"
                                         "v: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKc\n"
                                         "f: sip:alice@example.com;tag=1\n"
                                         "t: Bob <sip:bob@[2001:db8::2]:5060;transport=tcp>;tag=2\n"
                                         "i: no-host\n"
                                         "CSeq: 4 INVITE\n"
                                         "m: <sip:bob@192.0.2.1>, \"B\" <sip:bob@192.0.2.2>;q=0.5\n"
                                         "l: 0\n"
                                         "\n",
                                         "NOTIFY sip:alice@ue.example.com;gr=x SIP/2.0\n"
                                         "Via: SIP/2.0/UDP focus.example.com;branch=z9hG4bKd\n"
                                         "From:\n <sip:room@example.com>;\n tag=77\n"
                                         "To: <tel:+447700900123>;tag=88\n"
                                         "Call-ID: b@focus\n"
                                         "CSeq: 2 NOTIFY\n"
                                         "Contact: <sip:room@example.com>;isfocus\n"
                                         "Event: conference\n"
                                         "Subscription-State: active;expires=600\n"
                                         "Content-Length: 0\n"
                                         "\n"));

}  // namespace
}  // namespace lihandover::ims
