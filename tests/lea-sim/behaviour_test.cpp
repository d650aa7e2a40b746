#include "behaviour.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace lihandover::lea_sim {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

Rule rule_of(std::string_view text) {
    Settings settings;
    EXPECT_TRUE(parse_settings(text, settings)) << text;
    auto rule = make_rule(settings);
    EXPECT_TRUE(rule) << text;
    return rule ? *rule : Rule();
}

std::string error_of(std::string_view text) {
    Settings settings;
    if (auto parsed = parse_settings(text, settings); !parsed) {
        return parsed.error().message;
    }
    const auto rule = make_rule(settings);
    return rule ? "" : rule.error().message;
}

/// Which of `count` requests with that subject the rule applies to, as a text of `x` and `.`.
std::string pattern(const Rule& rule, int count, const Behaviour::Subject& subject = {}) {
    const Behaviour behaviour({rule});
    Random random(1);
    std::string out;
    for (int i = 0; i < count; ++i) {
        out += behaviour.apply(0, std::array{subject}, random) != nullptr ? 'x' : '.';
    }
    return out;
}

TEST(Durations, NeedAUnit) {
    EXPECT_EQ(parse_duration("200ms"), milliseconds(200));
    EXPECT_EQ(parse_duration("2s"), milliseconds(2000));
    EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
    EXPECT_EQ(parse_duration("1h"), milliseconds(3'600'000));
    for (const auto* wrong : {"", "5", "ms", "-1s", "1.5s", "1 s", "99999999999s", "1d"}) {
        EXPECT_FALSE(parse_duration(wrong)) << wrong;
    }
}

TEST(Rules, TakeTheirSettings) {
    const auto rule = rule_of("kind=refuse,code=3999,liid=LIID-1,every=10,skip=2,times=3,probability=0.5");
    EXPECT_EQ(rule.kind, Kind::refuse);
    EXPECT_EQ(rule.code, 3999U);
    EXPECT_EQ(rule.liid, "LIID-1");
    EXPECT_EQ(rule.every, 10U);
    EXPECT_EQ(rule.skip, 2U);
    EXPECT_EQ(rule.times, 3U);
    EXPECT_EQ(rule.probability, 0.5);
    EXPECT_EQ(rule_of("kind=status,status=429,retry_after=2").retry_after, 2U);
    EXPECT_EQ(rule_of("kind=drop,moment=answered").moment, Moment::answered);
    EXPECT_EQ(rule_of("kind=delay,delay=2s,jitter=1ms").delay, milliseconds(2000));
    EXPECT_EQ(rule_of("kind=withhold_continue").on, Scope::uploads);
}

TEST(Rules, AreRefusedWithWhatIsAllowed) {
    EXPECT_THAT(error_of("kind=explode"), HasSubstr("refuse"));
    EXPECT_THAT(error_of("code=1"), HasSubstr("kind"));
    EXPECT_THAT(error_of("kind=refuse,colour=blue"), HasSubstr("colour"));
    EXPECT_THAT(error_of("kind=status,status=99"), HasSubstr("200 to 599"));
    EXPECT_THAT(error_of("kind=refuse,every=0"), HasSubstr("every"));
    EXPECT_THAT(error_of("kind=refuse,probability=2"), HasSubstr("0 to 1"));
    EXPECT_THAT(error_of("kind=refuse,object=17"), HasSubstr("UUID"));
    EXPECT_THAT(error_of("kind=drop,moment=never"), HasSubstr("answering"));
    EXPECT_THAT(error_of("kind=drop,moment=reading,liid=A"), HasSubstr("before"));
    EXPECT_THAT(error_of("refuse"), HasSubstr("name=value"));
}

TEST(Rules, ApplyToEveryNthAfterTheSkippedAndAtMostSoOften) {
    EXPECT_EQ(pattern(rule_of("kind=refuse"), 5), "xxxxx");
    EXPECT_EQ(pattern(rule_of("kind=refuse,every=3"), 7), "..x..x.");
    EXPECT_EQ(pattern(rule_of("kind=refuse,skip=2"), 5), "..xxx");
    EXPECT_EQ(pattern(rule_of("kind=refuse,skip=1,every=2,times=2"), 9), "..x.x....");
    EXPECT_EQ(pattern(rule_of("kind=refuse,probability=0"), 5), ".....");
}

TEST(Rules, LookAtWhatTheyAreFor) {
    const auto one = model::Uuid::random();
    const auto other = model::Uuid::random();
    const Behaviour::Subject delivery{Scope::deliveries, "LIID-1", &one, {}, 0};
    const Behaviour::Subject upload{Scope::uploads, {}, &one, {}, 0};
    EXPECT_EQ(pattern(rule_of("kind=refuse,liid=LIID-1"), 1, delivery), "x");
    EXPECT_EQ(pattern(rule_of("kind=refuse,liid=LIID-2"), 1, delivery), ".");
    EXPECT_EQ(pattern(rule_of("kind=refuse,object=" + one.to_string()), 1, delivery), "x");
    EXPECT_EQ(pattern(rule_of("kind=refuse,object=" + other.to_string()), 1, delivery), ".");
    EXPECT_EQ(pattern(rule_of("kind=status"), 1, upload), ".");
    EXPECT_EQ(pattern(rule_of("kind=status,on=uploads"), 1, upload), "x");
    EXPECT_EQ(pattern(rule_of("kind=status,on=uploads"), 1, delivery), ".");
    EXPECT_EQ(pattern(rule_of("kind=status,on=all"), 1, upload), "x");
}

TEST(Rules, HappenAtRandomAsTheSeedSays) {
    const auto rule = rule_of("kind=refuse,probability=0.5");
    const auto first = pattern(rule, 200);
    EXPECT_EQ(first, pattern(rule, 200));
    EXPECT_THAT(first, HasSubstr("x"));
    EXPECT_THAT(first, HasSubstr("."));
}

TEST(Rules, LookAtTextAndNode) {
    const auto filter = rule_of("kind=status,status=403,contains=poison");
    Behaviour::Subject subject;
    subject.text = "no harm in it";
    EXPECT_EQ(pattern(filter, 2, subject), "..");
    subject.text = "some poison in it";
    EXPECT_EQ(pattern(filter, 2, subject), "xx");

    const auto node = rule_of("kind=status,status=404,nodes=3,node=1");
    std::string hit;
    for (subject.connection = 0; subject.connection < 6; ++subject.connection) {
        hit += pattern(node, 1, subject);
    }
    EXPECT_EQ(hit, ".x..x.");
    EXPECT_TRUE(Behaviour({node}).needs_nodes());
    EXPECT_FALSE(Behaviour({filter}).needs_nodes());
    EXPECT_THAT(error_of("kind=status,nodes=2,node=2"), HasSubstr("one less than nodes"));
    EXPECT_THAT(error_of("kind=slow_read,contains=x"), HasSubstr("not known before"));
}

TEST(Rules, SayWhetherTheyNeedLiids) {
    EXPECT_FALSE(Behaviour({rule_of("kind=refuse,every=3")}).needs_liids());
    EXPECT_TRUE(Behaviour({rule_of("kind=status"), rule_of("kind=refuse,liid=A")}).needs_liids());
}

TEST(Chaos, IsARuleOfEachKind) {
    const auto rules = chaos_rules("drop=0.05,delay=0.1,refuse=0.01,garbage=0.02,status=0.05");
    ASSERT_TRUE(rules);
    ASSERT_EQ(rules->size(), 5U);
    EXPECT_EQ((*rules)[0].kind, Kind::drop);
    EXPECT_EQ((*rules)[0].moment, Moment::any);
    EXPECT_EQ((*rules)[0].probability, 0.05);
    EXPECT_GT((*rules)[1].jitter, milliseconds(0));
    EXPECT_FALSE(chaos_rules("drop=2"));
    EXPECT_FALSE(chaos_rules("explode=0.1"));
    EXPECT_FALSE(chaos_rules("drop"));
}

TEST(RulesFromJson, TakeTextsAndNumbers) {
    const auto rules = rules_from_json(R"({"rules":[{"kind":"status","status":503,"times":3,"probability":0.25},)"
                                       R"({"kind":"refuse","description":"a, b"}]})");
    ASSERT_TRUE(rules) << rules.error().message;
    ASSERT_EQ(rules->size(), 2U);
    EXPECT_EQ((*rules)[0].status, 503U);
    EXPECT_EQ((*rules)[0].times, 3U);
    EXPECT_EQ((*rules)[0].probability, 0.25);
    EXPECT_EQ((*rules)[1].description, "a, b");
    EXPECT_TRUE(rules_from_json(R"({"rules":[]})"));
    for (const auto* wrong : {"", "[]", "{}", R"({"rules":1})", R"({"rules":[1]})", R"({"rules":[{"kind":"x"}]})",
                              R"({"rules":[],"x":1})", R"({"rules":[{"kind":"status","status":null}]})"}) {
        EXPECT_FALSE(rules_from_json(wrong)) << wrong;
    }
}

}  // namespace
}  // namespace lihandover::lea_sim
