#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lihandover::ims {

// Messages of other people's making, with tables of what is in them, where they lie beside the repository.

[[nodiscard]] inline std::filesystem::path samples_of(std::string_view kind) {
    const std::filesystem::path source = LIHANDOVER_SOURCE_DIR;
    return source.parent_path() / "shared" / "samples" / kind;
}

[[nodiscard]] inline std::string contents_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

/// A row of a table: its fields by the names in the first line.
class SampleRow {
  public:
    std::map<std::string, std::string> fields;

    [[nodiscard]] const std::string& operator[](const std::string& name) const {
        static const std::string none = "-";
        const auto found = fields.find(name);
        return found == fields.end() ? none : found->second;
    }
    /// Whether the table says something of it.
    [[nodiscard]] bool has(const std::string& name) const { return (*this)[name] != "-"; }
    /// Its value; empty where there is none.
    [[nodiscard]] std::string value(const std::string& name) const {
        const std::string& text = (*this)[name];
        return text == "-" || text == "\"\"" ? std::string() : text;
    }
};

[[nodiscard]] inline std::vector<SampleRow> sample_table(const std::filesystem::path& path) {
    const auto split = [](std::string_view line) {
        std::vector<std::string> out;
        for (std::size_t at = 0; at <= line.size();) {
            const std::size_t end = std::min(line.find('\t', at), line.size());
            out.emplace_back(line.substr(at, end - at));
            at = end + 1;
        }
        return out;
    };
    std::vector<SampleRow> rows;
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    const std::vector<std::string> names = split(line);
    while (std::getline(file, line)) {
        const std::vector<std::string> values = split(line);
        SampleRow& row = rows.emplace_back();
        for (std::size_t i = 0; i < names.size() && i < values.size(); ++i) {
            row.fields[names[i]] = values[i];
        }
    }
    EXPECT_FALSE(rows.empty()) << path;
    return rows;
}

}  // namespace lihandover::ims
