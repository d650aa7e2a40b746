#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lihandover/objectserver/objectserver.hpp"
#include "support.hpp"

namespace lihandover::objectserver::test {
namespace {

using namespace std::chrono_literals;

const std::string tag = '"' + std::string(32, 'x') + '"';  // NOLINT(cert-err58-cpp)

// -- What is served

TEST(ObjectServer, ServesAnObjectWhole) {
    TestServer server;
    const auto id = server.store.put("lea-one", 1'000'000, [](store::StoredObject& object) {
        object.described.content_type = "image/jpeg";
        object.described.original_filename = "d\xC3\xA9j\xC3\xA0 vu.jpg";
    });
    TlsClient client{server.port()};
    const Answer answer = client.get(server.store.target_of(id));
    EXPECT_EQ(answer.status(), 200U);
    EXPECT_EQ(answer.body, bytes(0, 1'000'000));
    EXPECT_EQ(answer.field("Content-Length"), "1000000");
    EXPECT_EQ(answer.field("Content-Type"), "image/jpeg");
    EXPECT_EQ(answer.field("Content-Disposition"),
              "attachment; filename=\"d_j_ vu.jpg\"; filename*=UTF-8''d%C3%A9j%C3%A0%20vu.jpg");
    EXPECT_EQ(answer.field("ETag"), checksum_tag());
    EXPECT_EQ(answer.field("Accept-Ranges"), "bytes");
    EXPECT_EQ(answer.field("Cache-Control"), "no-store");
    EXPECT_EQ(answer.field("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(answer.field("Content-Range"), "");
    EXPECT_EQ(answer.field("Connection"), "");

    const auto fetches = server.wait_fetches(1);
    ASSERT_EQ(fetches.size(), 1U);
    EXPECT_EQ(fetches[0].object, id);
    EXPECT_EQ(fetches[0].certificate_sha256, fingerprint("client"));
    EXPECT_EQ(fetches[0].begin, 0U);
    EXPECT_EQ(fetches[0].end, 1'000'000U);
    EXPECT_TRUE(fetches[0].complete());
    EXPECT_TRUE(fetches[0].whole());
    EXPECT_EQ(server.metric(downloads("lea-one", "complete")), 1);
    EXPECT_EQ(server.metric("lihandover_download_bytes_total{destination=\"lea-one\"}"), 1'000'000);
    EXPECT_EQ(server.metric("lihandover_downloads_denied_total"), 0);
}

TEST(ObjectServer, ServesObjectsOfManySizes) {
    TestServer server;
    TlsClient client{server.port()};
    for (const std::uint64_t size : {0UL, 1UL, 65'535UL, 65'536UL, 262'143UL, 262'144UL, 262'145UL, 700'000UL}) {
        const auto id = server.store.put("lea-one", size);
        const Answer answer = client.get(server.store.target_of(id));
        EXPECT_EQ(answer.status(), 200U);
        EXPECT_EQ(answer.field("Content-Length"), std::to_string(size));
        EXPECT_TRUE(answer.body == bytes(0, size)) << size;
        EXPECT_EQ(answer.field("Content-Type"), "application/octet-stream");
        EXPECT_EQ(answer.field("Content-Disposition"), "attachment");
    }
    const auto fetches = server.wait_fetches(8);
    EXPECT_EQ(fetches.size(), 8U);
    for (const auto& fetch : fetches) {
        EXPECT_TRUE(fetch.whole() && fetch.complete());
    }
}

TEST(ObjectServer, ServesWhatIsAttachedAndWasAttempted) {
    TestServer server;
    TlsClient client{server.port()};
    const auto id = server.store.put("lea-one", 10,
                                     [](store::StoredObject& object) { object.state = store::ObjectState::attached; });
    EXPECT_EQ(client.get(server.store.target_of(id)).status(), 200U);
}

TEST(ObjectServer, ServesAtTheUrlOfTheDocumentWhateverItsForm) {
    TestServer server;
    TlsClient client{server.port()};
    const auto old = server.store.put("lea-one", 10, [](store::StoredObject& object) {
        object.described.url = "https://elsewhere.example.com/before?id=" + object.described.id.to_string();
    });
    EXPECT_EQ(client.get("/before?id=" + old.to_string()).status(), 200U);
    EXPECT_EQ(client.get(server.store.target_of(old)).status(), 404U);
    const auto id = server.store.put("lea-one", 10);
    EXPECT_EQ(client.get("https://csp.example.com" + server.store.target_of(id)).status(), 200U);
}

TEST(ObjectServer, HostileNamesAndTypesDoNoHarm) {
    TestServer server;
    TlsClient client{server.port()};
    const auto id = server.store.put("lea-one", 10, [](store::StoredObject& object) {
        object.described.content_type = "text/html\r\nX-Injected: yes";
        object.described.original_filename = "a\r\nX-Injected: yes\"; filename=\"b" + std::string(65536, 'z') + ".exe";
    });
    const Answer answer = client.get(server.store.target_of(id));
    EXPECT_EQ(answer.status(), 200U);
    EXPECT_EQ(answer.body.size(), 10U);
    EXPECT_EQ(answer.field("X-Injected"), "");
    EXPECT_EQ(answer.field("Content-Type"), "application/octet-stream");
    EXPECT_LT(answer.head.size(), 1500U);
}

TEST(ObjectServer, HeadIsTheHeadOfGet) {
    TestServer server;
    TlsClient client{server.port()};
    const auto id = server.store.put("lea-one", 300'000,
                                     [](store::StoredObject& object) { object.described.content_type = "video/mp4"; });
    const Answer head = client.ask("HEAD", server.store.target_of(id));
    const Answer get = client.get(server.store.target_of(id));
    EXPECT_EQ(head.body, "");
    EXPECT_EQ(head.without_date() + get.body, get.without_date());
    // Ranges are for GET only.
    EXPECT_EQ(client.ask("HEAD", server.store.target_of(id), "Range: bytes=0-0\r\n").without_date(),
              head.without_date());

    const auto fetches = server.wait_fetches(3);
    ASSERT_EQ(fetches.size(), 3U);
    EXPECT_EQ(fetches[0].end, 0U);
    EXPECT_TRUE(fetches[0].complete());
    EXPECT_FALSE(fetches[0].whole());
    EXPECT_EQ(server.store.opened(), 1U);
    EXPECT_EQ(server.metric(downloads("lea-one", "unchanged")), 2);
}

TEST(ObjectServer, TheCertificateOrItsKeyGivesAccess) {
    auto settings = TestServer::settings();
    TestServer server{settings};
    const auto id = server.store.put("lea-one", 10);
    TlsClient second{server.port(), "second"};
    EXPECT_EQ(second.get(server.store.target_of(id)).status(), 404U);

    // Two at once, for the time of a renewal; also for connections that are already open.
    settings.certificates["lea-one"].push_back(fingerprint("second"));
    ASSERT_TRUE(server.server().reconfigure(settings).has_value());
    EXPECT_TRUE(server.wait_for([&] { return second.get(server.store.target_of(id)).status() == 200; }));
    TlsClient first{server.port()};
    EXPECT_EQ(first.get(server.store.target_of(id)).status(), 200U);

    settings.certificates["lea-one"] = {fingerprint("second")};
    ASSERT_TRUE(server.server().reconfigure(settings).has_value());
    EXPECT_TRUE(server.wait_for([&] { return first.get(server.store.target_of(id)).status() == 404; }));
    EXPECT_EQ(second.get(server.store.target_of(id)).status(), 200U);
}

// -- Ranges and conditions

TEST(ObjectServer, SendsOneRange) {
    TestServer server;
    TlsClient client{server.port()};
    const auto id = server.store.put("lea-one", 1'000'000);
    const std::string target = server.store.target_of(id);
    const Answer answer = client.get(target, "Range: bytes=262100-600000\r\n");
    EXPECT_EQ(answer.status(), 206U);
    EXPECT_EQ(answer.field("Content-Range"), "bytes 262100-600000/1000000");
    EXPECT_TRUE(answer.body == bytes(262'100, 600'001));
    EXPECT_EQ(answer.field("ETag"), checksum_tag());
    EXPECT_EQ(client.get(target, "Range: bytes=-1\r\n").body, bytes(999'999, 1'000'000));
    const Answer whole = client.get(target, "Range: bytes=0-\r\n");
    EXPECT_EQ(whole.status(), 206U);
    EXPECT_EQ(whole.body.size(), 1'000'000U);

    const auto fetches = server.wait_fetches(3);
    ASSERT_EQ(fetches.size(), 3U);
    EXPECT_EQ(fetches[0].begin, 262'100U);
    EXPECT_EQ(fetches[0].end, 600'001U);
    EXPECT_TRUE(fetches[0].complete());
    EXPECT_FALSE(fetches[0].whole());
    EXPECT_FALSE(fetches[1].whole());
    EXPECT_TRUE(fetches[2].whole() && fetches[2].complete());
    EXPECT_EQ(server.metric(downloads("lea-one", "partial")), 2);
    EXPECT_EQ(server.metric(downloads("lea-one", "complete")), 1);
}

TEST(ObjectServer, SendsSeveralRanges) {
    TestServer server;
    TlsClient client{server.port()};
    const auto id = server.store.put("lea-one", 1'000'000,
                                     [](store::StoredObject& object) { object.described.content_type = "image/jpeg"; });
    const Answer answer = client.get(server.store.target_of(id), "Range: bytes=500000-899999, 0-0,-2, 2000000-\r\n");
    EXPECT_EQ(answer.status(), 206U);
    EXPECT_EQ(answer.field("Content-Range"), "");
    const std::string type = answer.field("Content-Type");
    static constexpr std::string_view multipart = "multipart/byteranges; boundary=";
    ASSERT_TRUE(type.starts_with(multipart)) << type;
    const std::string boundary = type.substr(multipart.size());
    ASSERT_EQ(boundary.size(), 32U);
    std::string expected;
    const auto part = [&](std::uint64_t begin, std::uint64_t end) {
        expected += "\r\n--" + boundary + "\r\nContent-Type: image/jpeg\r\nContent-Range: bytes " +
                    std::to_string(begin) + '-' + std::to_string(end - 1) + "/1000000\r\n\r\n" + bytes(begin, end);
    };
    part(500'000, 900'000);
    part(0, 1);
    part(999'998, 1'000'000);
    expected += "\r\n--" + boundary + "--\r\n";
    EXPECT_EQ(answer.field("Content-Length"), std::to_string(expected.size()));
    EXPECT_TRUE(answer.body == expected);

    const auto fetches = server.wait_fetches(1);
    ASSERT_EQ(fetches.size(), 1U);
    EXPECT_EQ(fetches[0].begin, 0U);
    EXPECT_EQ(fetches[0].end, 1'000'000U);
    EXPECT_EQ(fetches[0].ranges, 3U);
    EXPECT_TRUE(fetches[0].complete());
    EXPECT_FALSE(fetches[0].whole());
    EXPECT_EQ(server.metric(downloads("lea-one", "partial")), 1);
    EXPECT_EQ(server.metric("lihandover_download_bytes_total{destination=\"lea-one\"}"), 400'003);
    // The connection is where it should be.
    EXPECT_EQ(client.get(server.store.target_of(id), "Range: bytes=0-0,0-0\r\n").status(), 206U);
}

TEST(ObjectServer, RefusesRangesBeyondTheEnd) {
    TestServer server;
    TlsClient client{server.port()};
    const auto id = server.store.put("lea-one", 1000);
    const Answer answer = client.get(server.store.target_of(id), "Range: bytes=1000-\r\n");
    EXPECT_EQ(answer.status(), 416U);
    EXPECT_EQ(answer.field("Content-Range"), "bytes */1000");
    EXPECT_EQ(answer.body, "");
    const auto fetches = server.wait_fetches(1);
    ASSERT_EQ(fetches.size(), 1U);
    EXPECT_EQ(fetches[0].end, 0U);
    EXPECT_FALSE(fetches[0].whole());
}

TEST(ObjectServer, IfRangeTellsWhetherTheRangeCounts) {
    TestServer server;
    TlsClient client{server.port()};
    const std::string target = server.store.target_of(server.store.put("lea-one", 1000));
    const std::string range = "Range: bytes=0-9\r\nIf-Range: ";
    EXPECT_EQ(client.get(target, range + checksum_tag() + "\r\n").status(), 206U);
    EXPECT_EQ(client.get(target, range + "W/" + checksum_tag() + "\r\n").status(), 200U);
    EXPECT_EQ(client.get(target, range + tag + "\r\n").status(), 200U);
    EXPECT_EQ(client.get(target, range + "Sun, 22 Nov 2026 10:15:30 GMT\r\n").status(), 200U);
    EXPECT_EQ(client.get(target, "Range: bytes=5000-\r\nIf-Range: " + tag + "\r\n").status(), 200U);
}

TEST(ObjectServer, ConditionsAreMet) {
    TestServer server;
    TlsClient client{server.port()};
    const std::string target = server.store.target_of(server.store.put("lea-one", 1000));
    const Answer unchanged = client.get(target, "If-None-Match: " + checksum_tag() + "\r\n");
    EXPECT_EQ(unchanged.status(), 304U);
    EXPECT_EQ(unchanged.field("ETag"), checksum_tag());
    EXPECT_EQ(unchanged.field("Content-Length"), "");
    EXPECT_EQ(client.ask("HEAD", target, "If-None-Match: *\r\n").status(), 304U);
    EXPECT_EQ(client.get(target, "If-None-Match: " + tag + "\r\n").status(), 200U);
    EXPECT_EQ(client.get(target, "If-Match: " + checksum_tag() + "\r\n").status(), 200U);
    const Answer failed = client.get(target, "If-Match: " + tag + "\r\n");
    EXPECT_EQ(failed.status(), 412U);
    EXPECT_EQ(failed.body, "");
    EXPECT_EQ(client.get(target, "If-Match: " + checksum_tag() + "\r\nRange: bytes=1-2\r\n").body, bytes(1, 3));
    EXPECT_EQ(client.get(target, "If-None-Match: *\r\nRange: bytes=1-2\r\n").status(), 304U);
    // There is no Last-Modified.
    EXPECT_EQ(client.get(target, "If-Modified-Since: Sun, 22 Nov 2099 10:15:30 GMT\r\n").status(), 200U);
    EXPECT_EQ(client.get(target, "If-Unmodified-Since: Sun, 22 Nov 1999 10:15:30 GMT\r\n").status(), 200U);
    EXPECT_EQ(server.wait_fetches(9).size(), 9U);
    EXPECT_EQ(server.metric(downloads("lea-one", "unchanged")), 4);
}

// -- Removal

TEST(ObjectServer, IsRemovedOnceFetchedWhole) {
    TestServer server;
    const auto id =
        server.store.put("lea-one", 3'000'000, [](store::StoredObject& object) { object.remove_when_fetched = true; });
    const std::string target = server.store.target_of(id);
    TlsClient client{server.port()};
    EXPECT_EQ(client.ask("HEAD", target).status(), 200U);
    EXPECT_EQ(client.get(target, "Range: bytes=0-2999998\r\n").status(), 206U);
    EXPECT_TRUE(client.get(target).body == bytes(0, 3'000'000));
    const auto fetches = server.wait_fetches(5);
    ASSERT_EQ(fetches.size(), 5U);  // HEAD, and beginning and end of the others
    for (std::size_t index = 0; index < 4; ++index) {
        EXPECT_FALSE(fetches[index].whole());
    }
    EXPECT_TRUE(fetches[2].complete());
    EXPECT_TRUE(fetches[4].whole() && fetches[4].complete());
    const Answer gone = client.get(target);
    EXPECT_EQ(gone.without_date(), client.get("/nothing").without_date());
}

TEST(ObjectServer, IsNotRemovedWhileItsLastBytesAreOnTheirWay) {
    TestServer server;
    // More than the client's system takes unread, and little enough for our own to take the rest.
    const auto id =
        server.store.put("lea-one", 60'000, [](store::StoredObject& object) { object.remove_when_fetched = true; });
    const std::string target = server.store.target_of(id);
    {
        TlsClient client{server.port(), "client", 4096};
        client.send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
        ASSERT_TRUE(client.read_head().has_value());
        static_cast<void>(client.read(100));
        client.reset();
    }
    const auto fetches = server.wait_fetches(1);
    ASSERT_EQ(fetches.size(), 1U);
    EXPECT_FALSE(fetches[0].complete());
    TlsClient again{server.port()};
    EXPECT_TRUE(again.get(target).body == bytes(0, 60000));
    EXPECT_TRUE(server.wait_fetches(2).back().complete());
}

// -- Life

TEST(ObjectServer, ServesManyAtOnce) {
    TestServer server;
    const std::string target = server.store.target_of(server.store.put("lea-one", 700'000));
    const std::string expected = bytes(0, 700'000);
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    threads.reserve(6);
    for (int index = 0; index < 6; ++index) {
        threads.emplace_back([&, index] {
            TlsClient client{server.port(), index % 2 == 0 ? "client" : "second"};
            for (int round = 0; round < 5; ++round) {
                const Answer answer = client.get(target);
                right += index % 2 == 0 ? (answer.body == expected ? 1 : 0) : (answer.status() == 404 ? 1 : 0);
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(right, 30);
}

TEST(ObjectServer, StopLetsRunningAnswersFinish) {
    TestServer server;
    const auto id = server.store.put("lea-one", 1'000'000);
    server.store.hold_reading_from(500'000);
    TlsClient client{server.port()};
    client.send("GET " + server.store.target_of(id) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(server.wait_for([&] { return server.store.holds(); }));
    auto stopped = server.stop(guard);
    server.store.let_read();
    const auto answer = client.receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(answer->body == bytes(0, 1'000'000));
    ASSERT_EQ(stopped.wait_for(guard), std::future_status::ready);
    ASSERT_EQ(server.wait_fetches(1).size(), 1U);
    EXPECT_TRUE(server.store.fetches()[0].complete());
}

TEST(ObjectServer, StopCutsWhatTakesTooLongAndRecordsIt) {
    TestServer server;
    const auto id = server.store.put("lea-one", 1'000'000);
    server.store.hold_reading_from(500'000);
    TlsClient client{server.port()};
    client.send("GET " + server.store.target_of(id) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(server.wait_for([&] { return server.store.holds(); }));
    auto stopped = server.stop(1ms);
    ASSERT_EQ(stopped.wait_for(guard), std::future_status::ready);
    ASSERT_EQ(server.wait_fetches(1).size(), 1U);
    EXPECT_FALSE(server.store.fetches()[0].complete());
    EXPECT_EQ(server.stop(1ms).wait_for(guard), std::future_status::ready);
    server.store.let_read();
}

TEST(ObjectServer, ReconfigureIsAllOrNothing) {
    TestServer server;
    TlsClient client{server.port()};
    const std::string target = put(server, {});
    auto settings = TestServer::settings();
    settings.certificates["lea-one"] = {"nonsense"};
    EXPECT_FALSE(server.server().reconfigure(settings).has_value());
    settings = TestServer::settings();
    settings.tls = nullptr;
    EXPECT_FALSE(server.server().reconfigure(settings).has_value());
    EXPECT_EQ(client.get(target).status(), 200U);
    settings = TestServer::settings();
    settings.certificates.erase("lea-one");
    settings.tls = lihandover::test::server_context("chained");
    ASSERT_TRUE(server.server().reconfigure(settings).has_value());
    EXPECT_TRUE(server.wait_for([&] { return client.get(target).status() == 404; }));
    TlsClient fresh{server.port(), "second"};
    EXPECT_TRUE(fresh.connected());
    EXPECT_EQ(fresh.get(target).status(), 404U);
}

TEST(ObjectServer, CreateSaysWhatIsWrong) {
    TestServer server;
    boost::asio::io_context context{1};
    const Parts parts{server.store.downloads(), server.store.lanes(), server.metrics, server.clock,
                      context.get_executor()};
    Options options;
    options.listen = "127.0.0.1:0";
    auto settings = TestServer::settings();
    EXPECT_TRUE(ObjectServer::create(context.get_executor(), parts, options, settings).has_value());
    settings.tls = nullptr;
    EXPECT_FALSE(ObjectServer::create(context.get_executor(), parts, options, settings).has_value());
    settings = TestServer::settings();
    settings.clients = {"nonsense"};
    EXPECT_FALSE(ObjectServer::create(context.get_executor(), parts, options, settings).has_value());
    settings = TestServer::settings();
    options.max_bodies = 0;
    EXPECT_FALSE(ObjectServer::create(context.get_executor(), parts, options, settings).has_value());
    options.max_bodies = 1;
    options.listen = server.server().address();
    EXPECT_FALSE(ObjectServer::create(context.get_executor(), parts, options, settings).has_value());
}

}  // namespace
}  // namespace lihandover::objectserver::test
