#include "status_text.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace lihandover::ims {

namespace {

struct Phrase {
    unsigned code;
    std::string_view text;
};

constexpr std::array sip_phrases = {
    Phrase{300, "Multiple Choices"},
    Phrase{301, "Moved Permanently"},
    Phrase{302, "Moved Temporarily"},
    Phrase{305, "Use Proxy"},
    Phrase{380, "Alternative Service"},
    Phrase{400, "Bad Request"},
    Phrase{402, "Payment Required"},
    Phrase{403, "Forbidden"},
    Phrase{404, "Not Found"},
    Phrase{405, "Method Not Allowed"},
    Phrase{406, "Not Acceptable"},
    Phrase{408, "Request Timeout"},
    Phrase{410, "Gone"},
    Phrase{412, "Conditional Request Failed"},
    Phrase{413, "Request Entity Too Large"},
    Phrase{414, "Request-URI Too Long"},
    Phrase{415, "Unsupported Media Type"},
    Phrase{416, "Unsupported URI Scheme"},
    Phrase{420, "Bad Extension"},
    Phrase{421, "Extension Required"},
    Phrase{423, "Interval Too Brief"},
    Phrase{428, "Use Identity Header"},
    Phrase{429, "Provide Referrer Identity"},
    Phrase{433, "Anonymity Disallowed"},
    Phrase{436, "Bad Identity Info"},
    Phrase{437, "Unsupported Credential"},
    Phrase{438, "Invalid Identity Header"},
    Phrase{440, "Max-Breadth Exceeded"},
    Phrase{480, "Temporarily Unavailable"},
    Phrase{481, "Call/Transaction Does Not Exist"},
    Phrase{482, "Loop Detected"},
    Phrase{483, "Too Many Hops"},
    Phrase{484, "Address Incomplete"},
    Phrase{485, "Ambiguous"},
    Phrase{486, "Busy Here"},
    Phrase{487, "Request Terminated"},
    Phrase{488, "Not Acceptable Here"},
    Phrase{489, "Bad Event"},
    Phrase{491, "Request Pending"},
    Phrase{493, "Undecipherable"},
    Phrase{494, "Security Agreement Required"},
    Phrase{500, "Server Internal Error"},
    Phrase{501, "Not Implemented"},
    Phrase{502, "Bad Gateway"},
    Phrase{503, "Service Unavailable"},
    Phrase{504, "Server Time-out"},
    Phrase{505, "Version Not Supported"},
    Phrase{513, "Message Too Large"},
    Phrase{580, "Precondition Failure"},
    Phrase{600, "Busy Everywhere"},
    Phrase{603, "Decline"},
    Phrase{604, "Does Not Exist Anywhere"},
    Phrase{606, "Not Acceptable"},
    Phrase{607, "Unwanted"},
    Phrase{608, "Rejected"},
};

constexpr std::array msrp_phrases = {
    Phrase{400, "Bad Request"},
    Phrase{403, "Not Allowed"},
    Phrase{404, "Recipient Not Found"},
    Phrase{408, "Timed Out"},
    Phrase{413, "Stop Sending"},
    Phrase{415, "Unsupported Media Type"},
    Phrase{423, "Out Of Bounds"},
    Phrase{424, "Malformed Nickname"},
    Phrase{425, "Nickname Reserved Or In Use"},
    Phrase{428, "Private Messages Not Supported"},
    Phrase{481, "No Such Session"},
    Phrase{501, "Unknown Method"},
    Phrase{506, "Session In Use Elsewhere"},
};

std::string with_phrase(unsigned code, std::span<const Phrase> phrases) {
    const auto found = std::ranges::find_if(phrases, [code](const Phrase& phrase) { return phrase.code == code; });
    std::string text = std::to_string(code);
    if (found != phrases.end()) {
        text.append(" ").append(found->text);
    }
    return text;
}

}  // namespace

std::string sip_status(unsigned code) {
    return with_phrase(code, sip_phrases);
}

std::string msrp_status(unsigned code) {
    return with_phrase(code, msrp_phrases);
}

}  // namespace lihandover::ims
