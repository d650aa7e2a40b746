#include "commands.hpp"

#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <string_view>
#include <thread>
#include <utility>

#include "lihandover/base/hex.hpp"
#include "printing.hpp"
#include "progress.hpp"
#include "reading.hpp"

namespace lihandover::ctl {

namespace {

namespace dom = simdjson::dom;

constexpr std::uint64_t page_size = 1000;
/// A reload waits for reading every changed file.
constexpr std::chrono::seconds reload_timeout{900};

/// Goes through the pages of a list and passes on each element, up to the limit. Returns the exit status.
///   page_done  called after each page, with the answer that had it
int walk(const Options& options, const std::string& path, std::string_view member, const std::string& parameters,
         const std::function<void(dom::element)>& visit, const std::function<void(dom::element)>& page_done) {
    const Connection connection(options.socket);
    dom::parser parser;
    std::string after = options.after;
    auto left = options.limit.value_or(UINT64_MAX);
    while (left > 0) {
        std::string target = path;
        target.append("?limit=").append(std::to_string(std::min(left, page_size))).append(parameters);
        if (!after.empty()) {
            target.append("&after=").append(percent_coded(after));
        }
        const auto answer = connection.get(target);
        if (!answer.ok()) {
            return complain(answer);
        }
        dom::element body;
        if (parser.parse(answer.body).get(body) != simdjson::SUCCESS || !body[member].is_array()) {
            return complain("the daemon's answer makes no sense");
        }
        for (const auto element : elements_of(body, member)) {
            if (left == 0) {
                break;
            }
            visit(element);
            --left;
        }
        page_done(body);
        const auto next = text_of(body, "next");
        if (next.empty() || next == after) {
            break;
        }
        after = next;
    }
    return finish_output();
}

/// A list as one JSON array, one element per line.
int walk_json(const Options& options, const std::string& path, std::string_view member, const std::string& parameters) {
    bool first = true;
    const auto visit = [&](dom::element element) {
        if (options.waiting && !element["waiting"].is_object()) {
            return;
        }
        std::cout << (std::exchange(first, false) ? "[\n" : ",\n") << printable_json(simdjson::minify(element));
    };
    const int status = walk(options, path, member, parameters, visit, [](dom::element) {});
    if (status != 0 && first) {
        return status;
    }
    // If a failure cuts an array short, it is not closed: nobody should take it for complete.
    if (status == 0) {
        std::cout << (first ? "[]\n" : "\n]\n");
    }
    return std::cout.flush() ? status : complain("the output cannot be written");
}

/// What the LEA said of an item, as a `refusal`, or as an `answer` that was none.
std::string said_text(dom::element item, std::string_view member) {
    dom::element said;
    if (item[member].get(said) != simdjson::SUCCESS) {
        return {};
    }
    const auto kind = text_of(said, "kind");
    const auto words = text_of(said, "words");
    return kind + " " + number_of(said, "code") + (words.empty() ? "" : ": " + words);
}

/// The meaning that TS 103 120 gives the code; empty if it is no HI1 code.
std::string meaning_of(dom::element item) {
    dom::element said;
    const bool any = item["refusal"].get(said) == simdjson::SUCCESS || item["answer"].get(said) == simdjson::SUCCESS;
    return any ? text_of(said, "meaning") : "";
}

std::string correlation_text(dom::element item) {
    const auto level = number_of(item, "application_level_id");
    return level.empty() ? "" : level + " / " + number_of(item, "application_sequence_number");
}

std::string joined(const std::vector<dom::element>& values) {
    std::string out;
    for (const auto value : values) {
        std::string_view text;
        if (value.get(text) == simdjson::SUCCESS) {
            out += (out.empty() ? "" : ", ") + std::string(text);
        }
    }
    return out;
}

}  // namespace

int finish_output() {
    return std::cout.flush() ? 0 : complain("the output cannot be written");
}

int print_json(std::string_view body) {
    std::cout << printable_json(body);
    if (!body.ends_with('\n')) {
        std::cout << '\n';
    }
    return finish_output();
}

void print_report(dom::element report, std::ostream& out, std::ostream& problems) {
    out << "reload: " << printable(text_of(report, "outcome")) << " at " << printable(text_of(report, "at"))
        << ", warrants: " << count_of(report, "warrants_added") << " added, " << count_of(report, "warrants_changed")
        << " changed, " << count_of(report, "warrants_ended") << " ended, " << count_of(report, "warrant_files_bad")
        << " bad files\n";
    out.flush();
    for (const auto problem : elements_of(report, "problems")) {
        std::string_view text;
        if (problem.get(text) == simdjson::SUCCESS) {
            problems << "  " << printable(text) << '\n';
        }
    }
}

int complain(std::string_view sentence) {
    std::cerr << "lihandoverctl: " << printable(sentence, Output::problems) << '\n';
    return status_failed;
}

std::string sentence_of(const Answer& answer) {
    if (answer.status == 0) {
        return answer.failure;
    }
    dom::parser parser;
    dom::element body;
    if (parser.parse(answer.body).get(body) != simdjson::SUCCESS || text_of(body, "error").empty()) {
        return "the daemon answered with HTTP status " + std::to_string(answer.status);
    }
    return text_of(body, "error");
}

int complain(const Answer& answer) {
    (void)complain(sentence_of(answer));
    dom::parser parser;
    dom::element body;
    if (answer.status == 0 || parser.parse(answer.body).get(body) != simdjson::SUCCESS) {
        return answer.status == 0 ? status_unreachable : status_failed;
    }
    for (const auto item : elements_of(body, "items")) {
        std::cerr << "  " << printable(text_of(item, "id") + ": " + text_of(item, "state"), Output::problems) << '\n';
    }
    return status_failed;
}

std::string json_text(std::string_view text) {
    std::string out = "\"";
    for (const char byte : text) {
        const auto value = static_cast<unsigned char>(byte);
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += byte;
        } else if (value < 0x20) {
            out += "\\u00";
            base::append_hex(out, byte);
        } else {
            out += byte;
        }
    }
    return out + '"';
}

std::string percent_coded(std::string_view text) {
    std::string out;
    for (const char byte : text) {
        const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                           (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '.' || byte == '_';
        if (plain) {
            out += byte;
        } else {
            out += '%';
            base::append_hex(out, byte, base::hex_capitals);
        }
    }
    return out;
}

std::string order_of(const Options& options) {
    std::string body = "{";
    const auto add = [&body](std::string_view name, std::string_view json) {
        if (body.size() > 1) {
            body += ',';
        }
        body.append("\"").append(name).append("\":").append(json);
    };
    if (!options.ids.empty()) {
        std::string list = "[";
        for (const auto& id : options.ids) {
            list += (list.size() > 1 ? "," : "") + json_text(id);
        }
        add("ids", list + "]");
    }
    if (!options.destination.empty()) {
        add("destination", json_text(options.destination));
    }
    if (!options.digest.empty()) {
        add("digest", json_text(options.digest));
    }
    if (!options.liid.empty()) {
        add("liid", json_text(options.liid));
    }
    if (options.code) {
        add("code", std::to_string(*options.code));
    }
    if (!options.reason.empty()) {
        add("reason", json_text(options.reason));
    }
    if (!options.queued.empty()) {
        add("queued", json_text(options.queued));
    }
    if (options.confirm_ended) {
        add("confirm_ended", "true");
    }
    if (!options.head.empty()) {
        add("head", json_text(options.head));
    }
    if (!options.form.empty()) {
        add("form", json_text(options.form));
    }
    if (!options.operator_name.empty()) {
        add("operator", json_text(options.operator_name));
    }
    return body + '}';
}

namespace {

/// Those that wait for approval, with what each would change.
int list_waiting_warrants(const Options& options) {
    const auto print = [](dom::element warrant) {
        dom::element waiting;
        if (warrant["waiting"].get(waiting) != simdjson::SUCCESS) {
            return;
        }
        const std::string approved = joined(elements_of(waiting, "approved_by"));
        std::cout << printable(text_of(warrant, "destination") + " " + text_of(warrant, "liid") + ", " +
                               text_of(waiting, "file") + ", waits since " + text_of(waiting, "since") + ", digest " +
                               text_of(waiting, "digest"))
                  << (approved.empty() ? "" : printable(", approved by " + approved))
                  << (flag_of(waiting, "refused")
                          ? printable(", refused by " + text_of(waiting, "who") + ": " + text_of(waiting, "why"))
                          : "")
                  << '\n';
        for (const auto line : elements_of(waiting, "difference")) {
            std::string_view text;
            if (line.get(text) == simdjson::SUCCESS) {
                std::cout << "  " << printable(text) << '\n';
            }
        }
    };
    return walk(options, "/v1/warrants", "warrants", {}, print, [](dom::element) {});
}

}  // namespace

namespace {

/// Which set of warrants is in force.
std::string set_text(dom::element set) {
    if (count_of(set, "version") == 0) {
        return "no set of warrants was applied yet: `lihandoverctl warrants apply DIR`";
    }
    return printable("set of warrants: version " + number_of(set, "version") + ", applied " +
                     text_of(set, "applied_at") + " by " + text_of(set, "who"));
}

}  // namespace

int list_warrants(const Options& options) {
    if (options.waiting && !options.json) {
        return list_waiting_warrants(options);
    }
    if (options.json) {
        return walk_json(options, "/v1/warrants", "warrants", {});
    }
    const Terminal terminal = output_terminal();
    Table table({{"DESTINATION", 1, true},
                 {"LIID", 0, true},
                 {"STATE", 0, true},
                 {"FROM", 6},
                 {"UNTIL", 3},
                 {"PRIORITY", 4},
                 {"TARGETS", 7},
                 {"XIDS", 8},
                 {"DELIVER", 9, true},
                 {"REFERENCE", 5, true},
                 {"FILE", 2, true}},
                terminal);
    const auto row = [&](dom::element warrant) {
        std::vector<std::string> cells{
            text_of(warrant, "destination"),
            text_of(warrant, "liid"),
            text_of(warrant, "state") + (flag_of(warrant, "test") ? " (test)" : "") +
                (warrant["waiting"].is_object() ? " (waits for approval)" : ""),
            time_text(text_of(warrant, "valid_from"), terminal),
            time_text(text_of(warrant, "valid_until"), terminal),
            text_of(warrant, "priority"),
            number_of(warrant, "targets"),
            number_of(warrant, "xids"),
            joined(elements_of(warrant, "deliver")),
            text_of(warrant, "reference"),
            text_of(warrant, "file") + (!text_of(warrant, "revoked_at").empty()
                                            ? " (revoked " + text_of(warrant, "revoked_at") + " by " +
                                                  text_of(warrant, "who") + ": " + text_of(warrant, "why") + ")"
                                        : flag_of(warrant, "stale")   ? " (bad now: last good version)"
                                        : flag_of(warrant, "missing") ? " (gone: its end waits to be confirmed)"
                                                                      : "")};
        const bool odd = flag_of(warrant, "stale") || flag_of(warrant, "missing") || warrant["waiting"].is_object();
        table.add(std::move(cells), odd ? Look::warning : Look::plain);
    };
    const auto page_done = [&](dom::element page) {
        table.print(std::cout);
        dom::element set;
        if (text_of(page, "next").empty() && page["set"].get(set) == simdjson::SUCCESS) {
            std::cout << set_text(set) << '\n';
        }
    };
    return walk(options, "/v1/warrants", "warrants", {}, row, page_done);
}

namespace {

/// How far people have come with a held item.
std::string review_text(dom::element item) {
    dom::element review;
    if (item["review"].get(review) != simdjson::SUCCESS) {
        return {};
    }
    if (text_of(review, "first").empty()) {
        return count_of(review, "needed") == 1 ? "needs one person" : "needs two people";
    }
    const std::string why = text_of(review, "why");
    return text_of(review, "first") + " by " + text_of(review, "who") + (why.empty() ? "" : " (" + why + ")") +
           ", needs another person";
}

}  // namespace

int list_items(const Options& options) {
    std::string parameters;
    if (!options.state.empty()) {
        parameters += "&state=" + percent_coded(options.state);
    }
    if (!options.destination.empty()) {
        parameters += "&destination=" + percent_coded(options.destination);
    }
    for (const auto& [name, value] : {std::pair("&since=", &options.since), std::pair("&until=", &options.until)}) {
        if (!value->empty()) {
            parameters += name + percent_coded(*value);
        }
    }
    if (options.json) {
        return walk_json(options, "/v1/items", "items", parameters);
    }
    const Terminal terminal = output_terminal();
    Table table({{"ID"},
                 {"KIND", 8},
                 {"STATE", 3},
                 {"DESTINATION", 2, true},
                 {"LIID", 1, true},
                 {"RECEIVED", 6},
                 {"CHANGED", 7},
                 {"REFUSAL", 5, true},
                 {"PRIORITY", 4},
                 {"REVIEW", 5, true}},
                terminal);
    const auto row = [&](dom::element item) {
        const bool emergency = flag_of(item, "emergency");
        std::vector<std::string> cells{text_of(item, "id"),
                                       text_of(item, "object_of").empty() ? "item" : "object",
                                       text_of(item, "state"),
                                       text_of(item, "destination"),
                                       text_of(item, "liid"),
                                       time_text(text_of(item, "received_at"), terminal),
                                       time_text(text_of(item, "changed_at"), terminal),
                                       said_text(item, "refusal") + said_text(item, "answer"),
                                       emergency ? "emergency" : "",
                                       review_text(item)};
        table.add(std::move(cells), emergency ? Look::alarm : Look::plain);
    };
    return walk(options, "/v1/items", "items", parameters, row, [&](dom::element) { table.print(std::cout); });
}

namespace {

/// Says of the first text that cannot be an ObjectIdentifier what one looks like. False: there is none such.
bool complain_of_ids(const std::vector<std::string>& ids) {
    for (const auto& id : ids) {
        bool good = id.size() == 36;
        for (std::size_t i = 0; good && i < id.size(); ++i) {
            const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
            good = hyphen ? id[i] == '-' : base::is_hex_digit(id[i]);
        }
        if (!good) {
            (void)complain(id +
                           " is no ObjectIdentifier, such as 123e4567-e89b-12d3-a456-426614174000 and written out: "
                           "`lihandoverctl items` lists those of the items that wait");
            return true;
        }
    }
    return false;
}

}  // namespace

int show_item(const Options& options) {
    if (complain_of_ids(options.ids)) {
        return status_failed;
    }
    const auto answer = Connection(options.socket).get("/v1/items/" + percent_coded(options.ids.front()));
    if (!answer.ok()) {
        return complain(answer);
    }
    if (options.json) {
        return print_json(answer.body);
    }
    dom::parser parser;
    dom::element item;
    if (parser.parse(answer.body).get(item) != simdjson::SUCCESS) {
        return complain("the daemon's answer makes no sense");
    }
    const std::vector<std::pair<std::string, std::string>> lines = {
        {"id", text_of(item, "id")},
        {"object of", text_of(item, "object_of")},
        {"state", text_of(item, "state")},
        {"destination", text_of(item, "destination")},
        {"liid", text_of(item, "liid")},
        {"correlation", correlation_text(item)},
        {"received", text_of(item, "received_at")},
        {"changed", text_of(item, "changed_at")},
        {"refusal", said_text(item, "refusal")},
        {"answer", said_text(item, "answer")},
        {"meaning", meaning_of(item)},
        {"priority", flag_of(item, "emergency") ? "emergency" : ""},
        {"review", review_text(item)},
        {"decided by", text_of(item, "who")},
        {"reason", text_of(item, "why")},
    };
    for (const auto& [name, value] : lines) {
        if (!value.empty()) {
            std::cout << name << ": " << std::string(12 - name.size(), ' ') << printable(value) << '\n';
        }
    }
    return finish_output();
}

namespace {

/// Posts the order; whoever sits before a terminal sees that it goes on.
Answer patient_post(const Options& options, const std::string& target, std::chrono::seconds timeout,
                    const std::string& what) {
    const Progress progress(what);
    return Connection(options.socket).post(target, order_of(options), timeout);
}

/// Gives an order and says in a sentence what came of it, or prints the answer.
int give_order(const Options& options, const std::string& command, std::chrono::seconds timeout,
               const std::function<std::string(dom::element)>& sentence_of) {
    const auto answer = patient_post(options, "/v1/" + command, timeout, command);
    if (!answer.ok()) {
        return complain(answer);
    }
    if (options.json) {
        return print_json(answer.body);
    }
    dom::parser parser;
    dom::element result;
    if (parser.parse(answer.body).get(result) != simdjson::SUCCESS) {
        return complain("the daemon's answer makes no sense");
    }
    std::cout << sentence_of(result) << '\n';
    return finish_output();
}

}  // namespace

int decide(const Options& options, const std::string& command) {
    if (complain_of_ids(options.ids)) {
        return status_failed;
    }
    return give_order(options, command, decision_timeout, [&](dom::element result) {
        const auto items = [](std::uint64_t count) {
            return std::to_string(count) + (count == 1 ? " item " : " items ");
        };
        const std::string done = command == "retry" ? "queued again" : command == "reject" ? "rejected" : "approved";
        const std::uint64_t first = count_of(result, "first");
        const std::string waits = items(first) + (command == "reject" ? "rejected" : "approved") +
                                  " by one of two people: another has to, too";
        const std::uint64_t changed = count_of(result, "changed");
        return first == 0 ? items(changed) + done : changed == 0 ? waits : items(changed) + done + "; " + waits;
    });
}

int show_content(const Options& options) {
    if (complain_of_ids(options.ids)) {
        return status_failed;
    }
    const auto answer = Connection(options.socket).post("/v1/content", order_of(options), decision_timeout);
    if (!answer.ok()) {
        return complain(answer);
    }
    if (options.json) {
        return print_json(answer.body);
    }
    dom::parser parser;
    dom::element result;
    std::string_view content;
    if (parser.parse(answer.body).get(result) != simdjson::SUCCESS ||
        result["content"].get(content) != simdjson::SUCCESS) {
        return complain("the daemon's answer makes no sense");
    }
    // What was intercepted must not steer the terminal of whoever reads it.
    const bool terminal = isatty(STDOUT_FILENO) != 0;
    while (!content.empty()) {
        const std::size_t end = std::min(content.find('\n'), content.size());
        std::cout << (terminal ? printable(content.substr(0, end)) : std::string(content.substr(0, end)));
        if (end < content.size()) {
            std::cout << '\n';
        }
        content.remove_prefix(std::min(end + 1, content.size()));
    }
    if (terminal) {
        std::cout << '\n';
    }
    return finish_output();
}

int reload(const Options& options) {
    const auto answer = patient_post(options, "/v1/reload", reload_timeout, "reload: every file that changed is read");
    if (!answer.ok()) {
        return complain(answer);
    }
    dom::parser parser;
    dom::element report;
    if (parser.parse(answer.body).get(report) != simdjson::SUCCESS) {
        return complain("the daemon's answer makes no sense");
    }
    if (options.json) {
        if (print_json(answer.body) != 0) {
            return 1;
        }
    } else {
        print_report(report, std::cout, std::cerr);
    }
    const auto outcome = text_of(report, "outcome");
    if (outcome == "done") {
        return 0;
    }
    if (outcome == "partial") {
        return complain("something is wrong with the warrants: what was in force stays");
    }
    return complain("the reload failed: nothing was changed");
}

// In turn with reloads, which may read many files.

int revoke(const Options& options) {
    return give_order(options, "revoke", reload_timeout, [&](dom::element) -> std::string {
        return options.queued == "hold" ? "the warrant is revoked, and nothing more of it goes out: what is queued is "
                                          "being held; its file can be removed"
                                        : "the warrant is revoked; its file can be removed";
    });
}

int decide_warrant(const Options& options, const std::string& command) {
    return give_order(options, command, reload_timeout, [&](dom::element result) -> std::string {
        if (command == "refuse-warrant") {
            return "refused until its file changes";
        }
        if (flag_of(result, "in_force")) {
            return "approved and in force";
        }
        return "approved by " + number_of(result, "approvals") + " of " + number_of(result, "needed");
    });
}

namespace {

/// Waits until the store is sealed. The answer that says so, or the first that is no good.
Answer wait_for_sealing(const Options& options) {
    Progress progress("sealing the store anew");
    while (true) {
        auto answer = Connection(options.socket).get("/v1/status");
        dom::parser parser;
        dom::element status;
        dom::element encryption;
        if (!answer.ok()) {
            return answer;
        }
        if (parser.parse(answer.body).get(status) != simdjson::SUCCESS ||
            status["encryption"].get(encryption) != simdjson::SUCCESS) {
            answer = {};
            answer.failure = "the daemon's answer makes no sense";
            return answer;
        }
        if (!flag_of(encryption, "working")) {
            answer.body = simdjson::minify(encryption);
            return answer;
        }
        progress.say(number_of(encryption, "percent") + " %");
        std::this_thread::sleep_for(std::chrono::seconds(1));
    }
}

}  // namespace

int rekey(const Options& options) {
    if (options.no_wait) {
        return give_order(options, "rekey", decision_timeout,
                          [](dom::element) { return "sealing the store anew has begun"; });
    }
    auto answer = patient_post(options, "/v1/rekey", decision_timeout, "rekey");
    if (answer.ok()) {
        answer = wait_for_sealing(options);
    }
    if (!answer.ok()) {
        return complain(answer);
    }
    if (options.json) {
        return print_json(answer.body);
    }
    dom::parser parser;
    dom::element encryption;
    if (parser.parse(answer.body).get(encryption) != simdjson::SUCCESS) {
        return complain("the daemon's answer makes no sense");
    }
    std::cout << "done: the master key " << printable(text_of(encryption, "key"))
              << " opens the store, and no other is needed\n";
    return finish_output();
}

int accept_restore(const Options& options) {
    return give_order(options, "accept-restore", decision_timeout,
                      [](dom::element) { return "the state of the store is taken as known"; });
}

int accept_clock(const Options& options) {
    return give_order(options, "accept-clock", decision_timeout,
                      [](dom::element) { return "the wall clock is taken as right"; });
}

int order_delivery(const Options& options, const std::string& command) {
    return give_order(options, command, decision_timeout, [&](dom::element) {
        return "destination " + std::string(printable(options.destination)) +
               (command == "pause" ? " is paused until it is resumed" : " is tried now");
    });
}

}  // namespace lihandover::ctl
