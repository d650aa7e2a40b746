#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/completion_condition.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "relay.hpp"
#include "running.hpp"
#include "tls/certificates.hpp"

// Binary objects on their way to the LEA (TS 103 707 annex C, Model B).

namespace lihandover::delivery::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAreArray;

constexpr std::size_t mebi = std::size_t{1} << 20;

std::string bytes_of(std::size_t size) {
    std::string bytes(size + 8, '\0');
    std::uint64_t state = 1;
    for (std::size_t at = 0; at < size; at += 8) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        std::memcpy(bytes.data() + at, &state, 8);
    }
    bytes.resize(size);
    return bytes;
}

/// An LEA that takes objects, and says twice that it has the first one: the second time while the next one is on its
/// way over the same connection. One connection at a time.
class LateDouble {
  public:
    LateDouble() : thread_([this] { run(); }) {}
    LateDouble(const LateDouble&) = delete;
    LateDouble& operator=(const LateDouble&) = delete;
    ~LateDouble() {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
            if (connected_ >= 0) {
                ::shutdown(connected_, SHUT_RDWR);
            }
        }
        tcp::socket last(context_);  // ends the waiting for a connection
        boost::system::error_code error;
        last.connect(acceptor_.local_endpoint(), error);
        thread_.join();
    }
    [[nodiscard]] std::string objects_url() const {
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/objects/";
    }
    /// Sizes of the objects that came whole.
    [[nodiscard]] std::vector<std::size_t> whole() const {
        const std::lock_guard lock(mutex_);
        return whole_;
    }

  private:
    using tcp = boost::asio::ip::tcp;

    void run() {
        for (;;) {
            boost::system::error_code error;
            tcp::socket socket = acceptor_.accept(error);
            {
                const std::lock_guard lock(mutex_);
                if (over_ || error) {
                    return;
                }
                connected_ = socket.native_handle();
            }
            std::string buffer;
            for (int number = 0; serve(socket, buffer, number); ++number) {
            }
            const std::lock_guard lock(mutex_);
            connected_ = -1;
        }
    }
    /// False: that was the last request of the connection.
    bool serve(tcp::socket& socket, std::string& buffer, int number) {
        boost::system::error_code error;
        const auto head = boost::asio::read_until(socket, boost::asio::dynamic_buffer(buffer), "\r\n\r\n", error);
        if (error) {
            return false;
        }
        static constexpr std::string_view field = "Content-Length: ";
        const auto size = std::stoul(buffer.substr(buffer.find(field) + field.size()));
        buffer.erase(0, head);
        std::string begins(go_on);
        if (number == 1 && !std::exchange(doubled_, true)) {
            begins += taken;
        }
        boost::asio::write(socket, boost::asio::buffer(begins), error);
        if (buffer.size() < size) {
            boost::asio::read(socket, boost::asio::dynamic_buffer(buffer),
                              boost::asio::transfer_at_least(size - buffer.size()), error);
        }
        if (error) {
            return false;
        }
        buffer.erase(0, size);
        {
            const std::lock_guard lock(mutex_);
            whole_.push_back(size);
        }
        boost::asio::write(socket, boost::asio::buffer(taken), error);
        return !error;
    }

    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    static constexpr std::string_view taken = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";

    boost::asio::io_context context_;
    tcp::acceptor acceptor_{context_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)};
    mutable std::mutex mutex_;
    std::vector<std::size_t> whole_;
    bool doubled_ = false;  ///< the thread's
    bool over_ = false;
    int connected_ = -1;
    std::thread thread_;
};

class ObjectUploadsTest : public Running {
  protected:
    ObjectUploadsTest() {
        options_.binary.emplace();
        options_.upload_connections = 4;
        lane_ = store_.make_lane("lea-one", "LIID-1");
    }
    TestStore::Binary binary(std::string bytes = "a photograph") const {
        return {.url_prefix = lea_->objects_url(), .bytes = std::move(bytes)};
    }
    model::Uuid queue(std::string bytes = "a photograph") {
        return store_.queue_binary(lane_, binary(std::move(bytes)));
    }
    bool pushed(std::size_t count) {
        return eventually([&] { return store_.pushed().size() >= count; });
    }
    bool refused(std::size_t count) {
        return eventually([&] { return store_.refused_binaries().size() >= count; });
    }
    /// `reply` to the first `count` objects that come, and then as usual.
    void answer_first(std::size_t count, const UploadReply& reply) {
        lea_->set_upload_script(
            [=](const UploadArrival& arrival) { return arrival.number < count ? reply : UploadReply{}; });
    }
    void answer(const UploadReply& reply) {
        lea_->set_upload_script([=](const UploadArrival&) { return reply; });
    }
    /// `reply` to this one, the others are taken.
    void dislike(const model::Uuid& id, const UploadReply& reply) {
        lea_->set_upload_script(
            [=](const UploadArrival& arrival) { return arrival.id() == id ? reply : UploadReply{}; });
    }
    bool pushed_one(const model::Uuid& id) const {
        const auto all = store_.pushed();
        return std::ranges::find(all, id) != all.end();
    }
    /// Gives the LEA others to compare with until `condition` holds.
    bool compare(const std::function<bool()>& condition) {
        return eventually([&] {
            if (condition()) {
                return true;
            }
            if (store_.binaries_queued() < 8) {
                queue();
            }
            std::this_thread::sleep_for(milliseconds(2));
            return false;
        });
    }
    /// Lets everything be looked at again, as after advancing the clock.
    void look() { store_.say_health(true); }
    std::string uploads(const std::string& outcome) const {
        return metric(R"(lihandover_uploads_total{destination="lea-one",outcome=")" + outcome + "\"} ");
    }

    store::LaneId lane_ = 0;
    std::atomic<bool> pardoned_{false};
};

// -- The good days ----------------------------------------------------------------------------------------------------

TEST_F(ObjectUploadsTest, ObjectsFollowTheirItem) {
    start();
    const auto bytes = bytes_of(700'000);
    const auto made = store_.queue({{.lane = lane_, .binaries = {binary(bytes), binary("b"), binary("")}}});
    ASSERT_TRUE(pushed(3));
    EXPECT_THAT(store_.pushed(), UnorderedElementsAreArray(made[0].binaries));
    for (const auto& upload : lea_->uploads()) {
        EXPECT_GE(upload.deliveries, 1U);
        EXPECT_EQ(upload.content_type, "image/jpeg");
        EXPECT_EQ(upload.content_length, upload.bytes.size());
        EXPECT_EQ(upload.expects, !upload.bytes.empty());
    }
    EXPECT_EQ(lea_->uploads_of(made[0].binaries[0])[0].bytes, bytes);
    EXPECT_EQ(lea_->uploads_of(made[0].binaries[1])[0].bytes, "b");
    EXPECT_EQ(store_.binaries_queued(), 0U);
    EXPECT_EQ(uploads("delivered"), "3");
    EXPECT_EQ(metric("lihandover_upload_bytes_total{destination=\"lea-one\"} "), "700001");
    ASSERT_TRUE(eventually([&] { return status().uploads.running == 0; }));
    EXPECT_EQ(status().uploads.waiting, 0U);
    EXPECT_GE(status().uploads.connections, 1U);
    EXPECT_TRUE(status().uploads.last_success);
    EXPECT_FALSE(status().uploads.paused);
}

TEST_F(ObjectUploadsTest, ObjectsOfARefusedItemStayWhereTheyAre) {
    lea_->set_script([](const Arrival& arrival) { return refuse(arrival, {{arrival.objects[0], 3007}}); });
    start();
    const auto made = store_.queue({{.lane = lane_, .binaries = {binary()}}});
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    lea_->set_script(accept);
    store_.queue({{.lane = lane_, .binaries = {binary()}}});
    ASSERT_TRUE(pushed(1));
    EXPECT_THAT(lea_->uploads_of(made[0].binaries[0]), IsEmpty());
}

TEST_F(ObjectUploadsTest, WhatWaitedAtTheStartGoes) {
    std::vector<model::Uuid> ids;
    ids.reserve(20);
    for (int i = 0; i < 20; ++i) {
        ids.push_back(store_.queue_binary(lane_, binary(bytes_of(1000)), false, true));
    }
    start();
    ASSERT_TRUE(pushed(20));
    EXPECT_THAT(store_.pushed(), UnorderedElementsAreArray(ids));
    EXPECT_THAT(lea_->uploads(), SizeIs(20));
}

TEST_F(ObjectUploadsTest, NothingOfALaneIsPushedOnceItsLeaseHasLapsed) {
    store_.set_lease(lane_, {true, clock_.steady()});
    store_.queue_binary(lane_, binary(bytes_of(1000)), false, true);
    start();
    const auto other = store_.make_lane("lea-one", "LIID-9");
    const auto pushed_first = store_.queue_binary(other, binary(bytes_of(1000)));
    ASSERT_TRUE(pushed(1));
    EXPECT_THAT(store_.pushed(), ElementsAre(pushed_first));
    EXPECT_THAT(lea_->uploads(), SizeIs(1));
    store_.set_lease(lane_, store::LaneLease::for_ever());
    ASSERT_TRUE(pushed(2));
}

TEST_F(ObjectUploadsTest, ObjectsOfALaneThatIsLostAreCutAndForgottenUntilItIsTakenOver) {
    lea_->set_upload_script([](const UploadArrival&) {
        UploadReply reply;
        reply.hold_after = 1;
        return reply;
    });
    const auto running = store_.queue_binary(lane_, binary(bytes_of(3 * mebi)), false, true);
    start();
    ASSERT_TRUE(eventually([&] { return !lea_->uploads().empty() && !lea_->uploads()[0].bytes.empty(); }));
    store_.lose(lane_);
    ASSERT_TRUE(eventually([&] { return status().uploads.running == 0 && status().uploads.waiting == 0; }));
    lea_->release();
    EXPECT_THAT(store_.pushed(), IsEmpty());
    store_.take_over(lane_);
    ASSERT_TRUE(pushed(1));
    EXPECT_THAT(store_.pushed(), ElementsAre(running));
}

// An attempt that ends at once, over a connection that is open, is not begun again before anything else had its turn.
TEST_F(ObjectUploadsTest, AStoreThatCannotBeReadIsTriedAgain) {
    start();
    queue();
    ASSERT_TRUE(pushed(1));
    ASSERT_TRUE(eventually([&] { return status().uploads.running == 0; }));
    const auto before = store_.loads();
    store_.fail_reads(true);
    queue();
    queue();
    ASSERT_TRUE(eventually([&] { return store_.loads() > before; }));
    store_.fail_reads(false);
    ASSERT_TRUE(pushed(3));
}

TEST_F(ObjectUploadsTest, ConnectionsAreUsedAgainAndBounded) {
    start();
    for (int i = 0; i < 100; ++i) {
        queue(bytes_of(2000));
    }
    ASSERT_TRUE(pushed(100));
    std::set<std::string> peers;
    for (const auto& one : lea_->uploads()) {
        peers.insert(one.peer);
    }
    EXPECT_LE(peers.size(), 4U);
}

TEST_F(ObjectUploadsTest, HostileTypesAreNotSent) {
    start();
    auto hostile = binary();
    hostile.content_type = "text/plain\r\nX-Evil: 1";
    store_.queue_binary(lane_, hostile);
    ASSERT_TRUE(pushed(1));
    EXPECT_EQ(lea_->uploads()[0].content_type, "application/octet-stream");
}

TEST_F(ObjectUploadsTest, OverTlsAndOnlyOverTls) {
    lea_ = std::make_unique<Lea>(accept, lihandover::test::server_context());
    tls_ = lihandover::test::client_context();
    start();
    const auto id = queue(bytes_of(3 * mebi));
    auto plain = binary();
    plain.url = "http" + lea_->objects_url().substr(5) + "x";
    const auto never = store_.queue_binary(lane_, plain);
    ASSERT_TRUE(pushed(1));
    ASSERT_TRUE(refused(1));
    EXPECT_EQ(lea_->uploads_of(id)[0].bytes, bytes_of(3 * mebi));
    EXPECT_EQ(store_.refused_binaries().at(never).kind, store::Refusal::Kind::invalid_document);
    EXPECT_THAT(lea_->uploads(), SizeIs(1));
}

TEST_F(ObjectUploadsTest, TlsThatFailsPausesUntilItIsPutRight) {
    lea_ = std::make_unique<Lea>(accept, lihandover::test::server_context());
    options_.retry.maximum = std::chrono::hours(1);
    tls_ = lihandover::test::client_context("other-client");
    start();
    queue();
    ASSERT_TRUE(eventually([&] { return status().uploads.paused == metrics::Pause::tls; }));
    EXPECT_THAT(store_.refused_binaries(), IsEmpty());
    tls_ = lihandover::test::client_context();
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    ASSERT_TRUE(pushed(1));
}

TEST_F(ObjectUploadsTest, AnUploadOfWhichNextToNothingIsTakenIsCut) {
    options_.timeout = std::chrono::hours(1);  // of each write; nothing else ends it
    answer_first(1, {.hold_after = 1000});
    start();
    const auto id = queue(bytes_of(64 * mebi));
    ASSERT_TRUE(eventually([&] { return lea_->upload_bytes() >= 1000; }));
    ASSERT_TRUE(eventually([&] {
        if (uploads("disconnected") != "0") {
            return true;
        }
        clock_.advance_steady(std::chrono::hours(2));
        look();
        return false;
    }));
    ASSERT_TRUE(eventually([&] { return pushed_one(id); }));
    EXPECT_EQ(lea_->uploads_of(id).back().bytes.size(), 64 * mebi);
}

// What a reload replaced gets nothing more, not even from an upload that was waiting there.
TEST_F(ObjectUploadsTest, AfterAReloadOnlyTheNewCertificateIsShown) {
    lea_ = std::make_unique<Lea>(accept, lihandover::test::server_context());
    tls_ = lihandover::test::client_context();
    options_.binary->continue_timeout = std::chrono::hours(24);
    options_.upload_connections = 1;
    lea_->set_upload_script([](const UploadArrival& arrival) { return UploadReply{.withhold = arrival.number == 1}; });
    start();
    queue();
    ASSERT_TRUE(pushed(1));
    const auto waiting = queue();
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() == 2; }));
    lihandover::test::certificates().make("second-client", "ca",
                                          {.common_name = "Second Client", .names = {}, .addresses = {}});
    tls_ = lihandover::test::client_context("second-client");
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    ASSERT_TRUE(pushed(2));
    queue();
    ASSERT_TRUE(pushed(3));
    const auto seen = lea_->uploads();
    ASSERT_THAT(seen, SizeIs(4));
    EXPECT_EQ(seen[1].id(), waiting);
    EXPECT_EQ(seen[1].bytes, "");
    for (const std::size_t later : {2U, 3U}) {
        EXPECT_EQ(seen[later].certificate, tls_->certificate().sha256);
        EXPECT_NE(seen[later].certificate, seen[0].certificate);
    }
}

TEST_F(ObjectUploadsTest, AReloadDuringTheHandshakeShowsTheNewCertificate) {
    lea_ = std::make_unique<Lea>(accept, lihandover::test::server_context());
    Relay relay(lea_->port());
    relay.hold();
    tls_ = lihandover::test::client_context();
    options_.upload_connections = 1;
    start();
    auto one = binary();
    one.url_prefix = "https://127.0.0.1:" + std::to_string(relay.port()) + "/objects/";
    store_.queue_binary(lane_, one);
    ASSERT_TRUE(eventually([&] { return relay.accepted() == 1; }));
    lihandover::test::certificates().make("second-client", "ca",
                                          {.common_name = "Second Client", .names = {}, .addresses = {}});
    tls_ = lihandover::test::client_context("second-client");
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    ASSERT_TRUE(eventually([&] { return relay.accepted() == 2; })) << "the new one waits for nothing of the old";
    relay.let_go();
    ASSERT_TRUE(pushed(1));
    for (const auto& upload : lea_->uploads()) {
        EXPECT_EQ(upload.certificate, tls_->certificate().sha256);
    }
}

// -- Connections ------------------------------------------------------------------------------------------------------

class CappedConnectionsTest : public ObjectUploadsTest {
  protected:
    CappedConnectionsTest() {
        lea_ = std::make_unique<Lea>(accept, lihandover::test::server_context());
        relay_ = std::make_unique<Relay>(lea_->port());
        tls_ = lihandover::test::client_context();
        options_.retry.initial = milliseconds(4);
        options_.retry.maximum = std::chrono::hours(1);
    }
    model::Uuid queue_there(std::string bytes = "a photograph") {
        auto one = binary(std::move(bytes));
        one.url_prefix = "https://127.0.0.1:" + std::to_string(relay_->port()) + "/objects/";
        return store_.queue_binary(lane_, one);
    }
    /// A while, in which handshakes could follow each other.
    void pass_time() {
        const auto before = store_.accepted().size();
        store_.queue(lane_, 300);
        ASSERT_TRUE(all_accepted(before + 300));
    }

    std::unique_ptr<Relay> relay_;
};

TEST_F(CappedConnectionsTest, WhereOneStandsFurtherOnesAreTriedNowAndThen) {
    relay_->take_at_most(1);
    start();
    queue_there();
    ASSERT_TRUE(pushed(1));
    lea_->set_upload_script([](const UploadArrival& arrival) {
        return UploadReply{.hold_after = arrival.content_length.value_or(0) > mebi ? 1000 : SIZE_MAX};
    });
    queue_there(bytes_of(2 * mebi));
    ASSERT_TRUE(eventually([&] { return lea_->upload_bytes() >= 1000; }));
    for (int i = 0; i < 10; ++i) {
        queue_there();
    }
    ASSERT_TRUE(eventually([&] { return status().uploads.connection_limit == 1; }));
    pass_time();
    EXPECT_LE(relay_->closed_at_once(), 16U);
    EXPECT_FALSE(status().uploads.next_attempt) << "the LEA is there";
    relay_->take_at_most(1000);
    lea_->release();
    ASSERT_TRUE(pushed(12));
}

// Nothing was delivered over it yet, but it is known to lead to the LEA.
TEST_F(CappedConnectionsTest, OneWhoseBodyIsAskedForStands) {
    relay_->take_at_most(1);
    answer_first(1, {.hold_after = 1000});
    start();
    queue_there(bytes_of(2 * mebi));
    ASSERT_TRUE(eventually([&] { return lea_->upload_bytes() >= 1000; }));
    for (int i = 0; i < 10; ++i) {
        queue_there();
    }
    ASSERT_TRUE(eventually([&] { return status().uploads.connection_limit == 1; }));
    pass_time();
    EXPECT_LE(relay_->closed_at_once(), 16U);
    EXPECT_FALSE(status().uploads.next_attempt);
    EXPECT_FALSE(status().uploads.paused);
    lea_->release();
    ASSERT_TRUE(pushed(11));
}

// -- Answers ----------------------------------------------------------------------------------------------------------

TEST_F(ObjectUploadsTest, NoBodyWithoutContinueAndTheUrlStays) {
    options_.binary->continue_timeout = milliseconds(50);
    answer_first(2, {.withhold = true});
    start();
    const auto id = queue(bytes_of(5000));
    ASSERT_TRUE(pushed(1));
    const auto seen = lea_->uploads_of(id);
    ASSERT_GE(seen.size(), 3U) << "more where this machine is slower than that";
    for (std::size_t i = 0; i + 1 < seen.size(); ++i) {
        EXPECT_EQ(seen[i].bytes, "");
        EXPECT_EQ(seen[i].path, seen.back().path);
        EXPECT_NE(seen[i].peer, seen[i + 1].peer);  // the connection was closed
    }
    EXPECT_EQ(seen.back().bytes, bytes_of(5000));
    EXPECT_EQ(uploads("no_continue"), std::to_string(seen.size() - 1));
}

TEST_F(ObjectUploadsTest, AnswersThatMayChangeAreTriedAgain) {
    for (const unsigned status : {404U, 409U, 417U, 425U, 408U, 500U, 503U}) {
        const auto before = lea_->uploads().size();
        lea_->set_upload_script([=](const UploadArrival& arrival) {
            return arrival.number < before + 2 ? UploadReply{.status = status, .unasked = true} : UploadReply{};
        });
        if (!delivery_) {
            start();
        }
        const auto pushed_before = store_.pushed().size();
        const auto id = queue();
        ASSERT_TRUE(pushed(pushed_before + 1)) << status;
        const auto seen = lea_->uploads_of(id);
        EXPECT_THAT(seen, SizeIs(3)) << status;
        EXPECT_EQ(seen[0].bytes, "");
        EXPECT_EQ(seen[2].bytes, "a photograph");
    }
    // One that came on a connection that was used before is asked for again on a fresh one, and not counted.
    EXPECT_GE(std::stoi(uploads("not_yet")), 7);
    EXPECT_THAT(store_.refused_binaries(), IsEmpty());
}

// A typing error in url_template, say.
TEST_F(ObjectUploadsTest, AnHourOfPuttingOffEverythingIsAnAlarm) {
    answer({.status = 404, .unasked = true});
    start();
    auto lasting = binary();
    lasting.lifetime = std::chrono::hours(24);
    for (int i = 0; i < 10; ++i) {
        store_.queue_binary(lane_, lasting);
    }
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() >= 30; }));
    EXPECT_FALSE(status().uploads.paused);
    clock_.advance(std::chrono::hours(1));
    look();
    ASSERT_TRUE(eventually([&] { return status().uploads.paused == metrics::Pause::refusals; }));
    const auto before = lea_->uploads().size();
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() >= before + 3; }));
    EXPECT_EQ(status().uploads.paused, metrics::Pause::refusals) << "until one is delivered";
    EXPECT_THAT(store_.refused_binaries(), IsEmpty());
    answer({});
    ASSERT_TRUE(pushed(10));
    ASSERT_TRUE(eventually([&] { return !status().uploads.paused; }));
    answer({.status = 404, .unasked = true});
    const auto seen = lea_->uploads().size();
    store_.queue_binary(lane_, lasting);
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() >= seen + 3; }));
    EXPECT_FALSE(status().uploads.paused) << "another hour begins";
}

TEST_F(ObjectUploadsTest, RetryAfterToldToTwoLiidsHoldsUpAllUploadsAndNoMessage) {
    options_.retry.maximum = std::chrono::hours(2);
    answer({.status = 429, .unasked = true, .retry_after = "3000"});
    start();
    for (int i = 0; i < 8; ++i) {
        store_.queue_binary(store_.make_lane("lea-one", "L" + std::to_string(i)), binary());
    }
    ASSERT_TRUE(eventually([&] { return status().uploads.next_attempt && status().uploads.running == 0; }));
    const auto tried = lea_->uploads().size();
    EXPECT_LE(tried, 5U);
    queue("another");
    store_.queue(lane_, 3);
    ASSERT_TRUE(all_accepted(3));
    EXPECT_THAT(lea_->uploads(), SizeIs(tried));
    EXPECT_FALSE(status().next_attempt);
    answer({});
    clock_.advance(seconds(3001));
    look();
    ASSERT_TRUE(pushed(9));
}

TEST_F(ObjectUploadsTest, OneObjectsRetryAfterIsItsOwn) {
    options_.retry.maximum = std::chrono::hours(2);
    answer_first(1, {.status = 404, .unasked = true, .retry_after = "3000"});
    start();
    const auto id = queue();
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() == 1; }));
    queue("another");
    ASSERT_TRUE(pushed(1));
    EXPECT_THAT(lea_->uploads_of(id), SizeIs(1));
    clock_.advance(seconds(3001));
    look();
    ASSERT_TRUE(pushed(2));
}

TEST_F(ObjectUploadsTest, ABrokenUploadBeginsAgainFromTheFirstByte) {
    const auto bytes = bytes_of(3 * mebi);
    answer_first(1, {.drop_after = 500'000});
    start();
    const auto id = queue(bytes);
    ASSERT_TRUE(pushed(1));
    const auto seen = lea_->uploads_of(id);
    ASSERT_THAT(seen, SizeIs(2));
    EXPECT_LT(seen[0].bytes.size(), bytes.size());
    EXPECT_EQ(seen[1].bytes, bytes);
    EXPECT_EQ(uploads("disconnected"), "1");
}

TEST_F(ObjectUploadsTest, EarlySuccessIsRefusedWhereOthersAreTaken) {
    answer({.status = 404, .unasked = true});  // until it is known which one is disliked
    start();
    const auto id = queue();
    dislike(id, {.status = 201, .unasked = true});
    ASSERT_TRUE(compare([&] { return store_.refused_binaries().contains(id); }));
    const auto refusal = store_.refused_binaries().at(id);
    EXPECT_EQ(refusal.code, 201U);
    EXPECT_EQ(refusal.kind, store::Refusal::Kind::http_status);
    EXPECT_GE(std::stoi(uploads("early")), 2);
    EXPECT_EQ(uploads("refused"), "1");
    answer({});
    store_.retry_binary(id);
    ASSERT_TRUE(eventually([&] { return pushed_one(id); }));
    EXPECT_EQ(lea_->uploads_of(id).back().bytes, "a photograph");
}

TEST_F(ObjectUploadsTest, APageThatAnswersEverythingWithSuccessPausesUploads) {
    answer({.status = 200, .unasked = true});
    start();
    for (int i = 0; i < 20; ++i) {
        queue();
    }
    ASSERT_TRUE(eventually([&] { return status().uploads.paused == metrics::Pause::senseless_answer; }));
    EXPECT_THAT(store_.pushed(), IsEmpty());
    EXPECT_THAT(store_.refused_binaries(), IsEmpty());
    answer({});
    ASSERT_TRUE(pushed(20));
}

// Its first answer was lost, and the LEA does not want it twice.
TEST_F(ObjectUploadsTest, WhatTheLeaHasFromAnEarlierAttemptIsDelivered) {
    start();
    for (const unsigned code : {409U, 200U}) {
        answer({.status = 404, .unasked = true});
        const std::string bytes = "a photograph";
        auto seen = std::make_shared<std::atomic<bool>>(false);
        const auto id = queue(bytes);
        lea_->set_upload_script([=](const UploadArrival& arrival) {
            if (arrival.id() != id) {
                return UploadReply{};
            }
            return seen->exchange(true) ? UploadReply{.status = code, .unasked = true}
                                        : UploadReply{.drop_after = bytes.size()};
        });
        ASSERT_TRUE(compare([&] { return pushed_one(id); })) << code;
        EXPECT_FALSE(store_.refused_binaries().contains(id));
    }
}

TEST_F(ObjectUploadsTest, APageDoesNotHaveWhatWasSentBefore) {
    const std::string bytes = "a photograph";
    lea_->set_upload_script([=](const UploadArrival& arrival) {
        return arrival.number == 0 ? UploadReply{.drop_after = bytes.size()}
                                   : UploadReply{.status = 200, .unasked = true};
    });
    start();
    queue(bytes);
    queue(bytes);
    ASSERT_TRUE(eventually([&] { return status().uploads.paused == metrics::Pause::senseless_answer; }));
    EXPECT_THAT(store_.pushed(), IsEmpty());
}

TEST_F(ObjectUploadsTest, EarlySuccessCountsWhereItIsConfigured) {
    options_.binary->early_success = config::EarlySuccess::delivered;
    answer({.status = 201, .unasked = true});
    start();
    queue();
    ASSERT_TRUE(pushed(1));
    EXPECT_EQ(lea_->uploads()[0].bytes, "");
    EXPECT_EQ(uploads("early"), "1");
}

// It is no answer to the object that is on its way, and does not end it.
TEST_F(ObjectUploadsTest, ALateDoubleOfTheAnswerBeforeEndsNoUpload) {
    options_.binary->early_success = config::EarlySuccess::delivered;
    options_.upload_connections = 1;
    LateDouble lea;
    start();
    for (const std::size_t size : {std::size_t{100}, 32 * mebi, std::size_t{200}}) {
        const auto before = store_.pushed().size();
        auto one = binary(bytes_of(size));
        one.url_prefix = lea.objects_url();
        store_.queue_binary(lane_, one);
        ASSERT_TRUE(pushed(before + 1));
        EXPECT_THAT(lea.whole(), SizeIs(before + 1));
        EXPECT_EQ(lea.whole().back(), size);
    }
}

TEST_F(ObjectUploadsTest, SuccessInTheMiddleIsEarlyToo) {
    answer({.status = 404, .unasked = true});
    start();
    const auto id = queue(bytes_of(16 * mebi));  // more than the sockets hold
    dislike(id, {.status = 201, .answer_after = 100'000});
    ASSERT_TRUE(compare([&] {
        clock_.advance(seconds(10));  // it rests longer for what it wasted, and the longer the slower the machine is
        look();
        return store_.refused_binaries().contains(id);
    }));
    EXPECT_EQ(store_.refused_binaries().at(id).code, 201U);
}

TEST_F(ObjectUploadsTest, SuccessForAnEmptyObjectIsNeverEarly) {
    answer({.status = 201, .unasked = true});
    start();
    queue("");
    ASSERT_TRUE(pushed(1));
    EXPECT_FALSE(lea_->uploads()[0].expects);
    EXPECT_EQ(lea_->uploads()[0].content_length, 0U);
}

TEST_F(ObjectUploadsTest, AnObjectThatFailsWhereOthersAreTakenIsRefusedOrSetAside) {
    start();
    for (const unsigned code : {301U, 400U, 403U, 405U, 410U, 413U, 503U}) {
        answer({.status = 404, .unasked = true});  // until it is known which one is disliked
        const auto id = queue();
        dislike(id, {.status = code, .unasked = true});
        ASSERT_TRUE(compare([&] {
            return store_.refused_binaries().contains(id) || store_.set_aside_binaries().contains(id);
        })) << code;
        const bool content = code == 400 || code == 405 || code == 410 || code == 413;
        ASSERT_EQ(store_.refused_binaries().contains(id), content) << code;
        const auto refusal = content ? store_.refused_binaries().at(id) : store_.set_aside_binaries().at(id);
        EXPECT_EQ(refusal.code, code);
        EXPECT_EQ(refusal.kind, store::Refusal::Kind::http_status);
        EXPECT_THAT(lea_->uploads_of(id).size(), testing::AllOf(testing::Ge(3U), testing::Le(16U))) << code;
    }
    EXPECT_FALSE(status().uploads.paused);
    answer({});  // what is set aside is tried again by itself
    ASSERT_TRUE(eventually([&] { return store_.set_aside_binaries().empty(); }));
}

TEST_F(ObjectUploadsTest, OneThatIsSetAsideIsNotSentInALoopWhileUploadsAreClosed) {
    answer({.status = 404, .unasked = true});  // until it is known which one is disliked
    start();
    const auto id = queue();
    dislike(id, {.status = 403, .unasked = true});
    ASSERT_TRUE(compare([&] { return store_.set_aside_binaries().contains(id); }));
    ASSERT_TRUE(eventually([&] { return store_.binaries_queued() == 0; }));
    answer({.status = 503, .unasked = true});
    const auto other = queue();
    ASSERT_TRUE(eventually([&] { return status().uploads.paused == metrics::Pause::unavailable; }));
    store_.withdraw_binary(other);
    const auto before = lea_->uploads_of(id).size();
    clock_.advance_steady(std::chrono::hours(2));
    look();
    ASSERT_TRUE(eventually([&] { return lea_->uploads_of(id).size() > before; }));
    store_.queue(lane_, 200);
    ASSERT_TRUE(all_accepted(200));
    EXPECT_LE(lea_->uploads_of(id).size(), before + 10);
    answer({});
    store_.retry_binary(id);
    ASSERT_TRUE(eventually([&] { return pushed_one(id); }));
}

TEST_F(ObjectUploadsTest, AnObjectRefusedAfterItsBodyCanBeRetried) {
    start();
    answer({.status = 404, .unasked = true});  // until it is known which one is disliked
    const auto id = queue();
    dislike(id, {.status = 422});
    ASSERT_TRUE(compare([&] { return store_.refused_binaries().contains(id); }));
    answer({});
    store_.retry_binary(id);
    ASSERT_TRUE(eventually([&] { return pushed_one(id); }));
    EXPECT_EQ(lea_->uploads_of(id).front().path, lea_->uploads_of(id).back().path);
}

TEST_F(ObjectUploadsTest, ARetryThatOvertakesTheAnswerToItsRefusalIsNotLost) {
    store_.retry_next_refusal();
    start();
    const auto id = queue();
    lea_->set_upload_script([this, id](const UploadArrival& arrival) {
        return arrival.id() == id && !pardoned_ ? UploadReply{.status = 413, .unasked = true} : UploadReply{};
    });
    ASSERT_TRUE(compare([&] {
        pardoned_ = uploads("refused") != "0";
        return pushed_one(id);
    }));
}

TEST_F(ObjectUploadsTest, AFrontThatBuffersWastesLittleAndStarvesNoSmallObject) {
    const auto large = bytes_of(2 * mebi);
    lea_->set_upload_script([](const UploadArrival& arrival) {
        return arrival.content_length.value_or(0) > mebi ? UploadReply{.status = 404} : UploadReply{};
    });
    start();
    for (int i = 0; i < 4; ++i) {
        queue(large);
    }
    ASSERT_TRUE(eventually([&] { return status().uploads.wasted_bytes >= 2 * large.size(); }));
    for (int i = 0; i < 50; ++i) {
        queue();
    }
    ASSERT_TRUE(pushed(50));
    EXPECT_FALSE(status().uploads.paused);
    answer({});
    ASSERT_TRUE(pushed(54));
}

TEST_F(ObjectUploadsTest, AFrontThatBuffersForALeaThatIsDownDoesNotGetEverythingOverAndOver) {
    options_.retry.maximum = std::chrono::hours(1);
    answer({.status = 503});
    start();
    for (int i = 0; i < 3; ++i) {
        queue(bytes_of(2 * mebi));
    }
    ASSERT_TRUE(eventually([&] { return status().uploads.wasted_bytes >= 8 * mebi; }));
    store_.queue(lane_, 200);
    ASSERT_TRUE(all_accepted(200));
    EXPECT_LE(lea_->upload_bytes(), 250 * mebi);
    // Not while one of them is tried.
    EXPECT_TRUE(eventually([&] { return status().uploads.paused.has_value(); }));
    answer({});
    EXPECT_TRUE(delivery_->probe_now("lea-one"));
    ASSERT_TRUE(pushed(3));
}

TEST_F(ObjectUploadsTest, ALeaThatRefusesEverythingIsNotGivenEverything) {
    answer({.status = 405, .unasked = true});
    start();
    for (int i = 0; i < 30; ++i) {
        queue();
    }
    ASSERT_TRUE(eventually([&] { return status().uploads.paused == metrics::Pause::refusals; }));
    ASSERT_TRUE(eventually([&] { return status().uploads.running == 0; }));
    EXPECT_LE(store_.refused_binaries().size(), 10U);
    answer({});
    ASSERT_TRUE(eventually([&] { return store_.binaries_queued() == 0; }));
    EXPECT_FALSE(status().uploads.paused);
}

TEST_F(ObjectUploadsTest, ARefusalThatTheStoreCannotTakeIsMadeAgain) {
    store_.fail_refusals(true);
    answer({.status = 404, .unasked = true});  // until it is known which one is disliked
    start();
    const auto id = queue();
    dislike(id, {.status = 413, .unasked = true});
    ASSERT_TRUE(compare([&] { return lea_->uploads_of(id).size() >= 3; }));
    store_.fail_refusals(false);
    ASSERT_TRUE(compare([&] {
        clock_.advance(seconds(1));
        look();
        return store_.refused_binaries().contains(id);
    }));
}

// -- The deadline -----------------------------------------------------------------------------------------------------

TEST_F(ObjectUploadsTest, AfterTheDeadlineItIsRefusedAsExpired) {
    answer({.status = 404, .unasked = true});
    start();
    const auto id = queue();
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() >= 2; }));
    clock_.advance(seconds(3601));
    look();
    ASSERT_TRUE(refused(1));
    EXPECT_EQ(store_.refused_binaries().at(id).kind, store::Refusal::Kind::expired);
    EXPECT_EQ(store_.refused_binaries().at(id).code, 404U);
    EXPECT_EQ(uploads("expired"), "1");
    answer({});
    store_.retry_binary(id);
    ASSERT_TRUE(pushed(1));
}

TEST_F(ObjectUploadsTest, TheDeadlineHoldsWhereTheClockIsBehind) {
    answer({.status = 404, .unasked = true});
    start();
    const auto id = queue();
    clock_.fall_behind(std::chrono::hours(24 * 100));
    clock_.advance(seconds(3601));
    look();
    ASSERT_TRUE(refused(1));
    EXPECT_EQ(store_.refused_binaries().at(id).kind, store::Refusal::Kind::expired);
}

TEST_F(ObjectUploadsTest, TheContinueTimeoutDoesNotOutlastTheDeadline) {
    options_.binary->continue_timeout = std::chrono::hours(24);
    answer({.withhold = true});
    start();
    auto brief = binary();
    brief.lifetime = seconds(1);
    const auto id = store_.queue_binary(lane_, brief);
    ASSERT_TRUE(refused(1));
    EXPECT_EQ(store_.refused_binaries().at(id).kind, store::Refusal::Kind::expired);
    EXPECT_EQ(store_.refused_binaries().at(id).code, 0U);
}

TEST_F(ObjectUploadsTest, WhatWaitsForAPausedDestinationExpiresToo) {
    answer({.status = 403, .unasked = true});
    start();
    queue();
    queue();
    ASSERT_TRUE(eventually([&] { return status().uploads.paused == metrics::Pause::credentials; }));
    clock_.advance(seconds(3601));
    look();
    ASSERT_TRUE(refused(2));
}

// -- The destination as a whole ---------------------------------------------------------------------------------------

TEST_F(ObjectUploadsTest, CredentialsThatFailPauseUploadsAndNotMessages) {
    answer({.status = 403, .unasked = true});
    start();
    for (int i = 0; i < 20; ++i) {
        queue();
    }
    ASSERT_TRUE(eventually([&] { return status().uploads.paused == metrics::Pause::credentials; }));
    EXPECT_FALSE(status().paused);
    store_.queue(lane_, 3);
    ASSERT_TRUE(all_accepted(3));
    EXPECT_THAT(store_.refused_binaries(), IsEmpty());
    answer({});  // found out by a probe
    ASSERT_TRUE(pushed(20));
    EXPECT_FALSE(status().uploads.paused);
}

TEST_F(ObjectUploadsTest, AnOperatorCanProbeAPausedDestination) {
    options_.retry.maximum = std::chrono::hours(1);
    answer({.status = 401, .unasked = true});
    start();
    queue();
    ASSERT_TRUE(eventually([&] { return status().uploads.paused.has_value() && status().uploads.running == 0; }));
    answer({});
    EXPECT_TRUE(delivery_->probe_now("lea-one"));
    ASSERT_TRUE(pushed(1));
}

TEST_F(ObjectUploadsTest, NobodyThereBurnsNoAttempts) {
    auto elsewhere = std::make_unique<Lea>(accept);
    const auto port = elsewhere->port();
    elsewhere->stop();
    start();
    auto lost = binary();
    lost.url = "http://127.0.0.1:" + std::to_string(port) + "/objects/x";
    store_.queue_binary(lane_, lost);
    ASSERT_TRUE(eventually([&] { return status().uploads.next_attempt.has_value(); }));
    EXPECT_THAT(store_.refused_binaries(), IsEmpty());
}

TEST_F(ObjectUploadsTest, TheUrlsHostMayBeAnother) {
    Lea elsewhere(accept);
    start();
    store_.queue_binary(lane_, {.url_prefix = elsewhere.objects_url()});
    queue();
    store_.queue_binary(lane_, {.url_prefix = elsewhere.objects_url()});
    ASSERT_TRUE(pushed(3));
    EXPECT_THAT(elsewhere.uploads(), SizeIs(2));
    EXPECT_THAT(lea_->uploads(), SizeIs(1));
}

TEST_F(ObjectUploadsTest, ObjectsWhoseContinueIsWithheldDoNotKeepTheOthersFromComingBack) {
    options_.binary->continue_timeout = std::chrono::hours(24);
    options_.timeout = milliseconds(200);
    options_.retry.maximum = seconds(1);
    for (const std::size_t stuck : {1U, 3U}) {  // the probe; and all that may begin at first after it
        answer({.status = 503, .unasked = true});
        if (!delivery_) {
            start();
        }
        std::vector<model::Uuid> ids;
        ids.reserve(4);
        for (int i = 0; i < 4; ++i) {
            ids.push_back(queue());
        }
        ASSERT_TRUE(eventually([&] { return status().uploads.next_attempt.has_value(); }));
        lea_->set_upload_script([=, seen = std::set<std::string>()](const UploadArrival& arrival) mutable {
            if (seen.size() < stuck) {
                seen.insert(arrival.path);
            }
            return UploadReply{.withhold = seen.contains(arrival.path)};
        });
        const auto before = store_.pushed().size();
        ASSERT_TRUE(pushed(before + 4 - stuck));
        for (const auto& id : ids) {
            store_.withdraw_binary(id);
        }
        ASSERT_TRUE(eventually([&] { return status().uploads.waiting + status().uploads.running == 0; }));
    }
    EXPECT_THAT(store_.refused_binaries(), IsEmpty());
}

TEST_F(ObjectUploadsTest, AUrlThatCannotBePostedToIsRefused) {
    start();
    for (const std::string url : {"gopher://example.com/", "http://user@example.com/", "https://127.0.0.1:1/x"}) {
        auto odd = binary();
        odd.url = url;
        const auto id = store_.queue_binary(lane_, odd);
        ASSERT_TRUE(eventually([&] { return store_.refused_binaries().contains(id); })) << url;
        EXPECT_EQ(store_.refused_binaries().at(id).kind, store::Refusal::Kind::invalid_document);
    }
}

TEST_F(ObjectUploadsTest, OurCopyThatCannotBeReadIsTriedAgain) {
    store_.fail_binary_reads(true);
    start();
    const auto id = queue();
    ASSERT_TRUE(eventually([&] { return lea_->uploads_of(id).size() >= 2; }));
    EXPECT_THAT(store_.pushed(), IsEmpty());
    store_.fail_binary_reads(false);
    ASSERT_TRUE(pushed(1));
    EXPECT_EQ(lea_->uploads().back().bytes, "a photograph");
}

TEST_F(ObjectUploadsTest, OurCopyThatStaysUnreadableIsSetAsideAndGoesOnceItCanBeRead) {
    store_.fail_binary_reads(true);
    start();
    const auto id = queue();
    ASSERT_TRUE(eventually([&] { return store_.set_aside_binaries().contains(id); }));
    const auto refusal = store_.set_aside_binaries().at(id);
    EXPECT_EQ(refusal.code, 0U);
    EXPECT_EQ(refusal.kind, store::Refusal::Kind::invalid_document);
    EXPECT_THAT(refusal.words, testing::HasSubstr("cannot be read"));
    EXPECT_GE(lea_->uploads_of(id).size(), 3U);
    store_.fail_binary_reads(false);
    ASSERT_TRUE(pushed(1));
    EXPECT_THAT(store_.set_aside_binaries(), IsEmpty());
}

TEST_F(ObjectUploadsTest, NothingBeginsWhileTheStoreCannotCommit) {
    start();
    answer({.status = 201, .hold_after = 1000});
    const auto first = queue(bytes_of(2 * mebi));
    ASSERT_TRUE(eventually([&] { return lea_->upload_bytes() >= 1000; }));
    store_.set_committing(false);
    store_.say_health(false);
    queue();
    lea_->release();
    ASSERT_TRUE(eventually([&] { return status().uploads.running == 0; }));
    EXPECT_THAT(lea_->uploads(), SizeIs(1));  // the result of the first was handed over and is kept
    EXPECT_THAT(store_.pushed(), IsEmpty());
    store_.set_committing(true);
    store_.say_health(true);
    ASSERT_TRUE(pushed(2));
    EXPECT_EQ(store_.pushed().front(), first);
    EXPECT_THAT(lea_->uploads_of(first), SizeIs(1));
}

// -- Ends -------------------------------------------------------------------------------------------------------------

TEST_F(ObjectUploadsTest, AWithdrawnObjectIsNotSent) {
    answer({.status = 404, .unasked = true});
    options_.retry.initial = options_.retry.maximum = std::chrono::hours(1);
    start();
    const auto waiting = queue();
    ASSERT_TRUE(eventually([&] { return status().uploads.waiting == 1 && !lea_->uploads().empty(); }));
    store_.withdraw_binary(waiting);
    ASSERT_TRUE(eventually([&] { return status().uploads.waiting == 0; }));
    EXPECT_THAT(lea_->uploads_of(waiting), SizeIs(1));
}

TEST_F(ObjectUploadsTest, AWithdrawnObjectIsCutInTheMiddle) {
    answer_first(1, {.hold_after = 100'000});
    start();
    const auto id = queue(bytes_of(16 * mebi));
    ASSERT_TRUE(eventually([&] { return lea_->upload_bytes() >= 100'000; }));
    store_.withdraw_binary(id);
    ASSERT_TRUE(eventually([&] { return status().uploads.running == 0; }));
    EXPECT_EQ(status().uploads.waiting, 0U);
    EXPECT_THAT(store_.pushed(), IsEmpty());
    queue();
    ASSERT_TRUE(pushed(1));
}

TEST_F(ObjectUploadsTest, AWithdrawnObjectIsCutWhileItWaitsForContinue) {
    answer_first(1, {.withhold = true});
    start();
    const auto id = queue();
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() == 1; }));
    store_.withdraw_binary(id);
    ASSERT_TRUE(eventually([&] { return status().uploads.running == 0; }));
    EXPECT_EQ(uploads("no_continue"), "0");
}

TEST_F(ObjectUploadsTest, StoppingLetsUploadsFinish) {
    answer({.status = 201, .hold_after = 1000});
    start();
    queue(bytes_of(2 * mebi));
    ASSERT_TRUE(eventually([&] { return lea_->upload_bytes() >= 1000; }));
    lea_->release();
    stop_delivery(std::chrono::seconds(60));
    ASSERT_TRUE(pushed(1));
}

TEST_F(ObjectUploadsTest, StoppingDoesNotWaitForContinue) {
    options_.binary->continue_timeout = std::chrono::hours(24);
    answer({.withhold = true});
    start();
    queue();
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() == 1; }));
    auto stopped = boost::asio::co_spawn(io_, delivery_->stop(std::chrono::hours(1)), boost::asio::use_future);
    EXPECT_EQ(stopped.wait_for(std::chrono::minutes(1)), std::future_status::ready);
    EXPECT_EQ(store_.binaries_queued(), 1U);
    EXPECT_EQ(uploads("no_continue"), "0");
}

TEST_F(ObjectUploadsTest, StoppingCutsWhatTakesLongerAndItStartsOverLater) {
    answer({.status = 201, .hold_after = 1000});
    start();
    const auto id = queue(bytes_of(16 * mebi));
    const auto other = queue("waits for continue");
    lea_->set_upload_script([](const UploadArrival&) { return UploadReply{.withhold = true}; });
    const auto third = queue("waits for continue");
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() == 3; }));
    stop_delivery(milliseconds(10));
    EXPECT_THAT(store_.refused_binaries(), IsEmpty());
    io_.stop();
    thread_.join();
    store_.outbox().set_listener(nullptr);
    store_.uploads().set_listener(nullptr);
    delivery_.reset();
    io_.restart();
    answer({});
    lea_->release();
    start();
    ASSERT_TRUE(eventually([&] { return store_.binaries_queued() == 0; }));
    EXPECT_THAT(store_.pushed(), testing::IsSupersetOf({id, third}));
    EXPECT_THAT(store_.pushed(), Contains(other));
    EXPECT_EQ(lea_->uploads_of(id).back().bytes, bytes_of(16 * mebi));
}

TEST_F(ObjectUploadsTest, ADestinationIsKeptUntilItsObjectsAreGone) {
    answer({.status = 404, .unasked = true});
    start();
    queue();
    ASSERT_TRUE(eventually([&] { return !lea_->uploads().empty(); }));
    Settings none = settings();
    none.destinations.clear();
    ASSERT_TRUE(delivery_->reconfigure(none));
    answer({});
    ASSERT_TRUE(pushed(1));
    ASSERT_TRUE(eventually([&] { return delivery_->status().empty(); }));
}

TEST_F(ObjectUploadsTest, ADestinationIsKeptUntilItsAcceptancesBroughtTheirObjects) {
    Lea other(accept);
    start();
    store_.set_committing(false);
    store_.queue({{.lane = lane_, .binaries = {binary()}}});
    ASSERT_TRUE(eventually([&] { return lea_->count() == 1 && status().waiting + status().in_flight == 0; }));
    for (const std::string name : {"lea-two", "lea-three"}) {  // the second comes after all of the first
        Settings without = settings();
        without.destinations = {destination(name, other)};
        ASSERT_TRUE(delivery_->reconfigure(without));
        ASSERT_TRUE(eventually([&] { return status(name).name == name; }));
    }
    store_.set_committing(true);
    ASSERT_TRUE(pushed(1));
    ASSERT_TRUE(eventually([&] { return delivery_->status().size() == 1; }));
}

// -- Sharing the link -------------------------------------------------------------------------------------------------

TEST_F(ObjectUploadsTest, SmallOnesPassLargeOnesThatTakeAllTheirConnections) {
    lea_->set_upload_script([](const UploadArrival& arrival) {
        return arrival.content_length > mebi ? UploadReply{.hold_after = 1000} : UploadReply{};
    });
    start();
    for (int i = 0; i < 6; ++i) {
        queue(bytes_of(2 * mebi));
    }
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() == 3; }));
    for (int i = 0; i < 5; ++i) {
        queue("small");
    }
    ASSERT_TRUE(pushed(5));
    EXPECT_THAT(lea_->uploads(), SizeIs(8));  // and never more than three large ones at a time
    lea_->release();
    ASSERT_TRUE(pushed(11));
}

TEST_F(ObjectUploadsTest, EmergenciesGoFirst) {
    options_.upload_connections = 1;
    lea_->set_upload_script([](const UploadArrival& arrival) {
        return arrival.number == 0 ? UploadReply{.hold_after = 1} : UploadReply{};
    });
    start();
    const auto first = queue(bytes_of(2 * mebi));
    ASSERT_TRUE(eventually([&] { return lea_->uploads().size() == 1; }));
    const auto large = queue(bytes_of(2 * mebi));
    const auto small = queue();
    const auto urgent_large = store_.queue_binary(lane_, binary(bytes_of(2 * mebi)), true);
    const auto urgent_small = store_.queue_binary(lane_, binary(), true);
    ASSERT_TRUE(eventually([&] { return status().uploads.waiting == 4; }));
    lea_->release();
    ASSERT_TRUE(pushed(5));
    std::vector<model::Uuid> order;
    for (const auto& one : lea_->uploads()) {
        order.push_back(*one.id());
    }
    EXPECT_THAT(order, ElementsAre(first, urgent_small, urgent_large, small, large));
}

TEST_F(ObjectUploadsTest, TheBandwidthLimitHolds) {
    options_.upload_bandwidth = 100'000;
    clock_.stop();
    start();
    queue(bytes_of(50'000));
    queue(bytes_of(50'000));
    ASSERT_TRUE(eventually([&] { return status().uploads.running == 2; }));
    std::uint64_t allowed = 0;
    while (store_.pushed().size() < 2) {
        ASSERT_LE(lea_->upload_bytes(), allowed);
        clock_.advance(milliseconds(50));
        allowed += 5'000;
        ASSERT_LE(allowed, 200'000U);
        const auto wanted = std::min<std::uint64_t>(allowed / 10'000 * 10'000, 100'000);
        ASSERT_TRUE(eventually([&] { return lea_->upload_bytes() >= wanted; }));
        if (wanted == 100'000) {
            ASSERT_TRUE(pushed(2));
        }
    }
}

TEST_F(ObjectUploadsTest, MessagesGoOnBesideUploads) {
    start();
    for (int i = 0; i < 4; ++i) {
        queue(bytes_of(8 * mebi));
    }
    store_.queue(lane_, 200);
    ASSERT_TRUE(all_accepted(200));
    ASSERT_TRUE(pushed(4));
    for (const auto& one : lea_->uploads()) {
        EXPECT_EQ(one.bytes.size(), 8 * mebi);
    }
}

}  // namespace
}  // namespace lihandover::delivery::test
