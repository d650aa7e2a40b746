// People review items: over the control API, and with lihandoverctl's socket.
#include <gmock/gmock.h>
#include <grp.h>
#include <unistd.h>

#include <future>

#include "../support/eventually.hpp"
#include "content_text.hpp"
#include "item_list.hpp"
#include "lihandover/http/server.hpp"
#include "support.hpp"

namespace lihandover::admin::test {
namespace {

using store::ItemState;
using store::Review;
using testing::HasSubstr;
using testing::Not;

class ReviewTest : public AdminTest {
  protected:
    static std::string user() { return http::user_name(::getuid()); }
    /// A group that this process is in, or is not.
    static std::string group(bool ours) {
        const auto mine = [](gid_t group) {
            std::array<gid_t, 256> groups{};
            const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
            return group == ::getegid() || std::find(groups.begin(), groups.begin() + std::max(count, 0), group) !=
                                               groups.begin() + std::max(count, 0);
        };
        std::string found;
        ::setgrent();
        for (const ::group* each = ::getgrent(); each != nullptr && found.empty(); each = ::getgrent()) {
            if (mine(each->gr_gid) == ours) {
                found = each->gr_name;
            }
        }
        ::endgrent();
        return found;
    }
    static std::string order(std::initializer_list<model::Uuid> ids, const std::string& more = "") {
        std::string list;
        for (const auto& id : ids) {
            list += (list.empty() ? "\"" : ",\"") + id.to_string() + "\"";
        }
        return "{\"ids\":[" + list + "]" + more + "}";
    }
    ItemState state_of(const model::Uuid& id) { return store_.items().find(id).value().value().state; }
    void approve_as_another(const model::Uuid& id) {
        std::promise<void> done;
        store_.items().approve({id}, {"uid:4711", "bea"},
                               [&](store::Outcome, const store::Decided&) { done.set_value(); });
        done.get_future().wait();
    }
};

TEST_F(ReviewTest, OneApprovalReleasesWhatNeedsOne) {
    const auto one = store_.hold(Review::required);
    start();
    EXPECT_EQ(Json(get("/v1/items/" + one.to_string()).body).number("/review/needed"), 1);
    const auto answer = post("/v1/approve", order({one}, R"(,"operator":"Anna Q.")"));
    ASSERT_EQ(answer.status, 200U) << answer.body;
    EXPECT_EQ(Json(answer.body).number("/changed"), 1);
    EXPECT_EQ(state_of(one), ItemState::queued);
    ASSERT_EQ(store_.decided().size(), 1U);
    EXPECT_EQ(store_.decided()[0].who, "Anna Q. (uid " + user() + ")");
    EXPECT_EQ(store_.decided()[0].identity, "uid:" + std::to_string(::getuid()));
    const auto again = post("/v1/approve", order({one}));
    EXPECT_EQ(again.status, 409U);
    EXPECT_THAT(again.body, HasSubstr("queued"));
}

TEST_F(ReviewTest, TheSameUserIsNotTwoPeopleWhateverNameIsGiven) {
    const auto one = store_.hold(Review::dual);
    start();
    const auto first = post("/v1/approve", order({one}, R"(,"operator":"anna")"));
    ASSERT_EQ(first.status, 200U) << first.body;
    EXPECT_EQ(Json(first.body).number("/changed"), 0);
    EXPECT_EQ(Json(first.body).number("/first"), 1);
    const auto again = post("/v1/approve", order({one}, R"(,"operator":"bea")"));
    EXPECT_EQ(again.status, 409U);
    EXPECT_THAT(again.body, HasSubstr("another user"));
    EXPECT_EQ(Json(again.body).number("/repeated"), 1);
    EXPECT_EQ(state_of(one), ItemState::held);
    const Json shown(get("/v1/items/" + one.to_string()).body);
    EXPECT_EQ(shown.number("/review/needed"), 2);
    EXPECT_EQ(shown.text("/review/first"), "approved");
    EXPECT_EQ(shown.text("/review/who"), "anna (uid " + user() + ")");
    approve_as_another(one);
    EXPECT_EQ(state_of(one), ItemState::queued);
}

TEST_F(ReviewTest, ARetryReleasesNothing) {
    const auto one = store_.hold(Review::required);
    start();
    EXPECT_EQ(post("/v1/retry", order({one})).status, 409U);
    EXPECT_EQ(Json(post("/v1/retry", R"({"destination":"lea-one"})").body).number("/changed"), 0);
    EXPECT_EQ(state_of(one), ItemState::held);
}

TEST_F(ReviewTest, RejectsWithTheWordOfTwo) {
    const auto one = store_.hold(Review::dual);
    start();
    const auto first = post("/v1/reject", order({one}, R"(,"reason":"not his")"));
    ASSERT_EQ(first.status, 200U) << first.body;
    EXPECT_EQ(Json(first.body).number("/first"), 1);
    EXPECT_EQ(Json(get("/v1/items/" + one.to_string()).body).text("/review/why"), "not his");
    EXPECT_THAT(metrics_.render(),
                Not(HasSubstr(R"(lihandover_items_total{destination="lea-one",outcome="rejected"} 1)")));
    approve_as_another(one);
    EXPECT_EQ(state_of(one), ItemState::held) << "they do not agree";
}

TEST_F(ReviewTest, WhatSomebodyApprovesInTheSameMomentIsNotRejected) {
    const auto one = store_.hold(Review::required);
    store_.decide_before_next([this, &one] { approve_as_another(one); });
    start();
    const auto late = post("/v1/reject", order({one}, R"(,"reason":"not his")"));
    EXPECT_EQ(late.status, 409U);
    EXPECT_EQ(Json(late.body).number("/changed"), 0);
    EXPECT_THAT(late.body, HasSubstr("no longer as they were seen"));
    EXPECT_EQ(state_of(one), ItemState::queued);
}

TEST_F(ReviewTest, WhatDeliveryDoesMeanwhileKeepsNothingFromBeingRejected) {
    const auto queued = store_.add(ItemState::queued).object_id;
    const auto aside = store_.add(ItemState::set_aside).object_id;
    start();
    ASSERT_EQ(post("/v1/reject", order({queued, aside}, R"(,"reason":"no")")).status, 200U);
    const auto as = store_.decided().back().as;
    ASSERT_EQ(as.size(), 2U);
    EXPECT_EQ(as[0], (store::ItemStates{ItemState::queued, ItemState::set_aside, ItemState::refused}));
    EXPECT_EQ(as[1], (store::ItemStates{ItemState::set_aside, ItemState::refused}));
}

// A search ends when its store stops, which comes after this: nothing else would end it.
TEST_F(ReviewTest, AStopWaitsForNoSearch) {
    const auto queued = store_.add(ItemState::queued).object_id;
    store_.look_slowly();
    store_.hold_rejects();
    start();
    auto answer =
        std::async(std::launch::async, [&] { return post("/v1/reject", order({queued}, R"(,"reason":"no")")); });
    ASSERT_TRUE(lihandover::test::eventually([&] { return store_.held_rejects() == 1; }));
    stop();
    EXPECT_EQ(answer.get().status, 503U);
    EXPECT_EQ(state_of(queued), ItemState::queued);
}

TEST_F(ReviewTest, WhatALookInTimeDoesNotFindTheStoreFinds) {
    const auto queued = store_.add(ItemState::queued).object_id;
    const auto refused = store_.add(ItemState::refused).object_id;
    const auto held = store_.hold(Review::required);
    store_.look_slowly();
    start();
    const auto approved = post("/v1/approve", order({queued, held}));
    EXPECT_EQ(approved.status, 409U);
    EXPECT_THAT(approved.body, HasSubstr("elsewhere"));
    const auto rejected = post("/v1/reject", order({queued, refused}, R"(,"reason":"no")"));
    EXPECT_EQ(rejected.status, 200U) << rejected.body;
    EXPECT_EQ(Json(rejected.body).number("/changed"), 2);
    EXPECT_THAT(metrics_.render(), HasSubstr(R"(lihandover_items_total{destination="lea-one",outcome="rejected"} 2)"));
    EXPECT_EQ(post("/v1/reject", order({model::Uuid::random()}, R"(,"reason":"no")")).status, 409U);
}

TEST_F(ReviewTest, SaysWhenAnApprovalCannotBeStored) {
    const auto one = store_.hold(Review::required);
    store_.fail_decisions();
    start();
    EXPECT_EQ(post("/v1/approve", order({one})).status, 503U);
    EXPECT_EQ(state_of(one), ItemState::held);
}

TEST_F(ReviewTest, ListsEmergenciesFirstThroughPages) {
    std::vector<std::string> expected;
    std::vector<std::string> routine;
    for (int i = 0; i < 9; ++i) {
        const bool emergency = i % 4 == 3;
        (emergency ? expected : routine).push_back(store_.hold(Review::required, emergency).to_string());
    }
    expected.insert(expected.end(), routine.begin(), routine.end());
    start();
    std::vector<std::string> seen;
    std::string after;
    while (true) {
        const Json page(get("/v1/items?state=held&limit=2" + after).body);
        for (std::size_t i = 0; i < page.size("/items"); ++i) {
            seen.push_back(page.text("/items/" + std::to_string(i) + "/id"));
        }
        if (page.is_null("/next")) {
            break;
        }
        after = "&after=" + page.text("/next");
    }
    EXPECT_EQ(seen, expected);
    // From the one behind an item, as `--after` has it.
    const Json rest(get("/v1/items?state=held&after=" + expected[1]).body);
    ASSERT_EQ(rest.size("/items"), 7U);
    EXPECT_EQ(rest.text("/items/0/id"), expected[2]);
    EXPECT_EQ(get("/v1/items?after=e").status, 400U);
    EXPECT_EQ(get("/v1/items?after=x1").status, 400U);
}

TEST_F(ReviewTest, AListEndsInTimeAndGoesOn) {
    for (int i = 0; i < 2500; ++i) {
        store_.add(ItemState::set_aside, "lea-one", i == 2400 ? "LIID-9" : "LIID-1");
    }
    ItemsWanted wanted;
    wanted.state = ItemState::set_aside;
    wanted.liid = "LIID-9";
    wanted.patience = std::chrono::milliseconds(0);
    std::size_t pages = 0;
    std::size_t found = 0;
    for (bool more = true; more; ++pages) {
        const auto list = list_items(store_.items(), wanted);
        ASSERT_TRUE(list);
        found += list->items.size();
        more = list->next.has_value();
        wanted.after = list->next.value_or(store::ListPlace{});
    }
    EXPECT_EQ(pages, 3U);
    EXPECT_EQ(found, 1U);
}

TEST_F(ReviewTest, AListIsNotTakenForEndedBehindWhatWasDecidedMeanwhile) {
    const auto approved = store_.hold(Review::required, true);
    const auto rejected = store_.hold(Review::required, true);
    const auto waits = store_.hold(Review::required, true);
    start();
    ASSERT_EQ(post("/v1/approve", order({approved})).status, 200U);
    ASSERT_EQ(post("/v1/reject", order({rejected}, R"(,"reason":"not his")")).status, 200U);
    for (const auto& id : {approved, rejected}) {
        EXPECT_EQ(get("/v1/items?state=held&after=" + id.to_string()).status, 409U);
    }
    // Among all that wait an ended one has kept its place, and it was before another emergency.
    const Json all(get("/v1/items?after=" + rejected.to_string()).body);
    ASSERT_EQ(all.size("/items"), 2U);
    EXPECT_EQ(all.text("/items/0/id"), waits.to_string());
    EXPECT_EQ(all.text("/items/1/id"), approved.to_string());
}

TEST_F(ReviewTest, WhatIsHeldForTooLongIsAnAlarmAndCounted) {
    store_.hold(Review::required);
    store_.hold(Review::dual, true);
    control_.answer.review_alarm = std::chrono::hours(24);
    start();
    EXPECT_THAT(get("/v1/status").body, Not(HasSubstr("held for review")));
    control_.answer.review_alarm = std::chrono::hours(-24);  // everything is held for longer
    EXPECT_THAT(get("/v1/status").body,
                HasSubstr("2 item(s) are held for review for longer than review_alarm, 1 of them"));
}

TEST_F(ReviewTest, ContentIsForTheGroupOfReviewersOnly) {
    const auto one = store_.hold(Review::required);
    start();
    const auto nobody = post("/v1/content", order({one}));
    EXPECT_EQ(nobody.status, 403U);
    EXPECT_THAT(nobody.body, HasSubstr("admin.reviewers is not configured"));
    control_.reviewing_group = "no-such-group";
    EXPECT_EQ(post("/v1/content", order({one})).status, 403U);
    control_.reviewing_group = group(false);
    ASSERT_FALSE(control_.reviewing_group.empty());
    const auto stranger = post("/v1/content", order({one}));
    EXPECT_EQ(stranger.status, 403U);
    EXPECT_THAT(stranger.body, HasSubstr("only members of"));
    EXPECT_TRUE(store_.decided().empty()) << "nothing was shown";
    control_.reviewing_group = group(true);
    ASSERT_FALSE(control_.reviewing_group.empty());
    const auto shown = post("/v1/content", order({one}, R"(,"operator":"anna")"));
    ASSERT_EQ(shown.status, 200U) << shown.body;
    const Json json(shown.body);
    EXPECT_EQ(json.text("/state"), "held");
    EXPECT_EQ(json.text("/form"), "document");
    for (const char* part : {"See you at eight", "LIID-1", "EXAMPLE-CSP", "roof.jpg"}) {
        EXPECT_THAT(json.text("/content"), HasSubstr(part));
    }
    EXPECT_THAT(json.text("/content"), HasSubstr(one.to_string()));
    ASSERT_EQ(store_.decided().size(), 1U);
    EXPECT_EQ(store_.decided()[0].call, store::test::Call::shown);
    EXPECT_EQ(store_.decided()[0].who, "anna (uid " + user() + ")");
}

TEST_F(ReviewTest, ContentAsTextIsForReading) {
    const auto one = store_.hold(Review::required);
    control_.reviewing_group = group(true);
    start();
    const std::string text = Json(post("/v1/content", order({one}, R"(,"form":"text")")).body).text("/content");
    EXPECT_THAT(text, HasSubstr("sender: user_id u-1 (target)\nreceiver: user_id u-2\n"));
    EXPECT_THAT(text, HasSubstr(", roof.jpg, image/jpeg"));
    EXPECT_THAT(text, HasSubstr("\n\nSee you at eight\n"));
}

TEST_F(ReviewTest, ContentIsShownOnlyOnRecord) {
    const auto one = store_.hold(Review::required);
    const auto gone = store_.add(ItemState::delivered).object_id;
    control_.reviewing_group = group(true);
    store_.fail_decisions();
    start();
    const auto failed = post("/v1/content", order({one}));
    EXPECT_EQ(failed.status, 503U);
    EXPECT_THAT(failed.body, Not(HasSubstr("eight")));
    store_.mend_decisions();
    EXPECT_EQ(post("/v1/content", order({gone})).status, 409U);
    EXPECT_EQ(post("/v1/content", order({model::Uuid::random()})).status, 404U);
    EXPECT_EQ(post("/v1/content", order({one, gone})).status, 400U);
    EXPECT_EQ(post("/v1/content", order({one}, R"(,"form":"picture")")).status, 400U);
    EXPECT_EQ(post("/v1/content", order({one}, R"(,"reason":"x")")).status, 400U);
    EXPECT_EQ(post("/v1/approve", order({one}, R"(,"form":"text")")).status, 400U);
    EXPECT_EQ(get("/v1/content").status, 405U);
    store_.find_nothing();
    const auto late = post("/v1/content", order({one}));
    EXPECT_EQ(late.status, 409U);
    EXPECT_THAT(late.body, Not(HasSubstr("eight")));
}

TEST(ContentText, SaysAllThatIsThere) {
    model::Share share;
    share.deliver = {.metadata = false, .content = true, .binary = true, .location = true};
    share.event.conversation.title = "Weekend";
    share.event.location.emplace().latitude = "51.5";
    share.event.parameters = {{"mood", "good", false}};
    share.event.has_content = true;
    share.event.text = "two\nlines";
    model::BinaryObject lost;
    lost.loss = model::ObjectLoss::vanished;
    const std::string text = content_text(content_fields(share, std::array{lost}));
    EXPECT_THAT(text, HasSubstr("title: Weekend\nlatitude: 51.5\nparameter mood: good\nobject: "));
    EXPECT_THAT(text, HasSubstr("lost: vanished\n"));
    EXPECT_THAT(text, HasSubstr("\n\ntwo\nlines\n"));
    EXPECT_THAT(text, Not(HasSubstr("type"))) << "nothing of what is not delivered";
}

}  // namespace
}  // namespace lihandover::admin::test
