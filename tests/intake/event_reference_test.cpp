#include <gtest/gtest.h>

#include <string>

#include "corpus.hpp"
#include "lihandover/intake/http/event_members.hpp"

namespace lihandover::intake {
namespace {

// On a mismatch the expected text is what belongs between the two marks of docs/events.md.
TEST(EventReferenceTest, DocumentEqualsTheDeclarations) {
    const std::string document = testing::read_file(testing::source_dir() / "docs/events.md");
    const std::string begin = "<!-- begin: made from the declarations -->\n\n";
    const std::string end = "<!-- end -->";
    const auto from = document.find(begin);
    ASSERT_NE(from, std::string::npos);
    const auto to = document.find(end, from);
    ASSERT_NE(to, std::string::npos);
    EXPECT_EQ(document.substr(from + begin.size(), to - from - begin.size()), event_reference_markdown());
}

}  // namespace
}  // namespace lihandover::intake
