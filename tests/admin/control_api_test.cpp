#include "control_api.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "item_list.hpp"
#include "lihandover/hi1/error_codes.hpp"
#include "overview.hpp"
#include "support.hpp"

namespace lihandover::admin::test {
namespace {

using store::ItemState;
using testing::HasSubstr;
using testing::Not;

class ControlApiTest : public AdminTest {
  protected:
    /// The user that this test runs as: the peer of all requests.
    static std::string user() { return http::user_name(::getuid()); }

    std::vector<store::test::Decision> decided() { return store_.decided(); }
    static std::string ids(std::initializer_list<model::Uuid> list) {
        std::string out;
        for (const auto& id : list) {
            out += (out.empty() ? "\"" : ",\"") + id.to_string() + "\"";
        }
        return "\"ids\":[" + out + "]";
    }
    std::string rejected_metric(const std::string& destination) {
        for (const auto& line : lines_of(metrics_.render())) {
            if (line.find("\"" + destination + "\"") != std::string::npos &&
                line.find("outcome=\"rejected\"") != std::string::npos) {
                return line.substr(line.rfind(' ') + 1);
            }
        }
        return "none";
    }
    static std::vector<std::string> lines_of(const std::string& text) {
        std::vector<std::string> lines;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);) {
            lines.push_back(line);
        }
        return lines;
    }
};

TEST_F(ControlApiTest, OpensItsSocketForItsUserOnly) {
    start();
    struct stat status {};
    ASSERT_EQ(::stat(socket_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_EQ(admin_->control_address(), "unix:" + socket_);
    stop();
    EXPECT_NE(::stat(socket_.c_str(), &status), 0) << "gone with the daemon";
}

TEST_F(ControlApiTest, TellsHowTheDaemonIs) {
    store_.add(ItemState::queued);
    store_.add(ItemState::refused);
    store_.add(ItemState::held, "lea-gone");
    auto& paused = control_.answer.destinations[1];
    paused.paused = metrics::Pause::credentials;
    paused.paused_since = model::Instant{1'795'342'500, 0};
    paused.next_attempt = model::Instant{1'795'342'700, 0};
    paused.last_failure = metrics::Attempt::unauthorised;
    control_.answer.alarms = {"a certificate ends tomorrow"};
    control_.answer.certificates = {{metrics::CertificateRole::destination, "lea-one", metrics::CertificateKind::ca, 2,
                                     model::Instant{1'795'342'500, 0}}};
    control_.answer.warrants_active = 3;
    control_.answer.last_reload = control_.report;
    start();
    const auto answer = get("/v1/status");
    ASSERT_EQ(answer.status, 200U);
    const Json json(answer.body);
    EXPECT_EQ(json.text("/version"), "1.2.3");
    EXPECT_EQ(json.text("/stage"), "running");
    EXPECT_EQ(json.text("/readiness"), "ready");
    EXPECT_EQ(json.number("/store/used_bytes"), 8192);
    EXPECT_EQ(json.number("/warrants/active"), 3);
    EXPECT_EQ(json.text("/last_reload/outcome"), "done");
    EXPECT_EQ(json.text("/alarms/0"), "a certificate ends tomorrow");
    EXPECT_EQ(json.text("/certificates/0/role"), "destination");
    EXPECT_EQ(json.text("/certificates/0/name"), "lea-one");
    EXPECT_EQ(json.text("/certificates/0/kind"), "ca");
    EXPECT_EQ(json.number("/certificates/0/number"), 2);
    EXPECT_EQ(json.text("/certificates/0/ends"), "2026-11-22T10:15:00.000000Z");
    ASSERT_EQ(json.size("/destinations"), 3U);
    EXPECT_EQ(json.text("/destinations/0/name"), "lea-gone") << "items of it wait, so it is shown";
    EXPECT_EQ(json.number("/destinations/0/held"), 1);
    EXPECT_EQ(json.text("/destinations/1/name"), "lea-one");
    EXPECT_EQ(json.text("/destinations/1/state"), "running");
    EXPECT_EQ(json.number("/destinations/1/queued"), 1);
    EXPECT_EQ(json.number("/destinations/1/refused"), 1);
    EXPECT_EQ(json.text("/destinations/1/oldest_queued"), "2026-11-22T10:15:31.000005Z");
    EXPECT_TRUE(json.is_null("/destinations/1/oldest_emergency_queued"));
    EXPECT_TRUE(json.is_null("/destinations/1/paused"));
    EXPECT_EQ(json.text("/destinations/2/state"), "paused");
    EXPECT_EQ(json.text("/destinations/2/paused"), "credentials");
    EXPECT_EQ(json.text("/destinations/2/last_failure"), "unauthorised");
}

TEST_F(ControlApiTest, TellsHowTheDaemonIsAlsoWhenTheStoreCannotBeRead) {
    store_.add(ItemState::queued);
    store_.fail_reads();
    store_.accept_items(false);
    start();
    const auto answer = get("/v1/status");
    ASSERT_EQ(answer.status, 200U);
    EXPECT_EQ(Json(answer.body).text("/readiness"), "store");
    EXPECT_TRUE(Json(answer.body).is_null("/destinations/0/oldest_queued"));
    EXPECT_EQ(get("/v1/items").status, 500U);
    EXPECT_EQ(get("/v1/items/" + model::Uuid::random().to_string()).status, 500U);
}

TEST_F(ControlApiTest, ListsWhatWaits) {
    const auto queued = store_.add(ItemState::queued, "lea-one", "LIID-\"1");
    const auto refused = store_.add(ItemState::refused, "lea-two");
    store_.add(ItemState::delivered);
    const auto held = store_.add(ItemState::held);
    start();
    const auto answer = get("/v1/items");
    ASSERT_EQ(answer.status, 200U);
    const Json json(answer.body);
    ASSERT_EQ(json.size("/items"), 3U);
    EXPECT_EQ(json.text("/items/0/id"), queued.object_id.to_string());
    EXPECT_EQ(json.text("/items/0/liid"), "LIID-\"1");
    EXPECT_EQ(json.text("/items/0/destination"), "lea-one");
    EXPECT_EQ(json.text("/items/0/state"), "queued");
    EXPECT_EQ(json.number("/items/0/application_level_id"), 7);
    EXPECT_EQ(json.number("/items/0/application_sequence_number"), 1);
    EXPECT_EQ(json.text("/items/0/received_at"), "2026-11-22T10:15:31.000005Z");
    EXPECT_EQ(json.text("/items/1/id"), refused.object_id.to_string());
    EXPECT_EQ(json.text("/items/1/refusal/words"), "not valid, says the LEA");
    EXPECT_EQ(json.number("/items/1/refusal/code"), 3007);
    EXPECT_EQ(json.text("/items/1/refusal/meaning"), hi1::meaning_of(3007));
    EXPECT_EQ(json.text("/items/2/id"), held.object_id.to_string());
    EXPECT_TRUE(json.is_null("/next"));
}

TEST_F(ControlApiTest, ListsItemsOfAStateOrADestination) {
    for (const auto state : {ItemState::queued, ItemState::refused, ItemState::delivered, ItemState::rejected}) {
        store_.add(state, "lea-one");
        store_.add(state, "lea-two");
    }
    start();
    for (const auto* state : {"queued", "refused", "delivered", "rejected"}) {
        const Json json(get(std::string("/v1/items?destination=lea-two&state=") + state).body);
        ASSERT_EQ(json.size("/items"), 1U) << state;
        EXPECT_EQ(json.text("/items/0/state"), state);
        EXPECT_EQ(json.text("/items/0/destination"), "lea-two");
    }
    EXPECT_EQ(Json(get("/v1/items?state=held").body).size("/items"), 0U);
    EXPECT_EQ(Json(get("/v1/items?destination=nobody").body).size("/items"), 0U);
}

TEST_F(ControlApiTest, ListsPageByPage) {
    std::vector<std::string> expected;
    for (int i = 0; i < 25; ++i) {
        const auto item = store_.add(ItemState::queued, i % 2 == 0 ? "lea-one" : "lea-two");
        if (i % 2 == 0) {
            expected.push_back(item.object_id.to_string());
        }
    }
    start();
    std::vector<std::string> seen;
    std::string after = "0";
    int pages = 0;
    while (after != "(none)" && pages < 100) {
        const Json json(get("/v1/items?limit=4&destination=lea-one&after=" + after).body);
        for (std::size_t i = 0; i < json.size("/items"); ++i) {
            seen.push_back(json.text("/items/" + std::to_string(i) + "/id"));
        }
        after = json.text("/next");
        ++pages;
    }
    EXPECT_EQ(seen, expected);
    EXPECT_EQ(pages, 4);
    // An ObjectIdentifier is a position too.
    const Json json(get("/v1/items?limit=1&destination=lea-one&after=" + expected[3]).body);
    EXPECT_EQ(json.text("/items/0/id"), expected[4]);
    EXPECT_EQ(get("/v1/items?after=" + model::Uuid::random().to_string()).status, 404U);
}

TEST_F(ControlApiTest, LooksAtABoundedNumberOfItemsForOnePage) {
    for (std::size_t i = 0; i < max_scan + 10; ++i) {
        store_.add(ItemState::queued, "lea-two");
    }
    const auto last = store_.add(ItemState::queued, "lea-one");
    ItemsWanted wanted;
    wanted.destination = "lea-one";
    wanted.patience = std::chrono::hours(1);  // however slow the machine is
    const auto first = list_items(store_.items(), wanted);
    ASSERT_TRUE(first);
    EXPECT_TRUE(first->items.empty());
    EXPECT_EQ(first->looked_at, max_scan);
    ASSERT_TRUE(first->next);
    start();
    const Json second(get("/v1/items?destination=lea-one&after=" + text_of(*first->next)).body);
    EXPECT_EQ(second.text("/items/0/id"), last.object_id.to_string());
    EXPECT_TRUE(second.is_null("/next"));
}

TEST_F(ControlApiTest, TellsTheLargestBacklogs) {
    const auto item = store_.add(ItemState::queued, "lea-one", "LIID-1");
    control_.waiting.lanes = {{"lea-one", "LIID-1", 7, 2, delivery::LaneState::resting, item.place()},
                              {"lea-two", "LIID-2", 5, 0, delivery::LaneState::in_flight, {true, item.row + 1}}};
    control_.waiting.lanes_waiting = 100'000;
    start();
    const auto answer = get("/v1/backlog?by=age&limit=2");
    ASSERT_EQ(answer.status, 200U) << answer.body;
    const Json json(answer.body);
    EXPECT_EQ(json.text("/by"), "age");
    EXPECT_EQ(json.number("/liids_waiting"), 100'000);
    ASSERT_EQ(json.size("/liids"), 2U);
    EXPECT_EQ(json.text("/liids/0/destination"), "lea-one");
    EXPECT_EQ(json.text("/liids/0/liid"), "LIID-1");
    EXPECT_EQ(json.number("/liids/0/queued"), 7);
    EXPECT_EQ(json.number("/liids/0/emergencies"), 2);
    EXPECT_EQ(json.text("/liids/0/state"), "resting");
    EXPECT_EQ(json.text("/liids/0/oldest_received"), model::to_microsecond_date_time(item.received_at));
    EXPECT_EQ(json.text("/liids/1/state"), "in_flight");
    EXPECT_TRUE(json.is_null("/liids/1/oldest_received")) << "it has gone meanwhile";
    ASSERT_EQ(control_.backlog_asked.size(), 1U);
    EXPECT_EQ(control_.backlog_asked[0].order, delivery::BacklogOrder::age);
    EXPECT_EQ(control_.backlog_asked[0].limit, 2U);
    EXPECT_EQ(get("/v1/backlog").status, 200U);
    EXPECT_EQ(control_.backlog_asked[1].order, delivery::BacklogOrder::items);
    for (const auto* query : {"by=bytes", "limit=0", "limit=1001", "limit=x", "after=1", "by"}) {
        EXPECT_EQ(get("/v1/backlog?" + std::string(query)).status, 400U) << query;
    }
    EXPECT_EQ(control_.backlog_asked.size(), 2U);
    store_.fail_reads();
    EXPECT_EQ(get("/v1/backlog").status, 200U) << "what cannot be read stays unknown";
}

TEST_F(ControlApiTest, ShowsOneItem) {
    const auto item = store_.add(ItemState::rejected, "lea-one", "LIID-1", [](store::ItemView& rejected) {
        rejected.who = "anna";
        rejected.why = "wrong person";
        rejected.refusal = store::Refusal{417, store::Refusal::Kind::http_status, "\x1b[2J"};
    });
    start();
    const auto answer = get("/v1/items/" + item.object_id.to_string());
    ASSERT_EQ(answer.status, 200U);
    const Json json(answer.body);
    EXPECT_EQ(json.text("/state"), "rejected");
    EXPECT_EQ(json.text("/who"), "anna");
    EXPECT_EQ(json.text("/why"), "wrong person");
    EXPECT_EQ(json.text("/refusal/words"), "\x1b[2J");
    EXPECT_THAT(answer.body, Not(HasSubstr("\x1b")));
    EXPECT_EQ(get("/v1/items/" + model::Uuid::random().to_string()).status, 404U);
    EXPECT_EQ(get("/v1/items/17").status, 400U);
}

TEST_F(ControlApiTest, ListsWarrantsInOrderAndPageByPage) {
    for (const auto* liid : {"C", "A/x", "B"}) {
        control_.add_warrant("lea-two", liid);
    }
    control_.add_warrant("lea-one", "Z");
    start();
    const auto answer = get("/v1/warrants?limit=3");
    const Json json(answer.body);
    ASSERT_EQ(json.size("/warrants"), 3U);
    EXPECT_EQ(json.text("/warrants/0/destination"), "lea-one");
    EXPECT_EQ(json.text("/warrants/0/liid"), "Z");
    EXPECT_EQ(json.text("/warrants/0/state"), "active");
    EXPECT_EQ(json.text("/warrants/0/deliver/1"), "content");
    EXPECT_EQ(json.text("/warrants/0/reference"), "W-17");
    EXPECT_EQ(json.text("/warrants/0/file"), "Z.yaml");
    EXPECT_EQ(json.number("/warrants/0/targets"), 1);
    EXPECT_EQ(json.text("/warrants/1/liid"), "A/x");
    EXPECT_EQ(json.text("/next"), "lea-two/B");
    EXPECT_THAT(answer.body, Not(HasSubstr("secret-target")));
    const Json rest(get("/v1/warrants?after=lea-two%2FB").body);
    ASSERT_EQ(rest.size("/warrants"), 1U);
    EXPECT_EQ(rest.text("/warrants/0/liid"), "C");
    EXPECT_TRUE(rest.is_null("/next"));
    EXPECT_EQ(Json(get("/v1/warrants?after=lea-two%2FA%2Fx").body).text("/warrants/0/liid"), "B");
    EXPECT_EQ(get("/v1/warrants?after=nonsense").status, 400U);
}

TEST_F(ControlApiTest, HasNoWarrantsBeforeTheFirstLoading) {
    control_.list = nullptr;
    start();
    EXPECT_EQ(Json(get("/v1/warrants").body).size("/warrants"), 0U);
}

TEST_F(ControlApiTest, RetriesRefusedItems) {
    const auto one = store_.add(ItemState::refused).object_id;
    const auto two = store_.add(ItemState::refused).object_id;
    start();
    const auto answer = post("/v1/retry", "{" + ids({one, two, one}) + "}");
    ASSERT_EQ(answer.status, 200U) << answer.body;
    EXPECT_EQ(Json(answer.body).number("/changed"), 2);
    ASSERT_EQ(decided().size(), 1U);
    EXPECT_EQ(decided()[0].call, store::test::Call::retry);
    EXPECT_EQ(decided()[0].ids, (std::vector{one, two})) << "each once";
    EXPECT_EQ(decided()[0].who, user());
}

TEST_F(ControlApiTest, ShowsAndDecidesAboutWhatIsSetAside) {
    const auto one = store_.add(ItemState::set_aside).object_id;
    const auto two = store_.add(ItemState::set_aside).object_id;
    store_.add(ItemState::queued);
    start();
    const Json listed(get("/v1/items?state=set_aside").body);
    ASSERT_EQ(listed.size("/items"), 2U);
    EXPECT_EQ(listed.text("/items/0/id"), one.to_string());
    EXPECT_EQ(listed.text("/items/0/state"), "set_aside");
    EXPECT_EQ(Json(get("/v1/items").body).size("/items"), 3U) << "it waits";
    const Json status(get("/v1/status").body);
    EXPECT_EQ(status.number("/destinations/0/set_aside"), 2);
    ASSERT_EQ(status.size("/destinations/0/set_aside_items"), 2U);
    EXPECT_EQ(status.text("/destinations/0/set_aside_items/1"), two.to_string());
    EXPECT_EQ(post("/v1/retry", "{" + ids({one}) + "}").status, 200U);
    EXPECT_EQ(post("/v1/reject", "{" + ids({two}) + R"(,"reason":"x"})").status, 200U);
    EXPECT_EQ(Json(get("/v1/items?state=set_aside").body).size("/items"), 0U);
}

TEST_F(ControlApiTest, NamesABoundedNumberOfItemsThatAreSetAside) {
    for (std::size_t i = 0; i < named_items + 5; ++i) {
        store_.add(ItemState::set_aside);
    }
    start();
    const Json status(get("/v1/status").body);
    EXPECT_EQ(status.number("/destinations/0/set_aside"), 15);
    EXPECT_EQ(status.size("/destinations/0/set_aside_items"), named_items);
}

TEST_F(ControlApiTest, RejectsForAReasonAndInAName) {
    const auto one = store_.add(ItemState::queued).object_id;
    const auto two = store_.add(ItemState::refused, "lea-two").object_id;
    start();
    const auto answer = post("/v1/reject", "{" + ids({one, two}) + R"(,"reason":"wrong person","operator":"Anna Q."})");
    ASSERT_EQ(answer.status, 200U) << answer.body;
    ASSERT_EQ(decided().size(), 1U);
    EXPECT_EQ(decided()[0].call, store::test::Call::reject);
    EXPECT_EQ(decided()[0].why, "wrong person");
    EXPECT_EQ(decided()[0].who, "Anna Q. (uid " + user() + ")");
    EXPECT_EQ(rejected_metric("lea-one"), "1");
    EXPECT_EQ(rejected_metric("lea-two"), "1");
}

TEST_F(ControlApiTest, DoesAllOrNothing) {
    const auto refused = store_.add(ItemState::refused).object_id;
    const auto delivered = store_.add(ItemState::delivered).object_id;
    const auto unknown = model::Uuid::random();
    start();
    const auto wrong_state = post("/v1/retry", "{" + ids({refused, delivered}) + "}");
    EXPECT_EQ(wrong_state.status, 409U);
    EXPECT_THAT(wrong_state.body, HasSubstr("nothing was changed"));
    EXPECT_EQ(Json(wrong_state.body).size("/items"), 1U);
    EXPECT_EQ(Json(wrong_state.body).text("/items/0/state"), "delivered");
    const auto nobody = post("/v1/reject", "{" + ids({refused, unknown}) + R"(,"reason":"x"})");
    EXPECT_EQ(nobody.status, 404U);
    EXPECT_EQ(Json(nobody.body).text("/items/0/id"), unknown.to_string());
    EXPECT_TRUE(decided().empty());
}

TEST_F(ControlApiTest, SaysWhenItemsWentTheirWayMeanwhile) {
    const auto one = store_.add(ItemState::queued).object_id;
    store_.find_nothing();
    start();
    const auto answer = post("/v1/reject", "{" + ids({one}) + R"(,"reason":"x"})");
    EXPECT_EQ(answer.status, 409U);
    EXPECT_EQ(Json(answer.body).number("/changed"), 0);
    EXPECT_EQ(rejected_metric("lea-one"), "none");
}

TEST_F(ControlApiTest, SaysWhenTheStoreCannotCommit) {
    const auto one = store_.add(ItemState::refused).object_id;
    store_.fail_decisions();
    start();
    EXPECT_EQ(post("/v1/retry", "{" + ids({one}) + "}").status, 503U);
    EXPECT_EQ(post("/v1/retry", R"({"destination":"lea-one"})").status, 503U);
    EXPECT_EQ(post("/v1/reject", "{" + ids({one}) + R"(,"reason":"x"})").status, 503U);
}

TEST_F(ControlApiTest, RetriesInBulk) {
    store_.add(ItemState::refused);
    store_.add(ItemState::refused, "lea-one", "LIID-1", [](store::ItemView& item) { item.refusal->code = 42; });
    store_.add(ItemState::refused, "lea-two");
    start();
    const auto answer = post("/v1/retry", R"({"destination":"lea-one","code":42})");
    ASSERT_EQ(answer.status, 200U) << answer.body;
    EXPECT_EQ(Json(answer.body).number("/changed"), 1);
    EXPECT_EQ(Json(post("/v1/retry", R"({"destination":"lea-one"})").body).number("/changed"), 1);
    EXPECT_EQ(Json(post("/v1/retry", R"({"destination":"lea-one"})").body).number("/changed"), 0);
    EXPECT_EQ(decided()[0].call, store::test::Call::retry_all);
    EXPECT_EQ(decided()[0].code, 42U);
    EXPECT_FALSE(decided()[1].code);
    EXPECT_EQ(post("/v1/retry", R"({"destination":"nobody"})").status, 404U);
}

TEST_F(ControlApiTest, ApprovesOnlyWhatIsHeld) {
    const auto queued = store_.add(ItemState::queued).object_id;
    start();
    const auto wrong = post("/v1/approve", "{" + ids({queued}) + "}");
    EXPECT_EQ(wrong.status, 409U);
    EXPECT_THAT(wrong.body, HasSubstr("held"));
    EXPECT_EQ(post("/v1/approve", "{" + ids({model::Uuid::random()}) + "}").status, 404U);
}

TEST_F(ControlApiTest, AClockIsAcceptedOnceThatIsOnRecord) {
    start();
    store_.fail_decisions();
    EXPECT_EQ(post("/v1/accept-clock", R"({"operator":"anna"})").status, 503U);
    EXPECT_EQ(control_.clock_accepted, 0) << "nobody could say later why retention went by it";
    store_.mend_decisions();
    EXPECT_EQ(post("/v1/accept-clock", R"({"operator":"anna"})").status, 200U);
    EXPECT_EQ(control_.clock_accepted, 1);
    ASSERT_EQ(decided().size(), 1U);
    EXPECT_EQ(decided()[0].call, store::test::Call::clock_accepted);
    EXPECT_EQ(decided()[0].who, "anna (uid " + user() + ")");
    EXPECT_NE(decided()[0].why.find("the wall clock is at 2026-"), std::string::npos) << decided()[0].why;
}

TEST_F(ControlApiTest, AcceptsARestoreForAReason) {
    start();
    const std::string order = R"({"reason":"the disk had died","operator":"anna"})";
    EXPECT_EQ(post("/v1/accept-restore", order).status, 409U) << "there is nothing to accept";
    store_.show_restored("another state of the store was put in its place");
    EXPECT_EQ(post("/v1/accept-restore", "{}").status, 400U);
    EXPECT_EQ(post("/v1/accept-restore", R"({"reason":"x","code":1})").status, 400U);
    EXPECT_EQ(post("/v1/accept-restore", order).status, 200U);
    EXPECT_EQ(store_.items().statistics().restored, "");
    const auto records = store_.items().records(0, 100).value();
    EXPECT_EQ(records.back().kind, store::RecordKind::restore_accepted);
    EXPECT_EQ(records.back().who, "anna (uid " + user() + ")");
    EXPECT_EQ(records.back().why, "the disk had died");
}

TEST_F(ControlApiTest, RevokesAWarrantForAReason) {
    start();
    const std::string order = R"("destination":"lea-one","liid":"LIID-1")";
    const std::string whole = "{" + order + R"(,"reason":"the court said so","operator":"anna"})";
    EXPECT_EQ(post("/v1/revoke", whole).status, 200U);
    ASSERT_EQ(control_.revocations_asked.size(), 1U);
    EXPECT_EQ(control_.revocations_asked[0].liid, "LIID-1");
    EXPECT_EQ(control_.revocations_asked[0].reason, "the court said so");
    EXPECT_EQ(control_.revocations_asked[0].who, "anna (uid " + user() + ")");
    for (const std::string& bad :
         {"{" + order + "}", std::string(R"({"liid":"LIID-1","reason":"x"})"),
          std::string(R"({"destination":"lea-one","reason":"x"})"), "{" + order + R"(,"reason":"x","code":1})"}) {
        EXPECT_EQ(post("/v1/revoke", bad).status, 400U) << bad;
    }
    EXPECT_EQ(control_.revocations_asked.size(), 1U);
    EXPECT_FALSE(control_.revocations_asked[0].hold_queued);
    const std::string said = whole.substr(0, whole.size() - 1);
    EXPECT_EQ(post("/v1/revoke", said + R"(,"queued":"hold"})").status, 200U);
    EXPECT_TRUE(control_.revocations_asked.back().hold_queued);
    EXPECT_EQ(post("/v1/revoke", said + R"(,"queued":"deliver"})").status, 200U);
    EXPECT_FALSE(control_.revocations_asked.back().hold_queued);
    EXPECT_EQ(post("/v1/revoke", said + R"(,"queued":"drop"})").status, 400U);
    control_.revocation = RevokeOutcome::unknown;
    EXPECT_EQ(post("/v1/revoke", whole).status, 404U);
    control_.revocation = RevokeOutcome::failed;
    const auto failed = post("/v1/revoke", whole);
    EXPECT_EQ(failed.status, 503U);
    EXPECT_THAT(failed.body, HasSubstr("counts only if"));
    control_.revocation = RevokeOutcome::not_tried;
    const auto not_tried = post("/v1/revoke", whole);
    EXPECT_EQ(not_tried.status, 503U);
    EXPECT_THAT(not_tried.body, HasSubstr("nothing was tried, and nothing changes: ask again"));
}

TEST_F(ControlApiTest, PeopleDecideAboutWarrantsThatWait) {
    start();
    const std::string order = R"({"destination":"lea-one","liid":"LIID-1")";
    control_.approval.outcome = ApprovalAnswer::Outcome::counted;
    control_.approval.approvals = 1;
    control_.approval.needed = 2;
    const Json counted(post("/v1/approve-warrant", order + R"(,"operator":"anna"})").body);
    EXPECT_EQ(counted.number("/approvals"), 1);
    EXPECT_EQ(counted.number("/needed"), 2);
    ASSERT_EQ(control_.approvals_asked.size(), 1U);
    EXPECT_TRUE(control_.approvals_asked[0].approve);
    EXPECT_EQ(control_.approvals_asked[0].uid, ::getuid());
    EXPECT_EQ(control_.approvals_asked[0].who, "anna (uid " + user() + ")");
    EXPECT_EQ(post("/v1/approve-warrant", order + R"(,"reason":"x"})").status, 400U);
    EXPECT_EQ(post("/v1/refuse-warrant", order + "}").status, 400U) << "why not?";
    EXPECT_EQ(control_.approvals_asked.size(), 1U);
    control_.approval.outcome = ApprovalAnswer::Outcome::refused;
    EXPECT_EQ(post("/v1/refuse-warrant", order + R"(,"reason":"too wide"})").status, 200U);
    EXPECT_EQ(control_.approvals_asked[1].reason, "too wide");
    for (const auto& [outcome, status] :
         {std::pair(ApprovalAnswer::Outcome::unknown, 404U), std::pair(ApprovalAnswer::Outcome::own_file, 403U),
          std::pair(ApprovalAnswer::Outcome::failed, 503U), std::pair(ApprovalAnswer::Outcome::not_tried, 503U)}) {
        control_.approval.outcome = outcome;
        EXPECT_EQ(post("/v1/approve-warrant", order + "}").status, status);
    }
    EXPECT_THAT(post("/v1/approve-warrant", order + "}").body, HasSubstr("nothing was tried"));
}

TEST_F(ControlApiTest, ListsWhatWaitsForApprovalWithWhatItWouldChange) {
    control_.add_warrant("lea-one", "A");
    const auto pending = [this](const std::string& liid, const warrants::WarrantPtr& before) {
        auto now = std::make_shared<warrants::Warrant>();
        now->destination = "lea-one";
        now->liid = liid;
        now->valid_from = {1'700'000'000, 0};
        now->valid_until = {1'900'000'000, 0};
        PendingWarrant& entry = control_.pending->emplace_back();
        entry.kept.destination = "lea-one";
        entry.kept.liid = liid;
        entry.kept.approvals.push_back({7, "bob", {}});
        entry.warrant = now;
        entry.before = before;
    };
    pending("A", control_.list->at(0).warrant);
    pending("B", nullptr);
    start();
    const Json json(get("/v1/warrants").body);
    ASSERT_EQ(json.size("/warrants"), 2U);
    EXPECT_EQ(json.text("/warrants/0/state"), "active");
    EXPECT_EQ(json.text("/warrants/0/waiting/difference/0"),
              "valid_until: 2027-01-15T08:00:00.000000Z -> 2030-03-17T17:46:40.000000Z");
    EXPECT_EQ(json.text("/warrants/0/waiting/approved_by/0"), "bob");
    EXPECT_EQ(json.text("/warrants/1/state"), "pending");
    EXPECT_EQ(json.text("/warrants/1/waiting/difference/0"), "valid_from: 2023-11-14T22:13:20.000000Z");
}

TEST_F(ControlApiTest, ListsWhatIsRevokedAmongTheWarrants) {
    control_.add_warrant("lea-one", "A");
    control_.add_warrant("lea-one", "C");
    control_.revoked->push_back(
        {"lea-one", "B", {1'700'000'000, 0}, "b.yaml", {1'750'000'000, 0}, "anna", "the court said so"});
    start();
    const Json json(get("/v1/warrants?limit=2").body);
    ASSERT_EQ(json.size("/warrants"), 2U);
    EXPECT_EQ(json.text("/warrants/1/liid"), "B");
    EXPECT_EQ(json.text("/warrants/1/state"), "revoked");
    EXPECT_EQ(json.text("/warrants/1/why"), "the court said so");
    EXPECT_EQ(json.text("/warrants/1/revoked_at"), "2025-06-15T15:06:40.000000Z");
    EXPECT_EQ(Json(get("/v1/warrants?after=lea-one%2FB").body).text("/warrants/0/liid"), "C");
}

TEST_F(ControlApiTest, Reloads) {
    control_.report.outcome = metrics::ReloadOutcome::partial;
    control_.report.problems = {"w.yaml:1:1: unknown key \"colour\""};
    control_.report.warrants_added = 2;
    start();
    const auto answer = post("/v1/reload", R"({"operator":"anna"})");
    ASSERT_EQ(answer.status, 200U);
    const Json json(answer.body);
    EXPECT_EQ(json.text("/outcome"), "partial");
    EXPECT_EQ(json.text("/problems/0"), "w.yaml:1:1: unknown key \"colour\"");
    EXPECT_EQ(json.number("/warrants_added"), 2);
    EXPECT_EQ(post("/v1/reload", "").status, 200U);
    const std::lock_guard lock(control_.mutex);
    EXPECT_EQ(control_.reloads_by, (std::vector<std::string>{"anna (uid " + user() + ")", user()}));
}

TEST_F(ControlApiTest, RefusesWhatMakesNoSense) {
    const auto one = store_.add(ItemState::refused).object_id;
    start();
    const auto id = ids({one});
    const std::vector<std::pair<std::string, std::string>> wrong = {
        {"/v1/retry", ""},
        {"/v1/retry", "{}"},
        {"/v1/retry", "[]"},
        {"/v1/retry", "{" + id},
        {"/v1/retry", R"({"ids":[]})"},
        {"/v1/retry", R"({"ids":["17"]})"},
        {"/v1/retry", R"({"ids":"17"})"},
        {"/v1/retry", "{" + id + "," + id + "}"},
        {"/v1/retry", "{" + id + R"(,"colour":"blue"})"},
        {"/v1/retry", "{" + id + R"(,"destination":"lea-one"})"},
        {"/v1/retry", "{" + id + R"(,"reason":"x"})"},
        {"/v1/retry", R"({"code":1})"},
        {"/v1/retry", R"({"destination":"lea-one","code":-1})"},
        {"/v1/retry", R"({"destination":"lea-one","code":"1"})"},
        {"/v1/reject", "{" + id + "}"},
        {"/v1/reject", "{" + id + R"(,"reason":""})"},
        {"/v1/reject", "{" + id + R"(,"reason":"  "})"},
        {"/v1/reject", "{" + id + R"(,"reason":"a\nb"})"},
        {"/v1/reject", "{" + id + R"(,"reason":")" + std::string(1001, 'x') + "\"}"},
        {"/v1/reject", R"({"destination":"lea-one","reason":"x"})"},
        {"/v1/reject", "{" + id + R"(,"reason":"x","operator":""})"},
        {"/v1/reject", "{" + id + R"(,"reason":"x","operator":")" + std::string(65, 'x') + "\"}"},
        {"/v1/approve", "{}"},
        {"/v1/reload", "{" + id + "}"},
        {"/v1/reload", "nonsense"},
    };
    for (const auto& [target, body] : wrong) {
        const auto answer = post(target, body);
        EXPECT_EQ(answer.status, 400U) << target << " " << body;
        EXPECT_NE(Json(answer.body).text("/error"), "(none)");
    }
    EXPECT_EQ(post("/v1/retry", std::string(Order::max_body + 1, ' ')).status, 413U);
    for (const auto* target :
         {"/v1/items?limit=0", "/v1/items?limit=1001", "/v1/items?limit=x", "/v1/items?state=lost",
          "/v1/items?colour=blue", "/v1/items?limit", "/v1/items?after=-1", "/v1/items?limit=1&limit=2",
          "/v1/items?after=99999999999999999999", "/v1/warrants?limit=0", "/v1/warrants?x=1"}) {
        EXPECT_EQ(get(target).status, 400U) << target;
    }
    EXPECT_EQ(get("/v1/nowhere").status, 404U);
    EXPECT_EQ(get("/").status, 404U);
    EXPECT_EQ(get("/metrics").status, 404U) << "the other door";
    EXPECT_EQ(get("/v1/retry").status, 405U);
    EXPECT_EQ(post("/v1/items", "{}").status, 405U);
    EXPECT_TRUE(decided().empty());
}

TEST_F(ControlApiTest, TakesAThousandIdsAtOnce) {
    std::string list;
    for (std::size_t i = 0; i < Order::max_ids; ++i) {
        list += (i == 0 ? "\"" : ",\"") + store_.add(ItemState::refused).object_id.to_string() + "\"";
    }
    start();
    EXPECT_EQ(Json(post("/v1/retry", "{\"ids\":[" + list + "]}").body).number("/changed"), 1000);
    EXPECT_EQ(post("/v1/retry", "{\"ids\":[" + list + ",\"" + model::Uuid::random().to_string() + "\"]}").status, 400U);
}

TEST_F(ControlApiTest, SealingAnewIsForAStoreThatIsEncrypted) {
    start();
    EXPECT_EQ(post("/v1/rekey", "{}").status, 409U);
    EXPECT_EQ(post("/v1/rekey", R"({"destination":"lea-one"})").status, 400U);
    EXPECT_TRUE(store_.sealing().rekeyed_by.empty());
    store_.sealing().said = {true, "0123", "4567", false, 0, 15, 100, true, 2};
    EXPECT_EQ(post("/v1/rekey", R"({"operator":"anna"})").status, 200U);
    ASSERT_EQ(store_.sealing().rekeyed_by.size(), 1U);
    EXPECT_EQ(store_.sealing().rekeyed_by[0], "anna (uid " + user() + ")");
    const Json status(get("/v1/status").body);
    EXPECT_EQ(status.text("/encryption/key"), "0123");
    EXPECT_EQ(status.text("/encryption/newest_key"), "4567");
    EXPECT_EQ(status.number("/encryption/unreadable"), 2);
    EXPECT_EQ(status.size("/alarms"), 3U) << "records that were changed, a new key that is not used, and remains";
}

TEST_F(ControlApiTest, FailsToStartWhereItCannotListen) {
    config::Admin options;
    options.listen.port = 0;
    options.control_socket = directory_ + "/nowhere/control.sock";
    const Parts parts = this->parts();
    const auto socket = Admin::listen(io_.get_executor(), options, parts);
    ASSERT_FALSE(socket);
    EXPECT_THAT(socket.error().message, HasSubstr("admin.control_socket"));
    options.listen.host = "192.0.2.1";
    options.control_socket = socket_;
    const auto listen = Admin::listen(io_.get_executor(), options, parts);
    ASSERT_FALSE(listen);
    EXPECT_THAT(listen.error().message, HasSubstr("admin.listen"));
}

TEST_F(ControlApiTest, ASetOfWarrantsIsPassedOnWithWhoItIs) {
    start();
    control_.set_answer.outcome = WarrantSetAnswer::Outcome::done;
    control_.set_answer.version = 7;
    control_.set_answer.in_force = true;
    control_.set_answer.changes.push_back({WarrantSetAnswer::Kind::added, "lea-one", "L-1", "a.yaml", {"+ a line"}});
    control_.set_answer.behind = {"node-b"};
    const std::string body =
        R"({"place":"/dir","files":[{"name":"b.yaml","text":"x: 1\n"},{"name":"a.yaml","text":""}],)"
        R"("operator":"anna","confirm_ended":true})";
    const auto answer = post("/v1/apply-warrants", body);
    EXPECT_EQ(answer.status, 200U) << answer.body;
    const Json json(answer.body);
    EXPECT_EQ(json.text("/outcome"), "done");
    EXPECT_EQ(json.number("/version"), 7);
    EXPECT_EQ(json.text("/changes/0/change"), "added");
    EXPECT_EQ(json.text("/changes/0/difference/0"), "+ a line");
    EXPECT_EQ(json.text("/behind/0"), "node-b");
    EXPECT_EQ(post("/v1/compare-warrants", body).status, 200U);
    ASSERT_EQ(control_.sets_asked.size(), 2U);
    const auto& [request, apply] = control_.sets_asked[0];
    EXPECT_TRUE(apply);
    EXPECT_FALSE(control_.sets_asked[1].second);
    EXPECT_EQ(request.place, "/dir");
    EXPECT_EQ(request.who, "anna (uid " + user() + ")");
    EXPECT_EQ(request.uid, ::getuid());
    EXPECT_TRUE(request.confirm_ended);
    ASSERT_EQ(request.files.size(), 2U);
    EXPECT_EQ(request.files[0].name, "a.yaml") << "in the order of their names";
    EXPECT_EQ(request.files[1].text, "x: 1\n");
}

TEST_F(ControlApiTest, ASetOfWarrantsThatIsNoneIsRefused) {
    start();
    const auto with = [](const std::string& files) { return R"({"place":"/dir","files":)" + files + "}"; };
    for (const std::string& body :
         {std::string(), std::string("[]"), std::string(R"({"files":[]})"), std::string(R"({"place":"/dir"})"),
          std::string(R"({"place":"/dir","files":[],"liid":"x"})"), std::string(R"({"place":"a\nb","files":[]})"),
          with("{}"), with("[1]"), with(R"([{"name":"a.yaml"}])"), with(R"([{"name":"a.yaml","text":1}])"),
          with(R"([{"name":"a.yaml","text":"","more":1}])"), with(R"([{"name":"a.yml","text":""}])"),
          with(R"([{"name":".a.yaml","text":""}])"), with(R"([{"name":"../a.yaml","text":""}])"),
          with(R"([{"name":"a\n.yaml","text":""}])"),
          with(R"([{"name":"a.yaml","text":""},{"name":"a.yaml","text":""}])"),
          with(R"([{"name":"a.yaml","text":")" + std::string((1U << 20U) + 1, 'x') + R"("}])")}) {
        EXPECT_EQ(post("/v1/apply-warrants", body).status, 400U) << body.substr(0, 100);
    }
    EXPECT_TRUE(control_.sets_asked.empty());
    EXPECT_EQ(post("/v1/apply-warrants", with("[]")).status, 503U) << "what was not tried can be tried again";
    for (const auto& [outcome, status] :
         {std::pair(WarrantSetAnswer::Outcome::elsewhere, 409U), std::pair(WarrantSetAnswer::Outcome::outdated, 409U),
          std::pair(WarrantSetAnswer::Outcome::failed, 503U), std::pair(WarrantSetAnswer::Outcome::bad, 200U)}) {
        control_.set_answer.outcome = outcome;
        EXPECT_EQ(post("/v1/apply-warrants", with("[]")).status, status);
    }
}

TEST_F(ControlApiTest, SaysWhichSetOfWarrantsIsInForce) {
    start();
    EXPECT_EQ(get("/v1/warrants").body.find("\"set\""), std::string::npos) << "they are files";
    control_.set = std::make_shared<WarrantSet>();
    EXPECT_EQ(Json(get("/v1/warrants").body).number("/set/version"), 0);
    *control_.set = {9, 3, {1'795'342'000, 0}, "anna"};
    const Json json(get("/v1/warrants").body);
    EXPECT_EQ(json.number("/set/version"), 3);
    EXPECT_EQ(json.text("/set/who"), "anna");
}

}  // namespace
}  // namespace lihandover::admin::test
