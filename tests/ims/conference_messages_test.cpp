// What is said in conferences: the paths say only that it went by the focus (TS 24.247 9.3.3, RFC 7701).

#include <string>
#include <vector>

#include "call_texts.hpp"

namespace lihandover::ims::test {
namespace {

constexpr std::string_view room = "sip:room@conf.example";
constexpr std::string_view room_path = "msrp://conf.example:2855/r1;tcp";

class ConferenceMessages : public TrackerTest {
  protected:
    ConferenceMessages() {
        call.called = room;
        sip(request("INVITE", call, description(alice_path), "P-Asserted-Identity: <tel:+441632960001>\n"));
        sip(answer(200, call, description(room_path, "a=chatroom:nickname private-messages\n"),
                   "Contact: <sip:room@conf.example>;isfocus\n"),
            Direction::to_target);
    }
    static std::string said(std::string_view from, std::string_view to, std::string_view words) {
        return "From: <" + std::string(from) + ">\nTo: <" + std::string(to) + ">\n\nContent-Type: text/plain\n\n" +
               std::string(words);
    }
    void says(std::string_view to, std::string_view words) {
        msrp(send(said("sip:alice@a.example", to, words), {.to = std::string(room_path), .type = "message/cpim"}));
    }
    void hears(std::string_view from, std::string_view to, std::string_view words) {
        msrp(send(said(from, to, words), {.transaction = "tr02",
                                          .id = "m2",
                                          .from = std::string(room_path),
                                          .to = std::string(alice_path),
                                          .type = "message/cpim"}),
             Direction::to_target);
    }
    Call call;
};

TEST_F(ConferenceMessages, JoiningIsNoConversation) {
    EXPECT_EQ(lines(), (Lines{"group_joined"}));
    sip(request("BYE", call));
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(name_of(last().event.type), "group_left");
    EXPECT_EQ(tracker->sessions(), 0U);
}

TEST_F(ConferenceMessages, ToAllGoesToTheRoom) {
    says(room, "hello all");
    EXPECT_EQ(line_of(last()), "message \"hello all\"");
    EXPECT_EQ(parties_of(last()),
              (Lines{"sender*=tel:+441632960001,sip:alice@a.example", "receiver=" + std::string(room)}));
    EXPECT_EQ(last().event.conversation.kind, "group");
    EXPECT_EQ(last().event.conversation.id, events.front().event.conversation.id);
}

TEST_F(ConferenceMessages, ToOneGoesToThatOne) {
    says("sip:bob@b.example", "only you");
    EXPECT_EQ(parties_of(last()),
              (Lines{"sender*=tel:+441632960001,sip:alice@a.example", "receiver=sip:bob@b.example"}));
}

TEST_F(ConferenceMessages, WhatTheFocusPassesOnIsOfWhoSaidIt) {
    hears("sip:bob@b.example", room, "hello all");
    EXPECT_EQ(parties_of(last()), (Lines{"sender=sip:bob@b.example", "receiver=" + std::string(room),
                                         "receiver*=tel:+441632960001,sip:alice@a.example"}));
    EXPECT_EQ(last().event.conversation.kind, "group");
}

TEST_F(ConferenceMessages, WhatItPassesOnToOneReachesThatOne) {
    hears("sip:bob@b.example", "sip:alice@a.example", "only you");
    EXPECT_EQ(parties_of(last()),
              (Lines{"sender=sip:bob@b.example", "receiver*=tel:+441632960001,sip:alice@a.example"}));
}

TEST_F(ConferenceMessages, WithoutCpimItGoesToTheRoom) {
    msrp(send("plain", {.to = std::string(room_path)}));
    EXPECT_EQ(parties_of(last()),
              (Lines{"sender*=tel:+441632960001,sip:alice@a.example", "receiver=" + std::string(room)}));
}

}  // namespace
}  // namespace lihandover::ims::test
