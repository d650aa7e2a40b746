#include "printing.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace lihandover::ctl {
namespace {

TEST(Printable, LetsNothingSteerTheTerminal) {
    EXPECT_EQ(printable("plain gr\xc3\xbc\xc3\x9f"), "plain gr\xc3\xbc\xc3\x9f");
    EXPECT_EQ(printable("\x1b[2J\r\n\x7f"), "\\x1b[2J\\x0d\\x0a\\x7f");
    EXPECT_EQ(printable("\xc2\x9b"
                        "2J"),
              "\\u009b2J")
        << "CSI as one character";
    EXPECT_EQ(printable("a\xe2\x80\xae"
                        "b"),
              "a\\u202eb")
        << "right to left";
    EXPECT_EQ(printable("a\xff"
                        "b\xe2\x80"),
              "a\\xffb\\xe2\\x80");
}

TEST(PrintableJson, StaysTheSameDocument) {
    EXPECT_EQ(printable_json("{\"a\":\"\xc2\x9b\xe2\x80\xae\xc3\xbc\"}\n"), "{\"a\":\"\\u009b\\u202e\xc3\xbc\"}\n");
}

TEST(Shortened, CutsOnACharacter) {
    EXPECT_EQ(shortened("abc", 3), "abc");
    EXPECT_EQ(shortened("abcd", 3), "ab…");
    EXPECT_EQ(shortened("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc", 3), "\xc3\xbc\xc3\xbc…");
}

TEST(SizeText, HasTheUnitThatFits) {
    EXPECT_EQ(size_text(0), "0 B");
    EXPECT_EQ(size_text(1023), "1023 B");
    EXPECT_EQ(size_text(1536), "1.5 KiB");
    EXPECT_EQ(size_text(std::uint64_t{50} << 30), "50.0 GiB");
}

TEST(Table, AlignsAndPrintsItsHeadingOnce) {
    std::ostringstream out;
    Table table({"ID", "STATE"});
    table.add({"1", "queued"});
    table.print(out);
    table.add({"longer", "\x1b"});
    table.print(out);
    EXPECT_EQ(out.str(), "ID  STATE\n1   queued\nlonger  \\x1b\n");
}

}  // namespace
}  // namespace lihandover::ctl
