#pragma once

#include <string>
#include <string_view>

#include "tracker_support.hpp"

namespace lihandover::ims::test {

/// What the messages of one call have, as they are at one hop.
struct Call {
    std::string id = "call-1";
    std::string caller = "sip:alice@a.example";
    std::string called = "sip:bob@b.example";
    std::string caller_tag = "at";
    std::string called_tag = "bt";
    std::string branch = "z9hG4bKone";
    int cseq = 1;
};

inline std::string description(std::string_view path, std::string_view more = {}, int port = 2855,
                               std::string_view other_media = {}) {
    return "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n" + std::string(other_media) + "m=message " +
           std::to_string(port) + " TCP/MSRP *\na=accept-types:message/cpim text/plain\na=path:" + std::string(path) +
           "\n" + std::string(more);
}

inline constexpr std::string_view audio_only =
    "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 0\n";

inline std::string with_body(std::string head, std::string_view sdp) {
    if (sdp.empty()) {
        return head + "Content-Length: 0\n\n";
    }
    return head + "Content-Type: application/sdp\nContent-Length: " + std::to_string(wire(sdp).size()) + "\n\n" +
           std::string(sdp);
}

/// A request within the dialog, of the caller or of the one called; an INVITE is the first one.
inline std::string request(std::string_view method, const Call& call, std::string_view sdp = {},
                           std::string_view more = {}, bool of_called = false) {
    const bool first = method == "INVITE" || method == "CANCEL";
    const std::string from =
        "<" + (of_called ? call.called : call.caller) + ">;tag=" + (of_called ? call.called_tag : call.caller_tag);
    const std::string to = "<" + (of_called ? call.caller : call.called) + ">" +
                           (first && !of_called ? "" : ";tag=" + (of_called ? call.caller_tag : call.called_tag));
    return with_body(std::string(method) + " " + (of_called ? call.caller : call.called) +
                         " SIP/2.0\nVia: SIP/2.0/TCP n.example;branch=" + call.branch + "\nFrom: " + from +
                         "\nTo: " + to + "\nCall-ID: " + call.id + "\nCSeq: " + std::to_string(call.cseq) + " " +
                         std::string(method) + "\n" + std::string(more),
                     sdp);
}

/// A request of the caller within an established dialog, an INVITE too.
inline std::string again(std::string_view method, const Call& call, std::string_view sdp) {
    std::string text = request(method, call, sdp);
    const std::string to = "\nTo: <" + call.called + ">\n";
    if (const auto at = text.find(to); at != std::string::npos) {
        text.insert(at + to.size() - 1, ";tag=" + call.called_tag);
    }
    return text;
}

inline std::string answer(int status, const Call& call, std::string_view sdp = {}, std::string_view more = {},
                          std::string_view method = "INVITE") {
    return with_body("SIP/2.0 " + std::to_string(status) + " Said\nVia: SIP/2.0/TCP n.example;branch=" + call.branch +
                         "\nFrom: <" + call.caller + ">;tag=" + call.caller_tag + "\nTo: <" + call.called +
                         ">;tag=" + call.called_tag + "\nCall-ID: " + call.id + "\nCSeq: " + std::to_string(call.cseq) +
                         " " + std::string(method) + "\n" + std::string(more),
                     sdp);
}

inline constexpr std::string_view alice_path = "msrp://a.example:2855/s1;tcp";
inline constexpr std::string_view bob_path = "msrp://b.example:2855/s2;tcp";

/// A whole SEND, or a chunk of one.
struct Send {
    std::string transaction = "tr01";
    std::string id = "m1";
    std::string from{alice_path};
    std::string to{bob_path};
    std::string range{};
    std::string type = "text/plain";
    char flag = '$';
    std::string more{};
};

inline std::string send(std::string_view body, const Send& send = {}) {
    return "MSRP " + send.transaction + " SEND\nTo-Path: " + send.to + "\nFrom-Path: " + send.from +
           "\nMessage-ID: " + send.id + "\n" + (send.range.empty() ? "" : "Byte-Range: " + send.range + "\n") +
           send.more + "Content-Type: " + send.type + "\n\n" + std::string(body) + "\n-------" + send.transaction +
           send.flag + "\n";
}

inline std::string response(int status, std::string_view transaction = "tr01", std::string_view to = alice_path,
                            std::string_view from = bob_path) {
    return "MSRP " + std::string(transaction) + " " + std::to_string(status) + " Said\nTo-Path: " + std::string(to) +
           "\nFrom-Path: " + std::string(from) + "\n-------" + std::string(transaction) + "$\n";
}

inline std::string report(std::string_view status, std::string_view id = "m1", std::string_view range = "1-5/5",
                          std::string_view transaction = "rp01") {
    return "MSRP " + std::string(transaction) + " REPORT\nTo-Path: " + std::string(alice_path) +
           "\nFrom-Path: " + std::string(bob_path) + "\nMessage-ID: " + std::string(id) +
           "\nByte-Range: " + std::string(range) + "\nStatus: " + std::string(status) + "\n-------" +
           std::string(transaction) + "$\n";
}

}  // namespace lihandover::ims::test
