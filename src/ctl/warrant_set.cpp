// A directory of warrant files as one set, for all daemons on a database.

#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "printing.hpp"
#include "progress.hpp"
#include "reading.hpp"

namespace lihandover::ctl {

namespace {

namespace dom = simdjson::dom;
namespace fs = std::filesystem;

// As the daemon takes it.
constexpr std::size_t most_files = 100'000;
constexpr std::size_t most_of_a_file = std::size_t{1} << 20U;
constexpr std::size_t most_bytes = std::size_t{32} << 20U;
/// Every file is read, in turn with reloads, and other daemons are waited for.
constexpr std::chrono::seconds set_timeout{900};

struct Directory {
    std::vector<fs::path> files;
    std::vector<std::string> passed_over;
};

/// nullopt: it cannot be read, which was said.
std::optional<Directory> look_into(const std::string& directory) {
    Directory found;
    std::error_code error;
    fs::directory_iterator entry(directory, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        std::error_code ignored;
        if (name.starts_with('.')) {
            continue;
        }
        if (name.ends_with(".yaml")) {
            found.files.push_back(entry->path());
        } else if (!entry->is_directory(ignored)) {
            found.passed_over.push_back(name);
        }
    }
    if (error) {
        (void)complain(directory + ": " + error.message());
        return std::nullopt;
    }
    std::ranges::sort(found.files);
    std::ranges::sort(found.passed_over);
    return found;
}

/// nullopt: it is none that the daemon would take, which was said.
std::optional<std::string> text_of_file(const fs::path& path) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) {
        (void)complain(path.string() + ": is no file");
        return std::nullopt;
    }
    std::ifstream file(path, std::ios::binary);
    std::string text(most_of_a_file + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file.is_open() || file.bad()) {
        (void)complain(path.string() + ": cannot be read");
        return std::nullopt;
    }
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > most_of_a_file) {
        (void)complain(path.string() + ": is larger than 1 MiB");
        return std::nullopt;
    }
    if (!simdjson::validate_utf8(text)) {
        (void)complain(path.string() + ": is not UTF-8");
        return std::nullopt;
    }
    return text;
}

/// nullopt: something of it is wrong, which was said.
std::optional<std::string> body_of(const Options& options, const std::vector<fs::path>& files) {
    if (files.size() > most_files) {
        (void)complain("there are more than " + std::to_string(most_files) + " files");
        return std::nullopt;
    }
    std::string body = "{\"place\":" + json_text(options.directory);
    if (!options.operator_name.empty()) {
        body += ",\"operator\":" + json_text(options.operator_name);
    }
    body += options.confirm_ended ? ",\"confirm_ended\":true" : "";
    body += ",\"files\":[";
    std::size_t bytes = 0;
    bool good = true;
    for (const fs::path& path : files) {
        const auto text = text_of_file(path);
        good = good && text;
        if (!good) {
            continue;
        }
        bytes += text->size();
        if (bytes > most_bytes) {
            (void)complain("the files are larger than 32 MiB together");
            return std::nullopt;
        }
        body += (&path == &files.front() ? "{\"name\":" : ",{\"name\":") + json_text(path.filename().string()) +
                ",\"text\":" + json_text(*text) + "}";
    }
    return good ? std::optional(body + "]}") : std::nullopt;
}

void print_texts(dom::element answer, std::string_view member, std::string_view before, std::ostream& out,
                 Output where) {
    for (const auto element : elements_of(answer, member)) {
        std::string_view text;
        if (element.get(text) == simdjson::SUCCESS) {
            out << before << printable(text, where) << '\n';
        }
    }
}

void print_changes(dom::element answer) {
    const auto changes = elements_of(answer, "changes");
    for (const auto change : changes) {
        const std::string kind = text_of(change, "change");
        std::cout << printable((kind == "waits" ? "waits for approval" : kind) + ": " + text_of(change, "destination") +
                               " " + text_of(change, "liid") + ", " + text_of(change, "file"))
                  << '\n';
        print_texts(change, "difference", "  ", std::cout, Output::results);
    }
    if (changes.empty()) {
        std::cout << "no warrant changes\n";
    }
}

/// The exit status.
int print_end(dom::element answer, bool apply) {
    const std::string outcome = text_of(answer, "outcome");
    print_texts(answer, "problems", "  ", std::cerr, Output::problems);
    if (outcome == "bad") {
        return complain(apply ? "nothing was applied: mend these files first" : "such a set would not be applied");
    }
    if (outcome == "unconfirmed") {
        return complain(std::string(apply ? "nothing was applied: " : "such a set would not be applied as it is: ") +
                        "it would end all warrants in force, or more than half of them; with --confirm-ended it does");
    }
    if (!apply) {
        return finish_output();
    }
    std::cout << "version " << number_of(answer, "version") << " of the set of warrants is applied\n";
    int status = finish_output();
    if (!flag_of(answer, "in_force")) {
        status = complain("it is not in force at this daemon yet: see its log");
    }
    print_texts(answer, "behind", "not in force yet, and taking nothing in by another set: ", std::cerr,
                Output::problems);
    print_texts(answer, "silent", "not known to take nothing in by another set: ", std::cerr, Output::problems);
    const bool all = elements_of(answer, "behind").empty() && elements_of(answer, "silent").empty();
    return all ? status : status_failed;
}

}  // namespace

int take_warrant_set(const Options& options, bool apply) {
    const auto found = look_into(options.directory);
    if (!found) {
        return status_failed;
    }
    for (const std::string& name : found->passed_over) {
        std::cerr << printable(options.directory + "/" + name, Output::problems)
                  << ": passed over: the name of a warrant file ends in .yaml\n";
    }
    const auto body = body_of(options, found->files);
    if (!body) {
        return status_failed;
    }
    const auto answer = [&] {
        const Progress progress(apply ? "apply: every file is read" : "diff: every file is read");
        const std::string target = apply ? "/v1/apply-warrants" : "/v1/compare-warrants";
        return Connection(options.socket).post(target, *body, set_timeout);
    }();
    if (!answer.ok()) {
        return complain(answer);
    }
    dom::parser parser;
    dom::element result;
    if (parser.parse(answer.body).get(result) != simdjson::SUCCESS) {
        return complain("the daemon's answer makes no sense");
    }
    if (options.json) {
        const int printed = print_json(answer.body);
        return printed != 0 || text_of(result, "outcome") == "done" ? printed : status_failed;
    }
    print_changes(result);
    return print_end(result, apply);
}

}  // namespace lihandover::ctl
