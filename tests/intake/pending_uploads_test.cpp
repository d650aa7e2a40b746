#include "http/pending_uploads.hpp"

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

class PendingUploadsTest : public ::testing::Test {
  protected:
    PendingUploadsTest() { set_wait(1h); }

    void set_wait(std::chrono::milliseconds wait) {
        auto next = testing::snapshot({});
        next->limits.object_wait = wait;
        current_.publish(next);
    }
    PendingUploads::Sealed object(const std::string& bytes = "x") { return objects_->seal(bytes); }
    // Lets go of what the workers were left.
    void settle() {
        workers_.restart();
        workers_.poll();
    }

    std::shared_ptr<store::test::FakeObjects> objects_ = std::make_shared<store::test::FakeObjects>();
    lihandover::test::ManualClock clock_{testing::noon};
    CurrentSnapshot current_{testing::snapshot({})};
    asio::io_context io_;
    asio::io_context workers_;
    PendingUploads uploads_{current_, clock_, io_.get_executor(), workers_.get_executor(), nullptr, 3};
};

TEST_F(PendingUploadsTest, ALaterObjectTakesThePlaceOfAnEarlierOne) {
    EXPECT_EQ(uploads_.put("a", object("1")), PendingUploads::Put::added);
    EXPECT_EQ(uploads_.put("a", object("2")), PendingUploads::Put::replaced);
    ASSERT_TRUE(uploads_.find("a"));
    EXPECT_EQ(testing::bytes_of(uploads_.find("a")), "2");
    EXPECT_EQ(uploads_.find("b"), nullptr);
    EXPECT_EQ(uploads_.size(), 1U);
    EXPECT_EQ(objects_->alive(), 2) << "files are not removed on this thread";
    settle();
    EXPECT_EQ(objects_->alive(), 1);
}

TEST_F(PendingUploadsTest, HasBoundedRoom) {
    for (const char* const id : {"a", "b", "c"}) {
        EXPECT_EQ(uploads_.put(id, object()), PendingUploads::Put::added);
    }
    EXPECT_FALSE(uploads_.has_room("d"));
    EXPECT_EQ(uploads_.put("d", object()), PendingUploads::Put::full);
    EXPECT_TRUE(uploads_.has_room("a"));
    EXPECT_EQ(uploads_.put("a", object()), PendingUploads::Put::replaced);
    {
        PendingUploads::Claims claims(uploads_);
        claims.take("a");
        EXPECT_FALSE(uploads_.has_room("d")) << "it may come back";
        claims.use_up();
        EXPECT_TRUE(uploads_.has_room("d"));
    }
    EXPECT_EQ(uploads_.put("d", object()), PendingUploads::Put::added);
    settle();
    EXPECT_EQ(objects_->alive(), 3);
}

TEST_F(PendingUploadsTest, ClaimedObjectsComeBackUnlessTheyAreUsedUp) {
    uploads_.put("a", object("1"));
    uploads_.put("b", object("2"));
    {
        PendingUploads::Claims claims(uploads_);
        claims.take("a");
        EXPECT_EQ(uploads_.find("a"), nullptr);
        EXPECT_TRUE(uploads_.find("b"));
    }
    EXPECT_TRUE(uploads_.find("a"));
    {
        PendingUploads::Claims claims(uploads_);
        claims.take("a");
        claims.use_up();
    }
    EXPECT_EQ(uploads_.find("a"), nullptr);
    EXPECT_TRUE(uploads_.find("b"));
}

TEST_F(PendingUploadsTest, AnObjectUploadedMeanwhileStays) {
    uploads_.put("a", object("1"));
    {
        PendingUploads::Claims claims(uploads_);
        claims.take("a");
        EXPECT_EQ(uploads_.put("a", object("2")), PendingUploads::Put::added);
    }
    EXPECT_EQ(testing::bytes_of(uploads_.find("a")), "2");
    EXPECT_EQ(uploads_.size(), 1U);
}

TEST_F(PendingUploadsTest, CountsTheBytesThatWaitAreClaimedOrOnTheirWay) {
    {
        PendingUploads::Arriving arriving(uploads_);
        EXPECT_TRUE(arriving.take(7));
        EXPECT_EQ(uploads_.held(), 7U);
    }
    EXPECT_EQ(uploads_.held(), 0U);
    uploads_.put("a", object("123"));
    uploads_.put("b", object("45"));
    uploads_.put("a", object("6"));
    EXPECT_EQ(uploads_.held(), 3U);
    {
        PendingUploads::Claims claims(uploads_);
        claims.take("a");
        claims.take("b");
        EXPECT_EQ(uploads_.held(), 3U);
    }
    EXPECT_EQ(uploads_.held(), 3U);
    {
        PendingUploads::Claims claims(uploads_);
        claims.take("b");
        claims.use_up();
        EXPECT_EQ(uploads_.held(), 1U);
    }
    clock_.advance_steady(2h);
    EXPECT_EQ(uploads_.find("a"), nullptr);
    EXPECT_EQ(uploads_.held(), 0U);
    {
        uploads_.put("c", object("12"));
        PendingUploads::Claims claims(uploads_);
        claims.take("c");
        uploads_.close();
    }
    EXPECT_EQ(uploads_.held(), 0U);
}

TEST_F(PendingUploadsTest, BesideOthersASourceHasNoMoreThanItLeaves) {
    store::test::FakeStore store(clock_);
    PendingUploads uploads(current_, clock_, io_.get_executor(), workers_.get_executor(), &store.object_intake());
    store.leave_room(100);
    PendingUploads::Arriving first(uploads);
    EXPECT_FALSE(first.take(51));
    EXPECT_TRUE(first.take(50));
    PendingUploads::Arriving second(uploads);
    EXPECT_TRUE(second.take(25)) << "what is on its way is not written yet";
    store.leave_room(75);
    EXPECT_FALSE(second.take(1));
    store.leave_room(0);
    EXPECT_FALSE(second.take(1));
    EXPECT_EQ(uploads.held(), 75U);
    store.stop();
}

TEST_F(PendingUploadsTest, ObjectsThatNobodyNamesGo) {
    uploads_.put("a", object());
    clock_.advance_steady(30min);
    uploads_.put("b", object());
    {
        PendingUploads::Claims claims(uploads_);
        claims.take("a");
        clock_.advance_steady(20min);
    }
    EXPECT_TRUE(uploads_.find("a")) << "back in its place by age";
    clock_.advance_steady(11min);
    EXPECT_EQ(uploads_.find("a"), nullptr);
    EXPECT_TRUE(uploads_.find("b"));
    set_wait(10min);
    EXPECT_EQ(uploads_.find("b"), nullptr) << "a reload counts at once";
    settle();
    EXPECT_EQ(objects_->alive(), 0);
}

TEST_F(PendingUploadsTest, ClaimsComeBackInTheirOrderByAge) {
    PendingUploads uploads(current_, clock_, io_.get_executor(), workers_.get_executor());
    const std::array<std::string, 6> ids = {"a", "b", "c", "d", "e", "f"};
    for (const std::string& id : ids) {
        uploads.put(id, object(id));
        clock_.advance_steady(1min);
    }
    {
        PendingUploads::Claims claims(uploads);
        for (const char* const id : {"f", "b", "e", "a", "d"}) {
            claims.take(id);
        }
        EXPECT_EQ(uploads.put("e", object("new")), PendingUploads::Put::added);
        EXPECT_EQ(uploads.size(), 2U);
    }
    EXPECT_EQ(uploads.size(), 6U);
    EXPECT_EQ(testing::bytes_of(uploads.find("e")), "new");
    clock_.advance_steady(53min + 30s);  // `a` is half a minute short of an hour
    std::size_t left = 6;
    for (const char* const id : {"a", "b", "c", "d"}) {
        EXPECT_TRUE(uploads.find(id)) << id;
        clock_.advance_steady(1min);
        EXPECT_FALSE(uploads.find(id)) << id;
        EXPECT_EQ(uploads.size(), --left);
    }
    clock_.advance_steady(1min);
    EXPECT_EQ(uploads.size(), 2U) << "`e` is the new one";
    clock_.advance_steady(1min);
    EXPECT_FALSE(uploads.find("f"));
    EXPECT_TRUE(uploads.find("e"));
    uploads.close();
}

TEST_F(PendingUploadsTest, TheyGoWithoutAnybodyAsking) {
    set_wait(20ms);
    uploads_.put("a", object());
    clock_.advance_steady(1h);
    io_.run();  // ends with the timer
    EXPECT_EQ(uploads_.size(), 0U);
    settle();
    EXPECT_EQ(objects_->alive(), 0);
    io_.restart();
    uploads_.put("b", object());
    clock_.advance_steady(1h);
    io_.run();
    EXPECT_EQ(uploads_.size(), 0U) << "and again";
}

TEST_F(PendingUploadsTest, ClosingEndsTheTimer) {
    uploads_.put("a", object());
    uploads_.close();
    io_.run();  // would last a minute
    EXPECT_EQ(uploads_.size(), 0U);
    settle();
    EXPECT_EQ(objects_->alive(), 0);
}

}  // namespace
}  // namespace lihandover::intake
