#include "printing.hpp"

#include <locale.h>  // NOLINT(modernize-deprecated-headers): newlocale is POSIX's
#include <wchar.h>   // NOLINT(modernize-deprecated-headers): and so is wcwidth

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "lihandover/base/hidden.hpp"
#include "lihandover/base/utf8.hpp"

namespace lihandover::ctl {

namespace {

/// Marks that may stand on one letter; more than any language needs would grow over the lines around.
constexpr unsigned most_marks = 4;
/// Nothing is cut shorter than this as long as a column can be left out instead.
constexpr std::size_t shortest_cut = 12;
constexpr std::size_t gap = 2;

bool is_dangerous(char32_t value, Output output) {
    return base::is_hidden(value) || (value >= 0x80 && only_ascii(output));
}

std::string escaped(const char* format, unsigned value) {
    std::array<char, 16> buffer{};
    (void)std::snprintf(buffer.data(), buffer.size(), format, value);
    return buffer.data();
}

std::string escaped(char32_t value) {
    return escaped(value < 0x80 ? "\\x%02x" : value < 0x10000 ? "\\u%04x" : "\\U%08x", static_cast<unsigned>(value));
}

std::string json_escaped(char32_t value) {
    if (value < 0x10000) {
        return escaped("\\u%04x", static_cast<unsigned>(value));
    }
    const char32_t rest = value - 0x10000;
    return escaped("\\u%04x", static_cast<unsigned>(0xD800 + (rest >> 10))) +
           escaped("\\u%04x", static_cast<unsigned>(0xDC00 + (rest & 0x3FF)));
}

/// Columns that a character takes. What the C library does not know counts as one.
std::size_t columns_of(char32_t value) {
    if (value < 0x80) {
        return 1;
    }
    // Whatever the user's locale is: output that is read elsewhere is UTF-8 all the same. glibc always has this one.
    static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (utf8 == nullptr) {
        return 1;
    }
    const locale_t before = ::uselocale(utf8);
    const int width = ::wcwidth(static_cast<wchar_t>(value));
    (void)::uselocale(before);
    return width < 0 ? 1 : static_cast<std::size_t>(width);
}

/// The character in front and its bytes; a byte that is none stands for itself.
base::Character next_character(std::string_view text) {
    const auto found = base::first_character(text);
    return found.size == 0 ? base::Character{static_cast<unsigned char>(text.front()), 1} : found;
}

const char* ellipsis() {
    return only_ascii(Output::results) ? "~" : "…";
}

/// The bytes of `text`, which begins with ESC, that switch a look.
std::size_t look_size(std::string_view text) {
    const auto end = text.find('m');
    return end == std::string_view::npos ? text.size() : end + 1;
}

/// Bytes of the longest beginning that takes at most `width` columns, and whether a look is on at its end. The marks
/// on its last letter belong to it.
struct Beginning {
    std::size_t bytes = 0;
    bool look = false;
};
Beginning beginning_of(std::string_view text, std::size_t width) {
    Beginning found;
    std::size_t used = 0;
    while (found.bytes < text.size()) {
        const std::string_view rest = text.substr(found.bytes);
        if (rest.front() == '\x1b') {
            const std::size_t size = look_size(rest);
            found.look = rest.substr(0, size) != look_end;
            found.bytes += size;
            continue;
        }
        const auto next = next_character(rest);
        used += columns_of(next.value);
        if (used > width) {
            break;
        }
        found.bytes += next.size;
    }
    return found;
}

bool is_nothing(const std::string& cell) {
    return cell.empty() || cell == "0";
}

}  // namespace

std::string printable(std::string_view text, Output output) {
    std::string out;
    unsigned marks = 0;
    while (!text.empty()) {
        const auto [value, size] = base::first_character(text);
        marks = size != 0 && columns_of(value) == 0 ? marks + 1 : 0;
        if (size == 0) {
            out += escaped("\\x%02x", static_cast<unsigned char>(text.front()));
        } else if (is_dangerous(value, output) || marks > most_marks) {
            out += escaped(value);
        } else {
            out += text.substr(0, size);
        }
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

std::string printable_json(std::string_view json) {
    // Outside strings there are only ASCII characters and line ends.
    std::string out;
    while (!json.empty()) {
        const auto [value, size] = base::first_character(json);
        if (size == 0) {
            out += json_escaped(base::replacement_character);
        } else if (value >= 0x7F && is_dangerous(value, Output::results)) {
            out += json_escaped(value);
        } else {
            out += json.substr(0, size);
        }
        json.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

std::size_t width_of(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const auto next = next_character(text);
        width += columns_of(next.value);
        text.remove_prefix(next.size);
    }
    return width;
}

std::string shortened(std::string text, std::size_t width) {
    if (width_of(text) <= width) {
        return text;
    }
    text.erase(beginning_of(text, std::max<std::size_t>(width, 1) - 1).bytes);
    return width == 0 ? std::string() : text + ellipsis();
}

std::string cut_line(std::string_view line, std::size_t width) {
    if (beginning_of(line, width).bytes == line.size()) {
        return std::string(line);
    }
    const Beginning kept = beginning_of(line, std::max<std::size_t>(width, 1) - 1);
    return std::string(line.substr(0, kept.bytes)) + (width == 0 ? "" : ellipsis()) + (kept.look ? look_end : "");
}

std::string painted(std::string text, Look look, const Terminal& terminal) {
    if (!terminal.colours || look == Look::plain || text.empty()) {
        return text;
    }
    // Each line by itself: they may be cut apart.
    std::string out = look_begin(look);
    for (const char byte : text) {
        if (byte == '\n') {
            out.append(look_end).append("\n").append(look_begin(look));
        } else {
            out += byte;
        }
    }
    return out + look_end;
}

std::string time_text(std::string time, const Terminal& terminal) {
    // 2026-03-01T00:00:00.123456Z
    if (const auto point = time.find('.'); terminal.is_one && point != std::string::npos && time.ends_with('Z')) {
        time.replace(point, std::string::npos, "Z");
    }
    return time;
}

std::string wrapped(std::string_view text, std::size_t width) {
    constexpr std::string_view indent = "  ";
    std::string out;
    std::size_t used = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        const std::size_t size = width_of(word);
        // Without a limit to subtract from: there may be none.
        const bool fits = used == 0 || (size < width && used < width - size);
        if (!fits) {
            out.append("\n").append(indent);
            used = indent.size();
        } else if (used > 0) {
            out += ' ';
            ++used;
        }
        out += word;
        used += size;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string size_text(std::uint64_t bytes) {
    constexpr std::array<const char*, 7> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < units.size(); ++unit) {
        value /= 1024;
    }
    std::array<char, 32> buffer{};
    (void)std::snprintf(buffer.data(), buffer.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units.at(unit));
    return buffer.data();
}

Table::Table(std::vector<Column> columns, const Terminal& terminal)
    : columns_(std::move(columns)), terminal_(terminal), filled_(columns_.size(), false) {
    for (const Column& column : columns_) {
        widths_.push_back(width_of(column.heading));
    }
}

void Table::add(std::vector<std::string> cells, Look look) {
    cells.resize(columns_.size());
    for (std::size_t i = 0; i < cells.size(); ++i) {
        cells[i] = printable(cells[i]);
        widths_[i] = std::max(widths_[i], width_of(cells[i]));
        filled_[i] = filled_[i] || !is_nothing(cells[i]);
    }
    rows_.push_back({std::move(cells), look});
}

bool Table::fits(const Layout& layout) const {
    std::size_t total = 0;
    for (const std::size_t width : layout) {
        total += width == 0 ? 0 : width + gap;
    }
    return total <= gap || total - gap <= terminal_.width;
}

Table::Layout Table::squeezed(Layout layout) const {
    while (!fits(layout)) {
        std::size_t widest = layout.size();
        for (std::size_t i = 0; i < layout.size(); ++i) {
            const bool may = columns_[i].cut && layout[i] > std::max(shortest_cut, width_of(columns_[i].heading));
            if (may && (widest == layout.size() || layout[i] > layout[widest])) {
                widest = i;
            }
        }
        if (widest == layout.size()) {
            break;
        }
        --layout[widest];
    }
    return layout;
}

Table::Layout Table::layout() const {
    Layout all = widths_;
    if (fits(all)) {
        return all;
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (columns_[i].rank > 0 && !filled_[i]) {
            all[i] = 0;
        }
    }
    Layout tried = squeezed(all);
    while (!fits(tried)) {
        std::size_t goes = all.size();
        for (std::size_t i = 0; i < all.size(); ++i) {
            const bool may = all[i] > 0 && columns_[i].rank > 0;
            if (may && (goes == all.size() || columns_[i].rank >= columns_[goes].rank)) {
                goes = i;
            }
        }
        if (goes == all.size()) {
            break;
        }
        all[goes] = 0;
        tried = squeezed(all);
    }
    return tried;
}

void Table::print_row(std::ostream& out, const std::vector<std::string>& cells, const Layout& layout, Look look) const {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (layout[i] > 0) {
            const std::string cell = shortened(cells[i], layout[i]);
            line += cell;
            line.append(layout[i] - width_of(cell) + gap, ' ');
        }
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << painted(shortened(std::move(line), terminal_.width), look, terminal_) << '\n';
}

void Table::print(std::ostream& out) {
    const Layout wanted = layout();
    std::vector<bool> shown;
    std::string missing;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        shown.push_back(wanted[i] > 0);
        if (wanted[i] == 0 && filled_[i]) {
            missing += (missing.empty() ? "" : ", ") + columns_[i].heading;
        }
    }
    const bool anew = shown != shown_;
    if (anew) {
        shown_ = std::move(shown);
        std::vector<std::string> headings;
        for (const Column& column : columns_) {
            headings.push_back(column.heading);
        }
        print_row(out, headings, wanted, Look::heading);
    }
    for (const Row& row : rows_) {
        print_row(out, row.cells, wanted, row.look);
    }
    rows_.clear();
    if (anew && !missing.empty()) {
        out << painted(shortened("(no room for " + missing + ")", terminal_.width), Look::faint, terminal_) << '\n';
    }
}

}  // namespace lihandover::ctl
