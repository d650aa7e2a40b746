#include "lihandover/intake/http/body_budget.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <vector>

namespace lihandover::intake {
namespace {

namespace asio = boost::asio;

// A body that takes bytes step by step, each step when told to.
class Body {
  public:
    Body(asio::io_context& io, BodyBudget& budget) : io_(io), share_(std::make_unique<BodyBudget::Share>(budget)) {}

    void take(std::size_t bytes) {
        asio::co_spawn(io_, run(bytes), asio::detached);
        io_.restart();
        io_.poll();
    }
    void end() {
        share_.reset();
        io_.restart();
        io_.poll();
    }
    [[nodiscard]] int taken() const { return taken_; }
    [[nodiscard]] int refused() const { return refused_; }
    std::chrono::milliseconds limit{std::chrono::hours(1)};
    [[nodiscard]] std::size_t held() const { return share_->held(); }

  private:
    asio::awaitable<void> run(std::size_t bytes) {
        const bool taken = co_await share_->take(bytes, limit);
        ++(taken ? taken_ : refused_);
    }

    asio::io_context& io_;
    std::unique_ptr<BodyBudget::Share> share_;
    int taken_ = 0;
    int refused_ = 0;
};

class BodyBudgetTest : public ::testing::Test {
  protected:
    asio::io_context io_;
    BodyBudget budget_{io_.get_executor(), 1000, 100};
};

TEST_F(BodyBudgetTest, GivesWhatThereIsAndTakesItBack) {
    Body body(io_, budget_);
    body.take(600);
    body.take(400);
    EXPECT_EQ(body.taken(), 2);
    EXPECT_EQ(budget_.held(), 1000U);
    body.end();
    EXPECT_EQ(budget_.held(), 0U);
}

TEST_F(BodyBudgetTest, ABodyWaitsForABoundedTime) {
    Body large(io_, budget_);
    large.take(1000);
    Body privileged(io_, budget_);
    privileged.take(600);  // beyond the budget, so that one of them ends
    Body last(io_, budget_);
    last.limit = std::chrono::milliseconds(1);
    last.take(600);
    EXPECT_EQ(last.taken(), 0);
    io_.restart();
    io_.run();
    EXPECT_EQ(last.refused(), 1);
    EXPECT_EQ(budget_.waiting(), 0U);
    EXPECT_EQ(budget_.held(), 1600U);
    large.end();
    privileged.end();
    last.take(600);
    EXPECT_EQ(last.taken(), 1) << "and may try again";
}

TEST_F(BodyBudgetTest, TakesAtOnceOrNotAtAll) {
    BodyBudget::Share first(budget_);
    BodyBudget::Share second(budget_);
    EXPECT_TRUE(first.try_take(900));
    EXPECT_FALSE(second.try_take(200));
    EXPECT_EQ(second.held(), 0U);
    EXPECT_TRUE(second.try_take(100));
    EXPECT_EQ(budget_.held(), 1000U);
}

TEST_F(BodyBudgetTest, NeverKeepsSmallBodiesWaiting) {
    Body large(io_, budget_);
    large.take(1000);
    std::vector<std::unique_ptr<Body>> small;
    for (int i = 0; i < 50; ++i) {
        small.push_back(std::make_unique<Body>(io_, budget_));
        small.back()->take(60);
        small.back()->take(40);
        EXPECT_EQ(small.back()->taken(), 2);
    }
}

TEST_F(BodyBudgetTest, LetsTheFirstThatWaitsGoOnAlone) {
    Body a(io_, budget_);
    Body b(io_, budget_);
    Body c(io_, budget_);
    a.take(500);
    b.take(500);
    b.take(300);  // first to wait: may exceed the budget
    EXPECT_EQ(b.taken(), 2);
    a.take(300);
    c.take(300);
    EXPECT_EQ(a.taken(), 1);
    EXPECT_EQ(c.taken(), 0);
    EXPECT_EQ(budget_.waiting(), 2U);
    b.take(5000);
    EXPECT_EQ(b.taken(), 3);
    b.end();
    EXPECT_EQ(a.taken(), 2);
    // 800 held: the next in line does not fit, but nobody else exceeds the budget now.
    EXPECT_EQ(c.taken(), 1);
    EXPECT_EQ(budget_.held(), 1100U);
    a.end();
    c.end();
    EXPECT_EQ(budget_.held(), 0U);
}

TEST_F(BodyBudgetTest, ServesInTheOrderOfArrival) {
    Body first(io_, budget_);
    first.take(1000);
    first.take(500);  // exceeds the budget
    Body second(io_, budget_);
    Body third(io_, budget_);
    second.take(900);
    third.take(101);
    EXPECT_EQ(second.taken() + third.taken(), 0);
    first.end();
    EXPECT_EQ(second.taken(), 1);
    EXPECT_EQ(third.taken(), 1);  // beyond the budget by one byte, and alone in that
    Body fourth(io_, budget_);
    fourth.take(200);
    EXPECT_EQ(fourth.taken(), 0);
    third.end();
    EXPECT_EQ(fourth.taken(), 1);
    second.end();
    fourth.end();
}

asio::awaitable<void> take(BodyBudget::Share& share, std::size_t bytes) {
    const bool taken = co_await share.take(bytes, std::chrono::hours(1));
    EXPECT_TRUE(taken);
}

TEST(BodyBudgetEndTest, ForgetsWhoNoLongerWaits) {
    auto io = std::make_unique<asio::io_context>();
    BodyBudget budget(io->get_executor(), 10, 0);
    BodyBudget::Share holder(budget);
    BodyBudget::Share waiter(budget);
    asio::co_spawn(*io, take(holder, 10), asio::detached);
    asio::co_spawn(*io, take(holder, 10), asio::detached);
    asio::co_spawn(*io, take(waiter, 10), asio::detached);
    io->poll();
    EXPECT_EQ(budget.waiting(), 1U);
    io.reset();  // and with it the coroutine that waits
    EXPECT_EQ(budget.waiting(), 0U);
    EXPECT_EQ(budget.held(), 20U);
}

}  // namespace
}  // namespace lihandover::intake
