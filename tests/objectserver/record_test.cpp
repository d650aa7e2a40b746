#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "lihandover/objectserver/objectserver.hpp"
#include "support.hpp"

namespace lihandover::objectserver::test {
namespace {

using namespace std::chrono_literals;

// -- When things fail

TEST(ObjectServer, AStoreThatCannotBeReadLooksLikeNothing) {
    TestServer server;
    TlsClient client{server.port()};
    const std::string target = put(server, {});
    const Answer denied = client.get("/nothing");
    server.store.fail_lookups(true);
    EXPECT_EQ(client.get(target).without_date(), denied.without_date());
    server.store.throw_lookups(true);
    EXPECT_EQ(client.get(target).without_date(), denied.without_date());
    server.store.throw_lookups(false);
    server.store.fail_lookups(false);
    EXPECT_EQ(client.get(target).status(), 200U);
    EXPECT_EQ(server.wait_fetches(1).size(), 1U);
}

/// What is logged while it lives.
class Logged {
  public:
    Logged() {
        spdlog::set_default_logger(
            std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
    }
    Logged(const Logged&) = delete;
    Logged& operator=(const Logged&) = delete;
    ~Logged() { spdlog::set_default_logger(before_); }
    /// Only while nobody logs.
    [[nodiscard]] std::string text() const { return log_.str(); }

  private:
    std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
    std::ostringstream log_;
};

// An LEA may take a 404 for its last word, and ask as often as it likes.
TEST(ObjectServer, AnObjectThatCannotBeReadAtPresentIsWorthAnotherTryAndOneLine) {
    const Logged logged;
    {
        TestServer server;
        TlsClient client{server.port()};
        const std::string damaged = put(server, [](store::StoredObject& object) {
            object.unreadable_now = true;
            object.sealed = nullptr;
            object.described.url.clear();
        });
        const std::string good = put(server, {});
        for (int i = 0; i < 3; ++i) {
            const Answer answer = client.get(damaged);
            EXPECT_EQ(answer.status(), 503U);
            EXPECT_EQ(answer.field("Retry-After"), "30");
            EXPECT_EQ(client.get(good).status(), 200U);
        }
        TlsClient other{server.port(), "second"};
        EXPECT_EQ(other.get(damaged).status(), 404U) << "not for another's";
        EXPECT_EQ(server.wait_fetches(3).size(), 3U);
    }
    const std::string text = logged.text();
    EXPECT_EQ(std::ranges::count(text, '\n'), 1) << text;
}

TEST(ObjectServer, AFileThatCannotBeOpenedIsWorthAnotherTry) {
    TestServer server;
    TlsClient client{server.port()};
    const std::string target = put(server, {});
    server.store.fail_opening(true);
    const Answer answer = client.get(target);
    EXPECT_EQ(answer.status(), 503U);
    EXPECT_EQ(answer.field("Retry-After"), "30");
    EXPECT_EQ(answer.body, "");
    server.store.fail_opening(false);
    EXPECT_EQ(client.get(target).status(), 200U);
    const auto fetches = server.wait_fetches(2);
    ASSERT_EQ(fetches.size(), 2U);
    EXPECT_FALSE(fetches[0].complete());
    EXPECT_FALSE(fetches[0].whole());
    EXPECT_EQ(fetches[0].end, 1000U);
    EXPECT_EQ(server.metric(downloads("lea-one", "failed")), 1);
}

TEST(ObjectServer, NothingIsHandedOverWhileNothingCanBeRecorded) {
    TestServer server;
    TlsClient client{server.port()};
    TlsClient second{server.port(), "second"};
    const std::string target = put(server, {});
    const Answer denied = second.get(target);
    server.can_commit = false;
    for (const std::string fields : {"", "Range: bytes=0-9\r\n", "Range: bytes=5000-\r\n", "If-None-Match: *\r\n"}) {
        const Answer answer = client.get(target, fields);
        EXPECT_EQ(answer.status(), 503U) << fields;
        EXPECT_EQ(answer.field("Retry-After"), "30");
        EXPECT_EQ(answer.field("Cache-Control"), "no-store");
        EXPECT_EQ(answer.field("ETag"), "");
        EXPECT_EQ(answer.body, "");
    }
    EXPECT_EQ(client.ask("HEAD", target).status(), 503U);
    // Whoever has no right to the object learns nothing about it.
    EXPECT_EQ(second.get(target).without_date(), denied.without_date());
    EXPECT_EQ(client.get("/nothing").without_date(), denied.without_date());
    EXPECT_EQ(server.store.opened(), 0U);
    EXPECT_TRUE(server.store.fetches().empty());
    EXPECT_EQ(server.metric(downloads("lea-one", "failed")), 5);

    server.can_commit = true;
    EXPECT_EQ(client.get(target).body, bytes(0, 1000));
    const auto fetches = server.wait_fetches(1);
    ASSERT_EQ(fetches.size(), 1U);
    EXPECT_TRUE(fetches[0].complete());
}

TEST(ObjectServer, WhatTheRecordLacksIsCounted) {
    TestServer server;
    TlsClient client{server.port()};
    const std::string target = put(server, {});
    EXPECT_EQ(server.metric("lihandover_downloads_unrecorded_total"), 0);
    server.store.fail_fetches(true);
    EXPECT_EQ(client.get(target).status(), 200U);
    EXPECT_TRUE(server.wait_for([&] { return server.metric("lihandover_downloads_unrecorded_total") == 1; }));
    server.store.fail_fetches(false);
    EXPECT_EQ(client.get(target).status(), 200U);
    EXPECT_EQ(server.wait_fetches(1).size(), 1U);
    EXPECT_EQ(server.metric("lihandover_downloads_unrecorded_total"), 1);
}

TEST(ObjectServer, ABrokenSealEndsTheAnswerUnfinished) {
    TestServer server;
    const auto id =
        server.store.put("lea-one", 1'000'000, [](store::StoredObject& object) { object.remove_when_fetched = true; });
    server.store.fail_reading_from(600'000);
    TlsClient client{server.port()};
    client.send("GET " + server.store.target_of(id) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(client.read_head().has_value());
    EXPECT_EQ(client.read(1'000'000).size(), 524'288U);
    const auto fetches = server.wait_fetches(1);
    ASSERT_EQ(fetches.size(), 1U);
    EXPECT_FALSE(fetches[0].complete());
    EXPECT_FALSE(fetches[0].whole());
    EXPECT_EQ(server.metric(downloads("lea-one", "failed")), 1);
    EXPECT_EQ(server.metric("lihandover_download_bytes_total{destination=\"lea-one\"}"), 524'288);
}

TEST(ObjectServer, AClientThatGoesAwayIsOnRecord) {
    TestServer server;
    const auto id = server.store.put("lea-one", std::uint64_t{1} << 32U);
    TlsClient client{server.port()};
    client.send("GET " + server.store.target_of(id) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(client.read_head().has_value());
    EXPECT_EQ(client.read(100'000), bytes(0, 100'000));
    client.reset();
    const auto fetches = server.wait_fetches(2);
    ASSERT_EQ(fetches.size(), 2U);  // of its beginning and its end
    for (const auto& fetch : fetches) {
        EXPECT_FALSE(fetch.complete());
        EXPECT_FALSE(fetch.whole());
        EXPECT_EQ(fetch.end, std::uint64_t{1} << 32U);
    }
    EXPECT_TRUE(server.wait_for([&] { return server.metric(downloads("lea-one", "cut")) == 1; }));
}

TEST(ObjectServer, SixteenRangesAreOneEntry) {
    TestServer server;
    TlsClient client{server.port()};
    std::string ranges = "Range: bytes=0-0";
    for (int at = 2; at < 32; at += 2) {
        ranges += ',' + std::to_string(at) + '-' + std::to_string(at);
    }
    const std::string target = put(server, {});
    EXPECT_EQ(client.get(target, ranges + "\r\n").status(), 206U);
    EXPECT_EQ(client.get(target).status(), 200U);
    const auto fetches = server.wait_fetches(2);
    ASSERT_EQ(fetches.size(), 2U);
    EXPECT_EQ(fetches[0].ranges, 16U);
    EXPECT_EQ(fetches[0].begin, 0U);
    EXPECT_EQ(fetches[0].end, 31U);
}

TEST(ObjectServer, SeveralRangesThatAreCutAreOneEntry) {
    TestServer server;
    const auto id = server.store.put("lea-one", 1'000'000);
    server.store.fail_reading_from(500'000);
    TlsClient client{server.port()};
    client.send("GET " + server.store.target_of(id) +
                " HTTP/1.1\r\nHost: x\r\nRange: bytes=0-99,200000-600000,0-0\r\n\r\n");
    ASSERT_TRUE(client.read_head().has_value());
    static_cast<void>(client.read(1'000'000));
    const auto fetches = server.wait_fetches(1);
    ASSERT_EQ(fetches.size(), 1U);
    EXPECT_EQ(fetches[0].begin, 0U);
    EXPECT_EQ(fetches[0].end, 600'001U);
    EXPECT_EQ(fetches[0].ranges, 3U);
    EXPECT_FALSE(fetches[0].complete());
}

// -- The record of what begins

TEST(ObjectServer, ALargeFetchIsOnRecordBeforeItsFirstByteLeaves) {
    TestServer server;
    const auto id =
        server.store.put("lea-one", 2'000'000, [](store::StoredObject& object) { object.remove_when_fetched = true; });
    server.store.hold_fetches(true);
    server.store.hold_reading_from(100'000);
    TlsClient client{server.port()};
    client.send("GET " + server.store.target_of(id) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(server.wait_for([&] { return server.store.held_fetches() == 1; }));
    // Small ones do not wait, and by the time that two of them are served the large one would have begun.
    TlsClient other{server.port()};
    const std::string small = put(server, {});
    EXPECT_EQ(other.get(small).body, bytes(0, 1000));
    EXPECT_EQ(other.get(small).body, bytes(0, 1000));
    EXPECT_FALSE(server.store.holds());
    EXPECT_TRUE(server.store.fetches().empty());

    server.store.hold_fetches(false);
    ASSERT_TRUE(server.wait_for([&] { return server.store.holds(); }));
    // If it ended here, this is what would be left.
    const auto begun = server.store.fetches();
    ASSERT_FALSE(begun.empty());
    EXPECT_EQ(begun[0].object, id);
    EXPECT_EQ(begun[0].certificate_sha256, fingerprint("client"));
    EXPECT_EQ(begun[0].begin, 0U);
    EXPECT_EQ(begun[0].end, 2'000'000U);
    EXPECT_EQ(begun[0].extent, store::Fetch::Extent::begun);

    server.store.let_read();
    const auto answer = client.receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(answer->body == bytes(0, 2'000'000));
    const auto fetches = server.wait_fetches(4);
    ASSERT_EQ(fetches.size(), 4U);
    EXPECT_EQ(fetches[3].object, id);
    EXPECT_TRUE(fetches[3].complete() && fetches[3].whole());
    EXPECT_EQ(server.metric(downloads("lea-one", "complete")), 3);
}

TEST(ObjectServer, OnlyLargeFetchesAreRecordedTwice) {
    TestServer server;
    TlsClient client{server.port()};
    const auto id = server.store.put("lea-one", 4 * mebibyte);
    const std::string target = server.store.target_of(id);
    EXPECT_EQ(client.ask("HEAD", target).status(), 200U);
    EXPECT_EQ(client.get(target, "If-None-Match: *\r\n").status(), 304U);
    EXPECT_EQ(client.get(target, "Range: bytes=0-1048575\r\n").body.size(), mebibyte);
    EXPECT_EQ(server.wait_fetches(3).size(), 3U);
    EXPECT_EQ(client.get(target, "Range: bytes=0-1048576\r\n").body.size(), mebibyte + 1);
    EXPECT_EQ(server.wait_fetches(5).size(), 5U);
    // What counts is all that is asked for.
    EXPECT_EQ(client.get(target, "Range: bytes=0-599999,1000000-1599999\r\n").status(), 206U);
    const auto fetches = server.wait_fetches(7);
    ASSERT_EQ(fetches.size(), 7U);
    for (std::size_t index = 5; index < 7; ++index) {
        EXPECT_EQ(fetches[index].begin, 0U);
        EXPECT_EQ(fetches[index].end, 1'600'000U);
        EXPECT_EQ(fetches[index].ranges, 2U);
        EXPECT_EQ(fetches[index].complete(), index == 6);
    }
}

TEST(ObjectServer, ALargeFetchThatCannotBeRecordedDoesNotBegin) {
    TestServer server;
    TlsClient client{server.port()};
    const auto id = server.store.put("lea-one", 2 * mebibyte);
    server.store.fail_fetches(true);
    const Answer answer = client.get(server.store.target_of(id));
    EXPECT_EQ(answer.status(), 503U);
    EXPECT_EQ(answer.field("Retry-After"), "30");
    EXPECT_EQ(answer.body, "");
    EXPECT_TRUE(server.wait_for([&] { return server.metric(downloads("lea-one", "failed")) == 1; }));
    EXPECT_EQ(server.metric("lihandover_downloads_unrecorded_total"), 1);
    server.store.fail_fetches(false);
    EXPECT_EQ(client.get(server.store.target_of(id)).body.size(), 2 * mebibyte);
}

TEST(ObjectServer, AStoreThatTakesTooLongPutsLargeFetchesOff) {
    Options options;
    options.record_wait = 20ms;
    TestServer server{options};
    TlsClient client{server.port()};
    const auto id = server.store.put("lea-one", 2 * mebibyte);
    server.store.hold_fetches(true);
    EXPECT_EQ(client.get(server.store.target_of(id)).status(), 503U);
    EXPECT_EQ(client.get(put(server, {})).status(), 200U);
    server.store.hold_fetches(false);
    const auto fetches = server.wait_fetches(2);
    ASSERT_EQ(fetches.size(), 2U);
    EXPECT_EQ(fetches[0].object, id);
    EXPECT_FALSE(fetches[0].complete());
    EXPECT_TRUE(fetches[1].complete());
}

TEST(ObjectServer, StopDoesNotWaitForTheStore) {
    Options options;
    options.record_wait = guard * 2;
    TestServer server{options};
    const auto id = server.store.put("lea-one", 2 * mebibyte);
    server.store.hold_fetches(true);
    TlsClient client{server.port()};
    client.send("GET " + server.store.target_of(id) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(server.wait_for([&] { return server.store.held_fetches() == 1; }));
    auto stopped = server.stop(1ms);
    ASSERT_EQ(stopped.wait_for(guard), std::future_status::ready);
    EXPECT_FALSE(client.receive().has_value());
    server.store.hold_fetches(false);
    const auto fetches = server.wait_fetches(2);
    for (const auto& fetch : fetches) {
        EXPECT_FALSE(fetch.complete());
    }
    EXPECT_EQ(fetches.size(), 2U);
}

}  // namespace
}  // namespace lihandover::objectserver::test
