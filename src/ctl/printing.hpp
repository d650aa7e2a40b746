#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace lihandover::ctl {

/// Text made safe for a terminal: control characters (also those above U+0080), line ends, marks that change the
/// writing direction, and bytes that are not UTF-8 become `\x1b`, `\u202e`.
[[nodiscard]] std::string printable(std::string_view text);

/// The same for a JSON document: such characters inside strings become `\u009b`. It stays the same document.
[[nodiscard]] std::string printable_json(std::string_view json);

/// At most `width` characters, the last one an ellipsis if something was cut. For printable text.
[[nodiscard]] std::string shortened(std::string text, std::size_t width);

/// `1.5 GiB`
[[nodiscard]] std::string size_text(std::uint64_t bytes);

/// Rows of cells under a heading, each column as wide as needed. Cells are made printable.
class Table {
  public:
    explicit Table(std::vector<std::string> heading);
    void add(std::vector<std::string> cells);
    /// Prints what was added since the last call; the heading only once. Columns never become narrower.
    void print(std::ostream& out);

  private:
    std::vector<std::string> heading_;
    std::vector<std::size_t> widths_;
    std::vector<std::vector<std::string>> rows_;
    bool headed_ = false;
};

}  // namespace lihandover::ctl
