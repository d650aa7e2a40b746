// A SIP message.

#include <string>

#include "fuzz.hpp"
#include "lihandover/ims/sip.hpp"
#include "sip_addresses.hpp"

namespace {

using namespace lihandover;
using namespace lihandover::ims;
using fuzz::must;

/// Every text of a message, in an order of its own.
template <typename Take>
void for_each_text(const SipMessage& message, Take take) {
    for (const std::string_view text : {message.method, message.request_uri, message.reason, message.call_id,
                                        message.branch, message.event, message.subscription_state, message.content_type,
                                        message.content_disposition, message.content_encoding, message.body}) {
        take(text);
    }
    const auto take_address = [&take](const SipAddress& address) {
        take(address.display_name);
        take(address.uri);
        take(address.parameters);
        take(address.parameter("tag"));
    };
    take_address(message.from);
    take_address(message.to);
    for (const auto* addresses : {&message.asserted, &message.preferred, &message.called_party, &message.history,
                                  &message.diversion, &message.contact, &message.refer_to, &message.referred_by}) {
        for (const SipAddress& address : *addresses) {
            must(!address.uri.empty(), "an address has a URI");
            take_address(address);
        }
    }
}

bool is_within(std::string_view text, std::string_view whole) {
    return text.empty() || (text.data() >= whole.data() && text.data() + text.size() <= whole.data() + whole.size());
}

void check_views(const SipMessage& message, std::string_view bytes) {
    const auto is_held = [&](std::string_view text) {
        bool held = is_within(text, bytes);
        for (const auto& made : message.made) {
            held = held || is_within(text, *made);
        }
        return held;
    };
    for_each_text(message, [&](std::string_view text) {
        fuzz::touch(text);
        must(is_held(text), "a text is of the message or made");
    });
    for (const SipHeader& header : message.headers) {
        must(is_held(header.name) && is_held(header.value), "a header field is of the message or made");
        must(header.name.find_first_of("\r\n :") == std::string_view::npos, "a name is a token");
        must(header.value.find('\n') == std::string_view::npos, "a value is one line");
    }
}

void check_bounds(const SipMessage& message) {
    must(message.headers.size() <= max_sip_headers, "header fields are bounded");
    must(message.asserted.size() + message.preferred.size() + message.called_party.size() + message.history.size() +
                 message.diversion.size() + message.contact.size() + message.refer_to.size() +
                 message.referred_by.size() <=
             max_sip_addresses,
         "addresses are bounded");
    must(!message.call_id.empty() && !message.from.uri.empty() && !message.to.uri.empty(), "what it needs is there");
    must(message.request ? !message.method.empty() && !message.request_uri.empty()
                         : message.status >= 100 && message.status <= 699,
         "the start line says what it is");
}

/// What was read, written plainly and read again, is the same.
void check_again(const SipMessage& message) {
    std::string plain = message.request ? std::string(message.method) + " sip:x SIP/2.0\r\n"
                                        : "SIP/2.0 " + std::to_string(message.status) + " x\r\n";
    for (const SipHeader& header : message.headers) {
        if (header.name != "l" && header.name != "L" &&
            header.name.size() != std::string_view("Content-Length").size()) {
            plain.append(header.name).append(": ").append(header.value).append("\r\n");
        }
    }
    plain.append("\r\n").append(message.body);
    const auto again = read_sip(plain);
    must(again.has_value(), "what was read can be read again");
    must(again->cseq == message.cseq && again->body == message.body, "numbers and body are the same");
    std::string first;
    std::string second;
    const auto gather = [](std::string& out) {
        return [&out](std::string_view text) { out.append(text).push_back('\n'); };
    };
    for_each_text(message, gather(first));
    for_each_text(*again, gather(second));
    first.replace(first.find('\n') + 1, message.request_uri.size(), message.request ? "sip:x" : "");
    if (!message.request) {
        const std::size_t reason = first.find('\n', first.find('\n') + 1) + 1;
        first.replace(reason, message.reason.size(), "x");
    }
    must(first == second, "texts are the same");
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
    std::string_view why;
    const auto message = read_sip(bytes.view(), &why);
    must(message.has_value() == why.empty(), "a reason is given when and only when it is not read");
    if (message) {
        check_views(*message, bytes.view());
        check_bounds(*message);
        check_again(*message);
    }
    SipMessage notes;
    SipAddress address;
    must(!read_address(bytes.view(), notes, address) || !address.uri.empty(), "an address has a URI");
}
