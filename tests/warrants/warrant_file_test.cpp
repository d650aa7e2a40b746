#include <gtest/gtest.h>

#include "lihandover/warrants/loader.hpp"

namespace lihandover::warrants {
namespace {

constexpr std::string_view good = R"(liid: LIID-0001
destination: lea-one
valid_from: 2026-01-01T00:00:00Z
valid_until: 2026-04-01T00:00:00+02:00
targets:
  - user_id: u-1001
  - msisdn: 447700900123
    from: 2026-01-15T00:00:00Z
    until: 2026-02-15T00:00:00Z
    observed_at: 2025-12-20T10:00:00Z
deliver: [metadata, content, location]
)";

constexpr std::string_view good_targets =
    "targets:\n  - user_id: u-1001\n  - msisdn: 447700900123\n"
    "    from: 2026-01-15T00:00:00Z\n    until: 2026-02-15T00:00:00Z\n"
    "    observed_at: 2025-12-20T10:00:00Z\n";

const Destinations& destinations() {
    static const Destinations value{{"lea-one", "lea-two"}, {"lea-two"}};
    return value;
}

std::string with(std::string_view line, std::string_view replacement) {
    std::string text(good);
    const std::size_t at = text.find(line);
    EXPECT_NE(at, std::string::npos) << line;
    return text.replace(at, line.size(), replacement);
}

std::string problems_of(std::string_view text) {
    Warrant warrant;
    std::string all;
    for (const config::Problem& problem : read_warrant(text, "f", destinations(), warrant)) {
        all += check_text(problem) + "\n";
    }
    EXPECT_EQ(all.empty(), !warrant.liid.empty());
    return all;
}

TEST(WarrantFile, IsReadWhole) {
    Warrant warrant;
    ASSERT_TRUE(read_warrant(std::string(good) + "services: [a, b]\npriority: emergency\nreview: none\n"
                                                 "correlation: none\nreference: W-1\nacknowledge_not_unique: true\n",
                             "f", destinations(), warrant)
                    .empty());
    EXPECT_EQ(warrant.liid, "LIID-0001");
    EXPECT_EQ(warrant.destination, "lea-one");
    EXPECT_EQ(warrant.valid_from.seconds, 1'767'225'600);
    EXPECT_EQ(warrant.valid_until.seconds, 1'774'994'400);
    ASSERT_EQ(warrant.targets.size(), 2U);
    EXPECT_EQ(warrant.targets[0].value, "u-1001");
    EXPECT_FALSE(warrant.targets[0].from.has_value());
    EXPECT_EQ(warrant.targets[1].type, model::IdentifierType::msisdn);
    EXPECT_EQ(warrant.targets[1].value, "447700900123");
    EXPECT_EQ(warrant.targets[1].from->seconds, 1'768'435'200);
    EXPECT_EQ(warrant.targets[1].observed_at->seconds, 1'766'224'800);
    EXPECT_EQ(warrant.services, (Few<std::string>{"a", "b"}));
    EXPECT_EQ(warrant.deliver, (model::Deliver{true, true, false, true}));
    EXPECT_EQ(warrant.priority, Priority::emergency);
    EXPECT_EQ(warrant.correlation, Correlation::none);
    EXPECT_EQ(warrant.reference, "W-1");
    EXPECT_TRUE(warrant.acknowledge_not_unique);
}

TEST(WarrantFile, SaysHowManyPeopleReview) {
    Warrant warrant;
    ASSERT_TRUE(read_warrant(std::string(good) + "review: required\n", "f", destinations(), warrant).empty());
    EXPECT_EQ(warrant.review, Review::required);
    ASSERT_TRUE(read_warrant(std::string(good) + "review: dual\n", "f", destinations(), warrant).empty());
    EXPECT_EQ(warrant.review, Review::dual);
}

TEST(WarrantFile, DefaultsAreThere) {
    Warrant warrant;
    ASSERT_TRUE(read_warrant(good, "f", destinations(), warrant).empty());
    EXPECT_EQ(warrant.priority, Priority::routine);
    EXPECT_EQ(warrant.review, Review::none);
    EXPECT_EQ(warrant.correlation, Correlation::conversation);
    EXPECT_TRUE(warrant.services.empty());
    EXPECT_TRUE(warrant.reference.empty());
    EXPECT_FALSE(warrant.acknowledge_not_unique);
}

struct Mistake {
    std::string_view line;
    std::string_view replacement;
    std::string_view problem;
};

TEST(WarrantFile, EachMistakeIsNamedWithItsPlace) {
    const std::vector<Mistake> mistakes = {
        {"liid: LIID-0001\n", "", "f:1:1: liid: missing; it has no default\n"},
        {"LIID-0001", "\"LIID 1\"",
         "f:1:7: liid: not an LIID; allowed: 1 to 25 printable ASCII characters without blanks, or 26 to 50 of 0-9 and "
         "a-f (found \"LIID 1\")\n"},
        {"lea-one", "lea-nine",
         "f:2:14: destination: no such destination; allowed: lea-one or lea-two (found \"lea-nine\")\n"},
        {"2026-01-01T00:00:00Z", "2026-01-01",
         "f:3:13: valid_from: a time is needed, RFC 3339 with an offset: 2026-01-01T00:00:00Z (found "
         "\"2026-01-01\")\n"},
        {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00",
         "f:3:13: valid_from: a time is needed, RFC 3339 with an offset: 2026-01-01T00:00:00Z (found "
         "\"2026-01-01T00:00:00\")\n"},
        {"2026-04-01T00:00:00+02:00", "2026-01-01T00:00:00Z",
         "f:4:14: valid_until: not after valid_from; a later time is needed\n"},
        {"  - user_id: u-1001\n", "  - user_id: \"\"\n", "f:6:14: targets[0].user_id: an identifier is not empty\n"},
        {"user_id: u-1001", "shoe_size: 44",
         "f:6:5: targets[0]: unknown key; allowed: user_id, username, msisdn, e164, email, sip_uri, tel_uri, im_uri, "
         "from, until or observed_at (found \"shoe_size\")\n"
         "f:6:5: targets[0]: a target is one identifier; exactly one of these is needed: user_id, username, msisdn, "
         "e164, email, sip_uri, tel_uri or im_uri\n"},
        {"user_id: u-1001", "{user_id: u-1, email: a@b.c}",
         "f:6:5: targets[0]: a target is one identifier; exactly one of these is needed: user_id, username, msisdn, "
         "e164, email, sip_uri, tel_uri or im_uri\n"},
        {"user_id: u-1001", "sip_uri: alice",
         "f:6:14: targets[0].sip_uri: a SIP or SIPS URI is needed, sip:user@host (found \"alice\")\n"},
        {"447700900123", "+44 7700 90012x",
         "f:7:13: targets[1].msisdn: a number of 3 to 15 digits is needed, or an alphanumeric sender of at most 11 "
         "characters (found \"+44 7700 90012x\")\n"},
        {"2026-01-15T00:00:00Z", "2025-12-31T23:59:59Z",
         "f:8:11: targets[1].from: outside the warrant's window; a time within valid_from and valid_until is "
         "needed\n"},
        {"2026-02-15T00:00:00Z", "2026-04-01T00:00:00Z",
         "f:9:12: targets[1].until: outside the warrant's window; a time within valid_from and valid_until is "
         "needed\n"},
        {"2026-02-15T00:00:00Z", "2026-01-15T00:00:00Z",
         "f:9:12: targets[1].until: not after from; a later time is needed\n"},
        {"deliver: [metadata, content, location]\n", "", "f:1:1: deliver: missing; it has no default\n"},
        {"[metadata, content, location]", "[]", "f:11:10: deliver: a list of 1 to 4 elements is needed\n"},
        {"[metadata, content, location]", "metadata",
         "f:11:10: deliver: a list is needed: [a, b] (found \"metadata\")\n"},
        {"[metadata, content, location]", "[metadata, everything]",
         "f:11:21: deliver[1]: not one of the choices; allowed: metadata, content, binary or location (found "
         "\"everything\")\n"},
        {"[metadata, content, location]", "[content, content]",
         "f:11:20: deliver[1]: twice in the list (found \"content\")\n"},
        {"[metadata, content, location]", "[content, binary]",
         "f:11:20: deliver: the destination takes no binary objects; allowed: metadata, content or location\n"},
        {"deliver:", "review: thrice\ndeliver:",
         "f:11:9: review: not one of the choices; allowed: none, required or dual (found \"thrice\")\n"},
        {"deliver:", "services: []\ndeliver:", "f:11:11: services: a list of 1 to 1000 elements is needed\n"},
        {"deliver:", "priority: high\ndeliver:",
         "f:11:11: priority: not one of the choices; allowed: routine or emergency (found \"high\")\n"},
        {"deliver:", "correlation: thread\ndeliver:",
         "f:11:14: correlation: not one of the choices; allowed: conversation or none (found \"thread\")\n"},
        {"deliver:", "acknowledge_not_unique: yes\ndeliver:",
         "f:11:25: acknowledge_not_unique: true or false is needed (found \"yes\")\n"},
        {"deliver:", "delivr: [content]\ndeliver:", "f:11:1: unknown key; did you mean deliver? (found \"delivr\")\n"},
        {"deliver:", "liid: OTHER\ndeliver:", "f:11:1: liid: the same key a second time; one is allowed\n"},
    };
    for (const Mistake& mistake : mistakes) {
        EXPECT_EQ(problems_of(with(mistake.line, mistake.replacement)), mistake.problem);
    }
}

TEST(WarrantFile, EveryMistakeIsFoundInOneRun) {
    EXPECT_EQ(problems_of(R"(liid: ""
valid_from: yesterday
targets:
  - username: alice
  - email: alice
deliver: [binary, x]
review: thrice
colour: red
)"),
              R"(f:1:1: destination: missing; it has no default
f:1:1: valid_until: missing; it has no default
f:1:7: liid: too short; allowed: 1 to 25 printable ASCII characters without blanks, or 26 to 50 of 0-9 and a-f
f:2:13: valid_from: a time is needed, RFC 3339 with an offset: 2026-01-01T00:00:00Z (found "yesterday")
f:5:12: targets[1].email: an email address is needed, local-part@domain (found "alice")
f:6:19: deliver[1]: not one of the choices; allowed: metadata, content, binary or location (found "x")
f:7:9: review: not one of the choices; allowed: none, required or dual (found "thrice")
f:8:1: unknown key; allowed: liid, destination, valid_from, valid_until, targets, xid, services, deliver, priority, review, correlation, reference, test or acknowledge_not_unique (found "colour")
)");
}

TEST(WarrantFile, LogsHoldNoTarget) {
    Warrant warrant;
    const config::Problems problems =
        read_warrant(with("447700900123", "+44 7700 90012x"), "f", destinations(), warrant);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(log_text(problems[0]).find("7700"), std::string::npos);
}

TEST(WarrantFile, UserNamesAloneNeedAnAcknowledgement) {
    const std::string only = "[{username: alice}, {username: bob}]\n";
    const std::string text = with(good_targets, "targets: " + only);
    EXPECT_EQ(problems_of(text),
              "f:5:1: targets: user names only, and those are not unique; another identifier is needed, or "
              "acknowledge_not_unique: true\n");
    EXPECT_NE(problems_of(text + "acknowledge_not_unique: false\n"), "");
    EXPECT_EQ(problems_of(text + "acknowledge_not_unique: true\n"), "");
    EXPECT_EQ(problems_of(with("user_id: u-1001", "username: alice")), "");
}

TEST(WarrantFile, MistakesInXidsAreNamed) {
    constexpr std::string_view one = "29f28e1c-f230-486a-a860-f5a784ab9177";
    const auto problems_with = [](const std::string& value) {
        return problems_of(with("deliver:", "xid: " + value + "\ndeliver:"));
    };
    EXPECT_EQ(problems_with("[" + std::string(one) + ", 29f28e1c]"),
              "f:11:45: xid[1]: a UUID is needed, 29f28e1c-f230-486a-a860-f5a784ab9177 (found \"29f28e1c\")\n");
    EXPECT_EQ(problems_with("[" + std::string(one) + ", 29F28E1C-F230-486A-A860-F5A784AB9177]"),
              "f:11:45: xid[1]: twice in the list (found \"29F28E1C-F230-486A-A860-F5A784AB9177\")\n");
    EXPECT_EQ(problems_with("[]"), "f:11:6: xid: a list of 1 to 10000 elements is needed\n");
    EXPECT_EQ(problems_with(std::string(one)),
              "f:11:6: xid: a list is needed: [a, b] (found \"29f28e1c-f230-486a-a860-f5a784ab9177\")\n");
}

TEST(WarrantFile, XidsOfEitherCase) {
    Warrant warrant;
    const std::string text = with("deliver:",
                                  "xid:\n  - 29F28E1C-f230-486a-a860-f5a784ab9177\n"
                                  "  - 00000000-0000-0000-0000-000000000001\ndeliver:");
    ASSERT_TRUE(read_warrant(text, "f", destinations(), warrant).empty());
    ASSERT_EQ(warrant.xids.size(), 2U);
    EXPECT_EQ(warrant.xids[0].to_string(), "29f28e1c-f230-486a-a860-f5a784ab9177");
    EXPECT_EQ(warrant.xids[1].to_string(), "00000000-0000-0000-0000-000000000001");
    EXPECT_EQ(warrant.targets.size(), 2U);
}

TEST(WarrantFile, TargetsMayBeLeftOutWhereThereAreXids) {
    Warrant warrant;
    const std::string text = with(good_targets, "xid: [29f28e1c-f230-486a-a860-f5a784ab9177]\n");
    ASSERT_TRUE(read_warrant(text, "f", destinations(), warrant).empty());
    EXPECT_TRUE(warrant.targets.empty());
    EXPECT_EQ(warrant.xids.size(), 1U);
    EXPECT_EQ(problems_of(with(good_targets, "")), "f:1:1: targets: missing; needed where no xid feeds the warrant\n");
    EXPECT_EQ(problems_of(with(good_targets, "xid: [nonsense]\n")),
              "f:5:7: xid[0]: a UUID is needed, 29f28e1c-f230-486a-a860-f5a784ab9177 (found \"nonsense\")\n");
    EXPECT_EQ(problems_of(with(good_targets, "xid: [29f28e1c-f230-486a-a860-f5a784ab9177]\ntargets: []\n")),
              "f:6:10: targets: a list of 1 to 10000 mappings is needed\n");
    // Where there are targets, all is said of them as ever.
    const std::string names =
        with(good_targets, "xid: [29f28e1c-f230-486a-a860-f5a784ab9177]\ntargets: [{username: a}]\n");
    EXPECT_NE(problems_of(names), "");
    EXPECT_EQ(problems_of(names + "acknowledge_not_unique: true\n"), "");
}

TEST(WarrantFile, ATestInterceptTargetsOurOwnAccountsOnly) {
    const auto problems_under = [](std::string_view text,
                                   const std::vector<std::pair<model::IdentifierType, std::string>>& ours) {
        Destinations allowed = destinations();
        for (const auto& [type, value] : ours) {
            Target& target = allowed.test_targets.emplace_back();
            target.type = type;
            target.value = value;
        }
        Warrant warrant;
        std::string all;
        for (const config::Problem& problem : read_warrant(text, "f", allowed, warrant)) {
            all += check_text(problem) + "\n";
        }
        EXPECT_TRUE(!all.empty() || warrant.test);
        return all;
    };
    using enum model::IdentifierType;
    const std::string test = std::string(good) + "test: true\n";
    const std::string refused =
        "f:5:1: targets: a test intercept may only have targets that are listed in csp.test_targets\n";
    EXPECT_EQ(problems_under(test, {{user_id, "u-1001"}, {tel_uri, "tel:+447700900123"}}), "") << "the same number";
    EXPECT_EQ(problems_under(test, {{user_id, "u-1001"}}), refused);
    EXPECT_EQ(problems_under(test, {}), refused);
    EXPECT_EQ(problems_under(test, {{username, "u-1001"}, {msisdn, "447700900123"}}), refused) << "another type";
    const std::string tasks = std::string(good) + "xid: [29f28e1c-f230-486a-a860-f5a784ab9177]\ntest: true\n";
    EXPECT_EQ(problems_under(tasks, {{user_id, "u-1001"}, {msisdn, "447700900123"}}),
              "f:12:1: xid: not with test: true, since nobody here knows whose task it is\n");
}

TEST(WarrantFile, BinaryGoesToADestinationThatTakesIt) {
    const std::string text = with("[metadata, content, location]", "[binary]");
    EXPECT_NE(problems_of(text), "");
    std::string other = text;
    other.replace(other.find("lea-one"), 7, "lea-two");
    EXPECT_EQ(problems_of(other), "");
}

TEST(WarrantFile, TargetWindowsMayTouchTheEdges) {
    std::string text = with("2026-01-15T00:00:00Z", "2026-01-01T00:00:00Z");
    text.replace(text.find("2026-02-15T00:00:00Z"), 20, "2026-04-01T00:00:00+02:00");
    EXPECT_EQ(problems_of(text), "");
}

}  // namespace
}  // namespace lihandover::warrants
