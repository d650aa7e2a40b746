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

namespace lihandover::ctl {

namespace {

namespace dom = simdjson::dom;

constexpr std::uint64_t page_size = 1000;
/// A reload waits for reading every changed file.
constexpr std::chrono::seconds reload_timeout{900};
/// Beyond this many characters an LEA's words are cut in a table; `show` prints all of them.
constexpr std::size_t words_width = 60;

std::string text_of(dom::element object, std::string_view name) {
    std::string_view text;
    if (object[name].get(text) == simdjson::SUCCESS) {
        return std::string(text);
    }
    return {};
}

std::string number_of(dom::element object, std::string_view name) {
    std::uint64_t number = 0;
    if (object[name].get(number) == simdjson::SUCCESS) {
        return std::to_string(number);
    }
    return {};
}

std::uint64_t count_of(dom::element object, std::string_view name) {
    std::uint64_t number = 0;
    return object[name].get(number) == simdjson::SUCCESS ? number : 0;
}

bool flag_of(dom::element object, std::string_view name) {
    bool flag = false;
    return object[name].get(flag) == simdjson::SUCCESS && flag;
}

/// The elements of an array member; none if it is something else or missing.
std::vector<dom::element> elements_of(dom::element object, std::string_view name) {
    dom::array array;
    if (object[name].get(array) != simdjson::SUCCESS) {
        return {};
    }
    return {array.begin(), array.end()};
}

int print_json(std::string_view body) {
    std::cout << printable_json(body);
    if (!body.ends_with('\n')) {
        std::cout << '\n';
    }
    return std::cout.flush() ? 0 : complain("the output cannot be written");
}

/// Goes through the pages of a list and passes on each element, up to the limit. Returns the exit status.
int walk(const Options& options, const std::string& path, std::string_view member, const std::string& parameters,
         const std::function<void(dom::element)>& visit, const std::function<void()>& page_done) {
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
        page_done();
        const auto next = text_of(body, "next");
        if (next.empty() || next == after) {
            break;
        }
        after = next;
    }
    return std::cout.flush() ? 0 : complain("the output cannot be written");
}

/// A list as one JSON array, one element per line.
int walk_json(const Options& options, const std::string& path, std::string_view member, const std::string& parameters) {
    bool first = true;
    const auto visit = [&first](dom::element element) {
        std::cout << (std::exchange(first, false) ? "[\n" : ",\n") << printable_json(simdjson::minify(element));
    };
    const int status = walk(options, path, member, parameters, visit, [] {});
    if (status != 0 && first) {
        return status;
    }
    // If a failure cuts an array short, it is not closed: nobody should take it for complete.
    if (status == 0) {
        std::cout << (first ? "[]\n" : "\n]\n");
    }
    return std::cout.flush() ? status : complain("the output cannot be written");
}

int walk_table(const Options& options, const std::string& path, std::string_view member, const std::string& parameters,
               Table table, const std::function<std::vector<std::string>(dom::element)>& row) {
    return walk(
        options, path, member, parameters, [&](dom::element element) { table.add(row(element)); },
        [&] { table.print(std::cout); });
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

}  // namespace

int complain(std::string_view sentence) {
    std::cerr << "lihandoverctl: " << printable(sentence) << '\n';
    return 1;
}

int complain(const Answer& answer) {
    if (answer.status == 0) {
        return complain(answer.failure);
    }
    dom::parser parser;
    dom::element body;
    if (parser.parse(answer.body).get(body) != simdjson::SUCCESS || text_of(body, "error").empty()) {
        return complain("the daemon answered with HTTP status " + std::to_string(answer.status));
    }
    (void)complain(text_of(body, "error"));
    for (const auto item : elements_of(body, "items")) {
        std::cerr << "  " << printable(text_of(item, "id")) << ": " << printable(text_of(item, "state")) << '\n';
    }
    return 1;
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

void print_certificates(dom::element status) {
    Table table({"CERTIFICATE OF", "ROLE", "KIND", "NUMBER", "ENDS"});
    bool any = false;
    for (const auto certificate : elements_of(status, "certificates")) {
        any = true;
        table.add({text_of(certificate, "name"), text_of(certificate, "role"), text_of(certificate, "kind"),
                   number_of(certificate, "number"), text_of(certificate, "ends")});
    }
    if (any) {
        std::cout << '\n';
        table.print(std::cout);
    }
}

}  // namespace

int show_status(const Options& options) {
    const auto answer = Connection(options.socket).get("/v1/status");
    if (!answer.ok()) {
        return complain(answer);
    }
    if (options.json) {
        return print_json(answer.body);
    }
    dom::parser parser;
    dom::element body;
    dom::element store;
    dom::element warrants;
    if (parser.parse(answer.body).get(body) != simdjson::SUCCESS || body["store"].get(store) != simdjson::SUCCESS ||
        body["warrants"].get(warrants) != simdjson::SUCCESS) {
        return complain("the daemon's answer makes no sense");
    }
    const auto max_bytes = count_of(store, "max_bytes");
    std::cout << "lihandoverd " << printable(text_of(body, "version")) << ": " << printable(text_of(body, "readiness"))
              << ", started " << printable(text_of(body, "started_at")) << '\n'
              << "store: " << (flag_of(store, "accepting") ? "accepting" : "NOT accepting") << ", "
              << size_text(count_of(store, "used_bytes")) << " used"
              << (max_bytes == 0 ? "" : " of " + size_text(max_bytes)) << ", "
              << size_text(count_of(store, "waiting_bytes")) << " of it waiting items\n"
              << "warrants: " << count_of(warrants, "active") << " active, " << count_of(warrants, "pending")
              << " pending, " << count_of(warrants, "expired") << " expired, " << count_of(warrants, "files_bad")
              << " bad files\n";
    if (dom::element audit; body["audit"].get(audit) == simdjson::SUCCESS) {
        std::cout << "audit: " << count_of(audit, "entries") << " entries, head " << printable(text_of(audit, "head"))
                  << '\n';
    }
    if (dom::element encryption; body["encryption"].get(encryption) == simdjson::SUCCESS && flag_of(encryption, "on")) {
        std::cout << "encryption: under the master key " << printable(text_of(encryption, "key"))
                  << (flag_of(encryption, "working") ? ", being sealed: " + number_of(encryption, "percent") + " %"
                                                     : std::string())
                  << '\n';
    }
    dom::element report;
    if (body["last_reload"].get(report) == simdjson::SUCCESS && report.is_object()) {
        std::cout << "last ";
        print_report(report, std::cout, std::cout);
    }
    for (const auto alarm : elements_of(body, "alarms")) {
        std::string_view text;
        if (alarm.get(text) == simdjson::SUCCESS) {
            std::cout << "ALARM: " << printable(text) << '\n';
        }
    }
    std::cout << '\n';
    Table table({"DESTINATION", "STATE", "QUEUED", "HELD", "SET ASIDE", "REFUSED", "IN FLIGHT", "CONNECTIONS",
                 "OBJECTS QUEUED", "OBJECTS REFUSED", "OLDEST QUEUED", "LAST SUCCESS", "LAST FAILURE", "NEXT ATTEMPT"});
    for (const auto destination : elements_of(body, "destinations")) {
        const auto paused = text_of(destination, "paused");
        auto failure = text_of(destination, "last_failure");
        if (!failure.empty()) {
            failure += " " + text_of(destination, "last_failure_at");
        }
        table.add(
            {text_of(destination, "name"), text_of(destination, "state") + (paused.empty() ? "" : " (" + paused + ")"),
             number_of(destination, "queued"), number_of(destination, "held"), number_of(destination, "set_aside"),
             number_of(destination, "refused"), number_of(destination, "in_flight"),
             number_of(destination, "connections"), number_of(destination, "objects_queued"),
             number_of(destination, "objects_refused"), text_of(destination, "oldest_queued"),
             text_of(destination, "last_success"), failure, text_of(destination, "next_attempt")});
    }
    table.print(std::cout);
    print_certificates(body);
    return std::cout.flush() ? 0 : complain("the output cannot be written");
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
    return walk(options, "/v1/warrants", "warrants", {}, print, [] {});
}

}  // namespace

int list_warrants(const Options& options) {
    if (options.waiting && !options.json) {
        return list_waiting_warrants(options);
    }
    if (options.json) {
        return walk_json(options, "/v1/warrants", "warrants", {});
    }
    Table table({"DESTINATION", "LIID", "STATE", "FROM", "UNTIL", "PRIORITY", "TARGETS", "XIDS", "DELIVER", "REFERENCE",
                 "FILE"});
    const auto row = [](dom::element warrant) {
        return std::vector<std::string>{
            text_of(warrant, "destination"),
            text_of(warrant, "liid"),
            text_of(warrant, "state") + (flag_of(warrant, "test") ? " (test)" : "") +
                (warrant["waiting"].is_object() ? " (waits for approval)" : ""),
            text_of(warrant, "valid_from"),
            text_of(warrant, "valid_until"),
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
    };
    return walk_table(options, "/v1/warrants", "warrants", {}, std::move(table), row);
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
    Table table({"ID", "KIND", "STATE", "DESTINATION", "LIID", "RECEIVED", "CHANGED", "REFUSAL", "PRIORITY", "REVIEW"});
    const auto row = [](dom::element item) {
        return std::vector<std::string>{
            text_of(item, "id"),
            text_of(item, "object_of").empty() ? "item" : "object",
            text_of(item, "state"),
            text_of(item, "destination"),
            text_of(item, "liid"),
            text_of(item, "received_at"),
            text_of(item, "changed_at"),
            shortened(printable(said_text(item, "refusal") + said_text(item, "answer")), words_width),
            flag_of(item, "emergency") ? "emergency" : "",
            shortened(printable(review_text(item)), words_width)};
    };
    return walk_table(options, "/v1/items", "items", parameters, std::move(table), row);
}

int show_item(const Options& options) {
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
    return std::cout.flush() ? 0 : complain("the output cannot be written");
}

namespace {

/// Gives an order and says in a sentence what came of it, or prints the answer.
int give_order(const Options& options, const std::string& command, std::chrono::seconds timeout,
               const std::function<std::string(dom::element)>& sentence_of) {
    const auto answer = Connection(options.socket).post("/v1/" + command, order_of(options), timeout);
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
    return std::cout.flush() ? 0 : complain("the output cannot be written");
}

}  // namespace

int decide(const Options& options, const std::string& command) {
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
    return std::cout.flush() ? 0 : complain("the output cannot be written");
}

int reload(const Options& options) {
    const auto answer = Connection(options.socket).post("/v1/reload", order_of(options), reload_timeout);
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
    return give_order(options, "revoke", reload_timeout,
                      [](dom::element) { return "the warrant is revoked; its file can be removed"; });
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

int rekey(const Options& options) {
    if (const int begun = give_order(options, "rekey", decision_timeout,
                                     [](dom::element) { return "sealing the store anew has begun"; });
        begun != 0 || options.no_wait) {
        return begun;
    }
    std::string shown;
    while (true) {
        const auto answer = Connection(options.socket).get("/v1/status");
        if (!answer.ok()) {
            return complain(answer);
        }
        dom::parser parser;
        dom::element status;
        dom::element encryption;
        if (parser.parse(answer.body).get(status) != simdjson::SUCCESS ||
            status["encryption"].get(encryption) != simdjson::SUCCESS) {
            return complain("the daemon's answer makes no sense");
        }
        if (!flag_of(encryption, "working")) {
            if (!options.json) {
                std::cout << "done: the master key " << printable(text_of(encryption, "key"))
                          << " opens the store, and no other is needed\n";
            }
            return std::cout.flush() ? 0 : complain("the output cannot be written");
        }
        const std::string percent = number_of(encryption, "percent") + " %";
        if (!options.json && percent != std::exchange(shown, percent)) {
            std::cout << percent << std::endl;
        }
        std::this_thread::sleep_for(std::chrono::seconds(1));
    }
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
