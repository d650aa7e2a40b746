#include "lihandover/warrants/terms.hpp"

#include <gtest/gtest.h>

namespace lihandover::warrants {
namespace {

using model::IdentifierType;

TEST(Terms, SayAllThatTheWarrantOrders) {
    Warrant warrant;
    warrant.liid = "L-1";
    warrant.destination = "lea-one";
    warrant.valid_from = {1'767'225'600, 0};
    warrant.valid_until = {1'775'001'600, 500'000'000};
    warrant.targets.push_back({IdentifierType::msisdn, "+44 7700 900123", {}, {}, {}});
    warrant.targets.push_back({IdentifierType::username,
                               "a \"b\"\n",
                               model::Instant{1'767'225'601, 0},
                               model::Instant{1'767'225'602, 0},
                               {}});
    warrant.deliver.metadata = true;
    EXPECT_EQ(terms_of(warrant),
              "{valid_from: 2026-01-01T00:00:00.000000Z, valid_until: 2026-04-01T00:00:00.500000Z, targets: "
              "[{msisdn: \"+44 7700 900123\"}, {username: \"a \\\"b\\\"\\x0a\", from: 2026-01-01T00:00:01.000000Z, "
              "until: 2026-01-01T00:00:02.000000Z}], deliver: [metadata]}");
    warrant.targets.resize(1);
    warrant.services = {"examplechat", "other"};
    warrant.deliver.content = true;
    warrant.deliver.binary = true;
    warrant.deliver.location = true;
    warrant.priority = Priority::emergency;
    warrant.review = Review::dual;
    warrant.correlation = Correlation::none;
    warrant.reference = "W-1";
    warrant.acknowledge_not_unique = true;
    EXPECT_TRUE(terms_of(warrant).ends_with(
        ", services: [examplechat, other], deliver: [metadata, content, binary, location], priority: emergency, "
        "review: dual, correlation: none, reference: W-1, acknowledge_not_unique: true}"))
        << terms_of(warrant);
}

TEST(Terms, NameXidsAlsoWithoutTargets) {
    Warrant warrant;
    warrant.deliver.metadata = true;
    warrant.xids = {*model::Uuid::parse("29F28E1C-f230-486a-a860-f5a784ab9177"), model::Uuid{}};
    EXPECT_EQ(terms_of(warrant),
              "{valid_from: 1970-01-01T00:00:00.000000Z, valid_until: 1970-01-01T00:00:00.000000Z, xid: "
              "[29f28e1c-f230-486a-a860-f5a784ab9177, 00000000-0000-0000-0000-000000000000], deliver: [metadata]}");
}

TEST(Terms, DifferWhereverTheWarrantsDo) {
    Warrant before;
    before.targets.push_back({IdentifierType::user_id, "u-1", {}, {}, {}});
    for (const auto change :
         {+[](Warrant& w) { w.valid_from.seconds = 1; }, +[](Warrant& w) { w.valid_until.seconds = 1; },
          +[](Warrant& w) { w.targets[0].value = "u-2"; },
          +[](Warrant& w) { w.targets[0].type = IdentifierType::username; },
          +[](Warrant& w) { w.targets[0].observed_at = model::Instant{}; }, +[](Warrant& w) { w.xids.emplace_back(); },
          +[](Warrant& w) { w.services.emplace_back("x"); }, +[](Warrant& w) { w.deliver.binary = true; },
          +[](Warrant& w) { w.review = Review::required; }}) {
        Warrant after = before;
        change(after);
        EXPECT_NE(terms_of(before), terms_of(after));
    }
}

}  // namespace
}  // namespace lihandover::warrants
