#include "pipeline/wiped_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace lihandover::intake {
namespace {

TEST(WipedBufferTest, LeavesNothingInTheMemoryOfAText) {
    std::string text(1000, 'x');
    const char* const memory = text.data();
    wipe(text);
    EXPECT_TRUE(text.empty());
    text.resize(1000, '\1');  // in the same place
    ASSERT_EQ(text.data(), memory);
    text.clear();
    text.append(500, 'y');
    wipe(text);
    EXPECT_TRUE(std::all_of(memory, memory + 500, [](char c) { return c == '\0'; }));
}

TEST(WipedBufferTest, GrowsAndKeepsWhatThereIs) {
    std::string text = "begin";
    resize_wiping(text, 3);
    EXPECT_EQ(text, "beg");
    resize_wiping(text, 100'000);
    EXPECT_EQ(text.size(), 100'000U);
    EXPECT_TRUE(text.starts_with("beg"));
    EXPECT_EQ(text[3], '\0');
    const std::size_t capacity = text.capacity();
    resize_wiping(text, capacity + 1);
    EXPECT_GE(text.capacity(), 2 * capacity) << "so that growing step by step costs no more than it has to";
}

}  // namespace
}  // namespace lihandover::intake
