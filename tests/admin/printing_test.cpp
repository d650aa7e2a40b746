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

TEST(Printable, ShowsWhatCannotBeSeenAndHeapsOfMarks) {
    EXPECT_EQ(printable("a\xc2\xad\xe2\x81\xa6\xf3\xa0\x81\x81"
                        "b"),
              "a\\u00ad\\u2066\\U000e0041b")
        << "a soft hyphen, an isolate, a tag";
    const std::string acute = "\xcc\x81";
    EXPECT_EQ(printable("e" + acute + acute + acute + acute + acute + "x"),
              "e" + acute + acute + acute + acute + "\\u0301x");
}

TEST(PrintableJson, StaysTheSameDocument) {
    EXPECT_EQ(printable_json("{\"a\":\"\xc2\x9b\xe2\x80\xae\xc3\xbc\"}\n"), "{\"a\":\"\\u009b\\u202e\xc3\xbc\"}\n");
}

TEST(PrintableJson, WritesHighCharactersAsPairsAndBrokenBytesAsWhatReplacesThem) {
    EXPECT_EQ(printable_json("{\"a\":\"\xf3\xa0\x81\x81\"}"), "{\"a\":\"\\udb40\\udc41\"}");
    EXPECT_EQ(printable_json("\"\x9b"
                             "2J\""),
              "\"\\ufffd2J\"");
}

TEST(WidthOf, CountsColumns) {
    EXPECT_EQ(width_of("abc"), 3U);
    EXPECT_EQ(width_of("\xe5\xad\x97"), 2U) << "a wide one";
    EXPECT_EQ(width_of("e\xcc\x81"), 1U) << "a mark takes none";
    EXPECT_EQ(width_of("\xff"), 1U);
}

TEST(Shortened, NeverTakesMoreThanItMay) {
    EXPECT_EQ(shortened("\xe5\xad\x97\xe5\xad\x97", 3), "\xe5\xad\x97…");
    EXPECT_EQ(shortened("\xe5\xad\x97\xe5\xad\x97", 2), "…") << "half of a wide one is none";
    EXPECT_EQ(shortened("abc", 1), "…");
    EXPECT_EQ(shortened("abc", 0), "");
}

TEST(CutLine, KeepsLooksWholeAndEndsThem) {
    EXPECT_EQ(cut_line("\x1b[1mabc\x1b[0m", 3), "\x1b[1mabc\x1b[0m");
    EXPECT_EQ(cut_line("\x1b[1mabcd\x1b[0m", 3), "\x1b[1mab…\x1b[0m");
    EXPECT_EQ(cut_line("\x1b[1mab\x1b[0mcd", 3), "\x1b[1mab\x1b[0m…");
    EXPECT_EQ(cut_line("abc", 0), "");
}

TEST(Wrapped, BreaksBetweenWords) {
    EXPECT_EQ(wrapped("one two three", 7), "one two\n  three");
    EXPECT_EQ(wrapped("one two three", Terminal::boundless), "one two three");
    EXPECT_EQ(wrapped("longerthanthat x", 3), "longerthanthat\n  x");
    EXPECT_EQ(wrapped("", 3), "");
}

TEST(TimeText, IsShorterOnATerminal) {
    EXPECT_EQ(time_text("2026-03-01T00:00:00.123456Z", {}), "2026-03-01T00:00:00.123456Z");
    Terminal terminal;
    terminal.is_one = true;
    EXPECT_EQ(time_text("2026-03-01T00:00:00.123456Z", terminal), "2026-03-01T00:00:00Z");
    EXPECT_EQ(time_text("", terminal), "");
    EXPECT_EQ(time_text("nonsense.", terminal), "nonsense.");
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

Terminal terminal_of(std::size_t width) {
    Terminal terminal;
    terminal.is_one = true;
    terminal.width = width;
    return terminal;
}

std::string printed(std::size_t width) {
    std::ostringstream out;
    Table table({{"ID"}, {"NOTHING", 1}, {"ZERO", 1}, {"LONG WORDS", 2, true}, {"MORE", 3}}, terminal_of(width));
    table.add({"0123456789", "", "0", "because it was so", "more"});
    table.print(out);
    return out.str();
}

TEST(Table, LeavesOutWhatIsEmptyBeforeItCuts) {
    EXPECT_EQ(
        printed(100),
        "ID          NOTHING  ZERO  LONG WORDS         MORE\n0123456789           0     because it was so  more\n");
    EXPECT_EQ(printed(40), "ID          LONG WORDS         MORE\n0123456789  because it was so  more\n");
    EXPECT_EQ(printed(31), "ID          LONG WORDS     MORE\n0123456789  because it w…  more\n");
}

TEST(Table, LeavesColumnsOutByRankAndNamesThem) {
    EXPECT_EQ(printed(26), "ID          LONG WORDS\n0123456789  because it wa…\n(no room for MORE)\n");
    EXPECT_EQ(printed(12), "ID\n0123456789\n(no room fo…\n");
    EXPECT_EQ(printed(5), "ID\n0123…\n(no …\n");
    EXPECT_EQ(printed(1), "…\n…\n…\n");
}

TEST(Table, ShowsAColumnAgainWhereALaterPageHasSomethingInIt) {
    std::ostringstream out;
    Table table({{"ID"}, {"RARE", 1}, {"LONG WORDS", 2, true}}, terminal_of(22));
    table.add({"1", "", "because it was so"});
    table.print(out);
    table.add({"2", "rare", "because it was so"});
    table.print(out);
    EXPECT_EQ(out.str(), "ID  LONG WORDS\n1   because it was so\nID  RARE  LONG WORDS\n2   rare  because it …\n");
}

}  // namespace
}  // namespace lihandover::ctl
