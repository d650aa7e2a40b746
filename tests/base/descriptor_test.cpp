#include "lihandover/base/descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>

namespace lihandover::base {
namespace {

bool is_open(int number) {
    return ::fcntl(number, F_GETFD) != -1;  // NOLINT(*-vararg): what the system call is
}

struct Pipe {
    Pipe() { EXPECT_EQ(::pipe(ends.data()), 0); }
    std::array<int, 2> ends{-1, -1};
};

TEST(Descriptor, ClosesWhatItOwns) {
    const Pipe pipe;
    {
        const Descriptor reading(pipe.ends[0]);
        const Descriptor writing(pipe.ends[1]);
        EXPECT_TRUE(reading);
        EXPECT_EQ(writing.get(), pipe.ends[1]);
        EXPECT_TRUE(is_open(pipe.ends[0]));
    }
    EXPECT_FALSE(is_open(pipe.ends[0]));
    EXPECT_FALSE(is_open(pipe.ends[1]));
}

TEST(Descriptor, AnEmptyOneOwnsNothing) {
    const Descriptor none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.get(), -1);
}

TEST(Descriptor, MovesItsOwnership) {
    const Pipe pipe;
    Descriptor first(pipe.ends[0]);
    Descriptor second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is what is asked
    EXPECT_EQ(second.get(), pipe.ends[0]);
    Descriptor third(pipe.ends[1]);
    third = std::move(second);
    EXPECT_EQ(third.get(), pipe.ends[0]);
    EXPECT_FALSE(is_open(pipe.ends[1])) << "what it owned before is closed";
    Descriptor& itself = third;
    third = std::move(itself);
    EXPECT_TRUE(is_open(pipe.ends[0])) << "moving to itself changes nothing";
}

TEST(Descriptor, GivesAwayAndTakes) {
    const Pipe pipe;
    Descriptor one(pipe.ends[0]);
    const int given = one.release();
    EXPECT_FALSE(one);
    EXPECT_TRUE(is_open(given));
    one.reset(pipe.ends[1]);
    one.reset(given);
    EXPECT_FALSE(is_open(pipe.ends[1]));
    one.reset();
    EXPECT_FALSE(is_open(given));
}

}  // namespace
}  // namespace lihandover::base
