#include "lihandover/base/invariant.hpp"

#include <gtest/gtest.h>

namespace lihandover::base {
namespace {

TEST(Invariant, WhatHoldsIsEvaluatedOnceAndChangesNothing) {
    int looked = 0;
    LIHANDOVER_INVARIANT(++looked == 1, "looked at once");
    EXPECT_EQ(looked, 1);
}

TEST(InvariantDeathTest, ABrokenOneEndsTheProgramWithOneClearLine) {
    const int open = 0;
    EXPECT_DEATH(LIHANDOVER_INVARIANT(open > 0, "a commit ends once"),
                 "^<2>broken invariant: a commit ends once at .*invariant_test.cpp:[0-9]+\n$");
}

TEST(InvariantDeathTest, DearOnesAreCheckedInTests) {
#ifdef NDEBUG
    LIHANDOVER_DEBUG_INVARIANT(false, "not looked at in a release build");
#else
    EXPECT_DEATH(LIHANDOVER_DEBUG_INVARIANT(1 > 2, "the list is in order"), "the list is in order");
#endif
}

}  // namespace
}  // namespace lihandover::base
