// Binary objects from the source's side: uploads, and events that name or hold objects.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/objects_handler.hpp"
#include "intake_server.hpp"
#include "lihandover/base/descriptor.hpp"
#include "lihandover/model/item.hpp"
#include "support.hpp"

namespace lihandover::intake {
namespace {

namespace fs = std::filesystem;

using testing::Answer;
using testing::bytes_of;
using testing::Client;
using ::testing::ElementsAre;
using testing::event;
using ::testing::HasSubstr;
using testing::Intake;
using testing::TestStore;
using testing::warrant;

const std::string abc_sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const std::string empty_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

warrants::Warrant with_binary(const std::string& liid, const std::string& user) {
    auto made = warrant(liid, user);
    made.deliver.binary = true;
    return made;
}

std::shared_ptr<Snapshot> usual_snapshot() {
    auto made =
        testing::snapshot({with_binary("LIID-1", "u-1"), with_binary("LIID-2", "u-1"), warrant("LIID-3", "u-3")});
    made->limits.max_object_size = 1'000'000;
    return made;
}

/// `members` of each attachment besides its id.
std::string attachments(const std::vector<std::string>& members) {
    std::string out;
    for (std::size_t i = 0; i < members.size(); ++i) {
        out += (i == 0 ? R"({"id":"a)" : R"(,{"id":"a)") + std::to_string(i) + "\"," + members[i] + '}';
    }
    return R"(,"attachments":[)" + out + ']';
}

std::string named(const std::string& id) {
    return R"("object":")" + id + '"';
}

std::string chunked_put(std::string_view path) {
    return "PUT " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
}

class ObjectsTest : public ::testing::Test {
  protected:
    // A test that failed half-way must not leave the server waiting for its store.
    void TearDown() override { store_.release(); }

    /// Of an event of this user: `accepted`, or the field that is refused.
    std::string post(const std::string& user, const std::vector<std::string>& members) {
        return verdict(client_.json(event("e", user, attachments(members))));
    }
    static std::string verdict(const Answer& answer) {
        if (answer.status == 202) {
            return "accepted";
        }
        const std::string mark = R"("field":")";
        const auto at = answer.body.find(mark);
        return at == std::string::npos
                   ? std::to_string(answer.status)
                   : answer.body.substr(at + mark.size(), answer.body.find('"', at + mark.size()) - at - mark.size());
    }
    /// The objects of the items, in their order; those of the last event.
    std::vector<store::NewObject> last_objects() {
        const auto groups = store_.groups();
        std::vector<store::NewObject> all;
        for (const store::NewItem& item : groups.back()) {
            if (item.objects) {
                all.insert(all.end(), item.objects->begin(), item.objects->end());
            }
        }
        return all;
    }
    testing::TestObjects& objects() { return store_.objects(); }
    template <typename Condition>
    static void wait_until(const Condition& condition) {
        const auto until = std::chrono::steady_clock::now() + testing::guard;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > until) {
                throw std::runtime_error("waited in vain");
            }
            std::this_thread::yield();
        }
    }

    TestStore store_;
    Intake intake_{store_, usual_snapshot()};
    Client client_{intake_.socket()};
};

// --- uploads ---

TEST_F(ObjectsTest, AnUploadedObjectGoesWithTheEventThatNamesIt) {
    const Answer answer = client_.put("/v1/objects/o-1", "abc");
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(post("u-1", {named("o-1") + R"(,"content_type":"image/jpeg","filename":"x\u0000")"}), "accepted");
    const auto found = last_objects();
    ASSERT_EQ(found.size(), 2U) << "two warrants";
    EXPECT_EQ(bytes_of(found[0].sealed), "abc");
    EXPECT_EQ(found[0].sealed, found[1].sealed) << "stored once";
    EXPECT_NE(found[0].id, found[1].id);
    EXPECT_NE(found[0].url, found[1].url);
    EXPECT_EQ(found[0].original_filename, std::string("x\0", 2));
    EXPECT_EQ(found[0].csp_defined_identifier, "a0");
    EXPECT_THAT(intake_.metrics(), HasSubstr("lihandover_intake_objects_total{source=\"local\"} 1\n"));
    EXPECT_THAT(intake_.metrics(), HasSubstr("lihandover_intake_object_bytes_total{source=\"local\"} 3\n"));
}

TEST_F(ObjectsTest, TheFirstAcceptedEventUsesItUpMatchedOrNot) {
    for (const char* const user : {"u-1", "u-3", "u-9"}) {
        EXPECT_EQ(client_.put("/v1/objects/o-1", "abc").status, 201) << user;
        EXPECT_EQ(post(user, {named("o-1")}), "accepted") << user;
        EXPECT_EQ(post("u-1", {named("o-1")}), "attachments[0].object") << user;
        EXPECT_EQ(post("u-9", {named("o-1")}), "attachments[0].object") << user;
    }
}

TEST_F(ObjectsTest, ARefusedEventUsesNothingUp) {
    EXPECT_EQ(client_.put("/v1/objects/o-1", "abc").status, 201);
    EXPECT_EQ(client_.put("/v1/objects/o-2", "abc").status, 201);
    EXPECT_EQ(post("u-1", {named("o-1"), named("none")}), "attachments[1].object");
    EXPECT_EQ(post("u-1", {named("o-1"), R"("file":"none")"}), "attachments[1].file");
    EXPECT_EQ(post("u-1", {named("o-1"), named("o-2") + R"(,"sha256":")" + empty_sha256 + '"'}),
              "attachments[1].sha256");
    EXPECT_EQ(post("u-1", {named("o-1"), named("o-2"), named("o-1")}), "attachments[2].object");
    EXPECT_EQ(post("u-1", {named("o-1"), named("o-2") + R"(,"sha256":")" + abc_sha256 + '"'}), "accepted");
}

TEST_F(ObjectsTest, AFailedCommitUsesNothingUp) {
    EXPECT_EQ(client_.put("/v1/objects/o-1", "abc").status, 201);
    store_.mode(TestStore::Mode::fail);
    EXPECT_EQ(post("u-1", {named("o-1")}), "503");
    store_.mode(TestStore::Mode::commit);
    EXPECT_EQ(post("u-1", {named("o-1")}), "accepted");
}

TEST_F(ObjectsTest, NobodyElseNamesItWhileTheCommitIsUnderWay) {
    EXPECT_EQ(client_.put("/v1/objects/o-1", "abc").status, 201);
    store_.mode(TestStore::Mode::hold);
    client_.send_post("application/json", event("e-1", "u-1", attachments({named("o-1")})));
    store_.wait_for_groups(1);
    store_.mode(TestStore::Mode::commit);
    Client other(intake_.socket());
    EXPECT_EQ(verdict(other.json(event("e-2", "u-1", attachments({named("o-1")})))), "attachments[0].object");
    store_.release();
    EXPECT_EQ(client_.read().status, 202);
}

TEST_F(ObjectsTest, OfTwoEventsOfABatchTheFirstUsesItUp) {
    EXPECT_EQ(client_.put("/v1/objects/o-1", "abc").status, 201);
    const std::string naming = attachments({named("o-1")});
    const Answer answer = client_.ndjson(event("e-0", "u-1") + '\n' + event("e-1", "u-9", naming) + '\n' +
                                         event("e-2", "u-1", naming) + '\n' + event("e-3", "u-1"));
    EXPECT_EQ(answer.status, 422);
    EXPECT_THAT(answer.body, HasSubstr(R"({"accepted":3,"rejected":[{"line":3,"field":"attachments[0].object")"));
    EXPECT_EQ(store_.items().size(), 4U) << "two warrants, two events without objects";
    EXPECT_THAT(intake_.metrics(),
                HasSubstr("lihandover_events_rejected_total{reason=\"attachments\",source=\"local\"} 1\n"));
    EXPECT_THAT(intake_.metrics(), HasSubstr("lihandover_events_received_total{source=\"local\"} 4\n"));
}

TEST_F(ObjectsTest, ALaterUploadReplacesTheEarlierOneWhenItIsWhole) {
    EXPECT_EQ(client_.put("/v1/objects/o-1", "first").status, 201);
    {
        Client broken(intake_.socket());
        broken.send("PUT /v1/objects/o-1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nsecond");
    }
    const auto until = std::chrono::steady_clock::now() + testing::guard;
    while (objects().writers() < 2 || objects().open_writers() > 0) {
        ASSERT_LT(std::chrono::steady_clock::now(), until);
        std::this_thread::yield();
    }
    EXPECT_EQ(post("u-1", {named("o-1")}), "accepted");
    EXPECT_EQ(bytes_of(last_objects().at(0).sealed), "first");
    EXPECT_EQ(client_.put("/v1/objects/o-1", "third").status, 201);
    EXPECT_EQ(client_.put("/v1/objects/o-1", "fourth").status, 204);
    EXPECT_EQ(post("u-1", {named("o-1")}), "accepted");
    EXPECT_EQ(bytes_of(last_objects().at(0).sealed), "fourth");
}

TEST_F(ObjectsTest, UploadsOfEverySize) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{262'143}, std::size_t{262'144},
                                   std::size_t{262'145}, std::size_t{524'288}, std::size_t{1'000'000}}) {
        std::string body(size, 'x');
        for (std::size_t i = 0; i < size; i += 997) {
            body[i] = static_cast<char>(i);
        }
        EXPECT_EQ(client_.put("/v1/objects/o", body).status, 201) << size;
        EXPECT_EQ(post("u-1", {named("o")}), "accepted");
        EXPECT_TRUE(bytes_of(last_objects().at(0).sealed) == body) << size;
    }
}

TEST_F(ObjectsTest, ChunkedUploads) {
    client_.send(chunked_put("/v1/objects/o"));
    client_.send("3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n");
    EXPECT_EQ(client_.read().status, 201);
    EXPECT_EQ(post("u-1", {named("o")}), "accepted");
    EXPECT_EQ(bytes_of(last_objects().at(0).sealed), "abcdefgh");
    client_.send(chunked_put("/v1/objects/empty") + "0\r\n\r\n");
    EXPECT_EQ(client_.read().status, 201);
    EXPECT_EQ(post("u-1", {named("empty") + R"(,"sha256":")" + empty_sha256 + '"'}), "accepted");
    EXPECT_EQ(bytes_of(last_objects().at(0).sealed), "");
}

TEST_F(ObjectsTest, SendsTheContinueThatAClientWaitsFor) {
    client_.send("PUT /v1/objects/o HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client_.read().status, 100);
    client_.send("abc");
    EXPECT_EQ(client_.read().status, 201);
}

TEST_F(ObjectsTest, TooLargeUploads) {
    client_.send(
        "PUT /v1/objects/o HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000001\r\n"
        "Expect: 100-continue\r\n\r\n");
    EXPECT_EQ(client_.read().status, 413) << "before anything is sent";
    EXPECT_EQ(objects().writers(), 0U);
    Client other(intake_.socket());
    other.send(chunked_put("/v1/objects/o"));
    for (int i = 0; i < 11; ++i) {
        other.send("186a0\r\n" + std::string(100'000, 'x') + "\r\n");
    }
    other.send("0\r\n\r\n");
    EXPECT_EQ(other.read().status, 413);
    Client third(intake_.socket());
    EXPECT_EQ(verdict(third.json(event("e", "u-1", attachments({named("o")})))), "attachments[0].object");
}

// Waiting for room is of no use.
TEST_F(ObjectsTest, UploadsThatTheStoreCouldNeverHold) {
    objects().hold_at_most(80);  // of which ten are not for objects
    EXPECT_EQ(client_.put("/v1/objects/o", std::string(70, 'x')).status, 201);
    EXPECT_EQ(client_.put("/v1/objects/o", std::string(71, 'x')).status, 413);
    // An answer that came before its body ends the connection.
    Client other(intake_.socket());
    other.send(chunked_put("/v1/objects/o") + "47\r\n" + std::string(71, 'x') + "\r\n0\r\n\r\n");
    EXPECT_EQ(other.read().status, 413);
    Intake beside(store_, usual_snapshot(), {}, true);
    Client client(beside.socket());
    EXPECT_EQ(client.put("/v1/objects/o", std::string(35, 'x')).status, 201);
    EXPECT_EQ(client.put("/v1/objects/o", std::string(36, 'x')).status, 413) << "half of it is for other sources";
}

TEST_F(ObjectsTest, UploadsLeaveRoomForThoseOfOtherSources) {
    Intake beside(store_, usual_snapshot(), {}, true);
    Client client(beside.socket());
    objects().leave_room(100);
    EXPECT_EQ(client.put("/v1/objects/o-1", std::string(40, 'x')).status, 201);
    objects().leave_room(60);
    EXPECT_EQ(client.put("/v1/objects/o-2", std::string(10, 'x')).status, 201) << "it has fifty, and fifty are left";
    objects().leave_room(50);
    EXPECT_EQ(client.put("/v1/objects/o-3", "x").status, 503);
    Client other(beside.socket());
    other.send(chunked_put("/v1/objects/o-3") + "1\r\nx\r\n0\r\n\r\n");
    EXPECT_EQ(other.read().status, 503);
    EXPECT_EQ(client_.put("/v1/objects/o", std::string(50, 'x')).status, 201) << "a source by itself has all of it";
    Client third(beside.socket());
    EXPECT_EQ(verdict(third.json(event("e", "u-9", attachments({named("o-1")})))), "accepted");
    EXPECT_EQ(third.put("/v1/objects/o-3", "x").status, 201) << "what was named is no upload any more";
}

TEST_F(ObjectsTest, RefusesWhatIsNoUpload) {
    const auto status = [this](const std::string& head) {
        Client client(intake_.socket());
        client.send(head + "Host: localhost\r\nContent-Length: 0\r\n\r\n");
        return client.read();
    };
    for (const char* const method : {"GET", "POST", "DELETE", "PATCH"}) {
        const Answer answer = status(std::string(method) + " /v1/objects/o HTTP/1.1\r\n");
        EXPECT_EQ(answer.status, 405) << method;
        EXPECT_EQ(answer.field("Allow"), "PUT");
    }
    EXPECT_EQ(status("PUT /v1/objects/o HTTP/1.1\r\nContent-Encoding: gzip\r\n").status, 415);
    EXPECT_EQ(status("PUT /v1/objects/o HTTP/1.1\r\nContent-Encoding: identity\r\n").status, 201);
    EXPECT_EQ(status("PUT /v1/objects/o HTTP/1.1\r\nContent-Range: bytes 0-1/2\r\n").status, 400);
    EXPECT_EQ(status("PUT /v1/objects HTTP/1.1\r\n").status, 404);
    for (const std::string& id :
         {std::string(), std::string("a/b"), std::string("%"), std::string("%4"), std::string("%zz"),
          std::string("%00"), std::string("%20"), std::string("%7f"), std::string("%c3%a9"), std::string(257, 'x')}) {
        EXPECT_EQ(status("PUT /v1/objects/" + id + " HTTP/1.1\r\n").status, 400) << id;
    }
}

TEST_F(ObjectsTest, IdsMayNeedEncoding) {
    EXPECT_EQ(object_id_of("/v1/objects/a%2Fb%25~"), "a/b%~");
    EXPECT_EQ(object_id_of("/v1/objects/" + std::string(256, 'x')), std::string(256, 'x'));
    EXPECT_EQ(client_.put("/v1/objects/media%2f2026%22?ignored=1", "abc").status, 201);
    EXPECT_EQ(post("u-1", {named(R"(media/2026\")")}), "accepted");
}

TEST_F(ObjectsTest, RefusesUploadsThatCannotBeStored) {
    const auto refused = [this] {
        Client client(intake_.socket());
        const Answer answer = client.put("/v1/objects/o", "abc");
        EXPECT_EQ(answer.field("Retry-After"), "5");
        return answer.status;
    };
    store_.accept(false);
    EXPECT_EQ(refused(), 503);
    EXPECT_EQ(objects().writers(), 0U);
    store_.accept(true);
    objects().refuse(true);
    EXPECT_EQ(refused(), 503);
    objects().refuse(false);
    objects().before_write([this](std::size_t /*bytes*/) { objects().refuse(true); });
    EXPECT_EQ(refused(), 503);
    objects().before_write(nullptr);
    objects().refuse(false);
    objects().fail_to_finish(true);
    EXPECT_EQ(refused(), 503);
    objects().fail_to_finish(false);
    EXPECT_EQ(client_.put("/v1/objects/o", "abc").status, 201) << "and none of them had put it there";
}

TEST_F(ObjectsTest, UploadsThatNobodyNamesGo) {
    EXPECT_EQ(client_.put("/v1/objects/o", "abc").status, 201);
    intake_.clock().advance_steady(std::chrono::hours(1));
    EXPECT_EQ(post("u-1", {named("o")}), "attachments[0].object");
    EXPECT_EQ(client_.put("/v1/objects/o", "abc").status, 201);
}

TEST(ObjectsTimeoutTest, GivesUpOnStalledUploads) {
    TestStore store;
    http::Timeouts timeouts;
    timeouts.body_stall = std::chrono::milliseconds(50);
    Intake intake(store, usual_snapshot(), timeouts);
    Client client(intake.socket());
    client.send("PUT /v1/objects/o HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc");
    EXPECT_EQ(client.read().status, 408);
}

// --- in the event ---

TEST_F(ObjectsTest, InlineBytesAreSealedForThoseWhoOrderThem) {
    EXPECT_EQ(post("u-1", {R"("data":"YWJj")", R"("data":"")", R"("data":"\/\/8=")"}), "accepted");
    const auto found = last_objects();
    ASSERT_EQ(found.size(), 6U);
    EXPECT_EQ(bytes_of(found[0].sealed), "abc");
    EXPECT_EQ(bytes_of(found[1].sealed), "");
    EXPECT_EQ(bytes_of(found[2].sealed), "\xFF\xFF");
    EXPECT_EQ(found[0].sealed, found[3].sealed) << "stored once for both warrants";
    EXPECT_EQ(objects().writers(), 3U);
}

TEST_F(ObjectsTest, InlineBytesThatNobodyOrdersStayInMemory) {
    for (const char* const user : {"u-9", "u-3"}) {
        EXPECT_EQ(post(user, {R"("data":"YWJj")", R"("data":"")", R"("data":"YWI=")"}), "accepted");
    }
    EXPECT_EQ(objects().writers(), 6U) << "the disk has as much to do";
    EXPECT_EQ(objects().written(), std::string(10, '\0')) << "with other bytes";
    const auto items = store_.items();
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0].objects, nullptr);
    model::Share share;
    ASSERT_TRUE(model::decode_share(items[0].share, share));
    EXPECT_EQ(share.attachment_count, 3U);
    wait_until([this] { return objects().alive() == 0; });
}

TEST_F(ObjectsTest, AnObjectLargerThanTheStoreIsRefusedWhoeverItConcerns) {
    objects().hold_at_most(2);
    std::ofstream(intake_.root() / "file") << "abc";
    for (const char* const user : {"u-1", "u-3", "u-9"}) {
        for (const char* const member : {R"("data":"YWJj")", R"("file":"file")"}) {
            const std::string one = event("e", user, attachments({R"("data":"YWI=")", member}));
            const Answer answer = client_.json(one);
            EXPECT_EQ(answer.status, 413) << user;
            EXPECT_THAT(answer.body, HasSubstr(R"("field":"attachments[1]","reason":"is larger than store.max_bytes)"));
            EXPECT_EQ(client_.ndjson(one + '\n' + event("e-2", user)).status, 422) << user;
        }
    }
    EXPECT_EQ(objects().writers(), 0U);
}

TEST_F(ObjectsTest, AnEventThatNeverFitsUsesNothingUp) {
    EXPECT_EQ(client_.put("/v1/objects/o-1", "abc").status, 201);
    objects().hold_at_most(2);
    EXPECT_EQ(client_.json(event("e", "u-1", attachments({named("o-1"), R"("data":"YWJj")"}))).status, 413);
    EXPECT_EQ(post("u-1", {named("o-1")}), "accepted");
}

TEST_F(ObjectsTest, ChecksumsAreCheckedForEveryEventAlike) {
    for (const char* const user : {"u-1", "u-3", "u-9"}) {
        EXPECT_EQ(post(user, {R"("data":"YWJj","sha256":")" + abc_sha256 + '"'}), "accepted") << user;
        EXPECT_EQ(post(user, {R"("data":"","sha256":")" + abc_sha256 + '"'}), "attachments[0].sha256") << user;
    }
}

TEST_F(ObjectsTest, AStoreThatTakesNoBytesTakesNoEvent) {
    for (const char* const user : {"u-1", "u-9"}) {
        EXPECT_EQ(client_.put("/v1/objects/o", "abc").status, 201);
        objects().fail_to_finish(true);
        EXPECT_EQ(post(user, {R"("data":"YWJj")", named("o")}), "503") << user;
        objects().fail_to_finish(false);
        EXPECT_EQ(post(user, {R"("data":"YWJj")", named("o")}), "accepted") << user;
    }
    EXPECT_EQ(objects().open_writers(), 0);
}

// Each is a file to be written and synced: a request that cannot be done in time must not be sent for ever.
TEST_F(ObjectsTest, ARequestCarriesABoundedNumberOfObjects) {
    const auto events = [](int count) {
        std::string body;
        for (int n = 0; n < count; ++n) {
            body += event("e-" + std::to_string(n), "u-9", R"(,"attachments":[{"id":"a","data":"QQ=="}])") + '\n';
        }
        return body;
    };
    EXPECT_EQ(client_.ndjson(events(1000)).status, 202);
    const Answer answer = client_.ndjson(events(1001));
    EXPECT_EQ(answer.status, 413);
    EXPECT_THAT(answer.body, HasSubstr("send fewer events at once"));
    EXPECT_EQ(client_.ndjson(events(1)).status, 202) << "on the same connection";
}

// The disk has less to wait for than with one after the other.
TEST_F(ObjectsTest, InlineObjectsOfAnEventAreWrittenTogetherAndThenFinished) {
    for (const char* const user : {"u-1", "u-9"}) {
        std::atomic<int> most{0};
        objects().before_write([&](std::size_t /*bytes*/) { most = std::max<int>(most, objects().open_writers()); });
        EXPECT_EQ(post(user, std::vector<std::string>(40, R"("data":"YWJj")")), "accepted");
        objects().before_write(nullptr);
        EXPECT_EQ(most, 32) << user;
        EXPECT_EQ(objects().open_writers(), 0);
        if (user == std::string_view("u-1")) {
            const auto kept = last_objects();
            ASSERT_EQ(kept.size(), 80U) << "of two warrants";
            for (const auto& object : kept) {
                EXPECT_EQ(testing::bytes_of(object.sealed), "abc");
            }
        }
    }
}

TEST_F(ObjectsTest, InlineBytesAreBoundedToo) {
    auto small = usual_snapshot();
    small->limits.max_object_size = 2;
    intake_.publish(small);
    EXPECT_EQ(post("u-9", {R"("data":"YWI=")"}), "accepted");
    EXPECT_EQ(post("u-9", {R"("data":"YWJj")"}), "attachments[0].data");
}

// --- files ---

TEST_F(ObjectsTest, NamedFilesAreCopiedAfterTheCommit) {
    std::ofstream(intake_.root() / "file") << "abc";
    store_.mode(TestStore::Mode::hold);
    client_.send_post("application/json",
                      event("e-1", "u-1", attachments({R"("file":"file","sha256":")" + abc_sha256 + '"'})));
    store_.wait_for_groups(1);
    EXPECT_EQ(objects().writers(), 0U) << "not before";
    store_.release();
    EXPECT_EQ(client_.read().status, 202);
    const auto found = last_objects();
    ASSERT_EQ(found.size(), 2U);
    ASSERT_TRUE(found[0].file);
    EXPECT_EQ(found[0].file, found[1].file) << "copied once for both warrants";
    EXPECT_EQ(found[0].sealed, nullptr);
    EXPECT_EQ(found[0].file->path, "file");
    EXPECT_EQ(found[0].file->size, 3U);
    EXPECT_TRUE(found[0].file->sha256);
    EXPECT_EQ(found[0].file->give_up_at, (model::Instant{testing::noon.seconds + 600, testing::noon.nanos}));
    const auto prepared = objects().wait_for_prepared(1);
    EXPECT_EQ(prepared[0].file, found[0].file->id);
    EXPECT_EQ(bytes_of(prepared[0].copy), "abc");
}

TEST_F(ObjectsTest, OnlyNamedFilesThatSomebodyOrdersAreKept) {
    std::ofstream(intake_.root() / "file") << "abc";
    EXPECT_EQ(post("u-9", {R"("file":"file")"}), "accepted");
    EXPECT_EQ(post("u-3", {R"("file":"file")"}), "accepted");
    EXPECT_EQ(post("u-1", {R"("file":"file")"}), "accepted");
    EXPECT_EQ(objects().wait_for_prepared(1).size(), 1U);
    EXPECT_EQ(objects().writers(), 1U);
}

// What the system tells the owner of a file.
TEST_F(ObjectsTest, NamedFilesAreOpenedAndReadOnceWhoeverTheyConcern) {
    for (const char* const user : {"u-1", "u-3", "u-9"}) {
        const std::string name = std::string("file-") + user;
        std::ofstream(intake_.root() / name) << "abc";
        const base::Descriptor watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        ASSERT_GE(::inotify_add_watch(watch.get(), (intake_.root() / name).c_str(), IN_OPEN | IN_ACCESS | IN_CLOSE), 0);
        EXPECT_EQ(post(user, {R"("file":")" + name + '"'}), "accepted");
        std::string seen;
        wait_until([&] {
            inotify_event told{};
            while (::read(watch.get(), &told, sizeof told) == static_cast<ssize_t>(sizeof told)) {
                seen += (told.mask & IN_OPEN) != 0 ? 'o' : (told.mask & IN_ACCESS) != 0 ? 'a' : 'c';
            }
            return seen.ends_with('c');
        });
        EXPECT_EQ(seen, "oac") << user;
    }
}

TEST_F(ObjectsTest, AFileSystemThatHangsKeepsOnlyEventsThatNameFilesWaiting) {
    std::ofstream(intake_.root() / "file") << "abc";
    std::promise<void> back;
    const auto until = back.get_future().share();
    for (int i = 0; i < 4; ++i) {
        testing::asio::post(intake_.copier().examiners(), [until] { until.wait(); });
    }
    const std::string one = event("e-1", "u-1", attachments({R"("file":"file")"}));
    client_.send_post("application/json", one);
    Client other(intake_.socket());
    EXPECT_EQ(other.json(event("e-2", "u-9", attachments({R"("data":"YWJj")"}))).status, 202);
    EXPECT_EQ(other.put("/v1/objects/o", "abc").status, 201);
    EXPECT_EQ(store_.groups().size(), 1U) << "the first is not examined yet";
    back.set_value();
    EXPECT_EQ(client_.read().status, 202);
    EXPECT_EQ(store_.groups().size(), 2U);
}

TEST_F(ObjectsTest, FilesThatCannotBeNamed) {
    std::ofstream(intake_.root() / "large") << std::string(1'000'001, 'x');
    std::ofstream(intake_.root().parent_path() / "secret") << "secret";
    fs::create_symlink("../secret", intake_.root() / "link");
    ASSERT_EQ(::mkfifo((intake_.root() / "pipe").c_str(), 0600), 0);
    std::vector<std::string> bodies;
    for (const char* const user : {"u-1", "u-9"}) {
        for (const char* const path : {"none", "../secret", "link", "pipe", ".", "/etc/passwd", "secret\\u0000"}) {
            const Answer answer =
                client_.json(event("e", user, attachments({R"("file":")" + std::string(path) + '"'})));
            EXPECT_EQ(verdict(answer), "attachments[0].file") << path;
            bodies.push_back(answer.body);
        }
        EXPECT_EQ(post(user, {R"("file":"large")"}), "attachments[0].file");
    }
    EXPECT_THAT(bodies, ::testing::Each(bodies.front())) << "which says nothing of what there is";
}

TEST(ObjectsWithoutRootTest, FilesCannotBeNamed) {
    TestStore store;
    lihandover::test::ManualClock clock{testing::noon};
    metrics::Metrics metrics;
    CurrentSnapshot snapshot(usual_snapshot());
    boost::asio::io_context io;
    BodyBudget budget(io.get_executor(), 1 << 20);
    EventsHandler handler("local", metrics.source("local"),
                          {store.item_intake(), store.object_intake(), snapshot, budget, clock, io.get_executor()});
    http::ServerOptions options;
    testing::TemporaryDirectory directory;
    options.listen = "unix:" + (directory.path() / "s").string();
    auto server = http::Server::listen(io.get_executor(), options, handler).value();
    server->start();
    std::thread thread([&io] { io.run(); });
    Client client((directory.path() / "s").string());
    EXPECT_THAT(client.json(event("e", "u-1", attachments({R"("file":"x")"}))).body,
                HasSubstr("intake.attachment_root is not set"));
    boost::asio::co_spawn(io, server->stop(std::chrono::milliseconds(0)), boost::asio::use_future).get();
    thread.join();
}

// --- slow uploads and disks ---

TEST_F(ObjectsTest, SlowUploadsKeepNoEventsWaiting) {
    // As many as would have taken all the memory for bodies.
    std::vector<std::unique_ptr<Client>> slow;
    for (int i = 0; i < 300; ++i) {
        slow.push_back(std::make_unique<Client>(intake_.socket()));
        slow.back()->send("PUT /v1/objects/slow-" + std::to_string(i) +
                          " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\nx");
    }
    wait_until([this] { return objects().writers() == 300; });
    std::string batch;
    for (int i = 0; i < 3000; ++i) {
        batch += event("e-" + std::to_string(i), "u-9") + '\n';
    }
    ASSERT_GT(batch.size(), BodyBudget::small_body);
    EXPECT_EQ(client_.ndjson(batch).status, 202);
    EXPECT_EQ(client_.put("/v1/objects/o", std::string(300'000, 'x')).status, 201) << "nor other uploads";
}

TEST_F(ObjectsTest, AnswersInTimeWhereTheDiskHangs) {
    auto hasty = usual_snapshot();
    hasty->limits.answer_timeout = std::chrono::milliseconds(50);
    intake_.publish(hasty);
    objects().hang(true);
    const Answer upload = client_.put("/v1/objects/o", "abc");
    const Answer matched = client_.json(event("e-1", "u-1", attachments({R"("data":"YWJj")"})));
    objects().hang(false);
    EXPECT_EQ(upload.status, 503);
    EXPECT_EQ(upload.field("Retry-After"), "5");
    EXPECT_EQ(matched.status, 503);
    intake_.publish(usual_snapshot());
    EXPECT_EQ(post("u-1", {named("o")}), "attachments[0].object") << "an upload that was answered 503 is not there";
    EXPECT_EQ(post("u-1", {R"("data":"YWJj")"}), "accepted");
}

// --- answers ---

// promise 7, as far as it can be seen from outside.
TEST_F(ObjectsTest, AnswersDoNotTellWhetherAnEventWasUnderAWarrant) {
    const auto answers = [this](const std::string& user) {
        std::ofstream(intake_.root() / "file") << "abc";
        std::vector<std::string> out;
        const auto take = [&out](const Answer& answer) { out.push_back(answer.head + answer.body); };
        take(client_.put("/v1/objects/o", "abc"));
        take(client_.json(event("e", user, attachments({named("o"), R"("data":"YWJj")", R"("file":"file")"}))));
        take(client_.json(event("e", user, attachments({named("o")}))));
        take(client_.json(event("e", user, attachments({R"("data":"YQ==","sha256":")" + abc_sha256 + '"'}))));
        take(client_.json(event("e", user, attachments({R"("file":"none")"}))));
        return out;
    };
    const auto matched = answers("u-1");
    EXPECT_EQ(matched, answers("u-9"));
    EXPECT_EQ(matched, answers("u-3"));
}

}  // namespace
}  // namespace lihandover::intake
