#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "lihandover/objectserver/objectserver.hpp"
#include "support.hpp"

namespace lihandover::objectserver::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

const std::string tag = '"' + std::string(32, 'x') + '"';  // NOLINT(cert-err58-cpp)

std::string checksum_tag() {
    std::string text = "\"";
    for (int count = 0; count < 32; ++count) {
        text += "ab";
    }
    return text + '"';
}

std::string downloads(const std::string& destination, const std::string& outcome) {
    return "lihandover_downloads_total{destination=\"" + destination + "\",outcome=\"" + outcome + "\"}";
}

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

    // Two at once, for the days of a renewal; for connections that there are already, too.
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

    const auto fetches = server.wait_fetches(3);
    ASSERT_EQ(fetches.size(), 3U);
    EXPECT_EQ(fetches[0].begin, 500'000U);
    EXPECT_EQ(fetches[1].end, 1U);
    EXPECT_EQ(fetches[2].begin, 999'998U);
    for (const auto& fetch : fetches) {
        EXPECT_TRUE(fetch.complete());
        EXPECT_FALSE(fetch.whole());
    }
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

// -- What is denied

/// All the ways to be denied; each gives a target to ask for.
struct Denial {
    const char* what;
    std::function<std::string(TestServer&)> target;
    std::string method = "GET";
    std::string certificate = "client";
};

std::string put(TestServer& server, const std::function<void(store::StoredObject&)>& change) {
    return server.store.target_of(server.store.put("lea-one", 1000, change));
}

std::vector<Denial> denials() {
    const auto offered = [](TestServer& server) { return put(server, {}); };
    const auto changed = [](auto change) { return [change](TestServer& server) { return put(server, change); }; };
    const auto fixed = [](const std::string& target) { return [target](TestServer& /*server*/) { return target; }; };
    std::vector<Denial> list{
        {"Unknown", [](TestServer&) { return "/objects/" + model::Uuid::random().to_string(); }},
        {"OfAnother", offered, "GET", "second"},
        {"OfAnotherUnknown", fixed("/objects/01234567-89ab-4def-8123-456789abcdef"), "GET", "second"},
        {"NobodysDestination",
         [](TestServer& server) { return server.store.target_of(server.store.put("lea-three", 1000)); }},
        {"NoLane", changed([](store::StoredObject& object) { object.lane = 4711; })},
        {"Expired", changed([](store::StoredObject& object) {
             object.described.expiry = model::Instant{1, 0};
         })},
        {"NotAttemptedYet", changed([](store::StoredObject& object) {
             object.state = store::ObjectState::attached;
             object.described.expiry.reset();
         })},
        {"Lost", changed([](store::StoredObject& object) { object.sealed.reset(); })},
        {"ModelB", changed([](store::StoredObject& object) { object.model = model::BinaryModel::b; })},
        {"Queued", changed([](store::StoredObject& object) { object.state = store::ObjectState::queued; })},
        {"Refused", changed([](store::StoredObject& object) { object.state = store::ObjectState::refused; })},
        {"OtherUrl", changed([](store::StoredObject& object) {
             object.described.url = "https://csp.example.com/elsewhere/" + object.described.id.to_string();
         })},
        {"SlashBehind", [](TestServer& server) { return put(server, {}) + '/'; }},
        {"QueryBehind", [](TestServer& server) { return put(server, {}) + "?x"; }},
        {"QueryThatEndsAlike", [](TestServer& server) { return put(server, {}) + "?x=" + put(server, {}); }},
        {"UpperCase",
         [](TestServer& server) {
             std::string target = put(server, [](store::StoredObject& object) {
                 object.described.id.bytes[0] = 0xAB;
                 object.described.url = "https://csp.example.com/objects/" + object.described.id.to_string();
             });
             target.replace(9, 2, "AB");
             return target;
         }},
        {"PercentEncoded",
         [](TestServer& server) {
             std::string target = put(server, {});
             return target.replace(17, 1, "%2d");
         }},
        {"Root", fixed("/")},
        {"Folder", fixed("/objects/")},
        {"Malformed", fixed("/objects/01234567-89ab-4def-8123-456789abcde")},
        {"Traversal", fixed("/objects/../../etc/passwd")},
        {"EncodedTraversal", fixed("/objects/%2e%2e%2f%2e%2e%2fetc%2fpasswd")},
        {"Asterisk", fixed("*"), "OPTIONS"},
        {"AbsoluteWithoutPath", fixed("https://csp.example.com")},
        {"Long", fixed('/' + std::string(1900, 'x'))},
    };
    for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "Head", "FETCH"}) {
        list.push_back({"Method", offered, method});
    }
    list.push_back({"Head", fixed("/objects/01234567-89ab-4def-8123-456789abcdef"), "HEAD"});
    return list;
}

TEST(ObjectServer, EveryDenialIsTheSame) {
    TestServer server;
    std::map<std::string, std::unique_ptr<TlsClient>> clients;
    clients["client"] = std::make_unique<TlsClient>(server.port());
    clients["second"] = std::make_unique<TlsClient>(server.port(), "second");
    std::set<std::string> answers;
    double denied = 0;
    for (const Denial& denial : denials()) {
        for (const std::string fields :
             {"", "Range: bytes=0-0\r\n", "Range: bytes=5000-\r\n", "Range: bytes=a\r\n", "If-None-Match: *\r\n",
              "If-Match: \"x\"\r\n", "Accept: text/html\r\nAccept-Encoding: gzip\r\n"}) {
            const std::string target = denial.target(server);
            const std::size_t lookups = server.store.lookups().size();
            const Answer answer = clients[denial.certificate]->ask(denial.method, target, fields);
            EXPECT_EQ(answer.status(), 404U) << denial.what << ' ' << denial.method << ' ' << fields;
            EXPECT_EQ(answer.body, "");
            answers.insert(answer.without_date());
            EXPECT_EQ(server.store.lookups().size(), lookups + 1) << denial.what << ": one look, always";
            ++denied;
        }
    }
    EXPECT_EQ(answers.size(), 1U) << testing::PrintToString(answers);
    EXPECT_EQ(server.store.opened(), 0U);
    EXPECT_TRUE(server.store.fetches().empty());
    EXPECT_EQ(server.metric("lihandover_downloads_denied_total"), denied);
    EXPECT_THAT(server.metrics.render(), Not(HasSubstr("lihandover_downloads_total{")));
}

TEST(ObjectServer, DenialsTreatTheConnectionAlike) {
    TestServer server;
    const std::string known = put(server, {});
    const std::string unknown = "/objects/" + model::Uuid::random().to_string();
    // Of another and unknown, for each shape that a request can have.
    for (const std::string request :
         {"GET {} HTTP/1.1\r\nHost: x\r\n\r\n", "GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
          "GET {} HTTP/1.0\r\n\r\n", "GET {} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
          "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
          "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\nhello",
          "POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
          "HEAD {} HTTP/1.1\r\nHost: x\r\n\r\n"}) {
        std::set<std::string> endings;
        for (const std::string& target : {known, unknown, std::string{"/"}}) {
            TlsClient client{server.port(), "second"};
            std::string text = request;
            client.send(text.replace(text.find("{}"), 2, target));
            const auto answer = client.receive();
            ASSERT_TRUE(answer.has_value()) << request;
            EXPECT_EQ(answer->status(), 404U);
            const bool says_close = answer->field("Connection") == "close";
            endings.insert(answer->without_date() + (says_close ? (client.closes() ? "closed" : "open")
                                                                : std::to_string(client.get(unknown).status())));
        }
        EXPECT_EQ(endings.size(), 1U) << testing::PrintToString(endings);
    }
}

TEST(ObjectServer, DenialsLeaveAtTheirTime) {
    TestServer server;
    TlsClient client{server.port(), "second"};
    const std::string known = put(server, {});
    for (const std::string& target : {known, std::string{"/objects/x"}}) {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(client.get(target).status(), 404U);
        EXPECT_GE(std::chrono::steady_clock::now() - begin, 19ms);
    }
}

TEST(ObjectServer, ConnectionsLiveOnAfterADenial) {
    TestServer server;
    TlsClient client{server.port()};
    const std::string target = put(server, {});
    EXPECT_EQ(client.get("/nothing").status(), 404U);
    EXPECT_EQ(client.get(target).status(), 200U);
    EXPECT_EQ(client.get("/nothing").status(), 404U);
    // Pipelined
    client.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.receive()->status(), 404U);
    EXPECT_EQ(client.receive()->body, bytes(0, 1000));
    server.run([&] { EXPECT_EQ(server.server().stats().accepted_total, 1U); });
}

TEST(ObjectServer, StopsAnsweringAtTheExpiry) {
    TestServer server;
    TlsClient client{server.port()};
    const auto id = server.store.put("lea-one", 2'000'000);
    const std::string target = server.store.target_of(id);
    EXPECT_EQ(client.ask("HEAD", target).status(), 200U);
    server.clock.move(3590s);
    EXPECT_EQ(client.ask("HEAD", target).status(), 200U);
    // One that runs by then may end.
    server.store.hold_reading_from(1'000'000);
    client.send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(server.wait_for([&] { return server.store.holds(); }));
    server.clock.move(20s);
    server.store.let_read();
    const auto running = client.receive();
    ASSERT_TRUE(running.has_value());
    EXPECT_TRUE(running->body == bytes(0, 2'000'000));
    EXPECT_EQ(client.get(target).status(), 404U);
    // Stamped anew by a later attempt
    server.store.change(id, [](store::StoredObject& object) { object.described.expiry->seconds += 3600; });
    EXPECT_EQ(client.get(target).status(), 200U);
}

TEST(ObjectServer, ACertificateThatEndsWhileItsConnectionLivesIsDenied) {
    auto settings = TestServer::settings();
    settings.certificates["lea-one"].push_back(fingerprint("short"));
    TestServer server{settings};
    const std::string target =
        put(server, [](store::StoredObject& object) { object.described.expiry->seconds += 100'000; });
    TlsClient ended{server.port(), "short"};
    TlsClient valid{server.port()};
    EXPECT_EQ(ended.get(target).status(), 200U);
    server.clock.move(3700s);
    EXPECT_EQ(ended.get(target).status(), 404U);
    EXPECT_EQ(valid.get(target).status(), 200U);
}

TEST(ObjectServer, WhoCannotProveWhoTheyAreDoNotGetSoFar) {
    TestServer server;
    const std::string target = put(server, {});
    for (const std::string certificate : {"expired-client", "other-client"}) {
        TlsClient client{server.port(), certificate};
        client.send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_FALSE(client.receive().has_value()) << certificate;
    }
    EXPECT_TRUE(server.wait_for([&] {
        http::ServerStats stats;
        server.run([&] { stats = server.server().stats(); });
        return stats.handshake_failed_total == 2;
    }));
    EXPECT_TRUE(server.store.lookups().empty());
}

TEST(ObjectServer, ListenersMayNameTheirClients) {
    auto settings = TestServer::settings();
    settings.clients = {fingerprint("second")};
    TestServer server{settings};
    const std::string target = put(server, {});
    TlsClient client{server.port()};
    const Answer unnamed = client.get(target);
    EXPECT_EQ(unnamed.status(), 404U);
    const Answer unknown = client.get("/nothing");
    EXPECT_EQ(unnamed.without_date(), unknown.without_date());
}

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
    // Who has no right to the object learns nothing of it.
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

TEST(ObjectServer, OfSeveralRangesThoseBegunAreOnRecord) {
    TestServer server;
    const auto id = server.store.put("lea-one", 1'000'000);
    server.store.fail_reading_from(500'000);
    TlsClient client{server.port()};
    client.send("GET " + server.store.target_of(id) +
                " HTTP/1.1\r\nHost: x\r\nRange: bytes=0-99,200000-600000,0-0\r\n\r\n");
    ASSERT_TRUE(client.read_head().has_value());
    static_cast<void>(client.read(1'000'000));
    const auto fetches = server.wait_fetches(2);
    ASSERT_EQ(fetches.size(), 2U);
    EXPECT_EQ(fetches[0].end, 100U);
    EXPECT_TRUE(fetches[0].complete());
    EXPECT_EQ(fetches[1].begin, 200'000U);
    EXPECT_FALSE(fetches[1].complete());
}

// -- The record of what begins

constexpr std::uint64_t mebibyte = 1'048'576;

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
    const auto fetches = server.wait_fetches(9);
    ASSERT_EQ(fetches.size(), 9U);
    for (std::size_t index = 5; index < 9; ++index) {
        EXPECT_EQ(fetches[index].begin, index % 2 == 1 ? 0U : 1'000'000U);
        EXPECT_EQ(fetches[index].end, index % 2 == 1 ? 600'000U : 1'600'000U);
        EXPECT_EQ(fetches[index].complete(), index >= 7);
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
    for (const auto& fetch : server.store.fetches()) {
        EXPECT_FALSE(fetch.complete());
    }
    EXPECT_EQ(server.store.fetches().size(), 2U);
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
    const std::string target =
        put(server, [](store::StoredObject& object) { object.sealed = std::make_shared<FakeSealed>(700'000); });
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

// -- Turns

Options one_at_a_time() {
    Options options;
    options.max_bodies = 1;
    return options;
}

Load load_of(TestServer& server) {
    Load load;
    server.run([&] { load = server.server().load(); });
    return load;
}

void ask_for(TlsClient& client, const std::string& target) {
    client.send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
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
    ASSERT_EQ(server.store.fetches().size(), 2U);
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
    ASSERT_EQ(server.store.fetches().size(), 1U);
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
    ASSERT_EQ(server.store.fetches().size(), 1U);
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
    const Parts parts{server.store, server.metrics, server.clock, context.get_executor()};
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
