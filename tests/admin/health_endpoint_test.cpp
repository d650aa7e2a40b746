#include <gmock/gmock.h>

#include "../support/eventually.hpp"
#include "lihandover/http/client.hpp"
#include "support.hpp"

namespace lihandover::admin::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class HealthEndpointTest : public AdminTest {
  protected:
    http::Answer ask(std::string target, std::string method = "GET") {
        const auto url = http::parse_url("http://127.0.0.1:" + std::to_string(admin_->metrics_port()) + "/");
        boost::asio::io_context io;
        http::Connector connector(io.get_executor(), *url, nullptr);
        std::optional<http::Answer> answer;
        boost::asio::co_spawn(io, exchange(connector, std::move(target), std::move(method), answer), rethrow);
        while (!answer) {
            if (io.run_one() == 0) {
                throw std::runtime_error("no answer");
            }
        }
        return std::move(*answer);
    }

  private:
    static boost::asio::awaitable<void> exchange(http::Connector& to, std::string target, std::string method,
                                                 std::optional<http::Answer>& out) {
        auto connected = co_await to.connect();
        if (!connected) {
            throw std::runtime_error(connected.error().message);
        }
        http::Request request;
        request.method = method;
        request.target = target;
        auto answer = co_await connected->exchange(request);
        if (!answer) {
            throw std::runtime_error(answer.error().message);
        }
        out.emplace(std::move(*answer));
    }
    static void rethrow(const std::exception_ptr& failure) {
        if (failure) {
            std::rethrow_exception(failure);
        }
    }
};

/// An audit record that is not read before it is let go.
class SlowRecord final : public store::AuditLog {
  public:
    explicit SlowRecord(store::AuditLog& real) : real_(real) {}
    void configure(Settings settings) override { real_.configure(std::move(settings)); }
    [[nodiscard]] audit::Head head() const override {
        if (head_hangs.exchange(false)) {
            begun.set_value();
            let_go.get_future().wait();
        }
        return real_.head();
    }
    [[nodiscard]] model::Result<Range> range(std::optional<model::Instant> since,
                                             std::optional<model::Instant> until) override {
        return real_.range(since, until);
    }
    [[nodiscard]] model::Result<Read> read(const Place& from, std::uint64_t to, std::size_t limit,
                                           Visitor& visitor) override {
        begun.set_value();
        let_go.get_future().wait();
        return real_.read(from, to, limit, visitor);
    }
    [[nodiscard]] model::Status record_head(const audit::Hash& chain, const audit::Head& head,
                                            const std::string& who) override {
        return real_.record_head(chain, head, who);
    }

    mutable std::atomic<bool> head_hangs = false;  ///< the next time that it is asked for
    mutable std::promise<void> begun;
    mutable std::promise<void> let_go;

  private:
    store::AuditLog& real_;
};

TEST_F(HealthEndpointTest, MetricsDoNotWaitForWhatPeopleAsk) {
    SlowRecord slow(store_.audit());
    start({control_, store_.items(), slow, store_.sealing(), store_.profiles(), store_.intake(), metrics_, clock_,
           workers_.get_executor(), store_.objects()});
    auto person = std::async(std::launch::async, [this] { return get("/v1/audit").status; });
    slow.begun.get_future().wait();
    auto scrape = std::async(std::launch::async, [this] { return ask("/metrics").status; });
    EXPECT_EQ(scrape.wait_for(std::chrono::seconds(60)), std::future_status::ready);
    slow.let_go.set_value();
    EXPECT_EQ(scrape.get(), 200U);
    EXPECT_EQ(person.get(), 200U);
}

TEST_F(HealthEndpointTest, ScrapesThatHangHoldUpNothingElse) {
    SlowRecord slow(store_.audit());
    start({control_, store_.items(), slow, store_.sealing(), store_.profiles(), store_.intake(), metrics_, clock_,
           workers_.get_executor(), store_.objects()});
    slow.head_hangs = true;
    auto first = std::async(std::launch::async, [this] { return ask("/metrics").status; });
    slow.begun.get_future().wait();
    const int asked = control_.asked;
    auto second = std::async(std::launch::async, [this] { return ask("/metrics").status; });
    ASSERT_TRUE(lihandover::test::eventually([&] { return control_.asked > asked; }));
    // The thread of both takes events in, too.
    auto other = std::async(std::launch::async, [this] { return ask("/healthz").status; });
    EXPECT_EQ(other.wait_for(std::chrono::seconds(60)), std::future_status::ready);
    slow.let_go.set_value();
    EXPECT_EQ(first.get(), 200U);
    EXPECT_EQ(second.get(), 200U);
    EXPECT_EQ(other.get(), 200U);
}

TEST_F(HealthEndpointTest, IsHealthyAsLongAsItAnswers) {
    control_.now = Stage::starting;
    start();
    const auto answer = ask("/healthz");
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.body, "ok\n");
}

TEST_F(HealthEndpointTest, IsReadyOnlyWhenTheStoreAcceptsAndTheStartIsComplete) {
    control_.now = Stage::starting;
    start();
    EXPECT_EQ(ask("/readyz").status, 503U);
    EXPECT_EQ(ask("/readyz").body, "starting\n");
    EXPECT_THAT(ask("/metrics").body, HasSubstr("lihandover_ready 0"));
    control_.now = Stage::running;
    EXPECT_EQ(ask("/readyz").status, 200U);
    EXPECT_EQ(ask("/readyz").body, "ready\n");
    EXPECT_THAT(ask("/metrics").body, HasSubstr("lihandover_ready 1"));
    control_.follows = false;
    EXPECT_EQ(ask("/readyz").status, 503U);
    EXPECT_EQ(ask("/readyz").body, "warrants\n");
    store_.accept_items(false);
    EXPECT_EQ(ask("/readyz").status, 503U);
    EXPECT_EQ(ask("/readyz").body, "store\n");
    control_.now = Stage::stopping;
    EXPECT_EQ(ask("/readyz").body, "stopping\n");
}

TEST_F(HealthEndpointTest, CountsWhatWaitsExactly) {
    store_.add(store::ItemState::queued);
    start();
    store_.add(store::ItemState::queued);
    store_.add(store::ItemState::refused);
    store_.add(store::ItemState::held, "lea-three");
    store_.add(store::ItemState::set_aside);
    store_.add(store::ItemState::delivered);
    const auto answer = ask("/metrics");
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(answer.body, HasSubstr(R"(lihandover_outbox_items{destination="lea-one",state="queued"} 2)"));
    EXPECT_THAT(answer.body, HasSubstr(R"(lihandover_outbox_items{destination="lea-one",state="refused"} 1)"));
    EXPECT_THAT(answer.body, HasSubstr(R"(lihandover_outbox_items{destination="lea-one",state="held"} 0)"));
    EXPECT_THAT(answer.body, HasSubstr(R"(lihandover_outbox_items{destination="lea-one",state="set_aside"} 1)"));
    EXPECT_THAT(answer.body, HasSubstr(R"(lihandover_outbox_items{destination="lea-two",state="queued"} 0)"))
        << "a destination of which nothing waits counts zero";
    EXPECT_THAT(answer.body, HasSubstr(R"(lihandover_outbox_items{destination="lea-three",state="held"} 1)"));
    store_.add(store::ItemState::queued);
    EXPECT_THAT(ask("/metrics").body, HasSubstr(R"(lihandover_outbox_items{destination="lea-one",state="queued"} 3)"));
}

TEST_F(HealthEndpointTest, ToldAgesAreThoseOfTheOldestQueuedItem) {
    store_.add(store::ItemState::queued);  // 100 s before the clock's time
    start();
    EXPECT_THAT(ask("/metrics").body,
                HasSubstr(R"(_oldest_age_seconds{destination="lea-one",priority="routine"} 100)"));
    EXPECT_THAT(ask("/metrics").body,
                HasSubstr(R"(_oldest_age_seconds{destination="lea-one",priority="emergency"} 0)"));
    for (const auto* priority : {"emergency", "routine"}) {
        EXPECT_THAT(ask("/metrics").body, HasSubstr(R"(_oldest_age_seconds{destination="lea-two",priority=")" +
                                                    std::string(priority) + R"("} 0)"));
    }
    store_.add(store::ItemState::queued, "lea-one", "LIID-2", [](store::ItemView& item) {
        item.emergency = true;
        item.received_at.seconds += 60;
    });
    EXPECT_THAT(ask("/metrics").body,
                HasSubstr(R"(_oldest_age_seconds{destination="lea-one",priority="routine"} 100)"));
    EXPECT_THAT(ask("/metrics").body,
                HasSubstr(R"(_oldest_age_seconds{destination="lea-one",priority="emergency"} 40)"));
    // Where the store cannot be read, it waits on, and nothing else is 0; the counts stay.
    store_.fail_reads();
    clock_.advance(std::chrono::seconds(50));
    const std::string body = ask("/metrics").body;
    EXPECT_THAT(body, HasSubstr(R"(lihandover_outbox_items{destination="lea-one",state="queued"} 2)"));
    EXPECT_THAT(body, HasSubstr(R"(_oldest_age_seconds{destination="lea-one",priority="routine"} 150)"));
    EXPECT_THAT(body, HasSubstr(R"(_oldest_age_seconds{destination="lea-one",priority="emergency"} 90)"));
    EXPECT_THAT(body, HasSubstr(R"(_oldest_age_seconds{destination="lea-two",priority="routine"} 0)"));
}

TEST_F(HealthEndpointTest, WhatIsHeldForTooLongIsToldWhileTheStoreCannotBeRead) {
    control_.answer.review_alarm = std::chrono::seconds(50);
    store_.add(store::ItemState::held);
    start();
    EXPECT_THAT(ask("/metrics").body, HasSubstr("lihandover_review_overdue_items 1"));
    store_.fail_reads();
    EXPECT_THAT(ask("/metrics").body, HasSubstr("lihandover_review_overdue_items 1"));
}

TEST_F(HealthEndpointTest, NoAgeIsToldThatNobodyKnows) {
    store_.add(store::ItemState::queued);
    store_.fail_reads();
    start();
    EXPECT_THAT(ask("/metrics").body, Not(HasSubstr(R"(_oldest_age_seconds{destination="lea-one")")));
}

TEST_F(HealthEndpointTest, TellsNothingOfItems) {
    const auto item = store_.add(store::ItemState::refused, "lea-one", "SECRET-LIID");
    control_.add_warrant("lea-one", "SECRET-LIID");
    start();
    for (const auto* target : {"/metrics", "/healthz", "/readyz", "/v1/items", "/v1/status", "/"}) {
        const auto body = ask(target).body;
        EXPECT_THAT(body, Not(HasSubstr("SECRET-LIID"))) << target;
        EXPECT_THAT(body, Not(HasSubstr("says the LEA"))) << target;
        EXPECT_THAT(body, Not(HasSubstr("secret-target"))) << target;
        EXPECT_THAT(body, Not(HasSubstr(item.object_id.to_string()))) << target;
    }
}

TEST_F(HealthEndpointTest, AnswersAsHttpMeansIt) {
    start();
    EXPECT_EQ(ask("/nowhere").status, 404U);
    const auto posted = ask("/metrics", "POST");
    EXPECT_EQ(posted.status, 405U);
    EXPECT_EQ(posted.header("Allow"), "GET");
    EXPECT_EQ(ask("/metrics?x=1").status, 200U);
}

}  // namespace
}  // namespace lihandover::admin::test
