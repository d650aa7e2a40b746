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

// -- What is denied

/// All the ways to be denied; each gives a target to ask for.
struct Denial {
    const char* what;
    std::function<std::string(TestServer&)> target;
    std::string method = "GET";
    std::string certificate = "client";
};

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
    server.clock.advance_wall(3590s);
    EXPECT_EQ(client.ask("HEAD", target).status(), 200U);
    // One that runs by then may end.
    server.store.hold_reading_from(1'000'000);
    client.send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(server.wait_for([&] { return server.store.holds(); }));
    server.clock.advance_wall(20s);
    server.store.let_read();
    const auto running = client.receive();
    ASSERT_TRUE(running.has_value());
    EXPECT_TRUE(running->body == bytes(0, 2'000'000));
    EXPECT_EQ(client.get(target).status(), 404U);
    // Stamped again by a later attempt
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
    server.clock.advance_wall(3700s);
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

}  // namespace
}  // namespace lihandover::objectserver::test
