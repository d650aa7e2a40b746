#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "terminal.hpp"

namespace lihandover::ctl {

/// Text made safe for a terminal: control characters (also those above U+0080), line ends, marks that change the
/// writing direction, what cannot be seen, heaps of combining marks, and bytes that are not UTF-8 become `\x1b`,
/// `\u202e`, `\U000e0041`. On a terminal that knows no UTF-8, so does everything beyond ASCII.
[[nodiscard]] std::string printable(std::string_view text, Output output = Output::results);

/// The same for a JSON document: such characters inside strings become `\u009b`. It stays the same document.
[[nodiscard]] std::string printable_json(std::string_view json);

/// How many columns printable text takes.
[[nodiscard]] std::size_t width_of(std::string_view text);

/// At most `width` columns, the last one an ellipsis if something was cut. For printable text.
[[nodiscard]] std::string shortened(std::string text, std::size_t width);

/// The same of lines that have looks within them, without their ends: no column beyond `width` is touched.
[[nodiscard]] std::string cut_line(std::string_view line, std::size_t width);

/// The text with a look, on a terminal that has colours.
[[nodiscard]] std::string painted(std::string text, Look look, const Terminal& terminal);

/// A time of the daemon's, on a terminal in whole seconds.
[[nodiscard]] std::string time_text(std::string time, const Terminal& terminal);

/// A sentence in lines of at most `width` columns where its words allow that, those after the first indented. For
/// printable text; no newline at its end.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t width);

/// `1.5 GiB`
[[nodiscard]] std::string size_text(std::uint64_t bytes);

/// A column of a table, and what may become of it where a terminal is too narrow.
struct Column {
    // Implicit, so that headings alone make a table of a few words.
    Column(const char* text) : heading(text) {}  // NOLINT(google-explicit-constructor)
    Column(const char* text, unsigned may_go, bool may_be_cut = false) : heading(text), rank(may_go), cut(may_be_cut) {}

    std::string heading;
    unsigned rank = 0;  ///< those of the highest rank are left out first; 0: it stays
    bool cut = false;   ///< its text may be shortened
};

/// Rows of cells under a heading, each column as wide as needed. Cells are made printable. On a terminal no line is
/// wider than it is: first columns without anything in them go, then texts are shortened, then columns go by rank,
/// and a last line names these.
class Table {
  public:
    explicit Table(std::vector<Column> columns, const Terminal& terminal = {});
    void add(std::vector<std::string> cells, Look look = Look::plain);
    /// Prints what was added since the last call; the heading only once, and again where other columns are shown.
    /// Columns never become narrower, but where the terminal is.
    void print(std::ostream& out);

  private:
    struct Row {
        std::vector<std::string> cells;
        Look look = Look::plain;
    };
    /// The width of each column that is shown; 0: it is not.
    using Layout = std::vector<std::size_t>;
    [[nodiscard]] Layout layout() const;
    [[nodiscard]] bool fits(const Layout& layout) const;
    /// Shortens what may be cut.
    [[nodiscard]] Layout squeezed(Layout layout) const;
    void print_row(std::ostream& out, const std::vector<std::string>& cells, const Layout& layout, Look look) const;

    std::vector<Column> columns_;
    Terminal terminal_;
    std::vector<std::size_t> widths_;
    std::vector<bool> filled_;
    std::vector<Row> rows_;
    std::vector<bool> shown_;  ///< as of the last heading; empty before it
};

}  // namespace lihandover::ctl
