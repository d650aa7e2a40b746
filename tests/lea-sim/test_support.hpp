#pragma once

#include <simdjson.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../support/temporary_directory.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::lea_sim::test {

using Directory = lihandover::test::TemporaryDirectory;

/// Those of scripts/make-test-certificates, made once per test program.
class Certificates {
  public:
    static tls::Files lea() { return {file("lea.pem"), file("lea.key"), file("lea-ca.pem")}; }
    static tls::Files csp() { return {file("csp.pem"), file("csp.key"), file("lea-ca.pem")}; }
    static tls::Files stranger() { return {file("stranger.pem"), file("stranger.key"), file("lea-ca.pem")}; }

  private:
    static std::string file(const std::string& name) {
        static const Certificates made;
        return (made.directory_.path() / name).string();
    }
    Certificates() {
        const auto command =
            std::string(LIHANDOVER_SOURCE_DIR) + "/scripts/make-test-certificates " + directory_.path().string();
        if (std::system(command.c_str()) != 0) {
            throw std::runtime_error("no test certificates");  // NOLINT(cert-env33-c)
        }
    }
    Directory directory_;
};

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
}

/// One line of JSON.
class ParsedLine {
  public:
    explicit ParsedLine(const std::string& line) {
        if (parser_.parse(line).get(element_) != simdjson::SUCCESS) {
            throw std::runtime_error("no JSON: " + line);
        }
    }
    [[nodiscard]] std::string text(std::string_view name) const {
        std::string_view value;
        return element_[name].get(value) == simdjson::SUCCESS ? std::string(value) : "";
    }
    [[nodiscard]] std::int64_t number(std::string_view name) const {
        std::int64_t value = 0;
        return element_[name].get(value) == simdjson::SUCCESS ? value : -1;
    }
    [[nodiscard]] bool has(std::string_view name) const { return element_[name].error() == simdjson::SUCCESS; }
    [[nodiscard]] bool flag(std::string_view name) const {
        bool value = false;
        return element_[name].get(value) == simdjson::SUCCESS && value;
    }

  private:
    simdjson::dom::parser parser_;
    simdjson::dom::element element_;
};

inline std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

}  // namespace lihandover::lea_sim::test
