#include "lihandover/intake/http/events_handler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "intake_server.hpp"
#include "lihandover/store/store.hpp"
#include "support.hpp"

namespace lihandover::intake {
namespace {

namespace asio = boost::asio;

using testing::Answer;
using testing::Client;
using testing::event;
using ::testing::HasSubstr;
using testing::Intake;
using testing::noon;
using testing::TemporaryDirectory;
using testing::TestStore;
using testing::warrant;

class EventsHandlerTest : public ::testing::Test {
  protected:
    // A test that failed half-way must not leave the server waiting for its store.
    void TearDown() override { store_.release(); }

    TestStore store_;
    Intake intake_{store_, testing::snapshot({warrant("LIID-1", "u-1")})};
    Client client_{intake_.socket()};
};

TEST_F(EventsHandlerTest, TakesOneEvent) {
    const Answer answer = client_.json(event("e-1", "u-1") + "\n");
    EXPECT_EQ(answer.status, 202);
    EXPECT_EQ(answer.body, R"({"accepted":1})");
    EXPECT_EQ(answer.field("Content-Type"), "application/json");
    const auto items = store_.items();
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0].lane, 100);
}

TEST_F(EventsHandlerTest, CommitsAFillerWhereNothingMatches) {
    EXPECT_EQ(client_.json(event("e-1", "u-9")).status, 202);
    ASSERT_EQ(store_.groups().size(), 1U);
    EXPECT_TRUE(store_.groups()[0].empty());
    EXPECT_EQ(client_.json("{}").status, 422);
    ASSERT_EQ(store_.groups().size(), 2U);
    EXPECT_TRUE(store_.groups()[1].empty());
    EXPECT_EQ(client_.json("{").status, 400);
    EXPECT_EQ(store_.groups().size(), 3U);
}

TEST_F(EventsHandlerTest, AnswersAlikeWhetherAnythingMatchedOrNot) {
    const auto same = [this](const std::string& with, const std::string& without, const char* type) {
        const Answer matched = client_.post(type, with);
        const Answer unmatched = client_.post(type, without);
        EXPECT_EQ(matched.head, unmatched.head);
        EXPECT_EQ(matched.body, unmatched.body);
        return matched.status;
    };
    const std::string bad = "{}\n";
    const auto lines = [&](const std::string& user) {
        return event("e-1", user) + '\n' + bad + event("e-2", user) + "\n";
    };
    EXPECT_EQ(same(event("e-1", "u-1"), event("e-1", "u-9"), "application/json"), 202);
    EXPECT_EQ(same(lines("u-1"), lines("u-9"), "application/x-ndjson"), 422);
    const std::string with_object = R"(,"attachments":[{"id":"a","data":"AA=="}])";
    EXPECT_EQ(same(event("e-1", "u-1", with_object), event("e-1", "u-9", with_object), "application/json"), 202);
    const std::string far = R"(,"timestamp":"2026-01-22T12:05:01Z")";
    EXPECT_EQ(same(event("e-1", "u-1", far), event("e-1", "u-9", far), "application/json"), 422);
    store_.mode(TestStore::Mode::fail);
    EXPECT_EQ(same(event("e-1", "u-1"), event("e-1", "u-9"), "application/json"), 503);
    store_.accept(false);
    EXPECT_EQ(same(event("e-1", "u-1"), event("e-1", "u-9"), "application/json"), 503);
}

TEST_F(EventsHandlerTest, AnswersOnlyWhenDurable) {
    store_.mode(TestStore::Mode::hold);
    for (const char* const user : {"u-1", "u-9"}) {
        Client client(intake_.socket());
        const std::size_t before = store_.groups().size();
        store_.mode(TestStore::Mode::hold);
        client.send_post("application/json", event("e-1", user));
        store_.wait_for_groups(before + 1);
        // After a whole exchange on another connection there is still no answer here.
        EXPECT_EQ(Client(intake_.socket()).post("text/plain", "x").status, 415);
        EXPECT_FALSE(client.readable());
        store_.release();
        EXPECT_EQ(client.read().status, 202);
    }
}

TEST_F(EventsHandlerTest, NamesTheLinesItRefuses) {
    const Answer answer = client_.ndjson("\xEF\xBB\xBF" + event("e-1", "u-1") + "\r\n" +  // 1
                                         "\r\n" +                                         // 2
                                         "  \t \n" +                                      // 3
                                         "{\"event_id\":1}\r\n" +                         // 4
                                         event("e-2", "u-9") + "\n" +                     // 5
                                         "nonsense\n" +                                   // 6
                                         event("e-3", "u-1", ",\"colour\":1") + "\n" +    // 7
                                         "\n\n" +                                         // 8, 9
                                         "{\"a\":\"\xFF\"}\n" +                           // 10
                                         event("e-4", "u-1"));                            // 11
    EXPECT_EQ(answer.status, 422);
    EXPECT_EQ(answer.body, R"({"accepted":3,"rejected":[{"line":4,"field":"event_id","reason":"must be a string"},)"
                           R"({"line":6,"field":"","reason":"is not JSON: a value is none of JSON's"},)"
                           R"({"line":7,"field":"colour","reason":"is not known here"},)"
                           R"({"line":10,"field":"","reason":"is not JSON: it is not valid UTF-8"}]})");
    EXPECT_EQ(store_.items().size(), 2U);
}

TEST_F(EventsHandlerTest, TakesLinesWithOrWithoutAnEnd) {
    EXPECT_EQ(client_.ndjson(event("e-1", "u-1")).body, R"({"accepted":1})");
    EXPECT_EQ(client_.ndjson(event("e-1", "u-1") + "\n").body, R"({"accepted":1})");
    EXPECT_EQ(client_.ndjson("\n" + event("e-1", "u-1") + "\n\n").body, R"({"accepted":1})");
    EXPECT_EQ(client_.ndjson(event("e-1", "u-1") + "\r\n" + event("e-2", "u-1") + "\r").body, R"({"accepted":2})");
}

TEST_F(EventsHandlerTest, EscapesNamesInItsAnswers) {
    const Answer answer = client_.json(event("e-1", "u-1", R"(,"\u0022\ud800<\u0000":1)"));
    EXPECT_EQ(answer.status, 422);
    EXPECT_THAT(answer.body, HasSubstr(R"("field":"\"\ud800<\u0000","reason")"));
}

TEST_F(EventsHandlerTest, ListsABoundedNumberOfRefusals) {
    std::string body;
    for (int i = 0; i < 1500; ++i) {
        body += "{}\n";
    }
    const Answer answer = client_.ndjson(body);
    EXPECT_EQ(answer.status, 422);
    EXPECT_THAT(answer.body, HasSubstr(R"({"line":1000,)"));
    EXPECT_THAT(answer.body, ::testing::Not(HasSubstr(R"({"line":1001,)")));
    EXPECT_THAT(answer.body, ::testing::EndsWith(R"(],"unlisted":500})"));
}

TEST_F(EventsHandlerTest, RefusesWhatIsNoEvent) {
    const Answer malformed = client_.json("{\"event_id\":");
    EXPECT_EQ(malformed.status, 400);
    EXPECT_THAT(malformed.body,
                HasSubstr(R"({"accepted":0,"rejected":[{"line":1,"field":"event_id","reason":"is not JSON)"));
    EXPECT_EQ(client_.json("[]").status, 422);
    EXPECT_EQ(client_.json("").status, 400);
    EXPECT_EQ(client_.json(" \r\n").status, 400);
    EXPECT_EQ(client_.ndjson("").status, 400);
    EXPECT_EQ(client_.ndjson("\n\r\n  \n").status, 400);
    EXPECT_EQ(client_.ndjson("nonsense\n").status, 422);
    EXPECT_EQ(client_.json(event("e", "u") + event("e", "u")).status, 400);
}

TEST_F(EventsHandlerTest, RefusesOtherMethodsPathsAndTypes) {
    const auto request = [this](const std::string& head) {
        Client client(intake_.socket());
        client.send(head + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        return client.read();
    };
    EXPECT_EQ(request("POST /").status, 404);
    EXPECT_EQ(request("GET /v1/event").status, 404);
    EXPECT_EQ(request("POST /v1/events/").status, 404);
    for (const char* const method : {"GET", "PUT", "DELETE", "OPTIONS"}) {
        const Answer answer = request(std::string(method) + " /v1/events");
        EXPECT_EQ(answer.status, 405);
        EXPECT_EQ(answer.field("Allow"), "POST");
    }
    EXPECT_EQ(request("POST /v1/events").status, 415);
    // The body is not read, which may end the connection.
    const auto post = [this](const char* type, const char* fields) {
        return Client(intake_.socket()).post(type, event("e", "u"), fields).status;
    };
    EXPECT_EQ(post("text/plain", ""), 415);
    EXPECT_EQ(post("application/json; charset=iso-8859-1", ""), 415);
    EXPECT_EQ(post("application/json", "Content-Encoding: gzip\r\n"), 415);
    EXPECT_TRUE(store_.groups().empty());
    EXPECT_EQ(client_.post("Application/JSON;charset=\"UTF-8\"", event("e", "u")).status, 202);
}

TEST_F(EventsHandlerTest, BoundsBodiesAndEvents) {
    auto small = testing::snapshot({warrant("LIID-1", "u-1")});
    small->limits.max_event_size = 400;
    small->limits.max_request_size = 2000;
    intake_.publish(small);
    const std::string large = event("e-1", "u-1", R"(,"content":{"text":")" + std::string(400, 'x') + "\"}");
    EXPECT_EQ(Client(intake_.socket()).json(large).status, 413);
    const Answer answer = client_.ndjson(event("e-2", "u-1") + '\n' + large + '\n' + event("e-3", "u-1"));
    EXPECT_EQ(answer.status, 422);
    EXPECT_EQ(answer.body,
              R"({"accepted":2,"rejected":[{"line":2,"field":"","reason":"is larger than intake.max_event_size"}]})");
    EXPECT_EQ(Client(intake_.socket()).ndjson(std::string(2001, ' ')).status, 413);
    const std::string exact = event("e-4", "u-1");
    EXPECT_EQ(client_.ndjson(exact + std::string(2000 - exact.size(), '\n')).status, 202);
}

TEST_F(EventsHandlerTest, SaysWhenNothingCanBeStored) {
    store_.accept(false);
    const Answer refused = client_.json(event("e-1", "u-1"));
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.field("Retry-After"), "5");
    EXPECT_TRUE(store_.groups().empty()) << "refused before matching";
    store_.accept(true);
    store_.mode(TestStore::Mode::fail);
    const Answer failed = client_.json(event("e-1", "u-1"));
    EXPECT_EQ(failed.head, refused.head);
    EXPECT_EQ(failed.body, refused.body);
    store_.mode(TestStore::Mode::commit);
    EXPECT_EQ(client_.json(event("e-1", "u-1")).status, 202) << "on the same connection";
}

TEST_F(EventsHandlerTest, RefusesUnreadWhereThePeerAsksFirst) {
    store_.accept(false);
    client_.send(
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
        "Expect: 100-continue\r\n\r\n");
    EXPECT_EQ(client_.read().status, 503);
}

TEST_F(EventsHandlerTest, JudgesTheFutureByTheClock) {
    const auto at = [](const char* time) { return event("e", "u-9", std::string(R"(,"timestamp":")") + time + '"'); };
    EXPECT_EQ(client_.json(at("2026-01-22T12:05:00.25Z")).status, 202);
    EXPECT_EQ(client_.json(at("2026-01-22T12:05:00.250000001Z")).status, 422);
    intake_.clock().set_wall({noon.seconds + 1, noon.nanos});
    EXPECT_EQ(client_.json(at("2026-01-22T12:05:00.250000001Z")).status, 202);
}

TEST_F(EventsHandlerTest, GoesByTheNewestSnapshot) {
    intake_.publish(testing::snapshot({warrant("LIID-1", "u-5")}));
    EXPECT_EQ(client_.json(event("e-1", "u-1")).status, 202);
    EXPECT_TRUE(store_.items().empty());
    EXPECT_EQ(client_.json(event("e-1", "u-5")).status, 202);
    EXPECT_EQ(store_.items().size(), 1U);
}

std::string many(int count, const std::string& user) {
    std::string body;
    const std::string text = R"(,"content":{"text":")" + std::string(800, 'x') + "\"}";
    for (int i = 0; i < count; ++i) {
        body += event("e-" + std::to_string(i), user, text) + '\n';
    }
    return body;
}

TEST_F(EventsHandlerTest, WhileTheClockIsNotTrustedTheFutureIsOurMistake) {
    const std::string ahead = event("e", "u-9", R"(,"timestamp":"2026-01-22T12:06:00Z")");
    EXPECT_EQ(client_.json(ahead).status, 422);
    intake_.clock().distrust();
    const Answer answer = client_.json(ahead);
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.field("Retry-After"), "5");
    EXPECT_EQ(client_.ndjson(event("e-1", "u-9") + '\n' + ahead).status, 503) << "all of it is sent again";
    EXPECT_EQ(client_.json(event("e", "u-9", R"(,"timestamp":"2026-01-22T12:04:00Z")")).status, 202);
    EXPECT_EQ(client_.json(event("e", "u-9", R"(,"timestamp":"noon")")).status, 422)
        << "other mistakes are the source's";
    intake_.clock().trust();
    EXPECT_EQ(client_.json(ahead).status, 422);
}

TEST_F(EventsHandlerTest, AClockThatIsAheadMakesNoEventTooLate) {
    warrants::Warrant closed = warrant("LIID-1", "u-1");
    closed.valid_until = {noon.seconds + 60, 0};
    intake_.publish(testing::snapshot({closed}));
    constexpr std::int64_t day = 24 * 3600;
    const std::string inside = event("e-1", "u-1", R"(,"timestamp":"2026-01-22T12:00:00Z")");
    intake_.clock().set_wall({noon.seconds + 100 * day, 0});
    intake_.clock().distrust(std::chrono::days(100));
    EXPECT_EQ(client_.json(inside).status, 202);
    EXPECT_EQ(store_.items().size(), 1U);
    intake_.clock().trust();
    EXPECT_EQ(client_.json(inside).status, 202);
    EXPECT_EQ(store_.items().size(), 1U) << "and by a right clock it is";
}

TEST_F(EventsHandlerTest, AnEventWithoutATimeWaitsForAClockThatIsTrusted) {
    intake_.clock().advance_wall(std::chrono::days(100));
    intake_.clock().distrust(std::chrono::days(100));
    // When one without a time happened nobody knows, whoever it concerns.
    for (const char* const user : {"u-1", "u-9"}) {
        const Answer answer = client_.json(event("e-2", user));
        EXPECT_EQ(answer.status, 503) << user;
        EXPECT_EQ(answer.field("Retry-After"), "5");
        EXPECT_EQ(client_.json(event("e-3", user, R"(,"attachments":[{"id":"a","data":"YQ=="}])")).status, 503);
    }
    EXPECT_TRUE(store_.items().empty());
    intake_.clock().trust();
    EXPECT_EQ(client_.json(event("e-2", "u-1")).status, 202);
    EXPECT_EQ(store_.items().size(), 1U);
}

TEST_F(EventsHandlerTest, AnswersInTimeWhereTheStoreHangs) {
    auto hasty = testing::snapshot({warrant("LIID-1", "u-1")});
    hasty->limits.answer_timeout = std::chrono::milliseconds(50);
    intake_.publish(hasty);
    store_.mode(TestStore::Mode::hold);
    for (const char* const user : {"u-1", "u-9"}) {
        const Answer answer = client_.json(event("e-1", user));
        EXPECT_EQ(answer.status, 503) << user;
        EXPECT_EQ(answer.field("Retry-After"), "5");
    }
    const std::size_t before = store_.groups().size();
    EXPECT_EQ(client_.ndjson(many(3000, "u-1")).status, 503);
    // None, if the time is over before the first group is full.
    const std::size_t after = store_.groups().size();
    EXPECT_LE(after, before + 1);
    intake_.publish(testing::snapshot({warrant("LIID-1", "u-1")}));
    store_.release();
    EXPECT_EQ(client_.json(event("e-2", "u-1")).status, 202) << "on the same connection";
    EXPECT_EQ(store_.groups().size(), after + 1) << "of what was answered, no further group was begun";
}

TEST_F(EventsHandlerTest, AnswersLeaveOnAGrid) {
    auto grid = testing::snapshot({warrant("LIID-1", "u-1")});
    grid->limits.answer_interval = std::chrono::milliseconds(30);
    intake_.publish(grid);
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(client_.json(event("e-" + std::to_string(i), i % 2 == 0 ? "u-1" : "u-9")).status, 202);
    }
    // Each at another moment, so that from the first to the last there are four intervals.
    EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(4 * 30));
}

TEST_F(EventsHandlerTest, TakesALargeBodyInGroups) {
    const Answer answer = client_.ndjson(many(5000, "u-1"));
    EXPECT_EQ(answer.status, 202);
    EXPECT_EQ(answer.body, R"({"accepted":5000})");
    const auto matched = store_.groups();
    EXPECT_GT(matched.size(), 3U);
    std::size_t next = 0;
    for (const store::NewItem& item : store_.items()) {
        model::Share share;
        ASSERT_TRUE(model::decode_share(item.share, share));
        EXPECT_EQ(share.event.event_id, "e-" + std::to_string(next++));
    }
    EXPECT_EQ(next, 5000U);
    // The same number of commits where nothing matches.
    EXPECT_EQ(client_.ndjson(many(5000, "u-9")).status, 202);
    EXPECT_EQ(store_.groups().size(), 2 * matched.size());
}

TEST_F(EventsHandlerTest, TakesChunkedBodies) {
    const std::string body = many(1500, "u-1");
    client_.send(
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += 50'000) {
        const std::string_view piece = std::string_view(body).substr(at, 50'000);
        std::array<char, 32> size{};
        std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
        client_.send(size.data());
        client_.send(piece);
        client_.send("\r\n");
    }
    client_.send("0\r\n\r\n");
    EXPECT_EQ(client_.read().body, R"({"accepted":1500})");
}

TEST_F(EventsHandlerTest, FailsAsAWholeWhenALaterGroupFails) {
    store_.fail_after(1);
    EXPECT_EQ(client_.ndjson(many(3000, "u-1")).status, 503);
    EXPECT_EQ(store_.groups().size(), 2U) << "nothing more is tried";
}

TEST_F(EventsHandlerTest, CountsWhatItReads) {
    EXPECT_EQ(client_.ndjson(event("e-1", "u-1") + "\n{}\nx\n" + event("e-2", "u-9", ",\"x\":1")).status, 422);
    store_.mode(TestStore::Mode::fail);
    EXPECT_EQ(client_.ndjson(event("e-1", "u-1") + "\n{}\n").status, 503);
    const std::string text = intake_.metrics();
    EXPECT_THAT(text, HasSubstr("lihandover_events_received_total{source=\"local\"} 6\n"));
    const auto rejected = [&text](const char* reason, int count) {
        EXPECT_THAT(text, HasSubstr("lihandover_events_rejected_total{reason=\"" + std::string(reason) +
                                    "\",source=\"local\"} " + std::to_string(count) + "\n"));
    };
    rejected("missing_member", 2);
    rejected("malformed", 1);
    rejected("unknown_member", 1);
    rejected("unavailable", 1);
    rejected("future", 0);
}

TEST(EventsHandlerTimeoutTest, GivesUpOnStalledBodies) {
    TestStore store;
    http::Timeouts timeouts;
    timeouts.body_stall = std::chrono::milliseconds(50);
    Intake intake(store, testing::snapshot({}), timeouts);
    Client client(intake.socket());
    client.send(
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        "100\r\n\r\n{");
    EXPECT_EQ(client.read().status, 408);
    EXPECT_TRUE(store.groups().empty());
}

TEST(EventsHandlerStoreTest, WorksWithTheStoreOnDisk) {
    TemporaryDirectory directory;
    store::Options options;
    options.directory = directory.path();
    options.max_bytes = std::uint64_t{1} << 30;
    options.record_retention = std::chrono::hours(24);
    lihandover::test::ManualClock clock{testing::noon};
    auto store = store::Store::open(options, clock).value();
    auto snapshot = testing::snapshot({warrant("LIID-1", "u-1")});
    model::Profile profile;
    profile.sender = {"XX", "CSP"};
    profile.receiver = {"XX", "LEA"};
    profile.etsi_version = "V1.14.1";
    snapshot->routes[0].lane = store->warrant_register().lane("lea-one", "LIID-1").value();
    snapshot->routes[0].profile = store->warrant_register().profile(profile).value();
    {
        Intake intake(store->item_intake(), store->object_intake(), snapshot);
        Client client(intake.socket());
        EXPECT_EQ(client.ndjson(many(250, "u-1") + many(50, "u-9")).body, R"({"accepted":300})");
        EXPECT_EQ(client.ndjson(many(250, "u-1")).status, 202) << "repeats are accepted and make no items";
    }
    const auto items = store->operator_view().items(store::ItemState::queued, {}, 1000).value();
    EXPECT_EQ(items.size(), 250U);
    store->stop();
}

// --- without a network: what happens between two requests on one thread ---

class ScriptedExchange : public http::Exchange {
  public:
    explicit ScriptedExchange(std::string body) : body_(std::move(body)) {}

    [[nodiscard]] std::string_view method() const override { return "POST"; }
    [[nodiscard]] std::string_view target() const override { return "/v1/events"; }
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const override {
        return name == "Content-Type" ? std::optional<std::string_view>("application/x-ndjson") : std::nullopt;
    }
    [[nodiscard]] std::optional<std::uint64_t> content_length() const override { return body_.size(); }
    [[nodiscard]] const http::Peer& peer() const override { return peer_; }
    [[nodiscard]] asio::awaitable<http::BodyResult<void>> read_body(std::string& body, std::size_t) override {
        body = body_;
        co_return http::BodyResult<void>{};
    }
    [[nodiscard]] asio::awaitable<http::BodyResult<std::size_t>> read_some(std::span<char>) override {
        co_return http::BodyFailure::broken;
    }
    [[nodiscard]] bool expects_continue() const override { return false; }
    void withhold_continue() override {}
    [[nodiscard]] asio::awaitable<bool> respond(http::Response response) override {
        answer = std::move(response);
        co_return true;
    }
    [[nodiscard]] asio::awaitable<bool> respond(http::Response response, http::BodySource&) override {
        answer = std::move(response);
        co_return true;
    }
    void abort() override {}

    http::Response answer{};

  private:
    std::string body_;
    http::Peer peer_;
};

TEST(EventsHandlerFairnessTest, ServesOthersBetweenTheLinesOfALongBody) {
    TestStore store;
    lihandover::test::ManualClock clock{testing::noon};
    metrics::Metrics metrics;
    CurrentSnapshot snapshot(testing::snapshot({warrant("LIID-1", "u-1")}));
    asio::io_context io;
    BodyBudget budget(io.get_executor(), 1 << 20);
    EventsHandler handler("local", metrics.source("local"),
                          {store.item_intake(), store.object_intake(), snapshot, budget, clock, io.get_executor()});
    std::string lines;
    for (int i = 0; i < 500; ++i) {
        lines += event("long", "u-1") + '\n';
    }
    ScriptedExchange first(lines);
    ScriptedExchange second(event("short", "u-1"));
    asio::co_spawn(io, handler.handle(first), asio::detached);
    asio::co_spawn(io, handler.handle(second), asio::detached);
    io.run();
    EXPECT_EQ(first.answer.body, R"({"accepted":500})");
    EXPECT_EQ(second.answer.body, R"({"accepted":1})");
    const auto groups = store.groups();
    ASSERT_EQ(groups.size(), 2U);
    EXPECT_EQ(groups[0].size(), 1U) << "the short request went first";
    EXPECT_EQ(groups[1].size(), 500U);
    for (const store::NewItem& item : store.items()) {
        model::Share share;
        ASSERT_TRUE(model::decode_share(item.share, share));
    }
    EXPECT_EQ(budget.held(), 0U);
}

TEST(EventsHandlerFairnessTest, DropsTheBodyOfABrokenRequest) {
    TestStore store;
    lihandover::test::ManualClock clock{testing::noon};
    metrics::Metrics metrics;
    CurrentSnapshot snapshot(testing::snapshot({}));
    asio::io_context io;
    BodyBudget budget(io.get_executor(), 1 << 20);
    EventsHandler handler("local", metrics.source("local"),
                          {store.item_intake(), store.object_intake(), snapshot, budget, clock, io.get_executor()});
    ScriptedExchange broken(std::string(300'000, ' '));  // large: read piece by piece, which fails here
    asio::co_spawn(io, handler.handle(broken), asio::detached);
    io.run();
    EXPECT_TRUE(store.groups().empty());
    EXPECT_EQ(broken.answer.status, 200U) << "nobody is answered";
    EXPECT_EQ(budget.held(), 0U);
}

}  // namespace
}  // namespace lihandover::intake
