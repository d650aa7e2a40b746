#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "call_texts.hpp"

namespace lihandover::ims::test {

/// The call of a user to a conference factory, or to a conference.
inline Call call_of(std::string_view id, std::string_view caller, std::string_view called) {
    Call call;
    call.id = id;
    call.caller = caller;
    call.called = called;
    call.branch = "z9hG4bK" + std::string(id);
    return call;
}

inline constexpr std::string_view deck = "sip:deck@focus.example";
inline constexpr std::string_view fiona = "sip:fiona@a.example";
inline constexpr std::string_view gerd = "sip:gerd@b.example";
inline constexpr std::string_view focus_path = "msrp://focus.example:2855/deck-fiona;tcp";
inline constexpr std::string_view fiona_path = "msrp://a.example:2855/fiona;tcp";

inline std::string focus_contact(std::string_view uri = deck) {
    return "Contact: <" + std::string(uri) + ">;isfocus\n";
}

/// A user of a conference-info document.
struct User {
    std::string uri{fiona};
    std::string status = "connected";
    std::string more{};
    std::string state = "full";
    std::string of_endpoint{};
};
inline std::string xml_of(const User& user) {
    return "<user entity=\"" + user.uri + "\" state=\"" + user.state + "\">" + user.more + "<endpoint entity=\"" +
           user.uri + ";gr=1\"><status>" + user.status + "</status>" + user.of_endpoint + "</endpoint></user>";
}
inline std::string gone(std::string_view uri) {
    return "<user entity=\"" + std::string(uri) + "\" state=\"deleted\"/>";
}

/// A conference-info document, and the NOTIFY that brings it.
struct Roll {
    int version = 1;
    std::string state = "full";
    std::string users{};
    std::string description{};  ///< inside of conference-description
    std::string entity{deck};
    std::string dialog = "roster-1";
    int cseq = 0;  ///< as the version
    std::string watcher{fiona};
    std::string subscription = "active;expires=600";
};
inline std::string document(const Roll& roll) {
    const std::string description =
        roll.description.empty() ? "" : "<conference-description>" + roll.description + "</conference-description>";
    const std::string users = roll.users.empty() ? "" : "<users>" + roll.users + "</users>";
    return "<?xml version=\"1.0\"?>\n<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"" +
           roll.entity + "\" state=\"" + roll.state + "\" version=\"" + std::to_string(roll.version) + "\">" +
           description + users + "</conference-info>\n";
}
inline std::string notify(const Roll& roll) {
    const std::string body = document(roll);
    return "NOTIFY " + roll.watcher + " SIP/2.0\nVia: SIP/2.0/TCP focus.example;branch=z9hG4bKn" +
           std::to_string(roll.version) + "\nFrom: <" + std::string(deck) + ">;tag=ft\nTo: <" + roll.watcher +
           ">;tag=wt\nCall-ID: " + roll.dialog +
           "\nCSeq: " + std::to_string(roll.cseq != 0 ? roll.cseq : roll.version) +
           " NOTIFY\nEvent: conference\nSubscription-State: " + roll.subscription +
           "\nContent-Type: application/conference-info+xml\nContent-Length: " + std::to_string(wire(body).size()) +
           "\n\n" + body;
}

inline std::string nickname(std::string_view name, std::string_view transaction = "nick1",
                            std::string_view from = fiona_path, std::string_view to = focus_path) {
    return "MSRP " + std::string(transaction) + " NICKNAME\nTo-Path: " + std::string(to) +
           "\nFrom-Path: " + std::string(from) + "\nUse-Nickname: \"" + std::string(name) + "\"\n-------" +
           std::string(transaction) + "$\n";
}

}  // namespace lihandover::ims::test
