#include "printing.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <utility>

#include "lihandover/base/utf8.hpp"

namespace lihandover::ctl {

namespace {

bool is_dangerous(char32_t value) {
    const auto within = [value](char32_t first, char32_t last) { return value >= first && value <= last; };
    return value < 0x20 || within(0x7F, 0x9F) || value == 0x061C || within(0x200B, 0x200F) || within(0x2028, 0x202E) ||
           within(0x2066, 0x2069) || value == 0xFEFF;
}

std::string escaped(const char* format, unsigned value) {
    std::array<char, 16> buffer{};
    (void)std::snprintf(buffer.data(), buffer.size(), format, value);
    return buffer.data();
}

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80; }));
}

void print_row(std::ostream& out, const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        line += cells[i];
        line.append(widths[i] - width_of(cells[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto [value, size] = base::first_character(text);
        if (size == 0) {
            out += escaped("\\x%02x", static_cast<unsigned char>(text.front()));
        } else if (is_dangerous(value)) {
            out += escaped(value < 0x80 ? "\\x%02x" : "\\u%04x", static_cast<unsigned>(value));
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
        if (value >= 0x7F && is_dangerous(value)) {
            out += escaped("\\u%04x", static_cast<unsigned>(value));
        } else {
            out += json.substr(0, std::max<std::size_t>(size, 1));
        }
        json.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

std::string shortened(std::string text, std::size_t width) {
    if (width_of(text) <= width) {
        return text;
    }
    std::size_t end = 0;
    for (std::size_t kept = 0; end < text.size(); ++end) {
        const bool starts = (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80;
        if (starts && kept++ == width - 1) {
            break;
        }
    }
    text.erase(end);
    return text + "…";
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

Table::Table(std::vector<std::string> heading) : heading_(std::move(heading)) {
    for (const auto& cell : heading_) {
        widths_.push_back(width_of(cell));
    }
}

void Table::add(std::vector<std::string> cells) {
    cells.resize(heading_.size());
    for (std::size_t i = 0; i < cells.size(); ++i) {
        cells[i] = printable(cells[i]);
        widths_[i] = std::max(widths_[i], width_of(cells[i]));
    }
    rows_.push_back(std::move(cells));
}

void Table::print(std::ostream& out) {
    if (!std::exchange(headed_, true)) {
        print_row(out, heading_, widths_);
    }
    for (const auto& row : rows_) {
        print_row(out, row, widths_);
    }
    rows_.clear();
}

}  // namespace lihandover::ctl
