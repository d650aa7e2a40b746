#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lihandover/warrants/terms.hpp"
#include "lihandover/warrants/warrant.hpp"

namespace lihandover::warrants {
namespace {

using model::IdentifierType;
using model::Instant;

Target target(std::string value, std::optional<Instant> from = {}, std::optional<Instant> until = {}) {
    Target made;
    made.type = IdentifierType::user_id;
    made.value = std::move(value);
    if (from) {
        made.from = *from;
    }
    if (until) {
        made.until = *until;
    }
    return made;
}

model::Uuid xid(std::uint8_t number) {
    model::Uuid made;
    made.bytes.fill(number);
    return made;
}

Warrant warrant() {
    Warrant made;
    made.liid = "L-1";
    made.destination = "lea-one";
    made.valid_from = {1000, 0};
    made.valid_until = {2000, 0};
    made.targets = {target("a"), target("b", Instant{1100, 0}, Instant{1500, 0})};
    made.xids = {xid(1), xid(2)};
    made.services = {"s", "t"};
    made.deliver.metadata = true;
    made.deliver.content = true;
    made.review = Review::required;
    return made;
}

/// Whether a file that says `change` of a warrant orders more than it did.
bool grows(const std::function<void(Warrant&)>& change) {
    Warrant now = warrant();
    change(now);
    return narrowed(warrant(), now) != now;
}

TEST(Growth, IsMoreOfWhateverIsIntercepted) {
    EXPECT_FALSE(grows([](Warrant&) {}));
    EXPECT_TRUE(grows([](Warrant& now) { now.valid_from.nanos = 0, now.valid_from.seconds -= 1; }));
    EXPECT_TRUE(grows([](Warrant& now) { now.valid_until.nanos = 1; }));
    EXPECT_TRUE(grows([](Warrant& now) { now.targets.push_back(target("c")); }));
    EXPECT_TRUE(grows([](Warrant& now) { now.targets[0].type = IdentifierType::username; }));
    EXPECT_TRUE(grows([](Warrant& now) { now.targets[1].from = {}; }));
    EXPECT_TRUE(grows([](Warrant& now) { now.targets[1].until = Instant{1600, 0}; }));
    EXPECT_TRUE(grows([](Warrant& now) { now.xids = {xid(1), xid(3)}; }));
    EXPECT_TRUE(grows([](Warrant& now) { now.services = {"s", "u"}; }));
    EXPECT_TRUE(grows([](Warrant& now) { now.services = {}; })) << "none named is all of them";
    EXPECT_TRUE(grows([](Warrant& now) { now.deliver.binary = true; }));
    EXPECT_TRUE(grows([](Warrant& now) { now.deliver.location = true; }));
    EXPECT_TRUE(grows([](Warrant& now) { now.review = Review::none; })) << "fewer people look at it";
}

TEST(Growth, IsNotLessAndNotHow) {
    EXPECT_FALSE(grows([](Warrant& now) { now.valid_from.seconds += 1; }));
    EXPECT_FALSE(grows([](Warrant& now) { now.valid_until.seconds -= 1; }));
    EXPECT_FALSE(grows([](Warrant& now) { now.targets.pop_back(); }));
    EXPECT_FALSE(grows([](Warrant& now) { std::swap(now.targets[0], now.targets[1]); }));
    EXPECT_FALSE(grows([](Warrant& now) { now.targets[0].until = Instant{1200, 0}; }));
    EXPECT_FALSE(grows([](Warrant& now) { now.targets[0].observed_at = Instant{1, 0}; }));
    EXPECT_FALSE(grows([](Warrant& now) { now.xids = {xid(2)}; }));
    EXPECT_FALSE(grows([](Warrant& now) { now.services = {"t"}; }));
    EXPECT_FALSE(grows([](Warrant& now) { now.deliver.content = false; }));
    EXPECT_FALSE(grows([](Warrant& now) { now.review = Review::dual; }));
    EXPECT_FALSE(grows([](Warrant& now) { now.priority = Priority::emergency; }));
    EXPECT_FALSE(grows([](Warrant& now) { now.reference = "W-2"; }));
    EXPECT_FALSE(grows([](Warrant& now) { now.correlation = Correlation::none; }));
    Warrant everything = warrant();
    everything.services = {};
    Warrant one = warrant();
    one.services = {"s"};
    EXPECT_EQ(narrowed(everything, one), one);
}

TEST(Growth, WhatIsLeftIsWhatBothOrder) {
    Warrant now = warrant();
    now.valid_from = {1200, 0};
    now.valid_until = {3000, 0};
    now.targets = {target("c"), target("b", Instant{1000, 0}, Instant{1400, 0})};
    now.deliver.content = false;
    now.deliver.binary = true;
    now.services = {};
    now.reference = "W-2";
    const auto left = narrowed(warrant(), now);
    ASSERT_TRUE(left);
    EXPECT_EQ(left->valid_from, (Instant{1200, 0}));
    EXPECT_EQ(left->valid_until, (Instant{2000, 0}));
    ASSERT_EQ(left->targets.size(), 1U);
    EXPECT_EQ(left->targets[0], target("b", Instant{1100, 0}, Instant{1400, 0}));
    EXPECT_FALSE(left->deliver.content || left->deliver.binary);
    EXPECT_TRUE(left->deliver.metadata);
    EXPECT_EQ(left->services, warrant().services);
    EXPECT_EQ(left->reference, "W-2");
}

TEST(Growth, WhatIsThereTwiceDoesNotMultiply) {
    Warrant before = warrant();
    before.targets.assign(1000, target("a"));
    before.targets.push_back(target("b", Instant{1100, 0}, Instant{1500, 0}));
    before.targets.push_back(target("b", Instant{1200, 0}, Instant{1400, 0}));
    EXPECT_EQ(narrowed(before, before), before);
    Warrant now = before;
    now.valid_until = {3000, 0};
    auto left = narrowed(before, now);
    ASSERT_TRUE(left);
    EXPECT_EQ(left->targets.size(), before.targets.size());
    left = narrowed(*left, now);
    ASSERT_TRUE(left);
    EXPECT_EQ(left->targets.size(), before.targets.size());
}

TEST(Growth, NothingIsLeftOfWhatSharesNothing) {
    const auto left = [](const std::function<void(Warrant&)>& change) {
        Warrant now = warrant();
        change(now);
        return narrowed(warrant(), now).has_value();
    };
    EXPECT_FALSE(left([](Warrant& now) { now.valid_from = {2000, 0}, now.valid_until = {3000, 0}; }));
    EXPECT_FALSE(left([](Warrant& now) { now.services = {"u"}; }));
    EXPECT_FALSE(left([](Warrant& now) { now.deliver = {}, now.deliver.location = true; }));
    EXPECT_FALSE(left([](Warrant& now) { now.targets = {target("c")}, now.xids = {xid(3)}; }));
    EXPECT_TRUE(left([](Warrant& now) { now.targets = {target("c")}; })) << "its tasks are";
    EXPECT_FALSE(left([](Warrant& now) {
        now.xids = {xid(3)};
        now.targets = {target("b", Instant{1500, 0})};
    })) << "at other times";
}

TEST(Growth, IsShownLineByLine) {
    Warrant now = warrant();
    now.valid_until = {3000, 0};
    now.targets[0].value = "c";
    now.deliver.binary = true;
    now.review = Review::none;
    now.reference = "W-2";
    const Warrant before = warrant();
    EXPECT_EQ(difference_of(&before, now),
              (std::vector<std::string>{
                  "valid_until: 1970-01-01T00:33:20.000000Z -> 1970-01-01T00:50:00.000000Z",
                  "targets: - {user_id: a}",
                  "targets: + {user_id: c}",
                  "deliver: + binary",
                  "reference: W-2",
                  "review: required -> not given",
              }));
    EXPECT_TRUE(difference_of(&before, before).empty());
    Warrant fresh;
    fresh.targets = {target("a")};
    fresh.deliver.metadata = true;
    EXPECT_EQ(difference_of(nullptr, fresh), (std::vector<std::string>{
                                                 "valid_from: 1970-01-01T00:00:00.000000Z",
                                                 "valid_until: 1970-01-01T00:00:00.000000Z",
                                                 "targets: + {user_id: a}",
                                                 "deliver: + metadata",
                                             }));
}

}  // namespace
}  // namespace lihandover::warrants
