// The door for X2/X3, over streams without a network and the fake store.
#include "lihandover/intake/x2x3/door.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>

#include "../support/eventually.hpp"
#include "lihandover/model/item.hpp"
#include "make_pdu.hpp"
#include "support.hpp"

namespace lihandover::intake {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using lihandover::test::eventually;
using testing::big_endian;
using ::testing::ElementsAre;
using testing::fed;
using ::testing::HasSubstr;
using testing::keepalive;
using testing::MadePdu;
using testing::octets_of;
using ::testing::SizeIs;
using testing::TestStore;
using ::testing::UnorderedElementsAre;
using testing::xid_of;

/// A connection that a test feeds. On the door's thread.
class FedStream final : public http::Stream {
  public:
    explicit FedStream(asio::io_context& context) : changed_(context) {
        peer_.certificate.emplace();
        peer_.certificate->certificate_sha256 = "of a certificate";
        peer_.certificate->spki_sha256 = "of a key";
    }

    void feed(std::string_view bytes) {
        input_ += bytes;
        changed_.cancel();
    }
    void end() {
        ended_ = true;
        changed_.cancel();
    }
    void stop() { ending_ = true; }
    [[nodiscard]] const std::string& written() const { return written_; }
    [[nodiscard]] std::size_t unread() const { return input_.size(); }

    [[nodiscard]] const http::Peer& peer() const override { return peer_; }
    asio::awaitable<http::StreamRead> read_some(std::span<char> buffer, Clock::time_point deadline) override {
        const auto end = co_await wait_readable(deadline);
        if (end != http::StreamEnd::none) {
            co_return http::StreamRead{0, end};
        }
        const std::size_t size = input_.copy(buffer.data(), std::min(buffer.size(), most_));
        input_.erase(0, size);
        co_return http::StreamRead{size, http::StreamEnd::none};
    }
    asio::awaitable<http::StreamEnd> wait_readable(Clock::time_point deadline) override {
        while (input_.empty() && !ended_) {
            changed_.expires_at(deadline);
            boost::system::error_code error;
            co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, error));
            if (!error) {
                co_return http::StreamEnd::timeout;
            }
        }
        co_return input_.empty() ? http::StreamEnd::closed : http::StreamEnd::none;
    }
    asio::awaitable<bool> write(std::string_view bytes) override {
        if (!ending_) {
            written_ += bytes;
        }
        co_return !ending_;
    }
    [[nodiscard]] bool ending() const override { return ending_; }

    /// Of one read.
    std::size_t most_ = SIZE_MAX;

  private:
    http::Peer peer_;
    asio::steady_timer changed_;
    std::string input_;
    std::string written_;
    bool ended_ = false;
    bool ending_ = false;
};

std::string page_message(const std::string& call_id, const std::string& text) {
    return "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP a.example.com;branch=z9hG4bK" + call_id +
           "\r\nFrom: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: " + call_id +
           "\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(text.size()) +
           "\r\n\r\n" + text;
}

std::string chunk(const std::string& message_id, std::size_t start, std::size_t total, const std::string& text,
                  char flag) {
    const std::string transaction = "t" + message_id + std::to_string(start);
    return "MSRP " + transaction + " SEND\r\nTo-Path: msrp://b.example.com:1/b;tcp\r\nFrom-Path: " +
           "msrp://a.example.com:1/a;tcp\r\nMessage-ID: " + message_id + "\r\nByte-Range: " + std::to_string(start) +
           '-' + std::to_string(start + text.size() - 1) + '/' + std::to_string(total) +
           "\r\nContent-Type: text/plain\r\n\r\n" + text + "\r\n-------" + transaction + flag + "\r\n";
}

MadePdu x2(const std::string& call_id, const std::string& text = "hello") {
    MadePdu made;
    made.payload = page_message(call_id, text);
    return made;
}

MadePdu x3(const std::string& payload) {
    MadePdu made;
    made.type = 2;
    made.format = 13;
    made.payload = payload;
    return made;
}

class DoorTest : public ::testing::Test {
  protected:
    DoorTest() {
        thread_ = std::thread([this] { io_.run(); });
    }
    ~DoorTest() override {
        stop_door();
        work_.reset();
        thread_.join();
        workers_.join();
    }

    template <typename Work>
    std::invoke_result_t<Work&> run(Work work) {
        return asio::post(io_, std::packaged_task<std::invoke_result_t<Work&>()>(std::move(work))).get();
    }
    bool wait_for(const std::function<bool()>& condition) {
        return eventually([&] { return run(condition); });
    }

    void open_door() {
        run([this] {
            door_ = std::make_unique<X2x3Door>(
                io_.get_executor(), "as-1", metrics_.x2x3("as-1"),
                X2x3Services{store_.item_intake(), store_.object_intake(), store_.kept_copies(), snapshot_, clock_,
                             workers_.get_executor(), metrics_.objects_lost()},
                settings_);
        });
        ASSERT_TRUE(door_->rebuild());
        run([this] { door_->start(); });
    }
    /// Ends all streams, and the door.
    void stop_door(bool for_good = false, std::chrono::milliseconds grace = testing::guard) {
        if (!door_) {
            return;
        }
        run([this] {
            for (const auto& stream : streams_) {
                stream->end();
            }
        });
        EXPECT_TRUE(wait_for([this] { return served_ == 0; }));
        asio::co_spawn(io_, for_good ? door_->finish(grace) : door_->stop(grace), asio::use_future).get();
        run([this] { door_.reset(); });
    }
    FedStream& connect(std::size_t most = SIZE_MAX) {
        return run([&]() -> FedStream& {
            FedStream& stream = *streams_.emplace_back(std::make_unique<FedStream>(io_));
            stream.most_ = most;
            ++served_;
            asio::co_spawn(io_, door_->serve(stream), [this](const std::exception_ptr& failure) {
                EXPECT_EQ(failure, nullptr);
                --served_;
            });
            return stream;
        });
    }
    void feed(FedStream& stream, const std::string& octets) {
        run([&] { stream.feed(octets); });
    }
    bool ended(std::size_t left = 0) {
        return wait_for([this, left] { return served_ == left; });
    }

    /// The texts of the items that are committed.
    std::vector<std::string> texts() {
        std::vector<std::string> found;
        for (const store::NewItem& item : store_.items()) {
            model::Share share;
            if (model::decode_share(item.share, share)) {
                found.emplace_back(share.event.text);
            }
        }
        return found;
    }
    std::uint64_t queued() {
        std::uint64_t sum = 0;
        for (const store::Count& count : store_.statistics().counts) {
            sum += count.queued;
        }
        return sum;
    }
    /// Counters follow the commit that the items come with.
    void expect_counted(const std::string& series, const std::string& expected) {
        EXPECT_TRUE(eventually([&] { return counted(series) == expected; })) << series << " is " << counted(series);
    }
    void expect_pdus(const std::string& outcome, const std::string& expected) {
        EXPECT_TRUE(eventually([&] { return pdus(outcome) == expected; })) << outcome << " is " << pdus(outcome);
    }

    bool wait_queued(std::uint64_t count) {
        return eventually([&] { return queued() >= count; }) && queued() == count;
    }
    std::size_t kept() { return store_.kept_copies().kept("as-1").value().size(); }
    std::string counted(const std::string& line) {
        const std::string text = metrics_.render();
        const auto at = text.find(line + ' ');
        return at == std::string::npos ? "none"
                                       : text.substr(at + line.size() + 1, text.find('\n', at) - at - line.size() - 1);
    }
    std::string pdus(const std::string& outcome) {
        return counted("lihandover_x2x3_pdus_total{outcome=\"" + outcome + "\",source=\"as-1\"}");
    }

    TestStore store_;
    lihandover::test::ManualClock clock_{testing::noon};
    metrics::Metrics metrics_;
    CurrentSnapshot snapshot_{testing::snapshot(
        {fed("LIID-1", {xid_of(1)}), fed("LIID-2", {xid_of(2)}), fed("LIID-3", {xid_of(1), xid_of(2), xid_of(3)})})};
    X2x3Settings settings_;
    asio::thread_pool workers_{2};
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    std::unique_ptr<X2x3Door> door_;
    std::vector<std::unique_ptr<FedStream>> streams_;
    std::size_t served_ = 0;
    std::thread thread_;
};

TEST_F(DoorTest, AMessageIsAnItemForEachWarrantThatListsItsTask) {
    open_door();
    FedStream& stream = connect();
    feed(stream, x2("a").octets());
    EXPECT_TRUE(wait_queued(2));
    expect_pdus("event", "1");
    expect_counted("lihandover_events_received_total{source=\"as-1\"}", "1");
    expect_counted("lihandover_events_accepted_total{source=\"as-1\"}", "1");
    expect_counted("lihandover_intake_connections{source=\"as-1\"}", "1");
}

TEST_F(DoorTest, APduOfSeveralTasksIsOneItemForEachWarrant) {
    open_door();
    FedStream& stream = connect();
    feed(stream, x2("a")
                     .with(21, octets_of(xid_of(2)) + big_endian(7, 8))
                     .with(21, octets_of(xid_of(9)) + big_endian(7, 8))
                     .octets());
    EXPECT_TRUE(wait_queued(3));
    expect_pdus("event", "1");  // it counts once
}

TEST_F(DoorTest, PdusAreTheSameHoweverTheyCome) {
    open_door();
    FedStream& slow = connect(1);
    feed(slow, x2("a").octets() + keepalive(1) + x2("b").octets() + x2("c", std::string(1000, 'x')).octets());
    EXPECT_TRUE(wait_queued(6));
    expect_pdus("event", "3");
}

TEST_F(DoorTest, LargePdusAreReadWhole) {
    open_door();
    FedStream& stream = connect(100'000);
    const std::string text(900'000, 'x');
    feed(stream, x2("a", text).octets() + x2("b", text).octets() + x2("c").octets());
    EXPECT_TRUE(wait_queued(6));
    EXPECT_THAT(texts(), ElementsAre(text, text, text, text, "hello", "hello"));
}

TEST_F(DoorTest, OfUnknownTasksNothingIsLeft) {
    open_door();
    FedStream& stream = connect();
    MadePdu unknown = x2("a");
    unknown.xid = xid_of(9);
    feed(stream, unknown.octets() + keepalive(1));
    ASSERT_TRUE(wait_for([&] { return !stream.written().empty(); }));
    expect_pdus("unknown_xid", "1");
    EXPECT_THAT(store_.groups(), SizeIs(0)) << "not even a commit";
}

TEST_F(DoorTest, WhatIsNotReadIsSkippedAndCounted) {
    open_door();
    FedStream& stream = connect();
    MadePdu rtp = x3("rtp");
    rtp.format = 8;
    MadePdu odd = x2("a");
    odd.type = 9;
    feed(stream, rtp.octets() + odd.octets() + x2("b").with(200, "unknown").octets());
    EXPECT_TRUE(wait_queued(2));
    expect_pdus("skipped", "2");
    expect_counted("lihandover_x2x3_unknown_attributes_total{source=\"as-1\"}", "1");
}

TEST_F(DoorTest, EachPayloadFormatIsReadOnBothInterfaces) {
    open_door();
    FedStream& stream = connect();
    std::vector<std::string> expected;
    for (const std::uint16_t type : {1, 2}) {
        const std::string number = std::to_string(type);
        MadePdu sip = x2("call-" + number, "SIP on X" + number);
        const std::string text = "MSRP on X" + number;
        MadePdu msrp = x3(chunk("m" + number, 1, text.size(), text, '$'));
        sip.type = msrp.type = type;
        // "MIME on X…"
        MadePdu mime{.type = type, .format = 15, .payload = type == 1 ? "TUlNRSBvbiBYMQ==" : "TUlNRSBvbiBYMg=="};
        feed(stream,
             sip.octets() + msrp.octets() +
                 std::move(mime).with(19, "text/plain").with(20, "base64").with(17, "sip:a@example.com").octets());
        for (const char* const format : {"SIP", "MSRP", "MIME"}) {
            // For two warrants.
            expected.insert(expected.end(), 2, std::string(format) + " on X" + number);
        }
    }
    EXPECT_TRUE(wait_queued(12));
    EXPECT_THAT(texts(), ::testing::UnorderedElementsAreArray(expected));
    expect_pdus("event", "6");
}

TEST_F(DoorTest, ADescriptionBesideTheMessageCounts) {
    open_door();
    const std::string ends =
        "\r\nVia: SIP/2.0/TCP a.example.com;branch=z9hG4bKx\r\nFrom: <sip:alice@example.com>;tag=1\r\nTo: ";
    const std::string rest = "\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    const auto description = [](const std::string& host) {
        return "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=message 2855 TCP/MSRP *\r\n"
               "a=accept-types:*\r\na=path:msrp://" +
               host + ":2855/s;tcp\r\n";
    };
    MadePdu invite{.payload = "INVITE sip:bob@example.com SIP/2.0" + ends + "<sip:bob@example.com>" + rest};
    MadePdu answer{.direction = 2, .payload = "SIP/2.0 200 OK" + ends + "<sip:bob@example.com>;tag=2" + rest};
    feed(connect(), std::move(invite).with(22, description("a.example.com")).octets() +
                        std::move(answer).with(22, description("b.example.com")).octets());
    EXPECT_TRUE(wait_queued(2));
    expect_pdus("no_event", "1");
    expect_pdus("event", "1");
    expect_counted("lihandover_x2x3_sessions{source=\"as-1\"}", "1");
}

TEST_F(DoorTest, ABrokenAttributeCostsNeitherThePayloadNorTheNextPdu) {
    open_door();
    FedStream& stream = connect();
    MadePdu broken = x2("a", "in the broken one");
    broken.attributes = big_endian(8, 2) + big_endian(200, 2) + "few";
    feed(stream, broken.octets() + x2("b", "after it").octets());
    EXPECT_TRUE(wait_queued(4));
    expect_pdus("malformed", "1");
    expect_pdus("event", "1");
}

TEST_F(DoorTest, AnotherVersionEndsTheConnection) {
    open_door();
    FedStream& stream = connect();
    FedStream& other = connect();
    MadePdu later = x2("b");
    later.major = 1;
    feed(stream, x2("a").octets() + later.octets() + x2("c").octets());
    EXPECT_TRUE(ended(1));
    EXPECT_TRUE(wait_queued(2)) << "what came before it counts";
    expect_pdus("malformed", "1");
    feed(other, x2("d").octets());
    EXPECT_TRUE(wait_queued(4));
}

TEST_F(DoorTest, KeepalivesAreAnsweredWhileTheStoreHangs) {
    open_door();
    FedStream& stream = connect();
    store_.mode(TestStore::Mode::hold);
    feed(stream, x2("a").octets() + keepalive(7) + x2("b").octets() + keepalive());
    const std::string answers = (MadePdu{.type = 4, .format = 0, .direction = 0, .xid = {}}.numbered(7).octets()) +
                                MadePdu{.type = 4, .format = 0, .direction = 0, .xid = {}}.octets();
    EXPECT_TRUE(wait_for([&] { return stream.written() == answers; }));
    EXPECT_EQ(queued(), 0U);
    store_.release();
    EXPECT_TRUE(wait_queued(4));
    expect_pdus("keepalive", "2");
}

TEST_F(DoorTest, ReadingStopsWhileTheStoreCannotCommitAndNothingIsLost) {
    settings_.memory = 1U << 20U;
    open_door();
    FedStream& busy = connect();
    FedStream& quiet = connect();
    store_.mode(TestStore::Mode::fail);
    const std::string text(10'000, 'x');
    std::string much;
    constexpr int count = 400;
    for (int n = 0; n < count; ++n) {
        much += x2("call-" + std::to_string(n), text).octets();
    }
    feed(busy, much);
    store_.wait_for_groups(3);  // it is tried again and again
    std::size_t before = 0;
    EXPECT_TRUE(eventually([&] {
        // Until a keepalive's round has changed nothing.
        const std::size_t now = run([&] { return busy.unread(); });
        return std::exchange(before, now) == now;
    }));
    EXPECT_GT(before, much.size() / 2) << "most of it waits outside";
    feed(quiet, keepalive(1) + x2("quiet").octets() + keepalive(2));
    EXPECT_TRUE(wait_for([&] { return quiet.written().size() == 96; })) << "who sends little is read on";
    store_.mode(TestStore::Mode::commit);
    EXPECT_TRUE(wait_queued(2 * (count + 1)));
    expect_pdus("event", std::to_string(count + 1));
}

TEST_F(DoorTest, AStopInThatTimeIsNotHeldUp) {
    open_door();
    FedStream& stream = connect();
    store_.mode(TestStore::Mode::fail);
    feed(stream, x2("a").octets());
    store_.wait_for_groups(2);
    stop_door(false, 10ms);
    EXPECT_EQ(door_, nullptr);
    store_.mode(TestStore::Mode::commit);
}

TEST_F(DoorTest, AStopMakesDurableWhatWasRead) {
    open_door();
    FedStream& stream = connect();
    std::string much;
    for (int n = 0; n < 1000; ++n) {
        much += x2("call-" + std::to_string(n)).octets();
    }
    feed(stream, much);
    stop_door();
    EXPECT_EQ(queued(), 2000U);
}

TEST_F(DoorTest, ARestartGoesOnWithWhatWasNotFinished) {
    open_door();
    feed(connect(), x3(chunk("m1", 1, 20, "the first ", '+')).octets() + x2("after").octets());
    EXPECT_TRUE(wait_queued(2));
    expect_counted("lihandover_x2x3_unfinished_bytes{source=\"as-1\"}", "10");
    EXPECT_GT(kept(), 0U);
    stop_door();
    open_door();
    expect_counted("lihandover_x2x3_unfinished_bytes{source=\"as-1\"}", "10");
    feed(connect(), x3(chunk("m1", 11, 20, "the second", '$')).octets());
    EXPECT_TRUE(wait_queued(4));
    EXPECT_THAT(texts(), ::testing::Contains("the first the second").Times(2));
    EXPECT_TRUE(eventually([&] { return kept() == 0; })) << "nothing needs it any more";
}

TEST_F(DoorTest, WhatIsOpenGoesOutWhenTheListenerGoes) {
    open_door();
    feed(connect(), x3(chunk("m1", 1, 20, "the first ", '+')).octets());
    ASSERT_TRUE(eventually([&] { return kept() > 0; }));
    stop_door(true);
    EXPECT_EQ(queued(), 2U);
    EXPECT_THAT(texts(), UnorderedElementsAre("the first ", "the first "));
    EXPECT_EQ(kept(), 0U);
}

TEST_F(DoorTest, PartialMessagesGoOutInTheirTime) {
    open_door();
    feed(connect(), x3(chunk("m1", 1, 20, "the first ", '+')).octets());
    ASSERT_TRUE(eventually([&] { return kept() > 0; }));
    clock_.advance_steady(61s);
    run([this] { door_->reconfigure(settings_); });  // which looks at what is due
    EXPECT_TRUE(wait_queued(2));
}

TEST_F(DoorTest, TimesThatAreAheadAreDeliveredAndCounted) {
    open_door();
    const auto ahead = static_cast<std::uint64_t>(testing::noon.seconds + 3600);
    feed(connect(), x2("a").with(9, big_endian(ahead, 4) + big_endian(0, 4)).octets() +
                        x2("b").with(9, big_endian(ahead - 3600, 4) + big_endian(0, 4)).octets());
    EXPECT_TRUE(wait_queued(4));
    expect_counted("lihandover_x2x3_times_ahead_total{source=\"as-1\"}", "1");
}

TEST_F(DoorTest, GapsInTheNumbersAreCounted) {
    open_door();
    feed(connect(), x2("a").numbered(0).octets() + x2("b").numbered(2).octets() + x2("c").numbered(3).octets());
    EXPECT_TRUE(wait_queued(6));
    expect_counted("lihandover_x2x3_sequence_gaps_total{source=\"as-1\"}", "1");
    EXPECT_EQ(door_->sequence_gaps(), 1U);
}

TEST_F(DoorTest, ClientsMayBeNamed) {
    settings_.clients = {"of another certificate", "spki:of a key"};
    open_door();
    FedStream& stream = connect();
    feed(stream, x2("a").octets());
    EXPECT_TRUE(wait_queued(2));
    settings_.clients = {"of another certificate", "of a key"};
    run([this] { door_->reconfigure(settings_); });
    connect();
    EXPECT_TRUE(ended(1));
    feed(stream, x2("b").octets());
    EXPECT_TRUE(ended()) << "and the one that was there goes with its next bytes";
    EXPECT_EQ(queued(), 2U);
}

TEST_F(DoorTest, APeerWhoseKeepalivesEndIsLetGo) {
    settings_.keepalive_timeout = 20ms;
    open_door();
    FedStream& silent = connect();
    feed(connect(), keepalive(1));
    EXPECT_TRUE(ended(1));
    feed(silent, x2("a").octets());
    EXPECT_TRUE(wait_queued(2)) << "who never sent any stays";
}

TEST_F(DoorTest, AnObjectThatCannotBeStoredWaits) {
    auto ordered = fed("LIID-1", {xid_of(1)});
    ordered.deliver.binary = true;
    snapshot_.publish(testing::snapshot({ordered}));
    open_door();
    store_.objects().fail_to_finish(true);
    feed(
        connect(), x2("a").octets() + [] {
            MadePdu odd;
            odd.payload = "no SIP at all";
            return odd.octets();
        }());
    EXPECT_TRUE(eventually([&] { return store_.objects().writers() > 2; })) << "it is tried again";
    EXPECT_TRUE(wait_queued(1)) << "what came before it is not held up";
    store_.objects().fail_to_finish(false);
    EXPECT_TRUE(wait_queued(2));
}

TEST_F(DoorTest, AnIdleConnectionHoldsNoneOfTheMemory) {
    settings_.memory = std::size_t{4} << 20U;
    open_door();
    // Together more than the memory, one after the other, and none of them says anything after it.
    const std::string text(900'000, 'x');
    for (std::uint64_t n = 1; n <= 6; ++n) {
        feed(connect(), x2("call-" + std::to_string(n), text).octets());
        ASSERT_TRUE(wait_queued(2 * n)) << n;
    }
}

TEST_F(DoorTest, APduWithoutATimeWasSentWhenItCame) {
    open_door();
    store_.mode(TestStore::Mode::fail);
    feed(connect(), x2("a").octets());
    store_.wait_for_groups(2);
    clock_.advance_wall(1h);
    store_.mode(TestStore::Mode::commit);
    ASSERT_TRUE(wait_queued(2));
    model::Share share;
    ASSERT_TRUE(model::decode_share(store_.items().front().share, share));
    ASSERT_TRUE(share.event.timestamp);
    EXPECT_EQ(share.event.timestamp->instant, testing::noon);
}

TEST_F(DoorTest, APduWithoutATimeWaitsForATrustedClockAndHoldsUpNoOtherConnection) {
    clock_.distrust();
    open_door();
    FedStream& untimed = connect();
    feed(untimed, x2("a").octets() + keepalive(7));
    feed(connect(), x2("b").with(9, big_endian(1'795'342'530, 4) + big_endian(0, 4)).octets());
    ASSERT_TRUE(wait_queued(2));
    EXPECT_TRUE(run([&] { return untimed.written().empty(); })) << "what comes after it is not read either";
    clock_.trust();
    EXPECT_TRUE(wait_queued(4));
    EXPECT_TRUE(wait_for([&] { return !untimed.written().empty(); }));
}

TEST_F(DoorTest, AConnectionThatWaitsForATrustedClockEndsWithTheDoor) {
    clock_.distrust();
    open_door();
    FedStream& untimed = connect();
    feed(untimed, x2("a").octets());
    run([&] { untimed.stop(); });
    EXPECT_TRUE(ended());
    EXPECT_EQ(queued(), 0U);
}

TEST_F(DoorTest, APduOfManyTasksIsNotOneCommit) {
    open_door();
    feed(connect(), x3(chunk("m1", 1, 20'000'000, std::string(5'000'000, 'x'), '+'))
                        .with(21, octets_of(xid_of(2)) + big_endian(7, 8))
                        .with(21, octets_of(xid_of(3)) + big_endian(7, 8))
                        .octets());
    EXPECT_TRUE(eventually([&] { return kept() == 3; }));
    expect_pdus("no_event", "1");
    EXPECT_GE(store_.groups().size(), 2U) << "15 MB are more than is taken at once";
}

TEST_F(DoorTest, UnfinishedMessagesGoOutBeforeTheyTakeTooMuchRoom) {
    settings_.most_kept = 10'000;
    open_door();
    FedStream& stream = connect();
    for (int n = 0; n < 8; ++n) {
        feed(stream, x3(chunk("m" + std::to_string(n), 1, 5000, std::string(2000, 'x'), '+')).octets());
    }
    EXPECT_TRUE(eventually([&] { return queued() >= 8; })) << "four of them, for two warrants each";
    EXPECT_LE(kept(), 4U);
    EXPECT_GT(kept(), 0U);
}

TEST_F(DoorTest, WhatIsKeptOfConferencesTakesNoRoomOfMessages) {
    settings_.most_kept = 10'000;
    open_door();
    FedStream& stream = connect();
    const std::string roster =
        R"(<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:room@focus.example.com" )"
        R"(state="full" version="1"><conference-description><subject>)" +
        std::string(12'000, 's') + "</subject></conference-description></conference-info>";
    MadePdu notify;
    notify.payload =
        "NOTIFY sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/TCP f.example.com;branch=z9hG4bKn\r\n"
        "From: <sip:room@focus.example.com>;tag=f\r\nTo: <sip:alice@example.com>;tag=1\r\nCall-ID: roster\r\n"
        "CSeq: 1 NOTIFY\r\nEvent: conference\r\nSubscription-State: active\r\n"
        "Content-Type: application/conference-info+xml\r\nContent-Length: " +
        std::to_string(roster.size()) + "\r\n\r\n" + roster;
    feed(stream, notify.octets());
    ASSERT_TRUE(eventually([&] { return kept() > 0; }));
    const std::string half(2000, 'x');
    feed(stream, x3(chunk("m1", 1, 4000, half, '+')).octets());
    feed(stream, x3(chunk("m1", 2001, 4000, half, '$')).octets());
    EXPECT_TRUE(eventually([&] { return std::ranges::count(texts(), half + half) == 2; }));
    EXPECT_EQ(std::ranges::count(texts(), half), 0);
}

TEST_F(DoorTest, APduThatWaitedForRoomHoldsNoneWhereItsWarrantHasEnded) {
    settings_.memory = std::size_t{4} << 20U;
    open_door();
    store_.mode(TestStore::Mode::fail);
    const std::string text(900'000, 'x');
    std::size_t sent = 0;
    for (int n = 0; n < 3; ++n) {
        const std::string octets = x2("before-" + std::to_string(n), text).octets();
        sent += octets.size();
        feed(connect(), octets);
    }
    expect_counted("lihandover_intake_received_bytes_total{source=\"as-1\"}", std::to_string(sent));
    store_.wait_for_groups(3);
    run([] {});  // the third has been judged, and waits
    const auto ordered = snapshot_.get();
    snapshot_.publish(testing::snapshot({}));
    store_.mode(TestStore::Mode::commit);
    expect_pdus("event", "3");
    snapshot_.publish(ordered);
    const std::uint64_t before = queued();
    for (std::uint64_t n = 1; n <= 4; ++n) {
        feed(connect(), x2("after-" + std::to_string(n), text).octets());
        ASSERT_TRUE(wait_queued(before + (2 * n))) << n;
    }
}

TEST_F(DoorTest, WhatIsDroppedSinceItsWarrantWentIsNoRepeatOnceItIsBack) {
    open_door();
    FedStream& stream = connect();
    store_.mode(TestStore::Mode::fail);
    feed(stream, x2("first").octets());
    store_.wait_for_groups(1);
    // Read while its warrants are in force, and matched when they have gone: what is before it is not durable yet.
    feed(stream, x2("second").octets() + x3(chunk("m1", 1, 10, "first", '+')).octets() +
                     x3(chunk("m2", 1, 5, "whole", '$')).octets());
    ASSERT_TRUE(wait_for([&] { return stream.unread() == 0; }));
    const auto ordered = snapshot_.get();
    snapshot_.publish(testing::snapshot({}));
    store_.mode(TestStore::Mode::commit);
    expect_pdus("event", "3");
    EXPECT_TRUE(wait_queued(2));
    snapshot_.publish(ordered);
    feed(stream, x2("first").octets() + x2("second").octets() + x3(chunk("m1", 1, 10, "first", '+')).octets() +
                     x3(chunk("m1", 6, 10, " last", '$')).octets() + x3(chunk("m2", 1, 5, "whole", '$')).octets());
    EXPECT_TRUE(wait_queued(8));
    EXPECT_EQ(std::ranges::count(texts(), "first last"), 2);
    EXPECT_EQ(std::ranges::count(texts(), "whole"), 2);
}

TEST_F(DoorTest, NothingIsKeptOfATaskWhoseLastWarrantHasGone) {
    open_door();
    FedStream& stream = connect();
    feed(stream, x3(chunk("m1", 1, 10, "first", '+')).octets());
    MadePdu other = x3(chunk("m1", 1, 10, "other", '+'));
    other.xid = xid_of(3);
    feed(stream, other.octets());
    EXPECT_TRUE(eventually([&] { return kept() == 2; }));
    snapshot_.publish(testing::snapshot({fed("LIID-3", {xid_of(3)})}));
    other.payload = page_message("next", "next");
    other.type = 1;
    other.format = 9;
    feed(stream, other.octets());
    EXPECT_TRUE(eventually([&] { return kept() == 1; }));
    EXPECT_TRUE(wait_queued(1));
}

std::shared_ptr<Snapshot> version(std::uint64_t state, const std::vector<warrants::Warrant>& all) {
    auto made = testing::snapshot(all);
    made->warrants = state;
    return made;
}

TEST_F(DoorTest, WhileNewerWarrantsMayListATaskNothingOfItIsDropped) {
    snapshot_.publish(version(1, {fed("LIID-1", {xid_of(1)})}));
    store_.require_warrants(2);
    open_door();
    FedStream& stream = connect();
    MadePdu added = x2("a");
    added.xid = xid_of(9);
    feed(stream, keepalive(1) + added.octets());
    ASSERT_TRUE(wait_for([&] { return !stream.written().empty(); })) << "keepalives before it are answered";
    EXPECT_EQ(pdus("unknown_xid"), "0");
    snapshot_.publish(version(2, {fed("LIID-1", {xid_of(9)})}));
    EXPECT_TRUE(wait_queued(1));
    EXPECT_EQ(pdus("unknown_xid"), "0");
}

TEST_F(DoorTest, CopiesThatWereMatchedWithOlderWarrantsAreMatchedAnew) {
    snapshot_.publish(version(1, {fed("LIID-1", {xid_of(1)})}));
    open_door();
    FedStream& stream = connect();
    store_.before_next_matched([this] { store_.require_warrants(2); });
    feed(stream, x2("a").octets() + x3(chunk("m1", 1, 10, "first", '+')).octets());
    store_.wait_for_groups(1);
    // Of what was revoked nothing is intercepted, and nothing of what was added is missed.
    snapshot_.publish(version(2, {fed("LIID-2", {xid_of(1)}), fed("LIID-3", {xid_of(1)})}));
    EXPECT_TRUE(wait_queued(2));
    ASSERT_THAT(store_.groups(), SizeIs(2));
    EXPECT_THAT(store_.groups()[1], SizeIs(2));
    EXPECT_TRUE(eventually([&] { return kept() == 1; })) << "what is not finished yet is kept";
    feed(stream, x3(chunk("m1", 6, 10, " last", '$')).octets());
    EXPECT_TRUE(wait_queued(4));
    expect_counted("lihandover_events_received_total{source=\"as-1\"}", "2");
    expect_counted("lihandover_events_accepted_total{source=\"as-1\"}", "2");
}

TEST_F(DoorTest, OfATaskThatWasRevokedNothingIsCommitted) {
    snapshot_.publish(version(1, {fed("LIID-1", {xid_of(1)})}));
    open_door();
    FedStream& stream = connect();
    store_.before_next_matched([this] { store_.require_warrants(2); });
    feed(stream, x2("a").octets());
    store_.wait_for_groups(1);
    snapshot_.publish(version(2, {}));
    expect_counted("lihandover_events_accepted_total{source=\"as-1\"}", "1");
    EXPECT_EQ(queued(), 0U);
}

}  // namespace
}  // namespace lihandover::intake
