#include "lihandover/ims/event.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace lihandover::ims {
namespace {

TEST(MadeEvent, KeepsItsTextsWhereTheyAreWhenItMoves) {
    MadeEvent first;
    std::string id(5000, 'x');
    first.event.event_id = first.keep(id);
    first.event.text = first.keep("hello");
    id.assign(5000, 'y');

    const MadeEvent second = std::move(first);
    EXPECT_EQ(second.event.event_id, std::string(5000, 'x'));
    EXPECT_EQ(second.event.text, "hello");
}

TEST(MadeEvent, KeepsNothingForAnEmptyText) {
    MadeEvent event;
    EXPECT_TRUE(event.keep({}).empty());
}

}  // namespace
}  // namespace lihandover::ims
