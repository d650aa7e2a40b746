#include <simdjson.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

#include "commands.hpp"
#include "lihandover/audit/lines.hpp"
#include "lihandover/audit/verification.hpp"
#include "printing.hpp"
#include "progress.hpp"

namespace lihandover::ctl {

namespace {

constexpr std::size_t largest_key = std::size_t{64} << 10;

/// The token of the next page; empty: there is none. nullopt where the answer makes no sense.
std::optional<std::string> next_page_of(std::string_view line) {
    simdjson::dom::parser parser;
    simdjson::dom::element element;
    simdjson::dom::element next;
    std::string_view text;
    if (parser.parse(line.data(), line.size()).get(element) != simdjson::SUCCESS ||
        element["next"].get(next) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    if (next.is_null()) {
        return std::string{};
    }
    return next.get(text) == simdjson::SUCCESS ? std::optional(std::string(text)) : std::nullopt;
}

/// Prints the pages of an export as they come, and what ends it.
class Printer {
  public:
    /// The lines of a page, the last with its newline.
    [[nodiscard]] bool page(std::string_view lines) {
        if (!header_) {
            auto read = audit::read_line(lines.substr(0, lines.find('\n')));
            auto* const header = read ? std::get_if<audit::Header>(&*read) : nullptr;
            if (header == nullptr) {
                return false;
            }
            header_ = std::move(*header);
        }
        count_ += static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
        hasher_.update(lines);
        std::cout << lines;
        return true;
    }
    void finish() {
        std::string line;
        audit::write_line(audit::Closing{header_->to, count_, hasher_.finish()}, line);
        std::cout << line;
    }

  private:
    std::optional<audit::Header> header_;
    std::uint64_t count_ = 0;
    audit::Hasher hasher_;
};

/// Reads a file line by line in bounded memory: of a line that is too long, only so much that it is refused. False,
/// and said, where it cannot be read.
bool read_lines(const std::string& path, const std::function<void(std::string_view line, bool whole)>& visit) {
    std::error_code error;
    if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) {
        return complain(path + ": no plain file. Exports are read twice, which a pipe cannot be: save it first") == 0;
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return complain(path + ": cannot be read") == 0;
    }
    std::string buffer(std::size_t{1} << 20, '\0');
    std::string line;
    const auto add = [&line](std::string_view bytes) {
        line += bytes.substr(0, audit::longest_line + 1 - std::min(line.size(), audit::longest_line + 1));
    };
    while (file) {
        file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        std::string_view rest(buffer.data(), static_cast<std::size_t>(file.gcount()));
        for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
            add(rest.substr(0, end));
            visit(line, true);
            line.clear();
            rest.remove_prefix(end + 1);
        }
        add(rest);
    }
    if (!line.empty()) {
        visit(line, false);
    }
    return !file.bad() || complain(path + ": cannot be read") == 0;
}

std::optional<std::string> read_small(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes(largest_key + 1, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file.is_open() || file.bad()) {
        return std::nullopt;
    }
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    return bytes;
}

/// Whether they could be understood.
bool read_options(const Options& options, audit::Verification::Options& out) {
    for (const std::string& path : options.public_keys) {
        const auto pem = read_small(path);
        if (!pem) {
            return complain(path + ": cannot be read") == 0;
        }
        auto key = audit::VerifyingKey::from_pem(*pem);
        if (!key) {
            return complain(path + ": " + key.error().message) == 0;
        }
        out.keys.push_back(std::move(*key));
    }
    if (options.accepted_unsigned > 0 && out.keys.empty()) {
        return complain("--accept-unsigned: without --key, no signature is looked at") == 0;
    }
    out.accepted_unsigned = options.accepted_unsigned;
    for (const std::string& text : options.heads) {
        const auto head = audit::parse_head(text);
        if (!head) {
            return complain("--head: the number of an entry, a colon, and its hash") == 0;
        }
        out.heads.push_back(*head);
    }
    return true;
}

void tell(std::string_view word, const audit::Verification::Sentences& sentences) {
    for (const std::string& sentence : sentences.told) {
        std::cout << word << printable(sentence) << '\n';
    }
    if (sentences.unsaid > 0) {
        std::cout << word << "and " << sentences.unsaid << " more\n";
    }
}

std::string_view word_of(audit::Verification::Outcome outcome) {
    switch (outcome) {
        case audit::Verification::Outcome::holds:
            return "holds";
        case audit::Verification::Outcome::doubtful:
            return "doubtful";
        case audit::Verification::Outcome::wrong:
            break;
    }
    return "wrong";
}

int tell_json(const audit::Verification& verification) {
    std::string out = R"({"outcome":)" + json_text(word_of(verification.outcome()));
    const auto add = [&out](std::string_view name, const audit::Verification::Sentences& sentences) {
        out.append(",\"").append(name).append("\":[");
        for (std::size_t i = 0; i < sentences.told.size(); ++i) {
            out += (i == 0 ? "" : ",") + json_text(sentences.told[i]);
        }
        out.append("],\"").append(name).append("_untold\":").append(std::to_string(sentences.unsaid));
    };
    add("notes", verification.notes());
    add("unproved", verification.doubts());
    add("wrong", verification.findings());
    return print_json(out + '}');
}

int status_of(audit::Verification::Outcome outcome) {
    return outcome == audit::Verification::Outcome::holds      ? 0
           : outcome == audit::Verification::Outcome::doubtful ? status_doubtful
                                                               : status_failed;
}

int tell(const audit::Verification& verification) {
    tell("", verification.notes());
    tell("UNPROVED: ", verification.doubts());
    tell("WRONG: ", verification.findings());
    switch (verification.outcome()) {
        case audit::Verification::Outcome::holds:
            std::cout << "everything holds\n";
            break;
        case audit::Verification::Outcome::doubtful:
            std::cout << "nothing is wrong, and NOT everything is proved\n";
            break;
        case audit::Verification::Outcome::wrong:
            std::cout << "NOT everything holds\n";
            break;
    }
    return finish_output();
}

}  // namespace

int walk_audit(const Options& options, const std::string& filter,
               const std::function<bool(std::string_view lines)>& page) {
    const Connection connection(options.socket);
    // Where the lines themselves go to the terminal, they are what shows that it goes on.
    std::optional<Progress> progress;
    if (!output_terminal().is_one) {
        progress.emplace("reading the record");
    }
    std::uint64_t count = 0;
    std::string next;
    do {
        std::string target = "/v1/audit";
        target += filter.empty() && next.empty() ? "" : "?" + filter;
        if (!next.empty()) {
            target += (filter.empty() ? "from=" : "&from=") + percent_coded(next);
        }
        const auto answer = connection.get(target);
        if (!answer.ok()) {
            progress.reset();
            return complain(answer);
        }
        const std::string_view body = answer.body;
        const auto end = body.size() < 2 ? std::string_view::npos : body.rfind('\n', body.size() - 2);
        const auto last = end == std::string_view::npos ? 0 : end + 1;
        auto told = next_page_of(body.substr(last));
        if (!told || (*told == next && !next.empty()) || !page(body.substr(0, last))) {
            progress.reset();
            return complain("the daemon's answer makes no sense");
        }
        count += static_cast<std::uint64_t>(std::ranges::count(body.substr(0, last), '\n'));
        if (progress) {
            progress->say(std::to_string(count) + " lines");
        }
        next = std::move(*told);
    } while (!next.empty() && std::cout);
    return 0;
}

int export_audit(const Options& options) {
    std::string filter;
    for (const auto& [name, value] :
         {std::pair("since", &options.since), std::pair("until", &options.until),
          std::pair("destination", &options.destination), std::pair("liid", &options.liid)}) {
        if (!value->empty()) {
            filter += (filter.empty() ? "" : "&") + std::string(name) + "=" + percent_coded(*value);
        }
    }
    Printer printer;
    const int status = walk_audit(options, filter, [&](std::string_view lines) { return printer.page(lines); });
    if (status != 0) {
        return status;
    }
    printer.finish();
    return finish_output();
}

int verify_audit(const Options& options) {
    audit::Verification::Options wanted;
    if (!read_options(options, wanted)) {
        return 1;
    }
    audit::Verification verification(std::move(wanted));
    for (const std::string& file : options.files) {
        verification.begin(file);
        const auto visit = [&](std::string_view line, bool whole) { verification.line(line, whole); };
        if (!read_lines(file, visit)) {
            return 1;
        }
        verification.end();
    }
    verification.compare();
    if (verification.needs_second_look()) {
        for (const std::string& file : options.files) {
            verification.begin_second();
            const auto visit = [&](std::string_view line, bool /*whole*/) { verification.second_line(line); };
            if (!read_lines(file, visit)) {
                return 1;
            }
            verification.end_second();
        }
    }
    verification.conclude();
    const int status = options.json ? tell_json(verification) : tell(verification);
    return status != 0 ? status : status_of(verification.outcome());
}

int record_head(Options options) {
    std::optional<audit::Header> header;
    bool first = true;
    const auto visit = [&](std::string_view line, bool /*whole*/) {
        if (std::exchange(first, false)) {
            auto read = audit::read_line(line);
            if (auto* const found = read ? std::get_if<audit::Header>(&*read) : nullptr) {
                header = std::move(*found);
            }
        }
    };
    if (!read_lines(options.files.front(), visit)) {
        return 1;
    }
    if (!header) {
        return complain(options.files.front() + ": no export of audit entries");
    }
    options.head = audit::words_of_head(header->chain, header->head);
    const auto answer = Connection(options.socket).post("/v1/record-head", order_of(options), decision_timeout);
    if (!answer.ok()) {
        return complain(answer);
    }
    if (options.json) {
        return print_json(answer.body);
    }
    std::cout << "recorded: entry " << header->head.number << " of the chain of " << printable(header->node) << '\n';
    return finish_output();
}

}  // namespace lihandover::ctl
