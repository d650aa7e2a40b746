#include "lihandover/warrants/index.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <thread>

#include "lihandover/model/identifier.hpp"

namespace {
// Counted so that a test can say that a miss allocates nothing.
thread_local std::size_t allocations = 0;
// Bytes of all that is there, on the thread that makes and drops it.
thread_local std::int64_t held = 0;
}  // namespace

// NOLINTBEGIN(cppcoreguidelines-no-malloc,misc-new-delete-overloads)
void* operator new(std::size_t size) {
    ++allocations;
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) {
        held += static_cast<std::int64_t>(malloc_usable_size(memory));
        return memory;
    }
    throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    ++allocations;
    void* const memory = std::malloc(size == 0 ? 1 : size);
    held += static_cast<std::int64_t>(malloc_usable_size(memory));
    return memory;
}
void operator delete(void* memory) noexcept {
    held -= static_cast<std::int64_t>(malloc_usable_size(memory));
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    held -= static_cast<std::int64_t>(malloc_usable_size(memory));
    std::free(memory);
}
// NOLINTEND(cppcoreguidelines-no-malloc,misc-new-delete-overloads)

namespace lihandover::warrants {
namespace {

using model::Event;
using model::Identifier;
using model::IdentifierType;
using model::Instant;
using model::PartyRole;

constexpr Instant start{1'000, 0};
constexpr Instant end{2'000, 0};
constexpr Instant within{1'500, 0};

Warrant make(std::string liid, std::vector<Target> targets, std::string destination = "lea-one") {
    Warrant warrant;
    warrant.liid = std::move(liid);
    warrant.destination = std::move(destination);
    warrant.valid_from = start;
    warrant.valid_until = end;
    warrant.targets = std::move(targets);
    warrant.deliver.content = true;
    return warrant;
}

Target target(IdentifierType type, std::string value) {
    return {type, std::move(value), {}, {}, {}};
}

WarrantPtr share(Warrant warrant) {
    return std::make_shared<const Warrant>(std::move(warrant));
}

/// An event of parties with these identifiers each.
class EventOf {
  public:
    EventOf(std::initializer_list<std::vector<Identifier>> parties) {
        for (const std::vector<Identifier>& identifiers : parties) {
            add(identifiers);
        }
    }
    void add(const std::vector<Identifier>& identifiers) {
        const auto first = static_cast<std::uint32_t>(event.identifiers.size());
        event.identifiers.insert(event.identifiers.end(), identifiers.begin(), identifiers.end());
        const PartyRole role = event.parties.empty() ? PartyRole::sender : PartyRole::receiver;
        event.parties.push_back({role, first, static_cast<std::uint32_t>(event.identifiers.size()), {}});
    }
    EventOf& at(Instant instant) {
        event.timestamp = model::QualifiedTime{instant, {}};
        return *this;
    }
    Event event;
};

/// `LIID:parties` of each match, parties as numbers.
std::string matches(const Index& index, const Event& event, const Receipt& receipt) {
    MatchScratch scratch;
    std::vector<Match> found;
    index.match(event, receipt, scratch, found);
    std::string text;
    for (const Match& match : found) {
        text += (text.empty() ? "" : " ") + (*match.warrant)->liid + ":";
        EXPECT_EQ(match.targeted.size(), (event.parties.size() + 63) / 64);
        std::string parties;
        for (std::size_t n = 0; n < event.parties.size(); ++n) {
            if ((match.targeted[n / 64] >> (n % 64) & 1U) != 0) {
                parties += (parties.empty() ? "" : ",") + std::to_string(n);
            }
        }
        text += parties;
    }
    return text;
}

std::string matches(const Index& index, const Event& event, Instant received_at = within) {
    return matches(index, event, Receipt{received_at, received_at});
}

TEST(Index, OfNothingMatchesNothing) {
    const Index index;
    EXPECT_EQ(matches(index, EventOf({{{IdentifierType::user_id, "u-1"}}}).event), "");
    EXPECT_EQ(matches(index, Event{}), "");
    EXPECT_EQ(index.distinct_targets(), 0U);
    EXPECT_TRUE(index.warrants().empty());
}

TEST(Index, EveryPartyInEveryRoleCounts) {
    const Index index({share(make("L-1", {target(IdentifierType::user_id, "u-1")}))});
    for (const PartyRole role : {PartyRole::sender, PartyRole::receiver, PartyRole::actor, PartyRole::member}) {
        EventOf event({{{IdentifierType::user_id, "x"}}, {{IdentifierType::user_id, "u-1"}}});
        event.event.parties[1].role = role;
        EXPECT_EQ(matches(index, event.event), "L-1:1");
    }
}

TEST(Index, EachWarrantMatchesOnceWithAllItsParties) {
    const Index index(
        {share(make("L-2", {target(IdentifierType::user_id, "u-1"), target(IdentifierType::msisdn, "447700900123"),
                            target(IdentifierType::email, "a@b")})),
         share(make("L-1", {target(IdentifierType::user_id, "u-2")})),
         share(make("L-3", {target(IdentifierType::user_id, "u-3")})),
         share(make("L-1", {target(IdentifierType::user_id, "u-2")}, "a-lea"))});
    EventOf event({{{IdentifierType::user_id, "u-1"}, {IdentifierType::tel_uri, "tel:+44-7700-900123"}},
                   {{IdentifierType::user_id, "u-2"}, {IdentifierType::email, "a@B"}},
                   {{IdentifierType::user_id, "u-4"}}});
    EXPECT_EQ(matches(index, event.event), "L-1:1 L-1:1 L-2:0,1");
    MatchScratch scratch;
    std::vector<Match> found;
    index.match(event.event, {within, within}, scratch, found);
    EXPECT_EQ((*found[0].warrant)->destination, "a-lea");
    EXPECT_EQ(found[1].warrant, &index.warrants()[1]);
}

TEST(Index, ManyPartiesHaveABitEach) {
    const Index index(
        {share(make("L-1", {target(IdentifierType::user_id, "u-0"), target(IdentifierType::user_id, "u-64"),
                            target(IdentifierType::user_id, "u-199")}))});
    std::vector<std::string> names;
    names.reserve(200);
    for (int n = 0; n < 200; ++n) {
        names.push_back("u-" + std::to_string(n));
    }
    EventOf event({});
    for (const std::string& name : names) {
        event.add({{IdentifierType::user_id, name}});
    }
    EXPECT_EQ(matches(index, event.event), "L-1:0,64,199");
}

TEST(Index, TheWindowIsHalfOpenAtFullPrecision) {
    const Index index({share(make("L-1", {target(IdentifierType::user_id, "u-1")}))});
    EventOf event({{{IdentifierType::user_id, "u-1"}}});
    EXPECT_EQ(matches(index, event.at({999, 999'999'999}).event), "");
    EXPECT_EQ(matches(index, event.at({1'000, 0}).event), "L-1:0");
    EXPECT_EQ(matches(index, event.at({1'999, 999'999'999}).event), "L-1:0");
    EXPECT_EQ(matches(index, event.at({2'000, 0}).event), "");
}

TEST(Index, AnEventCountsByItsOwnTimeElseByItsReceipt) {
    const Index index({share(make("L-1", {target(IdentifierType::user_id, "u-1")}))});
    EventOf event({{{IdentifierType::user_id, "u-1"}}});
    EXPECT_EQ(matches(index, event.event, within), "L-1:0");
    EXPECT_EQ(matches(index, event.event, Instant{5'000, 0}), "");
    event.at(within);
    EXPECT_EQ(matches(index, event.event, Instant{5'000, 0}), "L-1:0")
        << "intercepted inside the window, received after";
    event.at({5'000, 0});
    EXPECT_EQ(matches(index, event.event, within), "");
}

TEST(Index, ATargetsWindowNarrowsTheWarrants) {
    Warrant warrant = make("L-1", {target(IdentifierType::user_id, "u-1"), target(IdentifierType::user_id, "u-2")});
    warrant.targets[0].from = Instant{1'200, 0};
    warrant.targets[0].until = Instant{1'300, 0};
    warrant.targets[1].from = Instant{1'200, 5};
    const Index index({share(warrant)});
    EventOf first({{{IdentifierType::user_id, "u-1"}}});
    EXPECT_EQ(matches(index, first.at({1'199, 999'999'999}).event), "");
    EXPECT_EQ(matches(index, first.at({1'200, 0}).event), "L-1:0");
    EXPECT_EQ(matches(index, first.at({1'300, 0}).event), "");
    EventOf second({{{IdentifierType::user_id, "u-2"}}});
    EXPECT_EQ(matches(index, second.at({1'200, 4}).event), "");
    EXPECT_EQ(matches(index, second.at({1'999, 0}).event), "L-1:0");
    EXPECT_EQ(matches(index, second.at({2'000, 0}).event), "");
}

TEST(Index, OneIdentifierMayHaveTwoWindows) {
    Warrant warrant = make("L-1", {target(IdentifierType::user_id, "u-1"), target(IdentifierType::user_id, "u-1")});
    warrant.targets[0].until = Instant{1'100, 0};
    warrant.targets[1].from = Instant{1'900, 0};
    const Index index({share(warrant)});
    EventOf event({{{IdentifierType::user_id, "u-1"}}});
    EXPECT_EQ(matches(index, event.at({1'050, 0}).event), "L-1:0");
    EXPECT_EQ(matches(index, event.at(within).event), "");
    EXPECT_EQ(matches(index, event.at({1'950, 0}).event), "L-1:0");
    EXPECT_EQ(index.distinct_targets(), 1U);
}

TEST(Index, ServicesMayBeRestricted) {
    Warrant warrant = make("L-1", {target(IdentifierType::user_id, "u-1")});
    warrant.services = {"examplechat", "other"};
    const Index index({share(warrant), share(make("L-2", {target(IdentifierType::user_id, "u-1")}))});
    EventOf event({{{IdentifierType::user_id, "u-1"}}});
    event.event.service = "other";
    EXPECT_EQ(matches(index, event.event), "L-1:0 L-2:0");
    event.event.service = "Other";
    EXPECT_EQ(matches(index, event.event), "L-2:0");
}

TEST(Index, EveryTypeIsMatchedInItsNormalForm) {
    const std::vector<std::pair<Target, Identifier>> pairs = {
        {target(IdentifierType::msisdn, "+44 7700 900123"), {IdentifierType::e164, "447700900123"}},
        {target(IdentifierType::tel_uri, "tel:+44-7700-900123"), {IdentifierType::msisdn, "447700900123"}},
        {target(IdentifierType::email, "a@EXAMPLE.com"), {IdentifierType::email, "a@example.COM"}},
        {target(IdentifierType::username, "Am\xC3\xA9lie"), {IdentifierType::username, "Ame\xCC\x81lie"}},
        {target(IdentifierType::sip_uri, "sip:alice@ims.example.com"),
         {IdentifierType::sip_uri, "SIP:%61lice@IMS.example.com;lr"}},
        {target(IdentifierType::user_id, "u-1"), {IdentifierType::user_id, "u-1"}},
        {target(IdentifierType::msisdn, "BANK24"), {IdentifierType::msisdn, "BANK24"}},
    };
    for (const auto& [targeted, identifier] : pairs) {
        const Index index({share(make("L-1", {targeted}))});
        EXPECT_EQ(matches(index, EventOf({{identifier}}).event), "L-1:0") << identifier.value;
        EXPECT_EQ(matches(index, EventOf({{{IdentifierType::user_id, "someone"}}}).event), "");
    }
}

TEST(Index, SipParametersThatBothHaveMustAgree) {
    const Index index({share(make("L-1", {target(IdentifierType::sip_uri, "sip:a@b;x=1")})),
                       share(make("L-2", {target(IdentifierType::sip_uri, "sip:a@b;x=2;y=3")})),
                       share(make("L-3", {target(IdentifierType::sip_uri, "sip:a@b")}))});
    const auto sip = [&index](std::string_view uri) {
        return matches(index, EventOf({{{IdentifierType::sip_uri, uri}}}).event);
    };
    EXPECT_EQ(index.distinct_targets(), 1U);
    EXPECT_EQ(sip("sip:a@b"), "L-1:0 L-2:0 L-3:0");
    EXPECT_EQ(sip("sip:a@b;x=1"), "L-1:0 L-3:0");
    EXPECT_EQ(sip("sip:a@b;X=2"), "L-2:0 L-3:0");
    EXPECT_EQ(sip("sip:a@b;y=4"), "L-1:0 L-3:0");
    EXPECT_EQ(sip("sip:a@b;x=9;z=1"), "L-3:0");
}

std::vector<WarrantPtr> many_warrants(std::size_t count) {
    std::vector<WarrantPtr> warrants;
    warrants.reserve(count);
    for (std::size_t n = 0; n < count; ++n) {
        const std::string number = std::to_string(n);
        warrants.push_back(
            share(make("L-" + number, {target(IdentifierType::user_id, "u-" + number),
                                       target(IdentifierType::msisdn, std::to_string(447'700'000'000 + n))})));
    }
    return warrants;
}

TEST(Index, HoldsAHundredThousandWarrants) {
    constexpr std::size_t count = 100'000;
    const Index index(many_warrants(count));
    EXPECT_EQ(index.distinct_targets(), count * 2);
    MatchScratch scratch;
    std::vector<Match> found;
    for (std::size_t n = 0; n < count; n += 7) {
        const std::string user = "u-" + std::to_string(n);
        const std::string number = "+" + std::to_string(447'700'000'000 + n);
        EventOf event({{{IdentifierType::user_id, user}}, {{IdentifierType::tel_uri, number}}});
        index.match(event.event, {within, within}, scratch, found);
        ASSERT_EQ(found.size(), 1U);
        ASSERT_EQ((*found[0].warrant)->liid, "L-" + std::to_string(n));
        ASSERT_EQ(found[0].targeted, std::vector<std::uint64_t>{3});
    }
    for (std::size_t n = 0; n < count; ++n) {
        const std::string user = "v-" + std::to_string(n);
        EventOf event({{{IdentifierType::user_id, user}}});
        index.match(event.event, {within, within}, scratch, found);
        ASSERT_TRUE(found.empty());
    }
}

TEST(Index, AWarrantCostsLessThanFiveHundredBytesBesideItsIdentifiers) {
    constexpr std::size_t count = 20'000;
    const std::int64_t before = held;
    const Index index(many_warrants(count));
    std::size_t identifiers = 0;
    for (const WarrantPtr& warrant : index.warrants()) {
        for (const Target& target : warrant->targets) {
            identifiers += target.value.size();
        }
    }
    const auto each = (static_cast<std::size_t>(held - before) - identifiers) / count;
    EXPECT_LT(each, 500U);
    EXPECT_GT(each, sizeof(Warrant)) << "the test itself works";
}

TEST(Index, AMissAllocatesNothing) {
    const Index index(many_warrants(1'000));
    EventOf event({{{IdentifierType::user_id, "nobody"},
                    {IdentifierType::msisdn, "+44 7700 900123 0"},
                    {IdentifierType::email, "Nobody@Example.COM"}},
                   {{IdentifierType::sip_uri, "sip:nobody@ims.Example.com:5060;transport=tcp;lr?a=b"},
                    {IdentifierType::tel_uri, "tel:+49-30-123456;ext=4"},
                    {IdentifierType::username, "Nobod\xC3\xBF"}}});
    MatchScratch scratch;
    std::vector<Match> found;
    const std::size_t before = allocations;
    for (int n = 0; n < 10; ++n) {
        index.match(event.event, {within, within}, scratch, found);
    }
    EXPECT_EQ(allocations, before);
    EXPECT_TRUE(found.empty());
    auto unused = std::make_unique<int>(1);  // the counter counts
    EXPECT_GT(allocations, before);
}

TEST(Index, AgreesWithComparingEverything) {
    std::mt19937 random(11);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same every time
    const std::vector<Identifier> pool = {{IdentifierType::user_id, "1234"},
                                          {IdentifierType::username, "1234"},
                                          {IdentifierType::msisdn, "1234"},
                                          {IdentifierType::e164, "+12-34"},
                                          {IdentifierType::msisdn, "1234x"},
                                          {IdentifierType::tel_uri, "tel:+1234"},
                                          {IdentifierType::tel_uri, "tel:+1234;ext=1"},
                                          {IdentifierType::tel_uri, "tel:1234;phone-context=x"},
                                          {IdentifierType::email, "a@B"},
                                          {IdentifierType::email, "a@b"},
                                          {IdentifierType::sip_uri, "sip:a@b"},
                                          {IdentifierType::sip_uri, "sip:a@b;x=1"},
                                          {IdentifierType::sip_uri, "sip:a@B;x=2"},
                                          {IdentifierType::sip_uri, "sip:a@b;user=phone"},
                                          {IdentifierType::sip_uri, "sip:1234567@b;user=phone"},
                                          {IdentifierType::sip_uri, "sip:+1234@b"},
                                          {IdentifierType::sip_uri, "sips:a@b"},
                                          {IdentifierType::sip_uri, "tel:+1234"}};
    for (int round = 0; round < 300; ++round) {
        std::vector<WarrantPtr> warrants;
        for (int w = 0; w < 5; ++w) {
            Warrant warrant = make("L-" + std::to_string(w), {});
            for (std::size_t t = 1 + random() % 3; t > 0; --t) {
                const Identifier& identifier = pool[random() % pool.size()];
                warrant.targets.push_back(target(identifier.type, std::string(identifier.value)));
            }
            warrants.push_back(share(std::move(warrant)));
        }
        EventOf event({});
        for (int p = 0; p < 3; ++p) {
            event.add({pool[random() % pool.size()], pool[random() % pool.size()]});
        }
        std::string expected;
        for (const WarrantPtr& warrant : warrants) {
            std::string parties;
            for (std::size_t p = 0; p < event.event.parties.size(); ++p) {
                bool hit = false;
                for (const Identifier& identifier : event.event.identifiers_of(event.event.parties[p])) {
                    for (const Target& t : warrant->targets) {
                        hit = hit || model::equivalent({t.type, t.value}, identifier);
                    }
                }
                parties += !hit ? "" : (parties.empty() ? "" : ",") + std::to_string(p);
            }
            expected += parties.empty() ? "" : (expected.empty() ? "" : " ") + warrant->liid + ":" + parties;
        }
        ASSERT_EQ(matches(Index(warrants), event.event), expected);
    }
}

TEST(Index, ASourceThatSaysHowItWritesNationalNumbersIsUnderstood) {
    const Index index({share(make("L-1", {target(IdentifierType::msisdn, "447700900128")}))});
    const model::NumberPlan british{"44", "0", "00"};
    const EventOf event({{{IdentifierType::msisdn, "07700900128"}}});
    MatchScratch scratch;
    std::vector<Match> found;
    index.match(event.event, {within, within}, scratch, found);
    EXPECT_TRUE(found.empty());
    index.match(event.event, {within, within}, scratch, found, &british);
    EXPECT_EQ(found.size(), 1U);
}

TEST(Index, AUriThatIsANumberMatchesOnceHoweverManyKeysItHas) {
    const Index index({share(make("L-1", {target(IdentifierType::msisdn, "447700900128"),
                                          target(IdentifierType::sip_uri, "sip:447700900128@a.example;user=phone")}))});
    EXPECT_EQ(matches(index, EventOf({{{IdentifierType::sip_uri, "sip:447700900128@a.example;user=phone"}}}).event),
              "L-1:0");
    EXPECT_EQ(matches(index, EventOf({{{IdentifierType::sip_uri, "sip:+447700900128@b.example"}}}).event), "L-1:0");
}

TEST(Index, CaseCountsAsTheRulesOfTheServiceSay) {
    MatchRules rules;
    rules.matching.services["loose"].username = model::CaseRule::insensitive;
    rules.matching.services["mail"].email_local_part = model::CaseRule::exact;
    const Index index({share(make("L-1", {target(IdentifierType::username, "Alice"),
                                          target(IdentifierType::email, "Alice@Example.com")}))},
                      rules);
    const auto under = [&index](std::string_view service, const Identifier& identifier) {
        EventOf event({{identifier}});
        event.event.service = service;
        return matches(index, event.event) == "L-1:0";
    };
    EXPECT_TRUE(under("any", {IdentifierType::username, "Alice"}));
    EXPECT_FALSE(under("any", {IdentifierType::username, "alice"}));
    EXPECT_TRUE(under("loose", {IdentifierType::username, "aLICE"}));
    EXPECT_TRUE(under("any", {IdentifierType::email, "alice@example.com"}));
    EXPECT_FALSE(under("mail", {IdentifierType::email, "alice@example.com"}));
    EXPECT_TRUE(under("mail", {IdentifierType::email, "Alice@example.COM"}));
    EXPECT_EQ(index.distinct_targets(), 4U) << "both are there under both rules";
}

TEST(Index, AnEventThatComesInLateCountsForAWhile) {
    constexpr std::int64_t week = 7 * 24 * 3600;
    const Index index({share(make("L-1", {target(IdentifierType::user_id, "u-1")}))});
    const std::vector<Identifier> who = {{IdentifierType::user_id, "u-1"}};
    EXPECT_EQ(matches(index, EventOf({who}).at(within).event, Instant{end.seconds + week - 1, 999'999'999}), "L-1:0");
    EXPECT_EQ(matches(index, EventOf({who}).at(within).event, Instant{end.seconds + week, 0}), "");
    EXPECT_EQ(matches(index, EventOf({who}).at({1'999, 999'999'999}).event, end), "L-1:0") << "at full precision";
    EXPECT_EQ(matches(index, EventOf({who}).at(end).event, end), "");
    EXPECT_EQ(matches(index, EventOf({who}).event, end), "") << "one without a time counts by its receipt";
    EXPECT_EQ(matches(index, EventOf({who}).at({999, 999'999'999}).event, within), "");
    const Index none({share(make("L-1", {target(IdentifierType::user_id, "u-1")}))},
                     {.matching = {}, .late_events = {}});
    EXPECT_EQ(matches(none, EventOf({who}).at(within).event, Instant{1'999, 999'999'999}), "L-1:0");
    EXPECT_EQ(matches(none, EventOf({who}).at(within).event, end), "");
}

TEST(Index, WhatComesInLateIsJudgedByTheTimeThatIsTrusted) {
    const Index index({share(make("L-1", {target(IdentifierType::user_id, "u-1")}))});
    const std::vector<Identifier> who = {{IdentifierType::user_id, "u-1"}};
    const Instant months_ahead{end.seconds + 100 * 24 * 3600, 0};
    const Receipt receipt{months_ahead, end};
    EXPECT_EQ(matches(index, EventOf({who}).at(within).event, receipt), "L-1:0");
    EXPECT_EQ(matches(index, EventOf({who}).at(end).event, receipt), "");
    EXPECT_EQ(matches(index, EventOf({who}).at(within).event, {months_ahead, months_ahead}), "");
}

TEST(Index, MayBeAskedFromManyThreads) {
    const Index index(many_warrants(1'000));
    std::atomic<std::size_t> hits = 0;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            MatchScratch scratch;
            std::vector<Match> found;
            for (int n = 0; n < 1'000; ++n) {
                const std::string user = "u-" + std::to_string(n);
                EventOf event({{{IdentifierType::user_id, user}}});
                index.match(event.event, {within, within}, scratch, found);
                hits += found.size();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(hits, 4'000U);
}

// -- Tasks

model::Uuid xid(std::uint8_t number) {
    model::Uuid made;
    made.bytes.back() = number;  // as somebody who counts them up gives them
    return made;
}

Warrant fed(std::string liid, std::vector<model::Uuid> xids, std::string destination = "lea-one") {
    Warrant warrant = make(std::move(liid), {}, std::move(destination));
    warrant.xids = std::move(xids);
    return warrant;
}

/// `destination/LIID:parties` of each match.
std::string task_matches(const Index& index, const Event& event, const model::Uuid& of,
                         const std::vector<model::Uuid>& earlier = {}, const std::vector<std::uint64_t>& targeted = {},
                         Instant received_at = within) {
    std::vector<Match> found(1);  // what was there before goes
    index.match_task(event, of, earlier, targeted, {received_at, received_at}, found);
    std::string text;
    for (const Match& match : found) {
        text += (text.empty() ? "" : " ") + (*match.warrant)->destination + "/" + (*match.warrant)->liid + ":";
        EXPECT_EQ(match.targeted.size(), std::max<std::size_t>((event.parties.size() + 63) / 64, 1));
        for (std::size_t n = 0; n < match.targeted.size() * 64; ++n) {
            text += (match.targeted[n / 64] >> (n % 64) & 1U) != 0 ? std::to_string(n) + "." : "";
        }
    }
    return text;
}

bool knows(const Index& index, const model::Uuid& of, Instant at = within, Instant trusted = within) {
    return index.knows(of, at, {within, trusted});
}

TEST(TaskIndex, AnEventBelongsToTheWarrantsThatListItsXidAndToNoOthers) {
    const Index index({share(fed("L-2", {xid(1), xid(2)})), share(fed("L-1", {xid(2)})),
                       share(fed("L-1", {xid(2)}, "a-lea")),
                       share(make("L-3", {target(IdentifierType::user_id, "u-1")}))});
    const EventOf event({{{IdentifierType::user_id, "u-1"}}});
    EXPECT_EQ(task_matches(index, event.event, xid(1)), "lea-one/L-2:");
    EXPECT_EQ(task_matches(index, event.event, xid(2)), "a-lea/L-1: lea-one/L-1: lea-one/L-2:");
    EXPECT_EQ(task_matches(index, event.event, xid(3)), "");
    EXPECT_EQ(task_matches(index, event.event, model::Uuid{}), "");
    EXPECT_EQ(matches(index, event.event), "L-3:0") << "by its targets alone, where it came over HTTP";
    EXPECT_TRUE(knows(index, xid(1)));
    EXPECT_TRUE(knows(index, xid(2)));
    EXPECT_FALSE(knows(index, xid(3)));
    EXPECT_FALSE(knows(Index(), xid(1)));
}

TEST(TaskIndex, AWarrantOfTargetsAndXidsTakesBoth) {
    Warrant both = make("L-1", {target(IdentifierType::user_id, "u-1")});
    both.xids = {xid(1)};
    const Index index({share(both)});
    const EventOf other({{{IdentifierType::user_id, "u-2"}}});
    const EventOf own({{{IdentifierType::user_id, "u-1"}}});
    EXPECT_EQ(task_matches(index, other.event, xid(1)), "lea-one/L-1:");
    EXPECT_EQ(matches(index, other.event), "");
    EXPECT_EQ(matches(index, own.event), "L-1:0");
    EXPECT_EQ(task_matches(index, own.event, xid(2)), "");
}

TEST(TaskIndex, TwoXidsOfOneCopyMakeOneMatchOfAWarrant) {
    const Index index({share(fed("L-1", {xid(1), xid(2)})), share(fed("L-2", {xid(2)})), share(fed("L-3", {xid(1)}))});
    const EventOf event({{{IdentifierType::user_id, "u-1"}}});
    EXPECT_EQ(task_matches(index, event.event, xid(1), {}), "lea-one/L-1: lea-one/L-3:");
    EXPECT_EQ(task_matches(index, event.event, xid(2), {xid(1)}), "lea-one/L-2:");
    EXPECT_EQ(task_matches(index, event.event, xid(2), {xid(9), xid(1)}), "lea-one/L-2:");
    EXPECT_EQ(task_matches(index, event.event, xid(2), {xid(9)}), "lea-one/L-1: lea-one/L-2:");
}

TEST(TaskIndex, TheEventsOwnTimeDecidesAndServicesCount) {
    Warrant warrant = fed("L-1", {xid(1)});
    warrant.services = {"ims"};
    const Index index({share(warrant)});
    EventOf event({{{IdentifierType::user_id, "u-1"}}});
    event.event.service = "ims";
    EXPECT_EQ(task_matches(index, event.event, xid(1)), "lea-one/L-1:");
    EXPECT_EQ(task_matches(index, event.event, xid(1), {}, {}, end), "") << "by its receipt, having no time";
    EXPECT_EQ(task_matches(index, event.at(start).event, xid(1), {}, {}, end), "lea-one/L-1:");
    EXPECT_EQ(task_matches(index, event.at({999, 999'999'999}).event, xid(1)), "");
    EXPECT_EQ(task_matches(index, event.at(end).event, xid(1)), "");
    event.at(within);
    const Instant late{end.seconds + 7 * 86'400, 0};
    EXPECT_EQ(task_matches(index, event.event, xid(1), {}, {}, {late.seconds - 1, 0}), "lea-one/L-1:");
    EXPECT_EQ(task_matches(index, event.event, xid(1), {}, {}, late), "");
    event.event.service = "other";
    EXPECT_EQ(task_matches(index, event.event, xid(1)), "");

    EXPECT_TRUE(knows(index, xid(1), start));
    EXPECT_FALSE(knows(index, xid(1), {999, 999'999'999}));
    EXPECT_FALSE(knows(index, xid(1), end));
    EXPECT_TRUE(knows(index, xid(1), within, {late.seconds - 1, 0}));
    EXPECT_FALSE(knows(index, xid(1), within, late));
}

TEST(TaskIndex, KnowsAXidWhileAnyWarrantDoes) {
    Warrant later = fed("L-2", {xid(1)});
    later.valid_from = end;
    later.valid_until = {3'000, 0};
    const Index index({share(fed("L-1", {xid(1)})), share(later)});
    EXPECT_TRUE(knows(index, xid(1), within));
    EXPECT_TRUE(knows(index, xid(1), end));
    EXPECT_FALSE(knows(index, xid(1), {3'000, 0}));
    const EventOf event = EventOf({}).at(end);
    EXPECT_EQ(task_matches(index, event.event, xid(1)), "lea-one/L-2:") << "an event may have no parties";
}

TEST(TaskIndex, TheCopysMarksAreTheMatches) {
    const Index index({share(fed("L-1", {xid(1)})), share(fed("L-2", {xid(1)}))});
    EventOf event({});
    for (int n = 0; n < 70; ++n) {
        event.add({{IdentifierType::user_id, "u"}});
    }
    EXPECT_EQ(task_matches(index, event.event, xid(1), {}, {0b1001, std::uint64_t{1} << 5U}),
              "lea-one/L-1:0.3.69. lea-one/L-2:0.3.69.");
    EXPECT_EQ(task_matches(index, event.event, xid(1), {}, {0b10}), "lea-one/L-1:1. lea-one/L-2:1.");
    // No more marks than parties.
    EXPECT_EQ(task_matches(index, event.event, xid(1), {}, {1, ~std::uint64_t{0}, 1}),
              "lea-one/L-1:0.64.65.66.67.68.69. lea-one/L-2:0.64.65.66.67.68.69.");
}

TEST(TaskIndex, AnUnknownXidCostsALookAndNoMemory) {
    std::vector<WarrantPtr> all;
    for (std::uint32_t n = 0; n < 20'000; ++n) {
        model::Uuid counted;
        std::memcpy(counted.bytes.data() + 12, &n, sizeof n);
        all.push_back(share(fed("L-" + std::to_string(n), {counted})));
    }
    const Index index(std::move(all));
    const std::size_t before = allocations;
    std::size_t known = 0;
    for (std::uint32_t n = 0; n < 40'000; ++n) {
        model::Uuid counted;
        std::memcpy(counted.bytes.data() + 12, &n, sizeof n);
        known += knows(index, counted) ? 1 : 0;
    }
    EXPECT_EQ(known, 20'000U);
    EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace lihandover::warrants
