// Copies that come twice, late, in another order, and from every hop of a way with intermediate nodes (A.4.3).

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "call_texts.hpp"

namespace lihandover::ims::test {
namespace {

/// A session over two nodes that are back-to-back user agents: three calls, three MSRP sessions, each seen at two
/// places.
class Way : public TrackerTest {
  protected:
    Way() {
        for (int leg = 0; leg < 3; ++leg) {
            Call& call = calls[static_cast<std::size_t>(leg)];
            call.id = "leg-" + std::to_string(leg);
            call.caller_tag = "ct" + std::to_string(leg);
            call.called_tag = "cd" + std::to_string(leg);
            call.cseq = 100 + leg;
        }
        for (int leg = 0; leg < 3; ++leg) {
            add_hops(
                leg, [&](const Call& call) { return request("INVITE", call, description(out_path(leg))); }, true);
        }
        for (int leg = 2; leg >= 0; --leg) {
            add_hops(
                leg, [&](const Call& call) { return answer(200, call, description(in_path(leg))); }, false);
            add_hops(
                leg, [&](const Call& call) { return request("ACK", call); }, true);
        }
        say("a message over all of them", "1", true);
        say("ok", "2", true);
        say("ok", "3", false);
        say("ok", "4", true);
        for (int leg = 0; leg < 3; ++leg) {
            add_hops(
                leg, [&](const Call& call) { return request("BYE", call); }, true);
        }
    }
    static std::string out_path(int leg) { return "msrp://n" + std::to_string(leg) + ".example:1/out;tcp"; }
    static std::string in_path(int leg) { return "msrp://n" + std::to_string(leg + 1) + ".example:1/in;tcp"; }

    template <typename Text>
    void add_hops(int leg, const Text& text, bool from_caller) {
        for (const char* hop : {"a", "b"}) {
            Call call = calls[static_cast<std::size_t>(leg)];
            call.branch = std::string("z9hG4bK") + hop + std::to_string(leg);
            add(Copy::Kind::sip, text(call), from_caller);
        }
    }
    void say(std::string_view words, const std::string& id, bool from_caller) {
        for (int step = 0; step < 3; ++step) {
            const int leg = from_caller ? step : 2 - step;
            Send how{.transaction = "tr" + id + "x" + std::to_string(leg), .id = "m" + id + "x" + std::to_string(leg)};
            how.from = from_caller ? out_path(leg) : in_path(leg);
            how.to = from_caller ? in_path(leg) : out_path(leg);
            add(Copy::Kind::msrp, send(words, how), from_caller);
        }
    }
    void add(Copy::Kind kind, std::string_view text, bool from_caller) {
        SentCopy made = copy(kind, wire(text), from_caller ? Direction::from_target : Direction::to_target);
        made.at = model::Instant{1'795'342'530 + static_cast<std::int64_t>(flow.size()), 0};
        flow.push_back(made);
    }
    std::map<std::string, int> counts() const {
        std::map<std::string, int> found;
        for (const std::string& line : lines()) {
            ++found[line];
        }
        return found;
    }
    void run(const std::vector<SentCopy>& copies) {
        events.clear();
        kept.forget();
        start();
        for (const SentCopy& one : copies) {
            now += std::chrono::milliseconds(1);
            feed(one);
        }
        pass(std::chrono::minutes(4));
    }

    std::array<Call, 3> calls;
    std::vector<SentCopy> flow;
    const std::map<std::string, int> once = {{"conversation_started", 1},
                                             {"message \"a message over all of them\"", 1},
                                             {"message \"ok\"", 3},
                                             {"conversation_ended ended", 1}};
};

TEST_F(Way, IsOneSessionWhoseMessagesAreEachOne) {
    run(flow);
    EXPECT_EQ(counts(), once);
    std::set<std::string> conversations;
    for (const MadeEvent& event : events) {
        conversations.emplace(event.event.conversation.id);
        EXPECT_EQ(event.event.parties.size(), 2U);
    }
    EXPECT_EQ(conversations.size(), 1U);
    EXPECT_EQ(parties_of(events[1]), (Lines{"sender*=sip:alice@a.example", "receiver=sip:bob@b.example"}));
    EXPECT_EQ(parties_of(events[3]), (Lines{"sender=sip:bob@b.example", "receiver*=sip:alice@a.example"}));
}

TEST_F(Way, NoDuplicationMakesAnEventTwice) {
    std::mt19937 random(11);  // NOLINT(cert-msc*): the same each time
    run(flow);
    const std::vector<std::string> expected = ids();
    for (int round = 0; round < 100; ++round) {
        std::vector<SentCopy> copies = flow;
        for (int i = 0; i < 40; ++i) {
            // Again, at any time after the first.
            const std::size_t which = random() % copies.size();
            const std::size_t where = which + 1 + random() % (copies.size() - which);
            SentCopy again = copies[which];
            again.at = model::Instant{again.at->seconds + static_cast<std::int64_t>(random() % 5), 7};
            copies.insert(copies.begin() + static_cast<std::ptrdiff_t>(where), again);
        }
        run(copies);
        ASSERT_EQ(ids(), expected) << round;
    }
}

TEST_F(Way, WhicheverHopIsAheadEachIsOne) {
    // Points of interception are each in order; how theirs are mixed is chance.
    std::mt19937 random(13);  // NOLINT(cert-msc*): the same each time
    for (int round = 0; round < 100; ++round) {
        std::array<std::vector<SentCopy>, 3> legs;
        for (const SentCopy& one : flow) {
            for (int leg = 0; leg < 3; ++leg) {
                const bool signalling = one.payload.find("leg-" + std::to_string(leg)) != std::string::npos;
                const bool content = one.payload.find("x" + std::to_string(leg) + " SEND") != std::string::npos;
                if (signalling || content) {
                    legs[static_cast<std::size_t>(leg)].push_back(one);
                }
            }
        }
        std::vector<SentCopy> copies;
        std::array<std::size_t, 3> next{};
        while (copies.size() < flow.size()) {
            const std::size_t leg = random() % 3;
            if (next.at(leg) < legs.at(leg).size()) {
                copies.push_back(legs.at(leg)[next.at(leg)++]);
            }
        }
        run(copies);
        ASSERT_EQ(counts(), once) << round;
    }
}

TEST_F(Way, SignallingAndContentMayCrossInAnyOrder) {
    // X2 and X3 are connections of their own.
    std::mt19937 random(17);  // NOLINT(cert-msc*): the same each time
    for (int round = 0; round < 100; ++round) {
        std::vector<SentCopy> copies;
        std::size_t signal = 0;
        std::size_t content = 0;
        const auto next = [this](std::size_t& place, Copy::Kind kind) {
            while (place < flow.size() && flow[place].kind != kind) {
                ++place;
            }
            return place < flow.size();
        };
        while (copies.size() < flow.size()) {
            const bool signalling = random() % 2 == 0;
            std::size_t& place = signalling ? signal : content;
            if (next(place, signalling ? Copy::Kind::sip : Copy::Kind::msrp)) {
                copies.push_back(flow[place++]);
            }
        }
        run(copies);
        ASSERT_EQ(counts(), once) << round;
    }
}

TEST_F(Way, ARestartBetweenTheHopsMakesNothingAgain) {
    run(flow);
    const std::vector<std::string> first = ids();
    const std::set<std::string> expected(first.begin(), first.end());
    for (std::size_t before = 0; before <= flow.size(); ++before) {
        events.clear();
        kept.forget();
        start();
        for (std::size_t i = 0; i < flow.size(); ++i) {
            if (i == before) {
                restart();
            }
            now += std::chrono::milliseconds(1);
            feed(flow[i]);
        }
        pass(std::chrono::minutes(10));
        const std::vector<std::string> made = ids();
        EXPECT_EQ(std::set<std::string>(made.begin(), made.end()), expected) << "ended after " << before;
        EXPECT_EQ(kept.size(), 0U);
    }
}

TEST_F(Way, WithoutACorrelationTheLegsAreSessionsOfTheirOwn) {
    for (SentCopy& one : flow) {
        one.correlation = 0;
    }
    run(flow);
    EXPECT_EQ(counts().at("conversation_started"), 3);
    EXPECT_EQ(counts().at("message \"a message over all of them\""), 3);
    EXPECT_EQ(counts().at("conversation_ended ended"), 3);
}

}  // namespace
}  // namespace lihandover::ims::test
