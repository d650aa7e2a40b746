#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace lihandover::intake::testing {

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw std::runtime_error("cannot read " + path.string());
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

inline std::filesystem::path source_dir() {
    return LIHANDOVER_SOURCE_DIR;
}

struct Sample {
    std::string name;
    std::string json;
    bool valid = false;
    std::string reason;  ///< of invalid ones: the name of the metrics::Rejection
    std::string field;
};

/// The events of tests/intake/corpus, in the order of their names.
inline std::vector<Sample> corpus() {
    const auto dir = source_dir() / "tests/intake/corpus";
    std::vector<Sample> samples;
    for (const auto& entry : std::filesystem::directory_iterator(dir / "valid")) {
        samples.push_back({entry.path().stem(), read_file(entry.path()), true, {}, {}});
    }
    std::map<std::string, Sample> expected;
    std::istringstream table(read_file(dir / "invalid.tsv"));
    for (std::string line; std::getline(table, line);) {
        if (line.empty() || line.front() == '#') {
            continue;
        }
        std::istringstream columns(line);
        Sample sample;
        std::getline(columns, sample.name, '\t');
        std::getline(columns, sample.reason, '\t');
        std::getline(columns, sample.field, '\t');
        expected.emplace(sample.name, sample);
    }
    for (const auto& entry : std::filesystem::directory_iterator(dir / "invalid")) {
        Sample sample = expected.at(entry.path().stem());
        expected.erase(sample.name);
        sample.json = read_file(entry.path());
        samples.push_back(sample);
    }
    if (!expected.empty()) {
        throw std::runtime_error("no file for " + expected.begin()->first);
    }
    std::ranges::sort(samples, {}, &Sample::name);
    return samples;
}

}  // namespace lihandover::intake::testing
