#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lihandover/objectserver/objectserver.hpp"
#include "support.hpp"

namespace lihandover::objectserver::test {
namespace {

using namespace std::chrono_literals;

// -- Slots

Options one_at_a_time() {
    Options options;
    options.max_bodies = 1;
    return options;
}

TEST(ObjectServer, BodiesWaitForTheirTurnInOrder) {
    TestServer server{one_at_a_time()};
    server.store.hold_reading_from(100'000);
    std::vector<model::Uuid> ids;
    std::vector<std::unique_ptr<TlsClient>> clients;
    for (std::size_t index = 0; index < 4; ++index) {
        ids.push_back(server.store.put("lea-one", 300'000 + index));
        clients.push_back(std::make_unique<TlsClient>(server.port()));
        ask_for(*clients.back(), server.store.target_of(ids.back()));
        ASSERT_TRUE(server.wait_for([&] {
            const Load load = load_of(server);
            return load.bodies == 1 && load.waiting == index;
        }));
    }
    ASSERT_TRUE(server.wait_for([&] { return server.store.holds(); }));
    EXPECT_EQ(server.store.opened(), 1U) << "what waits has no file open";

    // What costs little is not held up.
    TlsClient other{server.port()};
    const std::string target = server.store.target_of(ids[0]);
    EXPECT_EQ(other.ask("HEAD", target).status(), 200U);
    EXPECT_EQ(other.get(target, "If-None-Match: *\r\n").status(), 304U);
    EXPECT_EQ(other.get(target, "Range: bytes=900000-\r\n").status(), 416U);
    EXPECT_EQ(other.get(target, "Range: bytes=0-65535\r\n").body, bytes(0, 65'536));
    EXPECT_EQ(other.get("/nothing").status(), 404U);
    EXPECT_EQ(load_of(server).waiting, 3U);

    server.store.let_read();
    for (std::size_t index = 0; index < 4; ++index) {
        const auto answer = clients[index]->receive();
        ASSERT_TRUE(answer.has_value());
        EXPECT_TRUE(answer->body == bytes(0, 300'000 + index));
    }
    const auto fetches = server.wait_fetches(8);
    ASSERT_EQ(fetches.size(), 8U);
    for (std::size_t index = 0; index < 4; ++index) {
        EXPECT_EQ(fetches[4 + index].object, ids[index]);
        EXPECT_TRUE(fetches[4 + index].complete());
    }
    EXPECT_TRUE(server.wait_for([&] { return load_of(server).bodies == 0; }));
}

TEST(ObjectServer, ACutDownloadGivesItsTurnAway) {
    TestServer server{one_at_a_time()};
    const auto endless = server.store.put("lea-one", std::uint64_t{1} << 32U);
    const auto id = server.store.put("lea-one", 300'000);
    TlsClient first{server.port()};
    ask_for(first, server.store.target_of(endless));
    ASSERT_TRUE(first.read_head().has_value());
    TlsClient second{server.port()};
    ask_for(second, server.store.target_of(id));
    ASSERT_TRUE(server.wait_for([&] { return load_of(server).waiting == 1; }));
    first.reset();
    const auto answer = second.receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(answer->body == bytes(0, 300'000));
}

TEST(ObjectServer, WhoGoesAwayLeavesTheQueue) {
    TestServer server{one_at_a_time()};
    server.store.hold_reading_from(100'000);
    const std::string target = server.store.target_of(server.store.put("lea-one", 300'000));
    TlsClient first{server.port()};
    ask_for(first, target);
    ASSERT_TRUE(server.wait_for([&] { return server.store.holds(); }));
    {
        TlsClient closes{server.port()};
        TlsClient resets{server.port()};
        ask_for(closes, target);
        ask_for(resets, target);
        ASSERT_TRUE(server.wait_for([&] { return load_of(server).waiting == 2; }));
        resets.reset();
    }
    EXPECT_TRUE(server.wait_for([&] { return load_of(server).waiting == 0; }));
    EXPECT_EQ(server.store.opened(), 1U);
    const auto fetches = server.wait_fetches(2);
    ASSERT_EQ(fetches.size(), 2U);
    EXPECT_FALSE(fetches[0].complete() || fetches[1].complete());
    server.store.let_read();
    EXPECT_TRUE(first.receive().has_value());
}

TEST(ObjectServer, StopCutsThoseWhoWait) {
    TestServer server{one_at_a_time()};
    server.store.hold_reading_from(100'000);
    const std::string target = server.store.target_of(server.store.put("lea-one", 300'000));
    TlsClient first{server.port()};
    TlsClient second{server.port()};
    ask_for(first, target);
    ASSERT_TRUE(server.wait_for([&] { return server.store.holds(); }));
    ask_for(second, target);
    ASSERT_TRUE(server.wait_for([&] { return load_of(server).waiting == 1; }));
    auto stopped = server.stop(1ms);
    ASSERT_EQ(stopped.wait_for(guard), std::future_status::ready);
    EXPECT_EQ(server.store.opened(), 1U);
    EXPECT_EQ(load_of(server).waiting, 0U);
    EXPECT_EQ(load_of(server).bodies, 0U);
    ASSERT_EQ(server.wait_fetches(2).size(), 2U);
    EXPECT_FALSE(server.store.fetches()[0].complete() || server.store.fetches()[1].complete());
    server.store.let_read();
}

TEST(ObjectServer, AStoreThatFailsMeanwhileCountsWhenTheTurnComes) {
    TestServer server{one_at_a_time()};
    server.store.hold_reading_from(100'000);
    const std::string target = server.store.target_of(server.store.put("lea-one", 300'000));
    TlsClient first{server.port()};
    TlsClient second{server.port()};
    ask_for(first, target);
    ASSERT_TRUE(server.wait_for([&] { return server.store.holds(); }));
    ask_for(second, target);
    ASSERT_TRUE(server.wait_for([&] { return load_of(server).waiting == 1; }));
    server.can_commit = false;
    server.store.let_read();
    EXPECT_TRUE(first.receive().has_value());
    const auto answer = second.receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status(), 503U);
}

TEST(ObjectServer, TheDownloadsOfOneLeaTakeNoSlotsFromAnother) {
    Options options;
    options.max_bodies = 4;
    TestServer server{options};
    const std::string endless = server.store.target_of(server.store.put("lea-one", std::uint64_t{1} << 32U));
    std::vector<std::unique_ptr<TlsClient>> slow;
    for (int count = 0; count < 10; ++count) {
        slow.push_back(std::make_unique<TlsClient>(server.port()));
        ask_for(*slow.back(), endless);
    }
    ASSERT_TRUE(server.wait_for([&] {
        const Load load = load_of(server);
        return load.bodies == 2 && load.waiting == 8;
    }));
    TlsClient other{server.port(), "second"};
    const std::string target = server.store.target_of(server.store.put("lea-two", 300'000));
    EXPECT_TRUE(other.get(target).body == bytes(0, 300'000));
    EXPECT_TRUE(other.get(target).body == bytes(0, 300'000));
    for (const auto& client : slow) {
        client->reset();
    }
    EXPECT_TRUE(server.wait_for([&] { return load_of(server).bodies == 0 && load_of(server).waiting == 0; }));
}

TEST(ObjectServer, SharesFollowTheDestinations) {
    Options options;
    options.max_bodies = 2;
    TestServer server{options};
    const std::string endless = server.store.target_of(server.store.put("lea-one", std::uint64_t{1} << 32U));
    TlsClient first{server.port()};
    TlsClient second{server.port()};
    ask_for(first, endless);
    ask_for(second, endless);
    ASSERT_TRUE(server.wait_for([&] { return load_of(server).bodies == 1 && load_of(server).waiting == 1; }));
    auto settings = TestServer::settings();
    settings.certificates.erase("lea-two");
    ASSERT_TRUE(server.server().reconfigure(settings).has_value());
    EXPECT_TRUE(server.wait_for([&] { return load_of(server).bodies == 2; })) << "all of them are lea-one's now";
}

// -- What clients may take

TEST(ObjectServer, ADownloadThatIsTooSlowIsEnded) {
    auto settings = TestServer::settings();
    settings.bounds.min_rate = std::uint64_t{1} << 40U;
    settings.bounds.min_rate_after = 50ms;
    TestServer server{settings};
    const std::string endless = server.store.target_of(server.store.put("lea-one", std::uint64_t{1} << 32U));
    TlsClient client{server.port(), "client", 4096};
    ask_for(client, endless);
    ASSERT_TRUE(client.read_head().has_value());
    EXPECT_TRUE(server.wait_for([&] { return server.metric(downloads("lea-one", "too_slow")) == 1; }));
    EXPECT_EQ(load_of(server).bodies, 0U);
    const auto fetches = server.wait_fetches(2);
    ASSERT_EQ(fetches.size(), 2U);
    EXPECT_EQ(fetches[1].extent, store::Fetch::Extent::broken_off);
}

TEST(ObjectServer, ADownloadThatIsFastEnoughIsNotEnded) {
    auto settings = TestServer::settings();
    settings.bounds.min_rate = 1;
    settings.bounds.min_rate_after = 500ms;
    TestServer server{settings};
    TlsClient client{server.port()};
    const std::string target = server.store.target_of(server.store.put("lea-one", 30'000'000));
    EXPECT_EQ(client.get(target).body.size(), 30'000'000U);
}

TEST(ObjectServer, WhoAsksTooOftenHasToWaitWhateverIsAskedFor) {
    auto settings = TestServer::settings();
    settings.bounds.requests_per_second = 1;
    TestServer server{settings};
    TlsClient client{server.port()};
    const std::string target = put(server, {});
    Answer answer;
    for (int count = 0; count < 1000 && answer.status() != 429; ++count) {
        answer = client.get(target);
    }
    ASSERT_EQ(answer.status(), 429U);
    EXPECT_EQ(answer.field("Retry-After"), "1");
    EXPECT_EQ(answer.body, "");
    // Nothing was looked for, and another's certificate has a rate of its own.
    const std::size_t lookups = server.store.lookups().size();
    const auto denied = client.get("/nothing");
    if (denied.status() == 429) {
        EXPECT_EQ(denied.without_date(), answer.without_date());
        EXPECT_EQ(server.store.lookups().size(), lookups);
    }
    EXPECT_GE(server.metric("lihandover_downloads_limited_total"), 1);
    TlsClient other{server.port(), "second"};
    EXPECT_EQ(other.get(target).status(), 404U);
}

TEST(ObjectServer, EntriesDoNotFillTheStore) {
    auto settings = TestServer::settings();
    settings.bounds.store_bytes = 1'000'000;
    settings.bounds.record_retention = std::chrono::hours(24 * 365);
    TestServer server{settings};
    TlsClient client{server.port()};
    const std::string target = put(server, {});
    constexpr std::size_t requests = 1200;
    for (std::size_t count = 0; count < requests; ++count) {
        ASSERT_EQ(client.get(target).status(), 200U);
    }
    ASSERT_TRUE(server.wait_for([&] {
        const auto unrecorded = server.metric("lihandover_downloads_unrecorded_total");
        return static_cast<double>(server.store.fetches().size()) + unrecorded == requests;
    }));
    EXPECT_LE(server.store.fetches().size(), 1010U);
    // Another LEA's entries are not what they cost.
    TlsClient other{server.port(), "second"};
    const std::size_t before = server.store.fetches().size();
    EXPECT_EQ(other.get(server.store.target_of(server.store.put("lea-two", 10))).status(), 200U);
    EXPECT_EQ(server.wait_fetches(before + 1).size(), before + 1);
}

}  // namespace
}  // namespace lihandover::objectserver::test
