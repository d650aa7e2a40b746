// What a restart leaves of what was open: the copies that were kept make it again, and what they make is the same. And
// what is left of a task that was forgotten: nothing, so that the same copies make all of it once more.

#include <set>
#include <string>
#include <vector>

#include "call_texts.hpp"

namespace lihandover::ims::test {
namespace {

/// All that makes an event what it is.
std::string whole_of(const MadeEvent& made) {
    std::string out = std::string(made.event.event_id) + " " + made.substance + " " + line_of(made) + " in " +
                      std::string(made.event.conversation.id) + " about " + std::string(made.event.refers_to) + " " +
                      parameter_of(made, "ranges");
    for (const std::string& party : parties_of(made)) {
        out += " " + party;
    }
    for (const Bytes& object : made.objects) {
        out += " <" + bytes_of(object) + ">";
    }
    return out;
}

class Restarts : public TrackerTest {
  protected:
    Restarts() {
        options.partial_message_timeout = std::chrono::seconds(10);
        options.in_memory = 16;  // so that some of it is spooled
        options.max_text = 16;
        start();
    }
    void add_sip(std::string_view text, Direction direction = Direction::from_target) {
        flow.push_back(copy(Copy::Kind::sip, wire(text), direction));
    }
    void add_msrp(std::string_view text, Direction direction = Direction::from_target) {
        flow.push_back(copy(Copy::Kind::msrp, wire(text), direction));
    }
    /// A payload cut into pieces.
    void add_cut(std::string_view text, const std::vector<std::size_t>& sizes) {
        const std::string bytes = wire(text);
        std::size_t from = 0;
        for (const std::size_t size : sizes) {
            flow.push_back(copy(Copy::Kind::msrp, bytes.substr(from, size)));
            from += size;
        }
        flow.push_back(copy(Copy::Kind::msrp, bytes.substr(from)));
    }
    /// What becomes of the flow where the process ends after `before` of its copies.
    std::set<std::string> run(std::size_t before) {
        events.clear();
        kept.forget();
        start();
        for (std::size_t i = 0; i < flow.size(); ++i) {
            if (i == before) {
                restart();
            }
            now += std::chrono::milliseconds(10);
            feed(flow[i]);
        }
        if (before == flow.size()) {
            restart();
        }
        return rest();
    }
    /// What becomes of the flow where its task was forgotten after `before` of its copies, and all of it comes again.
    std::set<std::string> run_again(std::size_t before) {
        kept.forget();
        start();
        for (std::size_t i = 0; i < before; ++i) {
            feed(flow[i]);
        }
        tracker->forget({flow.front().view().xid}, now, out);
        kept.note({}, out);
        EXPECT_TRUE(out.events.empty());
        EXPECT_EQ(tracker->sessions(), 0U);
        EXPECT_EQ(tracker->unfinished_bytes(), 0U);
        events.clear();
        for (const SentCopy& copy : flow) {
            now += std::chrono::milliseconds(10);
            feed(copy);
        }
        return rest();
    }
    std::set<std::string> rest() {
        pass(std::chrono::minutes(1));
        pass(std::chrono::minutes(10));
        std::set<std::string> all;
        for (const MadeEvent& event : events) {
            all.insert(whole_of(event));
        }
        return all;
    }
    void expect_the_same_everywhere(std::size_t count) {
        const std::set<std::string> undisturbed = run(flow.size() + 1);
        ASSERT_EQ(undisturbed.size(), count);
        for (std::size_t before = 0; before <= flow.size(); ++before) {
            EXPECT_EQ(run(before), undisturbed) << "ended after " << before;
            EXPECT_EQ(kept.size(), 0U);
            EXPECT_EQ(run_again(before), undisturbed) << "forgotten after " << before;
            EXPECT_EQ(kept.size(), 0U);
        }
    }

    std::vector<SentCopy> flow;
};

TEST_F(Restarts, ASessionFromItsInviteToItsBye) {
    Call call;
    add_sip(request("INVITE", call, description(alice_path), "P-Preferred-Identity: <sip:al@a.example>\n"));
    add_sip(answer(100, call), Direction::to_target);
    call.branch = "z9hG4bKtwo";
    add_sip(request("INVITE", call, description(alice_path), "P-Asserted-Identity: <tel:+441632960001>\n"));
    add_sip(answer(183, call, description(bob_path)), Direction::to_target);
    add_sip(answer(200, call, {}, "P-Asserted-Identity: <sip:robert@b.example>\n"), Direction::to_target);
    add_sip(request("ACK", call));
    add_msrp(send("hello"));
    add_msrp(send("abc", {.transaction = "tr02", .id = "m2", .range = "1-3/9", .flag = '+'}));
    add_msrp(
        send("hi", {.transaction = "tr03", .id = "m3", .from = std::string(bob_path), .to = std::string(alice_path)}),
        Direction::to_target);
    add_msrp(send("def", {.transaction = "tr04", .id = "m2", .range = "4-6/9", .flag = '+'}));
    add_msrp(send("ghi", {.transaction = "tr05", .id = "m2", .range = "7-9/9"}));
    add_msrp(report("000 200 OK", "m2", "1-9/9"), Direction::to_target);
    call.cseq = 2;
    add_sip(again("INVITE", call, description("msrp://a.example:9/s9;tcp")));
    add_sip(answer(200, call, description("msrp://b.example:9/s8;tcp")), Direction::to_target);
    add_msrp(send(
        "on the new path",
        {.transaction = "tr06", .id = "m4", .from = "msrp://a.example:9/s9;tcp", .to = "msrp://b.example:9/s8;tcp"}));
    add_sip(request("BYE", call, {}, {}, true), Direction::to_target);
    add_msrp(send("late", {.transaction = "tr07", .id = "m5"}));
    expect_the_same_everywhere(8);
}

TEST_F(Restarts, SessionsThatComeToNothing) {
    Call call;
    add_sip(request("INVITE", call, description(alice_path)));
    add_sip(answer(407, call), Direction::to_target);
    call.cseq = 2;
    add_sip(request("INVITE", call, description(alice_path)));
    add_sip(answer(486, call), Direction::to_target);
    call.id = "call-2";
    call.called = "sip:carol@c.example";
    add_sip(request("INVITE", call, description(alice_path)));
    add_sip(request("CANCEL", call));
    add_sip(answer(487, call), Direction::to_target);
    call.id = "call-3";
    call.called = "sip:dave@d.example";
    add_sip(request("INVITE", call, audio_only));
    add_sip(answer(200, call, audio_only), Direction::to_target);
    add_sip(request("BYE", call));
    expect_the_same_everywhere(2);
}

TEST_F(Restarts, MessagesThatStayIncomplete) {
    add_msrp(send("abc", {.transaction = "tr01", .range = "1-3/99", .flag = '+'}) +
             send("whole", {.transaction = "tr02", .id = "m2"}) +
             send("xyz", {.transaction = "tr03", .id = "m3", .range = "1-3/99", .flag = '+'}));
    add_msrp(
        send("0123456789012345678901234567890123456789", {.transaction = "tr04", .range = "51-90/99", .flag = '+'}));
    add_msrp(send("end", {.transaction = "tr05", .id = "m3", .range = "4-6/99", .flag = '#'}));
    expect_the_same_everywhere(3);
}

TEST_F(Restarts, FramesThatAreCutAcrossPayloads) {
    add_cut(send("one") + send("two", {.transaction = "tr02", .id = "m2"}) +
                send("three", {.transaction = "tr03", .id = "m3", .range = "1-5/10", .flag = '+'}) +
                send("more!", {.transaction = "tr04", .id = "m3", .range = "6-10/10"}),
            {20, 150, 70, 10, 90, 1, 200});
    expect_the_same_everywhere(3);
}

TEST_F(Restarts, AFrameThatNeverGoesOn) {
    const std::string cut = wire(send("never the whole of it"));
    flow.push_back(copy(Copy::Kind::msrp, cut.substr(0, cut.size() - 25)));
    expect_the_same_everywhere(1);
}

TEST_F(Restarts, PageMessagesAndTheirFailures) {
    const auto page = [](int cseq) {
        return "MESSAGE sip:bob@b.example SIP/2.0\nVia: SIP/2.0/UDP a.example;branch=z9hG4bKp\nFrom: "
               "<sip:alice@a.example>;tag=t\nTo: <sip:bob@b.example>\nCall-ID: p1\nCSeq: " +
               std::to_string(cseq) + " MESSAGE\nContent-Type: text/plain\nContent-Length: 2\n\nhi";
    };
    const auto refused = [](int cseq) {
        return "SIP/2.0 404 No\nVia: SIP/2.0/UDP a.example;branch=z9hG4bKp\nFrom: <sip:alice@a.example>;tag=t\n"
               "To: <sip:bob@b.example>;tag=u\nCall-ID: p1\nCSeq: " +
               std::to_string(cseq) + " MESSAGE\nContent-Length: 0\n\n";
    };
    add_sip(page(1));
    add_sip(refused(1), Direction::to_target);
    add_sip(refused(2), Direction::to_target);
    add_sip(page(2));
    expect_the_same_everywhere(4);
}

TEST_F(Restarts, OnlyTheTaskThatIsForgottenIsForgotten) {
    const std::string open = send("abc", {.transaction = "tr01", .range = "1-3/9", .flag = '+'});
    for (const int task : {1, 2}) {
        for (const std::string& text : {send("hello", {.transaction = "tr02", .id = "m2"}), open}) {
            SentCopy one = copy(Copy::Kind::msrp, wire(text));
            one.task = task;
            flow.push_back(one);
            feed(one);
        }
    }
    ASSERT_EQ(events.size(), 2U);
    tracker->forget({flow.front().view().xid}, now, out);
    EXPECT_EQ(tracker->unfinished_bytes(), 3U);
    EXPECT_EQ(feed(flow[0]), Made::Outcome::event);
    EXPECT_EQ(feed(flow[2]), Made::Outcome::repeat);
    EXPECT_EQ(feed(flow[3]), Made::Outcome::repeat);
    EXPECT_EQ(ids()[2], ids()[0]);
}

TEST_F(Restarts, ATaskMayBeForgottenAgain) {
    const SentCopy one = copy(Copy::Kind::msrp, wire(send("hello")));
    for (int times = 0; times < 3; ++times) {
        EXPECT_EQ(feed(one), Made::Outcome::event);
        EXPECT_EQ(feed(one), Made::Outcome::repeat);
        tracker->forget({one.view().xid}, now, out);
    }
    // Longer than it is remembered that it was.
    pass(std::chrono::hours(24 * 9));
    tracker->forget({}, now, out);
    EXPECT_EQ(feed(one), Made::Outcome::event);
    EXPECT_EQ(feed(one), Made::Outcome::repeat);
}

}  // namespace
}  // namespace lihandover::ims::test
