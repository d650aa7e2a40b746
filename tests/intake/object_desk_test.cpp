#include "object_desk.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "support.hpp"

namespace lihandover::intake {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

class ObjectDeskTest : public ::testing::Test {
  protected:
    ObjectDeskTest() { set_wait(1h); }

    void set_wait(std::chrono::milliseconds wait) {
        auto next = testing::snapshot({});
        next->limits.object_wait = wait;
        current_.publish(next);
    }
    ObjectDesk::Sealed object(const std::string& bytes = "x") {
        return std::make_shared<testing::FakeObjects::Sealed>(bytes, model::Sha256{}, alive_);
    }
    // Lets go of what the workers were left.
    void settle() {
        workers_.restart();
        workers_.poll();
    }

    std::atomic<int> alive_ = 0;
    testing::FixedClock clock_;
    CurrentSnapshot current_{testing::snapshot({})};
    asio::io_context io_;
    asio::io_context workers_;
    ObjectDesk desk_{current_, clock_, io_.get_executor(), workers_.get_executor(), 3};
};

TEST_F(ObjectDeskTest, ALaterObjectTakesThePlaceOfAnEarlierOne) {
    EXPECT_EQ(desk_.put("a", object("1")), ObjectDesk::Put::added);
    EXPECT_EQ(desk_.put("a", object("2")), ObjectDesk::Put::replaced);
    ASSERT_TRUE(desk_.find("a"));
    EXPECT_EQ(testing::bytes_of(desk_.find("a")), "2");
    EXPECT_EQ(desk_.find("b"), nullptr);
    EXPECT_EQ(desk_.size(), 1U);
    EXPECT_EQ(alive_, 2) << "files are not removed on this thread";
    settle();
    EXPECT_EQ(alive_, 1);
}

TEST_F(ObjectDeskTest, HasBoundedRoom) {
    for (const char* const id : {"a", "b", "c"}) {
        EXPECT_EQ(desk_.put(id, object()), ObjectDesk::Put::added);
    }
    EXPECT_FALSE(desk_.has_room("d"));
    EXPECT_EQ(desk_.put("d", object()), ObjectDesk::Put::full);
    EXPECT_TRUE(desk_.has_room("a"));
    EXPECT_EQ(desk_.put("a", object()), ObjectDesk::Put::replaced);
    {
        ObjectDesk::Claims claims(desk_);
        claims.take("a");
        EXPECT_FALSE(desk_.has_room("d")) << "it may come back";
        claims.use_up();
        EXPECT_TRUE(desk_.has_room("d"));
    }
    EXPECT_EQ(desk_.put("d", object()), ObjectDesk::Put::added);
    settle();
    EXPECT_EQ(alive_, 3);
}

TEST_F(ObjectDeskTest, ClaimedObjectsComeBackUnlessTheyAreUsedUp) {
    desk_.put("a", object("1"));
    desk_.put("b", object("2"));
    {
        ObjectDesk::Claims claims(desk_);
        claims.take("a");
        EXPECT_EQ(desk_.find("a"), nullptr);
        EXPECT_TRUE(desk_.find("b"));
    }
    EXPECT_TRUE(desk_.find("a"));
    {
        ObjectDesk::Claims claims(desk_);
        claims.take("a");
        claims.use_up();
    }
    EXPECT_EQ(desk_.find("a"), nullptr);
    EXPECT_TRUE(desk_.find("b"));
}

TEST_F(ObjectDeskTest, AnObjectUploadedMeanwhileStays) {
    desk_.put("a", object("1"));
    {
        ObjectDesk::Claims claims(desk_);
        claims.take("a");
        EXPECT_EQ(desk_.put("a", object("2")), ObjectDesk::Put::added);
    }
    EXPECT_EQ(testing::bytes_of(desk_.find("a")), "2");
    EXPECT_EQ(desk_.size(), 1U);
}

TEST_F(ObjectDeskTest, ObjectsThatNobodyNamesGo) {
    desk_.put("a", object());
    clock_.advance(30min);
    desk_.put("b", object());
    {
        ObjectDesk::Claims claims(desk_);
        claims.take("a");
        clock_.advance(20min);
    }
    EXPECT_TRUE(desk_.find("a")) << "back in its place by age";
    clock_.advance(11min);
    EXPECT_EQ(desk_.find("a"), nullptr);
    EXPECT_TRUE(desk_.find("b"));
    set_wait(10min);
    EXPECT_EQ(desk_.find("b"), nullptr) << "a reload counts at once";
    settle();
    EXPECT_EQ(alive_, 0);
}

TEST_F(ObjectDeskTest, ClaimsComeBackInTheirOrderByAge) {
    ObjectDesk desk(current_, clock_, io_.get_executor(), workers_.get_executor());
    const std::array<std::string, 6> ids = {"a", "b", "c", "d", "e", "f"};
    for (const std::string& id : ids) {
        desk.put(id, object(id));
        clock_.advance(1min);
    }
    {
        ObjectDesk::Claims claims(desk);
        for (const char* const id : {"f", "b", "e", "a", "d"}) {
            claims.take(id);
        }
        EXPECT_EQ(desk.put("e", object("new")), ObjectDesk::Put::added);
        EXPECT_EQ(desk.size(), 2U);
    }
    EXPECT_EQ(desk.size(), 6U);
    EXPECT_EQ(testing::bytes_of(desk.find("e")), "new");
    clock_.advance(53min + 30s);  // `a` is half a minute short of an hour
    std::size_t left = 6;
    for (const char* const id : {"a", "b", "c", "d"}) {
        EXPECT_TRUE(desk.find(id)) << id;
        clock_.advance(1min);
        EXPECT_FALSE(desk.find(id)) << id;
        EXPECT_EQ(desk.size(), --left);
    }
    clock_.advance(1min);
    EXPECT_EQ(desk.size(), 2U) << "`e` is the new one";
    clock_.advance(1min);
    EXPECT_FALSE(desk.find("f"));
    EXPECT_TRUE(desk.find("e"));
    desk.clear();
}

TEST_F(ObjectDeskTest, TheyGoWithoutAnybodyAsking) {
    set_wait(20ms);
    desk_.put("a", object());
    clock_.advance(1h);
    io_.run();  // ends with the timer
    EXPECT_EQ(desk_.size(), 0U);
    settle();
    EXPECT_EQ(alive_, 0);
    io_.restart();
    desk_.put("b", object());
    clock_.advance(1h);
    io_.run();
    EXPECT_EQ(desk_.size(), 0U) << "and again";
}

TEST_F(ObjectDeskTest, ClearingEndsTheTimer) {
    desk_.put("a", object());
    desk_.clear();
    io_.run();  // would last a minute
    EXPECT_EQ(desk_.size(), 0U);
    settle();
    EXPECT_EQ(alive_, 0);
}

}  // namespace
}  // namespace lihandover::intake
